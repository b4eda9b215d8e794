"""What stations report of themselves that no session follows from: kept where operators look.

Each report is a row in ``station_reports``; how an update or an upload is getting on is beside it
in the station's diagnostics, where only the last word counts.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.models.values import FileKind
from hub.ocpp import timestamps
from hub.ocpp.conversation.frames import Payload
from hub.ocpp.conversation.redaction import redact
from hub.ocpp.tls import certificates
from hub.ocpp.versions.station import Answering, Station
from hub.roaming.stations import station_jobs, station_reports, station_settings
from hub.roaming.store.writes import Stored

log = structlog.get_logger()

# Where in the diagnostics the last word about each is kept.
PROGRESS = {
    "FirmwareStatusNotification": "firmware",
    "SignedFirmwareStatusNotification": "firmware",
    "PublishFirmwareStatusNotification": "published_firmware",
    "DiagnosticsStatusNotification": "diagnostics",
    "LogStatusNotification": "log",
}
# What kind of job each is about.
KINDS = {
    "firmware": FileKind.FIRMWARE,
    "published_firmware": FileKind.FIRMWARE,
    "diagnostics": FileKind.LOG,
    "log": FileKind.LOG,
}


class Notices(Station):
    async def keep_report(
        self, db: AsyncSession, action: str, payload: Payload, **more: Any
    ) -> list[Stored]:
        await station_reports.keep(
            db,
            self.ref,
            action,
            redact(payload),
            request_id=payload.get("requestId"),
            **more,
        )
        return []

    async def report_progress(self, action: str, payload: Payload) -> Payload:
        now = datetime.now(UTC)
        told = {"status": payload["status"], "at": timestamps.write(now)}
        if payload.get("requestId") is not None:
            told["request_id"] = payload["requestId"]

        async def write(db: AsyncSession) -> list[Stored]:
            await station_settings.diagnosed(db, self.ref, {PROGRESS[action]: told})
            await station_jobs.progressed(
                db, self.ref, KINDS[PROGRESS[action]], payload["status"], at=now,
                request_id=payload.get("requestId"),
            )  # fmt: skip
            if told["status"] == "Uploaded":
                await station_settings.uploaded(db, self.ref, now)
            return await self.keep_report(db, action, payload)

        await self.within(write)
        return {}

    async def security_event(self, payload: Payload) -> Payload:
        async def write(db: AsyncSession) -> list[Stored]:
            await audit.record(
                db,
                "SECURITY_EVENT",
                "charging_station",
                self.ref.id,
                description=f"{payload['type']}: {payload.get('techInfo') or ''}".rstrip(": "),
                severity="HIGH",
            )
            at = timestamps.read(payload["timestamp"])
            return await self.keep_report(db, "SecurityEventNotification", payload, at=at)

        await self.within(write)
        return {}

    async def data_transfer(self, payload: Payload) -> Payload:
        """Who speaks a vendor's language answers; saying Accepted for nobody would be a lie."""
        vendor = self.wire.vendors.get(payload["vendorId"])
        if vendor is None:
            return {"status": "UnknownVendorId"}
        return await vendor(self.ref, payload.get("messageId"), payload.get("data"))

    async def sign_certificate(self, payload: Payload) -> Payload:
        """Accept at once; the certificate follows as a CALL of ours (A02)."""
        kind = payload.get("certificateType", "ChargingStationCertificate")
        if kind != "ChargingStationCertificate":
            return {"status": "Rejected"}
        async with self.wire.database.transaction(self.ref.tenant_id) as db:
            serial_number = await certificates.serial_number_of(db, self.ref)
        try:
            request = certificates.read_request(
                payload["csr"], self.record, serial_number=serial_number
            )
        except certificates.BadRequest as error:
            log.warning("certificate request refused", station=self.identity, reason=str(error))
            return {"status": "Rejected"}
        self.link.incoming.after_answer(lambda: self.run(self.send_certificate(request)))
        return {"status": "Accepted"}

    async def send_certificate(self, request: certificates.Request) -> None:
        async with self.wire.database.transaction(self.ref.tenant_id) as db:
            chain = await certificates.issue(db, self.wire.keyring, self.ref, request)
        answer = await self.ask("CertificateSigned", {"certificateChain": chain})
        if answer is not None and answer["status"] != "Accepted":
            log.warning("certificate not taken by station", station=self.identity)
            self.wire.spawn(self.take_back_certificate(chain))

    async def take_back_certificate(self, chain: str) -> None:
        async with self.wire.database.transaction(self.ref.tenant_id) as db:
            await certificates.refused(db, self.ref, chain)

    answers: ClassVar[Mapping[str, Answering]] = {
        "DataTransfer": data_transfer,
        "SecurityEventNotification": security_event,
        "SignCertificate": sign_certificate,
    }


def progress(action: str) -> Answering:
    async def answer(station: Notices, payload: Payload) -> Payload:
        return await station.report_progress(action, payload)

    return answer


def report(action: str) -> Answering:
    """Keep what is reported; the answer is empty."""

    async def answer(station: Notices, payload: Payload) -> Payload:
        await station.within(lambda db: station.keep_report(db, action, payload))
        return {}

    return answer
