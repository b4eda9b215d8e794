"""Readings of running transactions, many at a time.

They are nine of ten messages that stations send. A group of them costs the statements of one: the
transactions are locked and read together, what was seen before is left out, and all rows are
written at once. Whatever is not plain (a transaction nobody knows yet, one that has ended, a state
that changes with the reading) is given back to be worked on by itself.

OCPI is told at most every so often of a session that only goes on; the end is told at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.models.transactions import StationTransaction
from hub.roaming.charging import billing, meter_values, session_records
from hub.roaming.charging.billing import Policy
from hub.roaming.metering import metering
from hub.roaming.metering.crossings import NONE, Limits, limits_within
from hub.roaming.metering.progress import Progress, restore_progress, write_progress
from hub.roaming.metering.readings import Reading, figures
from hub.roaming.store.writes import Stored

# Locked in the order of their ids: two groups that meet never wait for each other in a circle. The
# messages that are noted here for the first time are ``fresh``. One with another state than the
# transaction has is not noted: it is worked on by itself.
LOCK = text(
    "WITH asked AS (SELECT * FROM json_to_recordset(CAST(:rows AS json)) AS r(station uuid,"
    " transaction text, digest text, kind text, at timestamptz, sequence bigint, state text)),"
    " running AS (SELECT t.id, t.charging_station_id, t.transaction_id, t.charging_session_id,"
    " t.session_created_at, t.charging_state, t.progress, t.notes, t.doubted_at, t.shown_at,"
    # Of the tariff no more than what a reading may cross: it can be long.
    " jsonb_path_query_array(t.circumstances, '$.tariffs[*].elements[*].restrictions')"
    " AS restrictions FROM station_transactions t"
    " JOIN (SELECT DISTINCT station, transaction FROM asked) AS wanted"
    " ON t.charging_station_id = wanted.station AND t.transaction_id = wanted.transaction"
    " WHERE t.state = 'OPEN' AND NOT t.stub AND t.progress IS NOT NULL"
    " AND t.session_created_at IS NOT NULL"
    " ORDER BY t.id FOR UPDATE OF t),"
    " noted AS (INSERT INTO station_events"
    " (station_transaction_id, digest, kind, at, sequence_number)"
    " SELECT running.id, decode(digest, 'hex'), kind, at, sequence FROM asked JOIN running"
    " ON charging_station_id = station AND transaction_id = transaction"
    " WHERE asked.state IS NULL OR asked.state = charging_state"
    " ON CONFLICT DO NOTHING RETURNING station_transaction_id, digest)"
    " SELECT id, charging_station_id, transaction_id, charging_session_id, session_created_at,"
    " charging_state, progress, nullif(notes, '[]') AS notes, doubted_at, shown_at,"
    " nullif(restrictions, '[]') AS restrictions,"
    " (SELECT array_agg(digest) FROM noted WHERE station_transaction_id = running.id) AS fresh"
    " FROM running"
)
WRITE = text(
    f"WITH kept AS ({meter_values.INSERT})"  # noqa: S608 - constants of ours
    " UPDATE station_transactions AS t SET progress = r.progress, notes = r.notes,"
    " show_due_at = r.show_due_at, updated_at = now(),"
    " doubt = CASE WHEN r.trusted THEN NULL ELSE t.doubt END,"
    " doubted_at = CASE WHEN r.trusted THEN NULL ELSE t.doubted_at END,"
    " doubt_due_at = CASE WHEN r.trusted THEN NULL ELSE t.doubt_due_at END"
    " FROM json_to_recordset(CAST(:counted AS json)) AS r(id uuid, progress jsonb, notes jsonb,"
    " show_due_at timestamptz, trusted boolean) WHERE t.id = r.id"
)


@dataclass(frozen=True, slots=True)
class Metered:
    """The readings of one message. ``key`` tells the same message sent again."""

    station_id: UUID
    transaction_id: str
    key: bytes
    at: datetime
    readings: tuple[Reading, ...]
    policy: Policy
    kind: str = "METER"
    sequence: int | None = None
    # What 2.x says the vehicle is doing; None when it says nothing.
    charging_state: str | None = None


@dataclass(slots=True)
class Counted:
    """A running transaction of the group, and what the group makes of it."""

    id: UUID
    session_id: UUID
    session_created_at: datetime
    charging_state: str | None
    progress: Progress
    notes: list[str]
    doubted_at: datetime | None
    shown_at: datetime | None
    limits: Limits
    # Keys of its messages that were not seen before.
    fresh: set[bytes]
    trusted: bool = False
    policy: Policy | None = None
    samples: list[dict[str, Any]] = field(default_factory=list)

    def count(self, metered: Metered) -> None:
        for reading in sorted(metered.readings, key=lambda reading: reading.at):
            if self.progress.started_at <= reading.at < self.progress.read_at:
                self.note("out of order")
            metering.read(self.progress, figures(reading), self.limits)
        self.samples += meter_values.rows(self.session_id, metered.readings)
        self.policy = metered.policy
        if self.doubted_at is not None and metered.at >= self.doubted_at:
            self.trusted = True

    def note(self, what: str) -> None:
        if what not in self.notes:
            self.notes.append(what)

    def row(self, now: datetime) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "progress": write_progress(self.progress),
            "notes": self.notes,
            "show_due_at": self.show_due_at(now).isoformat(),
            "trusted": self.trusted,
        }

    def show_due_at(self, now: datetime) -> datetime:
        """When OCPI is to be told: now, or a while after it was told last."""
        assert self.policy is not None
        return now if self.shown_at is None else max(now, self.shown_at + self.policy.show_every)


@dataclass(frozen=True, slots=True)
class Taken:
    """``done`` is False for readings that must be worked on by themselves."""

    done: bool
    moved: tuple[Stored, ...] = ()


async def take(db: AsyncSession, group: Sequence[Metered]) -> list[Taken]:
    """Keep and count the readings of a group, in their order; one tenant's."""
    known = await lock(db, group)
    results = []
    for metered in group:
        one = known.get((metered.station_id, metered.transaction_id))
        if one is None or metered.charging_state not in {None, one.charging_state}:
            results.append(Taken(False))
            continue
        results.append(Taken(True))
        if metered.key in one.fresh:
            one.fresh.discard(metered.key)
            one.count(metered)
    moved = await write(db, [one for one in known.values() if one.policy is not None])
    if results and moved:
        results[0] = Taken(results[0].done, tuple(moved))
    return results


