"""A CPO and an eMSP of different versions meet: pushed, listed and read, each in its own words."""

import pytest

from tests.helpers.documents import cdr, connector, evse, location, session, tariff, token
from tests.helpers.partner import FakePartner

OLD, NEW = "2.2.1", "2.3.0"


@pytest.fixture
async def pair(hub, partners, request):
    """A CPO of one version and an eMSP of the other."""
    theirs, ours = request.param
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO", versions=(theirs,)))
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=(ours,)))
    await hub.connect(cpo)
    await hub.connect(emsp)
    return cpo, emsp


@pytest.mark.parametrize("pair", [(OLD, NEW), (NEW, OLD), (NEW, NEW)], indirect=True, ids=str)
async def test_every_object_arrives_in_the_receivers_version(hub, pair):
    cpo, emsp = pair
    v = cpo.version
    sent = {
        "tariffs/NL/ONE/T1": tariff(version=v),
        "locations/NL/ONE/L1": location(version=v),
        "sessions/NL/ONE/S1": session(version=v),
    }
    for path, document in sent.items():
        answer = await cpo.put(path, document)
        assert (answer.http_status, answer.status_code) == (201, 1000), answer.text
    await cpo.post("cdrs", cdr(version=v))
    await hub.deliver()

    expected = {
        "tariffs/NL/ONE/T1": tariff(version=emsp.version),
        "locations/NL/ONE/L1": location(version=emsp.version),
        "sessions/NL/ONE/S1": session(version=emsp.version),
        "cdrs": cdr(version=emsp.version),
    }
    for push in emsp.received:
        assert without_news(push.body, v) == without_news(expected.pop(push.path), v), push.path
    assert expected == {}


def without_news(document, version):
    """What 2.3.0 has and a 2.2.1 sender could not say is not there to compare."""
    if version == NEW or not isinstance(document, dict | list):
        return document
    if isinstance(document, list):
        return [without_news(item, version) for item in document]
    news = {"parking_places", "help_phone", "parking", "accepted_service_providers"}
    plugs = {"standard", "power_type"} <= document.keys()
    return {
        name: without_news(value, version)
        for name, value in document.items()
        if name not in news and not (plugs and name == "capabilities")
    }


@pytest.mark.parametrize("pair", [(OLD, NEW), (NEW, OLD)], indirect=True, ids=str)
async def test_lists_and_single_objects_read_in_the_readers_version(pair):
    cpo, emsp = pair
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=cpo.version))
    await cpo.put("locations/NL/ONE/L1", location(version=cpo.version))

    [listed] = (await emsp.get("tariffs")).data
    [place] = (await emsp.get("locations")).data
    one = (await emsp.get("locations/L1/E1")).data

    assert listed == tariff(version=emsp.version)
    assert ("parking_places" in place) is (cpo.version == emsp.version == NEW)
    assert one["uid"] == "E1"
    assert (await cpo.get("tariffs/NL/ONE/T1", side="RECEIVER")).data == tariff(version=cpo.version)


@pytest.mark.parametrize("pair", [(OLD, NEW), (NEW, OLD)], indirect=True, ids=str)
async def test_authorization_crosses_versions_both_ways(pair):
    cpo, emsp = pair
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token())
    emsp.own["tokens"] = [token()]

    answer = await cpo.post(f"tokens/{token()['uid']}/authorize", {"location_id": "L1"})

    assert answer.data["allowed"] == "ALLOWED"
    assert answer.data["token"] == token()


@pytest.mark.parametrize("pair", [(NEW, OLD)], indirect=True, ids=str)
async def test_what_the_older_version_cannot_say_is_left_out_or_set_aside(hub, pair):
    """BRIDGE-02, BRIDGE-04: nothing silently wrong."""
    cpo, emsp = pair
    truck = connector(standard="MCS", power_type="DC")
    await cpo.put(
        "locations/NL/ONE/L1",
        location(evses=[evse(uid="CAR"), evse(uid="TRUCK", connectors=[truck])]),
    )
    gross = tariff(tax_included="YES", id="GROSS")
    del gross["elements"][0]["price_components"][0]["vat"]
    await cpo.put("tariffs/NL/ONE/GROSS", gross)
    await hub.deliver()

    [push] = [push for push in emsp.received if push.module == "locations"]
    assert [part["uid"] for part in push.body["evses"]] == ["CAR"]
    assert [push for push in emsp.received if push.module == "tariffs"] == []
    assert (await emsp.get("tariffs")).data == []
    kept = (await cpo.get("tariffs/NL/ONE/GROSS", side="RECEIVER")).data
    assert kept == gross
