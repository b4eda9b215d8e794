"""Charging profiles, as of OCPI 2.3.0. Limits are in the profile's unit, times in seconds."""

from hub.ocpi.schemas.enums import OneOf, closed
from hub.ocpi.schemas.fields import URL, Integer, Number, Timestamp
from hub.ocpi.schemas.objects import Object, many, one

CHARGING_PROFILE_RESPONSE_TYPE = closed(
    "ChargingProfileResponseType",
    "ACCEPTED",
    "NOT_SUPPORTED",
    "REJECTED",
    "TOO_OFTEN",
    "UNKNOWN_SESSION",
)
CHARGING_PROFILE_RESULT_TYPE = closed(
    "ChargingProfileResultType", "ACCEPTED", "REJECTED", "UNKNOWN"
)
CHARGING_RATE_UNIT = closed("ChargingRateUnit", "W", "A")


class ChargingProfilePeriod(Object):
    start_period = Integer(required=True)
    limit = Number(required=True)


class ChargingProfile(Object):
    start_date_time = Timestamp()
    duration = Integer()
    charging_rate_unit = OneOf(CHARGING_RATE_UNIT, required=True)
    min_charging_rate = Number()
    charging_profile_period = many(ChargingProfilePeriod)


class SetChargingProfile(Object):
    charging_profile = one(ChargingProfile, required=True)
    response_url = URL(required=True)


class ActiveChargingProfile(Object):
    start_date_time = Timestamp(required=True)
    charging_profile = one(ChargingProfile, required=True)


class ChargingProfileResponse(Object):
    result = OneOf(CHARGING_PROFILE_RESPONSE_TYPE, required=True)
    timeout = Integer(required=True)


class ActiveChargingProfileResult(Object):
    result = OneOf(CHARGING_PROFILE_RESULT_TYPE, required=True)
    profile = one(ActiveChargingProfile)


class ChargingProfileResult(Object):
    result = OneOf(CHARGING_PROFILE_RESULT_TYPE, required=True)


class ClearProfileResult(Object):
    result = OneOf(CHARGING_PROFILE_RESULT_TYPE, required=True)
