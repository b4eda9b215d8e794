"""Cursors that are put somewhere else: back, for what is to be told again, or ahead.

    catch_up  the partner is back
    mended    its credentials and endpoints are new
    restart   it may have lost what it had
    put_back  it may see more than before

Who serves the cursor then loses its lease, and with it the right to move the cursor. How far a
cursor had come stays known, however often it is put back: what was taken back meanwhile its partner
has heard, or never had.
"""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import BigInteger, String, Uuid

from hub.models.values import Place
from hub.roaming.cursors import RECORDS, clear_back_off, settled

FURTHER = "(cursor.xid, cursor.seq) > (cursor.reached_xid, cursor.reached_seq)"
ELSEWHERE = (
    "update feed_cursors as cursor set"  # noqa: S608 - all of it is ours
    f" reached_xid = case when {FURTHER} then cursor.xid else cursor.reached_xid end,"
    f" reached_seq = case when {FURTHER} then cursor.seq else cursor.reached_seq end,"
    " put_back_at = clock_timestamp(), leased_by = null, leased_until = null,"
)
JUMP = text(
    f"{ELSEWHERE} xid = cast(:xid as xid8), seq = :seq where partner_id = :partner_id"
    " and module <> all(:records) and module = coalesce(:source, module)"
).bindparams(bindparam("records", type_=ARRAY(String())), bindparam("source", type_=String()))


async def jump(
    db: AsyncSession, partner_id: UUID, place: Place, *, source: str | None = None
) -> None:
    """Put the cursors of all states, or of one source, at a place.

    Records are owed, so theirs stay where they are.
    """
    await db.execute(
        JUMP,
        {
            "partner_id": partner_id,
            "records": sorted(RECORDS),
            "source": source,
            "xid": place.xid,
            "seq": place.seq,
        },
    )


async def catch_up(db: AsyncSession, partner_id: UUID, *, live_only: bool) -> None:
    """The partner was OFFLINE and is back: what it missed is told, as it is now.

    ``live_only`` partners GET what they missed, so states go on from now.
    """
    await clear_back_off(db, partner_id)
    if live_only:
        await jump(db, partner_id, await settled(db))


MEND = text(
    "update feed_cursors set failures = 0, next_attempt_at = null, held_reason = null,"
    " last_error = null, last_error_at = null where partner_id = :partner_id"
)


async def mended(db: AsyncSession, partner_id: UUID) -> None:
    """The partner's credentials and endpoints are new: nothing is held back any more."""
    await db.execute(MEND, {"partner_id": partner_id})


async def restart(
    db: AsyncSession, partner_id: UUID, *, live_only: bool, source: str | None = None
) -> None:
    """A partner may have lost everything, or reads another version now: it gets all states again,
    or those of one source; with ``live_only`` none of the old ones.
    """
    place = await settled(db) if live_only else Place()
    await jump(db, partner_id, place, source=source)


# Another place in any case: whoever saw the cursor before must not go on from what it knew then.
PUT_BACK = text(
    f"{ELSEWHERE}"  # noqa: S608 - as above
    " xid = case when (cursor.xid, cursor.seq) > (move.xid, move.seq) then move.xid"
    " else cursor.xid end,"
    " seq = case when (cursor.xid, cursor.seq) > (move.xid, move.seq) then move.seq"
    " else cursor.seq end - 1"
    " from (select partner_id, source, cast(xid as xid8) as xid, seq"
    " from unnest(:partners, :sources, :xids, :seqs) as given(partner_id, source, xid, seq))"
    " as move where cursor.partner_id = move.partner_id and cursor.module = move.source"
).bindparams(
    bindparam("partners", type_=ARRAY(Uuid())),
    bindparam("sources", type_=ARRAY(String())),
    bindparam("xids", type_=ARRAY(String())),
    bindparam("seqs", type_=ARRAY(BigInteger())),
)


async def put_back(db: AsyncSession, places: Mapping[tuple[UUID, str], Place]) -> None:
    """By partner and source, a place that must be told again, if its cursor has come that far."""
    if not places:
        return
    await db.execute(
        PUT_BACK,
        {
            "partners": [partner_id for partner_id, _ in places],
            "sources": [source for _, source in places],
            "xids": [str(place.xid) for place in places.values()],
            "seqs": [place.seq for place in places.values()],
        },
    )
