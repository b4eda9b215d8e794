"""What a station may show its driver of the price of a session (OCPP 2.x, I03)."""

from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.models.objects import Session
from hub.models.transactions import StationTransaction
from hub.roaming.ports import StationRef


async def final_cost(db: AsyncSession, ref: StationRef, transaction_id: str) -> Decimal | None:
    """With taxes, in the tariff's currency. 0 says that it was free; None that nobody can tell."""
    kept = await db.scalar(
        select(Session.document)
        .join(StationTransaction, StationTransaction.session_id == Session.object_id)
        .where(
            StationTransaction.charging_station_id == ref.id,
            StationTransaction.transaction_id == transaction_id,
            StationTransaction.state == "ENDED",
        )
    )
    cost = codec.read_stored(kept).get("total_cost") if kept is not None else None
    if cost is None:
        return None
    taxes = (Decimal(str(tax["amount"])) for tax in cost.get("taxes") or ())
    return sum(taxes, Decimal(str(cost["before_taxes"])))
