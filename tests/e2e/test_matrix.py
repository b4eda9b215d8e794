"""Every version of a CPO meets every version of an eMSP: all modules, real platforms at both ends.

Whatever both versions can say must arrive as it was said (BRIDGE-01, BRIDGE-02, BRIDGE-05).
"""

from contextlib import AsyncExitStack
from itertools import product

import pytest

from hub.ocpi.versions import VERSIONS
from tests.helpers.documents_2_1_1 import own_document
from tests.helpers.facts import facts
from tests.helpers.hub import RunningHub
from tests.helpers.partner import FakePartner

OLD = "2.1.1"
PAIRS = list(product(reversed(VERSIONS), repeat=2))
Pair = tuple[FakePartner, FakePartner]
# What a CPO tells, by where it goes; and the class of it.
PUSHED = {
    "tariffs/NL/ONE/T1": "Tariff",
    "locations/NL/ONE/L1": "Location",
    "sessions/NL/ONE/S1": "Session",
    "cdrs": "CDR",
}
UID = "04AB12CD34EF80"
DATE_FROM = {"date_from": "2025-01-01T00:00:00Z"}


@pytest.fixture(params=PAIRS, ids="-".join)
async def pair(request: pytest.FixtureRequest, hub: RunningHub, partners: AsyncExitStack) -> Pair:
    """A CPO and an eMSP, and the token of a driver that the CPO knows."""
    theirs, ours = request.param
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO", versions=(theirs,)))
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=(ours,)))
    await hub.connect(cpo)
    await hub.connect(emsp)
    answer = await emsp.put(f"tokens/DE/TWO/{UID}", own_document(ours, "Token"))
    assert answer.status_code == 1000, answer.text
    return cpo, emsp


async def push_everything(cpo: FakePartner) -> None:
    for path, kind in PUSHED.items():
        send = cpo.post if path == "cdrs" else cpo.put
        answer = await send(path, own_document(cpo.version, kind))
        assert (answer.http_status, answer.status_code) == (201, 1000), answer.text


def check(kind: str, sent_in: str, version: str, body: dict) -> None:
    """The body is valid in its version, and says what was sent."""
    VERSIONS[version].check(kind, body)
    sent = own_document(sent_in, kind)
    assert facts(kind, version, body) == facts(kind, sent_in, sent)
    if version != OLD:
        owner = ("DE", "TWO") if kind == "Token" else ("NL", "ONE")
        assert (body["country_code"], body["party_id"]) == owner


async def test_BRIDGE_02_every_object_is_pushed_in_the_receivers_version(hub, pair):
    """Locations, tariffs, sessions and CDRs to the eMSP; tokens to the CPO."""
    cpo, emsp = pair
    await push_everything(cpo)
    await hub.deliver()

    assert {push.path for push in emsp.received} == PUSHED.keys()
    for push in emsp.received:
        check(PUSHED[push.path], cpo.version, emsp.version, push.body)
    [token] = cpo.received
    assert (token.method, token.path) == ("PUT", f"tokens/DE/TWO/{UID}")
    check("Token", emsp.version, cpo.version, token.body)
    assert (await hub_rows(hub, "select 1 from setbacks")) == []
    routed = [name for name in emsp.received[0].headers if name.lower().startswith("ocpi-")]
    assert bool(routed) is (emsp.version != OLD)


async def test_BRIDGE_03_a_status_goes_out_as_one_evse(hub, pair):
    """PUT and PATCH of an EVSE and of a connector."""
    cpo, emsp = pair
    await cpo.put("locations/NL/ONE/L1", own_document(cpo.version, "Location"))
    await hub.deliver()
    emsp.received.clear()
    base = "locations/NL/ONE/L1/E1"

    evse = own_document(cpo.version, "EVSE") | {"status": "CHARGING", "last_updated": LATER[0]}
    assert (await cpo.put(base, evse)).ok
    await hub.deliver()
    patch = {"status": "BLOCKED", "last_updated": LATER[1]}
    assert (await cpo.patch(base, patch)).ok
    await hub.deliver()
    power = {"amperage" if cpo.version == OLD else "max_amperage": 16, "last_updated": LATER[2]}
    assert (await cpo.patch(f"{base}/1", power)).ok
    await hub.deliver()

    first, second, third = emsp.received
    assert {push.path for push in emsp.received} == {base}
    assert [push.body["status"] for push in emsp.received] == ["CHARGING", "BLOCKED", "BLOCKED"]
    for push in (first, second, third):
        VERSIONS[emsp.version].check("EVSE", push.body)
    amperes = "amperage" if emsp.version == OLD else "max_amperage"
    assert third.body["connectors"][0][amperes] == 16


