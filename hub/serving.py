"""Serving: one process with its ports, until it is told to stop."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from socket import socket

from aiohttp import web

from hub import garbage, scrape, sockets
from hub.app import make_app
from hub.health import HEALTH
from hub.log import AccessLog
from hub.settings import Settings

# Seconds that requests may take to end once the hub is told to stop.
GRACE = 20.0
# The same for metrics of a worker, which end before its ports are closed.
SCRAPE_GRACE = 1.0


@dataclass(frozen=True)
class Shared:
    """What a worker has from the process that started it: its number, and the ports of them all."""

    number: int
    hub: Sequence[socket]
    stations: Sequence[socket]


async def serve(
    settings: Settings,
    url: str,
    stopped: asyncio.Event,
    on_ready: Callable[[], None],
    shared: Shared | None = None,
) -> None:
    """Serve from the database at ``url``. Raises NotListening, and whatever keeps an application
    from starting.
    """
    stations = None if shared is None else shared.stations
    app = make_app(settings, database_url=url, station_sockets=stations)
    async with AsyncExitStack() as stack:
        # Before the application is frozen: its metrics are served beside it.
        own = None if shared is None else scrape.make_own(app)
        runner = web.AppRunner(
            app, access_log_class=AccessLog, shutdown_timeout=GRACE, handle_signals=False
        )
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        if shared is not None and own is not None:
            # First: who cannot have it must not take requests before it ends.
            beside = web.AppRunner(
                own, access_log=None, handle_signals=False, shutdown_timeout=SCRAPE_GRACE
            )
            stack.push_async_callback(beside.cleanup)
            await beside.setup()
            port = settings.metrics_ports[shared.number]
            await listen(beside, "HUB_METRICS_PORT", scrape.HERE, port)
        hub = None if shared is None else shared.hub
        await listen(runner, "HUB_PORT", settings.host, settings.port, hub)
        garbage.collect_seldom()
        on_ready()
        await stopped.wait()
        app[HEALTH].stopping = True


async def listen(
    runner: web.AppRunner,
    variable: str,
    host: str,
    port: int,
    inherited: Sequence[socket] | None = None,
) -> None:
    backlog = sockets.at_a_time(shared=inherited is not None)
    with sockets.named(variable, host, port):
        for one in sockets.bound(host, port) if inherited is None else inherited:
            await web.SockSite(runner, one, backlog=backlog).start()
            one.listen(sockets.BACKLOG)


def stop_signals() -> asyncio.Event:
    """Set by SIGTERM or Ctrl-C. A second one ends the process at once."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopped.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    return stopped
