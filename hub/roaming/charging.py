"""The life of a charging session at a station of our own, whatever order its messages come in.

    start    the station reports a transaction; the same report again is the same transaction
    meter    readings
    turn     the vehicle began or ceased to charge
    stop     the station reports the end; the same report again changes nothing
    lose     the end was never reported: what is known becomes the end

A transaction belongs to its station, not to a connection. Nothing a station reports is refused:
what is odd is noted and the answer given, for a station that gets no answer only asks again. What
OCPI sees of it is made in ``billing``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.models.charging import ChargingSession, MeterValue, SessionEvent
from hub.models.ocpp import TRANSACTION_SEQUENCE, Reservation, StationEvent, StationTransaction
from hub.models.stations import Connector
from hub.models.values import (
    ChargingAuthMethod,
    ChargingStatus,
    Measurand,
    MeasurementLocation,
    ReadingContext,
    StopReason,
)
from hub.roaming import authorization, billing, clocks, metering
from hub.roaming.authorization import Decision
from hub.roaming.billing import Policy
from hub.roaming.clocks import Moment
from hub.roaming.metering import CHARGING, PARKING, WAITING, Progress
from hub.roaming.objects import Stored
from hub.roaming.ports import StationRef
from hub.roaming.readings import Reading, Sample, figures

log = structlog.get_logger()

# What the vehicle is doing, in either version's words, and what OCPI counts it as.
STATES = {
    "Charging": CHARGING,
    "SuspendedEV": PARKING,
    "EVConnected": PARKING,
    "Finishing": PARKING,
    "Idle": PARKING,
    # The driver is not the cause: time, but no parking.
    "SuspendedEVSE": WAITING,
}
SESSION_STATUS = {
    "Charging": ChargingStatus.CHARGING,
    "SuspendedEV": ChargingStatus.SUSPENDED_EV,
    "SuspendedEVSE": ChargingStatus.SUSPENDED_EVSE,
    "EVConnected": ChargingStatus.PREPARING,
    "Finishing": ChargingStatus.FINISHING,
    "Idle": ChargingStatus.FINISHING,
}
METHODS = {
    "RFID_ISO14443": ChargingAuthMethod.RFID,
    "RFID_MIFARE": ChargingAuthMethod.RFID,
    "NFC_SMARTPHONE": ChargingAuthMethod.NFC,
    "QR_CODE_DYNAMIC": ChargingAuthMethod.QR_CODE,
    "ISO15118_CONTRACT": ChargingAuthMethod.ISO15118,
    "AUTOCHARGE_VIN": ChargingAuthMethod.AUTOCHARGE,
}
# Ends that mean nothing was sold, when no energy flowed.
NOTHING_SOLD = frozenset({"Timeout", "DeAuthorized"})

MEASURANDS = {name.replace("_", "").upper(): name for name in Measurand}
CONTEXTS = {name.replace("_", ""): name for name in ReadingContext}
# What the table can hold.
LARGEST_VALUE = Decimal(10) ** 9


@dataclass(frozen=True)
class Start:
    """A transaction began. ``transaction_id`` is the station's own; None lets the hub number it."""

    moment: Moment
    evse_number: int | None
    connector_id: int | None
    id_tag: str | None
    transaction_id: str | None = None
    meter_start: Decimal | None = None
    reservation_number: int | None = None
    remote_start_id: int | None = None
    charging_state: str | None = None
    offline: bool = False


@dataclass(frozen=True)
class Stop:
    moment: Moment
    reason: str = "Local"
    meter_stop: Decimal | None = None
    id_tag: str | None = None
    readings: tuple[Reading, ...] = ()


@dataclass
class Told:
    """What a message came to: the transaction, and what moved in the feed."""

    transaction: StationTransaction
    repeated: bool = False
    moved: list[Stored] = field(default_factory=list)


def digest(*parts: object) -> bytes:
    return blake2b(repr(parts).encode(), digest_size=16).digest()


