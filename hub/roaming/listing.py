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

from sqlalchemy import Select, and_, cast, false, func, literal, or_, select, text, true
from sqlalchemy import Text as SQLText
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.objects import EVSE, Location
from hub.models.values import Party
from hub.roaming.merging import MEMBER_OF_TIME
from hub.roaming.modules import LOCATIONS, MODULES, Module
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
    return [Party(*row) for row in await db.execute(OWNERS[module.name])]


OWNERS = {
    name: text(f"""
        with recursive owner as (
            (select country_code, party_id from {module.table_name} order by 1, 2 limit 1)
            union all
            select further.* from owner cross join lateral (
                select country_code, party_id from {module.table_name}
                where (country_code, party_id) > (owner.country_code, owner.party_id)
                order by 1, 2 limit 1
            ) as further
        )
        select country_code, party_id from owner
    """)  # noqa: S608 - table names are ours
    for name, module in MODULES.items()
}


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
    return await kept(db, module, found)


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
    return next(iter(await kept(db, module, found)), None)


async def find(
    db: AsyncSession, module: Module, object_key: str, *, viewers: Collection[Party] = ()
) -> list[Kept]:
    """Every object with that id, whoever owns it: Sender URLs do not name the owner (AMB-18)."""
    table: Any = module.table
    found = rows_of(module).where(table.object_key == object_key, table.deleted_at.is_(None))
    if module is LOCATIONS:
        found = found.where(open_to(viewers))
    return await kept(db, module, found)


def rows_of(module: Module) -> Select[Any]:
    table: Any = module.table
    rows: Select[Any] = select(
        table.country_code,
        table.party_id,
        table.object_key,
        cast(table.document, SQLText).label("document"),
        table.last_updated_text,
        table.same_since,
        table.page_seq,
        table.object_id,
    )
    return rows


async def kept(db: AsyncSession, module: Module, found: Select[Any]) -> list[Kept]:
    """What a selection of rows holds. Past the ORM, which would spend longer on a page than
    PostgreSQL.
    """
    connection = await db.connection()
    rows = await connection.execute(with_evses(found) if module is LOCATIONS else found)
    return [
        Kept(
            Key(row[0], row[1], row[2]),
            compose(row[3], row[4], [row[8]] if module is LOCATIONS and row[8] else None),
            row[5],
            row[6],
            row[7],
        )
        for row in rows
    ]


def with_evses(found: Select[Any]) -> Select[Any]:
    """The locations found, each with the texts of its EVSEs in one, in the order of creation.

    The locations come first and whole, so that no other's EVSEs are looked for.
    """
    location = found.subquery()
    composed = func.concat(
        func.left(cast(EVSE.document, SQLText), -1),
        f',"{MEMBER_OF_TIME}":',
        cast(func.to_json(EVSE.last_updated_text), SQLText),
        "}",
    )
    evses = (
        select(
            func.string_agg(composed, aggregate_order_by(literal(","), EVSE.page_seq)).label(
                "texts"
            ),
            func.max(EVSE.same_since).label("since"),
        )
        .where(
            EVSE.country_code == location.c.country_code,
            EVSE.party_id == location.c.party_id,
            EVSE.location_key == location.c.object_key,
            EVSE.deleted_at.is_(None),
        )
        .lateral()
    )
    whole: Select[Any] = select(
        location.c.country_code,
        location.c.party_id,
        location.c.object_key,
        location.c.document,
        location.c.last_updated_text,
        func.greatest(location.c.same_since, evses.c.since),
        location.c.page_seq,
        location.c.object_id,
        evses.c.texts,
    )
    return whole.join(evses, true()).order_by(location.c.page_seq)
