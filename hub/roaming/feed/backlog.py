"""What partners have not been told yet: how many objects, and since when.

A cursor behind the end of the feed says little: most of what lies between may concern others. So
the changes are read and their addressees asked for, once for all partners that are behind. An
object that changes again moves to the end of the feed, so its age is that of its latest change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Uuid

from hub.models.values import PartnerStatus, Place
from hub.roaming import cursors
from hub.roaming.feed import sources
from hub.roaming.feed.changes import Change, Source
from hub.roaming.feed.sources import SOURCES
from hub.roaming.network.audience import Audience

# Changes that are looked at from one place on, and how many at once. More would cost the database
# and tell nobody more: who is that far behind is behind.
MOST_READ, AT_ONCE = 1000, 200


@dataclass
class Backlog:
    """What one partner lacks of one source. ``since``: when the oldest of it changed."""

    partner_id: UUID
    source: str
    objects: int = 0
    since: datetime | None = None
    oldest: Change | None = None

    def count(self, change: Change) -> None:
        self.objects += 1
        self.oldest = self.oldest or change


async def backlogs(db: AsyncSession, audience: Audience) -> list[Backlog]:
    """One for every active partner and every source that it follows."""
    ends = await sources.newest(db)
    standings = {(s.partner_id, s.source): s for s in await cursors.standings(db, SOURCES)}
    found: list[Backlog] = []
    for source in SOURCES.values():
        end = ends.get(source.name, Place())
        # Who has no cursor yet begins at the beginning, and never had what was taken back.
        behind = {
            one.id: (known.place, known.reached)
            if (known := standings.get((one.id, source.name)))
            else (Place(), end)
            for one in audience.connections
            if one.status == PartnerStatus.ACTIVE and one.registered and source.reaches(one)
        }
        lacking = await compare(db, source, audience, behind, end)
        await date(db, source, [one for one in lacking.values() if one.oldest])
        found += lacking.values()
    return found


async def compare(
    db: AsyncSession,
    source: Source,
    audience: Audience,
    behind: Mapping[UUID, tuple[Place, Place]],
    end: Place,
) -> dict[UUID, Backlog]:
    """Read on from the cursor that is furthest behind, and count for all that are on the way.

    Cursors are told by their place and how far they had reached before they were put back.
    """
    lacking = {partner_id: Backlog(partner_id, source.name) for partner_id in behind}
    waiting = sorted((place, one) for one, (place, _) in behind.items() if place < end)
    while waiting:
        changes, reached = await read(db, source, waiting[0][0], Place(end.xid, end.seq + 1))
        reading = {partner_id for place, partner_id in waiting if place < reached}
        for change in changes:
            concerned = {one.id for one, _ in source.addressees(audience, change)} & reading
            for partner_id in (one for one in concerned if change.is_news(*behind[one])):
                lacking[partner_id].count(change)
        waiting = [one for one in waiting if one[1] not in reading]
    return lacking


async def read(
    db: AsyncSession, source: Source, since: Place, until: Place
) -> tuple[list[Change], Place]:
    """The next changes after a place, and the place up to which they were read."""
    changes: list[Change] = []
    place = since
    while place < until and len(changes) < MOST_READ:
        stretch = await source.read(db, place, until, AT_ONCE)
        changes += stretch.changes
        place = stretch.end
    return changes, place


async def date(db: AsyncSession, source: Source, lacking: Sequence[Backlog]) -> None:
    """Look up when the oldest changes were made, by the database's clock."""
    ids = {one.oldest.row_id for one in lacking if one.oldest}
    if not ids:
        return
    changed_at: dict[UUID, datetime] = {}
    for table in source.tables:
        statement = f"select id, updated_at from {table} where id = any(:ids)"  # noqa: S608 - ours
        query = text(statement).bindparams(bindparam("ids", type_=ARRAY(Uuid())))
        changed_at |= {row.id: row.updated_at for row in await db.execute(query, {"ids": [*ids]})}
    for one in lacking:
        one.since = changed_at.get(one.oldest.row_id) if one.oldest else None
