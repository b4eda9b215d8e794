"""What is lost between versions is on record, with the reason, and operators see it (BRIDGE-02)."""

import pytest

from tests.helpers import documents_2_1_1 as old
from tests.helpers.documents import connector, evse, location, tariff, token
from tests.helpers.partner import FakePartner

NEW, OLD = "2.3.0", "2.1.1"
TEXT = "Am Eisernen Steg und noch viel weiter hinten 12"


@pytest.fixture
async def new_cpo(hub, stack) -> FakePartner:
    partner = await stack.enter_async_context(FakePartner("NL*ONE CPO", versions=(NEW,)))
    await hub.connect(partner)
    return partner


@pytest.fixture
async def old_emsp(hub, stack) -> FakePartner:
    partner = await stack.enter_async_context(FakePartner("DE*TWO EMSP", versions=(OLD,)))
    await hub.connect(partner)
    return partner


def parts_of(shown, version=OLD, direction="WRITTEN"):
    return {
        part["path"]: part["reason"]
        for loss in shown["losses"]
        if (loss["ocpi_version"], loss["direction"]) == (version, direction)
        for part in loss["losses"]
    }


async def test_BRIDGE_02_what_a_push_left_out_is_shown_with_the_object(
    hub, operator, new_cpo, old_emsp
):
    await new_cpo.put("locations/NL/ONE/L1", location(address=TEXT))
    await hub.deliver()

    shown = (await operator.get("/objects/locations/NL/ONE/L1")).body

    parts = parts_of(shown)
    assert parts["help_phone"] == "unknown in this version"
    assert parts["address"] == "cut to 45 characters"
    assert "evses/0/parking" in parts
    assert parts_of(shown, "2.2.1") == {}, "nobody speaks it here"
    [delivery] = shown["deliveries"]
    assert (delivery["ocpi_version"], delivery["state"]) == (OLD, "DELIVERED")


async def test_BRIDGE_02_an_object_that_loses_nothing_any_more_says_so(
    hub, operator, stack, new_cpo
):
    newer = await stack.enter_async_context(FakePartner("DE*TWO EMSP", versions=("2.2.1",)))
    await hub.connect(newer)
    lossy = tariff(preauthorize_amount=10)
    await new_cpo.put("tariffs/NL/ONE/T1", lossy)
    await hub.deliver()
    before = (await operator.get("/losses", module="tariffs")).body["items"]

    del lossy["preauthorize_amount"]
    await new_cpo.put("tariffs/NL/ONE/T1", lossy | {"last_updated": "2025-06-02T00:00:00Z"})
    await hub.deliver()
    between = (await operator.get("/losses", module="tariffs")).body["items"]
    lossy |= {"preauthorize_amount": 10, "last_updated": "2025-06-03T00:00:00Z"}
    await new_cpo.put("tariffs/NL/ONE/T1", lossy)
    await hub.deliver()
    after = (await operator.get("/losses", module="tariffs")).body["items"]

    assert [loss["object_ref"] for loss in before] == ["NL/ONE/T1"]
    assert between == []
    assert [loss["losses"] for loss in after] == [loss["losses"] for loss in before]


async def test_BRIDGE_02_a_tariff_whose_price_would_change_is_set_aside(
    hub, operator, new_cpo, old_emsp
):
    """The whole object has the reason, for the version and for the partner."""
    by_current = {
        "price_components": [{"type": "ENERGY", "price": 1, "step_size": 1}],
        "restrictions": {"max_current": 32},
    }
    plain = {"price_components": [{"type": "ENERGY", "price": 2, "step_size": 1}]}
    await new_cpo.put("tariffs/NL/ONE/T1", tariff(elements=[by_current, plain]))
    await hub.deliver()

    [setback] = (await operator.get("/setbacks")).body["items"]
    shown = (await operator.get("/objects/tariffs/NL/ONE/T1")).body
    listed = (await old_emsp.get("tariffs")).data

    assert [push for push in old_emsp.received if push.module == "tariffs"] == []
    assert "depend on the current" in setback["reason"]
    assert parts_of(shown) == {
        "": "prices that depend on the current are unknown in this version",
    }
    assert shown["deliveries"][0]["state"] == "REFUSED"
    assert listed == []


async def test_BRIDGE_02_what_a_list_left_out_is_on_record_too(operator, new_cpo, old_emsp):
    """Nothing was pushed yet: the partner has asked by itself."""
    old_emsp.away = True
    mcs = evse(connectors=[connector(standard="MCS")])
    await new_cpo.put("locations/NL/ONE/L1", location(evses=[mcs]))
    await new_cpo.put("locations/NL/ONE/L2", location(id="L2", address=TEXT))

    [listed] = (await old_emsp.get("locations")).data

    assert listed["id"] == "L2"
    found = (await operator.get("/losses", module="locations", version=OLD)).body["items"]
    told = {loss["object_ref"]: loss["losses"] for loss in found}
    assert told["NL/ONE/L1"] == [{"path": "", "reason": "nothing is left of evses"}]
    assert {"path": "address", "reason": "cut to 45 characters"} in told["NL/ONE/L2"]
    assert (await operator.get("/losses", party="NL*XXX")).body["items"] == []


async def test_BRIDGE_02_what_an_older_version_says_more_is_on_record_when_it_comes(
    hub, operator, stack
):
    """A flat fee as a dimension, a kind of place that has no word later."""
    cpo = await stack.enter_async_context(FakePartner("NL*ONE CPO", versions=(OLD,)))
    await hub.connect(cpo)

    assert (await cpo.put("locations/NL/ONE/L1", old.location(type="OTHER"))).ok

    shown = (await operator.get("/objects/locations/NL/ONE/L1")).body
    assert parts_of(shown, OLD, "READ") == {"type": "parking_type has no such value"}
    [loss] = (await operator.get("/losses", direction="READ")).body["items"]
    assert loss["object_ref"] == "NL/ONE/L1"


async def test_TOK_02_of_two_tokens_with_one_uid_the_second_is_set_aside(hub, operator, stack):
    """2.1.1 does not say whose a token is, and a uid is printed on a card: it has no alias."""
    cpo = await stack.enter_async_context(FakePartner("NL*ONE CPO", versions=(OLD,)))
    await hub.connect(cpo)
    for party in ("TWO", "SIX"):
        emsp = await stack.enter_async_context(FakePartner(f"DE*{party} EMSP", name=party))
        await hub.connect(emsp)
        same = token(party_id=party, contract_id=f"DE-{party}-C1")
        assert (await emsp.put(f"tokens/DE/{party}/{same['uid']}", same)).ok
        await hub.deliver()

    assert [push.path for push in cpo.received] == ["tokens/DE/TWO/04AB12CD34EF80"]
    [setback] = (await operator.get("/setbacks")).body["items"]
    assert "another object has its id" in setback["reason"]
    assert [one["auth_id"] for one in (await cpo.get("tokens")).data] == ["DE-TWO-C1"]
