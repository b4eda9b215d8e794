"""Modules that the hub does not know: passed on untouched where an agreement names them."""

import pytest
from yarl import URL

from hub.keys import DIRECTORY
from hub.models.partners import Agreement
from tests.helpers import faults
from tests.helpers.partner import FakePartner

MODULE = "nltnm-Vouchers"
CPO, EMSP = ("NL", "ONE"), ("DE", "TWO")
# Not as anybody would write it: what comes out must be what went in.
BODY = b'{ "id":"V\\u00e41",\n  "discount": 0.10,"n":1E3 }'


async def meet(hub, partners, *, versions=("2.2.1", "2.2.1")):
    """A CPO, and an eMSP that serves the module; the CPO reads anew what the hub serves."""
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO", versions=versions[:1]))
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=versions[1:]))
    emsp.more_modules |= {(MODULE.lower(), "RECEIVER"), (MODULE.lower(), "SENDER")}
    for partner in (cpo, emsp):
        await hub.connect(partner)
    await hub.agree("NL*ONE", "DE*TWO", module=MODULE)
    await read_anew(hub, cpo)
    return cpo, emsp


async def read_anew(hub, partner):
    partner.endpoints, _ = await partner.discover(hub.versions_url, partner.tokens.to_hub)


@pytest.mark.parametrize(
    ("method", "versions"),
    [
        ("POST", ("2.2.1", "2.2.1")),
        ("PUT", ("2.2.1", "2.3.0")),
        ("PATCH", ("2.3.0", "2.2.1")),
        ("DELETE", ("2.3.0", "2.3.0")),
    ],
)
async def test_the_bytes_go_through_whatever_both_sides_speak_VER_05(
    hub, partners, method, versions
):
    cpo, emsp = await meet(hub, partners, versions=versions)
    emsp.fail(faults.answer({"answer": 0.10}), on="receiver/nltnm")
    url = cpo.endpoints[MODULE, "RECEIVER"] + "/a%2Fb/%C3%A4/?deep=1&at=a%20b"

    answer = await cpo.call(method, url, body=BODY, to=emsp)

    [push] = asked(emsp)
    assert (push.method, push.text) == (method, BODY.decode())
    assert push.url.endswith(f"/receiver/{MODULE.lower()}/a%2Fb/%C3%A4/?deep=1&at=a%20b")
    assert push.query == {"deep": "1", "at": "a b"}
    assert routing(push.headers) == {"from": CPO, "to": EMSP}
    assert answer.data == {"answer": 0.10}
    assert routing(answer.headers) == {"from": EMSP, "to": CPO}


def asked(partner):
    """What came to it, HubClientInfo apart."""
    return [push for push in partner.requests if push.interface and push.module != "hubclientinfo"]


def routing(headers):
    return {
        way: (headers[f"OCPI-{way}-country-code"], headers[f"OCPI-{way}-party-id"])
        for way in ("from", "to")
    }


async def test_what_is_no_json_goes_through_as_well(hub, partners):
    cpo, emsp = await meet(hub, partners)
    emsp.fail(faults.answer(None), on="receiver/nltnm")

    answer = await cpo.post(MODULE, b"<voucher/>", to=emsp)

    assert answer.status_code == 1000
    assert [push.text for push in asked(emsp)] == ["<voucher/>"]


async def test_pages_of_it_lead_through_the_hub_HUB_41(hub, partners):
    cpo, emsp = await meet(hub, partners)
    further = f"{emsp.base_url}/2.2.1/sender/{MODULE.lower()}?offset=2"

    async def first_page(request, proceed):
        link = {} if "offset" in request.query else {"Link": f'<{further}>; rel="next"'}
        return faults.envelope([len(link)], headers=link)

    emsp.fail(first_page, on="sender/nltnm")

    first = await cpo.get(MODULE, to=emsp)
    link = first.headers["Link"].split(">")[0].lstrip("<")
    second = await cpo.get(link)

    assert (first.data, second.data) == ([1], [0])
    assert link.startswith(hub.url)
    await hub.agree("NL*ONE", "DE*TWO", effect="BLOCK")
    await hub.agree(module=MODULE.upper(), effect="BLOCK")
    assert (await cpo.get(link)).data == [0], "the one that names both and the module decides"
    async with hub.database.transaction(hub.tenant_id) as db:
        await db.execute(Agreement.__table__.delete().where(Agreement.effect == "ALLOW"))
    hub.app[DIRECTORY].forget(hub.tenant_id)
    assert (await cpo.get(link)).status_code == 4000


