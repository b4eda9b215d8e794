"""Reading what the hub keeps: one object, or a page of a list.

Pages follow the order of creation, so that what is added while somebody pages lands on the last
page (TRANSPORT-61). A page is found by its place (``after``) at any depth for the same price; an
``offset`` behind it costs a walk over what lies between. Documents come out as text and are joined,
not parsed.
"""

from collections.abc import Collection
from functools import cache, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    Select,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy import Text as SQLText
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.objects import EVSE
from hub.models.values import Party
from hub.prepared import Prepared, Transaction
from hub.roaming.modules import LOCATIONS, Module
from hub.roaming.store.filters import Filter, shown_to
from hub.roaming.store.rows import Key
from hub.roaming.store.writes import compose

# Objects of a page, and the one behind it. A statement that says how many it wants is planned once;
# where a parameter says so, PostgreSQL plans each page anew, which takes longer than a short one.
USUAL_LIMITS = frozenset(size + 1 for size in (10, 20, 25, 50, 100, 200, 500, 1000))


class Kept(NamedTuple):
    """An object as it lies: canonical text, and the oldest version in which it reads the same.

    ``receiver`` is whom a private object is for.
    """

    key: Key
    text: str
    same_since: str
    page_seq: int
    object_id: str
    receiver: Party | None = None


async def owners(db: Transaction, module: Module) -> list[Party]:
    """Every party that owns an object of the module, read off the index of keys (a loose scan)."""
    return [Party(*row) for row in await owners_query(module.table_name).run(db)]


@cache
def owners_query(table: str) -> Prepared:
    found = text(f"""
        with recursive owner as (
            (select country_code, party_id from {table} order by 1, 2 limit 1)
            union all
            select further.* from owner cross join lateral (
                select country_code, party_id from {table}
                where (country_code, party_id) > (owner.country_code, owner.party_id)
                order by 1, 2 limit 1
            ) as further
        )
        select country_code, party_id from owner
    """)  # noqa: S608 - table names are ours
    return Prepared.of(found)


async def count(db: Transaction, module: Module, wanted: Filter) -> int:
    [[total]] = await count_query(module, wanted.undated).run(db, wanted.dates)
    return int(total)


@lru_cache(maxsize=1000)
def count_query(module: Module, wanted: Filter) -> Prepared:
    table: Any = module.table
    return Prepared.of(select(func.count()).select_from(table).where(wanted.where(table)))


async def page(
    db: Transaction,
    module: Module,
    wanted: Filter,
    *,
    limit: int,
    after: int | None = None,
    offset: int = 0,
) -> list[Kept]:
    """At most ``limit`` objects, oldest creation first, behind ``after`` or past ``offset``."""
    values: dict[str, Any] = dict(wanted.dates)
    if after is not None:
        values["after"] = after
    elif offset:
        values["offset"] = offset
    usual = limit if limit in USUAL_LIMITS else None
    if usual is None:
        values["limit"] = limit
    query = page_query(module, wanted.undated, frozenset(values), usual)
    return [kept_of(module, row) for row in await query.run(db, values)]


@lru_cache(maxsize=1000)
def page_query(
    module: Module, wanted: Filter, values: frozenset[str], limit: int | None
) -> Prepared:
    """The statement for a page, to be run with such values, and with that ``limit`` in it. To build
    it takes a millisecond, so that is done once for each partner and way of paging.
    """
    table: Any = module.table
    conditions = [wanted.where(table)]
    if "after" in values:
        conditions.append(table.page_seq > bindparam("after"))
    found = rows_of(module).where(*conditions).order_by(table.page_seq)
    if "offset" in values:
        # Find the place without the documents, then fetch: a plain OFFSET would read all of them.
        places = (
            select(table.page_seq)
            .where(*conditions)
            .order_by(table.page_seq)
            .offset(bindparam("offset"))
            .limit(1)
            .scalar_subquery()
        )
        found = found.where(table.page_seq >= places)
    most: Any = bindparam("limit") if limit is None else literal_column(str(limit))
    return Prepared.of(whole(module, found.limit(most)))


