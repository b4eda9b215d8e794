"""Transactions of OCPP 1.6: StartTransaction, MeterValues, StopTransaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.ocpp import timestamps
from hub.ocpp.conversation.frames import Payload
from hub.ocpp.conversation.patience import patiently
from hub.ocpp.versions import samples
from hub.ocpp.versions.station import Answering, Station
from hub.roaming.authorization import authorization
from hub.roaming.authorization.authorization import Decision, Shown
from hub.roaming.authorization.token_aliases import LONGEST_ID_TAG
from hub.roaming.charging import charging, missing_stops, session_records, transactions
from hub.roaming.charging.meter_intake import Metered
from hub.roaming.charging.transactions import Start, Stop
from hub.roaming.metering.progress import STATES
from hub.roaming.metering.readings import shifted
from hub.roaming.stations.connectors import StatusReport
from hub.roaming.store.writes import Stored

ID_TAG_STATUS = {
    "ALLOWED": "Accepted",
    "BLOCKED": "Blocked",
    "NO_CREDIT": "Blocked",
    "EXPIRED": "Expired",
}


class Transactions16(Station):
    async def transactions_follow(self, db: AsyncSession, report: StatusReport) -> list[Stored]:
        """A status never begins a session; it says what the running one does, or its end."""
        moved: list[Stored] = []
        if report.evse_number == 0:
            return moved
        for transaction in await transactions.running(db, self.ref, report.evse_number):
            begun = transaction.started_at or report.at
            if report.word == "Available" and report.at > begun:
                moved += await missing_stops.lose(
                    db, transaction, "the connector is free", self.wire.policy
                )
            elif report.word in STATES and report.at >= begun:
                transactions.trust(transaction)
                moved += await charging.turn(db, transaction, report.word, report.at)
        if report.word == "Available":
            await session_records.unplugged(db, [(self.ref.id, report.evse_number, report.at)])
        return moved

    async def authorize_tag(self, payload: Payload) -> Payload:
        return {"idTagInfo": id_tag_info(await self.decide_shown(Shown(payload["idTag"])))}

    async def start(self, payload: Payload) -> Payload:
        tag = payload["idTag"]
        moment = self.reckon(timestamps.read(payload["timestamp"]), live=self.presence.live(tag))
        decision, authorized_at = await patiently(lambda: self.decide(Shown(tag), late=moment.late))
        begun = Start(
            moment=moment,
            evse_number=payload["connectorId"],
            connector_id=1,
            id_tag=tag,
            authorized_at=authorized_at,
            meter_start=samples.watt_hours(payload["meterStart"]),
            reservation_number=payload.get("reservationId"),
            remote_start_id=decision.remote_start_id,
        )
        number, concurrent = 0, False

        async def write(db: AsyncSession) -> list[Stored]:
            nonlocal number, concurrent
            policy = self.wire.policy
            if policy.refuse_concurrent and decision.cdr_token and decision.accepted:
                concurrent = await authorization.another_runs(db, decision.cdr_token)
            told = await charging.start(db, self.ref, begun, decision, policy)
            number = told.transaction.number
            if told.repeated:
                concurrent = False
            else:
                await self.keep_raw(db, told.transaction, "START", moment.at, payload)
            return told.moved

        await self.within(write)
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
        readings, at = self.in_our_time(samples.readings_16(payload["meterValue"]))
        if not any(reading.samples for reading in readings):
            return {}
        number, evse = payload.get("transactionId"), payload["connectorId"]
        key = transactions.digest("METER", codec.write_text(payload["meterValue"]))
        policy = self.wire.policy
        if number is not None and await self.take_readings(
            Metered(self.ref.id, str(number), key, at, readings, policy)
        ):
            return {}

        async def write(db: AsyncSession) -> list[Stored]:
            transaction = await self.transaction_of(db, number, evse)
            if transaction is None:
                return []
            if not await transactions.first_time(db, transaction, kind="METER", at=at, key=key):
                return []
            return await charging.meter(db, transaction, readings)

        await self.within(write)
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
        live = self.presence.live(payload["transactionId"])
        moment = self.reckon(timestamps.read(payload["timestamp"]), live=live)
        ended = Stop(
            moment=moment,
            reason=payload.get("reason", "Local"),
            meter_stop=samples.watt_hours(payload["meterStop"]),
            id_tag=payload.get("idTag"),
            readings=shifted(
                samples.readings_16(payload.get("transactionData") or []), moment.shift
            ),
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
            return await charging.stop(db, transaction, ended, self.wire.policy)

        await self.within(write)
        if ended.id_tag is None:
            return {}
        shown = Shown(ended.id_tag)
        decision = await patiently(lambda: self.authorize(shown, offline=True))
        return {"idTagInfo": id_tag_info(decision)}

    answers: ClassVar[Mapping[str, Answering]] = {
        "Authorize": authorize_tag,
        "StartTransaction": start,
        "MeterValues": meter_values,
        "StopTransaction": stop,
    }


def id_tag_info(decision: Decision) -> Payload:
    info: Payload = {"status": ID_TAG_STATUS.get(decision.allowed, "Invalid")}
    if decision.group_id and len(decision.group_id) <= LONGEST_ID_TAG:
        info["parentIdTag"] = decision.group_id
    if decision.expires_at is not None:
        info["expiryDate"] = timestamps.write(decision.expires_at)
    return info