def natural_key(start: Start) -> bytes:
    """Tells a repeated StartTransaction: nothing else about it is the same in the field."""
    return digest(
        start.evse_number,
        start.connector_id,
        (start.id_tag or "").upper(),
        start.moment.told,
        start.meter_start,
    )


async def find(db: AsyncSession, ref: StationRef, transaction_id: str) -> StationTransaction | None:
    """The station's own transaction of that id, locked; never another station's."""
    return await db.scalar(
        select(StationTransaction)
        .where(
            StationTransaction.charging_station_id == ref.id,
            StationTransaction.transaction_id == transaction_id,
        )
        .with_for_update()
    )


async def running(
    db: AsyncSession, ref: StationRef, evse_number: int | None = None
) -> list[StationTransaction]:
    """The open transactions of a station or of one of its EVSEs, oldest first, locked."""
    query = select(StationTransaction).where(
        StationTransaction.charging_station_id == ref.id, StationTransaction.state == "OPEN"
    )
    if evse_number is not None:
        query = query.where(StationTransaction.evse_number == evse_number)
    found = await db.scalars(query.order_by(StationTransaction.number).with_for_update())
    return list(found)


async def start(
    db: AsyncSession, ref: StationRef, told: Start, decision: Decision, policy: Policy
) -> Told:
    """Take in the beginning of a transaction, also of one that was seen before it."""
    moment = told.moment
    if told.transaction_id is None:
        number = await db.scalar(TRANSACTION_SEQUENCE)
        values = {"number": number, "transaction_id": str(number), "natural_key": natural_key(told)}
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
    transaction = await existing(db, ref, values) if new_id is None else None
    if transaction is not None and not transaction.stub:
        return Told(transaction, repeated=True)
    if transaction is None:
        transaction = await db.get_one(StationTransaction, (ref.tenant_id, new_id))
        moved = await supersede(db, ref, transaction, moment, policy)
    else:
        moved = []
    await fill_in(db, ref, transaction, told, decision)
    await authorization.used(db, decision)
    moved += await billing.show_session(db, ref, transaction, policy)
    if transaction.state == "ENDED":
        moved += await billing.settle(db, ref, transaction, policy)
    return Told(transaction, moved=moved)


async def existing(
    db: AsyncSession, ref: StationRef, values: dict[str, Any]
) -> StationTransaction | None:
    column = "natural_key" if "natural_key" in values else "transaction_id"
    return await db.scalar(
        select(StationTransaction)
        .where(
            StationTransaction.charging_station_id == ref.id,
            getattr(StationTransaction, column) == values[column],
        )
        .with_for_update()
    )


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
        note(transaction, "clock corrected")
    reservation = await take_reservation(db, ref, transaction, told)
    connector = await connector_of(db, ref, transaction)
    transaction.circumstances = await billing.circumstances(db, ref, transaction)
    progress = metering.begin(
        moment.at,
        meter_start=told.meter_start,
        state=STATES.get(told.charging_state or "Charging", CHARGING),
        most_power=connector.max_power if connector is not None else None,
        reserved_at=reservation.reserved_at if reservation is not None else None,
    )
    transaction.charging_state = told.charging_state or "Charging"
    keep(transaction, progress)
    if connector is not None:
        await open_session(db, ref, transaction, connector, decision)
    if was_stub:
        await replay(db, transaction)
    if transaction.ended_at is not None:
        reason = transaction.stop_reason or "Local"
        await end(db, transaction, transaction.ended_at, reason, None)
    await db.flush()


def take_decision(transaction: StationTransaction, decision: Decision) -> None:
    if decision.cdr_token is not None:
        transaction.cdr_token = decision.cdr_token
        transaction.auth_method = decision.method
    if decision.authorization_reference is not None:
        transaction.authorization_reference = decision.authorization_reference
    if not decision.accepted:
        note(transaction, f"token {decision.allowed.lower()}")


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


