"""What a partner's answer means for the object, for the module and for the partner."""

import json

import pytest
from multidict import CIMultiDict

from hub.errors import NotFound
from hub.ocpi.client import Answer
from hub.ocpi.delivery.delivery import Outcome, judge
from hub.roaming import jumps
from hub.roaming.feed import setbacks
from hub.roaming.network import partners as registered
from tests.helpers.documents import cdr, evse, location, tariff, token
from tests.helpers.faults import (
    envelope,
    html,
    http,
    redirect,
    refuse,
    rubbish,
    slow,
    too_many,
    unavailable,
    vanish,
    vanish_after,
    vanish_midway,
)
from tests.helpers.network import Network, change, paths
from tests.helpers.partner import FakePartner

TARIFFS = "PUT .*/tariffs"


@pytest.fixture
async def emsp(network, partners):
    """DE*TWO, an eMSP that speaks 2.2.1."""
    partner = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    partner.id = await network.connect(partner)
    return partner


def answer(status, code=None, message="", *, content=None, **headers):
    body = {"status_code": code, "status_message": message, "timestamp": "2025-01-01T00:00:00Z"}
    content = json.dumps(body).encode() if content is None and code is not None else content or b""
    return Answer(status, CIMultiDict(headers), content)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (answer(200, 1000), Outcome.TAKEN),
        (answer(201, 1000), Outcome.TAKEN),
        (answer(200, 2001, "bad"), Outcome.REFUSED),
        (answer(201, 2000), Outcome.REFUSED),
        (answer(400, 2001), Outcome.REFUSED),
        (answer(400), Outcome.REFUSED),
        (answer(404, 2003), Outcome.REFUSED),
        (answer(413), Outcome.REFUSED),
        (answer(422, content=b'{"detail": "nope"}'), Outcome.REFUSED),
        (answer(200, 3000), Outcome.FAILING),
        (answer(200, 4002), Outcome.FAILING),
        (answer(500, 2001), Outcome.FAILING),
        (answer(502), Outcome.FAILING),
        (answer(408), Outcome.FAILING),
        (answer(425), Outcome.FAILING),
        (answer(403, 2001), Outcome.FAILING),
        (answer(200, content=b"<html>Sign in</html>"), Outcome.FAILING),
        (answer(200, content=b'{"status_code": 1000, '), Outcome.FAILING),
        (answer(200, content=b"[]"), Outcome.FAILING),
        (answer(200), Outcome.FAILING),
        (answer(200, content=b'{"status_code": "1000"}'), Outcome.FAILING),
        (answer(503), Outcome.FAILING),
        (answer(503, **{"Retry-After": "30"}), Outcome.BUSY),
        (answer(429), Outcome.BUSY),
        (answer(429, 2000), Outcome.BUSY),
        (answer(401), Outcome.SHUT),
        (answer(401, 2000), Outcome.SHUT),
        (answer(403), Outcome.SHUT),
        (answer(307, Location="https://elsewhere.example"), Outcome.SHUT),
        (answer(404), Outcome.GONE),
        (answer(404, 2000), Outcome.GONE),
        (answer(405, 2000), Outcome.GONE),
        (answer(410), Outcome.GONE),
    ],
    ids=lambda value: value.reason if isinstance(value, Answer) else str(value),
)
def test_answers_to_a_put_are_told_apart(given, expected):
    """TRANSPORT-74, TRANSPORT-80 ... 86: HTTP status and OCPI code both count."""
    assert judge(given).outcome is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (answer(200, 1000), Outcome.TAKEN),
        (answer(404, 2001), Outcome.TAKEN),
        (answer(404), Outcome.TAKEN),
        (answer(200, 2003), Outcome.TAKEN),
        (answer(400, 2003), Outcome.TAKEN),
        (answer(405, 2000), Outcome.REFUSED),
        (answer(500, 2003), Outcome.FAILING),
        (answer(503), Outcome.FAILING),
    ],
)
def test_what_is_not_there_is_deleted_TAR_02(given, expected):
    """Nor can a location be hidden that is not there (LOC-05)."""
    assert judge(given, takes_back=True).outcome is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (answer(409), Outcome.TAKEN),
        (answer(200, 2000, "CDR already exists"), Outcome.TAKEN),
        (answer(200, 2001, "Duplicate CDR C1"), Outcome.TAKEN),
        (answer(400, content=b'{"detail": "already exists"}'), Outcome.TAKEN),
        (answer(200, 2001, "CDR is already stored with other content"), Outcome.REFUSED),
        (answer(200, 2001, "unknown token"), Outcome.REFUSED),
        (answer(500, 3000, "duplicate key value"), Outcome.FAILING),
    ],
)
def test_a_cdr_that_the_receiver_knows_is_settled(given, expected):
    """A repetition is answered as known, and that answers it (CDR-04); a conflict does not."""
    assert judge(given, record=True).outcome is expected


