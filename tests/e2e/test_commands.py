"""Commands between parties: passed on once, their results brought back (CMD-*, HUB-35, HUB-40)."""

import asyncio
import re

import pytest

from hub.keys import BACKGROUND
from tests.helpers import faults
from tests.helpers.commands import (
    COMMANDS,
    command,
    iso,
    kept,
    kept_results,
    let_pass,
    parties,
    told,
)
from tests.helpers.documents import location, session
from tests.helpers.partner import FakePartner

V = "2.2.1"
CPO, EMSP, HUB = ("NL", "ONE"), ("DE", "TWO"), ("NL", "HUB")
RESULT_URL = re.compile(r"/ocpi/2\.\d\.\d/sender/commands/results/[0-9a-f]{32}/[\w-]{43}")


async def send(emsp, name, **options):
    """A command with its standard body, or with ``changes`` in it."""
    body = command(name, emsp, **options.pop("changes", {}))
    return await emsp.post(f"commands/{name}", body, **options)


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_goes_to_the_party_named_and_its_result_comes_back_CMD_01_HUB_40_HUB_53(
    hub, cpo, emsp, name
):
    """CMD-02: the result goes to the very URL that the command came with."""
    asked = command(name, emsp, odd={"kept": 1.0})
    answer = await emsp.post(
        f"commands/{name}", asked, to=cpo, headers={"X-Correlation-ID": "joined"}
    )

    assert (answer.http_status, answer.status_code) == (200, 1000)
    assert answer.data == {"result": "ACCEPTED", "timeout": 30}
    assert parties(answer.headers) == {"to": EMSP, "from": CPO}
    [sent] = cpo.commands
    assert sent.path == f"commands/{name}"
    assert parties(sent.headers) == {"to": CPO, "from": EMSP}
    url = sent.body["response_url"]
    assert sent.body == asked | {"response_url": url}
    assert RESULT_URL.fullmatch(url.removeprefix(hub.url))

    taken = await cpo.send_result(sent)
    assert (taken.http_status, taken.status_code, taken.data) == (200, 1000, None)
    assert parties(taken.headers) == {"to": CPO, "from": EMSP}
    await hub.deliver()
    [result] = emsp.results
    assert (result.body, result.url) == ({"result": "ACCEPTED"}, asked["response_url"])
    assert parties(result.headers) == {"to": EMSP, "from": CPO}
    assert result.headers["X-Correlation-ID"] == "joined"
    [row] = await kept(hub)
    assert (row.type, row.state, row.direction) == (name, "FINISHED", "FORWARDED")
    [told_result] = await kept_results(hub)
    assert told_result.settled_at is not None


@pytest.mark.parametrize(("asking", "asked"), [("2.2.1", "2.3.0"), ("2.3.0", "2.2.1")])
async def test_commands_and_results_cross_versions_HUB_50(hub, partners, asking, asked):
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO", versions=(asked,)))
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=(asking,)))
    await hub.connect(cpo)
    await hub.connect(emsp)
    emaid = command("START_SESSION", emsp)["token"]
    if asking == "2.3.0":
        emaid |= {"type": "EMAID"}

    answer = await send(emsp, "START_SESSION", to=cpo, changes={"token": emaid})

    assert answer.data == {"result": "ACCEPTED", "timeout": 30}
    [sent] = cpo.commands
    # 2.2.1 does not know EMAID.
    assert sent.body["token"]["type"] == ("OTHER" if asked == "2.2.1" else "RFID")
    assert f"/ocpi/{asked}/sender/" in sent.body["response_url"]
    message = [{"language": "en", "text": "Plug in first."}]
    await cpo.call("POST", sent.body["response_url"], body={"result": "FAILED", "message": message})
    await hub.deliver()
    [result] = emsp.results
    assert result.body == {"result": "FAILED", "message": message}


