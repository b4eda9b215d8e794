"""The feed: everything in order, the latest state once, nothing passed by or written in vain."""

import asyncio
import random
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import event, text
from structlog.testing import capture_logs

from hub.models.values import Place
from hub.ocpi.directory import Directory
from hub.roaming import cursors
from hub.roaming.feed.disclosure import disclose
from hub.roaming.feed.sources import SOURCES
from hub.roaming.network import agreements
from hub.roaming.store import objects
from tests.helpers.documents import cdr, evse, location, session, tariff, token
from tests.helpers.faults import hold, unavailable
from tests.helpers.network import Network, change, paths
from tests.helpers.partner import FakePartner

TARIFFS = SOURCES["tariffs"]


@pytest.fixture
async def emsp(network, partners):
    """DE*TWO, an eMSP that speaks 2.2.1."""
    partner = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    partner.id = await network.connect(partner)
    return partner


@pytest.fixture
async def cpo(network, partners):
    """NL*ONE, a CPO that speaks 2.2.1."""
    partner = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    partner.id = await network.connect(partner)
    return partner


def later(minute):
    return f"2025-06-02T10:{minute:02}:00Z"


async def everything(db, since=None, *, limit=10_000):
    return await TARIFFS.read(db, since or Place(), await cursors.settled(db), limit)


# Reading.


async def test_changes_come_in_the_order_in_which_they_were_made(network):
    for number in (3, 1, 2):
        await network.put("tariffs", tariff(id=f"T{number}"))
    await network.put("tariffs", tariff(id="T3", currency="SEK", last_updated=later(1)))

    async with network.database.transaction(network.tenant_id) as db:
        changes, end = await everything(db)

    assert [change.ref for change in changes] == ["NL/ONE/T1", "NL/ONE/T2", "NL/ONE/T3"]
    assert [change.place for change in changes] == sorted(change.place for change in changes)
    assert changes[-1].place < end


async def test_a_stretch_is_as_long_as_asked_for_and_the_next_goes_on_there(network):
    for number in range(5):
        await network.put("tariffs", tariff(id=f"T{number}"))

    found, place = [], Place()
    async with network.database.transaction(network.tenant_id) as db:
        for _ in range(3):
            changes, place = await everything(db, place, limit=2)
            found.append([change.ref[-2:] for change in changes])

    assert found == [["T0", "T1"], ["T2", "T3"], ["T4"]]


async def test_locations_and_evses_are_read_in_one_order_whatever_the_page(network):
    places = [location(id=f"L{number}", evses=[evse()]) for number in range(4)]
    for place in places:
        await network.put("locations", place)
    for number in (1, 0, 3):
        await network.put_evse(places[number], evse(status="CHARGING", last_updated=later(number)))
    source = SOURCES["locations"]

    async def read(limit):
        found, place = [], Place()
        async with network.database.transaction(network.tenant_id) as db:
            until = await cursors.settled(db)
            while place < until:
                changes, place = await source.read(db, place, until, limit)
                found += [change.ref for change in changes]
        return found

    whole = ["NL/ONE/L0", "NL/ONE/L1", "NL/ONE/L2", "NL/ONE/L3"]
    parts = ["NL/ONE/L1/E1", "NL/ONE/L0/E1", "NL/ONE/L3/E1"]
    # One by one; read together, a location already says what its EVSEs say.
    assert await read(1) == [*whole, *parts]
    assert sorted(await read(100)) == whole


@pytest.mark.parametrize("page", [1, 2, 3, 7])
async def test_of_what_was_kept_together_no_page_leaves_out_the_next_one(network, page):
    """Their places follow each other without a gap."""
    await network.write(*(change("locations", location(id=f"L{number}")) for number in range(8)))
    put = [change("locations", location(id="L0"), evse_uid=f"N{number}") for number in range(8)]
    await network.write(*(replace(one, document=evse(uid=one.evse_uid)) for one in put))

    found, place = [], Place()
    async with network.database.transaction(network.tenant_id) as db:
        until = await cursors.settled(db)
        while place < until:
            changes, place = await SOURCES["locations"].read(db, place, until, page)
            found += [change.ref for change in changes]

    wanted = [f"NL/ONE/L{number}" for number in range(8)]
    assert found == wanted + [f"NL/ONE/L0/N{number}" for number in range(8)]


async def test_another_tenant_has_a_feed_of_its_own(network, make_tenant):
    await network.put("tariffs", tariff())
    other = await make_tenant()

    async with network.database.transaction(other.id) as db:
        changes, _ = await everything(db)

    assert changes == []