def test_only_records_are_settled_by_being_known():
    known = answer(200, 2001, "already exists")

    assert judge(known).outcome is Outcome.REFUSED


# The object is refused: it is set aside, and everything else goes on.


async def test_a_refused_object_does_not_hold_up_the_others(network, emsp):
    emsp.fail(refuse(2001, "elements: too many"), on=f"{TARIFFS}/NL/ONE/T2")
    for number in range(1, 5):
        await network.put("tariffs", tariff(id=f"T{number}"))
    await network.deliver()

    assert sorted(paths(emsp)) == [f"tariffs/NL/ONE/T{n}" for n in (1, 3, 4)]
    [setback] = await network.setbacks()
    assert (setback.party, setback.module, setback.object_ref) == (
        "DE*TWO",
        "tariffs",
        "NL/ONE/T2",
    )
    assert (setback.http_status, setback.status_code) == (200, 2001)
    assert setback.reason == "HTTP 200, OCPI 2001: elements: too many"
    # A state says the same again until it changes, so nobody is asked again.
    assert setback.next_attempt_at is None
    assert (await network.cursor(emsp.id, "tariffs")).failures == 0


async def test_an_object_that_the_receiver_cannot_digest_is_poison_for_itself_alone(network, emsp):
    """Always 500, while the others are taken: it must not look as if the partner were away."""
    emsp.fail(http(500, "NullPointerException"), on=f"{TARIFFS}/NL/ONE/T1$")
    for number in range(1, 30):
        await network.put("tariffs", tariff(id=f"T{number}"))
    await network.deliver()

    assert len(set(paths(emsp))) == 28
    [setback] = await network.setbacks()
    assert (setback.object_ref, setback.http_status) == ("NL/ONE/T1", 500)
    assert setback.next_attempt_at is not None
    assert (await network.cursor(emsp.id, "tariffs")).next_attempt_at is None


async def test_poison_that_came_alone_is_passed_as_soon_as_something_else_is_taken(network, emsp):
    """Alone it looks as if the partner were away; then others are tried in any order."""
    emsp.fail(http(500), on=f"{TARIFFS}/NL/ONE/T0$")
    await network.put("tariffs", tariff(id="T0"))
    await network.deliver()
    assert (await network.cursor(emsp.id, "tariffs")).failures == 1

    for number in range(1, 9):
        await network.put("tariffs", tariff(id=f"T{number}"))
    await network.retry_now()
    await network.deliver()

    assert sorted(set(paths(emsp))) == [f"tariffs/NL/ONE/T{n}" for n in range(1, 9)]
    assert [setback.object_ref for setback in await network.setbacks()] == ["NL/ONE/T0"]


async def test_poison_is_tried_again_by_itself_and_settled(network, emsp):
    emsp.fail(http(500), on=f"{TARIFFS}/NL/ONE/T1$")
    await network.put("tariffs", tariff(id="T1"))
    await network.put("tariffs", tariff(id="T2"))
    await network.deliver()
    emsp.heal()
    await network.retry_now()
    await network.deliver()

    assert paths(emsp).count("tariffs/NL/ONE/T1") == 1
    [setback] = await network.setbacks()
    assert setback.settled_at is not None


