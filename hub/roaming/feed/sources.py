"""The streams of changes that partners follow: one per module, HubClientInfo, and results."""

from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.values import Party, Place
from hub.roaming import modules
from hub.roaming.feed import active_profiles, location_changes, results
from hub.roaming.feed.changes import (
    BETWEEN,
    COLUMNS,
    IN_ORDER,
    KEY_PARTS,
    Addressees,
    Change,
    Source,
    finder,
    keyed,
    owner_of,
    place_of,
    reader,
)
from hub.roaming.modules import Module
from hub.roaming.network.audience import Audience
from hub.roaming.store.writes import compose

HUBCLIENTINFO = modules.HUBCLIENTINFO.name

# Which go first where requests of one partner, or of all, wait for each other.
FIRST, SECOND, THIRD = range(3)
# A crash repeats what was sent and not yet noted: for records that is this many at most.
RECORDS_AT_ONCE = 8
STATES_AT_ONCE = 100


def reading(table: str, more: str = "", only: str = "true") -> Any:
    return text(
        f"select {COLUMNS.format('')}{more} from {table}"  # noqa: S608 - all of it is ours
        f" where {BETWEEN.format('')} and {only} {IN_ORDER.format('')}"
    )


def finding(table: str, more: str = "", only: str = "true") -> Any:
    return keyed(
        f"select {COLUMNS.format('')}{more} from {table}"  # noqa: S608 - all of it is ours
        " where (country_code, party_id, object_key) in"
        f" (select * from unnest(:countries, :parties, :keys)) and {only}",
        *KEY_PARTS,
    )


def change_of(module: Module, row: Row[Any]) -> Change | None:
    """None for an object that is gone where OCPI has no way to say so, or is for us alone."""
    deleted = row.deleted_at is not None
    if row.for_us or (deleted and "DELETE" not in module.pushed_by):
        return None
    owner = owner_of(row)
    receiver = after = None
    addressed = (owner.country_code, owner.party_id, *module.path, row.object_id)
    ways = {"PUT": addressed, "POST": module.path, "DELETE": addressed}
    method = method_for(module, row)
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
        path=ways[method],
        document=None if deleted else compose(row.document, row.last_updated_text),
        row_id=row.id,
        method=method,
        instead=next(((other, ways[other]) for other in other_ways(module, method)), None),
        same_since=row.same_since,
        origin=row.partner_id,
        broadcast=row.broadcast,
        receiver=receiver,
        params={"type": row.type} if module is modules.TOKENS else {},
        after=after,
        urgent=module is modules.TOKENS and not row.valid,
    )


def method_for(module: Module, row: Row[Any]) -> str:
    """What is new is POSTed and what has changed is PUT, where a module has both (INV-02)."""
    if row.deleted_at is not None:
        return "DELETE"
    both = {"POST", "PUT"} <= module.pushed_by
    return "POST" if (row.fresh if both else "POST" in module.pushed_by) else "PUT"


def other_ways(module: Module, method: str) -> set[str]:
    return set() if method == "DELETE" else ({"POST", "PUT"} & module.pushed_by) - {method}


def objects_of(
    module: Module, *, lane: int, more: str = "", urgent: str = "", only: str = "true"
) -> Source:
    """A source of objects that are one row each. ``more`` are further columns that are needed,
    ``urgent`` is the condition on rows that must not wait, ``only`` that on rows that may go.
    """
    table = module.table_name
    more += RECEIVER if module.private else ""
    more += FRESH if {"POST", "PUT"} <= module.pushed_by else ""

    def tell(row: Row[Any]) -> Change | None:
        return change_of(module, row)

    def addressees(audience: Audience, change: Change) -> Addressees:
        return audience.receivers(module, change.owner, change.receiver, change.origin)

    return Source(
        name=module.name,
        read=reader(reading(table, more, only), tell),
        find=finder(finding(table, more, only), tell),
        addressees=addressees,
        tables=(table,),
        endpoint=module.module_id,
        since=module.since,
        record=module.record,
        lane=lane,
        batch=RECORDS_AT_ONCE if module.record else STATES_AT_ONCE,
        urgent=reader(reading(table, more, urgent), tell) if urgent else None,
    )


RECEIVER = ", receiver_country_code, receiver_party_id"
FRESH = ", created_at = updated_at as fresh"

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


def platforms(audience: Audience, change: Change) -> Addressees:
    """Every platform that may know of the party and does not host it (HCI-08)."""
    return [
        (connection, min(connection.parties))
        for connection in audience.connections
        if connection.parties
        and change.owner not in connection.parties
        and any(audience.knows(party, change.owner) for party in connection.parties)
    ]


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        results.source(FIRST, RECORDS_AT_ONCE),
        objects_of(
            modules.CDRS,
            lane=FIRST,
            more=", credit_reference_id",
            only="held_at is null",
        ),
        objects_of(modules.TOKENS, lane=FIRST, more=", type, valid", urgent="not valid"),
        Source(
            name=HUBCLIENTINFO,
            read=reader(reading("ocpi_clientinfo"), tell_client),
            find=finder(finding("ocpi_clientinfo"), tell_client),
            addressees=platforms,
            tables=("ocpi_clientinfo",),
            endpoint=HUBCLIENTINFO,
            routed=False,
            lane=SECOND,
        ),
        objects_of(modules.SESSIONS, lane=SECOND),
        active_profiles.source(SECOND),
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
        objects_of(modules.INVOICE_RECONCILIATIONS, lane=THIRD),
        objects_of(modules.BOOKING_LOCATIONS, lane=THIRD),
        objects_of(modules.BOOKINGS, lane=SECOND),
        objects_of(modules.TERMINALS, lane=THIRD),
        objects_of(modules.FINANCIAL_ADVICE_CONFIRMATIONS, lane=SECOND),
    )
}

NEWEST = text(
    " union all ".join(
        f"(select '{source.name}' as source, changed_xid, changed_seq from {table}"  # noqa: S608
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