async def test_what_is_neither_here_nor_there_is_passed_on_in_the_2_3_0_manner_CMD_16(
    hub, cpo, emsp
):
    """An unknown command with a response_url is passed on between equal versions."""
    body = {"response_url": emsp.response_url("HONK"), "location_id": "L1", "volume": 11}
    answer = await emsp.post("commands/HONK", body, to=cpo)

    assert answer.data["result"] == "ACCEPTED"
    [sent] = cpo.commands
    assert (sent.path, sent.body["volume"]) == ("commands/HONK", 11)
    await cpo.send_result(sent)
    assert await told(hub, emsp) == ["ACCEPTED"]
    nowhere = {"response_url": emsp.response_url("HONK"), "volume": 11}
    assert (await emsp.post("commands/HONK", nowhere)).data["result"] == "NOT_SUPPORTED"
    assert (await emsp.post("commands/HONK", {"volume": 11}, to=cpo)).status_code == 2001


# The destination table: whom a command is for that names nobody.


@pytest.fixture
async def charging(cpo, emsp):
    """NL*ONE has the location L1, and S1 is a session of DE*TWO there."""
    await cpo.put("locations/NL/ONE/L1", location(version=V))
    answer = await cpo.put("sessions/NL/ONE/S1", session(version=V))
    assert answer.ok, answer.text
    return cpo


@pytest.mark.parametrize("name", ["START_SESSION", "RESERVE_NOW", "UNLOCK_CONNECTOR"])
async def test_a_command_about_a_location_goes_to_its_owner_HUB_35(charging, emsp, name):
    answer = await send(emsp, name, changes={"location_id": "l1"})

    assert answer.data["result"] == "ACCEPTED"
    assert parties(answer.headers) == {"to": EMSP, "from": CPO}
    [sent] = charging.commands
    assert parties(sent.headers) == {"to": CPO, "from": EMSP}


async def test_stop_goes_to_the_owner_of_the_session_HUB_35(charging, emsp):
    assert (await send(emsp, "STOP_SESSION")).data["result"] == "ACCEPTED"

    assert [sent.path for sent in charging.commands] == ["commands/STOP_SESSION"]


async def test_what_was_pushed_to_one_emsp_by_name_is_found_as_well_HUB_35(
    hub, cpo, emsp, partners
):
    """It was forwarded and not kept; whose it is was remembered, for those parties only."""
    other = await partners.enter_async_context(FakePartner("FR*THR EMSP"))
    await hub.connect(other)
    await cpo.put("sessions/NL/ONE/S1", session(version=V), to=emsp)
    await cpo.put("locations/NL/ONE/L1", location(version=V), to=emsp)

    await hub.app[BACKGROUND].close()
    mine = [
        await send(emsp, "STOP_SESSION"),
        await send(emsp, "START_SESSION", changes={"location_id": "l1"}),
    ]
    stopped = await send(other, "STOP_SESSION")
    started = await send(other, "START_SESSION")

    assert [answer.data["result"] for answer in mine] == ["ACCEPTED", "ACCEPTED"]
    assert {sent.path for sent in cpo.commands} == {
        "commands/STOP_SESSION",
        "commands/START_SESSION",
    }
    assert (stopped.data["result"], started.status_code) == ("UNKNOWN_SESSION", 2003)


async def test_a_cancellation_goes_to_whom_the_reservation_was_asked_of_HUB_35(
    hub, charging, emsp, partners
):
    other = await partners.enter_async_context(FakePartner("FR*THR EMSP"))
    await hub.connect(other)
    await send(emsp, "RESERVE_NOW", to=charging)

    mine = await send(emsp, "CANCEL_RESERVATION", changes={"reservation_id": "r1"})
    nobodys = await send(emsp, "CANCEL_RESERVATION", changes={"reservation_id": "R2"})
    somebody_elses = await send(other, "CANCEL_RESERVATION")

    assert mine.data["result"] == "ACCEPTED"
    assert [one.data["result"] for one in (nobodys, somebody_elses)] == ["REJECTED"] * 2
    assert nobodys.status_code == 1000
    assert [sent.path for sent in charging.commands] == [
        "commands/RESERVE_NOW",
        "commands/CANCEL_RESERVATION",
    ]


