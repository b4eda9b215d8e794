"""The classes of OCPI 2.1.1, told as their differences from 2.2.1.

Objects do not say whose they are; sessions and CDRs hold a whole location; costs are numbers
without VAT; an endpoint has no role. Ids are strings compared with case, some of them longer than
later. A PATCH need not say when the object changed (AMB-10).
"""

# A member may be of another type in an older version, which is no subclass in the sense of types.
# mypy: disable-error-code="assignment"

from collections.abc import Mapping

from hub.ocpi.schemas import (
    cdrs,
    chargingprofiles,
    clientinfo,
    commands,
    locations,
    sessions,
    tariffs,
    tokens,
    v2_2_1,
    versions,
)
from hub.ocpi.schemas.enums import OneOf, closed
from hub.ocpi.schemas.fields import Boolean, CiString, Integer, Number, String, Timestamp
from hub.ocpi.schemas.objects import Object, many, one, some
from hub.ocpi.schemas.v2_3_0 import classes

ALLOWED = closed("Allowed", *tokens.ALLOWED_TYPE.values)
AUTH_METHOD = cdrs.AUTH_METHOD.closed(without=("COMMAND",))
CAPABILITY = v2_2_1.CAPABILITY.closed(
    without=(
        "CHARGING_PREFERENCES_CAPABLE",
        "CHIP_CARD_SUPPORT",
        "CONTACTLESS_CARD_SUPPORT",
        "DEBIT_CARD_PAYABLE",
        "PED_TERMINAL",
        "START_SESSION_CONNECTOR_REQUIRED",
        "TOKEN_GROUP_CAPABLE",
    )
)
CDR_DIMENSION_TYPE = closed(
    "CdrDimensionType", "ENERGY", "FLAT", "MAX_CURRENT", "MIN_CURRENT", "PARKING_TIME", "TIME"
)
COMMAND_RESPONSE_TYPE = commands.COMMAND_RESPONSE_TYPE.closed(plus=("TIMEOUT",))
CONNECTOR_TYPE = v2_2_1.CONNECTOR_TYPE.closed(
    without=(
        "CHAOJI",
        "DOMESTIC_M",
        "DOMESTIC_N",
        "DOMESTIC_O",
        "GBT_AC",
        "GBT_DC",
        "NEMA_5_20",
        "NEMA_6_30",
        "NEMA_6_50",
        "NEMA_10_30",
        "NEMA_10_50",
        "NEMA_14_30",
        "NEMA_14_50",
        "PANTOGRAPH_BOTTOM_UP",
        "PANTOGRAPH_TOP_DOWN",
    )
)
FACILITY = v2_2_1.FACILITY.closed(
    without=("BIKE_SHARING", "TRAM_STOP", "METRO_STATION", "PARKING_LOT")
)
LOCATION_TYPE = closed(
    "LocationType",
    "ON_STREET",
    "PARKING_GARAGE",
    "UNDERGROUND_GARAGE",
    "PARKING_LOT",
    "OTHER",
    "UNKNOWN",
)
POWER_TYPE = locations.POWER_TYPE.closed(without=("AC_2_PHASE", "AC_2_PHASE_SPLIT"))
SESSION_STATUS = sessions.SESSION_STATUS.closed(without=("RESERVATION",))
TOKEN_TYPE = v2_2_1.TOKEN_TYPE.closed(without=("AD_HOC_USER", "APP_USER"))


class Image(v2_2_1.Image):
    type = String(4, required=True)


class BusinessDetails(v2_2_1.BusinessDetails):
    logo = one(Image)


class EnvironmentalImpact(v2_2_1.EnvironmentalImpact):
    class Meta(v2_2_1.EnvironmentalImpact.Meta):
        exclude = ("category",)

    source = OneOf(v2_2_1.ENVIRONMENTAL_IMPACT_CATEGORY, required=True)


