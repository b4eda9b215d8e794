"""Several senders on one database, and senders that die: all arrives, hardly anything twice."""

import asyncio
import signal
from collections import Counter

import pytest

from hub.ocpi.delivery.bell import Bell
from hub.roaming.feed.sources import RECORDS_AT_ONCE, STATES_AT_ONCE
from tests.helpers.documents import cdr, tariff
from tests.helpers.faults import hold
from tests.helpers.network import Network, paths
from tests.helpers.partner import FakePartner


@pytest.fixture
async def emsp(network, partners):
    """DE*TWO, an eMSP that speaks 2.2.1."""
    partner = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    partner.id = await network.connect(partner)
    return partner


async def leases_run_out(network):
    """As if the time of the leases had passed."""
    await network.run("update feed_cursors set leased_until = now() - interval '1 second'")


async def leased(network):
    rows = await network.rows("select count(*) from feed_cursors where leased_until > now()")
    return rows[0][0]


async def test_two_senders_share_the_work_and_deliver_everything_once(network, emsp, partners):
    others = [
        await partners.enter_async_context(FakePartner(f"DE*P{number:02} EMSP"))
        for number in range(4)
    ]
    for partner in others:
        await network.connect(partner)
    everybody = [emsp, *others]
    second = Network(network.database_url, network.tenant_id, keys=network.keys)
    async with second:
        await network.sender.start()
        await second.sender.start()
        for number in range(40):
            await network.put("tariffs", tariff(id=f"T{number:02}"))
            for sender in (network.sender, second.sender):
                sender.wake(network.tenant_id, "tariffs")
        for partner in everybody:
            await partner.until(lambda partner: len(partner.received) >= 40, within=30)
        await asyncio.gather(network.deliver(), second.deliver())

    expected = {f"tariffs/NL/ONE/T{number:02}": 1 for number in range(40)}
    assert [Counter(paths(partner)) for partner in everybody] == [expected] * 5


async def test_while_one_sender_serves_a_partner_another_does_not(network, emsp):
    go = asyncio.Event()
    emsp.fail(hold(go), on="PUT .*tariffs")
    await network.put("tariffs", tariff())
    await network.sender.start()
    network.sender.wake(network.tenant_id, "tariffs")
    await emsp.until(lambda partner: any(r.path.startswith("tariffs") for r in partner.requests))

    async with Network(network.database_url, network.tenant_id, keys=network.keys) as second:
        await second.deliver()
        go.set()
        await network.deliver()
        await second.deliver()

    assert len([r for r in emsp.requests if r.path.startswith("tariffs")]) == 1


async def test_a_sender_killed_in_the_middle_loses_nothing_and_repeats_little(network, emsp):
    """kill -9 while CDRs are on their way: all arrive, at most one batch of them twice."""
    for number in range(60):
        await network.put("cdrs", cdr(id=f"C{number:02}"))
    async with network.process("tests.helpers.sender_process") as process:
        await emsp.until(lambda partner: len(partner.received) >= 20, within=60)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    first = len(emsp.received)
    assert first < 60

    await leases_run_out(network)
    await network.deliver()

    ids = Counter(push.body["id"] for push in emsp.received)
    assert set(ids) == {f"C{number:02}" for number in range(60)}
    assert sum(ids.values()) - len(ids) <= RECORDS_AT_ONCE


async def test_senders_killed_again_and_again_lose_nothing(network, emsp):
    """States come in larger batches, so more may be repeated; none is missing."""
    kills = 3
    for number in range(150):
        await network.put("tariffs", tariff(id=f"T{number:03}"))
    for turn in range(kills):
        async with network.process("tests.helpers.sender_process") as process:
            target = 30 * (turn + 1)
            await emsp.until(lambda partner, n=target: len(partner.received) >= n, within=60)
            process.send_signal(signal.SIGKILL)
            await process.wait()
        await leases_run_out(network)
    await network.deliver()

    times = Counter(paths(emsp))
    assert set(times) == {f"tariffs/NL/ONE/T{number:03}" for number in range(150)}
    assert sum(times.values()) - len(times) <= kills * STATES_AT_ONCE