async def get(
    db: Transaction, module: Module, key: Key, *, viewers: Collection[Party] | None = None
) -> Kept | None:
    """One object by its key; with ``viewers``, only if it is for their eyes: a location may be
    unpublished, a CDR held.
    """
    query = one_query(module, None if viewers is None else frozenset(viewers))
    found = await query.run(db, key._asdict())
    return kept_of(module, found[0]) if found else None


@lru_cache(maxsize=1000)
def one_query(module: Module, viewers: frozenset[Party] | None) -> Prepared:
    """The statement for the object of a key."""
    table: Any = module.table
    found = rows_of(module).where(
        table.country_code == bindparam("country_code"),
        table.party_id == bindparam("party_id"),
        table.object_key == bindparam("object_key"),
        table.deleted_at.is_(None),
    )
    if viewers is not None:
        found = found.where(shown_to(module, viewers))
    return Prepared.of(whole(module, found))


async def get_all(db: AsyncSession, module: Module, keys: Collection[Key]) -> list[Kept]:
    """Objects by their keys, those that there are."""
    if not keys:
        return []
    table: Any = module.table
    found = rows_of(module).where(
        tuple_(table.country_code, table.party_id, table.object_key).in_(sorted(keys)),
        table.deleted_at.is_(None),
    )
    return await kept(db, module, whole(module, found))


async def find(
    db: Transaction, module: Module, object_key: str, *, viewers: Collection[Party] = ()
) -> list[Kept]:
    """Every object with that id, whoever owns it: Sender URLs do not name the owner (AMB-18)."""
    query = all_query(module, frozenset(viewers))
    return [kept_of(module, row) for row in await query.run(db, {"object_key": object_key})]


@lru_cache(maxsize=1000)
def all_query(module: Module, viewers: frozenset[Party]) -> Prepared:
    """The statement for the objects of an id."""
    table: Any = module.table
    found = rows_of(module).where(
        table.object_key == bindparam("object_key"), table.deleted_at.is_(None)
    )
    return Prepared.of(whole(module, found.where(shown_to(module, viewers))))


def rows_of(module: Module) -> Select[Any]:
    table: Any = module.table
    more = (table.receiver_country_code, table.receiver_party_id) if module.private else ()
    rows: Select[Any] = select(
        table.country_code,
        table.party_id,
        table.object_key,
        cast(table.document, SQLText).label("document"),
        table.last_updated_text,
        table.same_since,
        table.page_seq,
        table.object_id,
        *more,
    )
    return rows


def whole(module: Module, found: Select[Any]) -> Select[Any]:
    """Of locations, with the texts and stamps of their EVSEs, in the order of creation.

    The locations are chosen first, so that no other's EVSEs are looked for.
    """
    if module is not LOCATIONS:
        return found
    location = found.subquery()

    def parts(column: Any) -> Any:
        return func.array_agg(aggregate_order_by(column, EVSE.page_seq))

    evses = (
        select(
            parts(cast(EVSE.document, SQLText)).label("texts"),
            parts(EVSE.last_updated_text).label("stamps"),
            func.max(EVSE.same_since).label("same_since"),
        )
        .where(
            EVSE.country_code == location.c.country_code,
            EVSE.party_id == location.c.party_id,
            EVSE.location_key == location.c.object_key,
            EVSE.deleted_at.is_(None),
        )
        .lateral()
    )
    columns = dict(location.c) | {
        "same_since": func.greatest(location.c.same_since, evses.c.same_since)
    }
    return (
        select(*columns.values(), evses.c.texts, evses.c.stamps)
        .join(evses, true())
        .order_by(location.c.page_seq)
    )


async def kept(db: AsyncSession, module: Module, found: Select[Any]) -> list[Kept]:
    """What a selection of rows holds. Past the ORM, which would take longer than PostgreSQL."""
    connection = await db.connection()
    return [kept_of(module, row) for row in await connection.execute(found)]


def kept_of(module: Module, row: Any) -> Kept:
    """A row of ``whole``."""
    country, party, key, document, stamp, since, seq, object_id, *more = row
    if module is LOCATIONS:
        texts, stamps = more
        evses = map(compose, texts, stamps) if texts else None
        return Kept(
            Key(country, party, key), compose(document, stamp, evses), since, seq, object_id
        )
    receiver = Party(*more) if more else None
    return Kept(Key(country, party, key), compose(document, stamp), since, seq, object_id, receiver)
