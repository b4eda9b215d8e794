"""Transactions of OCPP 2: TransactionEvent, in whatever order its parts arrive."""

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
from hub.roaming.charging import charging, displayed_costs, session_records, transactions
from hub.roaming.charging.billing import Policy
from hub.roaming.charging.meter_intake import Metered
from hub.roaming.charging.transactions import Start, Stop
from hub.roaming.metering.clocks import Moment
from hub.roaming.metering.readings import BEGIN, END, REGISTER, Reading, shifted
from hub.roaming.ports import StationRef
from hub.roaming.store.writes import Stored

ID_TOKEN_STATUS = {
    "ALLOWED": "Accepted",
    "BLOCKED": "Blocked",
    "EXPIRED": "Expired",
    "NO_CREDIT": "NoCredit",
    "UNKNOWN": "Unknown",
}


# The type of a token when none was shown.
NOBODY = "NoAuthorization"


class Transactions2x(Station):
    async def authorize_token(self, payload: Payload) -> Payload:
        token = payload["idToken"]
        if token["type"] == NOBODY:
            return {"idTokenInfo": {"status": "Accepted"}}
        decision = await self.decide_shown(Shown(token["idToken"], token["type"]))
        return {"idTokenInfo": id_token_info(decision)}

    async def transaction_event(self, payload: Payload) -> Payload:
        """Begin, middle or end of a transaction, in whatever order they arrive."""
        event = TransactionEvent(payload)
        live = not event.offline and self.presence.live(*event.names)
        moment = self.reckon(event.at, live=live)
        event.readings = shifted(event.readings, moment.shift)
        if event.only_readings and await self.take_readings(
            event.metered(self.ref, moment, self.wire.policy)
        ):
            return {}
        decision, authorized_at = None, None
        if event.id_token is not None or event.remote_start_id is not None:
            decision, authorized_at = await patiently(lambda: self.decide_event(event, moment))

        cost = None

        async def write(db: AsyncSession) -> list[Stored]:
            nonlocal cost
            moved = await self.take_event(db, event, moment, decision, authorized_at)
            if event.kind == "Ended":
                cost = await displayed_costs.final_cost(db, self.ref, event.transaction_id)
            return moved

        await self.within(write)
        answer: Payload = {} if cost is None else {"totalCost": float(cost)}
        if decision is not None and event.id_token is not None:
            answer["idTokenInfo"] = id_token_info(decision)
        return answer

    async def decide_event(
        self, event: "TransactionEvent", moment: Moment
    ) -> tuple[Decision, datetime | None]:
        """A remote start number tells the command exactly; else the token is looked up."""
        if event.remote_start_id is not None:
            async with self.wire.database.transaction(self.ref.tenant_id) as db:
                found = await authorization.by_remote_start(db, self.ref, event.remote_start_id)
            if found is not None:
                return found, moment.at
        if event.id_token is None:
            return authorization.UNKNOWN, None
        if event.id_token["type"] == NOBODY:
            return Decision("ALLOWED"), moment.at
        shown = Shown(event.id_token["idToken"], event.id_token["type"])
        late = event.offline or moment.late or event.kind == "Ended"
        decision, at = await self.decide(shown, late=late)
        return decision, at or moment.at

    async def take_event(
        self,
        db: AsyncSession,
        event: "TransactionEvent",
        moment: Moment,
        decision: Decision | None,
        authorized_at: datetime | None,
    ) -> list[Stored]:
        moved: list[Stored] = []
        policy = self.wire.policy
        if event.kind == "Started":
            begun = event.start(moment, authorized_at if decision is not None else None)
            told = await charging.start(
                db, self.ref, begun, decision or authorization.UNKNOWN, policy
            )
            transaction, moved = told.transaction, told.moved
        else:
            transaction = await charging.stub(
                db, self.ref, event.transaction_id, moment.at, place=event.place
            )
        if not await transactions.first_time(
            db,
            transaction,
            kind=event.kind.upper(),
            at=moment.at,
            key=event.key,
            sequence=event.sequence,
            raw=event.raw if event.worth_keeping else None,
        ):
            return moved
        if event.kind != "Started":
            known = charging.Later(decision, authorized_at, event.plugged_in_at(moment))
            moved += await charging.complete(db, self.ref, transaction, known, place=event.place)
        if event.extras:
            await session_records.remember(db, transaction, event.extras)
        if event.resumed:
            await session_records.happened(db, transaction, "RESUMED", moment.at)
        return moved + await self.count_event(db, transaction, event, moment)

    async def count_event(
        self, db: AsyncSession, transaction: Any, event: "TransactionEvent", moment: Moment
    ) -> list[Stored]:
        """What the event says of energy and time."""
        moved: list[Stored] = []
        if event.charging_state is not None and event.kind != "Started":
            moved += await charging.turn(db, transaction, event.charging_state, moment.at)
        if event.kind == "Ended":
            ended = Stop(
                moment=moment,
                reason=event.stop_reason,
                meter_stop=event.register(END),
                readings=event.readings,
            )
            moved += await charging.stop(db, transaction, ended, self.wire.policy)
        elif event.readings:
            moved += await charging.meter(db, transaction, event.readings)
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
        self.trigger: str = payload["triggerReason"]
        self.sequence: int = payload["seqNo"]
        self.transaction_id: str = about["transactionId"]
        self.offline = bool(payload.get("offline", False))
        self.id_token: dict[str, Any] | None = payload.get("idToken")
        self.remote_start_id: int | None = about.get("remoteStartId")
        self.charging_state: str | None = about.get("chargingState")
        self.stop_reason: str = about.get("stoppedReason", "Local")
        self.reservation_number: int | None = payload.get("reservationId")
        # Never guessed: an EVSE may have several connectors.
        self.place: tuple[int | None, int | None] = (evse.get("id"), evse.get("connectorId"))
        self.readings: tuple[Reading, ...] = samples.readings_2x(payload.get("meterValue") or [])
        # What 2.1 adds that sessions do not count by.
        self.extras: dict[str, Any] = {
            ours: value
            for ours, value in (
                ("tariff_id", about.get("tariffId")),
                ("transaction_limit", about.get("transactionLimit")),
                ("operation_mode", about.get("operationMode")),
                ("station_cost", payload.get("costDetails")),
            )
            if value is not None
        }
        self.payload = payload
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
    def raw(self) -> str:
        return codec.write_text(self.payload)

    @property
    def names(self) -> tuple[object, ...]:
        """What a driver or a command may have led here by."""
        token = self.id_token["idToken"] if self.id_token else None
        return token, self.remote_start_id, self.transaction_id

    @property
    def only_readings(self) -> bool:
        """It says how much was charged, and nothing else that is new."""
        return self.kind == "Updated" and not (
            self.id_token or self.remote_start_id or self.worth_keeping or self.resumed
        )

    def metered(self, ref: StationRef, moment: Moment, policy: Policy) -> Metered:
        return Metered(
            ref.id,
            self.transaction_id,
            self.key,
            moment.at,
            self.readings,
            policy,
            kind="UPDATED",
            sequence=self.sequence,
            charging_state=self.charging_state,
        )

    @property
    def resumed(self) -> bool:
        """2.1: the station goes on with it after a boot."""
        return self.trigger == "TxResumed"

    @property
    def worth_keeping(self) -> bool:
        signed = any(s.signed for reading in self.readings for s in reading.samples)
        return self.kind != "Updated" or signed or bool(self.extras)

    def plugged_in_at(self, moment: Moment) -> datetime | None:
        return moment.at if self.trigger == "CablePluggedIn" else None

    def start(self, moment: Moment, authorized_at: datetime | None) -> Start:
        return Start(
            moment=moment,
            evse_number=self.place[0],
            connector_id=self.place[1],
            id_tag=self.id_token["idToken"] if self.id_token else None,
            transaction_id=self.transaction_id,
            meter_start=self.register(BEGIN),
            reservation_number=self.reservation_number,
            remote_start_id=self.remote_start_id,
            charging_state=self.charging_state,
            offline=self.offline,
            authorized_at=authorized_at,
            plugged_in_at=self.plugged_in_at(moment),
        )

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
