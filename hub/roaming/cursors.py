"""How far each partner has seen the feed: its cursors.

    settled      the place up to which the feed may be read
    standings    where the cursors are, and which are free
    lease        take cursors for one worker; a worker that dies loses them after a while
    advance      the partner has seen everything up to here
    back_off     the partner is away: everything waits
    hold         something must be mended first: everything waits longer

Other reasons to put one somewhere else are in ``jumps``.

A cursor is a place, never a message: who comes back gets what is true now (OCPI: "messages SHOULD
NOT be queued"). All times are the database's clock. What a leaseholder writes is written only while
the cursor is still its own, so a worker that was stopped and goes on cannot undo what others did.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import BigInteger, Integer, String, Uuid

from hub.models.values import Place
from hub.roaming.modules import MODULES

# The results of commands, which belong to no module (``results``).
RESULTS = "results"
# What is owed until it is answered, however long that takes.
RECORDS = frozenset(module.name for module in MODULES.values() if module.record) | {RESULTS}

# Seconds.
SHORTEST_BACK_OFF = 1.0
FIRST_BACK_OFF = 5.0
LONGEST_BACK_OFF = 3600.0
HELD_FOR = 3600.0
# Longer than anybody remembers who may see what (``ocpi.directory``).
LATELY = 5.0
# A partner that calls us but does not answer us is tried again at once only so many times; after
# that its calls bring it forward no more often than this.
PATIENCE = 5
IMPATIENCE = 10.0


async def settled(db: AsyncSession) -> Place:
    """The place before which nothing can appear any more: every older transaction is done."""
    xid = await db.scalar(text("select pg_snapshot_xmin(pg_current_snapshot())"))
    return Place(xid or 0)


async def next_place(db: AsyncSession) -> Place:
    """Where the next transaction will be: once this is settled, so is everything of today."""
    xid = await db.scalar(text("select pg_snapshot_xmax(pg_current_snapshot())"))
    return Place(xid or 0)


@dataclass(frozen=True, slots=True)
class Standing:
    """One partner's cursor in one source. ``free``: nobody serves it and it is due. ``reached`` is
    how far it was when it was put back last, or began.
    """

    id: UUID
    partner_id: UUID
    source: str
    place: Place
    failures: int
    held: bool
    free: bool
    reached: Place
    put_back_at: datetime | None
    put_back_lately: bool


@dataclass(frozen=True, slots=True)
class Move:
    """A cursor's way ahead: up to ``place``, with so many requests answered well."""

    cursor_id: UUID
    place: Place
    delivered: int = 0


def uuids(name: str) -> Any:
    return bindparam(name, type_=ARRAY(Uuid()))


STANDINGS = text(
    "select id, partner_id, module, xid, seq, reached_xid, reached_seq, failures, put_back_at,"
    " coalesce(put_back_at > clock_timestamp() - make_interval(secs => :lately), false)"
    " as put_back_lately,"
    " held_reason is not null as held,"
    " (leased_until is null or leased_until < clock_timestamp())"
    " and (next_attempt_at is null or next_attempt_at <= clock_timestamp()) as free"
    " from feed_cursors where module = any(:sources)"
).bindparams(bindparam("sources", type_=ARRAY(String())))


async def standings(db: AsyncSession, sources: Iterable[str]) -> list[Standing]:
    rows = await db.execute(STANDINGS, {"sources": list(sources), "lately": LATELY})
    return [
        Standing(
            row.id,
            row.partner_id,
            row.module,
            Place(row.xid, row.seq),
            row.failures,
            row.held,
            row.free,
            Place(row.reached_xid, row.reached_seq),
            row.put_back_at,
            row.put_back_lately,
        )
        for row in rows
    ]


OPEN = text(
    "insert into feed_cursors (partner_id, module, xid, seq, reached_xid, reached_seq)"
    " select partner_id, module, cast(xid as xid8), seq, cast(:xid as xid8), :seq"
    " from unnest(:partners, :sources, :xids, :seqs) as given(partner_id, module, xid, seq)"
    " on conflict (tenant_id, partner_id, module) do nothing"
).bindparams(
    uuids("partners"),
    bindparam("sources", type_=ARRAY(String())),
    bindparam("xids", type_=ARRAY(String())),
    bindparam("seqs", type_=ARRAY(BigInteger())),
)