async def test_a_sender_that_was_stopped_for_long_does_not_undo_what_another_did(network, emsp):
    """SIGSTOP while it holds a lease; another takes over; then it goes on (F-3).

    It has no transaction open then: that would hold the feed back until the database ends it.
    """
    await network.deliver()
    go = asyncio.Event()
    emsp.fail(hold(go), on="PUT .*/T0$", times=1)
    await network.put("tariffs", tariff(id="T0"))
    async with network.process("tests.helpers.sender_process") as process:
        await emsp.until(
            lambda partner: any(r.path == "tariffs/NL/ONE/T0" for r in partner.requests), within=60
        )
        process.send_signal(signal.SIGSTOP)
        await leases_run_out(network)
        await network.put("tariffs", tariff(id="T1"))
        await network.deliver()
        before = await network.cursor(emsp.id, "tariffs")
        go.set()
        process.send_signal(signal.SIGCONT)
        await network.put("tariffs", tariff(id="T2"))
        await emsp.until(lambda partner: "tariffs/NL/ONE/T2" in paths(partner), within=30)
        async with asyncio.timeout(20):
            while await leased(network):  # noqa: ASYNC110 - a database has no event
                await asyncio.sleep(0.02)
        after = await network.cursor(emsp.id, "tariffs")

    assert (after.xid, after.seq) > (before.xid, before.seq)
    times = Counter(paths(emsp))
    assert times["tariffs/NL/ONE/T0"] in {1, 2}
    assert (times["tariffs/NL/ONE/T1"], times["tariffs/NL/ONE/T2"]) == (1, 1)


async def test_a_sender_that_stops_lets_go_of_its_cursors(network, emsp):
    """What is on its way ends; what was not begun is left for whoever comes next."""
    go = asyncio.Event()
    emsp.fail(hold(go), on="PUT .*tariffs")
    for number in range(30):
        await network.put("tariffs", tariff(id=f"T{number:02}"))
    await network.sender.start()
    network.sender.wake(network.tenant_id, "tariffs")
    await emsp.until(lambda partner: len(partner.requests) >= 8)

    stopping = asyncio.create_task(network.sender.stop())
    await asyncio.sleep(0)
    go.set()
    await stopping

    assert await leased(network) == 0
    assert len(emsp.received) < 30
    async with Network(network.database_url, network.tenant_id, keys=network.keys) as second:
        await second.deliver()
    assert set(paths(emsp)) == {f"tariffs/NL/ONE/T{number:02}" for number in range(30)}


async def test_a_bell_is_heard_by_the_others_and_not_by_whoever_rings_it(network):
    heard = {"one": asyncio.Queue(), "two": asyncio.Queue()}
    bells = {
        name: Bell(network.database, lambda *ring, queue=queue: queue.put_nowait(ring))
        for name, queue in heard.items()
    }
    for bell in bells.values():
        bell.start()
    try:
        # It takes a moment until they listen.
        async with asyncio.timeout(10):
            while heard["two"].empty():
                bells["one"].ring(network.tenant_id, "tariffs")
                await asyncio.sleep(0.02)

        assert await heard["two"].get() == (network.tenant_id, "tariffs")
        assert heard["one"].empty()
    finally:
        for bell in bells.values():
            await bell.stop()


async def test_many_rings_are_few_notifications(network):
    """NOTIFY is throttled: a thousand changes in a moment ring once or twice."""
    heard = []
    listener = Bell(network.database, lambda *ring: heard.append(ring))
    speaker = Bell(network.database, lambda *ring: None)
    listener.start()
    speaker.start()
    try:
        async with asyncio.timeout(10):
            while not heard:
                speaker.ring(network.tenant_id, "cdrs")
                await asyncio.sleep(0.02)
            heard.clear()
            for _ in range(1000):
                speaker.ring(network.tenant_id, "tariffs")
            while (network.tenant_id, "tariffs") not in heard:
                speaker.ring(network.tenant_id, "sessions")
                await asyncio.sleep(0.02)
    finally:
        await speaker.stop()
        await listener.stop()

    assert heard.count((network.tenant_id, "tariffs")) == 1
