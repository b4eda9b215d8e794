"""Kill the hub and its database in the middle of everything: nothing is lost, nothing is double.

A CDR that was answered with 1000 is stored once, whatever dies when, and reaches the eMSP. At the
eMSP a CDR may arrive twice only where its answer was lost in a kill: at most what was in flight.
"""

import asyncio
import os
import random
import signal
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import pytest

from hub.demo.hub_process import HubProcess
from tests.helpers.documents import cdr, location, session
from tests.helpers.partner import FakePartner

V = "2.2.1"
CDRS = 120
KILLS = ("hub", "database", "hub", "database", "hub")
KILL_AT = {(number + 1) * CDRS // (len(KILLS) + 1): what for number, what in enumerate(KILLS)}
AT_ONCE = 4
# Requests to one partner that may be under way when somebody is killed.
IN_FLIGHT = 16


@pytest.fixture
async def killable():
    """``hub serve`` as a process of its own, started again whenever it dies."""
    with TemporaryDirectory(prefix="hub-crash-") as directory:
        process = HubProcess(Path(directory) / "data", lambda event: None)
        await process.start()
        yield process
        await process.stop()


async def connect(hub: HubProcess, partner: FakePartner) -> None:
    country, party, role = partner.roles[0]
    wanted = {
        "name": partner.name,
        "roles": [{"role": role, "party": f"{country}*{party}"}],
    }
    invited = await asyncio.to_thread(hub.operator().post, "/partners/invite", wanted)
    answer = await partner.register(invited["versions_url"], invited["token"])
    assert answer.ok, answer.text


async def until_accepted(send) -> None:
    """As a CPO does: send again until the hub says that it has it."""
    while True:
        try:
            if (await send()).status_code == 1000:
                return
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass
        await asyncio.sleep(0.1)


async def kill(hub: HubProcess, what: str) -> None:
    assert hub.process is not None
    pid = hub.process.pid
    if what == "database":
        [pidfile] = hub.data_dir.rglob("postmaster.pid")
        pid = int(pidfile.read_text().split()[0])
    os.kill(pid, signal.SIGKILL)


async def test_nothing_is_lost_or_doubled_when_hub_and_database_are_killed(killable):
    chance = random.Random(20261122)
    async with FakePartner("NL*ONE CPO") as cpo, FakePartner("DE*TWO EMSP") as emsp:
        await connect(killable, cpo)
        await connect(killable, emsp)
        await cpo.put("locations/NL/ONE/L1", location(version=V))
        await cpo.put("sessions/NL/ONE/S1", session(version=V))

        progress = 0
        busy = asyncio.Semaphore(AT_ONCE)

        async def send(number: int) -> None:
            nonlocal progress
            async with busy:
                await until_accepted(lambda: cpo.post("cdrs", cdr(version=V, id=f"C{number}")))
                stamp = f"2025-07-01T00:{number // 60:02}:{number % 60:02}Z"
                state = {"status": chance.choice(["CHARGING", "BLOCKED"]), "last_updated": stamp}
                await until_accepted(lambda: cpo.patch("locations/NL/ONE/L1/E1", state))
                progress += 1
                if what := KILL_AT.get(progress):
                    await kill(killable, what)

        async with asyncio.timeout(240):
            await asyncio.gather(*(send(number) for number in range(CDRS)))

        wanted = {f"C{number}" for number in range(CDRS)}
        await emsp.until(lambda partner: wanted <= received(partner).keys(), within=120)
        total = await cdrs_at_the_hub(emsp)
        kept = (await cpo.get("locations/NL/ONE/L1", side="RECEIVER")).data

    assert total == CDRS
    counts = received(emsp)
    assert counts.keys() == wanted
    assert sum(counts.values()) - CDRS <= len(KILLS) * IN_FLIGHT
    assert kept["last_updated"] == f"2025-07-01T00:{(CDRS - 1) // 60:02}:{(CDRS - 1) % 60:02}Z"


def received(emsp: FakePartner) -> dict[str, int]:
    """How often each CDR arrived."""
    counts: dict[str, int] = {}
    for push in emsp.received:
        if push.module == "cdrs":
            counts[push.body["id"]] = counts.get(push.body["id"], 0) + 1
    return counts


async def cdrs_at_the_hub(emsp: FakePartner) -> int:
    """All CDRs the hub keeps, counted by reading every page, and by what it says itself."""
    url, seen, said = "cdrs", [], 0
    while url:
        answer = await emsp.get(url)
        seen += [one["id"] for one in answer.data]
        said = int(answer.headers["X-Total-Count"])
        url = answer.headers.get("Link", "").split(">")[0].lstrip("<")
    assert len(seen) == len(set(seen)) == said
    return said
