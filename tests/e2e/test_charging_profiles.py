"""Charging profiles between parties: asked for, set, cleared, and told of (CHP-*)."""

import pytest

from tests.helpers import faults
from tests.helpers.commands import kept, kept_results, let_pass, parties, told
from tests.helpers.documents import location, session
from tests.helpers.partner import FakePartner

V = "2.2.1"
CPO, EMSP = ("NL", "ONE"), ("DE", "TWO")
PROFILE = {
    "charging_rate_unit": "W",
    "charging_profile_period": [{"start_period": 0, "limit": 11000.5}],
}
ACTIVE = {"start_date_time": "2026-01-01T00:00:00Z", "charging_profile": PROFILE}


@pytest.fixture
async def charging(cpo, emsp):
    """S1 is a session of DE*TWO at NL*ONE."""
    await cpo.put("locations/NL/ONE/L1", location(version=V))
    answer = await cpo.put("sessions/NL/ONE/S1", session(version=V))
    assert answer.ok, answer.text
    return cpo


async def ask(emsp, method, **options):
    """A request about the profile of S1; a result comes to a URL of its own."""
    url = emsp.response_url("S1", "chargingprofiles")
    options.setdefault("side", "RECEIVER")
    path = f"chargingprofiles/{options.pop('session_id', 'S1')}"
    match method:
        case "PUT":
            body = {"charging_profile": PROFILE, "response_url": url}
            return await emsp.put(path, body, **options)
        case "GET":
            query = {"duration": "900", "response_url": url} | options.pop("query", {})
            return await emsp.get(path, params=query, **options)
        case "DELETE":
            return await emsp.delete(path, params={"response_url": url}, **options)
    raise AssertionError(method)


@pytest.mark.parametrize("to", [None, "NL*ONE"])
@pytest.mark.parametrize(
    "request_and_result", [("PUT", {}), ("GET", {"profile": ACTIVE}), ("DELETE", {})]
)
async def test_a_request_reaches_the_cpo_and_its_result_the_emsp_CHP_02_CHP_03_TRANSPORT_73(
    hub, charging, emsp, request_and_result, to
):
    method, more = request_and_result
    answer = await ask(emsp, method, to=to)

    assert (answer.http_status, answer.status_code) == (200, 1000)
    assert answer.data == {"result": "ACCEPTED", "timeout": 30}
    assert parties(answer.headers) == {"to": EMSP, "from": CPO}
    [sent] = charging.commands
    assert (sent.method, sent.path) == (method, "chargingprofiles/S1")
    url = sent.query.get("response_url") or sent.body["response_url"]
    assert url.startswith(f"{hub.url}/ocpi/2.2.1/sender/chargingprofiles/results/")
    assert sent.query.get("duration") == ("900" if method == "GET" else None)

    taken = await charging.send_result(sent, more=more)
    assert (taken.status_code, taken.data) == (1000, None)
    await hub.deliver()
    [result] = emsp.results
    assert result.body == {"result": "ACCEPTED"} | more
    assert parties(result.headers) == {"to": EMSP, "from": CPO}
    [row] = await kept(hub)
    assert (row.state, row.subject) == ("FINISHED", "SESSION/S1")


async def test_an_endpoint_keeps_a_query_of_its_own_TRANSPORT_21(hub, emsp, partners):
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    cpo.endpoint_changes = lambda endpoints: [
        one | {"url": f"{one['url']}?tenant=7"} for one in endpoints
    ]
    await hub.connect(cpo)

    for method in ("GET", "PUT", "DELETE"):
        assert (await ask(emsp, method, to="NL*ONE")).status_code == 1000

    assert [sent.query.get("tenant") for sent in cpo.commands] == ["7", "7", "7"]
    assert cpo.commands[0].query["duration"] == "900"


@pytest.mark.parametrize(("asking", "asked"), [("2.2.1", "2.3.0"), ("2.3.0", "2.2.1")])
async def test_profiles_cross_versions(hub, partners, asking, asked):
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO", versions=(asked,)))
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=(asking,)))
    await hub.connect(cpo)
    await hub.connect(emsp)

    assert (await ask(emsp, "PUT", to=cpo)).data["result"] == "ACCEPTED"
    assert (await ask(emsp, "GET", to=cpo)).data["result"] == "ACCEPTED"
    put, get = cpo.commands
    assert put.body["charging_profile"] == PROFILE
    await cpo.send_result(get, more={"profile": ACTIVE})
    await hub.deliver()
    assert [push.body for push in emsp.results] == [{"result": "ACCEPTED", "profile": ACTIVE}]
    told_of = await cpo.put("chargingprofiles/S1", ACTIVE, side="SENDER")
    assert told_of.status_code == 1000
    assert emsp.results[-1].body == ACTIVE


