"""Several processes that serve the same ports: ``hub serve --workers N``.

The process that starts them opens the ports and looks after the workers; it serves nothing itself.
What comes in is accepted by whichever worker is free. The queue at a port belongs to all of them,
so a worker that ends takes nothing with it but what it had begun.

A worker says by a line on its standard output that it serves. Its standard input says whether its
parent is there: when that ends, however it ends, so does the worker.
"""

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from socket import socket

import structlog

from hub import sockets
from hub.serving import GRACE, Shared
from hub.settings import Settings
from hub.sockets import NotListening

log = structlog.get_logger()

READY = b"ready\n"
# Seconds until a worker that was told to end is ended, besides what its requests may take.
PATIENCE = 25.0
# Seconds until a worker that ended is replaced: at once, unless it ends again and again.
LONGEST_DELAY = 30.0
# Seconds after which a worker is taken to have served well.
SETTLED = 60.0


class WorkerFailed(Exception):
    """A worker could not start; it has said why."""


class Workers:
    def __init__(self, settings: Settings, url: str) -> None:
        self.settings = settings
        self.url = url
        self.stopping = asyncio.Event()
        self.served = False

    async def run(self, stopped: asyncio.Event, on_ready: Callable[[], None]) -> None:
        """Until ``stopped``. Raises NotListening, and WorkerFailed where one cannot start."""
        hub, stations = open_ports(self.settings)
        try:
            async with asyncio.TaskGroup() as group:
                ready = [asyncio.Event() for _ in range(self.settings.workers)]
                for number, one in enumerate(ready):
                    group.create_task(self.keep(number, one, hub, stations))
                group.create_task(self.tell(ready, on_ready))
                group.create_task(self.wait(stopped, hub, stations))
        except BaseExceptionGroup as raised:
            failed = raised.subgroup(WorkerFailed)
            if failed is None:
                raise
            raise failed.exceptions[0] from None
        finally:
            sockets.close([*hub, *stations])

    async def tell(self, ready: Sequence[asyncio.Event], on_ready: Callable[[], None]) -> None:
        for one in ready:
            await one.wait()
        if not self.stopping.is_set():
            self.served = True
            on_ready()

    async def wait(
        self, stopped: asyncio.Event, hub: Sequence[socket], stations: Sequence[socket]
    ) -> None:
        await stopped.wait()
        self.stopping.set()
        # The workers close theirs; while one is open anywhere, others would wait for an answer.
        sockets.close([*hub, *stations])

    async def keep(
        self,
        number: int,
        ready: asyncio.Event,
        hub: Sequence[socket],
        stations: Sequence[socket],
    ) -> None:
        """Have a worker of that number for as long as the hub is to serve."""
        failures = 0
        while not self.stopping.is_set():
            began = time.monotonic()
            try:
                process = await self.start(number, hub, stations)
            except OSError as error:
                # As when memory has run out, which may be what ended the one before.
                if not self.served:
                    raise WorkerFailed(f"Worker {number} could not start: {error}.") from None
                log.error("worker could not start", worker=number, reason=str(error))  # noqa: TRY400
                failures += 1
                await self.pause(failures)
                continue
            try:
                code = await self.watch(process, ready)
            finally:
                await self.end(process)
            if self.stopping.is_set():
                ready.set()
                return
            if not self.served:
                raise WorkerFailed(f"Worker {number} could not start: it said why.")
            settled = code == 0 or time.monotonic() - began > SETTLED
            failures = 0 if settled else failures + 1
            log.warning("worker ended and is replaced", worker=number, code=code)
            await self.pause(failures)

    async def pause(self, failures: int) -> None:
        """Before a worker is replaced: nothing, unless it ends again and again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(delay(failures)):
                await self.stopping.wait()

    async def start(
        self, number: int, hub: Sequence[socket], stations: Sequence[socket]
    ) -> Process:
        handed = [one.fileno() for one in (*hub, *stations)]
        told = {"number": number, "hub": handed[: len(hub)], "stations": handed[len(hub) :]}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hub", "serve", "--worker", json.dumps(told)),
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=handed,
            env=self.environment(),
            # Ctrl-C in a terminal is for the parent alone.
            start_new_session=True,
        )

    def environment(self) -> dict[str, str]:
        given = {name: value for name, value in os.environ.items() if name != "HUB_WORKERS_FILE"}
        given["HUB_WORKERS"] = str(self.settings.workers)
        if self.settings.database_url is None:
            given["HUB_DATABASE_URL"] = self.url
        return given

    async def watch(self, process: Process, ready: asyncio.Event) -> int | None:
        """Until the worker has ended: its exit code; None when it is to end."""
        ended = asyncio.create_task(process.wait())
        others = [
            asyncio.create_task(self.stopping.wait()),
            asyncio.create_task(hear(process, ready)),
        ]
        try:
            await asyncio.wait({ended, others[0]}, return_when=asyncio.FIRST_COMPLETED)
            return process.returncode
        finally:
            for task in (ended, *others):
                task.cancel()

    async def end(self, process: Process) -> None:
        """Tell a worker to end, and see to it that it does."""
        if process.stdin is not None:
            process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_end(self.settings)):
                await process.wait()
        if process.returncode is None:
            log.error("worker killed: it did not end", pid=process.pid)
            process.kill()
            await process.wait()


async def hear(process: Process, ready: asyncio.Event) -> None:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        if line == READY:
            ready.set()


def longest_end(settings: Settings) -> float:
    """Seconds: requests end first, then deliveries that are under way, then what was begun beside
    them.
    """
    return GRACE + settings.forward_timeout + PATIENCE


def delay(failures: int) -> float:
    return min(2.0 ** (failures - 1), LONGEST_DELAY) if failures else 0.0


def open_ports(settings: Settings) -> tuple[list[socket], list[socket]]:
    """That of OCPI and the operators, and that of stations with TLS, if there is one. Raises
    NotListening.
    """
    with sockets.named("HUB_PORT", settings.host, settings.port):
        hub = sockets.bound(settings.host, settings.port)
    host, port = settings.ocpp_tls_host, settings.ocpp_tls_port
    if port is None:
        return hub, []
    try:
        with sockets.named("HUB_OCPP_TLS_PORT", host, port):
            return hub, sockets.bound(host, port)
    except NotListening:
        sockets.close(hub)
        raise


def read_shared(told: str) -> Shared:
    """What ``Workers.start`` told a worker."""
    given = json.loads(told)
    hub, stations = ([socket(fileno=fd) for fd in given[name]] for name in ("hub", "stations"))
    return Shared(given["number"], hub, stations)


@asynccontextmanager
async def while_parent_lives(stopped: asyncio.Event, settings: Settings) -> AsyncIterator[None]:
    """Stop when standard input ends, which the parent holds open as long as it lives."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )

    async def wait() -> None:
        await reader.read()
        stopped.set()
        # Nobody is there any more who would see to it.
        loop.call_later(longest_end(settings), os._exit, 1)

    waiting = asyncio.create_task(wait())
    try:
        yield
    finally:
        waiting.cancel()
        transport.close()


def say_ready() -> None:
    sys.stdout.buffer.write(READY)
    sys.stdout.flush()
