"""Does data still flow? Nobody notices by themselves that a partner has fallen silent.

A module of a partner is stale when a pull that should have ended long ago has not, or when nothing
new came for much longer than is usual there. What is usual is learned: the longest silence of the
last weeks, old ones counting less and less; an operator may set it (``fresh_hours``). Tariffs that
change once a year are never taken for stale by their silence alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.routing import SyncState
from hub.roaming.modules import MODULES
from hub.roaming.network.partners import Connection
from hub.roaming.pulls import sync_states
from hub.roaming.pulls.sync_terms import Terms, pullable, pushes

log = structlog.get_logger()

# How often an interval may pass without a pull that ended well, and the least that is waited for.
MISSED_PULLS = 3
LEAST_PULL_WAIT = timedelta(hours=1)
# How much longer than the longest usual silence is too long, and what is never too long.
UNUSUAL = 3
SHORTEST_SILENCE = timedelta(hours=24)
# So many arrivals at different times say what is usual.
ENOUGH_ARRIVALS = 5


@dataclass(frozen=True)
class Freshness:
    """``since`` is from when on data may be missing; ``reason`` why it is stale, or None."""

    since: datetime | None
    reason: str | None = None


def judge(state: SyncState, connection: Connection, now: datetime) -> Freshness:
    """How fresh the data of one module of one partner is."""
    module = MODULES[state.module]
    terms = Terms.of(connection, module)
    if not connection.registered or connection.shut_out:
        return Freshness(state.arrived_at)
    polled = module in pullable(connection) and terms.mode != "never"
    polled = polled and not (terms.mode == "auto" and pushes(state, now))
    if polled:
        pulled = newest(state.full_at, state.delta_at)
        begun = pulled or state.created_at
        longest = max(MISSED_PULLS * terms.interval, LEAST_PULL_WAIT)
        if begun + longest < now:
            why = f": {state.last_error}" if state.last_error else "."
            return Freshness(begun, f"No pull has ended well for {spell(now - begun)}{why}")
    return silence(state, terms, now)


def silence(state: SyncState, terms: Terms, now: datetime) -> Freshness:
    if state.arrived_at is None:
        return Freshness(None)
    longest = terms.fresh
    if longest is None and state.arrivals >= ENOUGH_ARRIVALS and state.usual_gap is not None:
        longest = max(SHORTEST_SILENCE, UNUSUAL * timedelta(seconds=state.usual_gap))
    quiet = now - state.arrived_at
    if longest is None or quiet <= longest:
        return Freshness(state.arrived_at)
    usual = f", usually within {spell(longest / UNUSUAL)}" if terms.fresh is None else ""
    return Freshness(state.arrived_at, f"Nothing new came for {spell(quiet)}{usual}.")


def newest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment is not None), default=None)


def spell(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    if hours >= 48:  # noqa: PLR2004 - two days
        return f"{hours / 24:.0f} days"
    return f"{hours:.0f} hours" if hours >= 1 else f"{hours * 60:.0f} minutes"


async def watch(db: AsyncSession, connections: Iterable[Connection]) -> None:
    """Note what has become stale or fresh again, and say so once."""
    present = {connection.id: connection for connection in connections}
    now, states = await sync_states.states(db)
    for state in states:
        connection = present.get(state.partner_id)
        if connection is None or state.module not in MODULES:
            continue
        found = judge(state, connection, now)
        was = state.stale_since is not None
        told = {"partner": str(connection.id), "module": state.module}
        if (found.reason is not None) != was:
            await mark(db, state.id, {"stale_since": None if was else now})
        if found.reason is not None and not was:
            log.warning("data has stopped flowing", reason=found.reason, **told)
        if found.reason is None and was:
            log.info("data flows again", **told)


async def mark(db: AsyncSession, state_id: UUID, values: dict[str, Any]) -> None:
    await db.execute(update(SyncState).where(SyncState.id == state_id).values(**values))