async def enrol(db: AsyncSession, wanted: Mapping[tuple[UUID, str], bool]) -> None:
    """Give partners cursors they have not got: by partner and source, whether only what is new.

    Who wants only what is new starts at the end; everybody else is told everything there is.
    Records are owed in either case.
    """
    head = await settled(db)
    places = {
        key: head if live_only and key[1] not in RECORDS else Place()
        for key, live_only in wanted.items()
    }
    await db.execute(
        OPEN,
        {
            "partners": [partner_id for partner_id, _ in places],
            "sources": [source for _, source in places],
            "xids": [str(place.xid) for place in places.values()],
            "seqs": [place.seq for place in places.values()],
            "xid": head.xid,
            "seq": head.seq,
        },
    )


TAKE = text(
    "update feed_cursors set leased_by = :owner,"
    " leased_until = clock_timestamp() + make_interval(secs => :seconds)"
    " where id in (select id from feed_cursors where id = any(:ids)"
    " and (leased_until is null or leased_until < clock_timestamp())"
    " and (next_attempt_at is null or next_attempt_at <= clock_timestamp())"
    " for update skip locked) returning id, xid, seq"
).bindparams(uuids("ids"))


async def lease(
    db: AsyncSession, wanted: Mapping[UUID, Place], owner: str, seconds: float
) -> set[UUID]:
    """Take those cursors that are still free and still at the place where the caller saw them."""
    if not wanted:
        return set()
    taken = await db.execute(TAKE, {"ids": sorted(wanted), "owner": owner, "seconds": seconds})
    found = {row.id: Place(row.xid, row.seq) for row in taken}
    moved = [cursor_id for cursor_id, place in found.items() if place != wanted[cursor_id]]
    if moved:
        await release(db, moved, owner)
    return found.keys() - set(moved)


RELEASE = text(
    "update feed_cursors set leased_by = null, leased_until = null"
    " where id = any(:ids) and leased_by = :owner"
).bindparams(uuids("ids"))


async def release(db: AsyncSession, cursor_ids: Iterable[UUID], owner: str) -> None:
    """Let go of cursors without having moved them."""
    await db.execute(RELEASE, {"ids": sorted(cursor_ids), "owner": owner})


ADVANCE = text(
    "update feed_cursors as cursor set xid = cast(move.xid as xid8), seq = move.seq, failures = 0,"
    " next_attempt_at = null, held_reason = null, last_error = null, last_error_at = null,"
    " leased_by = null, leased_until = null, delivered = cursor.delivered + move.delivered,"
    " delivered_at = case when move.delivered > 0 then now() else cursor.delivered_at end,"
    " updated_at = now()"
    " from unnest(:ids, :xids, :seqs, :delivered) as move(id, xid, seq, delivered)"
    " where cursor.id = move.id and cursor.leased_by = :owner"
    " returning cursor.id"
).bindparams(
    uuids("ids"),
    bindparam("xids", type_=ARRAY(String())),
    bindparam("seqs", type_=ARRAY(BigInteger())),
    bindparam("delivered", type_=ARRAY(Integer())),
)


def columns(moves: Sequence[Move]) -> dict[str, Any]:
    return {
        "ids": [move.cursor_id for move in moves],
        "xids": [str(move.place.xid) for move in moves],
        "seqs": [move.place.seq for move in moves],
        "delivered": [move.delivered for move in moves],
    }


async def advance(db: AsyncSession, moves: Sequence[Move], owner: str) -> set[UUID]:
    """Everything up to these places was answered or set aside: move on, give the leases back."""
    if not moves:
        return set()
    return set(await db.scalars(ADVANCE, columns(moves) | {"owner": owner}))


# Nothing before the place concerned the partner. That needs no lease, but nobody may have one.
PASS_BY = text(
    "update feed_cursors as cursor set xid = cast(move.xid as xid8), seq = move.seq"
    " from unnest(:ids, :xids, :seqs, :from_xids, :from_seqs)"
    " as move(id, xid, seq, from_xid, from_seq)"
    " where cursor.id = move.id and cursor.xid = cast(move.from_xid as xid8)"
    " and cursor.seq = move.from_seq"
    " and (leased_until is null or leased_until < clock_timestamp())"
).bindparams(
    uuids("ids"),
    bindparam("xids", type_=ARRAY(String())),
    bindparam("seqs", type_=ARRAY(BigInteger())),
    bindparam("from_xids", type_=ARRAY(String())),
    bindparam("from_seqs", type_=ARRAY(BigInteger())),
)


