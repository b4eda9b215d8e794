"""Two hub processes on one database: whoever holds the socket, commands find the station."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
import asyncpg
import pytest
from aiohttp import web
from sqlalchemy import update

from hub.models.stations import ChargingStation
from hub.ocpp.relay import Relay
from hub.ocpp.server import make_ocpp
from hub.ocpp.service import UPKEEP
from hub.ocpp.stations import Stations
from hub.ocpp.upkeep import Upkeep
from hub.ocpp.wire import Wire
from tests.helpers.charge_points import PASSWORD, Client201, Socket, basic, iso
from tests.helpers.commands import command
from tests.helpers.hub import free_port
from tests.helpers.partner import FakePartner


@asynccontextmanager
async def another_process(hub):
    """``hub serve`` beside the hub of the test; killed at the end, if it still lives."""
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hub", "serve"),
        env=inherited
        | {
            "HUB_DATA_DIR": str(hub.settings.data_dir),
            "HUB_DATABASE_URL": hub.database_url.replace("+asyncpg", ""),
            "HUB_PORT": str(port),
            "HUB_LOG_LEVEL": "ERROR",
            "HUB_EGRESS_ALLOW_CIDRS": "127.0.0.0/8",
            "HUB_EGRESS_ALLOW_HTTP": "true",
        },
        stdout=asyncio.subprocess.DEVNULL,
    )
    process.url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(60), aiohttp.ClientSession() as session:
            while not await ready(session, process.url):
                assert process.returncode is None
                await asyncio.sleep(0.1)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ready(session, url):
    try:
        async with session.get(f"{url}/ready") as response:
            return response.ok
    except aiohttp.ClientConnectionError:
        return False


@asynccontextmanager
async def connected(own, made, url):
    async with own.session.ws_connect(
        f"{url}/ocpp/{made.identity}",
        protocols=["ocpp2.0.1"],
        headers=basic(made.identity, PASSWORD),
    ) as socket:
        client = Client201(made.identity, Socket(socket))
        async with client.running():
            yield client


def asked(station, action):
    return [payload for name, payload in station.asked if name == action]


async def send(emsp, name, **about):
    """Send a command to the hub of the test; its result, once it is there."""
    before = len(emsp.results)
    answer = await emsp.post(f"commands/{name}", command(name, emsp, **about))
    assert answer.data["result"] == "ACCEPTED", answer.text
    await emsp.until(lambda emsp: len(emsp.results) > before, within=20)
    return emsp.results[-1].body["result"]


def shown(emsp, module, of=""):
    found = [push.body for push in emsp.received if push.module == module and of in push.path]
    return found[-1] if found else {}


async def begin(station, payload):
    await station.event(
        "Started", "T-1", 0, iso(-2), evse={"id": 1, "connectorId": 1},
        info={"remoteStartId": payload["remote_start_id"]}, trigger="RemoteStart",
        meter_value=[reading(-2, 1000, "Transaction.Begin")],
    )  # fmt: skip


async def end(station):
    ended = [reading(0, 1500, "Transaction.End")]
    await station.event("Ended", "T-1", 1, iso(), trigger="RemoteStop", meter_value=ended)


def reading(minutes, value, context):
    return {"timestamp": iso(minutes), "sampledValue": [{"value": value, "context": context}]}


async def test_a_station_of_a_process_that_dies_is_unknown_until_it_connects_to_another(hub, own):
    made = await own.add_station("OCPP_2_0_1")
    at = {"location_id": "LOC1", "evse_uid": made.evse_uids[1]}
    async with FakePartner("DE*TWO EMSP") as emsp, another_process(hub) as other:
        await hub.connect(emsp)
        async with connected(own, made, other.url) as station:
            await station.boot()
            assert await send(emsp, "START_SESSION", **at) == "ACCEPTED"
            [payload] = asked(station, "RequestStartTransaction")
            await begin(station, payload)
            await emsp.until(lambda emsp: shown(emsp, "sessions").get("status") == "ACTIVE")
            session_id = shown(emsp, "sessions")["id"]

            os.kill(other.pid, signal.SIGKILL)
            await other.wait()
        # For a while nobody knows, and a command gets no further than to where it was.
        assert await send(emsp, "STOP_SESSION", session_id=session_id) != "ACCEPTED"
        assert asked(station, "RequestStopTransaction") == []

        await let_pass(own, made, minutes=10)
        await hub.app[UPKEEP].once()
        evse = f"LOC1/{made.evse_uids[1]}"
        await emsp.until(lambda emsp: shown(emsp, "locations", evse).get("status") == "UNKNOWN")
        assert shown(emsp, "sessions")["status"] == "ACTIVE"

        async with connected(own, made, hub.url) as station:
            await emsp.until(lambda emsp: shown(emsp, "locations", evse)["status"] != "UNKNOWN")
            assert await send(emsp, "STOP_SESSION", session_id=session_id) == "ACCEPTED"
            assert len(asked(station, "RequestStopTransaction")) == 1
            await end(station)
            await emsp.until(lambda emsp: shown(emsp, "cdrs"))

    assert len([push for push in emsp.received if push.module == "cdrs"]) == 1
    assert shown(emsp, "cdrs")["total_energy"] == 0.5
    assert shown(emsp, "cdrs")["session_id"] == session_id


async def let_pass(own, made, **time):
    """As if nothing had been heard of the station for so long."""
    async with own.transaction() as db:
        await db.execute(
            update(ChargingStation)
            .where(ChargingStation.id == made.ref.id)
            .values(last_heartbeat=ChargingStation.last_heartbeat - timedelta(**time))
        )


# Two sides of the hub with a port each, in the process of the test.


@pytest.fixture
async def sides(csms, aiohttp_server):
    """``csms`` and another one: its address, and what each can ask stations."""
    wire = Wire(csms.database, csms.keyring, provisioning=False)
    app = web.Application()
    app.add_subapp("/ocpp", make_ocpp(wire))
    server = await aiohttp_server(app)
    one, other = Relay(csms.wire), Relay(wire)
    await one.start()
    await other.start()
    await asyncio.gather(one.ready.wait(), other.ready.wait())
    yield str(server.make_url("")), Stations(csms.wire, one), Stations(wire, other)
    await one.stop()
    await other.stop()
    await wire.close()


async def test_a_dead_socket_at_one_process_does_not_swallow_what_the_other_could_bring(
    csms, sides
):
    """A network went away, and the station came back through another process of the hub."""
    url, here, there = sides
    csms.wire.registry.pong_within = 0.2
    made = await csms.add_station("OCPP_2_0_1")
    async with csms.session.ws_connect(
        csms.url(made.identity),
        protocols=["ocpp2.0.1"],
        headers=basic(made.identity, PASSWORD),
        autoping=False,
    ) as dead:
        async with connected(csms, made, url.rstrip("/")) as station:
            await station.boot()
            assert (await here.clear_cache(made.ref)).accepted
            assert (await there.clear_cache(made.ref)).accepted
            assert len(asked(station, "ClearCache")) == 2
            async with asyncio.timeout(10):
                while csms.wire.registry.get(made.ref.id) is not None:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        assert (await dead.receive(5)).type is not aiohttp.WSMsgType.TEXT


async def test_of_two_living_sockets_the_older_is_asked_again_when_the_newer_has_ended(csms, sides):
    url, here, there = sides
    made = await csms.add_station("OCPP_2_0_1")
    async with csms.connect(made, "2.0.1") as older:
        await older.boot()
        async with connected(csms, made, url.rstrip("/")) as newer:
            await newer.boot()
            assert (await here.clear_cache(made.ref)).accepted
            assert (len(asked(newer, "ClearCache")), asked(older, "ClearCache")) == (1, [])
        async with asyncio.timeout(10):
            while there.wire.registry.get(made.ref.id) is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await there.wire.background.close()
        await Upkeep(csms.wire).write_heard()
        assert (await there.clear_cache(made.ref)).accepted
        assert len(asked(older, "ClearCache")) == 1


async def test_whatever_the_driver_stumbles_over_calls_are_heard_again(csms):
    """It says that something else is under way, say, when the server goes while it connects."""

    class Stumbling(Relay):
        errors = [asyncpg.InternalClientError("cannot switch"), OSError("gone")]

        async def listen_once(self):
            if self.errors:
                raise self.errors.pop()
            await super().listen_once()

    stumbling = Stumbling(csms.wire)
    stumbling.reconnect_after = 0.0
    await stumbling.start()
    async with asyncio.timeout(10):
        await stumbling.ready.wait()
    await stumbling.stop()

    assert not Stumbling.errors
