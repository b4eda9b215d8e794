"""Locations that were published and no longer are: taken back from those who may not see them now.

They carry a mark with a place of its own (``store/hiding``). Who has not come that far is told that
the location is not published any more, and nothing else of it.

OCPI 2.1.1 has no word for that. There every EVSE that was shown is told to be REMOVED (LOC-02), and
a location without any is not displayed (LOC-03).
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.values import Party
from hub.roaming.feed.changes import (
    BETWEEN,
    IN_ORDER,
    KEY_PARTS,
    Addressees,
    Change,
    columns_of,
    keyed,
    owner_of,
    place_of,
)
from hub.roaming.modules import LOCATIONS
from hub.roaming.network.audience import Audience
from hub.roaming.store.publication import LocationKey, admitted
from hub.roaming.store.writes import compose

# The oldest version in which a location can be unpublished.
RESTRICTS = "2.2.1"
HIDDEN, REMOVED = '{"publish":false}', '{"status":"REMOVED"}'

WITHDRAWN = (
    "select location.partner_id, location.country_code, location.party_id, location.broadcast,"
    " location.object_key as location_key, location.object_id as location_id,"
    " location.last_updated_text, {0}.id, {0}.object_key, {0}.object_id,"
    " {0}.withdrawn_xid as changed_xid, {0}.withdrawn_seq as changed_seq"
    " from ocpi_locations as location {1} where location.withdrawn_xid is not null"
    " and location.deleted_at is null"
)
EVSES = (
    "join ocpi_evses as evse on evse.country_code = location.country_code"
    " and evse.party_id = location.party_id and evse.location_key = location.object_key"
    " and evse.withdrawn_xid is not null"
)
EVERYTHING = (
    f"(select false as is_evse, found.* from ({WITHDRAWN.format('location', '')}) as found"  # noqa: S608
    f" union all select true, found.* from ({WITHDRAWN.format('evse', EVSES)}) as found)"
    " as withdrawn"
)
READ = text(
    f"select * from {EVERYTHING} where {BETWEEN.format('')} {IN_ORDER.format('')}"  # noqa: S608
)
OF = keyed(
    f"select * from {EVERYTHING} where (country_code, party_id, location_key) in"  # noqa: S608
    " (select * from unnest(:countries, :parties, :keys)) order by changed_xid, changed_seq",
    *KEY_PARTS,
)


async def of(db: AsyncSession, locations: Collection[LocationKey]) -> list[Change]:
    """What is taken back of these locations and their EVSEs."""
    if not locations:
        return []
    return await tell(db, (await db.execute(OF, columns_of(locations, *KEY_PARTS))).all())


async def tell(db: AsyncSession, rows: Sequence[Row[Any]]) -> list[Change]:
    only = await admitted(db, {location_key(row) for row in rows})
    return [change(row, only[location_key(row)]) for row in rows]


def location_key(row: Row[Any]) -> LocationKey:
    return row.country_code, row.party_id, row.location_key


def change(row: Row[Any], only: frozenset[Party]) -> Change:
    location = "/".join(location_key(row))
    path = (row.country_code, row.party_id, row.location_id)
    return Change(
        place=place_of(row),
        ref=f"{location}/{row.object_key}" if row.is_evse else location,
        kind="EVSE" if row.is_evse else "Location",
        owner=owner_of(row),
        path=(*path, row.object_id) if row.is_evse else path,
        document=compose(REMOVED if row.is_evse else HIDDEN, row.last_updated_text),
        row_id=row.id,
        method="PATCH",
        same_since=RESTRICTS,
        origin=row.partner_id,
        broadcast=row.broadcast,
        parent=location if row.is_evse else None,
        only=only,
        withdraws=True,
    )


def addressees(audience: Audience, change: Change) -> Addressees:
    """Those who might have it, but for the parties that may see it hidden; of 2.1.1 everybody, for
    there it cannot be sent to some.
    """
    assert change.only is not None
    old = change.kind == "EVSE"
    return [
        (connection, party)
        for connection, party in audience.receivers(
            LOCATIONS, change.owner, change.receiver, change.origin
        )
        if connection.version is not None and (connection.version < RESTRICTS) == old
        if old or party not in change.only
    ]
