"""Several processes that pull, and processes that die at it: one page at most comes twice."""

import asyncio
import signal
from collections import Counter

import pytest

from tests.helpers.documents import tariff
from tests.helpers.faults import hold, where
from tests.helpers.network import Network
from tests.helpers.partner import FakePartner

PAGE = 10


@pytest.fixture
async def cpo(network, partners):
    """NL*ONE, a CPO with 95 tariffs on pages of ten."""
    partner = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    partner.page_limit = PAGE
    partner.own["tariffs"] = [tariff(version="2.2.1", id=f"T{n:02}") for n in range(95)]
    partner.without_modules = {
        (module, "SENDER") for module in ("locations", "sessions", "cdrs", "tokens")
    }
    partner.id = await network.connect(partner)
    return partner


def offsets(partner):
    return [int(request.query["offset"]) for request in partner.requests]


async def leases_run_out(network):
    """As if the time of the leases had passed."""
    await network.run("update sync_states set leased_until = now() - interval '1 second'")


async def kept(network):
    rows = await network.rows("select object_id from tariffs order by object_id")
    return [row.object_id for row in rows]


async def only_state(network):
    [row] = await network.rows("select * from sync_states")
    return row


EVERYTHING = [f"T{n:02}" for n in range(95)]


async def test_what_one_process_pulls_another_does_not(network, cpo):
    go = asyncio.Event()
    cpo.fail(where(hold(go), offset="20"), on="tariffs")
    second = network.another_puller()
    await network.puller.look(network.tenant_id)
    await cpo.until(lambda partner: 20 in offsets(partner))

    await second.look(network.tenant_id)
    await second.idle()
    go.set()
    await network.puller.idle()

    assert offsets(cpo) == list(range(0, 95, PAGE))
    assert await kept(network) == EVERYTHING


async def test_two_processes_that_look_at_once_begin_one_run(network, cpo):
    pullers = [network.puller, *(network.another_puller() for _ in range(4))]

    await asyncio.gather(*(puller.look(network.tenant_id) for puller in pullers))
    await asyncio.gather(*(puller.idle() for puller in pullers))

    assert offsets(cpo) == list(range(0, 95, PAGE))


async def test_a_process_killed_in_the_middle_costs_one_page(network, cpo):
    """kill -9 while a page is on its way: another process goes on with that page."""
    go = asyncio.Event()
    cpo.fail(where(hold(go), offset="50"), on="tariffs")
    async with network.process("tests.helpers.pull_process") as process:
        await cpo.until(lambda partner: 50 in offsets(partner), within=60)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    go.set()
    before = await kept(network)

    await network.pull()
    waited = offsets(cpo)
    await leases_run_out(network)
    await network.pull()

    assert before == EVERYTHING[:50]
    assert waited == list(range(0, 60, PAGE))
    assert offsets(cpo) == [*range(0, 60, PAGE), *range(50, 95, PAGE)]
    assert await kept(network) == EVERYTHING
    result = (await only_state(network)).result
    assert result["counts"] == {"pages": 10, "objects": 95, "created": 95}


async def test_processes_killed_again_and_again_lose_nothing(network, cpo):
    for stop_at in (20, 40, 60):
        go = asyncio.Event()
        cpo.fail(where(hold(go), offset=str(stop_at)), on="tariffs")
        async with network.process("tests.helpers.pull_process") as process:
            await cpo.until(lambda partner, at=stop_at: at in offsets(partner), within=60)
            process.send_signal(signal.SIGKILL)
            await process.wait()
        go.set()
        cpo.heal()
        await leases_run_out(network)
    await network.pull()

    times = Counter(offsets(cpo))
    assert set(times) == set(range(0, 95, PAGE))
    assert {at for at, times in times.items() if times > 1} == {20, 40, 60}
    assert await kept(network) == EVERYTHING


async def test_who_was_stopped_for_long_does_not_put_another_back(network, cpo):
    """SIGSTOP in the middle; another takes over and ends the run; then it goes on (F-3)."""
    go = asyncio.Event()
    cpo.fail(where(hold(go), offset="30", times=1), on="tariffs")
    async with network.process("tests.helpers.pull_process") as process:
        await cpo.until(lambda partner: 30 in offsets(partner), within=60)
        process.send_signal(signal.SIGSTOP)
        await leases_run_out(network)
        await network.pull()
        ended = await only_state(network)
        go.set()
        process.send_signal(signal.SIGCONT)
        await asyncio.wait_for(process.wait(), 30)
    after = await only_state(network)

    assert ended.result["counts"]["created"] == 95
    assert (after.started_at, after.full_at, after.result) == (None, ended.full_at, ended.result)
    assert await kept(network) == EVERYTHING


async def test_a_link_that_leads_nowhere_any_more_begins_from_the_start(network, cpo):
    """The other side forgot its place while the hub was away."""
    go = asyncio.Event()
    cpo.fail(where(hold(go), offset="40", times=1), on="tariffs")
    async with network.process("tests.helpers.pull_process") as process:
        await cpo.until(lambda partner: 40 in offsets(partner), within=60)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    go.set()
    await leases_run_out(network)
    url = f"{cpo.base_url}/2.2.1/nowhere?cursor=gone"
    await network.run("update sync_states set next_url = :url", url=url)

    await network.pull()
    failed = await only_state(network)
    await network.run("update sync_states set next_attempt_at = null")
    cpo.requests.clear()
    await network.pull()

    assert (failed.failures, failed.next_url) == (1, None)
    assert offsets(cpo) == list(range(0, 95, PAGE))
    assert await kept(network) == EVERYTHING


async def test_a_pull_holds_no_connection_while_it_waits(network, cpo):
    async with Network(network.database_url, network.tenant_id, keys=network.keys) as other:
        go = asyncio.Event()
        cpo.fail(where(hold(go), offset="30"), on="tariffs")
        await other.puller.look(network.tenant_id)
        await cpo.until(lambda partner: 30 in offsets(partner))

        in_use = other.database.engine.pool.checkedout()
        go.set()
        await other.puller.idle()

    assert in_use == 0
