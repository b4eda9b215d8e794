"""Serving one partner one batch, and what its answers say about it.

Objects that do not concern each other go at the same time; one that cannot be digested holds up
nothing but itself: while others are answered, it is set aside (``setbacks``). Only when nothing is
answered any more is the partner taken to be away. One that was away is first asked with a few
objects, chosen at random, so that the same bad one is not always in front.

Slow partners are given fewer requests at a time, down to one, so that they cannot fill the slots
that all partners share.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import structlog

from hub.models.values import Party, Place
from hub.ocpi.client import Client, Refused, Unreachable
from hub.ocpi.delivery.delivery import Outcome, Verdict, deliver
from hub.ocpi.delivery.slots import Slots
from hub.ocpi.delivery.window import Message
from hub.roaming.cursors import Move, Standing
from hub.roaming.feed.changes import Change, Source
from hub.roaming.feed.setbacks import STATE_ATTEMPTS, Open, Refusal
from hub.roaming.network.partners import Connection

log = structlog.get_logger()

# Seconds: nothing new is begun in a batch after this long, so that what is urgent gets its turn.
BUDGET = 5.0
# After so many failures in a row, whatever went well before, the partner is away.
ENOUGH = 3
# Catching up: requests at a time, and per second.
GENTLE = 4
GENTLE_RATE = 400.0
# Seconds: an answer that takes longer on average halves the number of requests at a time.
SLOW = 2.0
URGENT_LANE = 0


@dataclass
class Entry:
    """One object for one party. ``ahead``: sent before its turn, so its place says nothing. What
    has a ``verdict`` before it was sent is not sent.
    """

    message: Message
    party: Party
    ahead: bool = False
    setback: Open | None = None
    blocked: str | None = None
    verdict: Verdict | None = None

    @property
    def settled(self) -> bool:
        return self.verdict is not None and self.verdict.alive

    @property
    def retried(self) -> bool:
        """Whether it is sent only because it had been set aside."""
        return self.ahead and self.setback is not None


@dataclass
class Run:
    """One batch for one partner: what it gets, and how far its cursor is when it has it all.

    ``deadline`` (monotonic) is when the lease ends; ``behind``: more follows after this batch;
    ``urgent_up_to``: how far ahead of that what is urgent was looked for.
    """

    connection: Connection
    source: Source
    standing: Standing
    entries: list[Entry]
    end: Place
    deadline: float
    behind: bool = False
    urgent_up_to: Place | None = None
    stopped: Verdict | None = None
    alive: bool = False
    # Failures since the last answer, and those before it.
    streak: list[Entry] = field(default_factory=list)
    sick: list[Entry] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    busy_for: float = 0
    asked: int = 0
    # Whether it opens to us, once there was reason to doubt it.
    welcome: asyncio.Task[bool] | None = None

    def over(self, timeout: float) -> bool:
        """Whether nothing more is to be begun: a request must end while the lease still holds."""
        now = time.monotonic()
        return (
            self.stopped is not None
            or len(self.streak) >= ENOUGH
            or now > self.started + BUDGET
            or now > self.deadline - timeout
        )

    def note(self, entry: Entry) -> None:
        """What an answer says about the partner."""
        assert entry.verdict is not None
        if entry.blocked:
            self.sick.append(entry)
        elif entry.verdict.alive:
            self.alive = True
            self.sick += self.streak
            self.streak = []
        else:
            self.streak.append(entry)
            if entry.verdict.outcome in {Outcome.BUSY, Outcome.SHUT}:
                self.stopped = self.stopped or entry.verdict


@dataclass(frozen=True)
class Report:
    """What came of a batch. ``away`` is why the partner gets nothing more for now; ``brief``: not
    for long, for nothing was tried but what had been set aside before.
    """

    move: Move
    away: Verdict | None
    brief: bool
    refusals: list[tuple[Refusal, int]]
    settled: list[UUID]


class Courier:
    """Delivers for all partners; knows how many requests at a time each of them can take."""

    def __init__(
        self,
        client: Client,
        find: Callable[[Run, Sequence[str]], Awaitable[list[Message]]],
        *,
        everywhere: int,
        per_partner: int,
        timeout: float,
    ) -> None:
        self._client = client
        self._find = find
        self._everywhere = Slots(everywhere)
        self._per_partner = per_partner
        self._timeout = timeout
        self._slots: dict[UUID, Slots] = {}

    async def serve(self, run: Run) -> Report:
        chains = list(chained([entry for entry in run.entries if entry.verdict is None]))
        if run.standing.failures:
            few = set(random.sample(range(len(chains)), min(ENOUGH, len(chains))))
            await self._work(run, [chains[number] for number in few], at_once=ENOUGH)
            chains = [c for number, c in enumerate(chains) if run.alive and number not in few]
        await self._work(run, chains, at_once=GENTLE if run.behind else self._per_partner)
        self._adapt(run)
        if run.behind:
            early = run.started + run.asked / GENTLE_RATE - time.monotonic()
            await asyncio.sleep(max(0.0, early))
        return report(run)

    async def _work(self, run: Run, chains: Sequence[list[Entry]], *, at_once: int) -> None:
        waiting = iter(chains)

        async def worker() -> None:
            while not run.over(self._timeout):
                chain = next(waiting, None)
                if chain is None:
                    return
                before: Entry | None = None
                for entry in chain:
                    if before is not None and not follows(before, entry):
                        break
                    await self._one(run, entry)
                    before = entry

        async with asyncio.TaskGroup() as workers:
            for _ in range(min(at_once, len(chains))):
                workers.create_task(worker())

    async def _one(self, run: Run, entry: Entry) -> None:
        if entry.blocked:
            entry.verdict = Verdict(Outcome.FAILING, f"It waits for {entry.blocked}.")
            run.note(entry)
            return
        lane = URGENT_LANE if entry.message.change.urgent else run.source.lane
        async with self._slots_of(run).one(lane), self._everywhere.one(lane):
            if run.over(self._timeout):
                return
            began = time.monotonic()
            try:
                entry.verdict = await self._deliver(run, entry)
            except Exception:
                # Our own mistake with one object must not hold up all others.
                log.exception("object could not be sent", object_ref=entry.message.change.ref)
                entry.verdict = Verdict(Outcome.REFUSED, "The hub itself failed to send it.")
            run.asked += 1
            run.busy_for += time.monotonic() - began
        run.note(entry)

    async def _deliver(self, run: Run, entry: Entry) -> Verdict:
        change = entry.message.change
        verdict = await deliver(
            self._client, run.connection, run.source, entry.message, entry.party
        )
        if change.parent is not None and not change.withdraws and verdict.lacks_location:
            # The receiver has not got the location, so the EVSE means nothing to it: tell it whole.
            for location in await self._find(run, [change.parent]):
                if may_have(entry.party, location.change):
                    verdict = await deliver(
                        self._client, run.connection, run.source, location, entry.party
                    )
        if verdict.forbidden and await self._lets_in(run):
            # Not this object, perhaps because of whose it is; somebody may permit it some day.
            return replace(verdict, outcome=Outcome.REFUSED, later=True)
        return verdict

    async def _lets_in(self, run: Run) -> bool:
        """Whether the platform opens to us at all, which its list of versions tells; asked once."""
        if run.welcome is None:
            run.welcome = asyncio.create_task(self._ask_for_versions(run.connection))
        return await run.welcome

    async def _ask_for_versions(self, connection: Connection) -> bool:
        try:
            url = connection.versions_url or ""
            return (await self._client.call(connection, "GET", url, timeout=self._timeout)).ok
        except (Refused, Unreachable):
            return False

    def _slots_of(self, run: Run) -> Slots:
        return self._slots.setdefault(run.connection.id, Slots(self._per_partner))

    def _adapt(self, run: Run) -> None:
        """Fewer at a time for who is slow, silent or asks for it; one more for who is not."""
        slots = self._slots_of(run)
        if not run.asked:
            return
        if run.stopped or run.streak or run.busy_for / run.asked > SLOW:
            slots.size = max(1, slots.size // 2)
        else:
            slots.size = min(self._per_partner, slots.size + 1)


def may_have(party: Party, location: Change) -> bool:
    """Whether a party that might see an EVSE may still see its location, hidden perhaps since."""
    return not location.withdraws and (location.only is None or party in location.only)


def chained(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """What must go one after the other: the same URL for the same party (HCI-07), and a credit CDR
    after the one it credits.
    """
    chains: dict[tuple[Party, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        change = entry.message.change
        chains[entry.party, change.after or "/".join(change.path) or change.ref].append(entry)
    for chain in chains.values():
        # False before True: what is waited for goes first.
        yield sorted(chain, key=lambda entry: entry.message.change.after is not None)


def follows(before: Entry, entry: Entry) -> bool:
    """Whether an entry may be sent after the one before it in its chain."""
    credited = entry.message.change.after
    if credited is None or before.message.change.ref != credited:
        return True
    if before.verdict is not None and before.verdict.outcome is Outcome.REFUSED:
        entry.blocked = credited
        return True
    return before.settled


def report(run: Run) -> Report:
    away = judge_partner(run)
    tried = [entry for entry in run.entries if entry.verdict is not None]
    brief = run.stopped is None and all(entry.retried for entry in tried)
    if away is None or brief:
        run.sick += run.streak
        run.streak = []
    dropped = {id(entry) for entry in run.sick}
    refusals, settled, left = [], [], []
    for entry in run.entries:
        if id(entry) in dropped or (entry.verdict and entry.verdict.outcome is Outcome.REFUSED):
            refusals.append(refusal(run, entry))
        elif entry.settled:
            settled += [entry.setback.id] if entry.setback else []
        elif not entry.ahead:
            left.append(entry.message.change.place)
    place = just_before(min(left)) if left else run.end
    taken = sum(e.verdict is not None and e.verdict.outcome is Outcome.TAKEN for e in run.entries)
    return Report(Move(run.standing.id, place, taken), away, brief, refusals, settled)


def judge_partner(run: Run) -> Verdict | None:
    """Why the partner is to be left alone for a while, or None: it works."""
    if run.stopped:
        return run.stopped
    if not run.streak or (run.alive and len(run.streak) < ENOUGH):
        return None
    last = run.streak[-1].verdict
    assert last is not None
    if last.answered and run.standing.failures >= STATE_ATTEMPTS:
        # It is there and answers, always with an error of its own: that cannot go on for ever.
        return None
    return last


def refusal(run: Run, entry: Entry) -> tuple[Refusal, int]:
    """The setback, and its number of attempts."""
    verdict = entry.verdict
    assert verdict is not None
    return Refusal(
        partner_id=run.connection.id,
        party=entry.party,
        source=run.source.name,
        ref=entry.message.change.ref,
        reason=verdict.reason,
        http_status=verdict.http_status,
        status_code=verdict.status_code,
        passing=verdict.outcome is not Outcome.REFUSED or verdict.later,
        alone=not run.alive,
    ), (entry.setback.attempts if entry.setback else 0) + 1


def just_before(place: Place) -> Place:
    return Place(place.xid, place.seq - 1)
