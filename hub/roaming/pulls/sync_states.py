"""How far each module of each partner was pulled, and who is at it now.

    enrol      a partner that came has modules to be pulled
    begin      take a state for a run; of all processes one gets it
    advance    a page was kept: remember where to go on, keep the lease
    finish     the run saw the end of the list
    fail       it broke off: go on from the same page later
    drop       it was cancelled
    ask        somebody wants a pull
    miss       a PATCH spoke of something that is not here
    cover      pushes are taken in: nothing is missed up to now

A run is a lease on its row: whoever dies loses it within a minute, and another process goes on from
the page that was kept last. What a leaseholder writes is written only while the row is still its
own. All times are the database's.
"""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Uuid

from hub import codec
from hub.models.partners import Partner
from hub.models.routing import SyncState
from hub.roaming.pulls.sync_terms import ASKED_FOR, GAP, Wish

LEASE_SECONDS = 60.0
# How long a run that was cancelled does not begin again by itself.
PAUSE_SECONDS = 3600.0
# Seconds.
FIRST_BACK_OFF = 30.0
LONGEST_BACK_OFF = 3600.0
SHORTEST_BACK_OFF = 5.0
REASON_LENGTH = 1000


@dataclass(frozen=True)
class Lease:
    """A run that is ours: which state, who we are, and when the run began."""

    state_id: UUID
    owner: str
    started_at: datetime


class Lost(Exception):
    """The run is somebody else's now, or was cancelled; what was kept is kept."""

    def __init__(self, *, cancelled: bool = False) -> None:
        super().__init__("cancelled" if cancelled else "taken over")
        self.cancelled = cancelled


async def enrol(db: AsyncSession, wanted: Iterable[tuple[UUID, str]]) -> None:
    rows = [{"partner_id": partner_id, "module": module} for partner_id, module in wanted]
    if rows:
        await db.execute(insert(SyncState).values(rows).on_conflict_do_nothing())


async def states(
    db: AsyncSession, partner_id: UUID | None = None
) -> tuple[datetime, Sequence[SyncState]]:
    """The database's time, and every state of the tenant or of one partner."""
    now = await db.scalar(select(func.clock_timestamp()))
    assert now is not None
    query = select(SyncState).order_by(SyncState.created_at, SyncState.module)
    if partner_id is not None:
        query = query.where(SyncState.partner_id == partner_id)
    return now, (await db.scalars(query)).all()


TAKE = text(
    "update sync_states set leased_by = :owner,"
    " leased_until = clock_timestamp() + make_interval(secs => :seconds), updated_at = now()"
    " where id = :id and (leased_until is null or leased_until < clock_timestamp())"
    " and started_at is not distinct from :started_at returning id"
)
# What was asked for is no longer wanted when this run, which asks from ``since`` on, brings it.
START = text(
    "update sync_states set started_at = clock_timestamp(), next_url = null,"
    " progress = cast(:progress as jsonb), cancelled = false, failures = 0,"
    " wanted_full = wanted_full and not :full,"
    " wanted_from = case when wanted_from < cast(:since as timestamptz) then wanted_from end,"
    " missed_from = case when missed_from < cast(:since as timestamptz) then missed_from end"
    " where id = :id and leased_by = :owner returning started_at"
)


async def begin(
    db: AsyncSession,
    state: SyncState,
    owner: str,
    *,
    wish: Wish | None,
    since: datetime | None = None,
    progress: Mapping[str, Any],
) -> Lease | None:
    """Take a state as it was seen: to start a run, or (``wish`` None) to go on with one.

    ``since`` is what the run will ask for, None for everything. None: another process was faster.
    """
    taken = await db.scalar(
        TAKE,
        {
            "id": state.id,
            "owner": owner,
            "seconds": LEASE_SECONDS,
            "started_at": state.started_at,
        },
    )
    if taken is None:
        return None
    if wish is None:
        assert state.started_at is not None
        return Lease(state.id, owner, state.started_at)
    started_at = await db.scalar(
        START,
        {
            "id": state.id,
            "owner": owner,
            "progress": codec.write_text(progress),
            "full": wish.full,
            "since": since,
        },
    )
    return Lease(state.id, owner, started_at)


def own(lease: Lease) -> tuple[Any, ...]:
    return (
        SyncState.id == lease.state_id,
        SyncState.leased_by == lease.owner,
        SyncState.started_at == lease.started_at,
    )


async def advance(
    db: AsyncSession, lease: Lease, *, next_url: str | None, progress: Mapping[str, Any]
) -> None:
    """Remember how far the run is, and keep the lease. Raises ``Lost``."""
    cancelled = await db.scalar(
        update(SyncState)
        .where(*own(lease))
        .values(
            next_url=next_url,
            progress=dict(progress),
            leased_until=func.clock_timestamp()
            + func.make_interval(0, 0, 0, 0, 0, 0, LEASE_SECONDS),
        )
        .returning(SyncState.cancelled)
    )
    if cancelled is None or cancelled:
        raise Lost(cancelled=bool(cancelled))


async def finish(db: AsyncSession, lease: Lease, *, full: bool, result: Mapping[str, Any]) -> None:
    """The end of the list was seen: what was true when the run began is known."""
    partner_id = await db.scalar(
        update(SyncState)
        .where(*own(lease))
        .values(
            **ENDED,
            full_at=SyncState.started_at if full else SyncState.full_at,
            delta_at=SyncState.started_at,
            covered_at=func.greatest(SyncState.covered_at, SyncState.started_at),
            result=dict(result),
            failures=0,
            next_attempt_at=None,
            last_error=None,
            last_error_at=None,
        )
        .returning(SyncState.partner_id)
    )
    if partner_id is None:
        raise Lost
    await db.execute(
        update(Partner)
        .where(Partner.id == partner_id)
        # No change of the partner: everything that is cached of it stays true.
        .values(last_synced_at=func.now(), updated_at=Partner.updated_at)
    )


