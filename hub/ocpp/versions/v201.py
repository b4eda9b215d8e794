"""OCPP 2.0.1 stations: translate their messages, decide nothing."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncSession

from hub.ocpp import timestamps
from hub.ocpp.conversation.frames import Payload
from hub.ocpp.versions.answers import Answers
from hub.ocpp.versions.notices import Notices, progress, report
from hub.ocpp.versions.profiles import composite
from hub.ocpp.versions.provisioning_2x import Provisioning2x
from hub.ocpp.versions.station import Answering, Learning, Station
from hub.ocpp.versions.transactions_2x import Transactions2x
from hub.roaming.charging import missing_stops, session_records
from hub.roaming.commands import reservations
from hub.roaming.feed import active_profiles
from hub.roaming.stations.connectors import StatusReport
from hub.roaming.stations.stations import Boot
from hub.roaming.store.writes import Stored

CONNECTOR_STATUS = {
    "Available": "AVAILABLE",
    "Occupied": "OCCUPIED",
    "Reserved": "RESERVED",
    "Unavailable": "UNAVAILABLE",
    "Faulted": "FAULTED",
}


def limited(action: str) -> Answering:
    """Something else limits what the station charges with: what that makes of profiles is asked."""

    async def answer(station: "Station201", payload: Payload) -> Payload:
        answered = await report(action)(station, payload)
        evse_number = payload.get("evseId")
        station.link.incoming.after_answer(lambda: station.run(station.tell_profiles(evse_number)))
        return answered

    return answer


class Station201(Provisioning2x, Transactions2x, Notices, Answers):
    unregistered: ClassVar[frozenset[str]] = frozenset({"BootNotification", "NotifyReport"})

    async def boot(self, payload: Payload) -> Payload:
        about = payload["chargingStation"]
        return await self.take_boot(
            Boot(
                manufacturer=about["vendorName"],
                model=about["model"],
                serial_number=about.get("serialNumber"),
                firmware_version=about.get("firmwareVersion"),
                reason=payload["reason"],
            )
        )

    async def status(self, payload: Payload) -> Payload:
        word = payload["connectorStatus"]
        await self.report_status(
            payload["evseId"],
            payload["connectorId"],
            word,
            timestamps.read(payload["timestamp"]),
        )
        return {}

    async def report_status(
        self, evse: int, connector: int, word: str, told: datetime | None
    ) -> None:
        report = StatusReport(
            evse_number=evse,
            connector_id=connector,
            status=CONNECTOR_STATUS[word],
            at=self.status_moment(told),
            word=word,
        )

        if await self.keep_status(report) and word == "Available":
            await self.within(lambda db: self.connector_freed(db, report))

    async def connector_freed(self, db: AsyncSession, report: StatusReport) -> list[Stored]:
        await missing_stops.connector_free(
            db, self.ref, report.evse_number, report.at, self.wire.policy
        )
        await session_records.unplugged(db, [(self.ref.id, report.evse_number, report.at)])
        return []

    async def notify_event(self, payload: Payload) -> Payload:
        """The other form a status comes in, among whatever else the station watches."""
        others = []
        for event in payload["eventData"]:
            word = event["actualValue"]
            if event["variable"]["name"] == "AvailabilityState" and word in CONNECTOR_STATUS:
                evse = event["component"].get("evse") or {}
                told = timestamps.read(event["timestamp"])
                await self.report_status(evse.get("id", 0), evse.get("connectorId", 1), word, told)
            else:
                others.append(event)
        if others:
            kept = {**payload, "eventData": others}
            await self.within(lambda db: self.keep_report(db, "NotifyEvent", kept))
        return {}

    async def tell_profiles(self, evse_number: int | None) -> None:
        """Ask what the profiles of running sessions have become, for those who set them."""
        async with self.wire.database.transaction(self.ref.tenant_id) as db:
            watched = await active_profiles.watched(db, self.ref, evse_number)
        for transaction, setter in watched:
            asked = {
                "evseId": transaction.evse_number,
                "duration": int(active_profiles.AHEAD.total_seconds()),
            }
            profile = composite(await self.ask("GetCompositeSchedule", asked) or {})
            if profile is not None:
                async with self.wire.database.transaction(self.ref.tenant_id) as db:
                    await active_profiles.learned(db, transaction.session_id, setter, profile)

    async def refuse_contract(self, payload: Payload) -> Payload:
        """Plug & Charge certificates are not ours to give: said in words, not by a CALLERROR."""
        return {"status": "Failed", "exiResponse": ""}

    async def refuse_status(self, payload: Payload) -> Payload:
        return {"status": "Failed"}

    async def reservation_update(self, payload: Payload) -> Payload:
        async def write(db: AsyncSession) -> list[Stored]:
            return await reservations.ended(
                db,
                self.ref,
                payload["reservationId"],
                expired=payload["reservationUpdateStatus"] == "Expired",
            )

        await self.within(write)
        return {}

    answers: ClassVar[Mapping[str, Answering]] = {
        **Notices.answers,
        **Provisioning2x.answers,
        **Transactions2x.answers,
        "BootNotification": boot,
        "Heartbeat": Station.heartbeat,
        "StatusNotification": status,
        "NotifyEvent": notify_event,
        "ReservationStatusUpdate": reservation_update,
        "FirmwareStatusNotification": progress("FirmwareStatusNotification"),
        "PublishFirmwareStatusNotification": progress("PublishFirmwareStatusNotification"),
        "LogStatusNotification": progress("LogStatusNotification"),
        "NotifyMonitoringReport": report("NotifyMonitoringReport"),
        "NotifyCustomerInformation": report("NotifyCustomerInformation"),
        "NotifyDisplayMessages": report("NotifyDisplayMessages"),
        "NotifyChargingLimit": limited("NotifyChargingLimit"),
        "ClearedChargingLimit": limited("ClearedChargingLimit"),
        "ReportChargingProfiles": report("ReportChargingProfiles"),
        "NotifyEVChargingNeeds": lambda self, payload: refusal("Rejected"),
        "NotifyEVChargingSchedule": lambda self, payload: refusal("Rejected"),
        "Get15118EVCertificate": refuse_contract,
        "GetCertificateStatus": refuse_status,
    }
    learned: ClassVar[Mapping[str, Learning]] = {
        **Answers.learned,
        **Provisioning2x.learned,
    }


async def refusal(status: str) -> Payload:
    return {"status": status}
