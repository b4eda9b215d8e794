"""The classes of OCPI 2.2.1, told as their differences from 2.3.0.

Every enumeration is closed, and some lack values; what was added to locations, tariffs and
credentials is absent; prices know one VAT instead of taxes by name. Two enumerations stay open
against the letter of 2.2.1: a platform may list newer versions than 2.2.1 knows (VER-08) and
modules of its own (VER-05).
"""

from collections.abc import Mapping

from hub.ocpi.schemas import (
    bookings,
    cdrs,
    clientinfo,
    commands,
    credentials,
    locations,
    payments,
    sessions,
    tariffs,
    tokens,
    types,
    v2_3_0,
)
from hub.ocpi.schemas.enums import OneOf
from hub.ocpi.schemas.fields import Number
from hub.ocpi.schemas.objects import Object, many, one, some

CAPABILITY = locations.CAPABILITY.closed()
CDR_DIMENSION_TYPE = cdrs.CDR_DIMENSION_TYPE.closed(
    without=("RESERVATION_EXPIRES", "RESERVATION_OVERTIME")
)
CONNECTOR_TYPE = locations.CONNECTOR_TYPE.closed(without=("MCS", "SAE_J3400"))
ENVIRONMENTAL_IMPACT_CATEGORY = locations.ENVIRONMENTAL_IMPACT_CATEGORY.closed()
FACILITY = locations.FACILITY.closed()
IMAGE_CATEGORY = locations.IMAGE_CATEGORY.closed()
PARKING_RESTRICTION = locations.PARKING_RESTRICTION.closed(
    without=("EMPLOYEES", "TAXIS", "TENANTS")
)
PARKING_TYPE = locations.PARKING_TYPE.closed()
ROLE = types.ROLE.closed(without=("PTP",), plus=("HUB",))
TOKEN_TYPE = tokens.TOKEN_TYPE.closed(without=("EMAID",))


class Price(Object):
    excl_vat = Number(required=True)
    incl_vat = Number()


class Image(locations.Image):
    category = OneOf(IMAGE_CATEGORY, required=True)


class BusinessDetails(locations.BusinessDetails):
    logo = one(Image)


class EnvironmentalImpact(locations.EnvironmentalImpact):
    category = OneOf(ENVIRONMENTAL_IMPACT_CATEGORY, required=True)


class EnergyMix(locations.EnergyMix):
    environ_impact = many(EnvironmentalImpact)


class PublishTokenType(locations.PublishTokenType):
    type = OneOf(TOKEN_TYPE)


class Connector(locations.Connector):
    class Meta(locations.Connector.Meta):
        exclude = ("capabilities",)

    standard = OneOf(CONNECTOR_TYPE, required=True)


class EVSE(locations.EVSE):
    class Meta(locations.EVSE.Meta):
        exclude = ("parking", "accepted_service_providers")

    capabilities = many(OneOf(CAPABILITY))
    connectors = some(Connector)
    parking_restrictions = many(OneOf(PARKING_RESTRICTION))
    images = many(Image)


class Location(locations.Location):
    class Meta(locations.Location.Meta):
        exclude = ("parking_places", "help_phone")

    publish_allowed_to = many(PublishTokenType)
    parking_type = OneOf(PARKING_TYPE)
    evses = many(EVSE)
    operator = one(BusinessDetails)
    suboperator = one(BusinessDetails)
    owner = one(BusinessDetails)
    facilities = many(OneOf(FACILITY))
    images = many(Image)
    energy_mix = one(EnergyMix)


class TariffRestrictions(tariffs.TariffRestrictions):
    class Meta(tariffs.TariffRestrictions.Meta):
        exclude = ("booking",)


class TariffElement(tariffs.TariffElement):
    restrictions = one(TariffRestrictions)


class Tariff(tariffs.Tariff):
    class Meta(tariffs.Tariff.Meta):
        exclude = ("tax_included", "preauthorize_amount")

    elements = some(TariffElement)
    min_price = one(Price)
    max_price = one(Price)
    energy_mix = one(EnergyMix)


class Token(tokens.Token):
    type = OneOf(TOKEN_TYPE, required=True)


class AuthorizationInfo(tokens.AuthorizationInfo):
    token = one(Token, required=True)


class CdrToken(cdrs.CdrToken):
    type = OneOf(TOKEN_TYPE, required=True)


class CdrLocation(cdrs.CdrLocation):
    connector_standard = OneOf(CONNECTOR_TYPE, required=True)


class CdrDimension(cdrs.CdrDimension):
    type = OneOf(CDR_DIMENSION_TYPE, required=True)


class ChargingPeriod(cdrs.ChargingPeriod):
    dimensions = some(CdrDimension)


class Session(sessions.Session):
    cdr_token = one(CdrToken, required=True)
    charging_periods = many(ChargingPeriod)
    total_cost = one(Price)


class CDR(cdrs.CDR):
    class Meta(cdrs.CDR.Meta):
        exclude = ("booking_id",)

    cdr_token = one(CdrToken, required=True)
    cdr_location = one(CdrLocation, required=True)
    tariffs = many(Tariff)
    charging_periods = some(ChargingPeriod)
    total_cost = one(Price, required=True)
    total_fixed_cost = one(Price)
    total_energy_cost = one(Price)
    total_time_cost = one(Price)
    total_parking_cost = one(Price)
    total_reservation_cost = one(Price)


class ReserveNow(commands.ReserveNow):
    token = one(Token, required=True)


class StartSession(commands.StartSession):
    token = one(Token, required=True)


class CredentialsRole(credentials.CredentialsRole):
    role = OneOf(ROLE, required=True)
    business_details = one(BusinessDetails, required=True)


class Credentials(credentials.Credentials):
    class Meta(credentials.Credentials.Meta):
        exclude = ("hub_party_id",)

    roles = some(CredentialsRole)


class ClientInfo(clientinfo.ClientInfo):
    role = OneOf(ROLE, required=True)


ADDED_IN_2_3_0 = {
    "EVSEParking",
    "InvoiceReconciliationRecord",
    "Parking",
    "PriceLimit",
    "TaxAmount",
    *v2_3_0.classes(bookings, payments),
}
DIFFERENT = {
    name: value
    for name, value in vars().copy().items()
    if isinstance(value, type) and issubclass(value, Object) and value is not Object
}
SCHEMAS: Mapping[str, type[Object]] = {
    name: schema for name, schema in v2_3_0.SCHEMAS.items() if name not in ADDED_IN_2_3_0
} | DIFFERENT
