"""How a partner wants to be spoken to is found out, remembered, used, and may be overruled."""

import asyncio
import re

import pytest
from aiohttp import web

from hub.keys import DATABASE, DIRECTORY, KEYRING, OUTBOUND, PROBER
from hub.probing import Prober
from tests.helpers.documents import location, tariff
from tests.helpers.faults import envelope, hold, http
from tests.helpers.partner import FakePartner
from tests.helpers.pulls import ids, lists


@pytest.fixture
async def cpo(hub, partners):
    """NL*ONE, a CPO with tariffs and locations, registered."""
    partner = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    partner.own["tariffs"] = [tariff(version="2.2.1", id=f"T{n}") for n in range(4)]
    partner.own["locations"] = [location(version="2.2.1")]
    await hub.connect(partner)
    partner.requests.clear()
    return partner


async def probe(hub):
    await hub.app[PROBER].look(hub.tenant_id)
    await hub.app[PROBER].idle()
    [row] = await hub.sql("select * from ocpi_partners")
    return row


async def test_a_well_behaved_partner_has_no_quirks_and_is_asked_politely(hub, cpo):
    row = await probe(hub)

    assert row.quirks == {}
    supports = row.profile["supports"]
    assert (supports["versions"], supports["token_form"]) == (["2.2.1"], "base64")
    assert supports["modules"]["locations"] == ["RECEIVER", "SENDER"]
    assert (supports["lists"]["tariffs"], supports["page_limit"]) == (4, 50)
    assert {request.method for request in cpo.requests} == {"GET"}
    assert len(cpo.requests) < 25
    assert all(cpo.tokens.kind(request.headers["Authorization"]) for request in cpo.requests)


async def test_every_new_partner_is_probed_once(hub, cpo):
    await probe(hub)
    asked = len(cpo.requests)

    await probe(hub)

    assert asked > 0
    assert len(cpo.requests) == asked


async def test_a_partner_that_registers_anew_is_probed_anew(hub, cpo):
    first = await probe(hub)
    await cpo.unregister()
    await hub.sql("update ocpi_partners set status = 'PENDING_VERIFICATION'")
    invitation = await hub.invite_again(cpo)
    await cpo.register(invitation.versions_url, invitation.token)

    second = await probe(hub)

    assert second.profile["at"] >= first.profile["at"]
    assert second.probed_at > first.probed_at


async def test_nobody_is_probed_who_is_not_to_be(hub, cpo):
    await hub.configure(cpo.name, probe=False)

    row = await probe(hub)

    assert (row.profile, cpo.requests) == (None, [])


async def slash_wanted(request, proceed):
    """As some frameworks have it: a URL without its slash is not there at all."""
    if "/locations/" in request.path and not request.path.endswith("/"):
        return web.Response(status=404, text="<h1>Not Found</h1>", content_type="text/html")
    return await proceed()


async def test_a_slash_is_added_where_nothing_is_served_without(hub, cpo, emsp):
    emsp.fail(slash_wanted, on="locations")
    emsp.own["locations"] = []
    cpo.fail(slash_wanted, on="locations")

    await hub.app[PROBER].look(hub.tenant_id)
    await hub.app[PROBER].idle()
    quirks = {r.name: r.quirks for r in await hub.sql("select name, quirks from ocpi_partners")}
    await cpo.put("locations/NL/ONE/L1", location(version="2.2.1"))
    await hub.deliver()

    assert quirks == {cpo.name: {"slash": "add"}, emsp.name: {"slash": "add"}}
    [push] = [request for request in emsp.received if request.module == "locations"]
    assert push.url.endswith("/receiver/locations/NL/ONE/L1/")


async def test_lists_that_redirect_to_a_slash_are_asked_for_with_it(hub, cpo):
    async def redirect(request, proceed):
        if request.path.endswith("/"):
            return await proceed()
        path, _, query = request.raw_path.partition("?")
        target = f"{path}/?{query}" if query else f"{path}/"
        return web.Response(status=308, headers={"Location": target})

    cpo.fail(redirect, on="sender/(locations|tariffs|sessions|cdrs)")

    row = await probe(hub)
    cpo.requests.clear()
    await hub.pull()

    assert row.quirks == {"slash": "add"}
    paths = [r.url.partition("?")[0] for r in cpo.requests if r.interface == "SENDER"]
    assert all(path.endswith("/") for path in paths)
    assert len(await ids(hub, "tariffs")) == 4


async def test_dates_are_written_as_the_partner_reads_them(hub, cpo):
    async def milliseconds_only(request, proceed):
        date_from = request.query.get("date_from")
        if date_from and not re.search(r"\.\d{3}Z$", date_from):
            return envelope(status_code=2001, message="date_from: unknown format")
        return await proceed()

    cpo.fail(milliseconds_only, on="sender")

    row = await probe(hub)
    await hub.pull()

    assert row.quirks["date_form"] == "milliseconds"
    assert re.search(r"\.\d{3}Z$", lists(cpo, "sessions")[-1].query["date_from"])
    states = await hub.sql("select failures from sync_states where module = 'sessions'")
    assert states[0].failures == 0


