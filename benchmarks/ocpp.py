"""How many OCPP messages a second the hub takes, and what an idle station costs.

    python -m benchmarks.ocpp [--seconds 5] [--idle 500]

The server is a process of its own with a real PostgreSQL behind it; the clients are raw WebSockets
with one message in flight each. A bare aiohttp echo is measured in the same run, with the same
clients: only the ratio of the two means anything on another machine.
"""

import argparse
import asyncio
import base64
import itertools
import json
import multiprocessing
import os
import socket
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import aiohttp
from aiohttp import web
from sqlalchemy import insert

from hub.db import Database
from hub.embedded import EmbeddedPostgres
from hub.migrate import migrate
from hub.models.charging import AuthToken
from hub.models.stations import ChargingStation, Connector
from hub.models.tenants import Tenant
from hub.ocpp import link
from hub.ocpp.server import make_ocpp
from hub.ocpp.wire import Wire
from hub.security import Keyring, new_key

PASSWORD = "benchmark-password"
CLIENTS = 16
PROTOCOLS = ["ocpp1.6"]
MESSAGE_IDS = itertools.count()
RESULT = 3


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def echo(request):
    response = web.WebSocketResponse(protocols=PROTOCOLS, compress=False)
    await response.prepare(request)
    async for message in response:
        await response.send_str(f'[3,"{message.data[4:40]}",{{}}]')
    return response


def serve_echo(port, ready):
    app = web.Application()
    app.router.add_get("/{tail:.*}", echo)
    serve(app, port, ready)


def serve_hub(port, ready, url, keys):
    # The bucket would be what is measured.
    link.MESSAGES_PER_SECOND = link.BURST = 1e9
    app = web.Application()
    wire = Wire(Database(url), Keyring.from_text(keys), provisioning=False)
    app.add_subapp("/ocpp", make_ocpp(wire))
    serve(app, port, ready)


def serve(app, port, ready):
    async def run():
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
        ready.set()
        await asyncio.Event().wait()

    asyncio.run(run())


def start(target, *arguments):
    port, ready = free_port(), multiprocessing.Event()
    process = multiprocessing.Process(target=target, args=(port, ready, *arguments), daemon=True)
    process.start()
    ready.wait(30)
    return process, port


async def prepare(url, keys, stations):
    database, tenant_id = Database(url), uuid4()
    digest = Keyring.from_text(keys).digest(PASSWORD)
    names = [f"CP{number}" for number in range(stations)]
    async with database.transaction(tenant_id) as db:
        db.add(Tenant(id=tenant_id, name="Benchmark", country_code="NL", party_id="HUB",
                      cpo_country_code="NL", cpo_party_id="OWN"))  # fmt: skip
        await db.flush()
        rows = [
            {
                "id": uuid4(),
                "station_id": name,
                "ocpp_version": "OCPP_1_6",
                "password_digest": digest,
            }
            for name in names
        ]
        await db.execute(insert(ChargingStation), rows)
        await db.execute(
            insert(Connector),
            [
                {"charging_station_id": row["id"], "evse_number": 1, "connector_id": 1,
                 "connector_type": "IEC_62196_T2", "max_power": 22_000}
                for row in rows
            ],
        )  # fmt: skip
        await db.execute(insert(AuthToken), [{"token_type": "TEST_TOKEN", "token_value": "T"}])
    await database.close()
    return names


def headers(name):
    secret = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
    return {"Authorization": f"Basic {secret}"}


async def ask(websocket, action, payload):
    call = [2, f"{next(MESSAGE_IDS):036}", action, payload]
    await websocket.send_str(json.dumps(call, separators=(",", ":")))
    return json.loads(await websocket.receive_str())


def now():
    return datetime.now(UTC).isoformat()


def samples(count, wh):
    kinds = ["Energy.Active.Import.Register", "Power.Active.Import", "SoC", "Voltage"]
    return [{"value": str(wh), "measurand": kinds[number % 4]} for number in range(count)]


async def measure(session, port, names, seconds, make):
    """Messages a second, one in flight per client."""
    done = 0
    deadline = 0.0

    async def one(name):
        nonlocal done
        url = f"ws://127.0.0.1:{port}/ocpp/{name}"
        async with session.ws_connect(url, protocols=PROTOCOLS, headers=headers(name)) as websocket:
            number = 0
            if make is meter_values and port != measure.echo_port:
                begun = await ask(websocket, "StartTransaction", {
                    "connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": now(),
                })  # fmt: skip
                number = begun[2]["transactionId"]
            wh = 0
            while time.monotonic() < deadline:
                wh += 1
                answer = await ask(websocket, *make(number, wh))
                assert answer[0] == RESULT, answer
                done += 1

    deadline = time.monotonic() + seconds
    await asyncio.gather(*(one(name) for name in names[:CLIENTS]))
    return done / seconds


def heartbeat(number, wh):
    return "Heartbeat", {}


def status(number, wh):
    word = "Available" if wh % 2 else "Preparing"
    return "StatusNotification", {
        "connectorId": 1, "errorCode": "NoError", "status": word, "timestamp": now(),
    }  # fmt: skip


def meter_values(number, wh):
    reading = {"timestamp": now(), "sampledValue": samples(8, wh)}
    return "MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": [reading]}


def resident(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def idle_cost(session, process, port, names):
    """Bytes that a station costs which is connected and has said one thing."""
    before = resident(process.pid)
    sockets = []
    for name in names:
        url = f"ws://127.0.0.1:{port}/ocpp/{name}"
        websocket = await session.ws_connect(url, protocols=PROTOCOLS, headers=headers(name))
        await ask(websocket, "Heartbeat", {})
        sockets.append(websocket)
    cost = (resident(process.pid) - before) / len(sockets)
    await asyncio.gather(*(websocket.close() for websocket in sockets))
    return cost


async def run(arguments):
    directory = tempfile.TemporaryDirectory(prefix="hub-benchmark-")
    server = await asyncio.to_thread(EmbeddedPostgres.start, Path(directory.name))
    try:
        await migrate(server.admin_url)
        keys = new_key()
        names = await prepare(server.url, keys, max(arguments.idle, CLIENTS))
        bare, echo_port = start(serve_echo)
        hub, port = start(serve_hub, server.url, keys)
        measure.echo_port = echo_port
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            for make in (heartbeat, status, meter_values):
                base = await measure(session, echo_port, names, arguments.seconds, make)
                ours = await measure(session, port, names, arguments.seconds, make)
                print(f"{make.__name__:14} {ours:8.0f}/s  echo {base:8.0f}/s  {ours / base:5.3f}")
            cost = await idle_cost(session, hub, port, names[: arguments.idle])
            print(f"idle station   {cost / 1024:8.1f} KiB")
        hub.terminate()
        bare.terminate()
    finally:
        await asyncio.to_thread(server.stop)
        directory.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--idle", type=int, default=500)
    asyncio.run(run(parser.parse_args()))
