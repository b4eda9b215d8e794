"""What stations report of themselves, in no version's words, and what OCPI is told of it.

A station's EVSEs are published when the operator has placed it at a location and described its
connectors. Whatever else turns up on the wire is kept, pending, and shown to nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.models.stations import ChargingStation
from hub.models.values import OCPPStatus, StationStatus
from hub.roaming.ports import StationRef
from hub.roaming.stations import own_evses
from hub.roaming.store.writes import Stored

log = structlog.get_logger()

# What a station may do, by what the operator holds of it.
REGISTRATION = {
    StationStatus.INACTIVE: "Pending",
    StationStatus.DECOMMISSIONED: "Rejected",
}


@dataclass(frozen=True)
class Boot:
    """What a station says when it boots."""

    manufacturer: str
    model: str
    serial_number: str | None = None
    firmware_version: str | None = None
    reason: str | None = None


def registration(status: str) -> str:
    """Accepted, Pending or Rejected."""
    return REGISTRATION.get(StationStatus(status), "Accepted")


# Whoever writes to many stations at a time locks them in the order of their ids before: two that
# meet never wait for each other in a circle. For statements whose ``told`` names each station.
HELD = (
    "held AS MATERIALIZED (SELECT id FROM charging_stations"
    " WHERE id IN (SELECT station FROM told) ORDER BY id FOR NO KEY UPDATE)"
)

CONNECTED = text(
    "UPDATE charging_stations AS station SET connected_to = :process, connected_at = now(),"
    " connected_version = :version, remote_address = :address, last_heartbeat = now(),"
    # Set anew when it told its own status; until then it is not away any more.
    " ocpp_status = CASE WHEN station.ocpp_status = 'OFFLINE' THEN 'AVAILABLE'"
    " ELSE station.ocpp_status END, updated_at = now()"
    # As the statement found it.
    " FROM charging_stations AS before WHERE station.id = :id AND before.id = station.id"
    " RETURNING before.ocpp_status, before.connected_to"
)


@dataclass(frozen=True)
class Arrival:
    """Whether a station was shown as UNKNOWN until it came, and whether another process had it."""

    was_away: bool
    was_elsewhere: bool


async def connected(
    db: AsyncSession, ref: StationRef, process: str, *, version: str, address: str
) -> Arrival:
    """A socket of the station is open in ``process``: that is where its CALLs go."""
    found = await db.execute(
        CONNECTED,
        {"id": ref.id, "process": process, "version": version, "address": address[:45] or None},
    )
    status, holder = found.one_or_none() or (None, None)
    return Arrival(status == OCPPStatus.OFFLINE, holder not in {None, process})


async def disconnected(db: AsyncSession, ref: StationRef, process: str) -> None:
    """Its last socket here is gone. Only after a grace period is it shown as UNKNOWN."""
    await db.execute(
        update(ChargingStation)
        .where(ChargingStation.id == ref.id, ChargingStation.connected_to == process)
        .values(connected_to=None, last_heartbeat=func.now())
    )


async def seen(db: AsyncSession, station_ids: Sequence[UUID], process: str) -> None:
    """These stations of the tenant have sockets here; one statement for all of them.

    One that nobody holds any more is ours: its newer socket, at another process, has ended.
    """
    ours = func.coalesce(ChargingStation.connected_to, process) == process
    held = (
        select(ChargingStation.id)
        .where(ChargingStation.id.in_(station_ids), ours)
        .order_by(ChargingStation.id)
        .with_for_update(key_share=True)
        .cte("held")
    )
    await db.execute(
        update(ChargingStation)
        .where(ChargingStation.id == held.c.id)
        .values(last_heartbeat=func.now(), connected_to=process)
    )


async def clock_seen(db: AsyncSession, ref: StationRef, offset: timedelta) -> None:
    """How far the station's clock is ahead of ours, as a live message showed it."""
    await db.execute(
        update(ChargingStation)
        .where(ChargingStation.id == ref.id)
        .values(clock_offset=offset.total_seconds())
    )


async def password_changed(db: AsyncSession, ref: StationRef) -> None:
    """The station has used its new password: the old one is worth nothing any more."""
    await db.execute(
        text(
            "UPDATE charging_stations SET configuration = configuration #- "
            "'{security,next_password_digest}', password_digest = "
            "decode(configuration #>> '{security,next_password_digest}', 'hex') WHERE id = :id"
            " AND configuration #>> '{security,next_password_digest}' IS NOT NULL"
        ),
        {"id": ref.id},
    )
    await audit.record(db, "CONFIGURATION_CHANGED", "charging_station", ref.id,
                       description="The station uses its new password.")  # fmt: skip


async def password_offered(db: AsyncSession, ref: StationRef, digest: bytes | None) -> None:
    """A new password is on its way: both are good until it is first used. None takes it back."""
    if digest is None:
        statement = "configuration #- '{security,next_password_digest}'"
    else:
        statement = (
            "jsonb_set(jsonb_set(coalesce(configuration, '{}'), '{security}',"
            " coalesce(configuration -> 'security', '{}')),"
            " '{security,next_password_digest}', to_jsonb(cast(:digest as text)))"
        )
    await db.execute(
        text(f"UPDATE charging_stations SET configuration = {statement} WHERE id = :id"),  # noqa: S608
        {"id": ref.id} | ({"digest": digest.hex()} if digest is not None else {}),
    )


async def gone_quiet(db: AsyncSession, grace: timedelta) -> list[StationRef]:
    """Stations that have had no socket for longer than the grace. Platform transaction."""
    since = datetime.now(UTC) - grace
    # A process that was killed could not say that its stations are gone; it had to confirm them.
    abandoned = since - timedelta(minutes=2)
    rows = await db.execute(
        select(ChargingStation.tenant_id, ChargingStation.id).where(
            ChargingStation.ocpp_status.is_distinct_from(OCPPStatus.OFFLINE),
            ChargingStation.last_heartbeat.is_not(None),
            ((ChargingStation.connected_to.is_(None)) & (ChargingStation.last_heartbeat < since))
            | (ChargingStation.last_heartbeat < abandoned),
        )
    )
    return [StationRef(row.tenant_id, row.id) for row in rows]


async def offline(db: AsyncSession, ref: StationRef, grace: timedelta) -> list[Stored]:
    """Show the station's EVSEs as UNKNOWN; its sessions stay what they are."""
    since = datetime.now(UTC) - grace
    found = await db.execute(
        update(ChargingStation)
        .where(ChargingStation.id == ref.id, ChargingStation.last_heartbeat < since)
        .values(ocpp_status=OCPPStatus.OFFLINE, connected_to=None)
        .returning(ChargingStation.id)
    )
    return await own_evses.publish(db, ref) if found.first() is not None else []
