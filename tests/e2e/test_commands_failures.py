"""Whatever goes wrong with a command: it is carried out at most once, and its caller is told once.

The rows are those of F-12, with a real CPO and a real eMSP; ``unknown`` is told as such.
"""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.errors import Unavailable
from hub.models.commands import Command
from tests.helpers import faults
from tests.helpers.commands import command, kept, kept_results, let_pass, told
from tests.helpers.hub import RunningHub
from tests.helpers.partner import FakePartner

ON_COMMANDS = "POST .*/receiver/commands"
# To the database, of a hub that shall run out of them.
CONNECTIONS = 4


async def send(emsp, to, name="START_SESSION", **options):
    return await emsp.post(f"commands/{name}", command(name, emsp), to=to, **options)


async def only(hub):
    [row] = await kept(hub)
    return row


# The way there.


async def test_a_connection_that_cannot_be_made_is_4003_F_12(hub, cpo, emsp):
    await cpo.stop_listening()

    answer = await send(emsp, cpo)

    assert (answer.http_status, answer.status_code) == (200, 4003)
    row = await only(hub)
    assert row.state == "REFUSED"
    assert "reached" in row.error


@pytest.mark.parametrize("fault", [faults.vanish(), faults.vanish_after(), faults.vanish_midway()])
async def test_a_connection_that_is_cut_leaves_the_outcome_unknown_F_12(hub, cpo, emsp, fault):
    """Never sent again; a result that comes is told."""
    cpo.fail(fault, on=ON_COMMANDS)

    answer = await send(emsp, cpo)

    assert (answer.http_status, answer.status_code) == (200, 4002)
    assert (await only(hub)).state == "UNKNOWN"
    sent = [push for push in cpo.requests if push.module == "commands"]
    assert len(sent) == 1
    await let_pass(hub, minutes=5)
    await hub.run("expire commands")
    assert await told(hub, emsp) == []

    assert (await cpo.send_result(sent[0])).status_code == 1000

    assert await told(hub, emsp) == ["ACCEPTED"]
    assert (await only(hub)).state == "FINISHED"
    assert len([push for push in cpo.requests if push.module == "commands"]) == 1


@asynccontextmanager
async def server_that_hangs_up():
    """Reads the head of a request and a little more, then resets the connection."""
    heard = []

    async def hang_up(reader, writer):
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        await reader.read(100)
        writer.transport.abort()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", heard


async def test_a_connection_that_is_cut_within_the_body_leaves_the_outcome_unknown_F_12(
    hub, emsp, partners
):
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    async with server_that_hangs_up() as (origin, heard):

        def elsewhere(endpoints):
            return [
                one | {"url": f"{origin}/commands"} if one["identifier"] == "commands" else one
                for one in endpoints
            ]

        cpo.endpoint_changes = elsewhere
        await hub.connect(cpo, allowed_origins=[origin])
        large = command("START_SESSION", emsp, padding=["x" * 50_000] * 8)
        answer = await emsp.post("commands/START_SESSION", large, to=cpo)

    assert answer.status_code == 4002
    assert len(heard) == 1
    assert (await only(hub)).state == "UNKNOWN"


async def test_no_answer_in_time_leaves_the_outcome_unknown_F_12(hub, cpo, emsp):
    answered = asyncio.Event()
    cpo.fail(faults.hold(answered), on=ON_COMMANDS)

    answer = await send(emsp, cpo, headers={"X-Request-Timeout": "0.5"})

    assert answer.status_code == 4002
    assert (await only(hub)).state == "UNKNOWN"
    answered.set()


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (faults.http(502, "bad gateway"), (4000, "UNKNOWN")),
        (faults.http(504, "gateway timeout"), (4000, "UNKNOWN")),
        (faults.html(), (4000, "UNKNOWN")),
        (faults.rubbish(), (4000, "UNKNOWN")),
        (faults.answer({"odd": 1}), (1000, "UNKNOWN")),
        (faults.http(401), (4003, "REFUSED")),
        (faults.http(404, "nothing here"), (4000, "REFUSED")),
        (faults.refuse(2001, "no such thing"), (2001, "REFUSED")),
        (faults.refuse(3000, "out of order", http_status=500), (3000, "REFUSED")),
        (faults.answer({"result": "NOT_SUPPORTED", "timeout": 0}), (1000, "REFUSED")),
    ],
)
async def test_an_odd_answer_is_told_and_remembered_for_what_it_is_HUB_47(
    hub, cpo, emsp, fault, outcome
):
    cpo.fail(fault, on=ON_COMMANDS)

    answer = await send(emsp, cpo)

    assert (answer.status_code, (await only(hub)).state) == outcome


