"""Transactions of our own stations as rows: found by whatever a station says of them.

A transaction belongs to its station, not to a connection. Neither message ids nor sequence numbers
identify anything in the field, so what was said before is known by its content.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from uuid import uuid4

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.models.stations import Connector
from hub.models.transactions import StationTransaction
from hub.roaming.metering import crossings, metering
from hub.roaming.metering.clocks import Moment
from hub.roaming.metering.crossings import Limits
from hub.roaming.metering.progress import Progress, restore_progress, write_progress
from hub.roaming.metering.readings import Reading
from hub.roaming.ports import StationRef

NOTE = text(
    "INSERT INTO station_events"
    " (station_transaction_id, digest, kind, at, sequence_number, raw)"
    " VALUES (:transaction, :digest, :kind, :at, :sequence, :raw)"
    " ON CONFLICT DO NOTHING RETURNING id"
)


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
    authorized_at: datetime | None = None
    plugged_in_at: datetime | None = None


@dataclass(frozen=True)
class Stop:
    moment: Moment
    reason: str = "Local"
    meter_stop: Decimal | None = None
    id_tag: str | None = None
    readings: tuple[Reading, ...] = ()


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
    """Note a message down; False when it was noted before and must change nothing.

    What happened after the transaction was doubted shows that it goes on.
    """
    told = {
        "transaction": transaction.id,
        "digest": key,
        "kind": kind,
        "at": at,
        "sequence": sequence,
        "raw": raw,
    }
    noted = await db.execute(NOTE, told)
    if noted.first() is None:
        return False
    if transaction.doubted_at is not None and at >= transaction.doubted_at:
        trust(transaction)
    return True


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


def progress_of(transaction: StationTransaction) -> Progress:
    if transaction.progress is None:
        return metering.begin(transaction.started_at or datetime.now(UTC))
    return restore_progress(transaction.progress)


def limits_of(transaction: StationTransaction) -> Limits:
    """Those of the tariff as it was when the transaction began."""
    return crossings.limits_of((transaction.circumstances or {}).get("tariffs") or ())


def keep(transaction: StationTransaction, progress: Progress) -> None:
    transaction.progress = write_progress(progress)


def note(transaction: StationTransaction, text: str) -> None:
    if text not in (transaction.notes or []):
        transaction.notes = [*(transaction.notes or []), text]


def trust(transaction: StationTransaction) -> None:
    """Nothing is to be looked into: it goes on, or something has become of it."""
    transaction.doubt = transaction.doubted_at = transaction.doubt_due_at = None
