"""Transactions of OCPP 2: TransactionEvent, in whatever order its parts arrive."""

from collections.abc import Mapping
from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.ocpp import samples, timestamps
from hub.ocpp.frames import Payload
from hub.ocpp.station import Answering, Station
from hub.roaming import authorization, charging, transactions
from hub.roaming.authorization import Decision, Shown
from hub.roaming.objects import Stored
from hub.roaming.readings import BEGIN, END, REGISTER, Reading
from hub.roaming.transactions import Start, Stop

ID_TOKEN_STATUS = {
    "ALLOWED": "Accepted",
    "BLOCKED": "Blocked",
    "EXPIRED": "Expired",
    "NO_CREDIT": "NoCredit",
    "UNKNOWN": "Unknown",
}


class Transactions2x(Station):
    async def authorize_token(self, payload: Payload) -> Payload:
        token = payload["idToken"]
        if token["type"] == "NoAuthorization":
            return {"idTokenInfo": {"status": "Accepted"}}
        decision = await self.authorize(Shown(token["idToken"], token["type"]))
        return {"idTokenInfo": id_token_info(decision)}

    async def transaction_event(self, payload: Payload) -> Payload:
        """Begin, middle or end of a transaction, in whatever order they arrive."""
        event = TransactionEvent(payload)
        moment = self.reckon(event.at)
        decision = None
        if event.id_token is not None or event.remote_start_id is not None:
            decision = await self.decide(event, late=event.offline or moment.late)

        async def write(db: AsyncSession) -> list[Stored]:
            return await self.take_event(db, event, decision)

        await self.within(write, patient=True)
        answer: Payload = {}
        if decision is not None and event.id_token is not None:
            answer["idTokenInfo"] = id_token_info(decision)
        return answer

    async def decide(self, event: "TransactionEvent", *, late: bool) -> Decision:
        """A remote start number tells the command exactly; else the token is looked up."""
        if event.remote_start_id is not None:
            async with self.wire.database.transaction(self.ref.tenant_id) as db:
                found = await authorization.by_remote_start(db, self.ref, event.remote_start_id)
            if found is not None:
                return found
        if event.id_token is None:
            return authorization.UNKNOWN
        if event.id_token["type"] == "NoAuthorization":
            return Decision("ALLOWED")
        shown = Shown(event.id_token["idToken"], event.id_token["type"])
        return await self.authorize(shown, offline=late or event.kind == "Ended")

    async def take_event(
        self, db: AsyncSession, event: "TransactionEvent", decision: Decision | None
    ) -> list[Stored]:
        moved: list[Stored] = []
        policy = self.wire.policy
        moment = self.reckon(event.at)
        if event.kind == "Started":
            begun = Start(
                moment=moment,
                evse_number=event.evse_number,
                connector_id=event.connector_id,
                id_tag=event.id_token["idToken"] if event.id_token else None,
                transaction_id=event.transaction_id,
                meter_start=event.register(BEGIN),
                reservation_number=event.reservation_number,
                remote_start_id=event.remote_start_id,
                charging_state=event.charging_state,
                offline=event.offline,
            )
            told = await charging.start(
                db, self.ref, begun, decision or authorization.UNKNOWN, policy
            )
            transaction, moved = told.transaction, told.moved
        else:
            transaction = await charging.stub(
                db,
                self.ref,
                event.transaction_id,
                moment.at,
                evse_number=event.evse_number,
                connector_id=event.connector_id,
            )
        if not await transactions.first_time(
            db,
            transaction,
            kind=event.kind.upper(),
            at=moment.at,
            key=event.key,
            raw=event.raw if event.worth_keeping else None,
        ):
            return moved
        if event.kind != "Started":
            moved += await charging.complete(
                db,
                self.ref,
                transaction,
                decision,
                place=(event.evse_number, event.connector_id),
                policy=policy,
            )
        if event.charging_state is not None and event.kind != "Started":
            moved += await charging.turn(
                db, self.ref, transaction, event.charging_state, moment.at, policy=policy
            )
        if event.kind == "Ended":
            ended = Stop(
                moment=moment,
                reason=event.stop_reason,
                meter_stop=event.register(END),
                readings=event.readings,
            )
            moved += await charging.stop(db, self.ref, transaction, ended, policy)
        elif event.readings:
            moved += await charging.meter(db, self.ref, transaction, event.readings, policy)
        return moved

    async def meter_values(self, payload: Payload) -> Payload:
        """Outside transactions only, by the specification: for monitoring, for nobody's bill."""
        return {}

    answers: ClassVar[Mapping[str, Answering]] = {
        "Authorize": authorize_token,
        "TransactionEvent": transaction_event,
        "MeterValues": meter_values,
    }


class TransactionEvent:
    """One TransactionEvent, with the names that 2.0.1 and 2.1 give its parts."""

    def __init__(self, payload: Payload) -> None:
        about = payload["transactionInfo"]
        evse = payload.get("evse") or {}
        self.kind: str = payload["eventType"]
        self.at = timestamps.read(payload["timestamp"])
        self.transaction_id: str = about["transactionId"]
        self.offline = bool(payload.get("offline", False))
        self.id_token: dict[str, Any] | None = payload.get("idToken")
        self.remote_start_id: int | None = about.get("remoteStartId")
        self.charging_state: str | None = about.get("chargingState")
        self.stop_reason: str = about.get("stoppedReason", "Local")
        self.reservation_number: int | None = payload.get("reservationId")
        # Never guessed: an EVSE may have several connectors.
        self.evse_number: int | None = evse.get("id")
        self.connector_id: int | None = evse.get("connectorId")
        self.readings: tuple[Reading, ...] = samples.readings_2x(payload.get("meterValue") or [])
        self.raw = codec.write_text(payload)
        # seqNo alone is not unique in the field: a simulator sends nought every time.
        self.key = transactions.digest(
            self.transaction_id,
            payload["seqNo"],
            self.kind,
            payload["timestamp"],
            payload.get("triggerReason"),
            codec.write_text(payload.get("meterValue") or []),
        )

    @property
    def worth_keeping(self) -> bool:
        signed = any(s.signed for reading in self.readings for s in reading.samples)
        return self.kind != "Updated" or signed

    def register(self, context: str) -> Any:
        """The register at begin or end: by its context, else the first or the last reading."""
        found = [
            (sample.context, sample.value * (1000 if sample.unit == "kWh" else 1))
            for reading in sorted(self.readings, key=lambda reading: reading.at)
            for sample in reading.samples
            if sample.measurand == REGISTER
            and sample.value is not None
            and sample.phase is None
            and sample.location in (None, "Outlet", "EV")
        ]
        marked = [value for told, value in found if told == context]
        if marked:
            return marked[0] if context == BEGIN else marked[-1]
        others = [value for told, value in found if told not in {BEGIN, END}]
        if not others:
            return None
        return others[0] if context == BEGIN else others[-1]


def id_token_info(decision: Decision) -> Payload:
    status = ID_TOKEN_STATUS.get(decision.allowed)
    if status is None:
        status = "NotAtThisLocation" if decision.elsewhere else "Invalid"
    info: Payload = {"status": status}
    if decision.group_id:
        info["groupIdToken"] = {"idToken": decision.group_id[:36], "type": "Central"}
    if decision.expires_at is not None:
        info["cacheExpiryDateTime"] = timestamps.write(decision.expires_at)
    return info
