"""``hub partner sync``: pulling a partner's lists, watching it, stopping it."""

import asyncio
import os

import pytest

from hub.cli.client import Hub
from hub.keys import PULLER
from tests.helpers.documents import tariff
from tests.helpers.faults import hold, http, where
from tests.helpers.partner import FakePartner


@pytest.fixture
async def cpo(hub):
    async with FakePartner("NL*ONE CPO", name="One", versions=("2.2.1",)) as partner:
        partner.page_limit = 10
        partner.own["tariffs"] = [tariff(version="2.2.1", id=f"T{n:02}") for n in range(25)]
        await hub.connect(partner)
        yield partner


def rows(ended):
    return {row["module"]: row for row in ended.json["items"]}


async def test_a_pull_is_followed_to_its_end(command, cpo):
    ended = await command("partner", "sync", "one", "tariffs", "--full")

    assert ended.code == 0
    assert "full: 25, 25 created" in ended.out
    assert len([r for r in cpo.requests if r.path == "tariffs"]) == 3


async def test_all_that_is_offered_is_pulled_and_only_what_changed_the_second_time(command, cpo):
    first = await command("partner", "sync", "one", "--json")
    second = await command("partner", "sync", "one", "tariffs", "--json")
    cpo.own["tariffs"][3]["last_updated"] = "2025-07-01T00:00:00Z"
    since = ("--since", "2025-06-15T00:00:00Z")
    third = await command("partner", "sync", "one", "tariffs", *since, "--json")

    kinds = {name: row["result"]["kind"] for name, row in rows(first).items()}
    assert kinds == dict.fromkeys(("locations", "tariffs", "sessions", "cdrs"), "full")
    assert rows(second)["tariffs"]["result"]["kind"] == "delta"
    assert rows(second)["tariffs"]["result"]["reason"] == "asked for"
    assert rows(third)["tariffs"]["result"]["counts"] == {"objects": 1, "pages": 1, "unchanged": 1}


async def test_a_pull_that_breaks_off_is_told_and_goes_on_later(command, hub, cpo):
    cpo.fail(where(http(503), offset="10", times=1), on="tariffs")

    broken = await command("partner", "sync", "one", "tariffs")
    again = await command("partner", "sync", "one", "tariffs")

    assert (broken.code, "tariffs: HTTP 503" in broken.err) == (1, True)
    assert again.code == 0
    offsets = [r.query.get("offset") for r in cpo.requests if r.path == "tariffs"]
    assert offsets == ["0", "10", "10", "20"]


async def test_a_pull_can_be_cancelled(command, hub, cpo):
    go = asyncio.Event()
    cpo.fail(where(hold(go), offset="10"), on="tariffs")
    begun = await command("partner", "sync", "one", "tariffs", "--full", "--no-wait", "--json")
    await cpo.until(lambda one: any(r.query.get("offset") == "10" for r in one.requests))

    cancelled = await command("partner", "sync", "one", "tariffs", "--cancel", "--json")
    go.set()
    await hub.app[PULLER].idle()
    after = await command("partner", "sync", "one", "--status", "--json")

    assert rows(begun)["tariffs"]["state"] == "RUNNING"
    assert rows(cancelled)["tariffs"]["asked"] is False
    assert rows(after)["tariffs"]["result"]["outcome"] == "CANCELLED"
    assert rows(after)["tariffs"]["run"] is None


async def test_a_broken_pull_that_nobody_is_at_is_cancelled_at_once(command, hub, cpo):
    cpo.fail(where(http(503), offset="10"), on="tariffs")
    await command("partner", "sync", "one", "tariffs", "--full")

    cancelled = await command("partner", "sync", "one", "tariffs", "--cancel", "--json")

    assert rows(cancelled)["tariffs"]["result"]["outcome"] == "CANCELLED"
    assert rows(cancelled)["tariffs"]["result"]["counts"]["created"] == 10


async def test_showing_a_partner_tells_how_fresh_its_data_is(command, hub, cpo):
    await command("partner", "sync", "one", "tariffs")
    cpo.fail(http(503), on="sender")
    await hub.sql(
        "update sync_states set full_at = now() - interval '3 days', delta_at = null"
        " where module = 'tariffs'"
    )

    shown = await command("partner", "show", "one")
    as_json = await command("partner", "show", "one", "--json")

    assert "STALE" in shown.out
    assert "No pull has ended well for 3 days" in shown.out
    [row] = [row for row in as_json.json["sync"] if row["module"] == "tariffs"]
    assert (row["stale"], row["result"]["counts"]["created"]) == (True, 25)


async def test_what_cannot_be_pulled_is_refused_with_what_can(command, hub, cpo):
    tokens = await command("partner", "sync", "one", "tokens")
    both = await command("partner", "sync", "one", "--full", "--since", "2025-01-01T00:00:00Z")
    odd = await command("partner", "sync", "one", "--since", "yesterday")
    await command("partner", "suspend", "one")
    suspended = await command("partner", "sync", "one")

    assert (tokens.code, "no list of tokens" in tokens.err) == (4, True)
    assert "allowed: tariffs, locations, sessions, cdrs" in tokens.err
    assert (both.code, odd.code, suspended.code) == (2, 2, 4)
    assert "SUSPENDED" in suspended.err


async def test_how_a_partner_is_pulled_can_be_set(hub, command, cpo):
    partner = (await command("partner", "show", "one", "--json")).json
    client = Hub(hub.url, key=os.environ["HUB_API_KEY"])
    body = {
        "configuration": {"sync": {"tariffs": {"mode": "never", "fresh_hours": 5}}},
        "sync_frequency_minutes": 30,
    }

    changed = await asyncio.to_thread(client.patch, f"/partners/{partner['id']}", body)
    status = await command("partner", "sync", "one", "--status", "--json")

    assert changed["sync_frequency_minutes"] == 30
    assert rows(status)["tariffs"]["mode"] == "never"
    assert rows(status)["locations"]["mode"] == "auto"