async def test_reading_uses_the_index_also_behind_row_level_security(network):
    """Only leakproof conditions may look into an index before the policy has been checked."""
    statements = []

    def note(connection, cursor, statement, parameters, *_):
        statements.append((statement, parameters))

    engine = network.database.engine.sync_engine
    async with network.database.transaction(network.tenant_id) as db:
        await db.execute(text("set local enable_seqscan = off"))
        # However few rows there are: the order is to come from the index, too.
        await db.execute(text("set local enable_sort = off"))
        event.listen(engine, "before_cursor_execute", note)
        await everything(db, Place(5, 5))
        event.remove(engine, "before_cursor_execute", note)
        [(statement, parameters)] = [s for s in statements if "from tariffs" in s[0]]
        connection = await db.connection()
        plan = await connection.exec_driver_sql(f"explain {statement}", parameters)
        lines = "\n".join(row[0] for row in plan)

    assert "ix_tariffs_feed" in lines
    [condition] = [line for line in lines.splitlines() if "Index Cond" in line]
    assert "changed_xid" in condition


# Transactions that commit late.


async def writers(network, *, number, changes, follow):
    """Many write at once, some holding their transaction open; ``follow`` reads meanwhile."""
    chance = random.Random(7)
    running = number

    async def write(writer):
        nonlocal running
        for turn in range(changes):
            async with network.database.transaction(network.tenant_id) as db:
                await db.execute(INSERT, {"id": f"{writer}-{turn}"})
                if chance.random() < 0.1:
                    await asyncio.sleep(0.02)
        running -= 1

    async def read():
        seen, place, last = [], Place(), False
        while not last:
            last = not running
            async with network.database.transaction(network.tenant_id) as db:
                found, place = await follow(db, place)
            seen += found
        return seen

    _, seen = await asyncio.gather(asyncio.gather(*map(write, range(number))), read())
    return seen


INSERT = text("""
    insert into tariffs (country_code, party_id, object_key, object_id, document, digest,
                         last_updated_text, last_updated)
    values ('NL', 'ONE', :id, :id, '{}', '', '2025-06-01T08:00:00Z', now())
""")


async def test_a_change_that_commits_late_is_not_passed_by(network):
    """8 writers, some of them slow to commit; a reader that never goes back."""

    async def follow(db, place):
        changes, end = await everything(db, place)
        return [change.ref for change in changes], end

    seen = await writers(network, number=8, changes=60, follow=follow)

    assert len(seen) == len(set(seen)) == 8 * 60


async def test_without_the_bound_changes_would_be_passed_by(network):
    """What the test above is worth: the same, reading all that is committed, loses some."""

    async def follow(db, place):
        changes, _ = await TARIFFS.read(db, place, Place(2**62), 10_000)
        return [c.ref for c in changes], max([place, *(c.place for c in changes)])

    seen = await writers(network, number=8, changes=60, follow=follow)

    assert len(seen) < 8 * 60


async def test_partners_get_what_commits_late_too(network, emsp):
    release = asyncio.Event()

    async def late():
        async with network.database.transaction(network.tenant_id) as db:
            await db.execute(text("select pg_current_xact_id()"))
            written.set()
            await release.wait()
            await db.execute(INSERT, {"id": "LATE"})

    written = asyncio.Event()
    await network.put("tariffs", tariff(id="T0"))
    task = asyncio.create_task(late())
    await written.wait()
    await network.put("tariffs", tariff(id="T1"))
    await network.sender.start()
    network.sender.wake(network.tenant_id, "tariffs")
    await emsp.until(lambda partner: partner.received)
    assert paths(emsp) == ["tariffs/NL/ONE/T0"]

    release.set()
    await task
    await emsp.until(lambda partner: len(partner.received) == 3)

    assert sorted(paths(emsp)[1:]) == ["tariffs/NL/ONE/LATE", "tariffs/NL/ONE/T1"]


# Delivering.


async def test_one_change_is_one_request_and_the_latest_state_is_sent_once(network, emsp):
    for minute in range(10):
        await network.put("tariffs", tariff(currency=f"A{minute}A", last_updated=later(minute)))
    await network.deliver()
    await network.deliver()

    assert [push.body["currency"] for push in emsp.received] == ["A9A"]


async def test_an_unchanged_push_is_told_to_nobody(network, emsp):
    await network.put("tariffs", tariff())
    await network.deliver()
    await network.put("tariffs", tariff(last_updated=later(1)))
    await network.deliver()

    assert len(emsp.received) == 1


