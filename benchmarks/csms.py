"""The hub's door for stations, alone in a process, in front of a real database.

    HUB_BENCH_DATABASE=… HUB_BENCH_KEYS=… python -m benchmarks.csms PORT [--unlimited]

``--unlimited`` lifts what keeps stations from talking faster than they need to: otherwise these
limits would be measured. ``GET /resident`` is the memory of the process, in bytes (Linux only).
"""

import argparse
import os
from pathlib import Path

from aiohttp import web

from benchmarks.bare import envelope
from hub import garbage, log
from hub.db import Database
from hub.ocpp import gate
from hub.ocpp.conversation import link
from hub.ocpp.server import make_ocpp
from hub.ocpp.wire import Wire
from hub.security import Keyring
from hub.settings import Settings

NO_LIMIT = 1e9


async def resident(_: web.Request) -> web.Response:
    return web.json_response(envelope(pages() * os.sysconf("SC_PAGE_SIZE")))


def pages() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.csms")
    parser.add_argument("port", type=int)
    parser.add_argument("--unlimited", action="store_true")
    arguments = parser.parse_args()
    log.configure(Settings(log_level="WARNING"))
    if arguments.unlimited:
        link.MESSAGES_PER_SECOND = link.BURST = NO_LIMIT
        gate.HANDSHAKES_PER_SECOND = NO_LIMIT
    database = Database(os.environ["HUB_BENCH_DATABASE"])
    keyring = Keyring.from_text(os.environ["HUB_BENCH_KEYS"])
    app = web.Application()
    app.add_subapp("/ocpp", make_ocpp(Wire(database, keyring, provisioning=False)))
    app.router.add_get("/resident", resident)
    garbage.collect_seldom()
    web.run_app(
        app, host="127.0.0.1", port=arguments.port, access_log=None, print=None, backlog=4096
    )


if __name__ == "__main__":
    main()