async def test_poison_is_given_up_after_some_attempts(network, emsp):
    emsp.fail(http(500), on=f"{TARIFFS}/NL/ONE/T1$")
    await network.put("tariffs", tariff(id="T1"))
    await network.put("tariffs", tariff(id="T2"))
    await network.deliver()
    for number in range(12):
        await network.put("tariffs", tariff(id=f"N{number}"))
        await network.retry_now()
        await network.deliver()

    [setback] = await network.setbacks()
    assert (setback.attempts, setback.next_attempt_at) == (8, None)


async def test_what_is_set_aside_is_not_given_up_while_the_partner_is_away(network, emsp):
    """Nothing else is taken, so perhaps it is not its fault; and what is new waits little."""
    emsp.fail(http(500), on=f"{TARIFFS}/NL/ONE/T1$")
    await network.put("tariffs", tariff(id="T1"))
    await network.put("tariffs", tariff(id="T2"))
    await network.deliver()
    for _ in range(12):
        await network.retry_now()
        await network.deliver()
    cursor = await network.cursor(emsp.id, "tariffs")
    assert 0 < cursor.wait.total_seconds() <= 30

    emsp.heal()
    await network.retry_now()
    await network.deliver()

    assert sorted(paths(emsp)) == ["tariffs/NL/ONE/T1", "tariffs/NL/ONE/T2"]


# The partner is away: nothing is lost, nothing is passed by.

AWAY = {
    "503": unavailable(),
    "500": http(500, "oops"),
    "a page instead of an answer": html(),
    "half an answer": rubbish(),
    "closes the connection": vanish(),
    "closes it in the middle": vanish_midway(),
    "OCPI 3000": refuse(3000, "database down"),
    "OCPI 4003": refuse(4003),
    "answers nothing in time": slow(60),
}


@pytest.mark.parametrize("fault", AWAY.values(), ids=AWAY)
async def test_a_partner_that_is_away_gets_everything_when_it_is_back(
    postgres, tenant, partners, fault
):
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    async with Network(postgres.url, tenant.id, forward_timeout=0.5) as network:
        partner_id = await network.connect(emsp)
        emsp.fail(fault, on=TARIFFS)
        for number in range(20):
            await network.put("tariffs", tariff(id=f"T{number:02}"))
        await network.deliver()

        cursor = await network.cursor(partner_id, "tariffs")
        assert cursor.failures == 1
        assert 0 < cursor.wait.total_seconds() <= 5
        assert cursor.last_error
        # Nobody waits for all the others once the first ones have failed.
        tried = {r.path for r in emsp.requests if r.path.startswith("tariffs")}
        assert len(tried) < network.settings.feed_per_partner + 3
        assert await network.setbacks() == []

        emsp.heal()
        emsp.received.clear()
        await network.retry_now()
        await network.deliver()

        assert sorted(paths(emsp)) == [f"tariffs/NL/ONE/T{n:02}" for n in range(20)]
        cursor = await network.cursor(partner_id, "tariffs")
        assert (cursor.failures, cursor.last_error, cursor.next_attempt_at) == (0, None, None)


SUSPENDED = refuse(2001, "You are suspended", http_status=403)
UNKNOWN_PARTY = refuse(2001, "OCPI-from names BE*OTH, which is not yours", http_status=403)


async def test_a_party_that_a_platform_does_not_take_holds_up_nobody_else(network, emsp):
    """TRANSPORT-41: as a peer hub that knows some of our parties, or a partner with some contracts.

    It is tried again by itself, for what is not permitted today may be tomorrow.
    """
    emsp.fail(UNKNOWN_PARTY, on=r"PUT .*tariffs/BE/OTH")
    for number in range(20):
        owner = {"country_code": "BE", "party_id": "OTH"} if number < 15 else {}
        await network.put("tariffs", tariff(id=f"T{number:02}", **owner))
    await network.deliver()

    taken = {push.path for push in emsp.received if push.path in emsp.objects}
    assert taken >= {f"tariffs/NL/ONE/T{number}" for number in range(15, 20)}
    assert len([one for one in await network.setbacks() if one.next_attempt_at]) == 15
    assert (await network.cursor(emsp.id, "tariffs")).failures == 0
    assert len([one for one in emsp.requests if one.path.endswith("versions")]) <= 2

    emsp.heal()
    await network.retry_now()
    await network.deliver()

    assert "tariffs/BE/OTH/T00" in emsp.objects
    assert all(one.settled_at for one in await network.setbacks())


