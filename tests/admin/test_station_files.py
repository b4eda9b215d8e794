"""Firmware that stations fetch, logs that they bring: at URLs that are good once (T-53)."""

import asyncio
import io
from uuid import uuid4

import aiohttp
import pytest
from ocpp.v16 import call_result
from sqlalchemy import update

from hub.models.operating import StationJob
from hub.simulator.scenarios import SCENARIOS
from hub.simulator.station import SimulatedStation
from tests.helpers.stations import add, connected

IMAGE = bytes(range(256)) * 9000  # two megabytes and a bit: more than one part


class Files:
    """What a station is told, and what it does with it: by hand."""

    def __init__(self, client):
        self.urls = asyncio.Queue()

        def told(action, answer, url_of):
            async def take(**asked):
                self.urls.put_nowait(url_of(asked))
                return answer

            client.route_map[action] = {"_on_action": take, "_skip_schema_validation": False}

        told("UpdateFirmware", call_result.UpdateFirmware(), lambda asked: asked["location"])
        told(
            "GetDiagnostics",
            call_result.GetDiagnostics(file_name="diag.txt"),
            lambda asked: asked["location"],
        )


@pytest.fixture
async def station(operator):
    return await add(operator, ocpp_versions=["1.6"])


@pytest.fixture
async def client(hub, station):
    async with connected(hub, station) as client:
        await client.boot()
        client.files = Files(client)
        yield client


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as session:
        yield session


async def add_firmware(operator, content=IMAGE, name="v2.bin"):
    return await operator.ask("POST", "/firmware", params={"name": name}, data=io.BytesIO(content))


async def order_update(operator, station, firmware):
    path = f"/stations/{station['id']}/firmware"
    return await operator.post(path, firmware_id=firmware["id"])


async def job_of(operator, station):
    [job] = (await operator.get(f"/stations/{station['id']}/jobs")).body["items"]
    return job


async def test_firmware_is_fetched_once(operator, station, client, session):
    """Whoever learns of the URL later gets nothing, and cannot tell it from one that never was."""
    added = await add_firmware(operator)
    job = await order_update(operator, station, added.body)
    url = await client.files.urls.get()

    async with session.get(url) as first:
        fetched = await first.read()
    async with session.get(url) as second:
        again = second.status
    async with session.get(url[:-43] + "x" * 43) as wrong:
        never = wrong.status

    assert (added.status, added.body["size"]) == (201, len(IMAGE))
    assert (job.status, job.body["result"]) == (201, "Accepted")
    assert fetched == IMAGE
    assert again == never == 404
    assert (await job_of(operator, station))["url_used_at"] is not None


async def test_a_url_is_for_its_job_and_its_time_only(hub, operator, station, client, session):
    added = await add_firmware(operator, b"small")
    await order_update(operator, station, added.body)
    url = await client.files.urls.get()
    elsewhere = url.replace(hub.tenant_id.hex, uuid4().hex)
    async with hub.database.transaction(hub.tenant_id) as db:
        await db.execute(update(StationJob).values(url_expires_at=StationJob.created_at))

    async with session.get(url) as late, session.put(url, data=b"x") as other_way:
        assert (late.status, other_way.status) == (404, 404)
    async with session.get(elsewhere) as other_tenant:
        assert other_tenant.status == 404


async def test_the_url_is_nowhere_but_at_the_station(operator, station, client):
    """Neither in the log of messages, nor in that of calls, nor in the audit log."""
    added = await add_firmware(operator, b"small")
    await order_update(operator, station, added.body)
    token = (await client.files.urls.get()).rpartition("/")[2]

    seen = [
        await operator.get(f"/stations/{station['id']}/frames"),
        await operator.get(f"/stations/{station['id']}/calls"),
        await operator.get(f"/stations/{station['id']}/jobs"),
        await operator.get("/audit"),
    ]

    assert token not in str([one.body for one in seen])


