"""The hub is killed in the middle of commands: none is sent twice, and no result is lost (F-12)."""

import asyncio

import aiohttp
import pytest

from tests.e2e.test_crash import connect, kill, killable, until_accepted
from tests.helpers.commands import command
from tests.helpers.partner import FakePartner

__all__ = ["killable"]


async def test_killed_between_the_answer_and_the_result_the_hub_brings_the_result_back_F_12(
    killable,
):
    """Killed when the CPO has accepted and its answer is on its way, and again when the result is
    acknowledged and not yet with the eMSP.
    """
    async with FakePartner("NL*ONE CPO") as cpo, FakePartner("DE*TWO EMSP") as emsp:
        await connect(killable, cpo)
        await connect(killable, emsp)

        async def kill_the_hub(request, proceed):
            response = await proceed()
            await kill(killable, "hub")
            return response

        cpo.fail(kill_the_hub, on="POST .*/receiver/commands", times=1)
        asked = command("START_SESSION", emsp)
        with pytest.raises(aiohttp.ClientError):
            await emsp.post("commands/START_SESSION", asked, to=cpo)
        [sent] = cpo.commands

        emsp.away = True
        async with asyncio.timeout(120):
            await until_accepted(lambda: cpo.send_result(sent))
            await emsp.until(
                lambda emsp: any(one.url == asked["response_url"] for one in emsp.requests)
            )
            await kill(killable, "hub")
            emsp.away = False
            await emsp.until(lambda emsp: emsp.results, within=90)

        assert [push.body for push in emsp.results] == [{"result": "ACCEPTED"}]
        assert emsp.results[0].url == asked["response_url"]
        assert len(cpo.commands) == 1
