"""Boots of stations, many at a time.

A group of them costs one statement. After a power cut all stations of a site boot at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.roaming.stations import stations
from hub.roaming.stations.stations import Boot

NOT_RESUMED = "the station booted and did not resume it"

# The clock may have jumped back: the next status counts, whatever its time. And what was running
# may not have been resumed: other than in ``missing_stops.doubt``, only what is heard after the
# boot speaks against it. Everything is locked in the order in which others lock it.
KEEP = text(
    "WITH told AS (SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS r(station uuid,"  # noqa: S608
    " manufacturer text, model text, serial text, firmware text, at timestamptz,"
    " doubt_due_at timestamptz)),"
    f" {stations.HELD},"
    " forgotten AS (UPDATE connectors SET configuration = configuration - 'status_at',"
    " updated_at = now() FROM (SELECT id FROM connectors"
    " WHERE charging_station_id IN (SELECT station FROM told)"
    " AND configuration ->> 'status_at' IS NOT NULL"
    " ORDER BY charging_station_id, evse_number, connector_id FOR NO KEY UPDATE) AS known"
    " WHERE connectors.id = known.id),"
    " doubted AS (UPDATE station_transactions AS t SET doubt = :why, doubted_at = running.at,"
    " doubt_due_at = running.doubt_due_at, updated_at = now()"
    " FROM (SELECT t.id, told.at, told.doubt_due_at FROM station_transactions AS t"
    " JOIN told ON t.charging_station_id = told.station WHERE t.state = 'OPEN'"
    " ORDER BY t.id FOR NO KEY UPDATE OF t) AS running WHERE t.id = running.id)"
    " UPDATE charging_stations AS station SET manufacturer = told.manufacturer,"
    " model = told.model, serial_number = told.serial, firmware_version = told.firmware,"
    " last_heartbeat = told.at, booted_at = told.at, clock_offset = NULL, updated_at = now()"
    " FROM told JOIN held ON held.id = told.station WHERE station.id = held.id"
    " RETURNING station.id, station.status"
)


@dataclass(frozen=True, slots=True)
class Booted:
    """A station booted. ``resume`` is how long it may take to go on with what was running."""

    station_id: UUID
    boot: Boot
    at: datetime
    resume: timedelta

    def row(self) -> dict[str, Any]:
        boot = self.boot
        return {
            "station": str(self.station_id),
            "manufacturer": boot.manufacturer[:100],
            "model": boot.model[:100],
            "serial": (boot.serial_number or "")[:100] or None,
            "firmware": (boot.firmware_version or "")[:50] or None,
            "at": self.at.isoformat(),
            "doubt_due_at": (self.at + self.resume).isoformat(),
        }


async def keep_boots(db: AsyncSession, group: Sequence[Booted]) -> list[str]:
    """Keep what they say; returns their registrations: Accepted, Pending or Rejected."""
    # Of a station that booted twice the last one counts.
    rows = {booted.station_id: booted.row() for booted in group}
    kept = await db.execute(
        KEEP, {"rows": codec.write_rows(list(rows.values())), "why": NOT_RESUMED}
    )
    found = {row.id: stations.registration(row.status) for row in kept}
    # One that was removed meanwhile is nobody's.
    return [found.get(booted.station_id, "Rejected") for booted in group]
