"""A CALL for a station, from whichever process wants it to the one that holds the socket.

The call is a row; a notification tells the process that holds the socket. That process marks the
row SENT before it sends, so that a call is never sent twice, whatever crashes when. Whoever asked
waits for the row to be finished; one that nobody has taken up in time was for nobody: OFFLINE.

Other notifications tell all processes to close the sockets of a station, for what they were opened
with does not hold any more, and that there is one more CA whose certificates are to be trusted.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg  # type: ignore[import-untyped]
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.background import ended
from hub.ocpp import call_rows, frame_log
from hub.ocpp.call_rows import Answered
from hub.ocpp.conversation.frames import CallRefused, Payload
from hub.ocpp.conversation.outgoing import CALL_DEADLINE, BrokenAnswer, Disconnected, NoAnswer
from hub.ocpp.conversation.registry import Conversation
from hub.ocpp.tls.authority import NEW_AUTHORITY
from hub.ocpp.wire import Wire
from hub.roaming.ports import StationRef

log = structlog.get_logger()

CHANNEL = "hub_station_calls"
HANG_UP = "hub_station_hang_up"
MOVED = "hub_station_moved"
RECONNECT = 1.0
LOOK_AGAIN = 5.0
FRAMES_WITHIN = 5.0


# Told of the row of a call that was just kept.
Note = Callable[[AsyncSession, UUID], Awaitable[None]]


class Relay:
    """``take_up_within`` is how many seconds a process may take to take a call up before nobody
    is taken to hold the socket.
    """

    def __init__(self, wire: Wire, *, take_up_within: float = 5.0) -> None:
        self.wire = wire
        self.take_up_within = take_up_within
        self.reconnect_after = RECONNECT
        self.waiting: dict[UUID, asyncio.Event] = {}
        self.listening: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()

    async def start(self) -> None:
        self.listening = asyncio.create_task(self.listen())

    async def stop(self) -> None:
        await ended(self.listening)

    async def call(
        self,
        station: StationRef,
        action: str,
        payload: Payload,
        *,
        timeout: float = CALL_DEADLINE,  # noqa: ASYNC109
    ) -> Answered:
        """Ask a station something, wherever its socket is. Never sent twice."""
        conversation = self.wire.registry.get(station.id)
        if conversation is not None and not await self.held_elsewhere(station):
            return await ask(conversation, action, payload, timeout)
        return await self.wait(station, await self.place(station, action, payload, timeout=timeout))

    async def place(
        self,
        station: StationRef,
        action: str,
        payload: Payload,
        *,
        timeout: float,  # noqa: ASYNC109
        note: Note | None = None,
    ) -> UUID:
        """Keep a CALL as a row and have it sent; it goes on without whoever asked for it.

        ``note`` writes down who asked for it, in the same transaction.
        """
        async with self.wire.database.transaction(station.tenant_id) as db:
            process = await call_rows.process_of(db, station)
            # A socket that is still open here is not the one to ask, if a newer one is elsewhere.
            here = process in {None, self.wire.process} and self.holds(station)
            if here:
                process = self.wire.process
            elif process == self.wire.process:
                process = None
            call_id = await call_rows.keep(
                db,
                self.wire.keyring,
                station,
                action,
                payload,
                seconds=timeout,
                reachable=process is not None,
            )
            if note is not None:
                await note(db, call_id)
            if process is not None and not here:
                await notify(db, process, station.tenant_id, call_id, self.wire.process)
        if here:
            self.wire.spawn(self.take_up(station.tenant_id, call_id, self.wire.process))
        elif process is not None:
            self.wire.spawn(self.see_taken_up(station, call_id))
        return call_id

    async def see_taken_up(self, station: StationRef, call_id: UUID) -> None:
        """Take a call back that nobody has taken up in time, whether or not anybody waits."""
        await asyncio.sleep(self.take_up_within)
        async with self.wire.database.transaction(station.tenant_id) as db:
            await call_rows.take_back(db, call_id)
        if event := self.waiting.get(call_id):
            event.set()

    async def wait(self, station: StationRef, call_id: UUID) -> Answered:
        """What became of a call, as soon as something has. LookupError when there is none."""
        event = self.waiting.setdefault(call_id, asyncio.Event())
        try:
            while True:
                event.clear()
                async with self.wire.database.transaction(station.tenant_id) as db:
                    row = await call_rows.find(db, station, call_id)
                if row.finished_at is not None:
                    return Answered(
                        row.state, row.answer, row.error_code or "", row.error_description or ""
                    )
                left = (row.deadline_at - datetime.now(UTC)).total_seconds() + 1
                if left <= 0:
                    return Answered("SILENT")
                # Whoever answers may not be able to say so: looked at now and then as well.
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left, LOOK_AGAIN)):
                        await event.wait()
        finally:
            self.waiting.pop(call_id, None)

    async def frames(self, station: StationRef, *, after: float, limit: int) -> list[Payload]:
        """The last frames of a station, redacted, from the process that holds its socket.

        Those of a station that is away are where it was last, if that is this process.
        """
        if self.wire.registry.get(station.id) is None and await self.held_elsewhere(station):
            asked = {"after": after, "limit": limit}
            call_id = await self.place(station, frame_log.READ, asked, timeout=FRAMES_WITHIN)
            answered = await self.wait(station, call_id)
            async with self.wire.database.transaction(station.tenant_id) as db:
                await call_rows.forget(db, call_id)
            found: list[Payload] = (answered.payload or {}).get("frames", [])
            return found
        return frame_log.frames(self.wire.registry, station.id, after=after, limit=limit)

    def holds(self, station: StationRef) -> bool:
        return self.wire.registry.get(station.id) is not None

    async def held_elsewhere(self, station: StationRef) -> bool:
        async with self.wire.database.transaction(station.tenant_id) as db:
            return await call_rows.process_of(db, station) not in {None, self.wire.process}

    async def listen(self) -> None:
        """Hear of calls for our stations, and of answers to calls of ours; for ever."""
        while True:
            try:
                await self.listen_once()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("station calls not heard", error=type(error).__name__)
            except Exception:
                # The driver itself may stumble over a server that goes away.
                log.exception("station calls not heard")
            await asyncio.sleep(self.reconnect_after)

    async def listen_once(self) -> None:
        url = self.wire.database.engine.url.set(drivername="postgresql")
        connection = await asyncpg.connect(url.render_as_string(hide_password=False), timeout=5)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda *_: lost.set())
        try:
            await connection.add_listener(CHANNEL, self.hear)
            await connection.add_listener(HANG_UP, self.hear_hang_up)
            await connection.add_listener(MOVED, self.hear_moved)
            await connection.add_listener(NEW_AUTHORITY, self.hear_new_authority)
            # It may have been told while nobody listened.
            self.wire.new_authority.set()
            self.ready.set()
            await lost.wait()
        finally:
            self.ready.clear()
            with suppress(OSError, asyncpg.InterfaceError, TimeoutError):
                await connection.close(timeout=1)

    def hear(self, connection: Any, pid: int, channel: str, told: Any) -> None:
        process, tenant, call, asker = str(told).split()
        if process == self.wire.process and asker != "-":
            self.wire.spawn(self.take_up(UUID(tenant), UUID(call), asker))
        elif process == self.wire.process and (event := self.waiting.get(UUID(call))):
            event.set()

    def hear_hang_up(self, connection: Any, pid: int, channel: str, told: Any) -> None:
        self.wire.registry.hang_up(UUID(str(told)))

    def hear_new_authority(self, connection: Any, pid: int, channel: str, told: Any) -> None:
        self.wire.new_authority.set()

    def hear_moved(self, connection: Any, pid: int, channel: str, told: Any) -> None:
        process, station_id = str(told).split()
        if process != self.wire.process:
            self.wire.registry.doubt(UUID(station_id))

    async def take_up(self, tenant_id: UUID, call_id: UUID, asker: str) -> None:
        """Send a call that somebody wants sent. It is marked first: never twice."""
        async with self.wire.database.transaction(tenant_id) as db:
            taken = await call_rows.take(db, self.wire.keyring, call_id)
        if taken is None:
            return
        conversation = self.wire.registry.get(taken.station_id)
        if taken.action == frame_log.READ:
            answered = Answered("ANSWERED", frame_log.here(self.wire.registry, taken))
        elif conversation is None:
            answered = Answered("OFFLINE")
        else:
            left = (taken.deadline_at - datetime.now(UTC)).total_seconds()
            answered = await ask(conversation, taken.action, taken.payload, max(left, 0.1))
        async with self.wire.database.transaction(tenant_id) as db:
            await call_rows.finish(db, call_id, answered)
            if asker != self.wire.process:
                await notify(db, asker, tenant_id, call_id, "-")
        if asker == self.wire.process and (event := self.waiting.get(call_id)):
            event.set()


async def hang_up(db: AsyncSession, station: StationRef) -> None:
    """Close the station's sockets, wherever they are, once the transaction is committed."""
    await db.execute(
        text("SELECT pg_notify(:channel, :told)"), {"channel": HANG_UP, "told": str(station.id)}
    )


async def tell_moved(db: AsyncSession, station: StationRef, process: str) -> None:
    await db.execute(
        text("SELECT pg_notify(:channel, :told)"),
        {"channel": MOVED, "told": f"{process} {station.id}"},
    )


async def notify(
    db: AsyncSession, process: str, tenant_id: UUID, call_id: UUID, asker: str
) -> None:
    await db.execute(
        text("SELECT pg_notify(:channel, :told)"),
        {"channel": CHANNEL, "told": f"{process} {tenant_id} {call_id} {asker}"},
    )


async def ask(conversation: Conversation, action: str, payload: Payload, wait: float) -> Answered:
    """One CALL over a socket of ours, with every way it can end as a value."""
    try:
        return Answered("ANSWERED", await conversation.call(action, payload, timeout=wait))
    except CallRefused as refusal:
        return Answered("REFUSED", None, str(refusal.code), refusal.description)
    except BrokenAnswer as broken:
        return Answered("BROKEN", None, "", str(broken))
    except Disconnected:
        return Answered("OFFLINE")
    except NoAnswer as silence:
        return Answered("SILENT" if silence.sent else "OFFLINE", None, "", str(silence))
