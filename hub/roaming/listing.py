"""Reading what the hub keeps: one object, or a page of a list.

Pages follow the order of creation, so that what is added while somebody pages lands on the last
page (TRANSPORT-61). A page is found by its place (``after``) at any depth for the same price; a
bare ``offset`` costs a walk over the index alone. Documents come out as text and are joined, not
parsed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, cast, false, func, or_, select, tuple_
from sqlalchemy import Text as SQLText
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.objects import EVSE, Location
from hub.models.values import Party
from hub.roaming.modules import LOCATIONS, Module
from hub.roaming.objects import compose
from hub.roaming.publication import LISTED
from hub.roaming.rows import Key


class Kept(NamedTuple):
    """An object as it lies: canonical text, and the oldest version in which it reads the same."""

    key: Key
    text: str
    same_since: str
    page_seq: int
    object_id: str


@dataclass(frozen=True)
class Filter:
    """What a list is narrowed to.

    Owners; receivers of sessions and CDRs; ``last_updated`` in [from, to). ``viewers`` are the
    parties that look: of unpublished locations they see those that let their tokens in (LOC-05).
    """

    owners: Sequence[Party]
    receivers: Sequence[Party] | None = None
    viewers: Sequence[Party] = ()
    date_from: datetime | None = None
    date_to: datetime | None = None

    def where(self, table: Any) -> Any:
        conditions = [
            table.deleted_at.is_(None),
            in_parties(table.country_code, table.party_id, self.owners),
        ]
        if self.receivers is not None:
            conditions.append(
                in_parties(table.receiver_country_code, table.receiver_party_id, self.receivers)
            )
        if table is Location:
            conditions.append(open_to(self.viewers))
        if self.date_from is not None:
            conditions.append(table.last_updated >= self.date_from)
        if self.date_to is not None:
            conditions.append(table.last_updated < self.date_to)
        return and_(*conditions)


def in_parties(country: Any, party: Any, parties: Sequence[Party]) -> Any:
    """Or-ed equalities: the planner estimates them better than a list of tuples."""
    if not parties:
        return false()
    return or_(*(and_(country == one.country_code, party == one.party_id) for one in parties))


def open_to(viewers: Collection[Party]) -> Any:
    """Published, their own, or letting one of their tokens in."""
    return or_(
        in_parties(Location.country_code, Location.party_id, sorted(viewers)),
        LISTED.bindparams(viewers=[str(party) for party in viewers]),
    )


async def owners(db: AsyncSession, module: Module) -> list[Party]:
    """Every party that owns an object of the module, read off the index of keys (a loose scan)."""
    table: Any = module.table
    found: list[Party] = []
    last: tuple[str, str] = ("", "")
    while row := (
        await db.execute(
            select(table.country_code, table.party_id)
            .where(tuple_(table.country_code, table.party_id) > last)
            .order_by(table.country_code, table.party_id)
            .limit(1)
        )
    ).first():
        last = (row[0], row[1])
        found.append(Party(*last))
    return found


async def count(db: AsyncSession, module: Module, wanted: Filter) -> int:
    table: Any = module.table
    return await db.scalar(select(func.count()).select_from(table).where(wanted.where(table))) or 0


async def page(
    db: AsyncSession,
    module: Module,
    wanted: Filter,
    *,
    limit: int,
    after: int | None = None,
    offset: int = 0,
) -> list[Kept]:
    """At most ``limit`` objects, oldest creation first, behind ``after`` or past ``offset``."""
    table: Any = module.table
    found: Select[Any] = (
        rows_of(module).where(wanted.where(table)).order_by(table.page_seq).limit(limit)
    )
    if after is not None:
        found = found.where(table.page_seq > after)
    elif offset:
        # Find the place over the index alone, then fetch: a plain OFFSET would read every document.
        places = (
            select(table.page_seq)
            .where(wanted.where(table))
            .order_by(table.page_seq)
            .offset(offset)
            .limit(1)
            .scalar_subquery()
        )
        found = found.where(table.page_seq >= places)
    return await composed(db, module, (await db.execute(found)).all())


async def get(
    db: AsyncSession, module: Module, key: Key, *, viewers: Collection[Party] | None = None
) -> Kept | None:
    """One object by its key; with ``viewers``, only if they may see it should it be unpublished."""
    table: Any = module.table
    found = rows_of(module).where(
        table.country_code == key.country_code,
        table.party_id == key.party_id,
        table.object_key == key.object_key,
        table.deleted_at.is_(None),
    )
    if module is LOCATIONS and viewers is not None:
        found = found.where(open_to(viewers))
    kept = await composed(db, module, (await db.execute(found)).all())
    return kept[0] if kept else None


async def find(
    db: AsyncSession, module: Module, object_key: str, *, viewers: Collection[Party] = ()
) -> list[Kept]:
    """Every object with that id, whoever owns it: Sender URLs do not name the owner (AMB-18)."""
    table: Any = module.table
    found = rows_of(module).where(table.object_key == object_key, table.deleted_at.is_(None))
    if module is LOCATIONS:
        found = found.where(open_to(viewers))
    return await composed(db, module, (await db.execute(found)).all())


def rows_of(module: Module) -> Select[Any]:
    table: Any = module.table
    rows: Select[Any] = select(
        table.country_code,
        table.party_id,
        table.object_key,
        cast(table.document, SQLText),
        table.last_updated_text,
        table.same_since,
        table.page_seq,
        table.object_id,
    )
    return rows


async def composed(db: AsyncSession, module: Module, found: Sequence[Any]) -> list[Kept]:
    keys = [Key(row[0], row[1], row[2]) for row in found]
    evses = await evses_of(db, keys) if module is LOCATIONS else {}
    kept = []
    for key, row in zip(keys, found, strict=True):
        parts = evses.get(key, []) if module is LOCATIONS else None
        kept.append(
            Kept(
                key,
                compose(row[3], row[4], [text for text, _ in parts or []] or None),
                max([row[5], *(since for _, since in parts or [])]),
                row[6],
                row[7],
            )
        )
    return kept


async def evses_of(db: AsyncSession, locations: Sequence[Key]) -> dict[Key, list[tuple[str, str]]]:
    """The EVSEs of some locations, in the order they were created: text and ``same_since``."""
    if not locations:
        return {}
    found = await db.execute(
        select(
            EVSE.country_code,
            EVSE.party_id,
            EVSE.location_key,
            cast(EVSE.document, SQLText),
            EVSE.last_updated_text,
            EVSE.same_since,
        )
        .where(
            tuple_(EVSE.country_code, EVSE.party_id, EVSE.location_key).in_(locations),
            EVSE.deleted_at.is_(None),
        )
        .order_by(EVSE.page_seq)
    )
    evses: dict[Key, list[tuple[str, str]]] = {}
    for country, party, location, document, stamp, since in found:
        evses.setdefault(Key(country, party, location), []).append(
            (compose(document, stamp), since)
        )
    return evses
