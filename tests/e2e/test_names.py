"""What platforms that speak 2.1.1 call things: nothing collides, and every name leads back."""

import pytest

from tests.helpers import documents_2_1_1 as old
from tests.helpers.documents import (
    cdr,
    connector,
    evse,
    location,
    session,
    tariff,
    token,
)
from tests.helpers.partner import FakePartner

OLD, V = "2.1.1", "2.2.1"
SIX = {"party_id": "SIX"}
DATE_FROM = {"date_from": "2025-01-01T00:00:00Z"}
LONG = "a-location-whose-id-has-39-characters-1"


@pytest.fixture
async def emsp(hub, partners) -> FakePartner:
    """DE*TWO, an eMSP that speaks 2.1.1."""
    partner = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=(OLD,)))
    await hub.connect(partner)
    return partner


@pytest.fixture
async def six(hub, partners) -> FakePartner:
    """NL*SIX, a CPO that speaks 2.2.1."""
    partner = await partners.enter_async_context(FakePartner("NL*SIX CPO"))
    await hub.connect(partner)
    return partner


@pytest.fixture
async def old_cpo(hub, partners) -> FakePartner:
    """NL*OLD, a CPO that speaks 2.1.1."""
    partner = await partners.enter_async_context(FakePartner("NL*OLD CPO", versions=(OLD,)))
    await hub.connect(partner)
    return partner


def of_six(document):
    return document | SIX


@pytest.fixture
async def two_of_each(hub, cpo, six, emsp):
    """NL*ONE and NL*SIX have a tariff T1, a location L1, a session S1 and a CDR C1 each."""
    assert (await emsp.put("tokens/DE/TWO/04AB12CD34EF80", old.token())).ok
    for partner, own in ((cpo, dict), (six, of_six)):
        party = partner.roles[0][1]
        sent = [
            await partner.put(f"tariffs/NL/{party}/T1", own(tariff(version=V))),
            await partner.put(f"locations/NL/{party}/L1", own(location(version=V, name=party))),
            await partner.put(f"sessions/NL/{party}/S1", own(session(version=V))),
            await partner.post("cdrs", own(cdr(version=V))),
        ]
        assert [answer.status_code for answer in sent] == [1000] * 4
        await hub.deliver()


async def test_BRIDGE_05_two_owners_of_one_id_do_not_collide(emsp, two_of_each):
    """Who is told of first keeps its id; the other gets one that says whose it is."""
    paths = {push.path for push in emsp.received if push.module != "cdrs"}
    assert paths == {
        "tariffs/NL/ONE/T1",
        "locations/NL/ONE/L1",
        "sessions/NL/ONE/S1",
        "tariffs/NL/SIX/NL*SIX*T1",
        "locations/NL/SIX/NL*SIX*L1",
        "sessions/NL/SIX/NL*SIX*S1",
    }
    bodies = {push.path: push.body for push in emsp.received}
    assert bodies["locations/NL/SIX/NL*SIX*L1"]["id"] == "NL*SIX*L1"
    place = bodies["locations/NL/SIX/NL*SIX*L1"]["evses"][0]["connectors"][0]
    assert place["tariff_id"] == "NL*SIX*T1"
    charged = bodies["sessions/NL/SIX/NL*SIX*S1"]
    assert (charged["id"], charged["location"]["id"]) == ("NL*SIX*S1", "NL*SIX*L1")
    first, second = (push.body for push in emsp.received if push.module == "cdrs")
    assert (first["id"], second["id"]) == ("C1", "NL*SIX*C1")
    assert second["location"]["id"] == "NL*SIX*L1"
    assert [one["id"] for one in second["tariffs"]] == ["NL*SIX*T1"]


async def test_BRIDGE_05_lists_and_pushes_use_the_same_names(emsp, two_of_each):
    for module, names in {
        "tariffs": ["T1", "NL*SIX*T1"],
        "locations": ["L1", "NL*SIX*L1"],
        "sessions": ["S1", "NL*SIX*S1"],
        "cdrs": ["C1", "NL*SIX*C1"],
    }.items():
        listed = (await emsp.get(module, params=DATE_FROM)).data
        assert [one["id"] for one in listed] == names


async def test_BRIDGE_05_a_name_leads_back_to_its_object(emsp, two_of_each):
    theirs = (await emsp.get("locations/NL*SIX*L1")).data
    ours = (await emsp.get("locations/L1")).data
    part = (await emsp.get("locations/nl*six*l1/E1/1")).data

    assert (theirs["name"], ours["name"]) == ("SIX", "ONE")
    assert theirs["id"] == "NL*SIX*L1"
    assert part["tariff_id"] == "NL*SIX*T1"
    nothing = await emsp.get("locations/NL*SIX*L9")
    assert (nothing.http_status, nothing.status_code) == (404, 2003)


