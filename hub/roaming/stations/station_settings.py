"""What stations say of their settings, abilities and health."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, func, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.stations import ChargingStation, StationConfigurationItem
from hub.models.values import StationAvailability
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
    """The last word about some matter of the station's health: an update, an upload, a limit."""
    await db.execute(
        text(
            "UPDATE charging_stations SET diagnostics = coalesce(diagnostics, '{}')"
            " || jsonb_build_object('system_health',"
            " coalesce(diagnostics -> 'system_health', '{}') || :told) WHERE id = :id"
        ).bindparams(bindparam("told", told, type_=JSONB), id=ref.id)
    )


async def uploaded(db: AsyncSession, ref: StationRef, at: datetime) -> None:
    """A log or diagnostics file has arrived where it was to go."""
    await db.execute(
        text(
            "UPDATE charging_stations SET diagnostics = coalesce(diagnostics, '{}')"
            " || jsonb_build_object('last_diagnostics_run', cast(:at AS text)) WHERE id = :id"
        ).bindparams(at=at.isoformat(), id=ref.id)
    )


async def availability_changed(
    db: AsyncSession,
    ref: StationRef,
    evse_number: int | None,
    *,
    operative: bool,
    scheduled: bool,
) -> None:
    """What the station was told to be, as a whole or at one EVSE. It says itself what it is."""
    if evse_number is None:
        told = StationAvailability.OPERATIVE if operative else StationAvailability.INOPERATIVE
        if scheduled:
            told = StationAvailability.SCHEDULED
        await db.execute(
            update(ChargingStation).where(ChargingStation.id == ref.id).values(availability=told)
        )
        return
    await db.execute(
        text(
            "UPDATE connectors SET configuration = coalesce(configuration, '{}')"
            " || jsonb_build_object('is_enabled', cast(:operative AS boolean))"
            " WHERE charging_station_id = :id AND evse_number = :evse_number"
        ).bindparams(operative=operative, id=ref.id, evse_number=evse_number)
    )