async def connector_of(
    db: AsyncSession, ref: StationRef, transaction: StationTransaction
) -> Connector | None:
    """The connector in use. A missing number is resolved only where there is no choice."""
    if transaction.evse_number is None:
        return None
    query = select(Connector).where(
        Connector.charging_station_id == ref.id,
        Connector.evse_number == transaction.evse_number,
    )
    if transaction.connector_id is not None:
        query = query.where(Connector.connector_id == transaction.connector_id)
    found = list(await db.scalars(query.limit(2)))
    if not found and transaction.connector_id is not None:
        await db.execute(
            upsert(Connector)
            .values(
                charging_station_id=ref.id,
                evse_number=transaction.evse_number,
                connector_id=max(transaction.connector_id, 1),
                connector_type="UNKNOWN",
            )
            .on_conflict_do_nothing()
        )
        found = list(await db.scalars(query.limit(2)))
    return found[0] if len(found) == 1 else None


async def open_session(
    db: AsyncSession,
    ref: StationRef,
    transaction: StationTransaction,
    connector: Connector,
    decision: Decision,
) -> None:
    """The seed's ChargingSession of a transaction, made once its connector is known.

    Its id is there from the beginning: readings and events refer to it before.
    """
    configuration: dict[str, Any] = dict(connector.configuration or {})
    assert transaction.started_at is not None
    plugged_in = transaction.started_at
    if connector.status == "OCCUPIED" and configuration.get("status_at"):
        plugged_in = min(datetime.fromisoformat(configuration["status_at"]), plugged_in)
    progress = progress_of(transaction)
    values: dict[str, Any] = {
        "charging_station_id": ref.id,
        "connector_id": connector.id,
        "user_id": decision.user_id,
        "auth_token_id": decision.auth_token_id,
        "session_id": transaction.session_id,
        "transaction_id": transaction.transaction_id,
        "external_session_id": transaction.session_id,
        "start_timestamp": transaction.started_at,
        "authorization_timestamp": transaction.started_at,
        "plug_in_timestamp": plugged_in,
        "start_value": in_kwh(progress.told_start),
        "status": SESSION_STATUS.get(transaction.charging_state or "", ChargingStatus.CHARGING),
        "auth_method": auth_method(decision),
        "id_tag": transaction.id_tag,
        "tariff_id": connector.tariff_id,
    }
    if transaction.session_created_at is not None:
        await update_session(db, transaction, values)
        return
    row = ChargingSession(
        id=transaction.charging_session_id, created_at=datetime.now(UTC), **values
    )
    db.add(row)
    await db.flush()
    transaction.session_created_at = row.created_at
    await happened(db, transaction, "STARTED", transaction.started_at)


def auth_method(decision: Decision) -> ChargingAuthMethod:
    if decision.method == "COMMAND":
        return ChargingAuthMethod.API
    if decision.own_type is None:
        return ChargingAuthMethod.ROAMING
    return METHODS.get(decision.own_type, ChargingAuthMethod.RFID)


def in_kwh(energy: Decimal | None) -> Decimal | None:
    return None if energy is None else (energy / 1000).quantize(Decimal("0.001"))


async def update_session(
    db: AsyncSession, transaction: StationTransaction, values: dict[str, Any]
) -> None:
    if transaction.session_created_at is not None:
        await db.execute(
            update(ChargingSession)
            .where(
                ChargingSession.id == transaction.charging_session_id,
                ChargingSession.created_at == transaction.session_created_at,
            )
            .values(**values)
        )


async def happened(
    db: AsyncSession,
    transaction: StationTransaction,
    kind: str,
    at: datetime | None,
    details: dict[str, Any] | None = None,
) -> None:
    await db.execute(
        insert(SessionEvent).values(
            charging_session_id=transaction.charging_session_id,
            timestamp=at or datetime.now(UTC),
            event_type=kind,
            details=details,
        )
    )


