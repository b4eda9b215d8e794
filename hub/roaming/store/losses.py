"""Keeping what could not be carried from one OCPI version to another, for those who ask why
something is missing.

    read     what a partner sent that has no place in the canonical form
    written  what an object lost in an older version; with it, those that could not be said at all

One row per object, version and direction, for all partners who speak the version get the same. A
row is written only when it says something new: the same losses come with every push of an object.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.losses import Direction, Loss

# What of each object was written last is remembered of so many.
REMEMBERED = 20_000

Parts = tuple[tuple[str, str], ...]


class Place(NamedTuple):
    """Of what something was lost."""

    source: str
    ref: str
    version: str
    direction: Direction = Direction.WRITTEN


@dataclass(frozen=True, slots=True)
class Lost:
    """What was left out of one object: pairs of path and reason. Nothing left out says so, too.

    An empty path stands for the object as a whole.
    """

    place: Place
    losses: Parts


class Losses:
    """Writes down losses, each once. One per process; several may say the same."""

    def __init__(self) -> None:
        self._known: dict[tuple[UUID, Place], Parts] = {}

    def news(self, tenant_id: UUID, found: Iterable[Lost], *, thorough: bool = False) -> list[Lost]:
        """Those that are not known to be written already.

        That an object lost nothing is news if it is known to have lost something before;
        ``thorough``: also if nothing is known.
        """
        unknown = None if thorough else ()
        latest = {lost.place: lost for lost in found}
        return [
            lost
            for lost in latest.values()
            if self._known.get((tenant_id, lost.place), unknown) != lost.losses
        ]

    async def note(self, db: AsyncSession, tenant_id: UUID, news: Sequence[Lost]) -> None:
        """Write them in the caller's transaction, which must be the tenant's."""
        if not news:
            return
        await record(db, news)
        for lost in news:
            self._known.pop((tenant_id, lost.place), None)
            self._known[tenant_id, lost.place] = lost.losses
        while len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]


async def record(db: AsyncSession, news: Sequence[Lost]) -> None:
    for lost in sorted((one for one in news if one.losses), key=lambda one: one.place):
        key = key_of(lost.place)
        told = [{"path": path, "reason": reason} for path, reason in lost.losses]
        await db.execute(
            insert(Loss)
            .values(**key, losses=told)
            .on_conflict_do_update(
                index_elements=["tenant_id", *key],
                set_={"losses": told, "updated_at": func.now()},
                where=Loss.losses.is_distinct_from(told),
            )
        )
    if whole := [one.place for one in news if not one.losses]:
        columns = (Loss.module, Loss.object_ref, Loss.ocpi_version, Loss.direction)
        await db.execute(delete(Loss).where(tuple_(*columns).in_(whole)))


def key_of(place: Place) -> dict[str, Any]:
    return {
        "module": place.source,
        "object_ref": place.ref,
        "ocpi_version": place.version,
        "direction": place.direction,
    }