async def test_the_database_may_be_away_when_the_answer_comes(
    postgres, data_dir, tenant, partners: AsyncExitStack
):
    """The caller must not hear that nothing was kept: it would send the command again."""
    hub = RunningHub(postgres.url, data_dir, tenant.id, database_pool=CONNECTIONS)
    await hub.start()
    partners.push_async_callback(hub.stop)
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    await hub.connect(cpo)
    await hub.connect(emsp)
    answered, holding = asyncio.Event(), []

    async def hold_a_connection():
        with suppress(Unavailable):
            async with hub.database.transaction(tenant.id):
                await answered.wait()

    async def take_all(request, proceed):
        # Twice as many as there are: who gives one back gives it to one of these.
        holding.extend(asyncio.create_task(hold_a_connection()) for _ in range(2 * CONNECTIONS))
        return await proceed()

    cpo.fail(take_all, on=ON_COMMANDS)
    answer = await send(emsp, cpo)
    answered.set()
    await asyncio.gather(*holding)

    assert (answer.status_code, answer.data["result"]) == (1000, "ACCEPTED")
    assert (await only(hub)).state == "OPENED"
    await cpo.send_result(cpo.commands[0])
    assert await told(hub, emsp) == ["ACCEPTED"]


# The same once more.


async def test_a_command_that_is_sent_again_is_not_carried_out_again_T_10(hub, cpo, emsp):
    """By an impatient client, or by somebody who recorded it."""
    body = command("START_SESSION", emsp)
    going, held = asyncio.Event(), faults.hold
    cpo.fail(held(going), on=ON_COMMANDS, times=1)
    first = asyncio.create_task(emsp.post("commands/START_SESSION", body, to=cpo))
    await cpo.until(lambda cpo: [one for one in cpo.requests if one.module == "commands"])

    meanwhile = await emsp.post("commands/START_SESSION", body, to=cpo)
    going.set()
    again = await first
    later = await emsp.post("commands/START_SESSION", body, to=cpo)

    assert meanwhile.status_code == 4002
    assert (again.data, later.data) == ({"result": "ACCEPTED", "timeout": 30},) * 2
    assert len(cpo.commands) == 1
    await cpo.send_result(cpo.commands[0])
    assert await told(hub, emsp) == ["ACCEPTED"]


async def test_the_same_words_are_a_new_command_once_the_first_has_ended(hub, cpo, emsp):
    """Some platforms have one response_url for all; only X-Request-ID tells a replay then."""
    body, sent = command("START_SESSION", emsp), {"X-Request-ID": "one"}
    await emsp.post("commands/START_SESSION", body, to=cpo, headers=sent)
    await cpo.send_result(cpo.commands[0])

    replayed = await emsp.post("commands/START_SESSION", body, to=cpo, headers=sent)
    anew = await emsp.post("commands/START_SESSION", body, to=cpo)

    assert (replayed.data["result"], anew.data["result"]) == ("ACCEPTED", "ACCEPTED")
    assert len(cpo.commands) == 2


async def test_what_was_not_carried_out_may_be_tried_again(hub, cpo, emsp):
    body, ids = command("START_SESSION", emsp), {"X-Request-ID": "one"}
    await cpo.stop_listening()
    failed = await emsp.post("commands/START_SESSION", body, to=cpo, headers=ids)
    await cpo.listen()

    answer = await emsp.post("commands/START_SESSION", body, to=cpo, headers=ids)

    assert (failed.status_code, answer.status_code) == (4003, 1000)
    assert len(cpo.commands) == 1


