"""What is in no page of a complete pull is no longer valid at its owner (TRANSPORT-64)."""

import pytest

from tests.helpers.documents import location, tariff, token
from tests.helpers.faults import http, where
from tests.helpers.pulls import due_again, ids, state


def tariffs(count):
    return [tariff(version="2.2.1", id=f"T{n:02}") for n in range(count)]


async def again(hub, module, *, days=8.0):
    """A week later everything is pulled once more."""
    await due_again(hub, module, days=days)
    await hub.pull()
    await hub.deliver()
    return (await state(hub, module)).result


async def absences(hub):
    rows = await hub.sql("select * from absences order by object_ref")
    return [(row.object_ref, row.missed, row.withdrawn_at is not None) for row in rows]


async def test_a_tariff_that_two_pulls_have_missed_is_withdrawn_TRANSPORT_64(hub, cpo, emsp):
    cpo.own["tariffs"] = tariffs(3)
    await hub.pull()
    await hub.deliver()
    del cpo.own["tariffs"][1]

    first = await again(hub, "tariffs")
    before = await absences(hub), await ids(hub, "tariffs")
    second = await again(hub, "tariffs")

    assert before == ([("NL/ONE/T01", 1, False)], ["T00", "T01", "T02"])
    assert (first["counts"]["missing"], second["counts"]["withdrawn"]) == (1, 1)
    assert await absences(hub) == [("NL/ONE/T01", 2, True)]
    assert await ids(hub, "tariffs") == ["T00", "T02"]
    deleted = [push.path for push in emsp.received if push.method == "DELETE"]
    assert deleted == ["tariffs/NL/ONE/T01"]


async def test_what_is_listed_again_is_back(hub, cpo, emsp):
    cpo.own["tariffs"] = tariffs(2)
    await hub.pull()
    gone = cpo.own["tariffs"].pop()
    await again(hub, "tariffs")
    await again(hub, "tariffs")
    cpo.own["tariffs"].append(gone)

    await again(hub, "tariffs")

    assert await absences(hub) == []
    assert await ids(hub, "tariffs") == ["T00", "T01"]
    methods = [push.method for push in emsp.received if push.path.endswith("T01")]
    assert methods == ["PUT", "DELETE", "PUT"]


async def test_a_location_is_asked_for_by_itself_before_its_evses_are_withdrawn(hub, cpo, emsp):
    cpo.own["locations"] = [location(version="2.2.1", id=name) for name in ("L1", "L2", "L3")]
    await hub.pull()
    await hub.deliver()
    emsp.received.clear()
    unlisted, _ = cpo.own["locations"].pop(), cpo.own["locations"].pop()
    await again(hub, "locations")
    cpo.unlisted["locations"] = [unlisted]

    await again(hub, "locations")

    assert await absences(hub) == [("NL/ONE/L2", 2, True), ("NL/ONE/L3", 2, False)]
    [push] = emsp.received
    assert (push.method, push.path) == ("PUT", "locations/NL/ONE/L2")
    assert push.body.get("evses", []) == []
    assert push.body["last_updated"] == location()["last_updated"]
    [row] = await hub.sql("select note from absences where object_ref = 'NL/ONE/L3'")
    assert row.note == "Asked for by itself, the answer was OK."


@pytest.mark.parametrize("status", [500, 403])
async def test_only_a_clear_answer_makes_a_location_vanish(hub, cpo, status):
    cpo.own["locations"] = [location(version="2.2.1", id=name) for name in ("L1", "L2")]
    await hub.pull()
    cpo.own["locations"].pop()
    await again(hub, "locations")
    cpo.fail(http(status), on="locations/L2")

    await again(hub, "locations")

    assert await absences(hub) == [("NL/ONE/L2", 2, False)]
    rows = await hub.sql("select count(*) from ocpi_evses where deleted_at is null")
    assert rows[0][0] == 4


async def test_two_pulls_on_one_day_withdraw_nothing(hub, cpo):
    cpo.own["tariffs"] = tariffs(2)
    await hub.pull()
    cpo.own["tariffs"].pop()

    for _ in range(3):
        await hub.sql("update sync_states set wanted_full = true where module = 'tariffs'")
        await hub.pull()

    assert await absences(hub) == [("NL/ONE/T01", 3, False)]
    assert await ids(hub, "tariffs") == ["T00", "T01"]


async def test_too_much_at_once_is_not_believed(hub, cpo):
    cpo.own["tariffs"] = tariffs(30)
    await hub.pull()
    del cpo.own["tariffs"][5:]

    await again(hub, "tariffs")
    result = await again(hub, "tariffs")

    assert result["remarks"] == [
        "25 of 30 objects are in no page: too many to be believed.",
    ]
    assert len(await ids(hub, "tariffs")) == 30


async def test_a_list_that_was_not_seen_whole_says_nothing_of_what_is_absent(hub, cpo):
    cpo.page_limit = 2
    cpo.own["tariffs"] = tariffs(6)
    await hub.pull()
    broken = cpo.own["tariffs"]

    async def same_page(request, proceed):
        cpo.own["tariffs"] = broken[:2] * 3
        return await proceed()

    cpo.fail(same_page, on="tariffs")
    await again(hub, "tariffs")
    result = await again(hub, "tariffs")

    assert result["complete"] is False
    assert await absences(hub) == []
    assert len(await ids(hub, "tariffs")) == 6


async def test_a_filtered_pull_says_nothing_of_what_is_absent_TRANSPORT_64(hub, cpo):
    cpo.own["tariffs"] = tariffs(2)
    await hub.pull()
    cpo.own["tariffs"].clear()

    result = await again(hub, "tariffs", days=1)

    assert (result["kind"], result["counts"]) == ("delta", {"pages": 1})
    assert await absences(hub) == []


async def test_an_object_that_came_bad_is_not_absent(hub, cpo):
    cpo.own["tariffs"] = tariffs(2)
    await hub.pull()
    cpo.own["tariffs"][1]["currency"] = "EURO"

    await again(hub, "tariffs")

    assert await absences(hub) == []


async def test_tokens_are_never_withdrawn_only_told_of_TOK_01(hub, emsp, cpo):
    emsp.own["tokens"] = [token(uid=uid) for uid in ("A1", "A2")]
    await hub.pull()
    emsp.own["tokens"].pop()

    await again(hub, "tokens")
    await again(hub, "tokens")

    assert await absences(hub) == [("DE/TWO/A2/RFID", 2, False)]
    assert await ids(hub, "ocpi_tokens") == ["A1", "A2"]


async def test_an_operator_may_keep_what_is_absent(hub, cpo):
    cpo.own["tariffs"] = tariffs(2)
    await hub.pull()
    await hub.configure(cpo.name, sync={"tariffs": {"absent": "keep"}})
    cpo.own["tariffs"].pop()

    await again(hub, "tariffs")
    await again(hub, "tariffs")

    assert await absences(hub) == [("NL/ONE/T01", 2, False)]
    assert await ids(hub, "tariffs") == ["T00", "T01"]


async def test_what_was_pushed_while_everything_was_pulled_is_not_absent(hub, cpo):
    cpo.page_limit = 1
    cpo.own["tariffs"] = tariffs(2)
    await hub.pull()

    async def push_meanwhile(request, proceed):
        await cpo.put("tariffs/NL/ONE/NEW", tariff(version="2.2.1", id="NEW"))
        return await proceed()

    cpo.fail(where(push_meanwhile, offset="1"), on="tariffs")
    await again(hub, "tariffs")

    assert await absences(hub) == []
    assert await ids(hub, "tariffs") == ["T00", "T01", "NEW"]
