"""Sessions and charging preferences, as of OCPI 2.3.0."""

from hub.ocpi.schemas.cdrs import AUTH_METHOD, CdrToken, ChargingPeriod
from hub.ocpi.schemas.enums import OneOf, closed
from hub.ocpi.schemas.fields import Boolean, CiString, Number, String, Timestamp
from hub.ocpi.schemas.objects import Object, many, one
from hub.ocpi.schemas.tokens import PROFILE_TYPE
from hub.ocpi.schemas.types import Price

CHARGING_PREFERENCES_RESPONSE = closed(
    "ChargingPreferencesResponse",
    "ACCEPTED",
    "DEPARTURE_REQUIRED",
    "ENERGY_NEED_REQUIRED",
    "NOT_POSSIBLE",
    "PROFILE_TYPE_NOT_SUPPORTED",
)
SESSION_STATUS = closed("SessionStatus", "ACTIVE", "COMPLETED", "INVALID", "PENDING", "RESERVATION")


class Session(Object):
    country_code = CiString(2, key=True, required=True)
    party_id = CiString(3, key=True, required=True)
    id = CiString(36, key=True, required=True)
    start_date_time = Timestamp(required=True)
    end_date_time = Timestamp()
    kwh = Number(required=True)
    cdr_token = one(CdrToken, required=True)
    auth_method = OneOf(AUTH_METHOD, required=True)
    authorization_reference = CiString(36)
    location_id = CiString(36, required=True)
    evse_uid = CiString(36, required=True)
    connector_id = CiString(36, required=True)
    meter_id = String(255)
    currency = String(3, required=True)
    charging_periods = many(ChargingPeriod)
    total_cost = one(Price)
    status = OneOf(SESSION_STATUS, required=True)
    last_updated = Timestamp(required=True)


class ChargingPreferences(Object):
    """``energy_need`` is in kWh."""

    profile_type = OneOf(PROFILE_TYPE, required=True)
    departure_time = Timestamp()
    energy_need = Number()
    discharge_allowed = Boolean()