async def test_a_smart_charging_provider_asks_a_cpo_or_an_emsp_CHP_01_CHP_09(
    hub, charging, emsp, partners
):
    """The eMSP it asks has its own ids of sessions, of which the hub knows none."""
    scsp = await partners.enter_async_context(FakePartner("BE*SCS SCSP"))
    await hub.connect(scsp)

    at_cpo = await ask(scsp, "PUT", to=charging)
    at_emsp = await ask(scsp, "PUT", to=emsp, session_id="SESSION-OF-THE-EMSP")

    assert [answer.data["result"] for answer in (at_cpo, at_emsp)] == ["ACCEPTED"] * 2
    assert [sent.path for sent in charging.commands] == ["chargingprofiles/S1"]
    [asked] = emsp.commands
    assert asked.path == "chargingprofiles/SESSION-OF-THE-EMSP"
    await emsp.send_result(asked)
    assert await told(hub, scsp) == ["ACCEPTED"]


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        ({"charging_rate_unit": "A"}, True),
        ({"min_charging_rate": 6.5, "duration": 900}, True),
        ({"charging_profile_period": []}, True),
        ({"charging_rate_unit": "kW"}, False),
        ({"min_charging_rate": "much"}, False),
        ({"charging_profile_period": [{"start_period": 0}]}, False),
    ],
)
async def test_limits_have_a_unit_and_may_have_decimals_CHP_08(charging, emsp, change, taken):
    profile = PROFILE | change
    url = emsp.response_url("S1", "chargingprofiles")
    body = {"charging_profile": profile, "response_url": url}

    answer = await emsp.put("chargingprofiles/S1", body, side="RECEIVER")

    assert answer.status_code == (1000 if taken else 2001), answer.text
    sent = [push.body["charging_profile"] for push in charging.commands]
    assert sent == ([profile] if taken else [])


async def test_an_unknown_session_is_told_in_the_answer_CHP_06(hub, charging, emsp, partners):
    """Somebody else's is unknown, too."""
    other = await partners.enter_async_context(FakePartner("FR*THR EMSP"))
    await hub.connect(other)

    answers = [await ask(emsp, "PUT", session_id="S2")]
    answers += [await ask(other, method) for method in ("PUT", "GET", "DELETE")]

    assert {one.status_code for one in answers} == {1000}
    assert {one.data["result"] for one in answers} == {"UNKNOWN_SESSION"}
    assert charging.commands == []


@pytest.mark.parametrize(
    "query", [{"duration": ""}, {"duration": "soon"}, {"duration": "-1"}, {"response_url": ""}]
)
async def test_what_a_get_must_say_CHP_03(charging, emsp, query):
    answer = await ask(emsp, "GET", query=query)

    assert answer.status_code == 2001
    assert next(iter(query)) in answer.message
    assert charging.commands == []


async def test_a_cpo_without_the_module_does_not_support_it_HUB_54(hub, emsp, partners):
    small = await partners.enter_async_context(FakePartner("NL*SML CPO"))
    small.without_modules.add(("chargingprofiles", "RECEIVER"))
    await hub.connect(small)

    for method in ("PUT", "GET", "DELETE"):
        answer = await ask(emsp, method, to=small)
        assert (answer.status_code, answer.data["result"]) == (1000, "NOT_SUPPORTED")


async def test_too_often_is_relayed_CHP_06(hub, charging, emsp):
    charging.command_response = {"result": "TOO_OFTEN", "timeout": 0}

    answer = await ask(emsp, "PUT")

    assert answer.data["result"] == "TOO_OFTEN"
    assert [row.state for row in await kept(hub)] == ["REFUSED"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_whatever_the_method_it_is_sent_once_F_12(charging, emsp, method):
    """Also where HTTP clients would repeat it, for it means the same twice."""
    charging.fail(faults.vanish(), on=f"{method} .*chargingprofiles")

    answer = await ask(emsp, method)

    assert answer.status_code == 4002
    sent = [push for push in charging.requests if push.module == "chargingprofiles"]
    assert len(sent) == 1


async def test_without_a_result_nothing_is_told_and_a_late_one_is_CMD_04(hub, charging, emsp):
    """There is no word for a time-out, and REJECTED could be a lie."""
    await ask(emsp, "PUT")
    await let_pass(hub, minutes=2)
    await hub.run("expire commands")
    assert await told(hub, emsp) == []
    assert [row.state for row in await kept(hub)] == ["EXPIRED"]

    await charging.send_result(charging.commands[0])

    assert await told(hub, emsp) == ["ACCEPTED"]
    assert [one.late for one in await kept_results(hub)] == [True]


# What a CPO learns later it tells whoever set the profile.


async def test_a_change_is_told_to_whom_set_the_profile_CHP_04_CHP_07_CHP_10_CHP_11(
    hub, charging, emsp
):
    nobody = await charging.put("chargingprofiles/S1", ACTIVE, side="SENDER")
    await ask(emsp, "PUT")
    await charging.send_result(charging.commands[0])

    answer = await charging.put("chargingprofiles/s1", ACTIVE, side="SENDER")

    assert nobody.status_code == 4001
    assert (answer.status_code, answer.data) == (1000, None)
    assert parties(answer.headers) == {"to": CPO, "from": EMSP}
    [told_of] = [push for push in emsp.results if push.method == "PUT"]
    assert (told_of.path, told_of.body) == ("chargingprofiles/s1", ACTIVE)
    assert parties(told_of.headers) == {"to": EMSP, "from": CPO}


async def test_who_failed_to_set_one_is_not_told_CHP_04(hub, charging, emsp):
    await ask(emsp, "PUT")
    await charging.send_result(charging.commands[0], "REJECTED")

    answer = await charging.put("chargingprofiles/S1", ACTIVE, side="SENDER")

    assert answer.status_code == 4001


async def test_who_was_told_that_it_is_set_is_told_of_changes_whatever_comes_later_CHP_10(
    hub, charging, emsp
):
    """A second result that contradicts the first is kept, and changes nothing."""
    await ask(emsp, "PUT")
    await charging.send_result(charging.commands[0])
    await charging.send_result(charging.commands[0], "REJECTED")

    answer = await charging.put("chargingprofiles/S1", ACTIVE, side="SENDER")

    assert answer.status_code == 1000


async def test_a_change_may_be_addressed(hub, charging, emsp):
    answer = await charging.put("chargingprofiles/S1", ACTIVE, side="SENDER", to=emsp)

    assert answer.status_code == 1000
    assert [push.body for push in emsp.results] == [ACTIVE]
