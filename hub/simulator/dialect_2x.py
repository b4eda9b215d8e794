"""OCPP 2.0.1 and 2.1, as a station speaks them."""

from typing import TYPE_CHECKING, Any

from ocpp import v21, v201  # type: ignore[import-untyped]

from hub.simulator.answers import ACCEPTED, ANSWERS, Payload, remote_start, remote_stop
from hub.simulator.dialect import Dialect

if TYPE_CHECKING:
    from hub.simulator.station import SimulatedStation

# What 2.x calls in use, 1.6 tells apart.
IN_USE = frozenset({"Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})


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
        **ANSWERS,
        "GetBaseReport": lambda station, asked: station.dialect.base_report(asked),
        "GetLocalListVersion": lambda station, asked: {"version_number": station.list_version},
        "GetTransactionStatus": lambda station, asked: {
            "messages_in_queue": bool(station.outbox.queue),
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