async def test_it_is_listed_for_those_only_whom_an_agreement_names_VER_05(hub, partners):
    cpo, emsp = await meet(hub, partners)
    await read_anew(hub, emsp)

    assert cpo.endpoints[MODULE, "RECEIVER"] == f"{hub.url}/ocpi/2.2.1/receiver/{MODULE}"
    assert (MODULE, "SENDER") in cpo.endpoints
    assert not [name for name, _ in emsp.endpoints if "nltnm" in name.lower()]
    url = cpo.endpoints[MODULE, "RECEIVER"]
    answer = await emsp.call("POST", url, body=BODY, to=cpo)
    assert (answer.http_status, answer.status_code) == (404, 2000)


async def test_an_open_network_is_no_agreement_on_what_nobody_knows(hub, cpo, emsp):
    await hub.agree("NL*ONE", "DE*TWO")
    url = f"{hub.url}/ocpi/2.2.1/receiver/{MODULE}"

    answer = await cpo.call("POST", url, body=BODY, to=emsp)

    assert (answer.http_status, answer.status_code) == (404, 2000)
    assert asked(emsp) == []


async def test_a_heavier_block_holds(hub, partners):
    cpo, _ = await meet(hub, partners)
    other = await partners.enter_async_context(FakePartner("FR*THR EMSP"))
    other.more_modules.add((MODULE, "RECEIVER"))
    await hub.connect(other)
    await hub.agree("NL*ONE", None, module=MODULE)
    other.fail(faults.answer("taken"), on="receiver/nltnm")

    reached = await cpo.post(MODULE, BODY, to=other)
    await hub.agree("NL*ONE", "FR*THR", effect="BLOCK")
    blocked = await cpo.post(MODULE, BODY, to=other)

    assert reached.data == "taken"
    assert blocked.status_code == 4000
    assert "No agreement" in blocked.message


async def test_a_receiver_that_does_not_serve_it_is_4001_HUB_54(hub, partners):
    cpo, _ = await meet(hub, partners)
    without = await partners.enter_async_context(FakePartner("FR*THR EMSP"))
    await hub.connect(without)
    await hub.agree("NL*ONE", "FR*THR", module=MODULE)

    answer = await cpo.post(MODULE, BODY, to=without)

    assert (answer.http_status, answer.status_code) == (200, 4001)


async def test_the_hub_itself_can_do_nothing_with_it(hub, partners):
    cpo, emsp = await meet(hub, partners)

    for method in ("GET", "PUT"):
        for to in (None, "NL*HUB"):
            answer = await cpo.call(method, cpo.endpoints[MODULE, "SENDER"] + "/1", to=to)

            assert (answer.http_status, answer.status_code) == (200, 2001)
    assert asked(emsp) == []


async def test_nothing_else_of_the_receiver_can_be_reached_by_it(hub, partners):
    cpo, emsp = await meet(hub, partners)

    for rest in ("/%2e%2e/%2e%2e/credentials", "/a/%2E%2e/b", "/%2e"):
        url = URL(cpo.endpoints[MODULE, "SENDER"] + rest, encoded=True)
        answer = await cpo.call("DELETE", url, to=emsp)

        assert answer.status_code == 2001
    assert asked(emsp) == []


async def test_no_module_of_ocpi_is_forwarded_unread_by_another_spelling_T_02(hub, cpo, emsp):
    for module in ("Locations", "COMMANDS", "hubClientInfo", "Booking"):
        await hub.agree("NL*ONE", "DE*TWO", module=module)
        url = f"{hub.url}/ocpi/2.2.1/receiver/{module}/BE/OTH/L1"
        answer = await cpo.call("PUT", url, body=b"{}", to=emsp)

        assert (answer.http_status, answer.status_code) == (404, 2000)
    assert asked(emsp) == []


async def test_metrics_have_one_name_for_whatever_callers_make_up(hub, cpo):
    for module in ("one", "two"):
        await cpo.call("GET", f"{hub.url}/ocpi/2.2.1/sender/{module}")

    shown = (await cpo.call("GET", f"{hub.url}/metrics", routed=False)).text
    assert 'module="custom"' in shown
    assert 'module="one"' not in shown