async def first_time(
    db: AsyncSession,
    transaction: StationTransaction,
    *,
    kind: str,
    at: datetime,
    key: bytes,
    sequence: int | None = None,
    raw: str | None = None,
) -> bool:
    """Note a message down; False when it was noted before and must change nothing."""
    noted = await db.execute(
        upsert(StationEvent)
        .values(
            station_transaction_id=transaction.id,
            digest=key,
            kind=kind,
            at=at,
            sequence_number=sequence,
            raw=raw,
        )
        .on_conflict_do_nothing()
        .returning(StationEvent.id)
    )
    return noted.first() is not None


async def stub(
    db: AsyncSession,
    ref: StationRef,
    transaction_id: str,
    at: datetime,
    *,
    evse_number: int | None,
    connector_id: int | None,
) -> StationTransaction:
    """A transaction of which something else than its beginning was seen first."""
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
    transaction = await find(db, ref, transaction_id)
    assert transaction is not None
    if transaction.stub and transaction.progress is None:
        note(transaction, "out of order")
        connector = await connector_of(db, ref, transaction)
        keep(transaction, metering.begin(at, most_power=connector.max_power if connector else None))
        if connector is not None:
            await open_session(db, ref, transaction, connector, authorization.UNKNOWN)
    return transaction


async def complete(
    db: AsyncSession,
    ref: StationRef,
    transaction: StationTransaction,
    decision: Decision | None,
    *,
    place: tuple[int | None, int | None],
    policy: Policy,
) -> list[Stored]:
    """Fill in what a later message knows and an earlier one did not: the token, the connector."""
    evse_number, connector_id = place
    if decision is not None and transaction.cdr_token is None:
        take_decision(transaction, decision)
    if evse_number is not None and transaction.evse_number is None:
        transaction.evse_number = evse_number
    if connector_id is not None and transaction.connector_id is None:
        transaction.connector_id = connector_id
    if transaction.session_created_at is None:
        connector = await connector_of(db, ref, transaction)
        if connector is not None:
            known = decision or authorization.UNKNOWN
            await open_session(db, ref, transaction, connector, known)
    if transaction.circumstances is not None:
        return []
    transaction.circumstances = await billing.circumstances(db, ref, transaction)
    return await billing.show_session(db, ref, transaction, policy)


async def meter(
    db: AsyncSession,
    ref: StationRef,
    transaction: StationTransaction,
    readings: Sequence[Reading],
    policy: Policy,
) -> list[Stored]:
    """Keep the readings and count them. A transaction that has ended only keeps them."""
    await keep_readings(db, transaction, readings)
    if transaction.state not in {"OPEN", "LOST"} or transaction.progress is None:
        return []
    progress = progress_of(transaction)
    for reading in sorted(readings, key=lambda reading: reading.at):
        if reading.at < progress.read_at and reading.at >= progress.started_at:
            note(transaction, "out of order")
        metering.read(progress, figures(reading))
    keep(transaction, progress)
    await update_session(
        db,
        transaction,
        {"total_energy": in_kwh(progress.energy), "max_power": progress.most_measured},
    )
    return await billing.show_session(db, ref, transaction, policy)


async def keep_readings(
    db: AsyncSession, transaction: StationTransaction, readings: Sequence[Reading]
) -> None:
    rows = [
        row
        for reading in readings
        for sample in reading.samples
        if (row := meter_value(transaction, reading.at, sample)) is not None
    ]
    if rows:
        await db.execute(insert(MeterValue).values(rows))