@pytest.mark.parametrize(
    ("result", "found"), [("TIMEOUT", True), ("FAILED", False), ("CANCELED_RESERVATION", False)]
)
async def test_only_what_may_be_reserved_can_be_canceled_HUB_35(charging, emsp, result, found):
    """A reservation whose result came too late may have been made all the same."""
    await send(emsp, "RESERVE_NOW", to=charging)
    await charging.send_result(charging.commands[0], result)

    answer = await send(emsp, "CANCEL_RESERVATION", changes={"reservation_id": "R1"})

    assert answer.data["result"] == ("ACCEPTED" if found else "REJECTED")
    assert len(charging.commands) == 1 + found


@pytest.mark.parametrize("name", ["START_SESSION", "RESERVE_NOW", "UNLOCK_CONNECTOR"])
async def test_an_unknown_location_is_2003_with_rejected_CMD_05(cpo, emsp, name):
    answer = await send(emsp, name)

    assert (answer.http_status, answer.status_code) == (200, 2003)
    assert answer.data == {"result": "REJECTED", "timeout": 0}
    assert parties(answer.headers) == {"to": EMSP, "from": HUB}
    assert cpo.commands == []


async def test_an_unknown_session_is_told_in_the_answer_CMD_05(hub, charging, emsp, partners):
    """Another party's session is as unknown as one that does not exist."""
    other = await partners.enter_async_context(FakePartner("FR*THR EMSP"))
    await hub.connect(other)

    for answer in (
        await send(emsp, "STOP_SESSION", changes={"session_id": "S2"}),
        await send(other, "STOP_SESSION"),
    ):
        assert (answer.status_code, answer.data["result"]) == (1000, "UNKNOWN_SESSION")
    assert charging.commands == []


async def test_two_owners_of_one_location_id_are_never_guessed_between_AMB_18(
    hub, charging, emsp, partners
):
    other = await partners.enter_async_context(FakePartner("BE*ONE CPO"))
    await hub.connect(other)
    await other.put("locations/BE/ONE/L1", location(version=V, country_code="BE"))

    unclear = await send(emsp, "START_SESSION")
    clear = await send(emsp, "START_SESSION", to=other)

    assert (unclear.http_status, unclear.status_code) == (200, 4000)
    assert clear.data["result"] == "ACCEPTED"
    assert (len(charging.commands), len(other.commands)) == (0, 1)


async def test_a_command_cannot_be_broadcast_HUB_23(charging, emsp):
    answer = await send(emsp, "START_SESSION", to="NL*HUB")

    assert answer.status_code == 2001
    assert charging.commands == []


async def test_without_the_module_a_receiver_cannot_do_it_HUB_54(hub, emsp, partners):
    small = await partners.enter_async_context(FakePartner("NL*SML CPO"))
    small.without_modules.add(("commands", "RECEIVER"))
    await hub.connect(small)

    answer = await send(emsp, "START_SESSION", to=small)
    unknown = await send(emsp, "START_SESSION", to="XX*YYY")

    assert (answer.status_code, answer.data) == (1000, {"result": "NOT_SUPPORTED", "timeout": 0})
    assert unknown.status_code == 4001


async def test_without_an_agreement_nobody_is_reached_T_05(hub, charging, emsp):
    await hub.agree(taker="NL*ONE", module="commands", effect="BLOCK")

    for to in (None, charging):
        assert (await send(emsp, "START_SESSION", to=to)).status_code == 4000
    assert (charging.commands, await kept(hub)) == ([], [])


# What is asked is checked first.


