"""Locations that are hidden, and shown again: what of them was on show, and until when.

Hiding a location marks it, and each EVSE that it shows, with a place in the feed: whoever has not
come that far may have it on show (``feed/withdrawals``). What becomes of them later moves them, but
not their marks; publishing the location again takes the marks away.
"""

from sqlalchemy.ext.asyncio import AsyncSession

from hub.prepared import Prepared
from hub.roaming.merging import Document
from hub.roaming.modules import LOCATIONS
from hub.roaming.store.rows import Shelf, columns

GIVEN = (
    "from unnest(:countries::text[], :parties::text[], :keys::text[])"
    " as given(country_code, party_id, key) where (kept.country_code, kept.party_id, kept.{0})"
    " = (given.country_code, given.party_id, given.key)"
)
NOW = "withdrawn_xid = pg_current_xact_id(), withdrawn_seq = nextval('feed_seq')"
NEVER = "withdrawn_xid = null, withdrawn_seq = null"
OF_LOCATION, OF_EVSES = GIVEN.format("object_key"), GIVEN.format("location_key")
HIDE = (
    Prepared(f"update ocpi_locations as kept set {NOW} {OF_LOCATION}"),  # noqa: S608 - all is ours
    Prepared(
        f"update ocpi_evses as kept set {NOW} {OF_EVSES} and deleted_at is null"  # noqa: S608
        " and status is distinct from 'REMOVED'"
    ),
)
SHOW = (
    Prepared(f"update ocpi_locations as kept set {NEVER} {OF_LOCATION}"),  # noqa: S608 - as above
    Prepared(
        f"update ocpi_evses as kept set {NEVER} {OF_EVSES} and withdrawn_xid is not null"  # noqa: S608
    ),
)


async def mark(db: AsyncSession, shelf: Shelf) -> None:
    """Note which of the locations about to be written are hidden by that, and which shown again.

    Before they are written: so EVSEs that come with the change that hides them were never shown.
    """
    turned = [
        row
        for row in shelf.rows.values()
        if row.kind == LOCATIONS.kind and row.moved and row.before is not None
        if publishes(row.before) != publishes(row.merged.document)
    ]
    hidden = [row.key for row in turned if not publishes(row.merged.document)]
    shown = [row.key for row in turned if publishes(row.merged.document)]
    for statements, keys in ((HIDE, hidden), (SHOW, shown)):
        for statement in statements if keys else ():
            await statement.run(db, columns(keys))


def publishes(location: Document) -> bool:
    return location.get("publish") is not False
