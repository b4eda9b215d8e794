"""What stations report of their connectors: there they are, and what they are doing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.ocpp import StationEVSE
from hub.models.stations import Connector
from hub.roaming.ports import StationRef


@dataclass(frozen=True)
class StatusReport:
    """What a connector says. ``status`` is one of ConnectorStatus; number 0 is the station."""

    evse_number: int
    connector_id: int
    status: str
    at: datetime
    word: str = ""
    error_code: str | None = None
    info: str | None = None
    vendor_error_code: str | None = None


@dataclass(frozen=True)
class Discovered:
    """A connector as the station describes it; None leaves what the operator said."""

    evse_number: int
    connector_id: int
    connector_type: str | None = None
    max_power: int | None = None
    phases: int | None = None


async def know_evse(db: AsyncSession, ref: StationRef, evse_number: int) -> None:
    """Make the EVSE known, pending; its uid has nothing to do with the station (T-47, LOC-09)."""
    await db.execute(
        insert(StationEVSE)
        .values(charging_station_id=ref.id, evse_number=evse_number, evse_uid=str(uuid4()))
        .on_conflict_do_nothing(index_elements=["tenant_id", "charging_station_id", "evse_number"])
    )


async def discovered(db: AsyncSession, ref: StationRef, found: Iterable[Discovered]) -> None:
    """Connectors a station reports. The operator's own description outranks it."""
    for one in found:
        await know_evse(db, ref, one.evse_number)
        statement = insert(Connector).values(
            charging_station_id=ref.id,
            evse_number=one.evse_number,
            connector_id=one.connector_id,
            connector_type=one.connector_type or "UNKNOWN",
            max_power=one.max_power,
            number_of_phases=one.phases,
        )
        await db.execute(
            statement.on_conflict_do_update(
                constraint="uq_connectors_number",
                set_={
                    "connector_type": text(
                        "CASE WHEN connectors.connector_type = 'UNKNOWN'"
                        " THEN excluded.connector_type ELSE connectors.connector_type END"
                    ),
                    "max_power": func.coalesce(Connector.max_power, statement.excluded.max_power),
                    "number_of_phases": func.coalesce(
                        Connector.number_of_phases, statement.excluded.number_of_phases
                    ),
                },
            )
        )
