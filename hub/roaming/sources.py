"""The streams of changes that partners follow: one per module, and HubClientInfo."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.clientinfo import ClientInfo
from hub.models.objects import OwnedObject
from hub.models.values import Party, Place
from hub.roaming import location_changes, modules
from hub.roaming.audience import Audience
from hub.roaming.changes import (
    BETWEEN,
    COLUMNS,
    IN_ORDER,
    Addressees,
    Change,
    Source,
    Stretch,
    columns_of,
    key_of,
    keyed,
    owner_of,
    place_of,
    read_stretch,
)
from hub.roaming.modules import Module
from hub.roaming.objects import compose

HUBCLIENTINFO = "hubclientinfo"

# Which go first where requests of one partner, or of all, wait for each other.
FIRST, SECOND, THIRD = range(3)
# A crash repeats what was sent and not yet noted: for records that is this many at most.
RECORDS_AT_ONCE = 8


def reading(table: type[OwnedObject], more: str = "", only: str = "true") -> Any:
    return text(
        f"select {COLUMNS.format('')}{more} from {table.__tablename__}"
        f" where {BETWEEN.format('')} and {only} {IN_ORDER.format('')}"
    )


def finding(table: type[OwnedObject], more: str = "") -> Any:
    return keyed(
        f"select {COLUMNS.format('')}{more} from {table.__tablename__}"
        " where (country_code, party_id, object_key) in"
        " (select * from unnest(:countries, :parties, :keys))",
        "countries",
        "parties",
        "keys",
    )


def change_of(module: Module, row: Row[Any]) -> Change | None:
    """None for an object that is gone where OCPI has no way to say so."""
    deleted = row.deleted_at is not None
    if deleted and "DELETE" not in module.pushed_by:
        return None
    owner = owner_of(row)
    receiver = after = None
    if module.private:
        receiver = Party(row.receiver_country_code, row.receiver_party_id)
    if module is modules.CDRS and row.credit_reference_id:
        # A credit means nothing to a receiver that does not have what it credits.
        after = f"{owner.country_code}/{owner.party_id}/{row.credit_reference_id.upper()}"
    return Change(
        place=place_of(row),
        ref=f"{owner.country_code}/{owner.party_id}/{row.object_key}",
        kind=module.kind,
        owner=owner,
        path=() if module.record else (owner.country_code, owner.party_id, row.object_id),
        document=None if deleted else compose(row.document, row.last_updated_text),
        row_id=row.id,
        method="DELETE" if deleted else "POST" if module.record else "PUT",
        same_since=row.same_since,
        origin=row.partner_id,
        broadcast=row.broadcast,
        receiver=receiver,
        params={"type": row.type} if module is modules.TOKENS else {},
        after=after,
        urgent=module is modules.TOKENS and not row.valid,
    )


def objects_of(
    module: Module, *, lane: int, more: str = "", urgent: str = "", batch: int = 100
) -> Source:
    """A source of objects that are one row each. ``more`` are further columns that are needed,
    ``urgent`` is the condition on rows that must not wait.
    """
    everything = reading(module.table, more)
    at_once = reading(module.table, more, urgent)
    by_key = finding(module.table, more)

    def tell(row: Row[Any]) -> Change | None:
        return change_of(module, row)

    async def read(db: AsyncSession, since: Place, until: Place, limit: int) -> Stretch:
        return await read_stretch(db, everything, tell, since, until, limit)

    async def read_urgent(db: AsyncSession, since: Place, until: Place, limit: int) -> Stretch:
        return await read_stretch(db, at_once, tell, since, until, limit)

    async def find(db: AsyncSession, refs: Sequence[str]) -> list[Change]:
        wanted = columns_of(map(key_of, refs), "countries", "parties", "keys")
        rows = await db.execute(by_key, wanted)
        return [change for row in rows if (change := tell(row))]

    def addressees(audience: Audience, change: Change) -> Addressees:
        return audience.receivers(module, change.owner, change.receiver, change.origin)

    return Source(
        name=module.name,
        read=read,
        find=find,
        addressees=addressees,
        tables=(module.table.__tablename__,),
        endpoint=module.name,
        record=module.record,
        lane=lane,
        batch=batch,
        urgent=read_urgent if urgent else None,
    )


# HubClientInfo: a configuration module, so it goes to the platform and not to one of its parties.


def tell_client(row: Row[Any]) -> Change:
    owner = owner_of(row)
    return Change(
        place=place_of(row),
        ref=f"{owner.country_code}/{owner.party_id}/{row.object_key}",
        kind="ClientInfo",
        owner=owner,
        path=(owner.country_code, owner.party_id),
        document=compose(row.document, row.last_updated_text),
        row_id=row.id,
        same_since=row.same_since,
        origin=row.partner_id,
    )


READ_CLIENTS = reading(ClientInfo)
FIND_CLIENTS = finding(ClientInfo)


async def read_clients(db: AsyncSession, since: Place, until: Place, limit: int) -> Stretch:
    return await read_stretch(db, READ_CLIENTS, tell_client, since, until, limit)


async def find_clients(db: AsyncSession, refs: Sequence[str]) -> list[Change]:
    wanted = columns_of(map(key_of, refs), "countries", "parties", "keys")
    return [tell_client(row) for row in await db.execute(FIND_CLIENTS, wanted)]


def platforms(audience: Audience, change: Change) -> Addressees:
    """Every platform that may know of the party and does not host it (HCI-08)."""
    return [
        (connection, min(connection.parties))
        for connection in audience.connections
        if connection.parties
        and change.owner not in connection.parties
        and any(audience.allows(change.owner, party, HUBCLIENTINFO) for party in connection.parties)
    ]


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        objects_of(
            modules.CDRS,
            lane=FIRST,
            more=", receiver_country_code, receiver_party_id, credit_reference_id",
            batch=RECORDS_AT_ONCE,
        ),
        objects_of(modules.TOKENS, lane=FIRST, more=", type, valid", urgent="not valid"),
        Source(
            name=HUBCLIENTINFO,
            read=read_clients,
            find=find_clients,
            addressees=platforms,
            tables=(ClientInfo.__tablename__,),
            endpoint=HUBCLIENTINFO,
            routed=False,
            lane=SECOND,
        ),
        objects_of(
            modules.SESSIONS, lane=SECOND, more=", receiver_country_code, receiver_party_id"
        ),
        Source(
            name=modules.LOCATIONS.name,
            read=location_changes.read,
            find=location_changes.find,
            addressees=location_changes.addressees,
            tables=("ocpi_locations", "ocpi_evses"),
            endpoint=modules.LOCATIONS.name,
            lane=THIRD,
        ),
        objects_of(modules.TARIFFS, lane=THIRD),
    )
}


NEWEST = text(
    " union all ".join(
        f"(select '{source.name}' as source, changed_xid, changed_seq from {table}"
        " order by changed_xid desc, changed_seq desc limit 1)"
        for source in SOURCES.values()
        for table in source.tables
    )
)


async def newest(db: AsyncSession) -> dict[str, Place]:
    """The last place of every source that has any, settled or not."""
    places: dict[str, Place] = {}
    for row in await db.execute(NEWEST):
        place = place_of(row)
        places[row.source] = max(place, places.get(row.source, place))
    return places
