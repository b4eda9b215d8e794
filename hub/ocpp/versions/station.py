"""What conversations with stations of all versions have in common.

A version's module is a table of actions and a translation of each; whatever must be decided is
decided in ``roaming``. Answers are durable: what was answered is committed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Unavailable
from hub.ocpp import timestamps
from hub.ocpp.conversation.frames import CallRefused, ErrorCode, Payload
from hub.ocpp.conversation.link import Link
from hub.ocpp.conversation.outgoing import CALL_DEADLINE, UNANSWERED
from hub.ocpp.conversation.patience import patiently
from hub.ocpp.conversation.presence import Presence
from hub.ocpp.identity import Record
from hub.ocpp.wire import Wire
from hub.roaming.authorization import authorization
from hub.roaming.authorization.authorization import Decision, Shown
from hub.roaming.charging.meter_intake import Metered
from hub.roaming.charging.status_intake import Reported
from hub.roaming.metering.clocks import NOTICEABLE, Clock, Moment
from hub.roaming.metering.readings import Reading, shifted
from hub.roaming.ports import StationRef
from hub.roaming.stations import own_evses, stations
from hub.roaming.stations.boot_intake import Booted
from hub.roaming.stations.connectors import StatusReport
from hub.roaming.stations.stations import Boot
from hub.roaming.store.writes import Stored

log = structlog.get_logger()

Answering = Callable[[Any, Payload], Awaitable[Payload]]
# What is kept of the answer to a question of ours: (station, question, answer).
Learning = Callable[[Any, Payload, Payload], Coroutine[Any, Any, None]]

# Commands after which a message comes that is about now, and what that message will name.
LEADS_TO: Mapping[str, Callable[[Payload], str]] = {
    "RemoteStartTransaction": lambda payload: str(payload["idTag"]),
    "RequestStartTransaction": lambda payload: str(payload["remoteStartId"]),
    "RemoteStopTransaction": lambda payload: str(payload["transactionId"]),
    "RequestStopTransaction": lambda payload: str(payload["transactionId"]),
}

# Statuses that come and go within this many seconds are shown once.
SETTLING = 2.0


class Station:
    """One connection of one station. ``answers`` maps actions to methods of the version's class."""

    answers: ClassVar[Mapping[str, Answering]] = {}
    learned: ClassVar[Mapping[str, Learning]] = {}
    # Sent by stations that are not accepted yet as well.
    unregistered: ClassVar[frozenset[str]] = frozenset({"BootNotification"})
    link: Link

    def __init__(self, wire: Wire, record: Record) -> None:
        self.wire = wire
        self.record = record
        self.ref: StationRef = record.ref
        self.identity = record.identity
        # No boot on this connection: it was accepted before, or it was not (errata J1.6 3.8).
        self.registration = stations.registration(record.status)
        self.clock = Clock(record.clock_offset)
        self.presence = Presence(wire.draining)
        self.booted_at: datetime | None = None
        # Shown as UNKNOWN until now.
        self.was_away = False
        self.asked: set[str] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.shown_at = 0.0
        self.showing: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """The connection is open. If no boot follows, the states are asked for."""
        if self.was_away:
            self.show_soon()
        if self.registration == "Accepted" and self.wire.provisioning:
            self.run(self.ask_status_unless_booted())

    async def ask_status_unless_booted(self) -> None:
        await asyncio.sleep(self.wire.patience_for_boot)
        if self.booted_at is None:
            await self.ask_status()

    async def ask_status(self) -> None:
        """Have the station tell what its connectors are doing."""
        raise NotImplementedError

    async def provision(self) -> None:
        """Ask what the station can, and have it measure what CDRs need."""
        raise NotImplementedError

    async def take_boot(self, boot: Boot) -> Payload:
        """The answer to a BootNotification; the first questions follow once it has left."""
        now = datetime.now(UTC)
        booted = Booted(self.ref.id, boot, now, self.wire.policy.resume)
        self.registration = await patiently(lambda: self.wire.boots.do(self.ref.tenant_id, booted))
        self.booted_at = now
        self.clock.booted()
        if self.registration == "Accepted" and self.wire.provisioning:
            self.link.incoming.after_answer(lambda: self.run(self.provision()))
        return {
            "currentTime": timestamps.write(datetime.now(UTC)),
            "interval": self.wire.heartbeat_interval,
            "status": self.registration,
        }

    async def heartbeat(self, payload: Payload) -> Payload:
        return {"currentTime": timestamps.write(datetime.now(UTC))}

    def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        if self.showing is not None:
            self.showing.cancel()
            self.show_now()

    async def answer(self, action: str, payload: Payload) -> Payload:
        """The answer to one CALL; ``CallRefused`` becomes its CALLERROR."""
        method = self.answers.get(action)
        if method is None:
            raise CallRefused(ErrorCode.NOT_SUPPORTED)
        if self.registration != "Accepted" and action not in self.unregistered | self.asked:
            raise CallRefused(ErrorCode.SECURITY, "The station is not accepted yet.")
        return await method(self, payload)

    async def call(
        self,
        action: str,
        payload: Payload,
        *,
        timeout: float = CALL_DEADLINE,  # noqa: ASYNC109
    ) -> Payload:
        """Send a CALL and keep what its answer says of the station. Raises as ``Outgoing.call``."""
        answer = await self.link.outgoing.call(action, payload, timeout=timeout)
        if action in LEADS_TO and answer.get("status") == "Accepted":
            self.presence.commanded(LEADS_TO[action](payload))
        if (learn := self.learned.get(action)) is not None:
            await self.guarded(learn(self, payload, answer))
        return answer

    async def ask(self, action: str, payload: Payload) -> Payload | None:
        """A question whose refusal changes nothing: None."""
        try:
            return await self.call(action, payload)
        except UNANSWERED as error:
            log.info("not done by station", station=self.identity, action=action, reason=str(error))
            return None

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the answering; it ends with the connection."""
        task = asyncio.create_task(self.guarded(work))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        # A task that is cancelled before it began never awaits what it was given.
        task.add_done_callback(lambda _: work.close())

    async def guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            # One failure must not end the conversation.
            log.exception("work beside the conversation failed", station=self.identity)

    async def within(self, work: Callable[[AsyncSession], Awaitable[list[Stored]]]) -> None:
        """Run one transaction, patiently, and wake whoever delivers what it moved."""

        async def once() -> None:
            async with self.wire.database.transaction(self.ref.tenant_id) as db:
                moved = await work(db)
            self.wire.told(self.ref.tenant_id, moved)

        await patiently(once)

    async def take_readings(self, metered: Metered) -> bool:
        """Keep readings of a running transaction, together with those of other stations.

        False when they must be worked on by themselves.
        """
        taken = await patiently(lambda: self.wire.meters.do(self.ref.tenant_id, metered))
        return taken.done

    async def authorize(self, shown: Shown, *, offline: bool = False) -> Decision:
        """Whose token it is and whether it may charge; the issuer is asked where that is agreed."""
        return await authorization.authorize(
            self.wire.database,
            self.wire.issuers,
            self.ref,
            shown,
            offline=offline,
            within=self.wire.authorize_timeout + 1,
        )

    async def decide_shown(self, shown: Shown) -> Decision:
        """What a driver who shows a token is told. Whoever tries many learns nothing."""
        if self.wire.registry.guesses_tokens(self.ref.id):
            log.warning("too many tokens shown", station=self.identity)
            return authorization.UNKNOWN
        decision = await self.authorize(shown)
        self.presence.shown(shown.uid, decision)
        return decision

    def reckon(self, told: datetime, *, live: bool = False) -> Moment:
        """When it was; what a live message shows of the station's clock is written down."""
        before = self.clock.offset
        moment = self.clock.reckon(told, datetime.now(UTC), live=live)
        offset = self.clock.offset
        if offset is not None and (before is None or abs(offset - before) > NOTICEABLE):
            self.wire.spawn(self.keep_offset(offset))
        return moment

    async def decide(self, shown: Shown, *, late: bool) -> tuple[Decision, datetime | None]:
        """Who charges, and when the token was shown. What was decided a moment ago holds."""
        known = self.presence.decided(shown.uid)
        if known is not None and known.decision.accepted and not late:
            return known.decision, known.at
        return await self.authorize(shown, offline=late), None

    def in_our_time(self, readings: Sequence[Reading]) -> tuple[tuple[Reading, ...], datetime]:
        """Readings of a message that has no time of its own, and when the last of them was."""
        newest = max((reading.at for reading in readings), default=datetime.now(UTC))
        moment = self.reckon(newest, live=self.presence.live())
        return shifted(readings, moment.shift), moment.at

    def status_moment(self, told: datetime | None) -> datetime:
        """When a status holds from; one from the future would block those that follow."""
        now = datetime.now(UTC)
        return now if told is None else min(self.reckon(told).at, now)

    async def keep_offset(self, offset: timedelta) -> None:
        async def write(db: AsyncSession) -> list[Stored]:
            await stations.clock_seen(db, self.ref, offset)
            return []

        await self.within(write)

    async def keep_status(self, report: StatusReport) -> bool:
        """Keep a status together with those of other stations, and have OCPI told if it is news.

        True when a transaction that runs there may have something to do with it.
        """
        reported = Reported(self.ref.id, report)
        kept = await patiently(lambda: self.wire.statuses.do(self.ref.tenant_id, reported))
        if kept.changed:
            self.show_soon()
        return kept.running

    def show_soon(self) -> None:
        """Tell OCPI of the EVSEs' states, merging those that flap."""
        if self.showing is not None:
            return
        wait = self.shown_at + SETTLING - time.monotonic()
        if wait <= 0:
            self.show_now()
        else:
            loop = asyncio.get_running_loop()
            self.showing = loop.call_later(wait, self.show_now)

    def show_now(self) -> None:
        self.showing = None
        self.shown_at = time.monotonic()
        self.wire.spawn(self.guarded(self.show()))

    async def show(self) -> None:
        try:
            await self.within(lambda db: own_evses.publish(db, self.ref))
        except Unavailable:
            log.warning("status not shown", station=self.identity)