async def test_a_transfer_that_breaks_may_be_tried_again(operator, station, client, session):
    await operator.post(f"/stations/{station['id']}/logs")
    url = await client.files.urls.get()

    async def broken():
        yield b"half of it"
        raise ConnectionError

    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await session.put(url, data=broken())
    async with asyncio.timeout(10):
        while (await job_of(operator, station))["url_used_at"] is not None:
            pass
    async with session.put(url, data=b"all of it") as second:
        assert second.status == 201

    job = await job_of(operator, station)
    assert (job["file"]["name"], job["file"]["size"]) == ("diag.txt", 9)
    assert await read(operator, station, job) == b"all of it"


async def read(operator, station, job):
    url = f"{operator.hub.url}/admin/v1/stations/{station['id']}/jobs/{job['id']}/file"
    headers = {"Authorization": f"Bearer {operator.key}"}
    async with operator.session.get(url, headers=headers) as response:
        return await response.read()


async def test_a_log_comes_in_any_way_stations_have(operator, station, client, session):
    """PUT or POST, at the URL or below it, as it is or in a form; a name is only a name."""
    form = aiohttp.FormData()
    form.add_field("file", b"told", filename="x.log")
    for method, more, data in (
        ("PUT", "", b"told"),
        ("POST", "/CP-1.log", b"told"),
        ("POST", "/..%2f..%2fetc%2fpasswd", form),
    ):
        job = (await operator.post(f"/stations/{station['id']}/logs")).body
        url = aiohttp.client.URL(f"{await client.files.urls.get()}{more}", encoded=True)
        async with session.request(method, url, data=data) as response:
            assert response.status == 201
        assert await read(operator, station, job) == b"told"


async def test_what_is_too_large_is_not_kept(hub, operator, station, client, session):
    job = (await operator.post(f"/stations/{station['id']}/logs")).body
    url = await client.files.urls.get()

    async def endless():
        for _ in range(70):
            yield bytes(1024 * 1024)

    try:
        async with session.put(url, data=endless()) as response:
            assert response.status == 413
    except aiohttp.ClientError:
        pass  # the hub did not wait for the end
    shown = (await operator.get(f"/stations/{station['id']}/jobs/{job['id']}")).body
    assert shown["file"]["size"] is None


async def test_firmware_must_be_there(operator, station):
    empty = await add_firmware(operator, b"")
    named = await add_firmware(operator, b"x", name="../x")
    unknown = await order_update(operator, station, {"id": str(uuid4())})

    assert (empty.status, named.status, unknown.status) == (400, 400, 404)
    assert (await operator.get("/firmware")).body["items"] == []


async def test_a_station_that_is_away_is_told_nothing(operator, station):
    added = await add_firmware(operator, b"small")

    said = await order_update(operator, station, added.body)

    assert (said.status, "OFFLINE" in said.error["message"]) == (409, True)
    assert (await job_of(operator, station))["finished"] is True
    removed = await operator.delete(f"/firmware/{added.body['id']}")
    assert removed.status == 204


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_a_station_installs_and_brings_what_it_is_asked_for(hub, operator, version):
    """From the order to the station's last word about it."""
    made = await add(operator)
    url = f"{hub.url.replace('http', 'ws', 1)}/ocpp"
    station = SimulatedStation(url, "CP-1", made["password"], version)
    running = asyncio.ensure_future(SCENARIOS["idle"](station))
    added = await add_firmware(operator, IMAGE)
    async with asyncio.timeout(30):
        await station.connection.up.wait()
        update_ = await order_update(operator, made, added.body)
        assert update_.status == 201, update_.body
        log = await operator.post(f"/stations/{made['id']}/logs")
        assert log.status == 201, log.body
        jobs = []
        while not jobs or not all(job["finished"] for job in jobs):
            jobs = (await operator.get(f"/stations/{made['id']}/jobs")).body["items"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert {job["kind"]: job["status"] for job in jobs} == {
        "FIRMWARE": "Installed",
        "LOG": "Uploaded",
    }
    assert station.firmware == IMAGE
    assert b"CP-1" in await read(operator, made, jobs[0])
