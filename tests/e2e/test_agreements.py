"""What is agreed holds whichever way it is asked for: by a push, in a list, by name (HUB-52, T-05).

An agreement is between a giver and a taker. Pushes, commands and lists of the store are tested
where they are; here are requests that name the other party.
"""

import pytest

from tests.helpers.documents import cdr, location, tariff, token
from tests.helpers.partner import FakePartner

V = "2.2.1"
UID = token()["uid"]


@pytest.fixture
async def offering(cpo: FakePartner) -> FakePartner:
    """A CPO with a location and two tariffs of its own, and the same location at the hub."""
    cpo.own["locations"] = [location(version=V)]
    cpo.own["tariffs"] = [tariff(version=V), tariff(version=V, id="T2")]
    await cpo.put("locations/NL/ONE/L1", location(version=V))
    return cpo


@pytest.mark.parametrize("path", ["locations", "locations/L1", "locations/L1/E1"])
async def test_what_is_blocked_cannot_be_had_by_naming_its_owner(hub, offering, emsp, path):
    await hub.agree("NL*ONE", "DE*TWO", "locations", effect="BLOCK")

    named, by_content = await emsp.get(path, to=offering), await emsp.get(path)

    assert (named.http_status, named.status_code) == (200, 4000)
    assert "No agreement" in named.message
    assert not by_content.data
    assert not [request for request in offering.requests if request.path.startswith("locations")]


async def test_a_block_holds_for_the_next_page_too(hub, offering, emsp):
    page = await emsp.get("tariffs", to=offering, params={"limit": 1})
    await hub.agree("NL*ONE", "DE*TWO", "tariffs", effect="BLOCK")

    blocked = await emsp.call("GET", page.headers["Link"].split(">")[0][1:])

    assert (page.status_code, blocked.status_code) == (1000, 4000)


async def test_what_one_party_may_not_have_another_on_its_platform_cannot_list(hub, cpo, partners):
    both = await partners.enter_async_context(FakePartner("DE*TWO EMSP", "DE*TRE EMSP"))
    await hub.connect(both)
    for party in ("TWO", "TRE"):
        sent = cdr(version=V, id=party)
        sent["cdr_token"] |= {"party_id": party}
        assert (await cpo.post("cdrs", sent)).ok

    await hub.agree("NL*ONE", "DE*TRE", "cdrs", effect="BLOCK")

    answer = await both.get("cdrs")
    assert [one["id"] for one in answer.data] == ["TWO"]
    assert answer.headers["X-Total-Count"] == "1"


async def test_one_agreement_opens_pushes_lists_and_requests_by_name(hub, offering, emsp):
    await hub.close_network()
    await hub.agree("NL*ONE", "DE*TWO", "locations")

    asked = await emsp.get("locations", to=offering)
    told = await offering.put("locations/NL/ONE/L1", location(version=V), to=emsp)
    listed = await emsp.get("locations")
    other = await emsp.get("tariffs", to=offering)

    assert [answer.status_code for answer in (asked, told, listed, other)] == [1000] * 3 + [4000]
    assert [len(answer.data) for answer in (asked, listed)] == [1, 1]


async def test_what_a_cpo_reads_of_its_own_is_its_own_to_give(hub, offering, emsp):
    """The copy that the eMSP keeps of the CPO's location."""
    await offering.put("locations/NL/ONE/L1", location(version=V), to=emsp)
    await hub.agree("DE*TWO", "NL*ONE", effect="BLOCK")

    answer = await offering.get("locations/NL/ONE/L1", to=emsp, side="RECEIVER")

    assert (answer.status_code, answer.data["id"]) == (1000, "L1")


async def test_a_token_that_is_not_to_be_had_is_not_authorized_by_naming_its_issuer(hub, cpo, emsp):
    await emsp.put(f"tokens/DE/TWO/{UID}", token())
    await hub.agree("DE*TWO", "NL*ONE", "tokens", effect="BLOCK")

    named = await cpo.post(f"tokens/{UID}/authorize", to=emsp)
    by_content = await cpo.post(f"tokens/{UID}/authorize")

    assert (named.status_code, by_content.status_code) == (4000, 2004)


async def test_in_a_closed_network_an_agreement_on_tokens_is_one_on_authorizing_them(
    hub, cpo, emsp
):
    emsp.own["tokens"] = [token()]
    await emsp.put(f"tokens/DE/TWO/{UID}", token())
    await hub.close_network()
    await hub.agree("DE*TWO", "NL*ONE", "tokens")

    named = await cpo.post(f"tokens/{UID}/authorize", to=emsp)
    by_content = await cpo.post(f"tokens/{UID}/authorize")

    assert [answer.data["allowed"] for answer in (named, by_content)] == ["ALLOWED", "ALLOWED"]