async def test_a_location_that_is_forbidden_in_place_of_its_evse_holds_up_nobody(network, emsp):
    """TRANSPORT-41, LOC-14: the EVSE alone meant nothing there."""
    place = location()
    await network.put("locations", place)
    await network.deliver()
    emsp.objects.clear()
    emsp.fail(UNKNOWN_PARTY, on=r"PUT .*locations/NL/ONE/L1$")
    await network.put_evse(place, evse(status="CHARGING", last_updated="2025-06-01T09:00:00Z"))
    await network.deliver()

    [setback] = await network.setbacks()
    assert setback.next_attempt_at
    assert (await network.cursor(emsp.id, "locations")).failures == 0


async def test_a_platform_that_shuts_us_out_is_away_and_nothing_is_set_aside(network, emsp):
    """Even its list of versions is forbidden: what was refused was not the object."""
    emsp.fail(SUSPENDED)
    await network.put("tariffs", tariff())
    await network.deliver()

    assert await network.setbacks() == []
    assert "You are suspended" in (await network.cursor(emsp.id, "tariffs")).last_error

    emsp.heal()
    await network.retry_now()
    await network.deliver()

    assert "tariffs/NL/ONE/T1" in emsp.objects


async def test_a_partner_whose_port_is_closed_is_away(network, emsp):
    await emsp.stop_listening()
    await network.put("tariffs", tariff())
    await network.deliver()
    assert "no connection" in (await network.cursor(emsp.id, "tariffs")).last_error

    await emsp.listen()
    await network.retry_now()
    await network.deliver()

    assert paths(emsp) == ["tariffs/NL/ONE/T1"]


async def test_back_off_doubles_to_an_hour_and_not_further(network, emsp):
    emsp.fail(unavailable(), on=TARIFFS)
    await network.put("tariffs", tariff())
    longest = []
    for _ in range(14):
        await network.retry_now()
        await network.deliver()
        cursor = await network.cursor(emsp.id, "tariffs")
        longest.append((cursor.failures, cursor.wait.total_seconds()))

    for failures, wait in longest:
        assert wait <= min(5 * 2 ** (failures - 1), 3600)
    assert max(wait for _, wait in longest) > 60


async def test_an_error_of_its_own_in_every_answer_is_not_waited_out_for_ever(network, emsp):
    """3xxx inside HTTP 200: the platform is there, so after a while the object is set aside."""
    emsp.fail(refuse(3000, "cannot store"), on=TARIFFS)
    await network.put("tariffs", tariff())
    for _ in range(9):
        await network.retry_now()
        await network.deliver()

    [setback] = await network.setbacks()
    assert (setback.object_ref, setback.status_code) == ("NL/ONE/T1", 3000)
    assert (await network.cursor(emsp.id, "tariffs")).failures == 0


async def test_what_arrived_before_the_connection_broke_is_repeated_and_does_no_harm(network, emsp):
    emsp.fail(vanish_after(), on=TARIFFS, times=1)
    await network.put("tariffs", tariff())
    await network.deliver()
    await network.retry_now()
    await network.deliver()

    assert paths(emsp) == ["tariffs/NL/ONE/T1"] * 2
    assert sorted(emsp.objects) == ["hubclientinfo/NL/OWN", "tariffs/NL/ONE/T1"]


async def test_a_partner_that_asks_for_patience_gets_it(network, emsp):
    emsp.fail(too_many(1200), on=TARIFFS)
    for number in range(30):
        await network.put("tariffs", tariff(id=f"T{number}"))
    await network.deliver()

    cursor = await network.cursor(emsp.id, "tariffs")
    assert 1190 < cursor.wait.total_seconds() <= 1200
    assert len(emsp.requests) - len(emsp.client_info) <= network.settings.feed_per_partner


