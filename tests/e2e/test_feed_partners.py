"""Partners as time goes by: silent, offline, back again, slow; and what others are told of it."""

import asyncio

import pytest

from hub.roaming.network import partners as registered
from tests.helpers.documents import cdr, location, tariff
from tests.helpers.faults import hold, http, slow, unavailable
from tests.helpers.network import Network, paths
from tests.helpers.partner import FakePartner


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


async def calls(network, partner):
    """The partner makes an authenticated request."""
    async with network.database.transaction(network.tenant_id) as db:
        waited = await registered.seen(db, partner.id)
    network.directory.forget(network.tenant_id)
    return waited


async def silent(network, partner, seconds=301):
    await network.run(
        "update ocpi_partners set last_seen_at = now() - make_interval(secs => :seconds)"
        " where id = :id",
        id=partner.id,
        seconds=seconds,
    )


async def status(network, partner):
    query = "select connection_status from ocpi_partners where id = :id"
    [row] = await network.rows(query, id=partner.id)
    return row.connection_status


def told(partner):
    """Who is said to be what, in the order in which it was said."""
    return [
        (push.path.removeprefix("hubclientinfo/"), push.body["role"], push.body["status"])
        for push in partner.client_info
    ]


OWN = ("NL/OWN", "CPO", "CONNECTED")


# Coming back.


async def test_a_request_from_the_partner_ends_its_back_off(network, emsp):
    emsp.fail(unavailable(), on="PUT")
    await network.put("tariffs", tariff())
    await network.deliver()
    emsp.heal()
    await network.deliver()
    assert emsp.received == []

    assert await calls(network, emsp)
    await network.deliver()

    assert paths(emsp) == ["tariffs/NL/ONE/T1"]
    assert not await calls(network, emsp)


async def test_a_partner_that_calls_but_never_answers_is_not_tried_on_each_of_its_calls(
    network, emsp
):
    emsp.fail(unavailable(), on="PUT .*tariffs")
    await network.put("tariffs", tariff())
    for _ in range(20):
        await network.deliver()
        await calls(network, emsp)

    tries = len([r for r in emsp.requests if r.path.startswith("tariffs")])
    assert 5 <= tries <= 8


async def test_a_partner_back_after_days_is_served_on_its_first_call(network, emsp):
    """However often it failed: its next attempt is an hour away, and it need not wait for that."""
    emsp.fail(unavailable(), on="PUT")
    await network.put("tariffs", tariff())
    await network.deliver()
    await network.run(
        "update feed_cursors set failures = 40, last_error_at = now() - interval '50 min',"
        " next_attempt_at = now() + interval '10 min'"
    )
    emsp.heal()

    await calls(network, emsp)
    await network.deliver()

    assert paths(emsp) == ["tariffs/NL/ONE/T1"]


# Still alive (HCI-05).


async def test_a_silent_partner_that_answers_stays_connected(network, emsp):
    await silent(network, emsp)

    await network.sender.still_alive()

    assert [r.path for r in emsp.requests] == ["versions"]
    assert await status(network, emsp) == "CONNECTED"
    await network.sender.still_alive()
    assert len(emsp.requests) == 1


async def test_a_partner_that_was_heard_of_lately_is_not_asked(network, emsp):
    await silent(network, emsp, seconds=200)

    await network.sender.still_alive()

    assert emsp.requests == []


@pytest.mark.parametrize("fault", [unavailable(), http(401), http(404)])
async def test_a_silent_partner_that_does_not_answer_is_offline_to_all_others_HCI_05(
    network, emsp, cpo, fault
):
    await network.deliver()
    cpo.client_info.clear()
    await silent(network, emsp)
    emsp.fail(fault)

    await network.sender.still_alive()
    await network.deliver()

    assert await status(network, emsp) == "OFFLINE"
    assert told(cpo) == [("DE/TWO", "EMSP", "OFFLINE")]


async def test_nothing_is_sent_to_a_partner_that_is_offline_HUB_28(network, emsp):
    await silent(network, emsp)
    await emsp.stop_listening()
    await network.sender.still_alive()
    await emsp.listen()

    await network.put("tariffs", tariff())
    await network.put("cdrs", cdr())
    await network.deliver()

    assert emsp.requests == []