async def test_a_partner_that_was_away_for_long_gets_each_object_once_as_it_is_now(network, emsp):
    """Thousands of changes while it was away are as many requests as there are objects (F-6)."""
    place = location(evses=[evse(uid=f"E{number}") for number in range(5)])
    await network.put("locations", place)
    await network.deliver()
    emsp.received.clear()
    emsp.fail(unavailable(), on="PUT")
    for minute in range(20):
        for number in range(5):
            status = "CHARGING" if minute % 2 else "AVAILABLE"
            part = evse(uid=f"E{number}", status=status, last_updated=later(minute))
            await network.put_evse(place, part)
        if minute % 5 == 0:
            await network.deliver()
            await network.run("update feed_cursors set next_attempt_at = now() + interval '1 h'")

    emsp.heal()
    await network.retry_now()
    await network.deliver()

    assert sorted(paths(emsp)) == [f"locations/NL/ONE/L1/E{number}" for number in range(5)]
    assert {push.body["status"] for push in emsp.received} == {"CHARGING"}


async def test_more_than_one_page_arrives_completely_and_without_repetition(
    network, emsp, partners
):
    """Both for a partner that follows closely and for one that begins when all is there."""
    writes = [change("tariffs", tariff(id=f"T{number:04}")) for number in range(450)]
    for start in range(0, len(writes), 50):
        await network.write(*writes[start : start + 50])
        if start == 100:
            await network.deliver()
    await network.deliver()
    newcomer = await partners.enter_async_context(FakePartner("DE*SIX EMSP"))
    await network.connect(newcomer)
    await network.deliver()

    expected = [f"tariffs/NL/ONE/T{number:04}" for number in range(450)]
    assert sorted(paths(emsp)) == expected
    assert sorted(paths(newcomer)) == expected


async def test_partners_at_the_head_share_one_reading(network, partners):
    everybody = [
        await partners.enter_async_context(FakePartner(f"DE*P{number:02} EMSP"))
        for number in range(8)
    ]
    for partner in everybody:
        await network.connect(partner)
    await network.deliver()
    statements = []
    engine = network.database.engine.sync_engine
    event.listen(
        engine, "before_cursor_execute", lambda c, k, statement, *_: statements.append(statement)
    )
    await network.put("locations", location())
    statements.clear()
    await network.deliver()

    assert [paths(partner) for partner in everybody] == [["locations/NL/ONE/L1"]] * 8
    readings = [s for s in statements if "from ocpi_locations where (changed_xid" in s]
    assert len(readings) <= 2


async def test_accepting_a_change_writes_the_same_whatever_the_number_of_partners(
    network, partners
):
    total = text("select sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_xact_user_tables")

    async def rows_written(tariff_id):
        async with network.database.transaction(network.tenant_id) as db:
            before = await db.scalar(total)
            await objects.apply(db, [change("tariffs", tariff(id=tariff_id))])
            return await db.scalar(total) - before

    alone = await rows_written("T1")
    for number in range(10):
        partner = await partners.enter_async_context(FakePartner(f"DE*P{number:02} EMSP"))
        await network.connect(partner)
    await network.deliver()

    # The object, and its entry in the audit log.
    assert await rows_written("T2") == alone == 2


async def test_nothing_is_written_for_a_delivery_that_went_well(network, emsp):
    """One move of the cursor for the whole batch, and no other row at all."""
    await network.put("tariffs", tariff(id="T0"))
    await network.deliver()
    for number in range(1, 60):
        await network.put("tariffs", tariff(id=f"T{number}"))
    written = []

    def note(connection, cursor, statement, parameters, *_):
        writes = statement.lstrip().lower().startswith(("insert", "update", "delete"))
        if writes and cursor.rowcount:
            written.append(statement.split("set")[0].strip())

    engine = network.database.engine.sync_engine
    event.listen(engine, "after_cursor_execute", note)
    await network.deliver()
    event.remove(engine, "after_cursor_execute", note)

    assert len(emsp.received) == 60
    # One lease, one move.
    assert written == ["update feed_cursors", "update feed_cursors as cursor"]
    assert (await network.cursor(emsp.id, "tariffs")).delivered == 60


