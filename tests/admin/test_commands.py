"""Commands as operators see them: who asked whom, what was answered, what came of it."""

from tests.helpers import faults
from tests.helpers.commands import command, let_pass


async def send(emsp, to, name="START_SESSION", **changes):
    return await emsp.post(f"commands/{name}", command(name, emsp, **changes), to=to)


async def only(operator, **query):
    [found] = (await operator.get("/commands", **query)).body["items"]
    return (await operator.get(f"/commands/{found['id']}")).body


async def test_the_whole_life_of_a_command_can_be_seen(hub, operator, cpo, emsp):
    await send(emsp, cpo)
    sent = await only(operator)
    await cpo.send_result(cpo.commands[0], "FAILED")
    await cpo.send_result(cpo.commands[0], "ACCEPTED")
    await hub.deliver()
    ended = await only(operator)

    assert (sent["type"], sent["state"], sent["direction"]) == (
        "START_SESSION",
        "ANSWERED",
        "FORWARDED",
    )
    assert (sent["from"], sent["to"], sent["about"]) == ("DE*TWO", "NL*ONE", "LOCATION/L1")
    assert sent["response"] == {"result": "ACCEPTED", "timeout": 30}
    assert (sent["result"], sent["results"]) == (None, [])
    assert sent["answered_at"] < sent["deadline_at"] < sent["taken_until"]
    assert (ended["state"], ended["result"]) == ("FINISHED", "FAILED")
    first, second = ended["results"]
    assert (first["result"], first["told"], first["late"]) == ({"result": "FAILED"}, True, False)
    assert first["taken_at"] is not None
    assert (second["result"], second["told"], second["taken_at"]) == (
        {"result": "ACCEPTED"},
        False,
        None,
    )


async def test_neither_the_driver_nor_an_url_is_shown(operator, cpo, emsp):
    asked = command("START_SESSION", emsp)
    asked["token"] |= {"uid": "04A2B3C4D5E6F7", "contract_id": "DE-TWO-C0123456"}
    await emsp.post("commands/START_SESSION", asked, to=cpo)

    shown = str(await only(operator))

    assert "04A2B3C4D5E6F7" not in shown
    assert "C0123456" not in shown
    assert asked["response_url"] not in shown
    assert cpo.commands[0].body["response_url"] not in shown


async def test_what_is_unknown_is_told_as_such_and_a_late_result_as_late(hub, operator, cpo, emsp):
    cpo.fail(faults.vanish_after(), on="POST .*/receiver/commands")
    await send(emsp, cpo)
    unknown = await only(operator, state="UNKNOWN")
    await let_pass(hub, minutes=5)
    cpo.heal()
    await cpo.send_result(cpo.commands[0])
    late = await only(operator, state="FINISHED")

    assert "did not answer" in unknown["error"]
    assert [one["late"] for one in late["results"]] == [True]


async def test_a_time_out_is_the_hubs_own_word(hub, operator, cpo, emsp):
    await send(emsp, cpo)
    await let_pass(hub, minutes=5)
    await hub.run("expire commands")

    expired = await only(operator, state="EXPIRED")

    assert expired["result"] == "TIMEOUT"
    assert [one["by_hub"] for one in expired["results"]] == [True]


async def test_commands_are_found_by_party_kind_and_what_they_are_about(operator, cpo, emsp):
    await send(emsp, cpo, "STOP_SESSION", session_id="S7")
    await send(emsp, cpo, "UNLOCK_CONNECTOR")

    async def found(**query):
        items = (await operator.get("/commands", **query)).body["items"]
        return [one["type"] for one in items]

    assert await found() == ["UNLOCK_CONNECTOR", "STOP_SESSION"]
    assert await found(about="session/s7") == ["STOP_SESSION"]
    assert await found(type="UNLOCK_CONNECTOR") == ["UNLOCK_CONNECTOR"]
    assert len(await found(**{"from": "DE*TWO", "to": "NL*ONE"})) == 2
    assert await found(to="DE*TWO") == []
    wrong = await operator.get("/commands", state="LOST")
    assert (wrong.status, wrong.error["field"]) == (400, "state")
    assert (await operator.get("/commands", to="somebody")).error["field"] == "to"


async def test_every_command_is_in_the_audit_log_T_52(operator, cpo, emsp):
    await send(emsp, cpo, "UNLOCK_CONNECTOR")

    logged = (await operator.get("/audit", entity_type="command")).body["items"]

    assert [one["description"] for one in logged] == ["UNLOCK_CONNECTOR from DE*TWO to NL*ONE"]
