"""OCPP 1.6 stations: translate their messages, decide nothing.

1.6 has no EVSEs: connector n is EVSE n with one connector, connector 0 the station as a whole.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit, codec
from hub.ocpp import certificates, samples, timestamps
from hub.ocpp.frames import CallRefused, Payload
from hub.ocpp.link import BrokenAnswer, Disconnected, NoAnswer
from hub.ocpp.station import Answering, Station, status_moment
from hub.roaming import (
    authorization,
    charging,
    connectors,
    metering,
    missing_stops,
    session_records,
    station_settings,
    stations,
    transactions,
)
from hub.roaming.authorization import Decision, Shown
from hub.roaming.connectors import StatusReport
from hub.roaming.objects import Stored
from hub.roaming.stations import Boot
from hub.roaming.transactions import Start, Stop

log = structlog.get_logger()

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
ID_TAG_STATUS = {
    "ALLOWED": "Accepted",
    "BLOCKED": "Blocked",
    "NO_CREDIT": "Blocked",
    "EXPIRED": "Expired",
}

# What makes CDRs worth reading, most important first.
MEASURANDS = ("Energy.Active.Import.Register", "Power.Active.Import", "SoC", "Current.Import")
SETTINGS = (
    ("MeterValueSampleInterval", "60"),
    ("ClockAlignedDataInterval", "900"),
    ("HeartbeatInterval", "300"),
    ("WebSocketPingInterval", "60"),
    ("TransactionMessageAttempts", "5"),
    ("TransactionMessageRetryInterval", "30"),
    ("AuthorizeRemoteTxRequests", "false"),
    ("ConnectionTimeOut", "120"),
)
SAMPLED = ("MeterValuesSampledData", "StopTxnSampledData")
FEATURES = {
    "Reservation": "supports_reservation",
    "SmartCharging": "supports_smart_charging",
}
SECRET_KEYS = frozenset({"AuthorizationKey"})
# While a station answers these, one question at a time, so does the rest of its conversation.
ASKING = (CallRefused, NoAnswer, BrokenAnswer, Disconnected)


class Station16(Station):
    async def boot(self, payload: Payload) -> Payload:
        now = datetime.now(UTC)
        boot = Boot(
            manufacturer=payload["chargePointVendor"],
            model=payload["chargePointModel"],
            serial_number=payload.get("chargePointSerialNumber")
            or payload.get("chargeBoxSerialNumber"),
            firmware_version=payload.get("firmwareVersion"),
        )

        async def write(db: AsyncSession) -> list[Stored]:
            self.registration = await stations.booted(db, self.ref, boot, at=now)
            await connectors.forget_status_times(db, self.ref)
            return []

        await self.within(write)
        self.booted_at = now
        if self.registration == "Accepted" and self.wire.provisioning:
            self.link.after_answer(lambda: self.run(self.provision()))
        return {
            "currentTime": timestamps.write(datetime.now(UTC)),
            "interval": self.wire.heartbeat_interval,
            "status": self.registration,
        }

    async def heartbeat(self, payload: Payload) -> Payload:
        return {"currentTime": timestamps.write(datetime.now(UTC))}

    async def status(self, payload: Payload) -> Payload:
        told = timestamps.read(payload["timestamp"]) if payload.get("timestamp") else None
        at = status_moment(told)
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

        async def write(db: AsyncSession) -> list[Stored]:
            if not await connectors.status_changed(db, self.ref, report):
                return []
            return await self.transactions_follow(db, report)

        await self.within(write)
        self.show_soon()
        return {}

    async def transactions_follow(self, db: AsyncSession, report: StatusReport) -> list[Stored]:
        """A status never begins a session; it says what the running one does, or its end."""
        moved: list[Stored] = []
        if report.evse_number == 0:
            return moved
        for transaction in await transactions.running(db, self.ref, report.evse_number):
            begun = transaction.started_at or report.at
            if report.word == "Available" and report.at > begun:
                moved += await missing_stops.lose(
                    db, self.ref, transaction, "the connector is free", self.wire.policy
                )
            elif report.word in metering.STATES and report.at >= begun:
                moved += await charging.turn(
                    db, self.ref, transaction, report.word, report.at, policy=self.wire.policy
                )
        if report.word == "Available":
            await session_records.unplugged(db, self.ref, report.evse_number, report.at)
        return moved

    async def authorize_tag(self, payload: Payload) -> Payload:
        decision = await self.authorize(Shown(payload["idTag"]))
        return {"idTagInfo": id_tag_info(decision)}

    async def start(self, payload: Payload) -> Payload:
        moment = self.reckon(timestamps.read(payload["timestamp"]))
        decision = await self.authorize(Shown(payload["idTag"]), offline=moment.late)
        begun = Start(
            moment=moment,
            evse_number=payload["connectorId"],
            connector_id=1,
            id_tag=payload["idTag"],
            meter_start=samples.watt_hours(payload["meterStart"]),
            reservation_number=payload.get("reservationId"),
            remote_start_id=decision.remote_start_id,
        )
        number, concurrent = 0, False

        async def write(db: AsyncSession) -> list[Stored]:
            nonlocal number, concurrent
            policy = self.wire.policy
            if policy.refuse_concurrent and decision.cdr_token and decision.accepted:
                concurrent = await authorization.another_runs(db, self.ref, decision.cdr_token)
            told = await charging.start(db, self.ref, begun, decision, policy)
            number = told.transaction.number
            if told.repeated:
                concurrent = False
            else:
                await self.keep_raw(db, told.transaction, "START", moment.at, payload)
            return told.moved

        await self.within(write, patient=True)
        info = {"status": "ConcurrentTx"} if concurrent else id_tag_info(decision)
        return {"transactionId": number, "idTagInfo": info}

    async def keep_raw(
        self, db: AsyncSession, transaction: Any, kind: str, at: datetime, payload: Payload
    ) -> bool:
        raw = codec.write_text(payload)
        return await transactions.first_time(
            db, transaction, kind=kind, at=at, key=transactions.digest(kind, raw), raw=raw
        )

    async def meter_values(self, payload: Payload) -> Payload:
        readings = samples.readings_16(payload["meterValue"])
        if not any(reading.samples for reading in readings):
            return {}
        evse = payload["connectorId"]

        async def write(db: AsyncSession) -> list[Stored]:
            transaction = await self.transaction_of(db, payload.get("transactionId"), evse)
            if transaction is None:
                return []
            key = transactions.digest("METER", codec.write_text(payload["meterValue"]))
            at = max(reading.at for reading in readings)
            if not await transactions.first_time(db, transaction, kind="METER", at=at, key=key):
                return []
            return await charging.meter(db, self.ref, transaction, readings, self.wire.policy)

        await self.within(write, patient=True)
        return {}

    async def transaction_of(self, db: AsyncSession, number: int | None, evse: int) -> Any:
        """By its number; many stations send none, or nought, for the one that runs there."""
        if number is not None and number > 0:
            transaction = await transactions.find(db, self.ref, str(number))
            if transaction is not None:
                return transaction
        candidates = await transactions.running(db, self.ref, evse) if evse else []
        return candidates[0] if len(candidates) == 1 else None

    async def stop(self, payload: Payload) -> Payload:
        moment = self.reckon(timestamps.read(payload["timestamp"]))
        ended = Stop(
            moment=moment,
            reason=payload.get("reason", "Local"),
            meter_stop=samples.watt_hours(payload["meterStop"]),
            id_tag=payload.get("idTag"),
            readings=samples.readings_16(payload.get("transactionData") or []),
        )

        async def write(db: AsyncSession) -> list[Stored]:
            number = payload["transactionId"]
            transaction = await transactions.find(db, self.ref, str(number)) if number > 0 else None
            if transaction is None:
                transaction = transactions.matching(await transactions.running(db, self.ref), ended)
            if transaction is None:
                await transactions.orphan(db, self.ref, ended, str(number))
                return []
            if not await self.keep_raw(db, transaction, "STOP", moment.at, payload):
                return []
            return await charging.stop(db, self.ref, transaction, ended, self.wire.policy)

        await self.within(write, patient=True)
        if ended.id_tag is None:
            return {}
        decision = await self.authorize(Shown(ended.id_tag), offline=True)
        return {"idTagInfo": id_tag_info(decision)}

    async def data_transfer(self, payload: Payload) -> Payload:
        """Nobody here speaks any vendor's language; saying Accepted would be a lie."""
        return {"status": "UnknownVendorId"}

    async def progress_note(self, payload: Payload) -> Payload:
        """How a firmware update, a log or a diagnostics upload is getting on."""
        await self.within(lambda db: self.remember_progress(db, payload))
        return {}

    async def remember_progress(self, db: AsyncSession, payload: Payload) -> list[Stored]:
        await station_settings.diagnosed(db, self.ref, {"last_report": payload})
        return []

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
            return []

        await self.within(write)
        return {}

    async def sign_certificate(self, payload: Payload) -> Payload:
        """Accept at once; the certificate follows as a CALL of ours (A02)."""
        try:
            request = certificates.read_request(payload["csr"], self.record)
        except certificates.BadRequest as error:
            log.warning("certificate request refused", station=self.identity, reason=str(error))
            return {"status": "Rejected"}
        self.link.after_answer(lambda: self.run(self.send_certificate(request)))
        return {"status": "Accepted"}

    async def send_certificate(self, request: certificates.Request) -> None:
        async with self.wire.database.transaction(self.ref.tenant_id) as db:
            chain = await certificates.issue(db, self.wire.keyring, self.ref, request)
        try:
            await self.link.call("CertificateSigned", {"certificateChain": chain})
        except ASKING as error:
            log.warning("certificate not delivered", station=self.identity, reason=str(error))

    async def provision(self) -> None:
        """Ask what the station can, and have it measure what CDRs need. One question at a time."""
        try:
            answer = await self.link.call("GetConfiguration", {})
        except ASKING as error:
            log.info("configuration not told", station=self.identity, reason=str(error))
            answer = {}
        known = {item["key"]: item for item in answer.get("configurationKey") or []}
        await self.within(lambda db: self.remember(db, known))
        for key in SAMPLED:
            await self.configure_sampling(key, known)
        for key, value in SETTINGS:
            item = known.get(key)
            if known and (item is None or item["readonly"] or item.get("value") == value):
                continue
            await self.configure(key, value)
        await self.ask_status()

    async def remember(
        self, db: AsyncSession, known: Mapping[str, Mapping[str, Any]]
    ) -> list[Stored]:
        await station_settings.remember_settings(
            db,
            self.ref,
            (
                ("", key, None if key in SECRET_KEYS else item.get("value"), item["readonly"])
                for key, item in known.items()
            ),
        )

        def value(key: str) -> str:
            return (known.get(key) or {}).get("value") or ""

        profiles = [name.strip() for name in value("SupportedFeatureProfiles").split(",")]
        told: dict[str, Any] = {}
        if any(profiles):
            told["supported_feature_profiles"] = profiles
            told |= {name: feature in profiles for feature, name in FEATURES.items()}
        if value("NumberOfConnectors").isdigit():
            told["number_of_connectors"] = int(value("NumberOfConnectors"))
        if told:
            await station_settings.remember_capabilities(db, self.ref, told)
        return []

    async def configure_sampling(self, key: str, known: Mapping[str, Mapping[str, Any]]) -> None:
        """As many measurands as the station will take, fewer at a time, the register at least."""
        item = known.get(key)
        if item is not None and (item["readonly"] or item.get("value") == ",".join(MEASURANDS)):
            return
        if known and item is None:
            return
        for count in range(len(MEASURANDS), 0, -1):
            if await self.configure(key, ",".join(MEASURANDS[:count])):
                return

    async def configure(self, key: str, value: str) -> bool:
        """Set one key; a station that will not is no worse than before."""
        try:
            answer = await self.link.call("ChangeConfiguration", {"key": key, "value": value})
        except ASKING as error:
            log.info("setting not made", station=self.identity, key=key, reason=str(error))
            return isinstance(error, Disconnected | NoAnswer)
        return answer["status"] in {"Accepted", "RebootRequired"}

    def begin(self) -> None:
        """After a reconnect without a boot, ask for the states instead of waiting for changes."""
        if self.registration == "Accepted" and self.wire.provisioning:
            self.run(self.ask_status_unless_booted())

    async def ask_status_unless_booted(self) -> None:
        await asyncio.sleep(self.wire.patience_for_boot)
        if self.booted_at is None:
            await self.ask_status()

    async def ask_status(self) -> None:
        try:
            await self.link.call("TriggerMessage", {"requestedMessage": "StatusNotification"})
        except ASKING as error:
            log.info("status not told", station=self.identity, reason=str(error))

    answers: ClassVar[Mapping[str, Answering]] = {
        "BootNotification": boot,
        "Heartbeat": heartbeat,
        "StatusNotification": status,
        "Authorize": authorize_tag,
        "StartTransaction": start,
        "MeterValues": meter_values,
        "StopTransaction": stop,
        "DataTransfer": data_transfer,
        "FirmwareStatusNotification": progress_note,
        "SignedFirmwareStatusNotification": progress_note,
        "DiagnosticsStatusNotification": progress_note,
        "LogStatusNotification": progress_note,
        "SecurityEventNotification": security_event,
        "SignCertificate": sign_certificate,
    }


def id_tag_info(decision: Decision) -> Payload:
    info: Payload = {"status": ID_TAG_STATUS.get(decision.allowed, "Invalid")}
    if decision.group_id and len(decision.group_id) <= authorization.LONGEST_ID_TAG:
        info["parentIdTag"] = decision.group_id
    if decision.expires_at is not None:
        info["expiryDate"] = timestamps.write(decision.expires_at)
    return info