def meter_value(
    transaction: StationTransaction, at: datetime, sample: Sample
) -> dict[str, Any] | None:
    """One row, or None for what the table has no place for; the raw message is kept elsewhere."""
    measurand = MEASURANDS.get(sample.measurand.replace(".", "").upper())
    storable = sample.value is not None and abs(sample.value) < LARGEST_VALUE
    if measurand is None or not (storable or sample.signed is not None):
        return None
    return {
        "charging_session_id": transaction.charging_session_id,
        "timestamp": at,
        "measurand": measurand,
        "value": sample.value if storable else None,
        "unit": sample.unit,
        "context": CONTEXTS.get((sample.context or "").replace(".", "").upper()),
        "format": "SIGNED_DATA" if sample.signed is not None else "RAW",
        "location": (sample.location or "").upper()
        if (sample.location or "").upper() in set(MeasurementLocation)
        else None,
        "phase": sample.phase,
        "signed_data": billing.packed(sample.signed) if sample.signed is not None else None,
    }


async def turn(
    db: AsyncSession,
    ref: StationRef,
    transaction: StationTransaction,
    charging_state: str,
    at: datetime,
    *,
    policy: Policy,
) -> list[Stored]:
    """The vehicle began or ceased to charge."""
    if transaction.state != "OPEN" or transaction.charging_state == charging_state:
        return []
    state = STATES.get(charging_state)
    if state is None or transaction.progress is None:
        return []
    progress = progress_of(transaction)
    metering.change(progress, at, state)
    keep(transaction, progress)
    transaction.charging_state = charging_state
    await happened(db, transaction, "STATE", at, {"state": charging_state})
    await update_session(db, transaction, {"status": SESSION_STATUS[charging_state]})
    return await billing.show_session(db, ref, transaction, policy)


async def stop(
    db: AsyncSession, ref: StationRef, transaction: StationTransaction, told: Stop, policy: Policy
) -> list[Stored]:
    """Take in the end. After it was taken for lost, what went out is taken back first."""
    if transaction.state == "ENDED":
        return []
    was_lost = transaction.state == "LOST"
    await keep_readings(db, transaction, told.readings)
    if "out of order" in (transaction.notes or []) or was_lost:
        await replay(db, transaction)
    elif transaction.progress is not None:
        progress = progress_of(transaction)
        for reading in sorted(told.readings, key=lambda reading: reading.at):
            metering.read(progress, figures(reading))
        keep(transaction, progress)
    ended_at = told.moment.at
    if (earlier := clocks.started_before(told.moment, transaction.started_at_told)) is not None:
        transaction.started_at = earlier
        progress = progress_of(transaction)
        keep(transaction, shifted(progress, earlier))
    if told.moment.corrected:
        note(transaction, "clock corrected")
    if transaction.started_at is not None:
        ended_at = max(ended_at, transaction.started_at)
    await end(db, transaction, ended_at, told.reason, told.meter_stop)
    transaction.state = "ENDED"
    moved = [] if was_lost else await billing.show_session(db, ref, transaction, policy)
    if transaction.stub:
        # Its beginning may still come; without it nobody can be billed.
        transaction.cdr_due_at = datetime.now(UTC) + policy.quarantine
        return moved
    transaction.cdr_due_at = None
    return moved + await billing.settle(db, ref, transaction, policy)


def shifted(progress: Progress, started_at: datetime) -> Progress:
    """The same transaction begun at another time: all its periods move with it."""
    by = started_at - progress.started_at
    progress.started_at += by
    progress.read_at += by
    for period in progress.periods:
        period.start += by
    return progress


