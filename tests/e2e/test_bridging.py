"""Between 2.1.1 and newer versions: what is said in the other's words, later, or not at all."""

from datetime import UTC, datetime, timedelta

import pytest

from hub.keys import DIRECTORY
from tests.helpers import documents_2_1_1 as old
from tests.helpers.documents import ABSENT, connector, evse, location, session, tariff, token
from tests.helpers.faults import http, slow, vanish
from tests.helpers.handshakes import rows
from tests.helpers.partner import FakePartner

OLD, V = "2.1.1", "2.2.1"
UID = "04AB12CD34EF80"


@pytest.fixture
async def old_cpo(hub, partners) -> FakePartner:
    """NL*ONE, a CPO that speaks 2.1.1."""
    partner = await partners.enter_async_context(FakePartner("NL*ONE CPO", versions=(OLD,)))
    await hub.connect(partner)
    return partner


@pytest.fixture
async def old_emsp(hub, partners) -> FakePartner:
    """DE*TWO, an eMSP that speaks 2.1.1."""
    partner = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=(OLD,)))
    await hub.connect(partner)
    return partner


def moment(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


# What is said later.


async def test_SES_18_a_session_waits_for_its_location(hub, cpo, old_emsp):
    await old_emsp.put(f"tokens/DE/TWO/{UID}", old.token())
    await cpo.put("sessions/NL/ONE/S1", session(version=V))
    await hub.deliver()
    assert [push for push in old_emsp.received if push.module == "sessions"] == []

    await cpo.put("locations/NL/ONE/L1", location(version=V))
    await hub.retry_now()
    await hub.deliver()

    [push] = [push for push in old_emsp.received if push.module == "sessions"]
    assert push.body["location"]["id"] == "L1"
    assert await rows(hub, "select 1 from setbacks where settled_at is null") == []


async def test_TAR_05_when_another_tariff_comes_into_force_the_connector_changes(
    hub, cpo, old_emsp
):
    """2.1.1 has one tariff for a connector and no time in which it holds."""
    soon, then = moment(hours=-1), moment(hours=1)
    now, next_ = tariff(version=V, end_date_time=soon), tariff(version=V, id="T2")
    await cpo.put("tariffs/NL/ONE/T1", now)
    await cpo.put("tariffs/NL/ONE/T2", next_ | {"start_date_time": soon})
    both = evse(version=V, connectors=[connector(version=V, tariff_ids=["T1", "T2"])])
    await cpo.put("locations/NL/ONE/L1", location(version=V, evses=[both]))
    await hub.deliver()
    told = {push.path: push.body for push in old_emsp.received}
    assert told["locations/NL/ONE/L1"]["evses"][0]["connectors"][0]["tariff_id"] == "T1"
    assert "tariffs/NL/ONE/T2" not in told
    old_emsp.received.clear()

    # An hour later, as the database sees it.
    for column in ("valid_from", "valid_to"):
        await run(hub, f"update tariffs set {column} = {column} - interval '2 hours'")
    member = "replace(document::text, :soon, :then)::json"
    await run(hub, f"update tariffs set document = {member}", soon=soon, then=then)
    past = "updated_at = now() - interval '3 hours'"
    await run(hub, f"update tariffs set {past}")
    await hub.run("turn tariffs")
    await hub.deliver()

    told = {push.path: push.body for push in old_emsp.received}
    assert told["locations/NL/ONE/L1/E1"]["connectors"][0]["tariff_id"] == "T2"
    assert "tariffs/NL/ONE/T2" in told
    old_emsp.received.clear()
    await hub.run("turn tariffs")
    await hub.deliver()
    assert old_emsp.received == [], "it turns once"


async def run(hub, statement, **values):
    async with hub.database.transaction(hub.tenant_id) as db:
        from sqlalchemy import text  # noqa: PLC0415

        await db.execute(text(statement), values)


# In the other's words.


@pytest.mark.parametrize("written", ["NL", "NLD"])
async def test_BRIDGE_02_a_country_tells_the_time_zone_that_2_1_1_left_out(
    hub, old_cpo, emsp, written
):
    """OCPI has alpha-3 there, real platforms alpha-2: what was written is passed on."""
    sent = old.location(country=written, time_zone=ABSENT)

    assert (await old_cpo.put("locations/NL/ONE/L1", sent)).status_code == 1000
    await hub.deliver()

    [push] = emsp.received
    assert (push.body["country"], push.body["time_zone"]) == (written, "Europe/Amsterdam")


async def test_a_country_of_two_letters_spares_a_newer_version_no_time_zone(hub, cpo):
    sent = location(version=V, country="NL", time_zone=ABSENT)

    answer = await cpo.put("locations/NL/ONE/L1", sent)

    assert answer.status_code == 2001
    assert answer.data["errors"][0]["field"] == "time_zone"


async def test_BRIDGE_05_a_token_whose_uid_has_a_slash_is_told_by_all_of_it(hub, old_cpo, emsp):
    await emsp.put("tokens/DE/TWO/A%2FB", token(uid="A/B"))
    await hub.deliver()

    [push] = [push for push in old_cpo.received if push.module == "tokens"]
    assert push.body["uid"] == "A/B"
    assert await rows(hub, "select written from id_aliases where kind = 'tokens'") == [("A/B",)]


@pytest.mark.parametrize(
    ("fault", "result"), [(http(503), "REJECTED"), (slow(5), "TIMEOUT")], ids=["away", "late"]
)
async def test_BRIDGE_07_a_command_that_cannot_be_passed_on_has_a_result(
    hub, cpo, old_emsp, fault, result
):
    """2.1.1 knows no hub, so none that fails."""
    await cpo.put("locations/NL/ONE/L1", location(version=V))
    cpo.fail(fault, on="commands")
    unlock = {
        "response_url": old_emsp.response_url("UNLOCK_CONNECTOR"),
        "location_id": "L1",
        "evse_uid": "E1",
        "connector_id": "1",
    }

    answer = await old_emsp.call(
        "POST",
        old_emsp.endpoints["commands", "RECEIVER"] + "UNLOCK_CONNECTOR",
        body=unlock,
        headers={"X-Request-Timeout": "0.5"},
    )

    assert (answer.http_status, answer.status_code) == (200, 1000)
    assert answer.data == {"result": result}


async def test_BRIDGE_07_a_command_about_nothing_known_is_2003_with_its_result(old_emsp):
    unlock = {
        "response_url": old_emsp.response_url("UNLOCK_CONNECTOR"),
        "location_id": "L9",
        "evse_uid": "E1",
        "connector_id": "1",
    }

    answer = await old_emsp.post("commands/UNLOCK_CONNECTOR", unlock)

    assert (answer.http_status, answer.status_code) == (200, 2003)
    assert answer.data == {"result": "REJECTED"}


async def test_BRIDGE_08_what_2_1_1_does_not_know_is_not_there(hub, old_emsp):
    for path in ("commands/CANCEL_RESERVATION", "chargingprofiles/S1", "hubclientinfo"):
        url = f"{hub.url}/ocpi/{OLD}/{path}"
        assert (await old_emsp.call("POST", url, body={})).http_status in {404, 405}, path


async def test_BRIDGE_08_what_a_2_1_1_partner_cannot_do_is_not_supported(hub, emsp, old_cpo):
    cancel = {"response_url": emsp.response_url("CANCEL_RESERVATION"), "reservation_id": "R1"}
    answer = await emsp.post("commands/CANCEL_RESERVATION", cancel, to=old_cpo)
    assert answer.data["result"] == "NOT_SUPPORTED"
    wish = {"profile_type": "GREEN"}
    answer = await emsp.put("sessions/S1/charging_preferences", wish, to=old_cpo, side="SENDER")
    assert answer.data == "NOT_POSSIBLE"
    answer = await emsp.get("hubclientinfo", side="SENDER")
    assert [one["party_id"] for one in answer.data if one["party_id"] == "ONE"] == ["ONE"]


async def test_BRIDGE_07_an_issuer_that_is_away_is_decided_for(hub, partners, old_cpo):
    """TOK-16: by the whitelist of the token; of an unknown token, not allowed."""
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    await hub.connect(emsp)
    await emsp.put(f"tokens/DE/TWO/{UID}", token())
    emsp.fail(vanish(), on="authorize")

    known = await old_cpo.post(f"tokens/{UID}/authorize")
    contract = await old_cpo.post("tokens/DE-TWO-C1/authorize", params={"type": "EMAID"})

    assert known.data["allowed"] == "ALLOWED"
    assert "token" not in known.data
    assert (contract.status_code, contract.data) == (1000, {"allowed": "NOT_ALLOWED"})


async def test_TOK_04_a_token_of_another_type_is_found_by_its_uid(hub, partners, old_cpo):
    """2.1.1 knows two types, and names none where it pushes and reads."""
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    await hub.connect(emsp)
    app = token(uid="APP-1", type="APP_USER", whitelist="NEVER")
    assert (await emsp.put("tokens/DE/TWO/APP-1", app, params={"type": "APP_USER"})).ok
    await hub.deliver()
    [push] = old_cpo.received
    assert (push.path, push.query, push.body["type"]) == ("tokens/DE/TWO/APP-1", {}, "OTHER")
    emsp.authorizations["APP-1"] = {"allowed": "ALLOWED", "token": app}

    answer = await old_cpo.post("tokens/APP-1/authorize", params={"type": "OTHER"})

    assert answer.data == {"allowed": "ALLOWED"}
    [asked] = [one for one in emsp.requests if one.path.endswith("authorize")]
    assert asked.query == {"type": "APP_USER"}


# What a PATCH of 2.1.1 means.


async def test_AMB_10_a_patch_needs_no_time(hub, old_cpo, old_emsp, partners):
    """TRANSPORT-11: the hub stamps it, never before what it changes."""
    newer = await partners.enter_async_context(FakePartner("FR*NEW EMSP", versions=("2.3.0",)))
    await hub.connect(newer)
    ahead = moment(minutes=-2)
    await old_cpo.put("locations/NL/ONE/L1", old.location(last_updated=ahead))
    await hub.deliver()
    newer.received.clear()

    assert (await old_cpo.patch("locations/NL/ONE/L1", {"name": "Elsewhere"})).ok
    assert (await old_cpo.patch("locations/NL/ONE/L1/E1", {"status": "BLOCKED"})).ok
    assert (await old_cpo.patch("locations/NL/ONE/L1/E1/1", {"amperage": 16})).ok
    await hub.deliver()

    place = newer.received[0].body
    assert (place["name"], place["last_updated"]) == ("Elsewhere", ahead)
    told = place["evses"][0]
    assert (told["status"], told["connectors"][0]["max_amperage"]) == ("BLOCKED", 16)
    missing = await old_cpo.patch("locations/NL/ONE/L9", {"name": "Nowhere"})
    assert (missing.http_status, missing.status_code) == (404, 2003)


async def test_TAR_01_a_tariff_is_patched_in_2_1_1_and_put_later(hub, old_cpo, emsp):
    """BRIDGE-03."""
    await old_cpo.put("tariffs/NL/ONE/T1", old.tariff())
    await hub.deliver()

    assert (await old_cpo.patch("tariffs/NL/ONE/T1", {"currency": "CHF"})).ok
    await hub.deliver()

    first, second = emsp.received
    assert (second.method, second.path) == ("PUT", "tariffs/NL/ONE/T1")
    assert second.body["currency"] == "CHF"
    assert second.body["elements"] == first.body["elements"]


async def test_SES_14_periods_of_a_patch_are_appended_or_all_there_are(hub, old_cpo, emsp):
    """Whether they follow those that are known tells; 2.1.1 does not."""
    await emsp.put(f"tokens/DE/TWO/{UID}", token())
    await old_cpo.put("locations/NL/ONE/L1", old.location())
    await old_cpo.put("sessions/NL/ONE/S1", old.session())

    later = old.charging_period(start_date_time="2025-06-01T08:30:00Z")
    await old_cpo.patch("sessions/NL/ONE/S1", {"charging_periods": [later]})
    appended = (await emsp.get("sessions", params={"date_from": "2025-01-01T00:00:00Z"})).data
    moved = [
        old.charging_period(start_date_time="2025-06-01T08:01:00Z"),
        later,
    ]
    await old_cpo.patch("sessions/NL/ONE/S1", {"charging_periods": moved})
    replaced = (await emsp.get("sessions", params={"date_from": "2025-01-01T00:00:00Z"})).data

    def starts(listed):
        return [period["start_date_time"][11:16] for period in listed[0]["charging_periods"]]

    assert starts(appended) == ["08:00", "08:30"]
    assert starts(replaced) == ["08:01", "08:30"]


# What is refused.


async def test_LOC_16_a_place_without_time_zone_is_the_country_s_or_the_partner_s(
    hub, partners, old_cpo
):
    sent = old.location(country="USA", time_zone=ABSENT)
    refused = await old_cpo.put("locations/NL/ONE/L1", sent)
    assert refused.status_code == 2001
    assert "time_zone" in refused.message

    await run(
        hub,
        'update ocpi_partners set configuration = \'{"time_zone": "America/Chicago"}\','
        " version = version + 1",
    )
    hub.app[DIRECTORY].forget(hub.tenant_id)
    assert (await old_cpo.put("locations/NL/ONE/L1", sent)).ok
    newer = await partners.enter_async_context(FakePartner("FR*NEW EMSP"))
    await hub.connect(newer)
    assert (await newer.get("locations")).data[0]["time_zone"] == "America/Chicago"


async def test_SES_17_a_session_of_nobody_s_contract_is_refused_and_set_aside(hub, old_cpo, emsp):
    """Whose driver it was nobody can tell: neither from a token nor from the contract's id."""
    unknown = await old_cpo.put("sessions/NL/ONE/S1", old.session(auth_id="XX-YYY-C1"))
    by_prefix = await old_cpo.put("sessions/NL/ONE/S2", old.session(id="S2"))
    await hub.deliver()

    assert unknown.status_code == 2001
    assert "auth_id" in unknown.message
    assert [row.kind for row in await rows(hub, "select kind from quarantined_objects")] == [
        "Session"
    ]
    assert by_prefix.status_code == 1000
    [push] = [push for push in emsp.received if push.module == "sessions"]
    assert push.body["cdr_token"] == {
        "country_code": "DE",
        "party_id": "TWO",
        "uid": "#NA",
        "type": "OTHER",
        "contract_id": "DE-TWO-C00000001-X",
    }


async def test_CDR_12_a_cdr_of_2_1_1_names_its_session_if_that_is_known(hub, old_cpo, emsp):
    await emsp.put(f"tokens/DE/TWO/{UID}", token())
    await old_cpo.put("locations/NL/ONE/L1", old.location())
    await old_cpo.put("sessions/NL/ONE/S1", old.session())

    for cdr_id in ("S1", "C1"):
        answer = await old_cpo.post("cdrs", old.cdr(id=cdr_id))
        assert answer.http_status == 201, answer.text
        again = await old_cpo.call("GET", answer.headers["Location"])
        assert again.data["id"] == cdr_id
    alone = await old_cpo.post("cdrs", old.cdr(id="C2", start_date_time="2025-05-01T08:00:00Z"))
    assert alone.ok

    found = {one["id"]: one.get("session_id") for one in (await emsp.get("cdrs")).data}
    assert found == {"S1": "S1", "C1": "S1", "C2": None}


async def test_TRANSPORT_22_endpoints_end_with_a_slash_and_slashes_too_many_do_no_harm(
    hub, old_cpo
):
    url = old_cpo.endpoints["tariffs", "RECEIVER"]
    assert url.endswith("/tariffs/")
    for path in ("NL/ONE/T1", "/NL/ONE/T1/"):
        assert (await old_cpo.call("PUT", url + path, body=old.tariff())).ok
    assert (await old_cpo.call("GET", url + "/NL/ONE/T1")).data["id"] == "T1"


@pytest.mark.parametrize("pulled", [False, True])
async def test_a_cdr_told_again_is_the_same_whatever_is_known_by_then_CDR_04(
    hub, old_cpo, emsp, pulled
):
    """Its token and its session are looked up, and may have been unknown the first time."""
    sent = old.cdr(auth_id="DE-TWO-C77", last_updated=moment(minutes=5))
    first = await old_cpo.post("cdrs", sent)
    token_of_it = token(version="2.2.1", uid="77", contract_id="DE-TWO-C77")
    await emsp.put("tokens/DE/TWO/77", token_of_it)
    session_of_it = old.session(id=sent["id"], auth_id="DE-TWO-C77")
    await old_cpo.put(f"sessions/NL/ONE/{sent['id']}", session_of_it)

    if pulled:
        old_cpo.own["cdrs"] = [sent]
        await hub.pull()
        [state] = await hub.sql("select result from sync_states where module = 'cdrs'")
        assert state.result["counts"] == {"pages": 1, "objects": 1, "unchanged": 1}
    again = await old_cpo.post("cdrs", sent)
    another = await old_cpo.post("cdrs", sent | {"total_cost": 99})

    assert (first.http_status, again.http_status, again.status_code) == (201, 200, 1000)
    assert another.status_code == 2001


SOON = {"last_updated": "2025-06-02T01:00:00Z"}


@pytest.mark.parametrize(
    ("path", "changes", "told"),
    [
        ("locations/NL/ONE/L1", {"name": "Elsewhere"}, {"name": "Elsewhere"}),
        ("locations/NL/ONE/L1/E1/1", {"max_amperage": 16}, {"amperage": 16}),
        ("locations/NL/ONE/L1/E1/1", {"tariff_ids": []}, {"tariff_id": None}),
        ("sessions/NL/ONE/S1", {"kwh": 9}, {"kwh": 9}),
        (
            "sessions/NL/ONE/S1",
            {"status": "COMPLETED", "total_cost": {"excl_vat": 3, "incl_vat": 3.6}},
            {"status": "COMPLETED", "total_cost": 3},
        ),
    ],
)
async def test_BRIDGE_03_a_patch_by_name_says_what_changes_and_no_more(
    cpo, old_emsp, path, changes, told
):
    """Nothing that 2.1.1 requires is made up for it, nor looked for."""
    answer = await cpo.patch(path, changes | SOON, to=old_emsp)

    assert answer.status_code in {1000, 2001, 2003}, answer.text
    [push] = [push for push in old_emsp.requests if push.method == "PATCH"]
    assert (push.path, push.body) == (path, told | SOON)


async def test_BRIDGE_03_a_patch_of_a_token_need_not_say_which(old_cpo, emsp):
    answer = await emsp.patch("tokens/DE/TWO/77", {"valid": False} | SOON, to=old_cpo)

    assert answer.status_code == 2004, "the CPO has no such token, and says so"
    [push] = [push for push in old_cpo.requests if push.method == "PATCH"]
    assert (push.path, push.body) == ("tokens/DE/TWO/77", {"valid": False} | SOON)
