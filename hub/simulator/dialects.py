"""The three versions of OCPP, as a station speaks them, through the ``ocpp`` library.

A dialect makes the requests that a station has in mind, and answers what the CSMS asks for. What a
station is and does is the same in all of them: see ``station.py``.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import ocpp.messages  # type: ignore[import-untyped]
from ocpp import v16, v21, v201

if TYPE_CHECKING:
    from hub.simulator.station import SimulatedStation

# Threads for the sake of a few kilobytes cost more than they bring.
ocpp.messages.ASYNC_VALIDATION = False

Payload = dict[str, Any]
Answer = Callable[[Any, Payload], Payload]

# What 2.x calls in use, 1.6 tells apart.
IN_USE = frozenset({"Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})
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
    station.run(station.fetch_firmware(firmware["location"], asked.get("request_id")))
    return {} if station.version == "1.6" else ACCEPTED


def bring_log(station: "SimulatedStation", asked: Payload) -> Payload:
    """GetDiagnostics of 1.6 has words of its own for what 2.x calls GetLog."""
    old = "location" in asked
    where = asked["location"] if old else asked["log"]["remote_location"]
    station.run(station.bring_log(where, asked.get("request_id"), old=old))
    name = f"{station.identity}.log"
    return {"file_name": name} if old else {"status": "Accepted", "filename": name}


def clear_limit(station: "SimulatedStation", asked: Payload) -> Payload:
    known, station.limit = station.limit, None
    return ACCEPTED if known is not None else {"status": "Unknown"}


class Dialect:
    """``answers`` are by action; an action that is not there is refused, as the library does it."""

    version: ClassVar[str]
    library: ClassVar[Any]
    answers: ClassVar[Mapping[str, Answer]] = {
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

    def __init__(self, station: "SimulatedStation") -> None:
        self.station = station

    def request(self, action: str, **payload: Any) -> Any:
        return getattr(self.library.call, action)(**payload)

    def boot(self) -> Any:
        raise NotImplementedError

    def status(self, word: str) -> Any:
        raise NotImplementedError

    def started(self, remote: Payload | None) -> Any:
        raise NotImplementedError

    def metered(self, power: float) -> Any:
        raise NotImplementedError

    def stopped(self, reason: str) -> Any:
        raise NotImplementedError

    def after_start(self, answer: Any) -> str:
        """What the answer to a start says of the token; sets the transaction's number in 1.6."""
        raise NotImplementedError


class Dialect16(Dialect):
    version = "1.6"
    library = v16

    def boot(self) -> Any:
        return self.request(
            "BootNotification",
            charge_point_vendor="Simulator",
            charge_point_model=self.station.model,
            firmware_version="1.0",
        )

    def status(self, word: str) -> Any:
        return self.request(
            "StatusNotification",
            connector_id=1,
            error_code="InternalError" if word == "Faulted" else "NoError",
            status=word,
            timestamp=self.station.now(),
        )

    def started(self, remote: Payload | None) -> Any:
        payload = {
            "connector_id": 1,
            "id_tag": remote["id_tag"] if remote else self.station.id_tag,
            "meter_start": round(self.station.register),
            "timestamp": self.station.now(),
        }
        if self.station.reservation is not None:
            payload["reservation_id"] = self.station.reservation
        return self.request("StartTransaction", **payload)

    def after_start(self, answer: Any) -> str:
        self.station.transaction = str(answer.transaction_id)
        return str(answer.id_tag_info["status"])

    def metered(self, power: float) -> Any:
        station = self.station
        amperes = power / station.watts_per_ampere
        values = [
            {"value": f"{station.register:.1f}", "context": "Sample.Periodic"},
            {"value": f"{power:.0f}", "measurand": "Power.Active.Import", "unit": "W"},
            {"value": f"{amperes:.1f}", "measurand": "Current.Import", "unit": "A", "phase": "L1"},
        ]
        if station.vehicle.direct:
            full = f"{station.vehicle.full * 100:.0f}"
            values.append({"value": full, "measurand": "SoC", "unit": "Percent", "location": "EV"})
        reading = {"timestamp": station.now(), "sampledValue": values}
        return self.request("MeterValues", connector_id=1, meter_value=[reading], transaction_id=0)

    def stopped(self, reason: str) -> Any:
        return self.request(
            "StopTransaction",
            meter_stop=round(self.station.register),
            timestamp=self.station.now(),
            transaction_id=0,
            reason=reason,
        )

    def configuration(self, asked: Payload) -> Payload:
        known = self.station.settings
        wanted = asked.get("key") or list(known)
        return {
            "configuration_key": [
                {"key": key, "readonly": False, "value": known[key]}
                for key in wanted
                if key in known and key != "AuthorizationKey"
            ],
            "unknown_key": [key for key in wanted if key not in known],
        }

    def configure(self, asked: Payload) -> Payload:
        if asked["key"] == "AuthorizationKey":
            self.station.password = asked["value"]
        elif asked["key"] not in self.station.settings:
            return {"status": "NotSupported"}
        else:
            self.station.settings[asked["key"]] = asked["value"]
        return ACCEPTED

    answers = {
        **Dialect.answers,
        "ChangeConfiguration": lambda station, asked: station.dialect.configure(asked),
        "ExtendedTriggerMessage": trigger,
        "GetDiagnostics": bring_log,
        "GetConfiguration": lambda station, asked: station.dialect.configuration(asked),
        "GetLocalListVersion": lambda station, asked: {"list_version": station.list_version},
        "RemoteStartTransaction": remote_start,
        "RemoteStopTransaction": remote_stop,
    }


