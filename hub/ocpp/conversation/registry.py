"""Who is connected to this process.

One identity may have two sockets for a while: some simulators open a second one after a reset, and
closing the older of two living sockets makes such a station reconnect for ever (41 times in 40 s).
So the newest authenticated socket gets our CALLs, the older one is pinged: dead, it is dropped;
alive, it stays readable, for answers to CALLs it carried count only there (T-46).
"""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import structlog

from hub.ocpp.conversation.frames import OCPPVersion, Payload
from hub.ocpp.conversation.link import Link
from hub.ocpp.conversation.rates import Tally
from hub.roaming.ports import StationRef

log = structlog.get_logger()

SOCKETS_PER_STATION = 2
NEWCOMERS_PER_MINUTE = 3
# Nobody holds more cards to a reader in a minute; a station that asks more is guessing.
TOKENS_PER_MINUTE = 30
# Seconds for the message at work when somebody hangs up. With those that closing takes it is less
# than the five in which a revoked certificate must have ended its connection (T-49).
HANG_UP_PATIENCE = 2.0
# Seconds that an older socket has to show that it lives.
PONG_WITHIN = 5.0
FRAMES_KEPT = 20_000
LONGEST_FRAME_KEPT = 4096


class Conversation(Protocol):
    """What a station's connection is to the rest of the hub, whatever version it speaks."""

    link: Link
    identity: str
    ref: StationRef

    async def answer(self, action: str, payload: Payload) -> Payload: ...

    async def call(self, action: str, payload: Payload, *, timeout: float = ...) -> Payload:  # noqa: ASYNC109
        """Ask the station; what its answer says of it is kept. Raises as ``Outgoing.call``."""


@dataclass(slots=True)
class Attached:
    """The sockets of one station, newest last, and when others than the first came."""

    conversations: list[Conversation] = field(default_factory=list)
    newcomers: deque[float] = field(default_factory=lambda: deque(maxlen=NEWCOMERS_PER_MINUTE + 1))


class Traced(NamedTuple):
    """A frame as it went by; redacted when somebody looks at it, not when it passes."""

    at: float
    station_id: UUID
    direction: str
    text: str


class Registry:
    """Also a ring of the last frames of all stations together, so that its memory is bounded."""

    def __init__(self) -> None:
        self.pong_within = PONG_WITHIN
        self.stations: dict[UUID, Attached] = {}
        self.guesses: dict[UUID, Tally] = {}
        self.frames: deque[Traced] = deque(maxlen=FRAMES_KEPT)
        self.traced_at = 0.0
        self.closing = False
        self.checks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self.stations)

    def get(self, station_id: UUID) -> Conversation | None:
        """The conversation that new CALLs go to."""
        attached = self.stations.get(station_id)
        return attached.conversations[-1] if attached else None

    def by_tenant(self) -> dict[UUID, dict[UUID, Conversation]]:
        """Whom new CALLs go to, by tenant and station."""
        found: dict[UUID, dict[UUID, Conversation]] = {}
        for station_id, attached in self.stations.items():
            newest = attached.conversations[-1]
            found.setdefault(newest.ref.tenant_id, {})[station_id] = newest
        return found

    def silent_for(self, seconds: float) -> list[Conversation]:
        """Those from whose sockets nothing has come for so long."""
        since = time.monotonic() - seconds
        return [
            conversation
            for attached in self.stations.values()
            for conversation in attached.conversations
            if conversation.link.last_heard < since
        ]

    def may_join(self, station_id: UUID) -> bool:
        """False when a station opens sockets faster than any healthy one would."""
        attached = self.stations.get(station_id)
        if self.closing:
            return False
        if attached is None:
            return True
        now = time.monotonic()
        attached.newcomers.append(now)
        recent = [at for at in attached.newcomers if now - at < 60]  # noqa: PLR2004
        return len(recent) <= NEWCOMERS_PER_MINUTE

    def join(self, conversation: Conversation) -> None:
        attached = self.stations.setdefault(conversation.ref.id, Attached())
        others = list(attached.conversations)
        attached.conversations.append(conversation)
        for other in others[: max(0, len(others) + 1 - SOCKETS_PER_STATION)]:
            self.run(other.link.finish(1000, "Superseded by a newer connection."))
        for other in others[max(0, len(others) + 1 - SOCKETS_PER_STATION) :]:
            self.run(drop_if_dead(other, self.pong_within))

    def leave(self, conversation: Conversation) -> bool:
        """True when that was the station's last socket."""
        attached = self.stations.get(conversation.ref.id)
        if attached is None or conversation not in attached.conversations:
            return False
        attached.conversations.remove(conversation)
        if attached.conversations:
            return False
        del self.stations[conversation.ref.id]
        return True

    def guesses_tokens(self, station_id: UUID) -> bool:
        """Note that a station asks about a token; True when it asks more than drivers would."""
        if len(self.guesses) > 10_000:  # noqa: PLR2004
            self.guesses.clear()
        tally = self.guesses.setdefault(station_id, Tally(TOKENS_PER_MINUTE))
        return tally.exceeded(time.monotonic())

    def hang_up(self, station_id: UUID) -> None:
        """Close what is open of a station; it may connect anew at once."""
        attached = self.stations.get(station_id, Attached())
        attached.newcomers.clear()
        for conversation in list(attached.conversations):
            self.run(conversation.link.leave(1000, patience=HANG_UP_PATIENCE))

    def doubt(self, station_id: UUID) -> None:
        """Drop what is dead of a station that has come to another process."""
        for conversation in self.stations.get(station_id, Attached()).conversations:
            self.run(drop_if_dead(conversation, self.pong_within))

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self.checks.add(task)
        task.add_done_callback(self.checks.discard)

    async def close(self) -> None:
        """Tell every station to come back later, before the listener goes (1001)."""
        self.closing = True
        links = [
            conversation.link
            for attached in self.stations.values()
            for conversation in attached.conversations
        ]
        await asyncio.gather(*(link.leave() for link in links), return_exceptions=True)

    def trace(self, station_id: UUID, direction: str, text: str) -> None:
        # No two frames at the same instant: whoever reads on says from where.
        self.traced_at = max(time.time(), self.traced_at + 1e-6)
        self.frames.append(Traced(self.traced_at, station_id, direction, text[:LONGEST_FRAME_KEPT]))

    def versions(self) -> dict[OCPPVersion, int]:
        counts: dict[OCPPVersion, int] = {}
        for attached in self.stations.values():
            version = attached.conversations[-1].link.version
            counts[version] = counts.get(version, 0) + 1
        return counts


async def drop_if_dead(conversation: Conversation, pong_within: float) -> None:
    if not await conversation.link.alive(pong_within):
        log.info("dead connection dropped", station=conversation.identity)
        conversation.link.abort()
    else:
        log.warning("duplicate connection", station=conversation.identity)