async def lock(db: AsyncSession, group: Sequence[Metered]) -> dict[tuple[UUID, str], Counted]:
    """The running transactions they are about, and which messages were not seen before."""
    asked = [
        {
            "station": str(one.station_id),
            "transaction": one.transaction_id,
            "digest": one.key.hex(),
            "kind": one.kind,
            "at": one.at.isoformat(),
            "sequence": one.sequence,
            "state": one.charging_state,
        }
        for one in group
    ]
    known = {}
    for row in await db.execute(LOCK, {"rows": codec.write_rows(asked)}):
        known[row.charging_station_id, row.transaction_id] = Counted(
            id=row.id,
            session_id=row.charging_session_id,
            session_created_at=row.session_created_at,
            charging_state=row.charging_state,
            progress=restore_progress(row.progress),
            notes=row.notes or [],
            doubted_at=row.doubted_at,
            shown_at=row.shown_at,
            limits=limits_within(row.restrictions) if row.restrictions else NONE,
            fresh=set(row.fresh or ()),
        )
    return known


async def write(db: AsyncSession, counted: Sequence[Counted]) -> list[Stored]:
    """Everything that the group came to; returns what moved in the feed."""
    if not counted:
        return []
    now = datetime.now(UTC)
    samples = [row for one in counted for row in one.samples]
    await db.execute(
        WRITE,
        {
            "rows": codec.write_rows(samples),
            "counted": codec.write_rows([one.row(now) for one in counted]),
        },
    )
    return await show(db, [one.id for one in counted if one.show_due_at(now) <= now])


async def show(db: AsyncSession, ids: Iterable[UUID]) -> list[Stored]:
    """Put the sessions of these transactions before their eMSPs as they stand."""
    wanted = list(ids)
    if not wanted:
        return []
    rows = await db.scalars(
        select(StationTransaction)
        .where(StationTransaction.id.in_(wanted))
        .execution_options(populate_existing=True)
    )
    return await show_all(db, list(rows))


async def show_due(db: AsyncSession, *, limit: int = 200) -> list[Stored]:
    """Show sessions whose last readings were not shown yet. One tenant's."""
    rows = await db.scalars(
        select(StationTransaction)
        .where(
            StationTransaction.show_due_at <= datetime.now(UTC),
            StationTransaction.state == "OPEN",
        )
        .order_by(StationTransaction.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return await show_all(db, list(rows))


async def show_all(db: AsyncSession, transactions: Sequence[StationTransaction]) -> list[Stored]:
    await session_records.measured(db, transactions)
    return await billing.show_sessions(db, transactions)