# The door is shut: no attempts are burnt, and somebody is told.


@pytest.mark.parametrize("status", [401, 403])
async def test_a_token_that_is_not_taken_holds_the_whole_connection(network, emsp, status):
    emsp.fail(http(status), on="PUT")
    await network.put("tariffs", tariff())
    await network.put("locations", location())
    await shut_out(network)
    first = len(emsp.requests)
    for module in ("tariffs", "locations"):
        cursor = await network.cursor(emsp.id, module)
        assert cursor.held_reason.startswith(f"HTTP {status}")
        assert 3590 < cursor.wait.total_seconds() <= 3600
    await network.put("cdrs", cdr())
    await network.deliver()

    assert len(emsp.requests) == first


async def shut_out(network):
    """Twice: the first 401 may come from a partner that has not read our token yet."""
    await network.deliver()
    await network.retry_now()
    await network.deliver()


async def test_one_401_right_after_registering_costs_a_moment_not_an_hour(network, emsp):
    emsp.fail(http(401), on=TARIFFS, times=1)
    await network.put("tariffs", tariff())
    await network.deliver()

    cursor = await network.cursor(emsp.id, "tariffs")
    assert cursor.held_reason is None
    assert cursor.wait.total_seconds() <= 5
    await network.retry_now()
    await network.deliver()
    assert paths(emsp) == ["tariffs/NL/ONE/T1"]


async def test_a_call_from_the_partner_does_not_open_what_is_held(network, emsp):
    """It proves nothing about our token at theirs, and would burn one attempt per call."""
    emsp.fail(http(401), on=TARIFFS)
    await network.put("tariffs", tariff())
    await shut_out(network)

    async with network.database.transaction(network.tenant_id) as db:
        await registered.seen(db, emsp.id)

    assert (await network.cursor(emsp.id, "tariffs")).held_reason


async def test_new_credentials_open_what_is_held(network, emsp):
    emsp.fail(http(401), on=TARIFFS)
    await network.put("tariffs", tariff())
    await shut_out(network)
    emsp.heal()

    async with network.database.transaction(network.tenant_id) as db:
        await jumps.mended(db, emsp.id)
    await network.deliver()

    assert paths(emsp) == ["tariffs/NL/ONE/T1"]


async def test_redirects_are_refused_and_the_target_is_never_called(network, emsp, partners):
    target = await partners.enter_async_context(FakePartner("DE*BAD EMSP"))
    emsp.fail(redirect(f"{target.base_url}/2.2.1/receiver/tariffs"), on=TARIFFS)
    await network.put("tariffs", tariff())
    await network.deliver()

    assert target.requests == []
    assert "redirect" in (await network.cursor(emsp.id, "tariffs")).held_reason


# The endpoint is gone.


async def test_an_endpoint_that_moved_is_found_again(network, emsp):
    """404 or 405: read the version details once, then go on at the new place."""

    def moved(endpoints):
        for endpoint in endpoints:
            if (endpoint["identifier"], endpoint["role"]) == ("tariffs", "RECEIVER"):
                endpoint["url"] = endpoint["url"].replace("/receiver/", "/receiver/v2-")
        return endpoints

    async def new_place(request, proceed):
        partner_path = request.path
        emsp.objects[partner_path] = await request.json()
        return envelope(http_status=201)

    emsp.endpoint_changes = moved
    emsp.fail(new_place, on="PUT .*/v2-tariffs")
    emsp.fail(http(404, "no such route"), on=TARIFFS)
    await network.put("tariffs", tariff())
    await network.deliver()
    await network.retry_now()
    await network.deliver()

    assert "/ocpi/2.2.1/receiver/v2-tariffs/NL/ONE/T1" in emsp.objects
    assert (await network.cursor(emsp.id, "tariffs")).failures == 0


