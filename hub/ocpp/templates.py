"""Charging profiles of the operator's, in the words of either era."""

from datetime import datetime

from hub.models.operating import ChargingProfileTemplate
from hub.ocpp import timestamps
from hub.ocpp.conversation.frames import OCPPVersion, Payload
from hub.ocpp.stations import Stations, outcome_of
from hub.roaming.ports import Outcome, StationRef

KINDS = {"ABSOLUTE": "Absolute", "RECURRING": "Recurring", "RELATIVE": "Relative"}
RECURRENCIES = {"DAILY": "Daily", "WEEKLY": "Weekly"}
TX_DEFAULT = "TxDefaultProfile"


async def apply(
    stations: Stations, ref: StationRef, template: ChargingProfileTemplate, evse_number: int
) -> Outcome:
    """Give a template to a station, or to one of its EVSEs; again replaces what it was given."""
    version = await stations.version(ref)
    answered = await stations.relay.call(
        ref, "SetChargingProfile", to_set(version, template, evse_number)
    )
    return outcome_of("SetChargingProfile", answered)


def to_set(version: OCPPVersion, template: ChargingProfileTemplate, evse: int) -> Payload:
    schedule = schedule_of(template)
    if version is OCPPVersion.V16:
        profile = profile_of(template, "chargingProfileId", "ChargePointMaxProfile")
        return {
            "connectorId": evse,
            "csChargingProfiles": profile | {"chargingSchedule": schedule},
        }
    profile = profile_of(template, "id", "ChargingStationMaxProfile")
    numbered = {"id": template.number, **schedule}
    return {"evseId": evse, "chargingProfile": profile | {"chargingSchedule": [numbered]}}


def profile_of(template: ChargingProfileTemplate, name: str, most: str) -> Payload:
    profile: Payload = {
        name: template.number,
        "stackLevel": template.stack_level,
        "chargingProfilePurpose": most if template.purpose == "STATION_MAX" else TX_DEFAULT,
        "chargingProfileKind": KINDS[template.kind],
    }
    if template.recurrency is not None:
        profile["recurrencyKind"] = RECURRENCIES[template.recurrency]
    return profile | moments(validFrom=template.valid_from, validTo=template.valid_to)


def schedule_of(template: ChargingProfileTemplate) -> Payload:
    schedule: Payload = {
        "chargingRateUnit": template.charging_rate_unit,
        "chargingSchedulePeriod": [
            {"startPeriod": period["start_period"], "limit": period["limit"]}
            | ({"numberPhases": period["number_phases"]} if period.get("number_phases") else {})
            for period in template.periods
        ],
    }
    if template.duration is not None:
        schedule["duration"] = template.duration
    if template.min_charging_rate is not None:
        schedule["minChargingRate"] = float(template.min_charging_rate)
    return schedule | moments(startSchedule=template.start_date_time)


def moments(**told: datetime | None) -> Payload:
    return {name: timestamps.write(at) for name, at in told.items() if at is not None}