async def end(
    db: AsyncSession,
    transaction: StationTransaction,
    ended_at: datetime,
    reason: str,
    meter_stop: Decimal | None,
) -> None:
    """Write the end into the transaction and its session."""
    progress = metering.finish(progress_of(transaction), ended_at, meter_stop)
    keep(transaction, progress)
    transaction.ended_at = max(ended_at, progress.started_at)
    transaction.stop_reason = reason[:40]
    charging = sum(
        (
            hours
            for period, hours in metering.durations(progress.periods, transaction.ended_at)
            if period.state == CHARGING
        ),
        Decimal(0),
    )
    mean = progress.energy / 1000 / charging if charging > 0 else None
    await update_session(
        db,
        transaction,
        {
            "start_timestamp": progress.started_at,
            "end_timestamp": transaction.ended_at,
            "end_value": in_kwh(progress.register if meter_stop is None else meter_stop),
            "start_value": in_kwh(progress.told_start or progress.meter_start),
            "total_energy": in_kwh(progress.energy),
            "max_power": fitting(progress.most_measured),
            "avg_power": fitting(mean),
            "status": ChargingStatus.COMPLETED,
            "stop_reason": stop_reason(reason),
            "session_metadata": {
                name: int(value)
                for name, value in (
                    ("initial_soc", progress.first_soc),
                    ("final_soc", progress.last_soc),
                )
                if value is not None
            },
            "diagnostics": {"warnings": progress.anomalies + list(transaction.notes or [])},
        },
    )
    await happened(db, transaction, "STOPPED", transaction.ended_at, {"reason": reason})


def fitting(power: Decimal | None) -> Decimal | None:
    """What the column takes: five digits of kW."""
    if power is None or abs(power) >= 100_000:  # noqa: PLR2004
        return None
    return power.quantize(Decimal("0.001"))


def stop_reason(reason: str) -> str:
    names = {name.replace("_", ""): name for name in StopReason}
    return names.get(reason.replace("_", "").upper(), StopReason.OTHER)


async def replay(db: AsyncSession, transaction: StationTransaction) -> None:
    """Count everything anew, in the order it happened rather than in that of its arrival."""
    before = progress_of(transaction)
    progress = metering.begin(
        transaction.started_at or before.started_at,
        meter_start=before.told_start,
        state=CHARGING,
        most_power=int(before.most_power),
    )
    turns = await db.execute(
        select(SessionEvent.timestamp, SessionEvent.details).where(
            SessionEvent.charging_session_id == transaction.charging_session_id,
            SessionEvent.event_type == "STATE",
        )
    )
    rows = await db.scalars(
        select(MeterValue)
        .where(
            MeterValue.charging_session_id == transaction.charging_session_id,
            MeterValue.value.is_not(None),
        )
        .order_by(MeterValue.timestamp)
    )
    by_time: dict[datetime, list[Sample]] = {}
    for row in rows:
        by_time.setdefault(row.timestamp, []).append(sample_of(row))
    steps: list[tuple[datetime, str | None, list[Sample]]] = [
        (turned.timestamp, turned.details["state"], []) for turned in turns
    ]
    steps += [(at, None, samples) for at, samples in by_time.items()]
    for at, state, samples in sorted(steps, key=lambda step: step[0]):
        if state is not None:
            metering.change(progress, at, STATES[state])
        else:
            metering.read(progress, figures(Reading(at, tuple(samples))))
    for anomaly in before.anomalies:
        progress.note(anomaly)
    keep(transaction, progress)


WORDS = {
    name: name.replace("_", ".").title().replace("Soc", "SoC").replace("Rpm", "RPM")
    for name in Measurand
}


def sample_of(row: MeterValue) -> Sample:
    return Sample(
        row.value,
        WORDS[Measurand(row.measurand)],
        row.unit,
        (row.context or "").replace("_", ".").title() or None,
        {"EV": "EV"}.get(row.location or "", (row.location or "").title()) or None,
        row.phase,
    )


async def supersede(
    db: AsyncSession,
    ref: StationRef,
    newer: StationTransaction,
    moment: Moment,
    policy: Policy,
) -> list[Stored]:
    """A new transaction at the EVSE: whatever ran there before has ended without a word."""
    moved: list[Stored] = []
    if newer.evse_number is None:
        return moved
    for other in await running(db, ref, newer.evse_number):
        if other.id != newer.id and (other.started_at or moment.at) <= moment.at:
            moved += await lose(db, ref, other, "a new transaction began", policy)
    return moved