@pytest.mark.parametrize("fault", [http(404), refuse(2000, "n/a", http_status=405)])
async def test_an_endpoint_that_is_gone_holds_its_module_and_no_other(network, emsp, fault):
    emsp.fail(fault, on=TARIFFS)
    for number in range(5):
        await network.put("tariffs", tariff(id=f"T{number}"))
    await network.put("locations", location())
    await network.deliver()

    assert paths(emsp) == ["locations/NL/ONE/L1"]
    assert [r.path for r in emsp.requests].count("versions") == 1
    cursor = await network.cursor(emsp.id, "tariffs")
    assert cursor.wait.total_seconds() > 3590
    assert cursor.held_reason.startswith("HTTP 40")


# Records are owed.


async def test_a_refused_cdr_gets_two_more_tries_within_the_hour_then_somebody_must_look(
    network, emsp
):
    emsp.fail(refuse(2001, "unknown contract"), on="POST .*/cdrs")
    await network.put("cdrs", cdr())
    await network.deliver()
    waits = []
    for _ in range(3):
        [setback] = await network.rows("select *, next_attempt_at - now() as wait from setbacks")
        waits.append(setback.wait and round(setback.wait.total_seconds() / 60))
        await network.retry_now()
        await network.deliver()

    assert waits == [20, 40, None]
    [setback] = await network.setbacks()
    assert (setback.attempts, setback.next_attempt_at, setback.settled_at) == (3, None, None)
    assert len([r for r in emsp.requests if r.path == "cdrs"]) == 3


async def test_an_operator_has_a_setback_tried_again(network, emsp):
    emsp.fail(refuse(2001), on="POST .*/cdrs", times=3)
    await network.put("cdrs", cdr())
    await network.deliver()
    for _ in range(2):
        await network.retry_now()
        await network.deliver()
    [setback] = await network.setbacks()

    async with network.database.transaction(network.tenant_id) as db:
        await setbacks.replay(db, setback.id)
    await network.deliver()

    assert [push.body["id"] for push in emsp.received] == ["C1"]
    [setback] = await network.setbacks()
    assert setback.settled_at is not None
    async with network.database.transaction(network.tenant_id) as db:
        with pytest.raises(NotFound):
            await setbacks.replay(db, setback.id)


async def test_a_credit_waits_for_the_cdr_that_it_credits(network, emsp):
    """A receiver that does not have the CDR could make nothing of its credit (B: credit CDR)."""
    credit = cdr(id="C1-C", credit=True, credit_reference_id="C1")
    emsp.fail(refuse(2001, "no"), on="POST .*/cdrs", times=1)
    await network.put("cdrs", cdr())
    await network.put("cdrs", credit)
    await network.deliver()
    assert emsp.received == []

    await network.put("cdrs", cdr(id="C2"))
    await network.deliver()
    assert [push.body["id"] for push in emsp.received] == ["C2"]

    for _ in range(2):
        await network.retry_now()
        await network.deliver()
    assert [push.body["id"] for push in emsp.received] == ["C2", "C1", "C1-C"]


async def test_a_credit_comes_after_its_cdr_in_the_same_batch(network, emsp):
    credit = change("cdrs", cdr(id="A-CREDIT", credit=True, credit_reference_id="C1"))
    await network.write(credit, change("cdrs", cdr()))
    await network.deliver()

    assert [push.body["id"] for push in emsp.received] == ["C1", "A-CREDIT"]


async def test_a_cdr_that_the_receiver_has_already_is_settled(network, emsp):
    emsp.fail(refuse(2000, "CDR already exists"), on="POST .*/cdrs")
    await network.put("cdrs", cdr())
    await network.deliver()

    assert await network.setbacks() == []
    assert (await network.cursor(emsp.id, "cdrs")).delivered == 1


async def test_an_object_that_is_no_more_settles_its_setback(network, partners):
    """A setback whose object cannot be found has nothing to be tried again."""
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    await network.connect(cpo)
    cpo.fail(http(500), on="PUT .*/tokens/DE/TWO/1")
    await network.put("tokens", token(uid="1"))
    await network.put("tokens", token(uid="2"))
    await network.deliver()
    await network.run("delete from ocpi_tokens")
    await network.retry_now()
    await network.deliver()

    [setback] = await network.setbacks()
    assert setback.settled_at is not None
