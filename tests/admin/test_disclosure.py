"""What an agreement opens is told to those who may see it now, and to nobody else (HUB-52)."""

import pytest

from tests.helpers.documents import cdr, location, session, tariff, token
from tests.helpers.partner import FakePartner

V = "2.2.1"
TO_TWO = {"from": "NL*ONE", "to": "DE*TWO"}
OPEN = {"settings": {"features": {"default_agreement": "ALLOW"}}}


@pytest.fixture
async def other(hub, stack):
    """FR*SIX, one more eMSP."""
    partner = await stack.enter_async_context(FakePartner("FR*SIX EMSP", name="Six"))
    partner.id = str(await hub.connect(partner))
    return partner


@pytest.fixture
async def closed(hub, cpo, emsp, other):
    """A closed network, in which NL*ONE has a tariff and two locations that nobody was told of."""
    await hub.close_network()
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await cpo.put("locations/NL/ONE/L1", location(version=V))
    await cpo.put("locations/NL/ONE/L2", location(version=V, id="L2"))
    await hub.deliver()
    assert heard(emsp) == heard(other) == []
    return cpo


def heard(partner):
    """What a partner was told of objects, and of whom it was told that they are there."""
    paths = sorted(f"{push.method} {push.path}" for push in partner.received)
    partner.received.clear()
    return paths


def known_to(partner):
    return {push.path for push in partner.client_info}


WHOLE = ["PUT locations/NL/ONE/L1", "PUT locations/NL/ONE/L2", "PUT tariffs/NL/ONE/T1"]


def told(said):
    return {(one["partner"], one["module"]): one["objects"] for one in said.body["told"]}


async def test_an_agreement_tells_the_taker_what_there_is_and_nobody_else(
    hub, operator, closed, emsp, other
):
    for partner in (closed, emsp, other):
        partner.client_info.clear()

    said = await operator.post("/agreements", **TO_TWO, effect="ALLOW")
    await hub.deliver()

    assert told(said) == {
        ("One", "hubclientinfo"): 1,
        ("Two", "hubclientinfo"): 1,
        ("Two", "locations"): 2,
        ("Two", "tariffs"): 1,
    }
    assert heard(emsp) == WHOLE
    assert heard(other) == heard(closed) == []
    assert "hubclientinfo/NL/ONE" in known_to(emsp)
    assert "hubclientinfo/DE/TWO" in known_to(closed)
    assert not other.client_info


async def test_an_agreement_on_a_module_tells_of_that_module(hub, operator, closed, emsp):
    said = await operator.post("/agreements", **TO_TWO, module="tariffs", effect="ALLOW")
    await hub.deliver()

    assert told(said)["Two", "tariffs"] == 1
    assert ("Two", "locations") not in told(said)
    assert heard(emsp) == ["PUT tariffs/NL/ONE/T1"]


async def test_a_block_that_ends_or_becomes_an_allow_tells_as_well(hub, operator, cpo, emsp, other):
    block = (await operator.post("/agreements", **TO_TWO, effect="BLOCK")).body
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await hub.deliver()
    assert (heard(emsp), heard(other)) == ([], ["PUT tariffs/NL/ONE/T1"])

    changed = await operator.patch(f"/agreements/{block['id']}", effect="ALLOW")
    await hub.deliver()
    assert told(changed)["Two", "tariffs"] == 1
    assert heard(emsp) == ["PUT tariffs/NL/ONE/T1"]

    ended = await operator.delete(f"/agreements/{block['id']}")
    again = (await operator.post("/agreements", **TO_TWO, effect="BLOCK")).body
    await hub.deliver()
    assert told(ended) == {}
    assert heard(emsp) == [], "what it has it keeps"

    ended = await operator.delete(f"/agreements/{again['id']}")
    await hub.deliver()
    assert (ended.status, told(ended)["Two", "tariffs"]) == (200, 1)
    assert (heard(emsp), heard(other)) == (["PUT tariffs/NL/ONE/T1"], [])