@pytest.mark.parametrize(
    ("command", "body", "sent"),
    [
        ("START_SESSION", {"location_id": "NL*SIX*L1"}, {"location_id": "L1"}),
        ("STOP_SESSION", {"session_id": "NL*SIX*S1"}, {"session_id": "S1"}),
        (
            "UNLOCK_CONNECTOR",
            {"location_id": "NL*SIX*L1", "evse_uid": "E1", "connector_id": "1"},
            {"location_id": "L1", "evse_uid": "E1", "connector_id": "1"},
        ),
    ],
)
@pytest.mark.usefixtures("two_of_each")
async def test_HUB_35_a_command_goes_to_whom_its_name_means(request, emsp, command, body, sent):
    """AMB-18: by its id alone the location would be two."""
    cpo, six = request.getfixturevalue("cpo"), request.getfixturevalue("six")
    body = body | {"response_url": emsp.response_url(command)}
    if command == "START_SESSION":
        body |= {"token": old.token()}

    answer = await emsp.post(f"commands/{command}", body)

    assert (answer.status_code, answer.data) == (1000, {"result": "ACCEPTED"})
    assert cpo.commands == []
    [asked] = six.commands
    assert sent.items() <= asked.body.items()


async def test_BRIDGE_05_names_stay_whoever_comes_and_goes(hub, cpo, six, emsp, two_of_each):
    """A restart asks the database again; the order in which things are told matters no more."""
    emsp.received.clear()
    later = {"last_updated": "2025-07-01T00:00:00Z", "currency": "CHF"}
    await six.put("tariffs/NL/SIX/T1", of_six(tariff(version=V, **later)))
    await hub.deliver()
    await hub.stop()
    await hub.start()
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V, **later))
    await hub.deliver()
    await cpo.delete("tariffs/NL/ONE/T1")
    await six.delete("tariffs/NL/SIX/T1")
    await hub.deliver()

    assert [(push.method, push.path) for push in emsp.received] == [
        ("PUT", "tariffs/NL/SIX/NL*SIX*T1"),
        ("PUT", "tariffs/NL/ONE/T1"),
        ("DELETE", "tariffs/NL/ONE/T1"),
        ("DELETE", "tariffs/NL/SIX/NL*SIX*T1"),
    ]


async def test_BRIDGE_05_an_alias_that_would_be_too_long_is_made_short(hub, cpo, six, emsp):
    """A UUID fits by itself, but not with its owner in front of it."""
    uuid = "0b9f8a52-5f0e-4d6c-9d3a-1f2e3d4c5b6a"
    await cpo.put(f"tariffs/NL/ONE/{uuid}", tariff(version=V, id=uuid))
    await hub.deliver()
    await six.put(f"tariffs/NL/SIX/{uuid}", of_six(tariff(version=V, id=uuid)))
    await hub.deliver()

    first, second = (push.body["id"] for push in emsp.received)
    assert first == uuid
    assert second.startswith("NL*SIX*0b9f8a52")
    assert len(second) == 36


async def test_BRIDGE_05_two_contracts_of_one_id_are_told_apart(hub, partners, old_cpo):
    """2.1.1 names the contract of a session, and nothing else says whose driver it was."""
    emsps = {}
    for party, uid in (("TWO", "01"), ("SIX", "02")):
        emsp = await partners.enter_async_context(FakePartner(f"DE*{party} EMSP"))
        await hub.connect(emsp)
        driver = token(party_id=party, uid=uid, contract_id="C-77")
        assert (await emsp.put(f"tokens/DE/{party}/{uid}", driver)).ok
        await hub.deliver()
        emsps[party] = emsp
    names = [push.body["auth_id"] for push in old_cpo.received]
    assert names == ["C-77", "DE*SIX*C-77"]
    await old_cpo.put("locations/NL/OLD/L1", old.location())

    for number, name in enumerate(names):
        sent = old.session(id=f"S{number}", auth_id=name)
        answer = await old_cpo.put(f"sessions/NL/OLD/S{number}", sent)
        assert answer.status_code == 1000, answer.text
    await hub.deliver()

    for number, (party, uid) in enumerate((("TWO", "01"), ("SIX", "02"))):
        [push] = [push for push in emsps[party].received if push.module == "sessions"]
        assert push.path == f"sessions/NL/OLD/S{number}"
        assert push.body["cdr_token"]["contract_id"] == "C-77"
        assert push.body["cdr_token"]["uid"] == uid
    own = (await old_cpo.get("sessions/NL/OLD/S1", side="RECEIVER")).data
    assert own["auth_id"] == "DE*SIX*C-77"