LATER = [f"2025-06-01T08:0{minute}:00Z" for minute in range(1, 4)]


async def test_BRIDGE_05_lists_and_objects_read_in_the_readers_version(hub, pair):
    cpo, emsp = pair
    await push_everything(cpo)

    for module, kind in [
        ("tariffs", "Tariff"),
        ("locations", "Location"),
        ("sessions", "Session"),
        ("cdrs", "CDR"),
    ]:
        answer = await emsp.get(module, params=DATE_FROM)
        [listed] = answer.data
        check(kind, cpo.version, emsp.version, listed)
        assert answer.headers["X-Total-Count"] == "1"
    [token] = (await cpo.get("tokens")).data
    check("Token", emsp.version, cpo.version, token)
    check("Location", cpo.version, emsp.version, (await emsp.get("locations/L1")).data)
    evse = (await emsp.get("locations/L1/E1")).data
    assert facts("EVSE", emsp.version, evse) == facts(
        "EVSE", cpo.version, own_document(cpo.version, "EVSE")
    )
    connector = (await emsp.get("locations/L1/E1/1")).data
    VERSIONS[emsp.version].check("Connector", connector)


async def test_MOD_01_the_owner_reads_back_what_it_sent(hub, pair):
    """Receiver GET: in the owner's own version, with its own ids."""
    cpo, emsp = pair
    await push_everything(cpo)

    for path, kind in PUSHED.items():
        url = path if path != "cdrs" else "cdrs/NL/ONE/C1"
        answer = await cpo.get(url, side="RECEIVER")
        assert answer.ok, answer.text
        check(kind, cpo.version, cpo.version, answer.data)
    answer = await emsp.get(f"tokens/DE/TWO/{UID}", side="RECEIVER")
    check("Token", emsp.version, emsp.version, answer.data)


@pytest.mark.parametrize("place", [None, {"location_id": "L1", "evse_uids": ["E1"]}], ids=bool)
async def test_TOK_10_BRIDGE_real_time_authorization_goes_to_the_issuer_and_back(hub, pair, place):
    cpo, emsp = pair
    await cpo.put("locations/NL/ONE/L1", own_document(cpo.version, "Location"))
    info = {"allowed": "ALLOWED", "info": {"language": "en", "text": "Welcome"}}
    if place:
        info |= {"location": place}
    if emsp.version != OLD:
        info |= {"token": own_document(emsp.version, "Token")}
        info |= {"authorization_reference": "REF-1"}
    emsp.authorizations[UID] = info

    answer = await cpo.post(f"tokens/{UID}/authorize", place)

    assert (answer.http_status, answer.status_code) == (200, 1000), answer.text
    VERSIONS[cpo.version].check("AuthorizationInfo", answer.data)
    assert answer.data["allowed"] == "ALLOWED"
    assert answer.data["info"]["text"] == "Welcome"
    assert answer.data.get("location") == place
    if cpo.version != OLD:
        assert answer.data["token"]["contract_id"] == "DE-TWO-C00000001-X"
    [asked] = [one for one in emsp.requests if one.path == f"tokens/{UID}/authorize"]
    assert (asked.body or None) == place


