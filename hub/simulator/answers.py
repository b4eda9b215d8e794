"""What a station does when the CSMS asks for something, in whatever version of OCPP it asks."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hub.simulator import files

if TYPE_CHECKING:
    from hub.simulator.station import SimulatedStation

Payload = dict[str, Any]
Answer = Callable[[Any, Payload], Payload]

ACCEPTED: Payload = {"status": "Accepted"}


def accept(station: "SimulatedStation", asked: Payload) -> Payload:
    return ACCEPTED


def remote_start(station: "SimulatedStation", asked: Payload) -> Payload:
    if station.transaction is not None or station.broken:
        return {"status": "Rejected"}
    station.remote_starts.put_nowait(asked)
    return ACCEPTED


def remote_stop(station: "SimulatedStation", asked: Payload) -> Payload:
    if str(asked["transaction_id"]) != station.transaction:
        return {"status": "Rejected"}
    station.stop_asked.set()
    return ACCEPTED


def unlock(station: "SimulatedStation", asked: Payload) -> Payload:
    station.stop_asked.set()
    return {"status": "Unlocked"}


def reset(station: "SimulatedStation", asked: Payload) -> Payload:
    station.stop_asked.set()
    station.reboot_soon()
    return ACCEPTED


def change_availability(station: "SimulatedStation", asked: Payload) -> Payload:
    word = asked.get("type") or asked.get("operational_status")
    station.say_status("Available" if word == "Operative" else "Unavailable")
    return ACCEPTED


def reserve(station: "SimulatedStation", asked: Payload) -> Payload:
    if station.broken:
        return {"status": "Faulted"}
    if station.transaction is not None or station.reservation is not None:
        return {"status": "Occupied"}
    station.reservation = asked.get("reservation_id", asked.get("id"))
    station.say_status("Reserved")
    return ACCEPTED


def cancel_reservation(station: "SimulatedStation", asked: Payload) -> Payload:
    if asked["reservation_id"] != station.reservation:
        return {"status": "Rejected"}
    station.reservation = None
    station.say_status("Available")
    return ACCEPTED


def trigger(station: "SimulatedStation", asked: Payload) -> Payload:
    match asked["requested_message"]:
        case "StatusNotification":
            station.say_status(station.word)
        case "Heartbeat":
            station.say_heartbeat()
        case _:
            return {"status": "NotImplemented"}
    return ACCEPTED


def local_list(station: "SimulatedStation", asked: Payload) -> Payload:
    tags = asked.get("local_authorization_list") or []
    if asked["update_type"] == "Full":
        station.local_list = {}
    for entry in tags:
        tag = entry.get("id_tag") or entry["id_token"]["id_token"]
        info = entry.get("id_tag_info") or entry.get("id_token_info")
        if info is None:
            station.local_list.pop(tag, None)
        else:
            station.local_list[tag] = info["status"]
    station.list_version = int(asked.get("list_version") or asked.get("version_number") or 0)
    return ACCEPTED


def limit_power(station: "SimulatedStation", asked: Payload) -> Payload:
    """Obey the first limit of a charging profile; that is all this station understands of it."""
    profile = asked.get("cs_charging_profiles") or asked["charging_profile"]
    schedule = profile["charging_schedule"]
    schedule = schedule[0] if isinstance(schedule, list) else schedule
    period = schedule["charging_schedule_period"][0]
    in_watts = schedule["charging_rate_unit"] == "W"
    station.limit = period["limit"] * (1 if in_watts else station.watts_per_ampere)
    return ACCEPTED


def update_firmware(station: "SimulatedStation", asked: Payload) -> Payload:
    firmware = asked.get("firmware") or asked
    station.run(files.fetch_firmware(station, firmware["location"], asked.get("request_id")))
    return {} if station.version == "1.6" else ACCEPTED


def bring_log(station: "SimulatedStation", asked: Payload) -> Payload:
    """GetDiagnostics of 1.6 has words of its own for what 2.x calls GetLog."""
    old = "location" in asked
    where = asked["location"] if old else asked["log"]["remote_location"]
    station.run(files.bring_log(station, where, asked.get("request_id"), old=old))
    name = f"{station.identity}.log"
    return {"file_name": name} if old else {"status": "Accepted", "filename": name}


def clear_limit(station: "SimulatedStation", asked: Payload) -> Payload:
    known, station.limit = station.limit, None
    return ACCEPTED if known is not None else {"status": "Unknown"}


# By action; those that the versions call differently are theirs.
ANSWERS: Mapping[str, Answer] = {
    "CancelReservation": cancel_reservation,
    "CertificateSigned": accept,
    "ChangeAvailability": change_availability,
    "ClearCache": accept,
    "ClearChargingProfile": clear_limit,
    "GetLog": bring_log,
    "UpdateFirmware": update_firmware,
    "DataTransfer": lambda station, asked: {"status": "UnknownVendorId"},
    "ReserveNow": reserve,
    "Reset": reset,
    "SendLocalList": local_list,
    "SetChargingProfile": limit_power,
    "TriggerMessage": trigger,
    "UnlockConnector": unlock,
}