async def lose(
    db: AsyncSession,
    ref: StationRef,
    transaction: StationTransaction,
    why: str,
    policy: Policy,
) -> list[Stored]:
    """Take a transaction for ended at its last reading. Its CDR waits for the real end."""
    progress = progress_of(transaction)
    note(transaction, f"stop missing: {why}")
    await end(db, transaction, max(progress.read_at, progress.started_at), "Other", None)
    await update_session(db, transaction, {"status": ChargingStatus.INTERRUPTED})
    transaction.state = "LOST"
    transaction.cdr_due_at = datetime.now(UTC) + policy.quarantine
    log.warning("transaction without a stop", transaction=transaction.transaction_id, why=why)
    return await billing.show_session(db, ref, transaction, policy)


async def orphan(db: AsyncSession, ref: StationRef, told: Stop, transaction_id: str) -> None:
    """The stop of a transaction nobody knows: kept, told the operator, applied to nothing."""
    key = digest("orphan", transaction_id, told.moment.told, told.meter_stop)
    created = await db.execute(
        upsert(StationTransaction)
        .values(
            charging_station_id=ref.id,
            transaction_id=f"orphan {key.hex()[:24]}",
            natural_key=key,
            session_id=str(uuid4()),
            id_tag=told.id_tag,
            state="ORPHAN",
            ended_at=told.moment.at,
            stop_reason=told.reason[:40],
            notes=[f"stop of unknown transaction {transaction_id}"],
        )
        .on_conflict_do_nothing()
        .returning(StationTransaction.id)
    )
    if (row := created.first()) is not None:
        await audit.record(db, "SYSTEM_EVENT", "station_transaction", row.id,
                           description="A station reported the end of a transaction that the hub"
                           " does not know.", severity="MEDIUM")  # fmt: skip


def matching(candidates: Sequence[StationTransaction], told: Stop) -> StationTransaction | None:
    """The one open transaction that a stop without a usable id can only mean."""
    fitting_ = []
    for transaction in candidates:
        progress = progress_of(transaction)
        meter_fits = (
            told.meter_stop is None
            or progress.told_start is None
            or told.meter_stop >= progress.told_start
        )
        tag_fits = told.id_tag is None or (transaction.id_tag or "").upper() == told.id_tag.upper()
        begun = transaction.started_at is None or transaction.started_at <= told.moment.at
        if meter_fits and tag_fits and begun:
            fitting_.append(transaction)
    return fitting_[0] if len(fitting_) == 1 else None


async def unplugged(db: AsyncSession, ref: StationRef, evse_number: int, at: datetime) -> None:
    """The connector is free again: that is when the cable was taken out."""
    transaction = await db.scalar(
        select(StationTransaction)
        .where(
            StationTransaction.charging_station_id == ref.id,
            StationTransaction.evse_number == evse_number,
            StationTransaction.state.in_(["ENDED", "LOST"]),
        )
        .order_by(StationTransaction.number.desc())
        .limit(1)
    )
    if transaction is not None:
        await db.execute(
            update(ChargingSession)
            .where(
                ChargingSession.id == transaction.charging_session_id,
                ChargingSession.created_at == transaction.session_created_at,
                ChargingSession.plug_out_timestamp.is_(None),
                func.coalesce(ChargingSession.end_timestamp, at) <= at + timedelta(seconds=1),
            )
            .values(plug_out_timestamp=at)
        )


def progress_of(transaction: StationTransaction) -> Progress:
    if transaction.progress is None:
        return metering.begin(transaction.started_at or datetime.now(UTC))
    return metering.restore(transaction.progress)


def keep(transaction: StationTransaction, progress: Progress) -> None:
    transaction.progress = metering.write(progress)


def note(transaction: StationTransaction, text: str) -> None:
    if text not in (transaction.notes or []):
        transaction.notes = [*(transaction.notes or []), text]
