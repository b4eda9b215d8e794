"""Whatever a platform answers, the examination ends with a report or says that there is nothing."""

from random import Random

import pytest

from hub.conformance.callbacks import Callbacks
from hub.conformance.examine import Plan, examine
from hub.conformance.subject import Unusable
from hub.models.values import Party
from tests.helpers.exemplary import Exemplary
from tests.helpers.replies import Plant

JUNK = (None, True, 0, -1, 1.5, "", "x", "2025-13-01T00:00:00Z", [], [None], {}, {"x": []}, [[]])


def chaos(seed):
    """Answers in which one or two things are something else, at random."""
    dice = Random(seed)

    def change(reply, request):
        # Without the first answers there is nothing to begin with.
        if request.path.count("/") < 3 and dice.random() < 0.7:
            return reply
        match dice.randrange(8):
            case 0:
                reply.data = junked(dice, reply.data)
            case 1:
                reply.data = dice.choice(JUNK)
            case 2:
                reply.headers = {name: dice.choice(["", "x", "-1"]) for name in reply.headers}
            case 3:
                reply.status_code = dice.choice(JUNK)
            case 4:
                reply.text = dice.choice(["", "<html>", '{"data": ', "[1]", '"x"', "null"])
            case 5:
                reply.http_status = dice.choice([201, 204, 301, 400, 404, 500, 599])
            case 6:
                links = "x", "", str(request.url), "http://["
                reply.headers["Link"] = f'<{dice.choice(links)}>; rel="next"'
        return reply

    return Plant("", change)


def junked(dice, value):
    """The same with something else in one place."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        name = dice.choice(list(value))
        return value | {name: junked(dice, value[name])}
    if isinstance(value, list) and value and dice.random() < 0.9:
        place = dice.randrange(len(value))
        return [*value[:place], junked(dice, value[place]), *value[place + 1 :]]
    return dice.choice(JUNK)


async def outcome(plan):
    try:
        report = await examine(plan)
    except Unusable as why:
        return str(why)
    assert report.as_json()
    return "\n".join(report.told())


@pytest.mark.parametrize("seed", range(24))
async def test_no_answer_breaks_the_examination(seed):
    version = ("2.1.1", "2.2.1", "2.3.0")[seed % 3]
    async with Exemplary(version, plant=chaos(seed)) as platform:
        token = platform.registered()
        plan = Plan(platform.versions_url, token, party=Party("NL", "TST"), allow_private=True)
        assert await outcome(plan)


@pytest.mark.parametrize("seed", range(12))
async def test_no_answer_breaks_the_examination_with_writing(seed):
    async with Exemplary(("2.2.1", "2.3.0")[seed % 2], plant=chaos(seed)) as platform:
        plan = Plan(
            platform.versions_url, platform.token_a, allow_private=True, callbacks=Callbacks()
        )
        assert await outcome(plan)