async def pass_by(db: AsyncSession, moves: Mapping[UUID, tuple[Place, Place]]) -> None:
    """Move cursors ahead, from a place to a place, over what did not concern their partners."""
    if not moves:
        return
    await db.execute(
        PASS_BY,
        {
            "ids": list(moves),
            "xids": [str(after.xid) for _, after in moves.values()],
            "seqs": [after.seq for _, after in moves.values()],
            "from_xids": [str(before.xid) for before, _ in moves.values()],
            "from_seqs": [before.seq for before, _ in moves.values()],
        },
    )


BACK_OFF = text(
    "update feed_cursors set xid = cast(:xid as xid8), seq = :seq, failures = failures + 1,"
    " next_attempt_at = clock_timestamp() + make_interval(secs => :delay),"
    " last_error = :reason, last_error_at = clock_timestamp(), held_reason = :held,"
    " delivered = delivered + cast(:delivered as integer),"
    " delivered_at = case when cast(:delivered as integer) > 0 then now() else delivered_at end,"
    " leased_by = null, leased_until = null, updated_at = now()"
    " where id = :id and leased_by = :owner"
)


def delay(failures: int, retry_after: float = 0) -> float:
    """Seconds until the next attempt: doubling, spread at random, not before we were asked back."""
    longest = min(FIRST_BACK_OFF * 2.0 ** min(failures, 20), LONGEST_BACK_OFF)
    spread = random.uniform(0, longest)  # noqa: S311 - nobody gains by guessing it
    return max(SHORTEST_BACK_OFF, spread, min(retry_after, LONGEST_BACK_OFF))


async def back_off(
    db: AsyncSession, move: Move, owner: str, *, reason: str, seconds: float, held: bool = False
) -> None:
    """The partner is away, or ``held``: something must be mended first. Nothing is passed by."""
    await db.execute(
        BACK_OFF,
        {
            "id": move.cursor_id,
            "owner": owner,
            "xid": move.place.xid,
            "seq": move.place.seq,
            "delivered": move.delivered,
            "delay": seconds,
            "reason": reason[:1000],
            "held": reason[:500] if held else None,
        },
    )


HOLD = text(
    "update feed_cursors set held_reason = :reason, failures = greatest(failures, 1),"
    " next_attempt_at = clock_timestamp() + make_interval(secs => :seconds), updated_at = now()"
    " where partner_id = :partner_id and (leased_until is null or leased_until < clock_timestamp())"
)


async def hold(db: AsyncSession, partner_id: UUID, reason: str) -> None:
    """Nothing can be sent to this partner until its credentials are mended; look once an hour."""
    await db.execute(HOLD, {"partner_id": partner_id, "reason": reason[:500], "seconds": HELD_FOR})


WAITING = (
    "next_attempt_at > clock_timestamp() and held_reason is null and (failures <= :patience"
    " or last_error_at < clock_timestamp() - make_interval(secs => :impatience))"
)
CLEAR = text(
    f"update feed_cursors set next_attempt_at = null where {WAITING}"  # noqa: S608 - ours
    " and partner_id = :partner_id returning id"
)
WAITS = text(f"select distinct partner_id from feed_cursors where {WAITING}")  # noqa: S608 - ours
LIMITS = {"patience": PATIENCE, "impatience": IMPATIENCE}


async def waiting(db: AsyncSession) -> frozenset[UUID]:
    """The partners for whom ``clear_back_off`` would change something now."""
    return frozenset(await db.scalars(WAITS, LIMITS))


async def clear_back_off(db: AsyncSession, partner_id: UUID) -> bool:
    """The partner called: it is there, so do not let it wait. Says whether anything had waited.

    What is held stays held: a call to us proves nothing about our token at theirs.
    """
    cleared = await db.scalars(CLEAR, LIMITS | {"partner_id": partner_id})
    return cleared.first() is not None