async def test_a_partner_that_answers_again_gets_what_it_missed_as_it_is_now(network, emsp, cpo):
    await silent(network, emsp)
    emsp.fail(unavailable())
    await network.sender.still_alive()
    for minute in range(3):
        document = tariff(currency=f"A{minute}A", last_updated=f"2025-06-02T10:0{minute}:00Z")
        await network.put("tariffs", document)
    await network.put("cdrs", cdr())
    await network.deliver()
    emsp.heal()
    emsp.requests.clear()

    await network.sender.still_alive()
    await network.deliver()

    assert emsp.requests[0].path == "versions"
    assert sorted(paths(emsp)) == ["cdrs", "tariffs/NL/ONE/T1"]
    assert {push.body.get("currency") for push in emsp.received} == {"A2A", "EUR"}
    assert told(cpo)[-1] == ("DE/TWO", "EMSP", "CONNECTED")


async def test_who_prefers_to_get_what_it_missed_is_only_sent_what_is_owed(network, partners):
    """``delivery = live_only``: states go on from now, records are owed whatever happens."""
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    emsp.id = await network.connect(emsp, configuration={"delivery": "live_only"})
    await network.deliver()
    await silent(network, emsp)
    emsp.fail(unavailable())
    await network.sender.still_alive()
    await network.put("tariffs", tariff(id="MISSED"))
    await network.put("locations", location())
    await network.put("cdrs", cdr())
    emsp.heal()
    await calls(network, emsp)
    await network.deliver()
    await network.put("tariffs", tariff(id="NEW"))
    await network.deliver()

    assert await status(network, emsp) == "CONNECTED"
    assert sorted(paths(emsp)) == ["cdrs", "tariffs/NL/ONE/NEW"]


async def test_a_new_partner_is_told_everything_unless_it_wants_only_what_is_new(network, partners):
    await network.put("tariffs", tariff(id="OLD"))
    everything = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    await network.connect(everything)
    live = await partners.enter_async_context(FakePartner("DE*SIX EMSP"))
    await network.connect(live, configuration={"delivery": "live_only"})
    await network.deliver()
    await network.put("tariffs", tariff(id="NEW"))
    await network.deliver()

    assert paths(everything) == ["tariffs/NL/ONE/OLD", "tariffs/NL/ONE/NEW"]
    assert paths(live) == ["tariffs/NL/ONE/NEW"]


async def test_modules_that_were_not_agreed_on_are_not_sent(network, partners):
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    await network.connect(emsp, configuration={"supported_modules": ["locations"]})

    await network.put("tariffs", tariff())
    await network.put("locations", location())
    await network.deliver()

    assert paths(emsp) == ["locations/NL/ONE/L1"]
    assert emsp.client_info == []


# HubClientInfo.


async def test_parties_are_told_who_else_is_there_and_never_about_themselves_HCI_08(
    network, emsp, cpo
):
    """HCI-01."""
    await network.deliver()

    assert sorted(told(emsp)) == [("NL/ONE", "CPO", "CONNECTED"), OWN]
    assert sorted(told(cpo)) == [("DE/TWO", "EMSP", "CONNECTED"), OWN]
    assert emsp.client_info[0].method == "PUT"


async def test_hubclientinfo_carries_no_routing_headers_HUB_12(network, emsp):
    await network.deliver()

    [push] = emsp.client_info
    assert [name for name in push.headers if name.lower().startswith("ocpi-")] == []


async def test_a_party_with_two_roles_is_told_twice_at_one_url_HCI_07(network, emsp, partners):
    """AMB-19."""
    both = FakePartner("FR*TEN CPO", "FR*TEN EMSP")
    await partners.enter_async_context(both)
    await network.connect(both)

    await network.deliver()

    assert sorted(told(emsp)) == [
        ("FR/TEN", "CPO", "CONNECTED"),
        ("FR/TEN", "EMSP", "CONNECTED"),
        OWN,
    ]
    assert sorted(told(both)) == [("DE/TWO", "EMSP", "CONNECTED"), OWN]


async def test_a_platform_is_told_once_however_many_parties_it_hosts(network, emsp, partners):
    platform = FakePartner("FR*TEN EMSP", "FR*SIX EMSP")
    await partners.enter_async_context(platform)
    await network.connect(platform)

    await network.deliver()

    assert sorted(told(platform)) == [("DE/TWO", "EMSP", "CONNECTED"), OWN]


