"""Locations and their EVSEs as one stream of changes.

An EVSE that changed is told as that EVSE, not as a location with a hundred of them. A location that
changed is told whole, and then says everything about its EVSEs: those that changed no later than it
are not told again. An EVSE that is gone cannot be told as an EVSE: the whole location says it by
leaving it out. A location that is not published any more is taken back from those who may not see
it (``withdrawals``).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.values import Party, Place
from hub.roaming.feed import withdrawals
from hub.roaming.feed.changes import (
    BETWEEN,
    COLUMNS,
    IN_ORDER,
    KEY_PARTS,
    Addressees,
    Change,
    Stretch,
    between,
    columns_of,
    key_of,
    keyed,
    owner_of,
    place_of,
)
from hub.roaming.modules import LOCATIONS
from hub.roaming.network.audience import Audience
from hub.roaming.store.publication import LocationKey, admitted
from hub.roaming.store.writes import compose

EVSE_PARTS = (*KEY_PARTS, "evses")

READ_LOCATIONS = text(
    f"select {COLUMNS.format('')}, publish from ocpi_locations"  # noqa: S608 - all of it is ours
    f" where {BETWEEN.format('')} and deleted_at is null {IN_ORDER.format('')}"
)
FIND_LOCATIONS = keyed(
    f"select {COLUMNS.format('')}, publish from ocpi_locations"  # noqa: S608 - all of it is ours
    " where (country_code, party_id, object_key) in"
    " (select * from unnest(:countries, :parties, :keys)) and deleted_at is null",
    *KEY_PARTS,
)

WITH_LOCATION = (
    f"select {COLUMNS.format('evse.')}, evse.location_key,"  # noqa: S608 - all of it is ours
    " location.object_id as location_id, location.publish"
    " from ocpi_evses as evse join ocpi_locations as location"
    " on location.country_code = evse.country_code and location.party_id = evse.party_id"
    " and location.object_key = evse.location_key and location.deleted_at is null"
)
# What changed in the transaction that changed the location, or earlier, is told with the location.
READ_EVSES = text(
    f"{WITH_LOCATION} where {BETWEEN.format('evse.')}"
    f" and evse.changed_xid > location.changed_xid {IN_ORDER.format('evse.')}"
)
FIND_EVSES = keyed(
    f"{WITH_LOCATION} where evse.deleted_at is null and"  # noqa: S608 - all of it is ours
    " (evse.country_code, evse.party_id, evse.location_key, evse.object_key) in"
    " (select * from unnest(:countries, :parties, :keys, :evses))",
    *EVSE_PARTS,
)
EVSES_OF = keyed(
    "select country_code, party_id, location_key, document::text as document, last_updated_text,"
    " same_since from ocpi_evses where (country_code, party_id, location_key) in"
    " (select * from unnest(:countries, :parties, :keys)) and deleted_at is null order by page_seq",
    *KEY_PARTS,
)


async def read(db: AsyncSession, since: Place, until: Place, limit: int) -> Stretch:
    """Changes of locations and EVSEs between two places, in one order."""
    locations = (await db.execute(READ_LOCATIONS, between(since, until, limit))).all()
    enough = until if len(locations) < limit else place_of(locations[-1])
    evses = (await db.execute(READ_EVSES, between(since, enough, limit))).all()
    withdrawn = (await db.execute(withdrawals.READ, between(since, enough, limit))).all()
    places = sorted(map(place_of, [*locations, *evses, *withdrawn]))[:limit]
    end = until if len(places) < limit else places[-1]
    rows = sorted((row for row in [*locations, *evses] if place_of(row) <= end), key=place_of)
    changes = await tell(db, rows)
    changes += await withdrawals.tell(db, [row for row in withdrawn if place_of(row) <= end])
    return Stretch(sorted(changes, key=lambda change: change.place), end)


async def find(db: AsyncSession, refs: Sequence[str]) -> list[Change]:
    """Locations and EVSEs as they are now, and what is taken back of them.

    Ids may hold slashes, so every way to split is tried.
    """
    keys = [key_of(ref) for ref in refs]
    parts = [
        (country_code, party_id, key[:at], key[at + 1 :])
        for country_code, party_id, key in keys
        for at, letter in enumerate(key)
        if letter == "/"
    ]
    rows = [*(await db.execute(FIND_LOCATIONS, columns_of(keys, *KEY_PARTS))).all()]
    if parts:
        rows += (await db.execute(FIND_EVSES, columns_of(parts, *EVSE_PARTS))).all()
    withdrawn = await withdrawals.of(db, {*keys, *(part[:3] for part in parts)})
    return await tell(db, rows) + [change for change in withdrawn if change.ref in refs]


async def tell(db: AsyncSession, rows: Sequence[Row[Any]]) -> list[Change]:
    """Each location once and whole, at its last place; then only EVSEs of other locations."""
    removed = {location_key(row) for row in rows if is_evse(row) and row.deleted_at is not None}
    whole = {location_key(row): row for row in rows if not is_evse(row)}
    if missing := removed - whole.keys():
        found = await db.execute(FIND_LOCATIONS, columns_of(missing, *KEY_PARTS))
        whole |= {location_key(row): row for row in found}
    evses = await evses_of(db, whole.keys())
    hidden = {location_key(row) for row in [*rows, *whole.values()] if not row.publish}
    only = await admitted(db, hidden)
    changes: dict[str, Change] = {}
    for row in rows:
        key = location_key(row)
        if key in whole:
            change = location_change(whole[key], evses.get(key, []), place_of(row), only.get(key))
        else:
            change = evse_change(row, only.get(key))
        changes.pop(change.ref, None)
        changes[change.ref] = change
    return list(changes.values())


def is_evse(row: Row[Any]) -> bool:
    return "location_key" in row._fields


def location_key(row: Row[Any]) -> LocationKey:
    key = row.location_key if is_evse(row) else row.object_key
    return row.country_code, row.party_id, key


async def evses_of(
    db: AsyncSession, locations: Iterable[LocationKey]
) -> dict[LocationKey, list[Row[Any]]]:
    wanted = columns_of(locations, *KEY_PARTS)
    found: dict[LocationKey, list[Row[Any]]] = {}
    if wanted["keys"]:
        for row in await db.execute(EVSES_OF, wanted):
            found.setdefault(location_key(row), []).append(row)
    return found


def location_change(
    row: Row[Any], evses: Sequence[Row[Any]], place: Place, only: frozenset[Party] | None
) -> Change:
    texts = [compose(evse.document, evse.last_updated_text) for evse in evses]
    # A location without any EVSE has no such list, unless its owner sent one and all are gone.
    document = compose(row.document, row.last_updated_text, texts or None)
    return Change(
        place=place,
        ref="/".join(location_key(row)),
        kind="Location",
        owner=owner_of(row),
        path=(row.country_code, row.party_id, row.object_id),
        document=document,
        row_id=row.id,
        same_since=max([row.same_since, *(evse.same_since for evse in evses)]),
        origin=row.partner_id,
        broadcast=row.broadcast,
        only=only,
    )


def evse_change(row: Row[Any], only: frozenset[Party] | None) -> Change:
    parent = "/".join(location_key(row))
    return Change(
        place=place_of(row),
        ref=f"{parent}/{row.object_key}",
        kind="EVSE",
        owner=owner_of(row),
        path=(row.country_code, row.party_id, row.location_id, row.object_id),
        document=compose(row.document, row.last_updated_text),
        row_id=row.id,
        same_since=row.same_since,
        origin=row.partner_id,
        broadcast=row.broadcast,
        parent=parent,
        only=only,
    )


def addressees(audience: Audience, change: Change) -> Addressees:
    """Unpublished locations go to those whose tokens they let in (LOC-05), and are taken back from
    the others.
    """
    if change.withdraws:
        return withdrawals.addressees(audience, change)
    receivers = audience.receivers(LOCATIONS, change.owner, change.receiver, change.origin)
    if change.only is None:
        return receivers
    return [(connection, party) for connection, party in receivers if party in change.only]
