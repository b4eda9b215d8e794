"""What OCPI sees of our own transactions: a Session while they run, a CDR when they have ended.

A CDR is final. When a station reports an end after the hub had taken the transaction for lost and
billed it, the CDR is credited and a new one sent (CDR-06).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.models.objects import CDR
from hub.models.transactions import StationTransaction
from hub.models.values import Party
from hub.roaming.charging import charge_records, meter_values, own_prices
from hub.roaming.merging import Document
from hub.roaming.metering.progress import restore_progress
from hub.roaming.modules import CDRS, SESSIONS
from hub.roaming.projection.cdrs import Circumstances, cdr_document, credit_of
from hub.roaming.projection.sessions import SessionFacts, session_document
from hub.roaming.store import own_objects
from hub.roaming.store.writes import Stored, Write

log = structlog.get_logger()

# A CDR without its costs and the time zone of its location, to the members that costs fill:
# ``total_cost`` and its parts, and the periods divided where prices change. Pure.
Price = Callable[[Document, str], Mapping[str, Any]]

# Ends that mean nothing was sold, when no energy flowed.
NOTHING_SOLD = frozenset({"Timeout", "DeAuthorized"})


@dataclass(frozen=True)
class Policy:
    """``quarantine`` is how long the hub waits for the end of a transaction it took for lost.

    ``resume`` is how long after a boot a station may take to go on with what it had running,
    ``queued`` how long the end of what seems to be over may still be on its way. Of a session
    that only goes on OCPI is told no more often than ``show_every``.
    """

    price: Price = own_prices.final
    quarantine: timedelta = timedelta(hours=24)
    resume: timedelta = timedelta(minutes=15)
    queued: timedelta = timedelta(seconds=10)
    show_every: timedelta = timedelta(seconds=10)
    refuse_concurrent: bool = False


def facts(transaction: StationTransaction, status: str) -> SessionFacts | None:
    """None when OCPI cannot be told: nobody to bill, or no place to name."""
    around, token = transaction.circumstances, transaction.cdr_token
    if around is None or token is None or transaction.started_at is None:
        return None
    tariffs = around["tariffs"]
    return SessionFacts(
        id=transaction.session_id,
        owner=Party(*around["owner"]),
        cdr_token=token,
        auth_method=transaction.auth_method or "WHITELIST",
        status=status,
        started_at=transaction.started_at,
        currency=tariffs[0]["currency"] if tariffs else around["currency"],
        location_id=around["location"]["id"],
        evse_uid=around["evse"]["uid"],
        connector_id=around["connector_id"],
        authorization_reference=transaction.authorization_reference,
        ended_at=transaction.ended_at,
        progress=restore_progress(transaction.progress) if transaction.progress else None,
        tariff_id=tariffs[0]["id"] if tariffs else None,
    )


def session_status(transaction: StationTransaction) -> str:
    if transaction.state == "OPEN":
        return "ACTIVE"
    return "INVALID" if nothing_sold(transaction) else "COMPLETED"


def nothing_sold(transaction: StationTransaction) -> bool:
    energy = Decimal((transaction.progress or {}).get("energy", "0"))
    return energy == 0 and transaction.stop_reason in NOTHING_SOLD


async def show_session(db: AsyncSession, transaction: StationTransaction) -> list[Stored]:
    """Put the session as it stands before its eMSP."""
    return await show_sessions(db, [transaction])


async def show_sessions(
    db: AsyncSession, transactions: Sequence[StationTransaction]
) -> list[Stored]:
    """The same for several at once."""
    at = datetime.now(UTC)
    writes = []
    for transaction in transactions:
        transaction.shown_at, transaction.show_due_at = at, None
        if (about := facts(transaction, session_status(transaction))) is not None:
            writes.append(Write(SESSIONS, "PUT", about.owner, about.id, shown(transaction, about)))
    return await own_objects.apply(db, writes)


def shown(transaction: StationTransaction, about: SessionFacts) -> Document:
    at = datetime.now(UTC)
    document = session_document(about, at=at)
    around = transaction.circumstances
    assert around is not None
    ended = transaction.ended_at or at
    document |= own_prices.running(document, around["tariffs"], around["zone"], ended)
    return own_objects.plain(document)


async def settle(db: AsyncSession, transaction: StationTransaction, policy: Policy) -> list[Stored]:
    """Send the CDR of an ended transaction, crediting the one that went out too early."""
    about = facts(transaction, "COMPLETED")
    transaction.cdr_due_at = None
    if about is None or about.ended_at is None or nothing_sold(transaction):
        return []
    moved: list[Stored] = []
    at = datetime.now(UTC)
    if transaction.cdr_ids:
        moved += await credit(db, transaction, about.owner, at)
    document = await priced_cdr(db, transaction, about, policy, at)
    moved += await own_objects.apply(
        db, [Write(CDRS, "POST", about.owner, document["id"], document)]
    )
    transaction.cdr_ids = [*(transaction.cdr_ids or []), document["id"]]
    await charge_records.keep(db, transaction, document)
    return moved


async def priced_cdr(
    db: AsyncSession,
    transaction: StationTransaction,
    about: SessionFacts,
    policy: Policy,
    at: datetime,
) -> Document:
    around = transaction.circumstances
    assert around is not None
    # The first CDR of a session bears its id; a corrected one needs another.
    cdr_id = transaction.session_id if not transaction.cdr_ids else str(uuid4())
    document = cdr_document(
        about,
        Circumstances(
            around["location"], around["evse"], around["connector_id"], tuple(around["tariffs"])
        ),
        cdr_id=cdr_id,
        at=at,
        signed=await meter_values.signed_readings(db, transaction),
        remark=remark(transaction),
    )
    document = own_objects.plain(document)
    return own_objects.plain({**document, **policy.price(document, around["zone"])})


def remark(transaction: StationTransaction) -> str:
    parts = [f"Stop reason: {transaction.stop_reason or 'Local'}."]
    if not (transaction.circumstances or {}).get("tariffs"):
        parts.append("No tariff.")
    parts += [f"{text[:1].upper()}{text[1:]}." for text in transaction.notes or []]
    if transaction.progress is not None:
        anomalies = transaction.progress["anomalies"]
        parts += [f"{text[:1].upper()}{text[1:]}." for text in anomalies]
    return " ".join(parts)


async def credit(
    db: AsyncSession, transaction: StationTransaction, owner: Party, at: datetime
) -> list[Stored]:
    last = transaction.cdr_ids[-1]
    found = await db.scalar(
        select(CDR.document).where(CDR.object_key == last.upper(), CDR.partner_id.is_(None))
    )
    if found is None:
        return []
    document = own_objects.plain(credit_of(codec.read_stored(found), at=at))
    transaction.cdr_ids = [*transaction.cdr_ids, document["id"]]
    return await own_objects.apply(db, [Write(CDRS, "POST", owner, document["id"], document)])


async def settle_overdue(db: AsyncSession, policy: Policy, *, limit: int = 50) -> list[Stored]:
    """Bill transactions whose real end has not come within the quarantine. One tenant's."""
    rows = await db.scalars(
        select(StationTransaction)
        .where(
            StationTransaction.cdr_due_at <= datetime.now(UTC),
            StationTransaction.state.in_(["LOST", "ENDED"]),
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    moved: list[Stored] = []
    for transaction in rows:
        moved += await settle(db, transaction, policy)
    return moved