async def test_TOK_20_BRIDGE_07_an_unknown_token_is_unknown_in_everybodys_words(hub, pair):
    cpo, emsp = pair
    emsp.own["tokens"] = []  # what the hub knows, its issuer has forgotten

    answer = await cpo.post(f"tokens/{UID}/authorize")
    nobodys = await cpo.post("tokens/0000/authorize")

    code = 2001 if cpo.version == OLD else 2004
    assert (answer.http_status, answer.status_code) == (404, code), answer.text
    assert (nobodys.http_status, nobodys.status_code) == (404, code), nobodys.text


async def test_CMD_01_BRIDGE_commands_and_their_results_cross(hub, pair):
    cpo, emsp = pair
    await push_everything(cpo)
    url = emsp.response_url("START_SESSION")
    body = {
        "response_url": url,
        "token": own_document(emsp.version, "Token"),
        "location_id": "L1",
        "evse_uid": "E1",
    }
    if cpo.version == OLD:
        cpo.command_response = {"result": "ACCEPTED"}

    answer = await emsp.post("commands/START_SESSION", body)

    assert (answer.http_status, answer.status_code) == (200, 1000), answer.text
    VERSIONS[emsp.version].check("CommandResponse", answer.data)
    assert answer.data["result"] == "ACCEPTED"
    [command] = cpo.commands
    assert command.path == "commands/START_SESSION"
    VERSIONS[cpo.version].check("StartSession", command.body)
    assert (command.body["location_id"], command.body["evse_uid"]) == ("L1", "E1")
    assert command.body["response_url"] != url
    assert facts("Token", cpo.version, command.body["token"])["contract"] == "DE-TWO-C00000001-X"

    assert (await cpo.send_result(command, "ACCEPTED")).ok
    await hub.deliver()
    [result] = emsp.results
    assert result.url == url
    assert result.body["result"] == "ACCEPTED"
    VERSIONS[emsp.version].check("CommandResult", result.body)


@pytest.mark.parametrize("command", ["STOP_SESSION", "UNLOCK_CONNECTOR", "RESERVE_NOW"])
async def test_CMD_BRIDGE_every_other_command_crosses_too(hub, pair, command):
    cpo, emsp = pair
    await push_everything(cpo)
    url = emsp.response_url(command)
    number = 17 if emsp.version == OLD else "17"
    bodies = {
        "STOP_SESSION": {"session_id": "S1"},
        "UNLOCK_CONNECTOR": {"location_id": "L1", "evse_uid": "E1", "connector_id": "1"},
        "RESERVE_NOW": {
            "token": own_document(emsp.version, "Token"),
            "expiry_date": "2025-06-02T08:00:00Z",
            "reservation_id": number,
            "location_id": "L1",
        },
    }
    if cpo.version == OLD:
        cpo.command_response = {"result": "ACCEPTED"}

    answer = await emsp.post(f"commands/{command}", bodies[command] | {"response_url": url})

    assert (answer.status_code, answer.data["result"]) == (1000, "ACCEPTED"), answer.text
    [sent] = cpo.commands
    same = {"session_id", "location_id", "evse_uid", "connector_id"}
    for name, value in bodies[command].items():
        if name in same:
            assert sent.body[name] == value
    if command == "RESERVE_NOW":
        assert sent.body["reservation_id"] == (17 if cpo.version == OLD else "17")


NEW = [versions for versions in PAIRS if OLD not in versions]


@pytest.mark.parametrize("pair", NEW, ids="-".join, indirect=True)
async def test_SES_09_BRIDGE_charging_preferences_and_the_word_they_are_answered_with(pair):
    """TRANSPORT-70. OCPI 2.1.1 has none: test_bridging.py."""
    cpo, emsp = pair
    await push_everything(cpo)
    wish = {"profile_type": "FAST"}

    answer = await emsp.put("sessions/S1/charging_preferences", wish)

    assert (answer.status_code, answer.data) == (1000, "ACCEPTED"), answer.text
    [asked] = [one for one in cpo.requests if one.path.endswith("charging_preferences")]
    assert asked.body == wish


async def hub_rows(hub: RunningHub, query: str) -> list:
    from sqlalchemy import text  # noqa: PLC0415

    async with hub.database.transaction(hub.tenant_id) as db:
        return list(await db.execute(text(query)))