@pytest.mark.parametrize(
    "changes",
    [
        {"response_url": None},
        {"response_url": "not a url"},
        {"response_url": "http://169.254.169.254/latest"},
        {"response_url": "https://elsewhere.example/results/1"},
        {"token": None},
        {"connector_id": "1"},
        {"location_id": "x" * 37},
    ],
)
async def test_a_command_that_cannot_be_answered_or_read_goes_nowhere_CMD_12_T_30(
    hub, cpo, emsp, changes
):
    answer = await send(emsp, "START_SESSION", to=cpo, changes=changes)

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert next(iter(changes)).removeprefix("connector_") in answer.message or "evse" in (
        answer.message
    )
    assert (cpo.commands, await kept(hub)) == ([], [])


@pytest.mark.parametrize("name", ["START_SESSION", "RESERVE_NOW"])
async def test_nobody_charges_with_somebody_elses_token_CMD_06_LOC_07(cpo, emsp, name):
    foreign = command(name, emsp)["token"] | {"party_id": "XXX"}

    answer = await send(emsp, name, to=cpo, changes={"token": foreign})

    assert (answer.status_code, answer.data["result"]) == (1000, "REJECTED")
    assert "DE*XXX" in answer.data["message"][0]["text"]
    assert cpo.commands == []


async def test_the_receivers_no_is_relayed_and_final_CMD_16(hub, cpo, emsp):
    cpo.command_response = {"result": "REJECTED", "timeout": 5, "message": []}

    answer = await send(emsp, "START_SESSION", to=cpo)

    assert (answer.status_code, answer.data) == (1000, cpo.command_response)
    [row] = await kept(hub)
    assert (row.state, row.response["result"]) == ("REFUSED", "REJECTED")
    # A result that comes all the same is kept for the operator.
    assert (await cpo.send_result(cpo.commands[0])).status_code == 1000
    assert await told(hub, emsp) == []
    assert [one.told for one in await kept_results(hub)] == [False]


async def test_an_answer_without_timeout_or_in_a_list_is_understood(hub, emsp, partners):
    """Seen in the field; across versions it is put right."""
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO", versions=("2.3.0",)))
    await hub.connect(cpo)
    cpo.command_response = [{"result": "ACCEPTED"}]

    answer = await send(emsp, "START_SESSION", to=cpo)

    assert answer.data == {"result": "ACCEPTED", "timeout": 30}
    [row] = await kept(hub)
    assert row.state == "ANSWERED"


# Results: whose, when, how often.


async def test_a_result_must_come_from_the_one_that_was_asked_T_33(hub, cpo, emsp, partners):
    other = await partners.enter_async_context(FakePartner("BE*OTH CPO"))
    await hub.connect(other)
    await send(emsp, "START_SESSION", to=cpo)
    [sent] = cpo.commands

    for answer in (
        await other.send_result(sent),
        await emsp.send_result(sent),
        await cpo.call("POST", sent.body["response_url"][:-1] + "x", body={"result": "FAILED"}),
    ):
        assert (answer.http_status, answer.status_code) == (404, 2001)
    wrong_token = await cpo.send_result(sent, token="no-token-of-the-hub")
    assert wrong_token.http_status == 401
    pretended = await cpo.send_result(sent, from_=("DE", "TWO"))
    assert (pretended.http_status, pretended.status_code) == (403, 2001)
    assert await told(hub, emsp) == []
    assert (await cpo.send_result(sent)).status_code == 1000
    assert await told(hub, emsp) == ["ACCEPTED"]


async def test_a_result_without_authorization_is_taken_at_its_url(hub, cpo, emsp):
    """Tolerance 15: nobody else was told that URL."""
    await send(emsp, "START_SESSION", to=cpo)
    url = cpo.commands[0].body["response_url"]
    bare = {"routed": False, "headers": {"Authorization": None, "X-Request-ID": None}}

    guessed = await cpo.call("POST", url[:-1] + "x", body={"result": "FAILED"}, **bare)
    answer = await cpo.call("POST", url, body={"result": "ACCEPTED"}, **bare)

    assert (guessed.http_status, guessed.status_code) == (404, 2001)
    assert answer.status_code == 1000
    assert parties(answer.headers) == {"to": CPO, "from": EMSP}
    assert await told(hub, emsp) == ["ACCEPTED"]