ENDED: dict[str, Any] = {
    "started_at": None,
    "next_url": None,
    "progress": {},
    "cancelled": False,
    "leased_by": None,
    "leased_until": None,
}


def delay(failures: int, retry_after: float = 0) -> float:
    """Seconds until the next attempt: doubling, spread at random, not before we were asked back."""
    longest = min(FIRST_BACK_OFF * 2.0 ** min(failures, 20), LONGEST_BACK_OFF)
    spread = random.uniform(longest / 2, longest)  # noqa: S311 - nobody gains by guessing it
    return max(SHORTEST_BACK_OFF, spread, min(retry_after, LONGEST_BACK_OFF))


async def fail(
    db: AsyncSession,
    lease: Lease,
    *,
    reason: str,
    retry_after: float,
    next_url: str | None,
    progress: Mapping[str, Any],
) -> None:
    """The run broke off: it goes on at ``next_url`` after a while (None: from the beginning)."""
    failures = await db.scalar(select(SyncState.failures).where(*own(lease)))
    seconds = delay(failures or 0, retry_after)
    await db.execute(
        update(SyncState)
        .where(*own(lease))
        .values(
            next_url=next_url,
            progress=dict(progress),
            failures=SyncState.failures + 1,
            next_attempt_at=func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds),
            last_error=reason[:REASON_LENGTH],
            last_error_at=func.clock_timestamp(),
            leased_by=None,
            leased_until=None,
        )
    )


async def drop(db: AsyncSession, lease: Lease, *, result: Mapping[str, Any]) -> None:
    """The run was cancelled and ends here."""
    await db.execute(update(SyncState).where(*own(lease)).values(**dropped(result)))


def dropped(result: Mapping[str, Any]) -> dict[str, Any]:
    """By itself the next run begins only after a while."""
    pause = func.make_interval(0, 0, 0, 0, 0, 0, PAUSE_SECONDS)
    return {
        **ENDED,
        "result": dict(result),
        "next_attempt_at": func.clock_timestamp() + pause,
    }


async def release(db: AsyncSession, lease: Lease) -> None:
    """Others may go on at once with what this process was at."""
    await db.execute(update(SyncState).where(*own(lease)).values(leased_by=None, leased_until=None))


async def ask(
    db: AsyncSession,
    partner_id: UUID,
    modules: Collection[str],
    *,
    since: datetime | None = None,
) -> None:
    """Somebody wants these modules pulled now: everything, or what changed since then."""
    await enrol(db, [(partner_id, module) for module in modules])
    wanted = (SyncState.partner_id == partner_id, SyncState.module.in_(modules))
    if since is None:
        change: dict[str, Any] = {"wanted_full": True}
    else:
        change = {"wanted_from": func.least(SyncState.wanted_from, since)}
    await db.execute(update(SyncState).where(*wanted).values(**change, next_attempt_at=None))


async def hurry(db: AsyncSession, state_id: UUID) -> None:
    """A run that broke off need not wait any longer."""
    await db.execute(update(SyncState).where(SyncState.id == state_id).values(next_attempt_at=None))


async def cancel(db: AsyncSession, partner_id: UUID, modules: Collection[str]) -> None:
    """Whoever is at these modules stops after its page; nothing that was asked for remains."""
    wanted = (SyncState.partner_id == partner_id, SyncState.module.in_(modules))
    begun = SyncState.started_at.is_not(None)
    free = or_(SyncState.leased_until.is_(None), SyncState.leased_until < func.clock_timestamp())
    await db.execute(
        update(SyncState)
        .where(*wanted)
        .values(wanted_full=False, wanted_from=None, missed_from=None, cancelled=begun)
    )
    for state in await db.scalars(select(SyncState).where(*wanted, begun, free).with_for_update()):
        assert state.started_at is not None
        result = {"kind": "delta", "reason": ASKED_FOR, "counts": {}, **state.progress}
        result |= {"outcome": "CANCELLED", "started_at": state.started_at.isoformat()}
        result |= {"complete": False, "remarks": []}
        await db.execute(
            update(SyncState).where(SyncState.id == state.id).values(**dropped(result))
        )


async def miss(db: AsyncSession, partner_id: UUID, module: str, since: datetime) -> None:
    """Something changed then that is not here: it must be pulled."""
    await db.execute(
        update(SyncState)
        .where(SyncState.partner_id == partner_id, SyncState.module == module)
        .values(missed_from=func.least(SyncState.missed_from, since))
    )


COVER = text(
    "update sync_states set covered_at = clock_timestamp() where partner_id = any(:partners)"
    " and covered_at > clock_timestamp() - make_interval(secs => :gap)"
).bindparams(bindparam("partners", type_=ARRAY(Uuid())))


async def cover(db: AsyncSession, partner_ids: Iterable[UUID]) -> None:
    """These partners can push to us now. Where that was so a moment ago, nothing was missed since;
    where it was not, there is a gap, which only a pull closes.
    """
    await db.execute(COVER, {"partners": list(partner_ids), "gap": GAP.total_seconds()})