class EnergyMix(v2_2_1.EnergyMix):
    environ_impact = many(EnvironmentalImpact)


class Hours(locations.Hours):
    """Opening hours or ``twentyfourseven``: the table requires the latter, the text lets choose."""

    twentyfourseven = Boolean()


class Connector(v2_2_1.Connector):
    in_every_patch = ()

    class Meta(v2_2_1.Connector.Meta):
        exclude = (
            "capabilities",
            "max_voltage",
            "max_amperage",
            "max_electric_power",
            "tariff_ids",
        )

    id = String(36, key=True, required=True)
    standard = OneOf(CONNECTOR_TYPE, required=True)
    power_type = OneOf(POWER_TYPE, required=True)
    voltage = Integer(required=True)
    amperage = Integer(required=True)
    tariff_id = String(36)


class EVSE(v2_2_1.EVSE):
    in_every_patch = ()

    uid = String(39, key=True, required=True)
    evse_id = String(48)
    capabilities = many(OneOf(CAPABILITY))
    connectors = some(Connector)
    images = many(Image)


class Location(v2_2_1.Location):
    in_every_patch = ()

    class Meta(v2_2_1.Location.Meta):
        exclude = (
            "parking_places",
            "help_phone",
            "country_code",
            "party_id",
            "publish",
            "publish_allowed_to",
            "state",
            "parking_type",
        )

    id = String(39, key=True, required=True)
    type = OneOf(LOCATION_TYPE, required=True)
    address = String(45, required=True)
    postal_code = String(10, required=True)
    evses = many(EVSE)
    operator = one(BusinessDetails)
    suboperator = one(BusinessDetails)
    owner = one(BusinessDetails)
    facilities = many(OneOf(FACILITY))
    time_zone = String(255)
    opening_times = one(Hours)
    images = many(Image)
    energy_mix = one(EnergyMix)


class PriceComponent(tariffs.PriceComponent):
    class Meta(tariffs.PriceComponent.Meta):
        exclude = ("vat",)


class TariffRestrictions(v2_2_1.TariffRestrictions):
    class Meta(v2_2_1.TariffRestrictions.Meta):
        exclude = ("booking", "min_current", "max_current", "reservation")


class TariffElement(v2_2_1.TariffElement):
    price_components = some(PriceComponent)
    restrictions = one(TariffRestrictions)


class Tariff(v2_2_1.Tariff):
    in_every_patch = ()

    class Meta(v2_2_1.Tariff.Meta):
        exclude = (
            "tax_included",
            "preauthorize_amount",
            "country_code",
            "party_id",
            "type",
            "min_price",
            "max_price",
            "start_date_time",
            "end_date_time",
        )

    id = String(36, key=True, required=True)
    elements = some(TariffElement)
    energy_mix = one(EnergyMix)


class Token(v2_2_1.Token):
    in_every_patch = ()

    class Meta(v2_2_1.Token.Meta):
        exclude = (
            "country_code",
            "party_id",
            "contract_id",
            "group_id",
            "default_profile_type",
            "energy_contract",
        )

    uid = String(36, key=True, required=True)
    type = OneOf(TOKEN_TYPE, required=True)
    auth_id = String(36, required=True)


class LocationReferences(tokens.LocationReferences):
    location_id = String(39, required=True)
    evse_uids = many(String(39))
    connector_ids = many(String(36))


class AuthorizationInfo(v2_2_1.AuthorizationInfo):
    class Meta(v2_2_1.AuthorizationInfo.Meta):
        exclude = ("token", "authorization_reference")

    allowed = OneOf(ALLOWED, required=True)
    location = one(LocationReferences)


class CdrDimension(v2_2_1.CdrDimension):
    type = OneOf(CDR_DIMENSION_TYPE, required=True)


class ChargingPeriod(v2_2_1.ChargingPeriod):
    class Meta(v2_2_1.ChargingPeriod.Meta):
        exclude = ("tariff_id",)

    dimensions = some(CdrDimension)


