"""What stations report to whoever operates them: events, limits, progress, answers in parts."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.ocpp import StationCall, StationReport
from hub.roaming.ports import StationRef

KEPT = timedelta(days=90)


async def keep(
    db: AsyncSession,
    ref: StationRef,
    action: str,
    payload: dict[str, Any],
    *,
    at: datetime | None = None,
    request_id: int | None = None,
    severity: int | None = None,
) -> None:
    """``payload`` is as operators may see it. ``severity`` is OCPP's: 0 danger … 9 debug."""
    await db.execute(
        insert(StationReport).values(
            charging_station_id=ref.id,
            action=action,
            at=at or datetime.now(UTC),
            request_id=request_id,
            severity=severity,
            payload=payload,
        )
    )


async def forget(db: AsyncSession) -> None:
    """Drop reports, and calls of ours, that are older than anybody looks back. One tenant's."""
    for table in (StationReport, StationCall):
        await db.execute(delete(table).where(table.created_at < datetime.now(UTC) - KEPT))