@pytest.mark.usefixtures("closed")
async def test_a_network_that_is_opened_tells_everybody(hub, make_operator, tenant, emsp, other):
    landlord = await make_operator("tenants.update")

    said = await landlord.patch(f"/tenants/{tenant.id}", **OPEN)
    await hub.deliver()

    assert told(said)["Six", "locations"] == told(said)["Two", "locations"] == 2
    assert heard(emsp) == heard(other) == WHOLE


async def test_an_agreement_that_opens_nothing_tells_nobody(hub, operator, cpo, emsp):
    """Everybody may have everything already."""
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await hub.deliver()
    heard(emsp)
    requests = len(emsp.requests) + len(cpo.requests)

    said = await operator.post("/agreements", effect="ALLOW")
    await hub.deliver()

    assert said.body["told"] == []
    assert len(emsp.requests) + len(cpo.requests) == requests


async def test_nobody_is_told_when_the_operator_says_so(hub, operator, closed, emsp, cpo):
    said = await operator.ask(
        "POST", "/agreements", json={**TO_TWO, "effect": "ALLOW"}, params={"tell": "false"}
    )
    await hub.deliver()
    assert (said.body["told"], heard(emsp)) == ([], [])

    await cpo.put(
        "locations/NL/ONE/L2", location(version=V, id="L2", last_updated="2025-09-01T00:00:00Z")
    )
    await cpo.put(
        "tariffs/NL/ONE/T1",
        tariff(version=V, currency="SEK", last_updated="2025-09-01T00:00:00Z"),
    )
    await hub.deliver()
    assert heard(emsp) == ["PUT tariffs/NL/ONE/T1"], "what changes, it is told"


async def test_who_wants_only_what_is_new_is_left_alone(hub, operator, closed, emsp):
    await hub.configure("Two", delivery="live_only")

    said = await operator.post("/agreements", **TO_TWO, effect="ALLOW")
    await hub.deliver()

    assert {partner for partner, _ in told(said)} == {"One"}
    assert heard(emsp) == []
    assert len((await emsp.get("locations")).data) == 2


async def test_who_is_away_is_told_when_it_is_back(hub, operator, closed, emsp):
    emsp.away = True
    await operator.post("/agreements", **TO_TWO, effect="ALLOW")
    await hub.deliver()

    emsp.away = False
    heard(emsp)
    await hub.retry_now()
    await hub.deliver()

    assert heard(emsp) == WHOLE


async def test_a_hidden_location_is_not_opened_by_an_agreement_LOC_05(
    hub, operator, closed, emsp, stack
):
    """Neither its content, nor that there was one."""
    six = await stack.enter_async_context(FakePartner("NL*SIX CPO"))
    await hub.connect(six)
    await operator.post("/agreements", **{"from": "NL*SIX", "to": "DE*TWO"}, effect="ALLOW")
    await closed.patch(
        "locations/NL/ONE/L1", {"publish": False, "last_updated": "2025-09-01T00:00:00Z"}
    )
    await six.put("locations/NL/SIX/L3", location(version=V, id="L3", party_id="SIX"))
    await hub.deliver()
    assert heard(emsp) == ["PUT locations/NL/SIX/L3"]

    said = await operator.post("/agreements", **TO_TWO, effect="ALLOW")
    await hub.deliver()

    assert told(said)["Two", "locations"] == 1
    assert heard(emsp) == [WHOLE[1], "PUT locations/NL/SIX/L3", WHOLE[2]]


async def test_a_hidden_location_that_lets_in_the_taker_is_opened_to_it_LOC_05(
    hub, operator, cpo, emsp, other
):
    await hub.close_network()
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token(group_id="fleet-7"))
    let_in = [{"group_id": "fleet-7"}]
    await cpo.put(
        "locations/NL/ONE/L1", location(version=V, publish=False, publish_allowed_to=let_in)
    )
    await hub.deliver()

    said = await operator.post("/agreements", **{"from": "NL*ONE"}, effect="ALLOW")
    await hub.deliver()

    assert told(said)["Two", "locations"] == 1
    assert (heard(emsp), heard(other)) == (["PUT locations/NL/ONE/L1"], [])


