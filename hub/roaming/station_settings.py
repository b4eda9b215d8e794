"""What stations say of their settings, abilities and health."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, func, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.stations import ChargingStation, StationConfigurationItem
from hub.roaming.ports import StationRef


async def remember_settings(
    db: AsyncSession, ref: StationRef, settings: Iterable[tuple[str, str, str | None, bool]]
) -> None:
    """Settings a station told: (component, key, value, read-only), component empty in 1.6."""
    rows = [
        {
            "charging_station_id": ref.id,
            "component": component[:255],
            "key": key[:255],
            "value": value,
            "readonly": readonly,
            "reported_at": datetime.now(UTC),
        }
        for component, key, value, readonly in settings
        if key
    ]
    for start in range(0, len(rows), 500):
        statement = insert(StationConfigurationItem).values(rows[start : start + 500])
        await db.execute(
            statement.on_conflict_do_update(
                constraint="uq_station_configuration_items_key",
                set_={
                    name: statement.excluded[name] for name in ("value", "readonly", "reported_at")
                },
            )
        )


async def remember_capabilities(
    db: AsyncSession, ref: StationRef, capabilities: dict[str, Any]
) -> None:
    await db.execute(
        update(ChargingStation)
        .where(ChargingStation.id == ref.id)
        .values(
            capabilities=func.coalesce(ChargingStation.capabilities, text("'{}'::jsonb")).op("||")(
                bindparam("told", capabilities, type_=JSONB)
            )
        )
    )


async def diagnosed(db: AsyncSession, ref: StationRef, told: dict[str, Any]) -> None:
    """What a station says of its health, of updates and of uploads."""
    await db.execute(
        update(ChargingStation)
        .where(ChargingStation.id == ref.id)
        .values(
            diagnostics=func.coalesce(ChargingStation.diagnostics, text("'{}'::jsonb")).op("||")(
                bindparam("told", {"performance_metrics": told}, type_=JSONB)
            )
        )
    )
