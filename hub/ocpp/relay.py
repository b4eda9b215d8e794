"""A CALL for a station, from whichever process wants it to the one that holds the socket.

The call is a row; a notification tells the process that holds the socket. That process marks the
row SENT before it sends, so that a call is never sent twice, whatever crashes when. Whoever asked
waits for the row to be finished; one that nobody has taken up in time was for nobody: OFFLINE.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg  # type: ignore[import-untyped]
import structlog
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.ocpp import StationCall
from hub.models.stations import ChargingStation
from hub.ocpp.frames import CallRefused, Payload
from hub.ocpp.link import CALL_DEADLINE, BrokenAnswer, Disconnected, NoAnswer
from hub.ocpp.wire import Wire
from hub.roaming.ports import StationRef

log = structlog.get_logger()

CHANNEL = "hub_station_calls"
# How long a process may take to take a call up before nobody is taken to hold the socket.
TAKE_UP = 5.0
RECONNECT = 1.0


@dataclass(frozen=True)
class Answered:
    """What became of a CALL: ANSWERED, REFUSED (their CALLERROR), SILENT, OFFLINE or BROKEN."""

    state: str
    payload: Payload | None = None
    error_code: str = ""
    description: str = ""


class Relay:
    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.waiting: dict[UUID, asyncio.Event] = {}
        self.listening: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()

    async def start(self) -> None:
        self.listening = asyncio.create_task(self.listen())

    async def stop(self) -> None:
        if self.listening is not None:
            self.listening.cancel()
            with suppress(asyncio.CancelledError):
                await self.listening

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
        if conversation is not None:
            return await ask(conversation.link, action, payload, timeout)
        return await self.call_elsewhere(station, action, payload, timeout)

    async def call_elsewhere(
        self, station: StationRef, action: str, payload: Payload, wait: float
    ) -> Answered:
        async with self.wire.database.transaction(station.tenant_id) as db:
            process = await db.scalar(
                select(ChargingStation.connected_to).where(ChargingStation.id == station.id)
            )
            if process is None or process == self.wire.process:
                return Answered("OFFLINE")
            row = StationCall(
                charging_station_id=station.id,
                action=action,
                payload=payload,
                deadline_at=datetime.now(UTC) + timedelta(seconds=wait),
            )
            db.add(row)
            await db.flush()
            event = self.waiting[row.id] = asyncio.Event()
            await notify(db, process, station.tenant_id, row.id, self.wire.process)
        try:
            return await self.outcome(station, row.id, event, wait)
        finally:
            self.waiting.pop(row.id, None)

    async def outcome(
        self, station: StationRef, call_id: UUID, event: asyncio.Event, wait: float
    ) -> Answered:
        """Wait for the row to be finished; take it back if nobody took it up."""
        loop = asyncio.get_running_loop()
        deadline, taken = loop.time() + wait + 1, False
        while True:
            pause = min(TAKE_UP if not taken else 1.0, deadline - loop.time())
            with suppress(TimeoutError):
                async with asyncio.timeout(max(pause, 0.01)):
                    await event.wait()
            event.clear()
            async with self.wire.database.transaction(station.tenant_id) as db:
                row = await db.get_one(StationCall, (station.tenant_id, call_id))
                if row.finished_at is not None:
                    return Answered(
                        row.state, row.answer, row.error_code or "", row.error_description or ""
                    )
                if row.state == "WAITING" and await take_back(db, call_id):
                    return Answered("OFFLINE")
            taken = True
            if loop.time() >= deadline:
                return Answered("SILENT")

    async def listen(self) -> None:
        """Hear of calls for our stations, and of answers to calls of ours; for ever."""
        while True:
            try:
                await self.listen_once()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("station calls not heard", error=type(error).__name__)
            await asyncio.sleep(RECONNECT)

    async def listen_once(self) -> None:
        url = self.wire.database.engine.url.set(drivername="postgresql")
        connection = await asyncpg.connect(url.render_as_string(hide_password=False), timeout=5)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda *_: lost.set())
        try:
            await connection.add_listener(CHANNEL, self.hear)
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

    async def take_up(self, tenant_id: UUID, call_id: UUID, asker: str) -> None:
        """Send a call that another process wants sent. It is marked first: never twice."""
        async with self.wire.database.transaction(tenant_id) as db:
            taken = await db.execute(
                update(StationCall)
                .where(StationCall.id == call_id, StationCall.state == "WAITING")
                .values(state="SENT", sent_at=datetime.now(UTC))
                .returning(
                    StationCall.charging_station_id,
                    StationCall.action,
                    StationCall.payload,
                    StationCall.deadline_at,
                )
            )
            row = taken.first()
        if row is None:
            return
        conversation = self.wire.registry.get(row.charging_station_id)
        if conversation is None:
            answered = Answered("OFFLINE")
        else:
            left = (row.deadline_at - datetime.now(UTC)).total_seconds()
            answered = await ask(conversation.link, row.action, row.payload, max(left, 0.1))
        async with self.wire.database.transaction(tenant_id) as db:
            await db.execute(
                update(StationCall)
                .where(StationCall.id == call_id)
                .values(
                    state="SILENT" if answered.state == "BROKEN" else answered.state,
                    answer=answered.payload,
                    error_code=answered.error_code or None,
                    error_description=answered.description or None,
                    finished_at=datetime.now(UTC),
                )
            )
            await notify(db, asker, tenant_id, call_id, "-")


async def take_back(db: AsyncSession, call_id: UUID) -> bool:
    found = await db.execute(
        update(StationCall)
        .where(StationCall.id == call_id, StationCall.state == "WAITING")
        .values(state="OFFLINE", finished_at=datetime.now(UTC))
        .returning(StationCall.id)
    )
    return found.first() is not None


async def notify(
    db: AsyncSession, process: str, tenant_id: UUID, call_id: UUID, asker: str
) -> None:
    await db.execute(
        text("SELECT pg_notify(:channel, :told)"),
        {"channel": CHANNEL, "told": f"{process} {tenant_id} {call_id} {asker}"},
    )


async def ask(link: Any, action: str, payload: Payload, wait: float) -> Answered:
    """One CALL over a socket of ours, with every way it can end as a value."""
    try:
        return Answered("ANSWERED", await link.call(action, payload, timeout=wait))
    except CallRefused as refusal:
        return Answered("REFUSED", None, str(refusal.code), refusal.description)
    except BrokenAnswer as broken:
        return Answered("BROKEN", None, "", str(broken))
    except Disconnected:
        return Answered("OFFLINE")
    except NoAnswer as silence:
        return Answered("SILENT" if silence.sent else "OFFLINE", None, "", str(silence))