async def test_tokens_are_told_to_a_cpo_that_may_take_them_now(hub, operator, cpo, emsp):
    await hub.close_network()
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token())
    await hub.deliver()

    said = await operator.post(
        "/agreements", **{"from": "DE*TWO", "to": "NL*ONE"}, module="tokens", effect="ALLOW"
    )
    await hub.deliver()

    assert told(said)["One", "tokens"] == 1
    assert heard(cpo) == [f"PUT tokens/DE/TWO/{token()['uid']}"]


async def test_sessions_are_told_again_and_cdrs_are_not(hub, operator, cpo, emsp):
    """A bill that comes twice may be paid twice; while it is not agreed, none is taken in."""
    await cpo.put("sessions/NL/ONE/S1", session(version=V))
    await cpo.post("cdrs", cdr(version=V))
    await hub.deliver()
    assert heard(emsp) == ["POST cdrs", "PUT sessions/NL/ONE/S1"]

    block = (await operator.post("/agreements", **TO_TWO, effect="BLOCK")).body
    refused = await cpo.post("cdrs", cdr(version=V, id="C2"))
    said = await operator.delete(f"/agreements/{block['id']}")
    await hub.deliver()
    assert refused.status_code == 4000
    assert told(said)["Two", "sessions"] == 1
    assert heard(emsp) == ["PUT sessions/NL/ONE/S1"]

    assert (await cpo.post("cdrs", cdr(version=V, id="C2"))).ok
    await hub.deliver()
    assert heard(emsp) == ["POST cdrs"]


async def test_what_lies_behind_what_is_opened_is_told_again_too_and_nothing_before_it(
    hub, operator, cpo, emsp, stack
):
    six = await stack.enter_async_context(FakePartner("NL*SIX CPO"))
    await hub.connect(six)
    await hub.close_network()
    await operator.post("/agreements", **{"from": "NL*SIX", "to": "DE*TWO"}, effect="ALLOW")
    six_s = {"version": V, "party_id": "SIX"}
    await six.put("tariffs/NL/SIX/T1", tariff(**six_s))
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await six.put("tariffs/NL/SIX/T2", tariff(id="T2", **six_s))
    await hub.deliver()
    assert heard(emsp) == ["PUT tariffs/NL/SIX/T1", "PUT tariffs/NL/SIX/T2"]

    said = await operator.post("/agreements", **TO_TWO, effect="ALLOW")
    await hub.deliver()

    assert told(said)["Two", "tariffs"] == 1
    assert heard(emsp) == ["PUT tariffs/NL/ONE/T1", "PUT tariffs/NL/SIX/T2"]


async def test_a_cdr_that_was_under_way_when_it_was_blocked_waits_and_goes_out_afterwards(
    hub, operator, cpo, emsp
):
    """It was accepted, so it is owed, once."""
    emsp.away = True
    await cpo.post("cdrs", cdr(version=V))
    await hub.deliver()
    block = (await operator.post("/agreements", **TO_TWO, effect="BLOCK")).body
    emsp.away = False
    for _ in range(2):
        await hub.retry_now()
        await hub.deliver()
    assert heard(emsp) == []
    [setback] = (await operator.get("/setbacks")).body["items"]
    assert (setback["object_ref"], setback["module"]) == ("NL/ONE/C1", "cdrs")
    assert setback["reason"] == "No agreement lets NL*ONE send cdrs to DE*TWO."

    said = await operator.delete(f"/agreements/{block['id']}")
    await hub.deliver()

    assert told(said)["Two", "cdrs"] == 1
    assert heard(emsp) == ["POST cdrs"]
    assert (await operator.get("/setbacks")).body["items"] == []
    await hub.retry_now()
    await hub.deliver()
    assert heard(emsp) == []
