"""OCPP 1.6, as a station speaks it."""

from typing import Any

from ocpp import v16  # type: ignore[import-untyped]

from hub.simulator.answers import (
    ACCEPTED,
    ANSWERS,
    Payload,
    bring_log,
    remote_start,
    remote_stop,
    trigger,
)
from hub.simulator.dialect import Dialect


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
        **ANSWERS,
        "ChangeConfiguration": lambda station, asked: station.dialect.configure(asked),
        "ExtendedTriggerMessage": trigger,
        "GetDiagnostics": bring_log,
        "GetConfiguration": lambda station, asked: station.dialect.configuration(asked),
        "GetLocalListVersion": lambda station, asked: {"list_version": station.list_version},
        "RemoteStartTransaction": remote_start,
        "RemoteStopTransaction": remote_stop,
    }
