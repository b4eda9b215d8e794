"""How much a token of our own drivers may take at a time: minutes, and money.

A station cannot know. What runs longer or costs more is looked for now and then and told to stop,
once; how soon depends on how often is looked, and on the station.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit, codec
from hub.models.charging import AuthToken, ChargingSession
from hub.models.objects import Session
from hub.models.transactions import StationTransaction
from hub.models.values import AuditAction
from hub.roaming.charging import transactions

SPENT = "stopped: the token's allowance is spent"


async def spent(db: AsyncSession, station_ids: Sequence[UUID]) -> list[tuple[UUID, str]]:
    """Stations and their transactions that must stop now; each is told only once."""
    usage = AuthToken.restrictions["usage"]
    rows = await db.execute(
        select(StationTransaction, usage, Session.document)
        .join(
            ChargingSession,
            and_(
                ChargingSession.id == StationTransaction.charging_session_id,
                ChargingSession.created_at == StationTransaction.session_created_at,
            ),
        )
        .join(AuthToken, AuthToken.id == ChargingSession.auth_token_id)
        .outerjoin(
            Session,
            and_(Session.object_id == StationTransaction.session_id, Session.partner_id.is_(None)),
        )
        .where(
            StationTransaction.state == "OPEN",
            StationTransaction.charging_station_id.in_(station_ids),
            usage["max_duration_minutes"].is_not(None)
            | usage["max_amount_per_session"].is_not(None),
        )
        .with_for_update(of=StationTransaction, skip_locked=True)
    )
    found = []
    for transaction, limits, document in rows:
        if SPENT in transaction.notes or not over(transaction, limits or {}, document):
            continue
        transactions.note(transaction, SPENT)
        await audit.record(
            db,
            AuditAction.SESSION_STOP,
            "station_transaction",
            transaction.id,
            description=f"Transaction {transaction.transaction_id} is {SPENT}",
        )
        found.append((transaction.charging_station_id, transaction.transaction_id))
    return found


def over(transaction: StationTransaction, limits: dict[str, Any], document: str | None) -> bool:
    return long(transaction, limits) or dear(limits, document)


def long(transaction: StationTransaction, limits: dict[str, Any]) -> bool:
    minutes = limits.get("max_duration_minutes")
    if minutes is None or transaction.started_at is None:
        return False
    return datetime.now(UTC) - transaction.started_at >= timedelta(minutes=minutes)


def dear(limits: dict[str, Any], document: str | None) -> bool:
    """Whether the session costs as much as it may, taxes included, by what OCPI was told."""
    most = limits.get("max_amount_per_session")
    if most is None or document is None:
        return False
    cost = codec.read_stored(document).get("total_cost") or {}
    amounts = [cost.get("before_taxes", 0), *(tax["amount"] for tax in cost.get("taxes") or [])]
    try:
        return sum(map(Decimal, map(str, amounts)), Decimal(0)) >= Decimal(most)
    except InvalidOperation:
        return False