async def test_a_partner_of_a_version_without_hubclientinfo_is_not_told(network, partners):
    emsp = FakePartner("DE*TWO EMSP")
    emsp.without_modules = {("hubclientinfo", "RECEIVER")}
    await partners.enter_async_context(emsp)
    await network.connect(emsp)

    await network.deliver()

    assert emsp.requests == []


async def test_who_is_suspended_or_gone_is_told_to_be_suspended_HCI_03(network, emsp, cpo):
    await network.deliver()
    cpo.client_info.clear()

    await network.run("update ocpi_partners set status = 'SUSPENDED' where id = :id", id=emsp.id)
    await network.deliver()
    await network.run(
        "update ocpi_partners set status = 'ACTIVE', connection_changed_at = now() where id = :id",
        id=emsp.id,
    )
    await network.deliver()
    await network.run("delete from ocpi_partner_roles where partner_id = :id", id=emsp.id)
    await network.deliver()

    assert [push.body["status"] for push in cpo.client_info] == [
        "SUSPENDED",
        "CONNECTED",
        "SUSPENDED",
    ]
    stamps = [push.body["last_updated"] for push in cpo.client_info]
    assert stamps == sorted(stamps)


async def test_an_invited_partner_is_planned_HCI_06(network, emsp, partners):
    other = await partners.enter_async_context(FakePartner("FR*TEN CPO"))
    await network.connect(other, status="PENDING_VERIFICATION", connection_status="PLANNED")

    await network.deliver()

    assert ("FR/TEN", "CPO", "PLANNED") in told(emsp)
    assert other.requests == []


async def test_nobody_is_told_twice_what_has_not_changed(network, emsp, cpo):
    await network.deliver()
    await calls(network, emsp)
    await network.run("update ocpi_partners set name = 'Renamed'")
    await network.deliver()

    assert len(emsp.client_info) == len(cpo.client_info) == 2


async def test_parties_that_agreed_to_keep_apart_do_not_hear_of_each_other_HUB_52(
    network, emsp, cpo
):
    await network.agree(
        from_country_code="DE",
        from_party_id="TWO",
        to_country_code="NL",
        to_party_id="ONE",
        effect="BLOCK",
    )

    await network.deliver()

    assert told(cpo) == [OWN]
    assert sorted(told(emsp)) == [("NL/ONE", "CPO", "CONNECTED"), OWN]


# Slow partners.


async def test_a_slow_partner_slows_nobody_else(network, emsp, partners):
    """It holds its own few connections; everybody else is served meanwhile."""
    other = await partners.enter_async_context(FakePartner("DE*SIX EMSP"))
    await network.connect(other)
    go = asyncio.Event()
    emsp.fail(hold(go), on="PUT .*tariffs")
    await network.sender.start()
    try:
        for number in range(30):
            await network.put("tariffs", tariff(id=f"T{number:02}"))
            network.sender.wake(network.tenant_id, "tariffs")
        await other.until(lambda partner: len(partner.received) == 30)
    finally:
        go.set()

    held = [r for r in emsp.requests if r.path.startswith("tariffs")]
    assert 1 <= len(held) <= network.settings.feed_per_partner
    await network.deliver()
    assert set(paths(emsp)) == set(paths(other))


async def test_many_slow_partners_do_not_use_up_the_slots_of_all(postgres, tenant, partners):
    """Who is slow is given fewer requests at a time, down to one (F-7)."""
    sloths = [
        await partners.enter_async_context(FakePartner(f"DE*S{number:02} EMSP"))
        for number in range(4)
    ]
    quick = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    async with Network(postgres.url, tenant.id, feed_workers=8, forward_timeout=0.5) as network:
        for partner in [*sloths, quick]:
            await network.connect(partner)
        for partner in sloths:
            partner.fail(slow(3600), on="PUT .*tariffs")
        for turn in range(4):
            await network.put("tariffs", tariff(id=f"T{turn}"))
            await network.retry_now()
            await network.deliver()
        for number in range(40):
            await network.put("tariffs", tariff(id=f"N{number:02}"))
        for partner in sloths:
            partner.requests.clear()
        await network.retry_now()
        await network.deliver()

    assert len(quick.received) == 44
    for partner in sloths:
        assert len(partner.requests) <= 3
