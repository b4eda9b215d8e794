"""The life of a charging session at a station of our own, whatever order its messages come in.

    start    the station reports a transaction; the same report again is the same transaction
    meter    readings
    turn     the vehicle began or ceased to charge
    stop     the station reports the end; the same report again changes nothing

An end that is never reported is the business of ``missing_stops``.

A transaction belongs to its station, not to a connection. Nothing a station reports is refused:
what is odd is noted and the answer given, for a station that gets no answer only asks again. What
OCPI sees of it is made in ``billing``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.transactions import TRANSACTION_SEQUENCE, Reservation, StationTransaction
from hub.roaming.authorization import authorization
from hub.roaming.authorization.authorization import Decision
from hub.roaming.charging import (
    billing,
    circumstances,
    endings,
    meter_values,
    missing_stops,
    session_records,
    transactions,
)
from hub.roaming.charging.billing import Policy
from hub.roaming.charging.transactions import Start, Stop
from hub.roaming.metering import clocks, metering
from hub.roaming.metering.progress import CHARGING, STATES
from hub.roaming.metering.readings import Reading, figures
from hub.roaming.ports import StationRef
from hub.roaming.store.writes import Stored

log = structlog.get_logger()


@dataclass
class Told:
    """What a message came to: the transaction, and what moved in the feed."""

    transaction: StationTransaction
    repeated: bool = False
    moved: list[Stored] = field(default_factory=list)


async def start(
    db: AsyncSession, ref: StationRef, told: Start, decision: Decision, policy: Policy
) -> Told:
    """Take in the beginning of a transaction, also of one that was seen before it."""
    moment = told.moment
    if told.transaction_id is None:
        number = await db.scalar(TRANSACTION_SEQUENCE)
        values = {
            "number": number,
            "transaction_id": str(number),
            "natural_key": transactions.natural_key(told),
        }
    else:
        values = {"transaction_id": told.transaction_id}
    created = await db.execute(
        upsert(StationTransaction)
        .values(
            charging_station_id=ref.id,
            evse_number=told.evse_number,
            connector_id=told.connector_id,
            session_id=str(uuid4()),
            charging_session_id=uuid4(),
            started_at=moment.at,
            **values,
        )
        .on_conflict_do_nothing()
        .returning(StationTransaction.id)
    )
    new_id = created.scalar_one_or_none()
    transaction = await transactions.existing(db, ref, values) if new_id is None else None
    if transaction is not None and not transaction.stub:
        return Told(transaction, repeated=True)
    if transaction is None:
        transaction = await db.get_one(StationTransaction, (ref.tenant_id, new_id))
        moved = await missing_stops.supersede(db, ref, transaction, moment, policy)
    else:
        moved = []
    await fill_in(db, ref, transaction, told, decision)
    await authorization.used(db, decision)
    moved += await billing.show_session(db, transaction)
    if transaction.state == "ENDED":
        moved += await billing.settle(db, transaction, policy)
    return Told(transaction, moved=moved)


async def fill_in(
    db: AsyncSession,
    ref: StationRef,
    transaction: StationTransaction,
    told: Start,
    decision: Decision,
) -> None:
    """Everything a beginning says, written into the transaction and its session."""
    moment = told.moment
    if told.evse_number is not None:
        transaction.evse_number = told.evse_number
    if told.connector_id is not None:
        transaction.connector_id = told.connector_id
    was_stub, transaction.stub = transaction.stub, False
    transaction.id_tag = told.id_tag
    transaction.started_at = moment.at
    transaction.started_at_told = moment.told if moment.corrected else None
    transaction.offline = told.offline or moment.late
    transaction.remote_start_id = told.remote_start_id
    take_decision(transaction, decision)
    if moment.corrected:
        transactions.note(transaction, "clock corrected")
    reservation = await take_reservation(db, ref, transaction, told)
    connector = await transactions.connector_of(db, ref, transaction)
    transaction.circumstances = await circumstances.as_of_now(db, ref, transaction)
    progress = metering.begin(
        moment.at,
        meter_start=told.meter_start,
        state=STATES.get(told.charging_state or "Charging", CHARGING),
        most_power=connector.max_power if connector is not None else None,
        reserved_at=reservation.reserved_at if reservation is not None else None,
    )
    transaction.charging_state = told.charging_state or "Charging"
    transactions.keep(transaction, progress)
    if connector is not None:
        await session_records.open_session(db, ref, transaction, connector, told)
        if decision.accepted or decision.cdr_token is not None:
            at = told.authorized_at or moment.at
            await session_records.authorized(db, transaction, decision, at)
    if was_stub:
        await meter_values.replay(db, transaction)
    if transaction.ended_at is not None:
        reason = transaction.stop_reason or "Local"
        await endings.end(db, transaction, transaction.ended_at, reason, None)
    await db.flush()


def take_decision(transaction: StationTransaction, decision: Decision) -> None:
    if decision.cdr_token is not None:
        transaction.cdr_token = decision.cdr_token
        transaction.auth_method = decision.method
    if decision.authorization_reference is not None:
        transaction.authorization_reference = decision.authorization_reference
    if not decision.accepted:
        transactions.note(transaction, f"token {decision.allowed.lower()}")


async def take_reservation(
    db: AsyncSession, ref: StationRef, transaction: StationTransaction, told: Start
) -> Reservation | None:
    """The reservation this transaction makes use of: its session goes on as this one (SES-03)."""
    if told.reservation_number is None:
        return None
    reservation = await db.scalar(
        select(Reservation).where(
            Reservation.charging_station_id == ref.id,
            Reservation.number == told.reservation_number,
            Reservation.state == "ACTIVE",
        )
    )
    if reservation is not None:
        reservation.state = "USED"
        reservation.ended_at = told.moment.at
        transaction.session_id = reservation.session_id
        transaction.reservation_id = reservation.id
        if transaction.authorization_reference is None:
            transaction.authorization_reference = reservation.authorization_reference
    return reservation


async def stub(
    db: AsyncSession,
    ref: StationRef,
    transaction_id: str,
    at: datetime,
    *,
    place: tuple[int | None, int | None],
) -> StationTransaction:
    """A transaction of which something else than its beginning was seen first."""
    evse_number, connector_id = place
    await db.execute(
        upsert(StationTransaction)
        .values(
            charging_station_id=ref.id,
            transaction_id=transaction_id,
            evse_number=evse_number,
            connector_id=connector_id,
            session_id=str(uuid4()),
            charging_session_id=uuid4(),
            started_at=at,
            stub=True,
        )
        .on_conflict_do_nothing()
    )
    transaction = await transactions.find(db, ref, transaction_id)
    assert transaction is not None
    if transaction.stub and transaction.progress is None:
        transactions.note(transaction, "out of order")
        connector = await transactions.connector_of(db, ref, transaction)
        transactions.keep(
            transaction, metering.begin(at, most_power=connector.max_power if connector else None)
        )
        if connector is not None:
            await session_records.open_session(db, ref, transaction, connector, None)
    return transaction


@dataclass(frozen=True)
class Later:
    """What a message after the beginning knows of it: who charges, since when, when plugged in."""

    decision: Decision | None = None
    authorized_at: datetime | None = None
    plugged_in_at: datetime | None = None


async def complete(
    db: AsyncSession,
    ref: StationRef,
    transaction: StationTransaction,
    known: Later,
    *,
    place: tuple[int | None, int | None],
) -> list[Stored]:
    """Fill in what a later message knows and an earlier one did not: the token, the connector."""
    evse_number, connector_id = place
    newly = known.decision is not None and transaction.cdr_token is None
    if known.decision is not None and newly:
        take_decision(transaction, known.decision)
    if evse_number is not None and transaction.evse_number is None:
        transaction.evse_number = evse_number
    if connector_id is not None and transaction.connector_id is None:
        transaction.connector_id = connector_id
    if transaction.session_created_at is None:
        connector = await transactions.connector_of(db, ref, transaction)
        if connector is not None:
            await session_records.open_session(db, ref, transaction, connector, None)
    if known.decision is not None and newly:
        await session_records.authorized(db, transaction, known.decision, known.authorized_at)
    if known.plugged_in_at is not None:
        await session_records.plugged_in(db, transaction, known.plugged_in_at)
    if transaction.circumstances is None:
        transaction.circumstances = await circumstances.as_of_now(db, ref, transaction)
    elif not newly:
        return []
    return await billing.show_session(db, transaction)


async def keep_readings(
    db: AsyncSession, transaction: StationTransaction, readings: Sequence[Reading]
) -> None:
    if transaction.charging_session_id is not None:
        rows = meter_values.rows(transaction.charging_session_id, readings)
        await meter_values.keep(db, rows)


async def meter(
    db: AsyncSession, transaction: StationTransaction, readings: Sequence[Reading]
) -> list[Stored]:
    """Keep the readings and count them. A transaction that has ended only keeps them."""
    await keep_readings(db, transaction, readings)
    if transaction.state not in {"OPEN", "LOST"} or transaction.progress is None:
        return []
    progress, limits = transactions.progress_of(transaction), transactions.limits_of(transaction)
    for reading in sorted(readings, key=lambda reading: reading.at):
        if reading.at < progress.read_at and reading.at >= progress.started_at:
            transactions.note(transaction, "out of order")
        metering.read(progress, figures(reading), limits)
    transactions.keep(transaction, progress)
    await session_records.measured(db, [transaction])
    return await billing.show_session(db, transaction)


async def turn(
    db: AsyncSession, transaction: StationTransaction, charging_state: str, at: datetime
) -> list[Stored]:
    """The vehicle began or ceased to charge."""
    if transaction.state != "OPEN" or transaction.charging_state == charging_state:
        return []
    state = STATES.get(charging_state)
    if state is None or transaction.progress is None:
        return []
    progress = transactions.progress_of(transaction)
    metering.change(progress, at, state)
    transactions.keep(transaction, progress)
    transaction.charging_state = charging_state
    await session_records.happened(db, transaction, "STATE", at, {"state": charging_state})
    await session_records.update_session(
        db, transaction, {"status": session_records.SESSION_STATUS[charging_state]}
    )
    return await billing.show_session(db, transaction)


async def stop(
    db: AsyncSession, transaction: StationTransaction, told: Stop, policy: Policy
) -> list[Stored]:
    """Take in the end. After it was taken for lost, what went out is taken back first."""
    if transaction.state == "ENDED":
        return []
    was_lost = transaction.state == "LOST"
    await keep_readings(db, transaction, told.readings)
    if "out of order" in (transaction.notes or []) or was_lost:
        await meter_values.replay(db, transaction)
    elif transaction.progress is not None:
        progress = transactions.progress_of(transaction)
        limits = transactions.limits_of(transaction)
        for reading in sorted(told.readings, key=lambda reading: reading.at):
            metering.read(progress, figures(reading), limits)
        transactions.keep(transaction, progress)
    ended_at = told.moment.at
    if (earlier := clocks.started_before(told.moment, transaction.started_at_told)) is not None:
        transaction.started_at = earlier
        progress = transactions.progress_of(transaction)
        transactions.keep(transaction, endings.shifted(progress, earlier))
    if told.moment.corrected:
        transactions.note(transaction, "clock corrected")
    if transaction.started_at is not None:
        ended_at = max(ended_at, transaction.started_at)
    await endings.end(db, transaction, ended_at, told.reason, told.meter_stop)
    transaction.state = "ENDED"
    moved = await billing.show_session(db, transaction)
    if transaction.stub:
        # Its beginning may still come; without it nobody can be billed.
        transaction.cdr_due_at = datetime.now(UTC) + policy.quarantine
        return moved
    transaction.cdr_due_at = None
    return moved + await billing.settle(db, transaction, policy)