# The way back.


async def test_a_result_may_come_before_the_answer_F_12(hub, cpo, emsp):
    async def eager(request, proceed):
        response = await proceed()
        assert (await cpo.send_result(cpo.commands[0])).status_code == 1000
        return response

    cpo.fail(eager, on=ON_COMMANDS)
    answer = await send(emsp, cpo)

    assert answer.data["result"] == "ACCEPTED"
    assert await told(hub, emsp) == ["ACCEPTED"]
    row = await only(hub)
    assert (row.state, row.response["result"]) == ("FINISHED", "ACCEPTED")


async def test_without_a_result_in_time_the_caller_is_told_TIMEOUT_CMD_04_F_12(hub, cpo, emsp):
    cpo.command_response = {"result": "ACCEPTED", "timeout": 120}
    await send(emsp, cpo)
    await let_pass(hub, seconds=100)
    await hub.run("expire commands")
    assert await told(hub, emsp) == []

    await let_pass(hub, seconds=30)
    await hub.run("expire commands")
    await hub.run("expire commands")

    assert await told(hub, emsp) == ["TIMEOUT"]
    assert (await only(hub)).state == "EXPIRED"


async def test_a_late_result_is_kept_and_flagged_but_the_caller_has_its_answer_F_12(hub, cpo, emsp):
    await send(emsp, cpo)
    await let_pass(hub, minutes=5)
    await hub.run("expire commands")

    answer = await cpo.send_result(cpo.commands[0])

    assert answer.status_code == 1000
    assert await told(hub, emsp) == ["TIMEOUT"]
    timeout, late = await kept_results(hub)
    assert (timeout.by_hub, timeout.told, late.late, late.told) == (True, True, True, False)


async def test_a_late_result_is_told_if_nothing_was_told_yet_F_12(hub, cpo, emsp):
    await send(emsp, cpo)
    await let_pass(hub, minutes=5)

    await cpo.send_result(cpo.commands[0])
    await hub.run("expire commands")

    assert await told(hub, emsp) == ["ACCEPTED"]
    assert [one.late for one in await kept_results(hub)] == [True]


async def test_after_its_time_the_response_url_is_gone_T_33_F_12(hub, cpo, emsp):
    await send(emsp, cpo)
    await let_pass(hub, hours=2)

    answer = await cpo.send_result(cpo.commands[0])

    assert (answer.http_status, answer.status_code) == (404, 2001)
    await hub.run("expire commands")
    assert await told(hub, emsp) == ["TIMEOUT"]


async def test_a_hub_that_is_stopped_and_started_finds_the_way_back(hub, cpo, emsp):
    await send(emsp, cpo)
    await hub.stop()
    await hub.start()

    assert (await cpo.send_result(cpo.commands[0])).status_code == 1000

    assert await told(hub, emsp) == ["ACCEPTED"]


@pytest.mark.parametrize("seconds", [-5, 0, 10**9])
async def test_an_absurd_timeout_is_kept_within_bounds(hub, cpo, emsp, seconds):
    cpo.command_response = {"result": "ACCEPTED", "timeout": seconds}

    answer = await send(emsp, cpo)

    assert answer.data["timeout"] == seconds
    row = await only(hub)
    assert 0 < (row.deadline_at - row.answered_at).total_seconds() <= 86_400


async def test_commands_are_forgotten_when_nobody_looks_back_any_more(hub, cpo, emsp):
    """What was asked names drivers."""
    await send(emsp, cpo)
    await cpo.send_result(cpo.commands[0])
    await send(emsp, cpo, "STOP_SESSION")
    async with hub.database.transaction(hub.tenant_id) as db:
        [first, _] = await db.scalars(select(Command).order_by(Command.created_at))
        first.created_at -= timedelta(days=91)

    await hub.run("forget commands")

    assert [row.type for row in await kept(hub)] == ["STOP_SESSION"]
    assert await kept_results(hub) == []