async def test_partners_that_nothing_concerns_are_not_written_to_either(network, emsp, partners):
    """A session concerns one eMSP in a hundred: the cursors of the others stay as they are."""
    for number in range(5):
        other = await partners.enter_async_context(FakePartner(f"DE*P{number:02} EMSP"))
        await network.connect(other)
    await network.deliver()
    before = await network.rows("select partner_id, xmin::text from feed_cursors")
    await network.put("sessions", session())
    await network.deliver()
    after = await network.rows("select partner_id, xmin::text from feed_cursors")

    assert paths(emsp) == ["sessions/NL/ONE/S1"]
    changed = set(map(tuple, after)) - set(map(tuple, before))
    assert {partner_id for partner_id, _ in changed} == {emsp.id}


async def test_what_the_hub_itself_cannot_write_holds_up_nothing_else(network, emsp):
    """Our own mistake with one object: it is set aside and told to us, not to the partners."""
    async with network.database.transaction(network.tenant_id) as db:
        await db.execute(INSERT, {"id": "ODD"})
        odd = """update tariffs set document = '{"elements": [{"restrictions": 5}]}'"""
        await db.execute(text(odd))
    await network.put("tariffs", tariff())
    with capture_logs() as logged:
        await network.deliver()

    assert paths(emsp) == ["tariffs/NL/ONE/T1"]
    [setback] = await network.setbacks()
    assert (setback.object_ref, setback.reason) == (
        "NL/ONE/ODD",
        "The hub itself failed to send it.",
    )
    assert [e["event"] for e in logged if "exc_info" in e] == ["object could not be sent"]


async def test_what_the_hub_itself_cannot_write_in_2_1_1_holds_up_nothing_else(network, partners):
    old = await partners.enter_async_context(FakePartner("DE*OLD EMSP"))
    await network.connect(old, version="2.1.1")
    async with network.database.transaction(network.tenant_id) as db:
        await db.execute(INSERT, {"id": "ODD"})
        await db.execute(text("""update tariffs set document = '{"elements": [5]}'"""))
    await network.put("tariffs", tariff())
    with capture_logs() as logged:
        await network.deliver()

    assert [push.path.rsplit("/", 1)[-1] for push in old.received] == ["T1"]
    [setback] = await network.setbacks()
    assert setback.object_ref == "NL/ONE/ODD"
    assert "the hub itself failed to write it" in setback.reason
    assert [e["event"] for e in logged if "exc_info" in e] == ["object could not be written"]


async def test_one_tenant_that_cannot_be_served_does_not_keep_the_others_from_it(
    network, emsp, make_tenant
):
    nameless = await make_tenant(country_code=None, party_id=None)
    async with Network(network.database_url, nameless.id) as other:
        await other.connect(FakePartner("FR*TEN EMSP"))
    await network.put("tariffs", tariff())
    with capture_logs() as logged:
        await network.sender.drain(nameless.id, network.tenant_id)

    assert paths(emsp) == ["tariffs/NL/ONE/T1"]
    assert "tenant could not be looked at" in [entry["event"] for entry in logged]


# Lanes.


async def test_blocked_tokens_do_not_wait_behind_a_thousand_others(network, cpo):
    cpo.fail(unavailable(), on="PUT")
    tokens = [change("tokens", token(uid=f"U{number:04}")) for number in range(400)]
    for start in range(0, 400, 100):
        await network.write(*tokens[start : start + 100])
    await network.deliver()
    await network.put("tokens", token(uid="BLOCKED", valid=False))
    cpo.heal()
    cpo.received.clear()
    await network.retry_now()
    await network.deliver()

    position = paths(cpo).index("tokens/DE/TWO/BLOCKED")
    assert position < 20
    assert paths(cpo).count("tokens/DE/TWO/BLOCKED") == 1
    assert len(set(paths(cpo))) == 401


async def test_a_token_that_is_unblocked_again_ends_up_valid(network, cpo):
    await network.put("tokens", token(valid=False, last_updated=later(1)))
    await network.deliver()
    await network.put("tokens", token(valid=True, last_updated=later(2)))
    await network.deliver()

    assert [push.body["valid"] for push in cpo.received] == [False, True]


