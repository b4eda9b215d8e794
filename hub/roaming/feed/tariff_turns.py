"""Tariffs that have come into force, or run out, since they were told of.

Older versions cannot say when a tariff holds: they are told of those in force, and a connector of
the one that everybody pays now. So when that changes, the tariff and the EVSEs that name it are
told again; they move to the end of the feed like anything that changed.
"""

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import String

MOVED = (
    "changed_xid = pg_current_xact_id(), changed_seq = nextval('feed_seq'),"
    " updated_at = clock_timestamp()"
)
# The row was written last before a boundary that has passed. To write it now settles that.
TURN_TARIFFS = text(
    f"update tariffs set {MOVED} where deleted_at is null"  # noqa: S608 - all of it is ours
    " and ((valid_from <= clock_timestamp() and updated_at < valid_from)"
    " or (valid_to <= clock_timestamp() and updated_at < valid_to))"
    " returning country_code, party_id, object_key"
)
TURN_EVSES = text(
    f"update ocpi_evses as evse set {MOVED} where deleted_at is null and exists"  # noqa: S608
    " (select from json_array_elements(evse.document -> 'connectors') as connector,"
    " json_array_elements_text(case json_typeof(connector -> 'tariff_ids')"
    " when 'array' then connector -> 'tariff_ids' end) as tariff_id"
    " where (evse.country_code, evse.party_id, upper(tariff_id)) in"
    " (select * from unnest(:countries, :parties, :keys)))"
).bindparams(*(bindparam(name, type_=ARRAY(String())) for name in ("countries", "parties", "keys")))


async def turn(db: AsyncSession) -> int:
    """Have everybody told who must be; returns how many tariffs have turned."""
    turned = [tuple(row) for row in await db.execute(TURN_TARIFFS)]
    if turned:
        countries, parties, keys = (list(part) for part in zip(*turned, strict=True))
        await db.execute(TURN_EVSES, {"countries": countries, "parties": parties, "keys": keys})
    return len(turned)
