"""CDRs that wait until they were checked, where the parties agreed on that.

A CDR is held from the transaction in which it is kept: it has a place in the feed that nobody reads
(``sources``), and its receiver does not find it either. When it is let go it gets a new place, at
the end of the feed, like anything that changes. So no cursor has passed it by, whenever that is.

It is let go when its verdict is OK, when a dispute about it has ended, when a credit takes it back,
when the parties no longer want it held, or by an operator. A credit never goes before what it
credits.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, exists, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Uuid

from hub.models.partners import Agreement
from hub.models.values import CDRVerdict, Dispute, Party
from hub.roaming.modules import CDRS
from hub.roaming.network import agreements
from hub.roaming.store.rows import Shelf

ENDED = frozenset({Dispute.REJECTED, Dispute.SETTLED})

# ``credited_well``: a credit CDR that is right takes it back. ``original_held``: of a credit, that
# what it takes back is held itself.
HELD = text(
    "select c.id, c.country_code, c.party_id, c.receiver_country_code, c.receiver_party_id,"
    " k.verdict, k.dispute,"
    " exists (select from ocpi_cdrs as credit join cdr_checks as found on found.cdr_id = credit.id"
    " where credit.country_code = c.country_code and credit.party_id = c.party_id"
    " and upper(credit.credit_reference_id) = c.object_key and found.verdict = 'OK')"
    " as credited_well,"
    " exists (select from ocpi_cdrs as original where original.country_code = c.country_code"
    " and original.party_id = c.party_id and original.object_key = upper(c.credit_reference_id)"
    " and original.held_at is not null) as original_held"
    " from ocpi_cdrs as c left join cdr_checks as k on k.cdr_id = c.id"
    " where c.held_at is not null order by c.page_seq limit 1000"
)
RELEASE = text(
    "update ocpi_cdrs set held_at = null, changed_xid = pg_current_xact_id(),"
    " changed_seq = nextval('feed_seq') where id = any(:ids) and held_at is not null returning id"
).bindparams(bindparam("ids", type_=ARRAY(Uuid())))


async def mark(db: AsyncSession, shelf: Shelf) -> None:
    """Hold those of the new CDRs on which the parties agreed so."""
    new = [row for row in shelf.rows.values() if row.kind == CDRS.kind and row.moved]
    if not new or not await db.scalar(select(exists().where(Agreement.hold))):
        return
    rules = await agreements.rules(db)
    for row in new:
        token = row.merged.document["cdr_token"]
        owner = Party.of(row.key.country_code, row.key.party_id)
        receiver = Party.of(token["country_code"], token["party_id"])
        if rules.holds(owner, receiver, CDRS.name):
            row.held_at = datetime.now(UTC)


async def let_go(db: AsyncSession) -> list[UUID]:
    """Release everything that has no reason to wait any longer."""
    held = (await db.execute(HELD)).all()
    if not held:
        return []
    rules = await agreements.rules(db)
    free = [row for row in held if is_free(row, rules)]
    released = await release(db, [row.id for row in free if not row.original_held])
    # What waited for those only can follow at once, behind them.
    followers = [row.id for row in free if row.original_held]
    return released + (await let_follow(db, followers) if released and followers else [])


def is_free(row: Row[Any], rules: Any) -> bool:
    owner = Party(row.country_code, row.party_id)
    receiver = Party(row.receiver_country_code, row.receiver_party_id)
    return (
        row.verdict == CDRVerdict.OK
        or row.dispute in ENDED
        or row.credited_well
        or not rules.holds(owner, receiver, CDRS.name)
    )


async def let_follow(db: AsyncSession, cdr_ids: Sequence[UUID]) -> list[UUID]:
    held = {row.id: row for row in await db.execute(HELD)}
    return await release(
        db, [one for one in cdr_ids if one in held and not held[one].original_held]
    )


async def release(db: AsyncSession, cdr_ids: Sequence[UUID]) -> list[UUID]:
    """Let CDRs go, in this order. Says which were held."""
    released: list[UUID] = []
    for cdr_id in cdr_ids:
        released += await db.scalars(RELEASE, {"ids": [cdr_id]})
    return released
