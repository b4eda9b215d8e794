"""OCPP 1.6 stations: translate their messages, decide nothing.

1.6 has no EVSEs: connector n is EVSE n with one connector, connector 0 the station as a whole.
"""

from collections.abc import Mapping
from typing import ClassVar

from hub.ocpp import timestamps
from hub.ocpp.conversation.frames import Payload
from hub.ocpp.versions.answers import Answers
from hub.ocpp.versions.notices import Notices, progress
from hub.ocpp.versions.provisioning_16 import Provisioning16
from hub.ocpp.versions.station import Answering, Learning, Station
from hub.ocpp.versions.transactions_16 import Transactions16
from hub.roaming.stations.connectors import StatusReport
from hub.roaming.stations.stations import Boot

# What a driver sees as in use is in use.
CONNECTOR_STATUS = {
    "Available": "AVAILABLE",
    "Preparing": "OCCUPIED",
    "Charging": "OCCUPIED",
    "SuspendedEV": "OCCUPIED",
    "SuspendedEVSE": "OCCUPIED",
    "Finishing": "OCCUPIED",
    "Reserved": "RESERVED",
    "Unavailable": "UNAVAILABLE",
    "Faulted": "FAULTED",
}


class Station16(Provisioning16, Transactions16, Notices, Answers):
    async def boot(self, payload: Payload) -> Payload:
        return await self.take_boot(
            Boot(
                manufacturer=payload["chargePointVendor"],
                model=payload["chargePointModel"],
                serial_number=payload.get("chargePointSerialNumber")
                or payload.get("chargeBoxSerialNumber"),
                firmware_version=payload.get("firmwareVersion"),
            )
        )

    async def status(self, payload: Payload) -> Payload:
        told = timestamps.read(payload["timestamp"]) if payload.get("timestamp") else None
        at = self.status_moment(told)
        word = payload["status"]
        error = payload["errorCode"]
        report = StatusReport(
            evse_number=payload["connectorId"],
            connector_id=1,
            status=CONNECTOR_STATUS[word],
            at=at,
            word=word,
            error_code=None if error == "NoError" else error,
            info=payload.get("info"),
            vendor_error_code=payload.get("vendorErrorCode"),
        )

        if await self.keep_status(report):
            await self.within(lambda db: self.transactions_follow(db, report))
        return {}

    answers: ClassVar[Mapping[str, Answering]] = {
        **Notices.answers,
        **Transactions16.answers,
        "BootNotification": boot,
        "Heartbeat": Station.heartbeat,
        "StatusNotification": status,
        "FirmwareStatusNotification": progress("FirmwareStatusNotification"),
        "SignedFirmwareStatusNotification": progress("SignedFirmwareStatusNotification"),
        "DiagnosticsStatusNotification": progress("DiagnosticsStatusNotification"),
        "LogStatusNotification": progress("LogStatusNotification"),
    }
    learned: ClassVar[Mapping[str, Learning]] = {
        **Answers.learned,
        **Provisioning16.learned,
    }
