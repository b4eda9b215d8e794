"""Charge detail records, and what sessions share with them, as of OCPI 2.3.0."""

from hub.ocpi.schemas.enums import OneOf, closed
from hub.ocpi.schemas.fields import Boolean, CiString, Integer, Number, String, Text, Timestamp
from hub.ocpi.schemas.locations import (
    CONNECTOR_FORMAT,
    CONNECTOR_TYPE,
    POWER_TYPE,
    GeoLocation,
)
from hub.ocpi.schemas.objects import Object, many, one, some
from hub.ocpi.schemas.tariffs import Tariff
from hub.ocpi.schemas.tokens import TOKEN_TYPE
from hub.ocpi.schemas.types import Price

AUTH_METHOD = closed("AuthMethod", "AUTH_REQUEST", "COMMAND", "WHITELIST")
CDR_DIMENSION_TYPE = closed(
    "CdrDimensionType",
    "CURRENT",
    "ENERGY",
    "ENERGY_EXPORT",
    "ENERGY_IMPORT",
    "MAX_CURRENT",
    "MIN_CURRENT",
    "MAX_POWER",
    "MIN_POWER",
    "PARKING_TIME",
    "POWER",
    "RESERVATION_TIME",
    "STATE_OF_CHARGE",
    "TIME",
    # Of the Bookings extension: reserved and not used, and used after the booked time (BOOK-10).
    "RESERVATION_EXPIRES",
    "RESERVATION_OVERTIME",
)
# What a session may tell and a CDR may not (CDR-20).
SESSION_ONLY = frozenset({"CURRENT", "ENERGY_EXPORT", "ENERGY_IMPORT", "POWER", "STATE_OF_CHARGE"})


class CdrToken(Object):
    """The token that was used; its owner is the one who gets the session and the CDR (SES-17)."""

    country_code = CiString(2, key=True, required=True)
    party_id = CiString(3, key=True, required=True)
    uid = CiString(36, required=True)
    type = OneOf(TOKEN_TYPE, required=True)
    contract_id = CiString(36, required=True)


class CdrLocation(Object):
    """The place of charging, as at the start. Address and state are shorter than a Location's."""

    id = CiString(36, required=True)
    name = String(255)
    address = String(45, required=True)
    city = String(45, required=True)
    postal_code = String(10)
    state = String(20)
    country = String(3, required=True)
    coordinates = one(GeoLocation, required=True)
    evse_uid = CiString(36, required=True)
    evse_id = CiString(48, required=True)
    connector_id = CiString(36, required=True)
    connector_standard = OneOf(CONNECTOR_TYPE, required=True)
    connector_format = OneOf(CONNECTOR_FORMAT, required=True)
    connector_power_type = OneOf(POWER_TYPE, required=True)


class CdrDimension(Object):
    type = OneOf(CDR_DIMENSION_TYPE, required=True)
    volume = Number(required=True)


class ChargingPeriod(Object):
    start_date_time = Timestamp(required=True)
    dimensions = some(CdrDimension)
    tariff_id = CiString(36)


class SignedValue(Object):
    nature = CiString(32, required=True)
    plain_data = Text(5000, required=True)
    signed_data = Text(5000, required=True)


class SignedData(Object):
    encoding_method = CiString(36, required=True)
    encoding_method_version = Integer()
    public_key = Text(512)
    signed_values = some(SignedValue)
    url = String(512)


class CDR(Object):
    """Energies are in kWh, times in hours. A credit CDR names the one it takes back (CDR-06).

    ``booking_id`` is of the Bookings extension.
    """

    needs = {"credit": "credit_reference_id"}

    country_code = CiString(2, key=True, required=True)
    party_id = CiString(3, key=True, required=True)
    id = CiString(39, key=True, required=True)
    start_date_time = Timestamp(required=True)
    end_date_time = Timestamp(required=True)
    session_id = CiString(36)
    booking_id = CiString(36)
    cdr_token = one(CdrToken, required=True)
    auth_method = OneOf(AUTH_METHOD, required=True)
    authorization_reference = CiString(36)
    cdr_location = one(CdrLocation, required=True)
    meter_id = String(255)
    currency = String(3, required=True)
    tariffs = many(Tariff)
    charging_periods = some(ChargingPeriod)
    signed_data = one(SignedData)
    total_cost = one(Price, required=True)
    total_fixed_cost = one(Price)
    total_energy = Number(required=True)
    total_energy_cost = one(Price)
    total_time = Number(required=True)
    total_time_cost = one(Price)
    total_parking_time = Number()
    total_parking_cost = one(Price)
    total_reservation_cost = one(Price)
    remark = Text(255)
    invoice_reference_id = CiString(39)
    credit = Boolean()
    credit_reference_id = CiString(39)
    home_charging_compensation = Boolean()
    last_updated = Timestamp(required=True)
