"""Transactions whose end the station never reported."""

from datetime import UTC, datetime
from decimal import Decimal

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.ocpp import StationTransaction
from hub.models.values import ChargingStatus
from hub.roaming import billing, endings, session_records, transactions
from hub.roaming.billing import Policy
from hub.roaming.clocks import Moment
from hub.roaming.objects import Stored
from hub.roaming.ports import StationRef

log = structlog.get_logger()


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
    for other in await transactions.running(db, ref, newer.evse_number):
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
    progress = transactions.progress_of(transaction)
    transactions.note(transaction, f"stop missing: {why}")
    await endings.end(db, transaction, max(progress.read_at, progress.started_at), "Other", None)
    await session_records.update_session(db, transaction, {"status": ChargingStatus.INTERRUPTED})
    transaction.state = "LOST"
    transaction.cdr_due_at = datetime.now(UTC) + policy.quarantine
    log.warning("transaction without a stop", transaction=transaction.transaction_id, why=why)
    return await billing.show_session(db, ref, transaction, policy)


async def close(
    db: AsyncSession,
    ref: StationRef,
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
    transaction.state = "LOST"
    moved = await billing.show_session(db, ref, transaction, policy)
    return moved + await billing.settle(db, ref, transaction, policy)