class Session(v2_2_1.Session):
    in_every_patch = ()

    class Meta(v2_2_1.Session.Meta):
        exclude = (
            "country_code",
            "party_id",
            "start_date_time",
            "end_date_time",
            "cdr_token",
            "authorization_reference",
            "location_id",
            "evse_uid",
            "connector_id",
        )

    id = String(36, key=True, required=True)
    start_datetime = Timestamp(required=True)
    end_datetime = Timestamp()
    auth_id = String(36, required=True)
    auth_method = OneOf(AUTH_METHOD, required=True)
    location = one(Location, required=True)
    charging_periods = many(ChargingPeriod)
    total_cost = Number()
    status = OneOf(SESSION_STATUS, required=True)


class CDR(v2_2_1.CDR):
    class Meta(v2_2_1.CDR.Meta):
        exclude = (
            "booking_id",
            "country_code",
            "party_id",
            "end_date_time",
            "session_id",
            "cdr_token",
            "authorization_reference",
            "cdr_location",
            "signed_data",
            "total_fixed_cost",
            "total_energy_cost",
            "total_time_cost",
            "total_parking_cost",
            "total_reservation_cost",
            "invoice_reference_id",
            "credit",
            "credit_reference_id",
            "home_charging_compensation",
        )

    needs = {}

    id = CiString(36, key=True, required=True)
    stop_date_time = Timestamp(required=True)
    auth_id = String(36, required=True)
    auth_method = OneOf(AUTH_METHOD, required=True)
    location = one(Location, required=True)
    tariffs = many(Tariff)
    charging_periods = some(ChargingPeriod)
    total_cost = Number(required=True)


class ReserveNow(v2_2_1.ReserveNow):
    class Meta(v2_2_1.ReserveNow.Meta):
        exclude = ("authorization_reference",)

    token = one(Token, required=True)
    reservation_id = Integer(required=True)
    location_id = String(39, required=True)
    evse_uid = String(39)


class StartSession(v2_2_1.StartSession):
    class Meta(v2_2_1.StartSession.Meta):
        exclude = ("authorization_reference", "connector_id")

    needs = {}

    token = one(Token, required=True)
    location_id = String(39, required=True)
    evse_uid = String(39)


class StopSession(commands.StopSession):
    session_id = String(36, required=True)


class UnlockConnector(commands.UnlockConnector):
    location_id = String(39, required=True)
    evse_uid = String(39, required=True)
    connector_id = String(36, required=True)


class CommandResponse(commands.CommandResponse):
    class Meta(commands.CommandResponse.Meta):
        exclude = ("timeout", "message")

    result = OneOf(COMMAND_RESPONSE_TYPE, required=True)


class Credentials(v2_2_1.Credentials):
    class Meta(v2_2_1.Credentials.Meta):
        exclude = ("hub_party_id", "roles")

    business_details = one(BusinessDetails, required=True)
    party_id = String(3, key=True, required=True)
    country_code = String(2, key=True, required=True)


class Endpoint(versions.Endpoint):
    class Meta(versions.Endpoint.Meta):
        exclude = ("role",)


class VersionDetails(versions.VersionDetails):
    endpoints = some(Endpoint)


ADDED_IN_2_2 = {
    "CancelReservation",
    "CdrLocation",
    "CdrToken",
    "ChargingPreferences",
    "CommandResult",
    "CredentialsRole",
    "EnergyContract",
    "Price",
    "SignedData",
    "SignedValue",
    "PublishTokenType",
    *classes(chargingprofiles, clientinfo),
}
DIFFERENT = {
    name: value
    for name, value in vars().copy().items()
    if isinstance(value, type) and issubclass(value, Object) and value is not Object
}
SCHEMAS: Mapping[str, type[Object]] = {
    name: schema for name, schema in v2_2_1.SCHEMAS.items() if name not in ADDED_IN_2_2
} | DIFFERENT
