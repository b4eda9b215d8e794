"""When a module of a partner is pulled, by what the operator set and what the partner does.

The default is to pull only what a partner cannot push: everything once when it is new, what changed
while it or the hub was away, everything again once a week to find what went astray, and at an
interval only those modules that it does not push. Lists are asked for in hours, not in minutes, and
never by everybody at once (TRANSPORT-19, TRANSPORT-20).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hub.models.routing import SyncState
from hub.models.values import ConnectionStatus, InterfaceRole, PartnerStatus, Party
from hub.roaming.modules import CDRS, LOCATIONS, SESSIONS, TARIFFS, TOKENS, Module
from hub.roaming.network.partners import Connection

MODES = ("auto", "always", "never")
ASKED_FOR, MISSED, REGULAR = "asked for", "missed", "full"
# What refers to something comes after it.
IN_ORDER = (TOKENS, TARIFFS, LOCATIONS, SESSIONS, CDRS)
PULLED = tuple(module.name for module in IN_ORDER)
USUAL_MINUTES = {SESSIONS: 60, CDRS: 60}
MINUTES = 360
FULL_DAYS = 7
# Sessions and CDRs are never asked for from further back than this: they are past and settled.
LOOK_BACK = timedelta(days=35)
# What arrives late at a partner has an old last_updated.
OVERLAP = timedelta(hours=24)
# Nobody knows what a push that failed said, so a shorter silence than this is taken for none.
GAP = timedelta(minutes=5)
# However often something turns out to be missing, it is not asked for more often than this.
PAUSE = timedelta(minutes=5)
# Who has pushed a module within this time is taken to push it.
PUSHES = timedelta(days=7)
# How much earlier or later than due a pull begins: a part of its interval.
SPLAY = 0.1


@dataclass(frozen=True)
class Terms:
    """What is agreed for one module of one partner (``configuration.sync``).

    ``fresh`` is how long nothing new may come before somebody must look; ``withdraw`` whether what
    is no longer listed is taken away (``absences``).
    """

    mode: str = "auto"
    interval: timedelta = timedelta(minutes=MINUTES)
    full: timedelta = timedelta(days=FULL_DAYS)
    fresh: timedelta | None = None
    withdraw: bool = True

    @classmethod
    def of(cls, connection: Connection, module: Module) -> "Terms":
        """The module's own terms, else the partner's, else the usual ones."""
        settings = connection.settings
        own: Mapping[str, Any] = settings.sync.get(module.name) or {}
        minutes = connection.sync_minutes or USUAL_MINUTES.get(module, MINUTES)
        return cls(
            mode=own.get("mode") or ("auto" if settings.auto_sync_enabled else "never"),
            interval=timedelta(minutes=own.get("interval_minutes") or minutes),
            full=timedelta(days=own.get("full_days") or FULL_DAYS),
            fresh=timedelta(hours=own["fresh_hours"]) if own.get("fresh_hours") else None,
            withdraw=own.get("absent", "withdraw") == "withdraw",
        )


@dataclass(frozen=True)
class Wish:
    """A pull that is due: of everything, or of what changed ``since``; ``reason`` in words."""

    full: bool
    reason: str
    since: datetime | None = None

    @property
    def kind(self) -> str:
        return "full" if self.full else "delta"


def pullable(connection: Connection) -> list[Module]:
    """The modules that can be pulled: the partner owns such objects and serves lists of them."""
    agreed = connection.settings.supported_modules
    return [
        module
        for module in IN_ORDER
        if (agreed is None or module.name in agreed)
        and owners(connection, module)
        and connection.endpoint(module.name, InterfaceRole.SENDER)
    ]


def owners(connection: Connection, module: Module) -> list[Party]:
    """The parties of a platform that own objects of a module."""
    return sorted({party for party, role in connection.roles if role in module.owner_roles})


def reachable(connection: Connection) -> bool:
    return (
        connection.status == PartnerStatus.ACTIVE
        and connection.connection_status == ConnectionStatus.CONNECTED
        and connection.registered
    )


def due(state: SyncState, terms: Terms, now: datetime) -> Wish | None:
    """The pull that should begin now, if any; for a state in which none is under way."""
    asked = wish_asked_for(state)
    if asked is not None:
        return asked
    if terms.mode == "never" or (state.next_attempt_at and state.next_attempt_at > now):
        return None
    if state.full_at is None:
        return Wish(full=True, reason="new")
    last = max(state.full_at, state.delta_at or state.full_at)
    if state.missed_from is not None and last < now - PAUSE:
        return Wish(full=False, reason=MISSED, since=state.missed_from - PAUSE)
    if terms.mode == "auto" and pushes(state, now):
        known = max(last, state.covered_at or last)
        return gap(known, now) or weekly(state, terms, now)
    return weekly(state, terms, now) or since_last(state, terms, last, now)


def gap(known: datetime, now: datetime) -> Wish | None:
    return Wish(full=False, reason="gap", since=known) if known < now - GAP else None


def weekly(state: SyncState, terms: Terms, now: datetime) -> Wish | None:
    assert state.full_at is not None
    again = state.full_at + splayed(terms.full, state.id) <= now
    return Wish(full=True, reason=REGULAR) if again else None


def since_last(state: SyncState, terms: Terms, last: datetime, now: datetime) -> Wish | None:
    passed = last + splayed(terms.interval, state.id) <= now
    return Wish(full=False, reason="interval", since=last) if passed else None


def wish_asked_for(state: SyncState) -> Wish | None:
    if state.wanted_full:
        return Wish(full=True, reason=ASKED_FOR)
    if state.wanted_from is not None:
        return Wish(full=False, reason=ASKED_FOR, since=state.wanted_from)
    return None


def pushes(state: SyncState, now: datetime) -> bool:
    return state.pushed_at is not None and state.pushed_at > now - PUSHES


def splayed(interval: timedelta, state_id: UUID) -> timedelta:
    """The interval, for each state a little longer or shorter, but always the same."""
    turn = state_id.int % 1000 / 1000
    return interval * (1 - SPLAY + 2 * SPLAY * turn)


def date_from(
    module: Module, wish: Wish, *, now: datetime, known_since: datetime
) -> datetime | None:
    """From when on a pull asks; None for everything.

    Sessions must be asked for with a date (TRANSPORT-57). What was charged before the partner came
    is none of the hub's business: sessions and CDRs begin where it was introduced.
    """
    if wish.reason in {ASKED_FOR, MISSED} and wish.since is not None:
        return wish.since
    since = wish.since - OVERLAP if wish.since else None
    if not module.private:
        return since
    earliest = max(known_since - OVERLAP, now - LOOK_BACK)
    return max(since, earliest) if since else earliest