async def test_BRIDGE_06_an_id_of_39_characters_is_shortened_and_its_owner_keeps_it(
    hub, partners, old_cpo, emsp
):
    newer = await partners.enter_async_context(FakePartner("FR*NEW EMSP", versions=("2.3.0",)))
    await hub.connect(newer)
    long = LONG.replace("location", "evse-uid")
    sent = old.location(id=LONG, evses=[old.evse(uid=long)])
    assert (await old_cpo.put(f"locations/NL/OLD/{LONG}", sent)).ok
    await hub.deliver()

    [push] = newer.received
    short = push.body["id"]
    assert len(short) == len(push.body["evses"][0]["uid"]) == 36
    assert push.path == f"locations/NL/OLD/{short}"
    [push] = emsp.received
    assert (push.path, push.body["id"]) == (f"locations/NL/OLD/{LONG}", LONG)
    own = (await old_cpo.get(f"locations/NL/OLD/{LONG}/{long}", side="RECEIVER")).data
    assert own["uid"] == long

    status = {"status": "CHARGING"}
    assert (await old_cpo.patch(f"locations/NL/OLD/{LONG}/{long}", status)).ok
    start = {
        "response_url": newer.response_url("START_SESSION"),
        "token": token(country_code="FR", party_id="NEW"),
        "location_id": short,
        "evse_uid": push.body["evses"][0]["uid"],
    }
    old_cpo.command_response = {"result": "ACCEPTED"}
    assert (await newer.post("commands/START_SESSION", start)).data["result"] == "ACCEPTED"
    [asked] = old_cpo.commands
    assert (asked.body["location_id"], asked.body["evse_uid"]) == (LONG, long)


async def test_BRIDGE_06_ids_that_differ_by_case_alone_are_two_objects(hub, partners, old_cpo):
    newer = await partners.enter_async_context(FakePartner("FR*NEW EMSP", versions=("2.3.0",)))
    await hub.connect(newer)
    for id_, text in (("t1", "small"), ("T1", "large")):
        alt = [{"language": "en", "text": text}]
        answer = await old_cpo.put(f"tariffs/NL/OLD/{id_}", old.tariff(id=id_, tariff_alt_text=alt))
        assert (answer.http_status, answer.status_code) == (201, 1000)
    await hub.deliver()

    texts = {push.body["id"]: push.body["tariff_alt_text"][0]["text"] for push in newer.received}
    assert sorted(texts.values()) == ["large", "small"]
    assert texts["t1"] == "small"
    for id_, text in (("t1", "small"), ("T1", "large")):
        own = (await old_cpo.get(f"tariffs/NL/OLD/{id_}", side="RECEIVER")).data
        assert (own["id"], own["tariff_alt_text"][0]["text"]) == (id_, text)
    assert (await old_cpo.delete("tariffs/NL/OLD/T1")).ok
    await hub.deliver()
    [gone] = [push for push in newer.received if push.method == "DELETE"]
    assert texts[gone.path.rpartition("/")[2]] == "large"


async def test_BRIDGE_reservations_are_numbered_for_2_1_1(hub, partners, old_cpo):
    """Two eMSPs may have the same reservation_id: their numbers differ."""
    await old_cpo.put("locations/NL/OLD/L1", old.location())
    old_cpo.command_response = {"result": "ACCEPTED"}
    for party in ("TWO", "SIX"):
        emsp = await partners.enter_async_context(FakePartner(f"DE*{party} EMSP"))
        await hub.connect(emsp)
        for reservation_id in ("17", "R-17"):
            reserve = {
                "response_url": emsp.response_url("RESERVE_NOW"),
                "token": token(party_id=party),
                "expiry_date": "2030-06-02T08:00:00Z",
                "reservation_id": reservation_id,
                "location_id": "L1",
            }
            answer = await emsp.post("commands/RESERVE_NOW", reserve)
            assert answer.data["result"] == "ACCEPTED", answer.text

    numbers = [asked.body["reservation_id"] for asked in old_cpo.commands]
    assert numbers[0] == 17
    assert len(set(numbers)) == 4
    assert all(isinstance(number, int) and 0 <= number < 2**31 for number in numbers)


async def test_BRIDGE_a_connector_that_must_be_named_is_named(hub, cpo, emsp):
    """2.1.1 cannot name it; where there is only one, that is meant."""
    needs = ["REMOTE_START_STOP_CAPABLE", "START_SESSION_CONNECTOR_REQUIRED"]
    only = evse(version=V, capabilities=needs, connectors=[connector(version=V, id="7")])
    await cpo.put("locations/NL/ONE/L1", location(version=V, evses=[only]))
    await hub.deliver()
    start = {
        "response_url": emsp.response_url("START_SESSION"),
        "token": old.token(),
        "location_id": "L1",
        "evse_uid": "E1",
    }

    assert (await emsp.post("commands/START_SESSION", start)).data == {"result": "ACCEPTED"}

    [asked] = cpo.commands
    assert asked.body["connector_id"] == "7"
