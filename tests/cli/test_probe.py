"""``hub partner probe``: what a platform supports, and where it deviates."""

import pytest

from tests.helpers.documents import location, tariff
from tests.helpers.faults import http
from tests.helpers.partner import FakePartner


@pytest.fixture
async def cpo(hub):
    async with FakePartner("NL*ONE CPO", name="One") as partner:
        partner.own["tariffs"] = [tariff(version="2.2.1", id=f"T{n}") for n in range(4)]
        partner.own["locations"] = [location(version="2.2.1")]
        await hub.connect(partner)
        yield partner


async def test_a_probe_is_shown_and_kept(command, cpo):
    probed = await command("partner", "probe", "one")
    last = await command("partner", "probe", "one", "--last", "--json")

    assert probed.code == 0
    assert "Quirks" in probed.out
    assert "none" in probed.out
    assert "tariffs            RECEIVER, SENDER  lists 4" in probed.out
    assert "all reading checks" in probed.out
    assert last.json["whole"] is True
    assert last.json["used"]["slash"] == "as_listed"


async def test_a_brief_probe_asks_nothing_that_is_wrong_on_purpose(command, cpo):
    cpo.requests.clear()

    probed = await command("partner", "probe", "one", "--brief", "--json")

    assert probed.json["whole"] is False
    assert probed.json["not_checked"] > 0
    assert all(cpo.tokens.kind(r.headers.get("Authorization", "")) for r in cpo.requests)


async def test_what_was_found_and_what_is_configured_are_told_apart(command, hub, cpo):
    async def refuse_larger(request, proceed):
        if int(request.query.get("limit", 0)) > 50:
            return await http(400)(request, proceed)
        return await proceed()

    cpo.fail(refuse_larger, on="sender")
    await command("partner", "probe", "one", "--brief")
    await hub.configure("One", quirks={"page_limit": 10})

    last = await command("partner", "probe", "one", "--last")

    assert "page_limit: 50" in last.out
    assert "Configured instead: page_limit: 10" in last.out


async def test_who_does_not_answer_cannot_be_probed(command, cpo):
    cpo.fail(http(503), on="versions")

    failed = await command("partner", "probe", "one")

    assert (failed.code, "The probe ended early" in failed.err) == (1, True)


async def test_who_was_not_probed_has_no_report(command, cpo):
    last = await command("partner", "probe", "one", "--last")

    assert (last.code, "has not been probed" in last.err) == (4, True)