async def test_a_partner_may_be_held_to_show_its_token(hub, emsp, partners):
    strict = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    await hub.connect(strict, callbacks_need_token=True)
    await send(emsp, "START_SESSION", to=strict)
    [sent] = strict.commands

    bare = await strict.send_result(sent, headers={"Authorization": None})

    assert (bare.http_status, bare.status_code) == (401, 2000)
    assert (await strict.send_result(sent)).status_code == 1000


async def test_who_tries_response_urls_is_slowed_down_T_33(hub, cpo, emsp):
    await cpo.get("tokens")
    await send(emsp, "START_SESSION", to=cpo)
    url = cpo.commands[0].body["response_url"]
    bare = {"routed": False, "headers": {"Authorization": None}}

    for number in range(30):
        guess = f"{url[:-3]}{number:03}"
        answer = await cpo.call("POST", guess, body={"result": "FAILED"}, **bare)

    assert answer.http_status == 429
    assert (await cpo.send_result(cpo.commands[0])).status_code == 1000


@pytest.mark.parametrize(
    "body", [{"result": "PERHAPS"}, {}, [], "ACCEPTED", {"result": "ACCEPTED", "message": "yes"}]
)
async def test_a_result_that_cannot_be_read_is_refused_and_may_come_again(hub, cpo, emsp, body):
    await send(emsp, "START_SESSION", to=cpo)
    [sent] = cpo.commands

    answer = await cpo.call("POST", sent.body["response_url"], body=body)

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert (await cpo.send_result(sent)).status_code == 1000
    assert await told(hub, emsp) == ["ACCEPTED"]


