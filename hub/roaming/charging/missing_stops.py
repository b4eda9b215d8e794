"""Transactions whose end the station never reported: a ladder from doubt to a bill.

A free connector or a new transaction at the same one ends what ran there in 1.6, where messages
come in order. Otherwise it is only doubted: after a boot, or in OCPP 2, where the end may still be
queued. Any further word about the transaction ends the doubt. A doubt that is due is looked into
(``ocpp/doubts.py`` asks the station) and confirmed or put off. An absent station confirms nothing:
while it is only offline, its sessions stay as they are.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.transactions import StationTransaction
from hub.models.values import ChargingStatus
from hub.roaming.charging import billing, endings, session_records, transactions
from hub.roaming.charging.billing import Policy
from hub.roaming.metering.clocks import Moment
from hub.roaming.ports import StationRef
from hub.roaming.store.writes import Stored

log = structlog.get_logger()

# After which time a doubt that could not be settled is looked into again.
AGAIN = timedelta(minutes=5)


async def supersede(
    db: AsyncSession,
    ref: StationRef,
    newer: StationTransaction,
    moment: Moment,
    policy: Policy,
) -> list[Stored]:
    """A new transaction at the EVSE: whatever ran there before has ended, or will say so soon."""
    moved: list[Stored] = []
    if newer.evse_number is None:
        return moved
    why = "a new transaction began"
    for other in await transactions.running(db, ref, newer.evse_number):
        if other.id == newer.id or (other.started_at or moment.at) > moment.at:
            continue
        if newer.natural_key is not None:
            moved += await lose(db, other, why, policy)
        else:
            doubt(other, why, policy.queued)
    return moved


def doubt(transaction: StationTransaction, why: str, wait: timedelta) -> None:
    """It may have ended; to be looked into after ``wait`` unless something is heard of it.

    What was heard since the first doubt counts; a boot (``boot_intake``) sets the doubt anew.
    """
    now = datetime.now(UTC)
    transaction.doubt = why
    transaction.doubted_at = transaction.doubted_at or now
    transaction.doubt_due_at = now + wait


async def connector_free(
    db: AsyncSession, ref: StationRef, evse_number: int, at: datetime, policy: Policy
) -> None:
    """OCPP 2: nothing is plugged in, though a transaction runs there. Its end may be queued."""
    for transaction in await transactions.running(db, ref, evse_number):
        if transaction.started_at is None or transaction.started_at < at:
            doubt(transaction, "the connector is free", policy.queued)


async def doubted(
    db: AsyncSession, station_ids: Sequence[UUID], *, limit: int = 50
) -> list[tuple[UUID, str]]:
    """Doubts that are due at these stations: (station, transaction id). One tenant's."""
    rows = await db.execute(
        select(StationTransaction.charging_station_id, StationTransaction.transaction_id)
        .where(
            StationTransaction.doubt_due_at <= datetime.now(UTC),
            StationTransaction.state == "OPEN",
            StationTransaction.charging_station_id.in_(station_ids),
        )
        .order_by(StationTransaction.doubt_due_at)
        .limit(limit)
    )
    return [(row.charging_station_id, row.transaction_id) for row in rows]


async def settle_doubt(
    db: AsyncSession, ref: StationRef, transaction_id: str, policy: Policy, *, over: bool | None
) -> list[Stored]:
    """``over``: the station says or shows that it has ended; None: it could not say."""
    transaction = await transactions.find(db, ref, transaction_id)
    if transaction is None or transaction.doubt_due_at is None or transaction.state != "OPEN":
        return []  # something was heard of it meanwhile
    why = transaction.doubt or "no word of it"
    if over:
        return await lose(db, transaction, why, policy)
    if over is None:
        doubt(transaction, why, AGAIN)
    else:
        transactions.trust(transaction)
    return []


async def lose(
    db: AsyncSession,
    transaction: StationTransaction,
    why: str,
    policy: Policy,
) -> list[Stored]:
    """Take a transaction for ended at its last reading. Its CDR waits for the real end."""
    progress = transactions.progress_of(transaction)
    transactions.trust(transaction)
    transactions.note(transaction, f"stop missing: {why}")
    await endings.end(db, transaction, max(progress.read_at, progress.started_at), "Other", None)
    await session_records.update_session(db, transaction, {"status": ChargingStatus.INTERRUPTED})
    transaction.state = "LOST"
    transaction.cdr_due_at = datetime.now(UTC) + policy.quarantine
    log.warning("transaction without a stop", transaction=transaction.transaction_id, why=why)
    return await billing.show_session(db, transaction)


async def close(
    db: AsyncSession,
    transaction: StationTransaction,
    policy: Policy,
    *,
    ended_at: datetime | None = None,
    meter_stop: Decimal | None = None,
) -> list[Stored]:
    """End and bill a transaction by the operator's word.

    It ended at its last reading unless told otherwise, and now where only the meter is told: what
    flowed must have had the time to. The station may still report the real end, which then takes
    back what went out.
    """
    progress = transactions.progress_of(transaction)
    if transaction.state == "OPEN" or ended_at is not None or meter_stop is not None:
        last = datetime.now(UTC) if meter_stop is not None else progress.read_at
        at = ended_at or max(last, progress.started_at)
        transactions.note(transaction, "closed by the operator")
        await endings.end(db, transaction, at, "Other", meter_stop)
        await session_records.update_session(
            db, transaction, {"status": ChargingStatus.INTERRUPTED}
        )
    transactions.trust(transaction)
    transaction.state = "LOST"
    moved = await billing.show_session(db, transaction)
    return moved + await billing.settle(db, transaction, policy)
