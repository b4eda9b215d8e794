"""Telling the other processes that there is something to deliver.

NOTIFY inside every transaction would make commits wait for each other, so it is sent afterwards
and at most every 50 ms. It may get lost: everybody looks every second anyway.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import text

from hub import codec
from hub.background import ended
from hub.db import Database
from hub.errors import Unavailable
from hub.prepared import DriverError

log = structlog.get_logger()

CHANNEL = "hub_feed"
PAUSE = 0.05
# Seconds until a lost connection is looked for, and made again.
RECONNECT = 5.0
# PostgreSQL takes 8000 bytes in a notification.
MOST_AT_ONCE = 60

NOTIFY = text("select pg_notify(:channel, :payload)")

Ring = tuple[UUID, str]


class Bell:
    """``heard`` is called with the tenant and source that another process rang for."""

    def __init__(self, database: Database, heard: Callable[[UUID, str], None]) -> None:
        self.id = uuid4().hex
        self._database = database
        self._heard = heard
        self._rung: set[Ring] = set()
        self._wanted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._speak()), asyncio.create_task(self._listen())]

    async def stop(self) -> None:
        await ended(*self._tasks)

    def ring(self, tenant_id: UUID, source: str) -> None:
        self._rung.add((tenant_id, source))
        self._wanted.set()

    async def _speak(self) -> None:
        while True:
            await self._wanted.wait()
            rung = [self._rung.pop() for _ in range(min(MOST_AT_ONCE, len(self._rung)))]
            if not self._rung:
                self._wanted.clear()
            payload = codec.write_text({"from": self.id, "rung": [(str(t), s) for t, s in rung]})
            with suppress(Unavailable):
                async with self._database.platform() as db:
                    await db.execute(NOTIFY, {"channel": CHANNEL, "payload": payload})
            await asyncio.sleep(PAUSE)

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (OSError, Unavailable) as error:
                log.warning("not hearing other processes", error=type(error).__name__)
            except Exception:
                log.exception("not hearing other processes")
            await asyncio.sleep(RECONNECT)

    async def _listen_once(self) -> None:
        """Hear others until the connection breaks."""
        async with self._database.engine.connect() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            broken = asyncio.Event()
            raw.add_termination_listener(lambda _: broken.set())
            await raw.add_listener(CHANNEL, self._hear)
            try:
                await broken.wait()
            finally:
                # A connection that breaks meanwhile hears nothing either.
                with suppress(OSError, *DriverError):
                    await raw.remove_listener(CHANNEL, self._hear)

    def _hear(self, connection: Any, pid: int, channel: str, payload: str) -> None:
        said = codec.read_stored(payload)
        if said["from"] != self.id:
            for tenant_id, source in said["rung"]:
                self._heard(UUID(tenant_id), source)