async def test_the_same_result_again_is_a_success_and_told_once(hub, cpo, emsp):
    await send(emsp, "START_SESSION", to=cpo)
    [sent] = cpo.commands

    answers = [await cpo.send_result(sent) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {1000}
    assert await told(hub, emsp) == ["ACCEPTED"]


async def test_a_result_that_contradicts_the_first_is_kept_and_not_told(hub, cpo, emsp):
    await send(emsp, "START_SESSION", to=cpo)
    [sent] = cpo.commands
    await cpo.send_result(sent, "FAILED")

    answer = await cpo.send_result(sent, "ACCEPTED")

    assert answer.status_code == 1000
    assert await told(hub, emsp) == ["FAILED"]
    assert [one.told for one in await kept_results(hub)] == [True, False]


async def test_nobody_fills_the_database_with_results(hub, cpo, emsp):
    await send(emsp, "START_SESSION", to=cpo)
    [sent] = cpo.commands

    codes = []
    for number in range(15):
        message = [{"language": "en", "text": f"number {number}"}]
        body = {"result": "FAILED", "message": message}
        answer = await cpo.call("POST", sent.body["response_url"], body=body)
        codes.append(answer.status_code)

    assert codes == [1000] * 10 + [2001] * 5


async def test_a_reservation_may_be_canceled_by_the_cpo_until_it_ends_CMD_11(hub, cpo, emsp):
    await send(emsp, "RESERVE_NOW", to=cpo, changes={"expiry_date": iso(hours=5)})
    [sent] = cpo.commands
    await cpo.send_result(sent)
    assert await told(hub, emsp) == ["ACCEPTED"]
    await let_pass(hub, hours=4)

    await cpo.send_result(sent, "CANCELED_RESERVATION")
    await cpo.send_result(sent, "CANCELED_RESERVATION")

    assert await told(hub, emsp) == ["ACCEPTED", "CANCELED_RESERVATION"]
    assert [one.late for one in await kept_results(hub)] == [False, False]
    await let_pass(hub, hours=4)
    gone = await cpo.send_result(sent, "CANCELED_RESERVATION")
    assert (gone.http_status, gone.status_code) == (404, 2001)


async def test_a_result_reaches_an_emsp_that_was_away(hub, cpo, emsp):
    await send(emsp, "START_SESSION", to=cpo)
    emsp.away = True
    await cpo.send_result(cpo.commands[0])
    assert await told(hub, emsp) == []

    emsp.away = False
    await hub.retry_now()

    assert await told(hub, emsp) == ["ACCEPTED"]


async def test_a_result_nobody_waits_for_any_more_is_not_told(hub, cpo, emsp):
    await send(emsp, "START_SESSION", to=cpo)
    emsp.away = True
    await cpo.send_result(cpo.commands[0])
    await hub.deliver()
    await hub.stop()
    await hub.start()
    await let_pass(hub, hours=2)

    emsp.away = False
    await hub.retry_now()

    assert await told(hub, emsp) == []
    [result] = await kept_results(hub)
    assert (result.told, result.settled_at) == (True, None)


@pytest.mark.parametrize("fault", [faults.http(404), faults.refuse(2001), faults.http(410)])
async def test_one_dead_response_url_holds_up_no_other(hub, cpo, emsp, fault):
    emsp.fail(fault, on="POST .*START_SESSION")
    await send(emsp, "START_SESSION", to=cpo)
    await send(emsp, "STOP_SESSION", to=cpo)
    await cpo.send_result(cpo.commands[0], "FAILED")
    await cpo.send_result(cpo.commands[1], "ACCEPTED")

    await hub.deliver()

    assert [push.body["result"] for push in emsp.results] == ["ACCEPTED"]


async def test_results_need_no_sender_interface_at_the_emsp(hub, cpo, partners):
    """The URL says it all."""
    plain = await partners.enter_async_context(FakePartner("FR*PLN EMSP"))
    plain.without_modules |= {("commands", "SENDER"), ("commands", "RECEIVER")}
    await hub.connect(plain)

    await send(plain, "START_SESSION", to=cpo)
    await cpo.send_result(cpo.commands[0])

    assert await told(hub, plain) == ["ACCEPTED"]


async def test_the_hub_offers_both_interfaces_of_commands_HUB_04(hub, cpo):
    assert {("commands", "SENDER"), ("commands", "RECEIVER")} <= cpo.endpoints.keys()


async def test_every_command_has_a_url_of_its_own_CMD_02_HUB_51(hub, cpo, emsp):
    """What went through is on record, and nothing else of it is kept."""
    for _ in range(3):
        await send(emsp, "START_SESSION", to=cpo)

    assert len({sent.body["response_url"] for sent in cpo.commands}) == 3
    assert [row.type for row in await kept(hub)] == ["START_SESSION"] * 3
    assert (await emsp.get("tokens", to="NL*HUB")).data == []


async def test_the_response_url_is_kept_encrypted_and_the_hubs_only_as_a_digest(hub, cpo, emsp):
    asked = command("START_SESSION", emsp)
    await emsp.post("commands/START_SESSION", asked, to=cpo)

    [row] = await kept(hub)
    everything = str(vars(row))
    assert asked["response_url"] not in everything
    assert cpo.commands[0].body["response_url"].rsplit("/", 1)[1] not in everything


async def test_many_commands_at_once_each_get_their_own_result(hub, cpo, emsp):
    names = [f"L{number}" for number in range(20)]
    await asyncio.gather(
        *(send(emsp, "START_SESSION", to=cpo, changes={"location_id": name}) for name in names)
    )

    results = {}
    for sent in cpo.commands:
        result = "ACCEPTED" if int(sent.body["location_id"][1:]) % 2 else "EVSE_OCCUPIED"
        await cpo.send_result(sent, result)
        results[sent.body["location_id"]] = result
    await hub.deliver()

    by_url = {push.url: push.body["result"] for push in emsp.results}
    assert len(by_url) == len(emsp.results) == 20
    assert sorted(by_url.values()) == sorted(results.values())