async def test_cdrs_go_before_statuses_where_they_wait_for_each_other(postgres, tenant, partners):
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    async with Network(postgres.url, tenant.id, feed_per_partner=1) as network:
        await network.connect(emsp)
        for number in range(20):
            await network.put("locations", location(id=f"L{number}"))
        for number in range(5):
            await network.put("cdrs", cdr(id=f"C{number}"))
        go = asyncio.Event()
        emsp.fail(hold(go), on="PUT .*locations", times=1)
        delivering = asyncio.create_task(network.deliver())
        async with asyncio.timeout(20):
            # Whichever module is begun first: until the other waits for it.
            while await network.rows(UNBEGUN):  # noqa: ASYNC110 - the database tells
                await asyncio.sleep(0.01)
        go.set()
        await delivering

    modules = [push.module for push in emsp.received]
    assert sorted(set(modules)) == ["cdrs", "locations"]
    # A few locations may go while the CDRs are read.
    assert max(i for i, module in enumerate(modules) if module == "cdrs") < 12


UNBEGUN = """
    select module from unnest(array['cdrs', 'locations']) as wanted(module) where not exists (
        select from feed_cursors as one where one.module = wanted.module
        and (one.leased_until > now() or one.delivered_at is not null))
"""


# Cursors.


async def test_a_cursor_is_leased_by_one_worker_until_the_lease_runs_out(network, emsp):
    async with network.database.transaction(network.tenant_id) as db:
        await cursors.enrol(db, {(emsp.id, "tariffs"): False})
        [cursor] = await cursors.standings(db, ["tariffs"])
        assert await cursors.lease(db, {cursor.id: cursor.place}, "one", 30) == {cursor.id}
    async with network.database.transaction(network.tenant_id) as db:
        assert await cursors.lease(db, {cursor.id: cursor.place}, "two", 30) == set()
    await network.run("update feed_cursors set leased_until = now() - interval '1 second'")
    async with network.database.transaction(network.tenant_id) as db:
        assert await cursors.lease(db, {cursor.id: cursor.place}, "two", 30) == {cursor.id}
        # The first worker was only stopped for a while: what it says now comes too late.
        assert await cursors.advance(db, [cursors.Move(cursor.id, Place(99, 99))], "one") == set()
        await cursors.back_off(db, cursors.Move(cursor.id, Place(98)), "one", reason="x", seconds=1)
        [after] = await cursors.standings(db, ["tariffs"])
    assert (after.place, after.failures) == (cursor.place, 0)


async def test_two_workers_never_lease_the_same_cursor(network, emsp):
    async with network.database.transaction(network.tenant_id) as db:
        await cursors.enrol(db, {(emsp.id, name): False for name in SOURCES})
        places = {c.id: c.place for c in await cursors.standings(db, SOURCES)}

    async def take(owner):
        async with network.database.transaction(network.tenant_id) as db:
            return await cursors.lease(db, places, owner, 30)

    taken = await asyncio.gather(*(take(f"worker {n}") for n in range(5)))

    assert sum(map(len, taken)) == len(places)


async def test_a_cursor_that_moved_meanwhile_is_not_leased_at_its_old_place(network, emsp):
    async with network.database.transaction(network.tenant_id) as db:
        await cursors.enrol(db, {(emsp.id, "tariffs"): False})
        [cursor] = await cursors.standings(db, ["tariffs"])

        assert await cursors.lease(db, {cursor.id: Place(1, 1)}, "one", 30) == set()
        assert await cursors.lease(db, {cursor.id: cursor.place}, "two", 30) == {cursor.id}


async def test_an_unknown_cursor_is_nobodys(network):
    async with network.database.transaction(network.tenant_id) as db:
        assert await cursors.lease(db, {uuid4(): Place()}, "one", 30) == set()


def test_back_off_doubles_and_honours_what_the_partner_asked_for():
    for failures in range(30):
        assert 1 <= cursors.delay(failures) <= min(max(1, 5 * 2**failures), 3600)
        assert cursors.delay(failures, retry_after=7200) == 3600
    assert cursors.delay(0, retry_after=120) == 120


async def test_who_was_put_back_for_an_agreement_is_not_judged_by_an_older_one(network, emsp, cpo):
    """HUB-52: other processes hear of an agreement a second late, and pass nothing by till then."""
    await network.agree(from_country_code="NL", from_party_id="ONE", effect="BLOCK")
    await network.put("tariffs", tariff())
    network.directory = Directory(network.database, network.keyring, max_age=600)
    late = network.another_sender()
    await late.drain(network.tenant_id)
    assert emsp.received == []

    async with network.database.transaction(network.tenant_id) as db:
        before = await agreements.audience(db)
        await db.execute(text("update agreements set effect = 'ALLOW'"))
        db.expire_all()
        await disclose(db, before, await agreements.audience(db))
    await late.drain(network.tenant_id)

    assert paths(emsp) == ["tariffs/NL/ONE/T1"]
