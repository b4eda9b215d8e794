"""Charging profiles and composite schedules, between OCPI and both families of OCPP."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hub.ocpp import timestamps
from hub.ocpp.conversation.frames import Payload
from hub.roaming.merging import Document


def tenths(limit: Any) -> float:
    """OCPP knows one decimal. What is more is cut off: a limit must not grow."""
    return int(Decimal(str(limit)) * 10) / 10


def periods(profile: Document) -> list[Payload]:
    return [
        {"startPeriod": period["start_period"], "limit": tenths(period["limit"])}
        for period in profile.get("charging_profile_period") or []
    ]


def of_transaction(profile: Document) -> Payload:
    """How a profile of one transaction is meant, in either family."""
    return {
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute" if profile.get("start_date_time") else "Relative",
    }


def schedule(profile: Document) -> Payload:
    names = {
        "duration": "duration",
        "start_date_time": "startSchedule",
        "min_charging_rate": "minChargingRate",
    }
    parts = {names[name]: profile[name] for name in names if profile.get(name) is not None}
    if "minChargingRate" in parts:
        parts["minChargingRate"] = tenths(parts["minChargingRate"])
    return parts | {
        "chargingRateUnit": profile["charging_rate_unit"],
        "chargingSchedulePeriod": periods(profile),
    }


def profile_16(profile: Document, number: int, transaction_id: int) -> Payload:
    return {
        "chargingProfileId": number,
        "transactionId": transaction_id,
        **of_transaction(profile),
        "chargingSchedule": schedule(profile),
    }


def profile_2x(profile: Document, number: int, transaction_id: str) -> Payload:
    return {
        "id": number,
        "transactionId": transaction_id,
        **of_transaction(profile),
        "chargingSchedule": [{"id": number, **schedule(profile)}],
    }


def composite(payload: Payload) -> Document | None:
    """A composite schedule of either version as OCPI's ActiveChargingProfile."""
    schedule = payload.get("chargingSchedule") or payload.get("schedule")
    if not schedule:
        return None
    start = (
        payload.get("scheduleStart")
        or schedule.get("scheduleStart")
        or schedule.get("startSchedule")
        or timestamps.write(datetime.now(UTC))
    )
    profile: Document = {
        "charging_rate_unit": schedule["chargingRateUnit"],
        "charging_profile_period": [
            {"start_period": period["startPeriod"], "limit": period["limit"]}
            for period in schedule["chargingSchedulePeriod"]
        ],
    }
    for name, ours in (("duration", "duration"), ("minChargingRate", "min_charging_rate")):
        if schedule.get(name) is not None:
            profile[ours] = schedule[name]
    return {"start_date_time": start, "charging_profile": profile}