@pytest.mark.parametrize(("largest", "quirk"), [(20, 20), (0, 0)])
async def test_pages_are_asked_for_as_large_as_the_partner_grants(hub, cpo, largest, quirk):
    cpo.page_limit = largest or 50

    async def refuse_larger(request, proceed):
        if int(request.query.get("limit", 0)) > largest:
            return envelope(status_code=2001, message=f"limit must not exceed {largest}")
        return await proceed()

    cpo.fail(refuse_larger, on="sender")

    row = await probe(hub)
    cpo.requests.clear()
    await hub.pull()

    assert row.quirks == {"page_limit": quirk}
    assert {request.query.get("limit") for request in lists(cpo)} == {str(quirk) if quirk else None}


async def test_routing_headers_are_left_out_where_they_are_not_understood(hub, cpo):
    async def unknown_party(request, proceed):
        if "OCPI-from-party-id" in request.headers:
            return envelope(status_code=2001, message="unknown party", http_status=403)
        return await proceed()

    cpo.fail(unknown_party, on="sender")

    row = await probe(hub)
    await hub.pull()

    assert row.quirks["routing"] == "omit"
    assert len(await ids(hub, "tariffs")) == 4


async def test_a_platform_that_lists_all_its_parties_at_once_is_asked_once(hub, partners):
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO", "NL*TEN CPO"))
    cpo.own["tariffs"] = [
        tariff(version="2.2.1", id=f"T{n}", party_id=party)
        for n, party in enumerate(("ONE", "TEN", "TEN"))
    ]
    await hub.connect(cpo)
    await hub.pull()
    before = len(lists(cpo, "tariffs"))

    row = await probe(hub)
    cpo.requests.clear()
    await hub.sql("update sync_states set wanted_full = true where module = 'tariffs'")
    await hub.pull()

    assert before == 2
    assert row.quirks == {"lists": "all_at_once"}
    assert len(lists(cpo, "tariffs")) == 1
    assert len(await ids(hub, "tariffs")) == 3


async def test_the_operator_knows_better(hub, cpo):
    await hub.sql("""update ocpi_partners set quirks = '{"page_limit": 20, "slash": "add"}'""")
    await hub.configure(cpo.name, quirks={"page_limit": 7, "slash": "as_listed"})

    await hub.pull()

    asked = lists(cpo, "tariffs")[0]
    assert asked.query["limit"] == "7"
    assert not asked.url.partition("?")[0].endswith("/")


async def test_a_probe_that_fails_forgets_nothing(hub, cpo):
    await hub.sql("""update ocpi_partners set quirks = '{"page_limit": 20}', probed_at = null""")
    cpo.fail(http(503), on="versions")

    row = await probe(hub)

    assert row.quirks == {"page_limit": 20}
    assert row.profile["error"]


async def test_a_probe_calls_nobody_but_the_partner_T_32(hub, cpo, emsp):
    """Links and version details that lead to somebody else are not followed there."""
    emsp.requests.clear()

    async def elsewhere(request, proceed):
        answer = await proceed()
        answer.headers["Link"] = f'<{emsp.base_url}/2.2.1/sender/tokens>; rel="next"'
        return answer

    cpo.fail(elsewhere, on="sender")
    await hub.sql("update ocpi_partners set probed_at = now() where name <> :name", name=cpo.name)

    rows = await probe_one(hub, cpo)

    assert emsp.requests == []
    assert rows.profile["findings"] is not None


async def probe_one(hub, partner):
    await hub.app[PROBER].look(hub.tenant_id)
    await hub.app[PROBER].idle()
    [row] = await hub.sql("select * from ocpi_partners where name = :name", name=partner.name)
    return row


async def test_deviations_are_reported_with_the_rule_they_break(hub, cpo):
    async def bare(request, proceed):
        answer = await proceed()
        for header in ("X-Total-Count", "X-Limit"):
            answer.headers.pop(header, None)
        return answer

    cpo.fail(bare, on="sender")
    cpo.own["tariffs"][0]["currency"] = "EURO"

    row = await probe(hub)

    told = {" ".join(one["requirements"]) for one in row.profile["findings"]}
    assert "TRANSPORT-58" in told
    bad = [
        one for one in row.profile["findings"] if "EURO" in one["got"] or "currency" in one["got"]
    ]
    assert bad


async def test_no_token_is_in_the_report(hub, cpo):
    row = await probe(hub)

    for token in cpo.tokens.accepted:
        assert token not in str(row.profile)
    assert cpo.tokens.to_hub not in str(row.profile)


async def test_one_process_of_two_probes(hub, cpo):
    app = hub.app
    second = Prober(app[DATABASE], app[OUTBOUND], app[KEYRING], app[DIRECTORY])
    go = asyncio.Event()
    cpo.fail(hold(go), on="versions")

    await app[PROBER].look(hub.tenant_id)
    await second.look(hub.tenant_id)
    go.set()
    await app[PROBER].idle()
    await second.idle()

    assert len([r for r in cpo.requests if r.path == "versions"]) == 1


async def test_locations_are_cut_for_who_follows_an_older_edition_AMB_28(hub, cpo, emsp):
    long = location(version="2.2.1", address="A" * 60, state="S" * 30)
    await hub.configure(emsp.name, quirks={"short_addresses": True})

    await cpo.put("locations/NL/ONE/L1", long)
    await hub.deliver()
    listed = await emsp.get("locations")
    one = await emsp.get("locations/L1")

    [push] = [request for request in emsp.received if request.module == "locations"]
    for body in (push.body, listed.data[0], one.data):
        assert (body["address"], body["state"]) == ("A" * 45, "S" * 20)
    kept = await hub.sql("select address from ocpi_locations")
    assert kept[0].address == "A" * 60