class Dialect201(Dialect):
    version = "2.0.1"
    library = v201

    def __init__(self, station: "SimulatedStation") -> None:
        super().__init__(station)
        self.sequence = 0

    def boot(self) -> Any:
        return self.request(
            "BootNotification",
            charging_station={
                "vendorName": "Simulator",
                "model": self.station.model,
                "firmwareVersion": "1.0",
            },
            reason="PowerUp",
        )

    def status(self, word: str) -> Any:
        return self.request(
            "StatusNotification",
            timestamp=self.station.now(),
            connector_status="Occupied" if word in IN_USE else word,
            evse_id=1,
            connector_id=1,
        )

    def started(self, remote: Payload | None) -> Any:
        station = self.station
        station.transaction, self.sequence = station.new_transaction(), 0
        token = {"idToken": station.id_tag, "type": "ISO14443"}
        more: Payload = {"evse": {"id": 1, "connectorId": 1}}
        info = {}
        if remote is not None:
            token = remote["id_token"]
            info["remoteStartId"] = remote["remote_start_id"]
        if station.reservation is not None:
            more["reservation_id"] = station.reservation
        trigger_reason = "RemoteStart" if remote else "Authorized"
        return self.event(
            "Started", "Transaction.Begin", trigger_reason, info, id_token=token, **more
        )

    def after_start(self, answer: Any) -> str:
        return str((answer.id_token_info or ACCEPTED)["status"])

    def metered(self, power: float) -> Any:
        return self.event("Updated", "Sample.Periodic", "MeterValuePeriodic", {}, power=power)

    def stopped(self, reason: str) -> Any:
        triggers = {"Remote": "RemoteStop", "EVDisconnected": "EVDeparted"}
        info = {"stoppedReason": reason, "chargingState": "Idle"}
        why = triggers.get(reason, "AbnormalCondition")
        return self.event("Ended", "Transaction.End", why, info)

    def event(
        self,
        kind: str,
        context: str,
        why: str,
        info: Payload,
        *,
        power: float | None = None,
        **more: Any,
    ) -> Any:
        station = self.station
        values: list[Payload] = [{"value": round(station.register, 1), "context": context}]
        if power is not None:
            values.append({"value": round(power), "measurand": "Power.Active.Import"})
        if station.vehicle.direct:
            full = round(station.vehicle.full * 100)
            values.append({"value": full, "measurand": "SoC", "location": "EV"})
        about = {"transactionId": station.transaction, "chargingState": "Charging", **info}
        event = self.request(
            "TransactionEvent",
            event_type=kind,
            timestamp=station.now(),
            trigger_reason=why,
            seq_no=self.sequence,
            offline=not station.connected,
            transaction_info=about,
            meter_value=[{"timestamp": station.now(), "sampledValue": values}],
            **more,
        )
        self.sequence += 1
        return event

    def base_report(self, asked: Payload) -> Payload:
        self.station.say_soon(
            self.request(
                "NotifyReport",
                request_id=asked["request_id"],
                generated_at=self.station.now(),
                seq_no=0,
                report_data=self.device_model(),
            )
        )
        return ACCEPTED

    def device_model(self) -> list[Payload]:
        station = self.station
        evse = {"id": 1}
        plug = "cCCS2" if station.vehicle.direct else "sType2"
        told = [
            ("EVSE", evse, "Power", str(round(station.power))),
            ("EVSE", evse, "SupplyPhases", "3"),
            ("Connector", {"id": 1, "connectorId": 1}, "ConnectorType", plug),
            ("ReservationCtrlr", None, "Available", "true"),
            ("SmartChargingCtrlr", None, "Available", "true"),
        ]
        return [
            {
                "component": {"name": component, **({"evse": where} if where else {})},
                "variable": {"name": variable},
                "variableAttribute": [{"value": value, "mutability": "ReadOnly"}],
            }
            for component, where, variable, value in told
        ]

    def set_variables(self, asked: Payload) -> Payload:
        done = []
        for item in asked["set_variable_data"]:
            name = f"{item['component']['name']}.{item['variable']['name']}"
            if item["variable"]["name"] == "BasicAuthPassword":
                self.station.password = item["attribute_value"]
            else:
                self.station.settings[name] = item["attribute_value"]
            done.append(
                {
                    "attribute_status": "Accepted",
                    "component": item["component"],
                    "variable": item["variable"],
                }
            )
        return {"set_variable_result": done}

    def get_variables(self, asked: Payload) -> Payload:
        found = []
        for item in asked["get_variable_data"]:
            name = f"{item['component']['name']}.{item['variable']['name']}"
            value = self.station.settings.get(name)
            result = {"component": item["component"], "variable": item["variable"]}
            if value is None:
                found.append({**result, "attribute_status": "UnknownVariable"})
            else:
                found.append({**result, "attribute_status": "Accepted", "attribute_value": value})
        return {"get_variable_result": found}

    answers = {
        **Dialect.answers,
        "GetBaseReport": lambda station, asked: station.dialect.base_report(asked),
        "GetLocalListVersion": lambda station, asked: {"version_number": station.list_version},
        "GetTransactionStatus": lambda station, asked: {
            "messages_in_queue": bool(station.queue),
            "ongoing_indicator": station.transaction is not None
            and asked.get("transaction_id") in {None, station.transaction},
        },
        "GetVariables": lambda station, asked: station.dialect.get_variables(asked),
        "RequestStartTransaction": remote_start,
        "RequestStopTransaction": remote_stop,
        "SetVariables": lambda station, asked: station.dialect.set_variables(asked),
    }


class Dialect21(Dialect201):
    version = "2.1"
    library = v21


DIALECTS: Mapping[str, type[Dialect]] = {
    dialect.version: dialect for dialect in (Dialect16, Dialect201, Dialect21)
}
