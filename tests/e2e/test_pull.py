"""The hub pulls the lists of partners (TRANSPORT-14, -19, -20, -55 … -66)."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from hub.models.routing import SyncState
from hub.ocpi.schemas import compiled
from hub.ocpi.versions import VERSIONS
from hub.roaming.pulls import sync_states
from tests.helpers.documents import cdr, location, tariff, token
from tests.helpers.documents_2_1_1 import own_document
from tests.helpers.faults import answer, hold, http, too_many, where
from tests.helpers.partner import FakePartner
from tests.helpers.pulls import due_again, ids, lists, state


async def test_a_new_partner_is_pulled_and_the_others_are_told_TRANSPORT_19(hub, cpo, emsp):
    cpo.own["tariffs"] = [tariff(version="2.2.1", id=f"T{n:03}") for n in range(120)]

    await hub.pull()
    await hub.deliver()

    assert await ids(hub, "tariffs") == [f"T{n:03}" for n in range(120)]
    told = [push.path for push in emsp.received if push.module == "tariffs"]
    assert sorted(told) == [f"tariffs/NL/ONE/T{n:03}" for n in range(120)]


async def test_every_link_is_followed_to_the_end_TRANSPORT_62(hub, cpo):
    cpo.page_limit = 7
    cpo.own["tariffs"] = [tariff(version="2.2.1", id=f"T{n:02}") for n in range(30)]

    await hub.pull()

    assert [r.query["offset"] for r in lists(cpo, "tariffs")] == ["0", "7", "14", "21", "28"]
    assert len(await ids(hub, "tariffs")) == 30
    result = (await state(hub, "tariffs")).result
    assert result["counts"] == {"objects": 30, "created": 30, "pages": 5}
    assert (result["outcome"], result["complete"], result["remarks"]) == ("DONE", True, [])


async def test_sessions_are_asked_for_with_date_from_TRANSPORT_57(hub, cpo, emsp):
    emsp.own["tokens"] = [token(version="2.2.1")]

    await hub.pull()

    [request] = lists(cpo, "sessions")
    assert datetime.fromisoformat(request.query["date_from"]) < datetime.now(UTC)
    [request] = lists(cpo, "locations")
    assert "date_from" not in request.query


async def test_the_hub_names_itself_and_the_party_it_asks_HUB_11(hub, cpo):
    await hub.pull()

    asked = lists(cpo)
    assert asked
    for request in asked:
        headers = request.headers
        assert (headers["OCPI-from-country-code"], headers["OCPI-from-party-id"]) == ("NL", "HUB")
        assert (headers["OCPI-to-country-code"], headers["OCPI-to-party-id"]) == ("NL", "ONE")


async def test_bad_objects_go_to_quarantine_and_the_good_ones_are_kept_TRANSPORT_14(hub, cpo):
    good = tariff(version="2.2.1", id="GOOD")
    bad = tariff(version="2.2.1", id="BAD", currency="EURO")
    cpo.own["tariffs"] = [bad, "not an object", good]

    await hub.pull()

    assert await ids(hub, "tariffs") == ["GOOD"]
    rows = await hub.sql(
        "select object_ref, source, errors from quarantined_objects order by object_ref"
    )
    assert [(row.object_ref, row.source) for row in rows] == [
        ("NL/ONE/BAD", "pull"),
        (None, "pull"),
    ]
    assert rows[0].errors[0]["field"] == "currency"


async def test_objects_of_other_platforms_are_ignored_T_34(hub, cpo, emsp):
    """MOD-04."""
    foreign = tariff(version="2.2.1", id="T9", party_id="XXX")
    cpo.own["tariffs"] = [foreign, tariff(version="2.2.1", id="T1")]

    await hub.pull()

    assert await ids(hub, "tariffs") == ["T1"]
    assert (await state(hub, "tariffs")).result["counts"]["foreign"] == 1


async def test_cdrs_for_parties_elsewhere_are_ignored_and_ours_passed_on_once(hub, cpo, emsp):
    ours = cdr(version="2.2.1", id="C1")
    others = cdr(version="2.2.1", id="C2")
    others["cdr_token"] = {**others["cdr_token"], "country_code": "FR", "party_id": "XYZ"}
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    cpo.own["cdrs"] = [c | {"last_updated": now} for c in (ours, others)]

    await hub.pull()
    await hub.deliver()
    await due_again(hub, "cdrs")
    await hub.pull()
    await hub.deliver()

    assert await ids(hub, "ocpi_cdrs") == ["C1"]
    assert [push.body["id"] for push in emsp.received if push.module == "cdrs"] == ["C1"]
    assert (await state(hub, "cdrs")).result["counts"] == {
        "for others": 1,
        "objects": 2,
        "pages": 1,
        "unchanged": 1,
    }


async def test_what_a_partner_pushes_is_not_polled(hub, cpo):
    await hub.pull()
    await hub.sql("update sync_states set pushed_at = now() where module = 'tariffs'")
    before = len(lists(cpo))
    for module in ("tariffs", "locations"):
        await due_again(hub, module, days=0.5)
        await hub.sql("update sync_states set covered_at = now()")

    await hub.pull()

    assert [request.path for request in lists(cpo)[before:]] == ["locations"]


async def test_a_delta_asks_from_the_last_pull_with_an_overlap(hub, cpo):
    await hub.pull()
    await due_again(hub, "tariffs", days=2)
    last = (await state(hub, "tariffs")).full_at

    await hub.pull()

    asked = datetime.fromisoformat(lists(cpo, "tariffs")[-1].query["date_from"])
    assert abs(asked - (last - timedelta(hours=24))) < timedelta(seconds=1)
    assert (await state(hub, "tariffs")).result["reason"] == "interval"


async def test_a_week_later_everything_is_pulled_again(hub, cpo):
    await hub.pull()
    await due_again(hub, "tariffs", days=8)

    await hub.pull()

    assert (await state(hub, "tariffs")).result["reason"] == "full"
    assert "date_from" not in lists(cpo, "tariffs")[-1].query


async def test_after_an_outage_the_gap_is_healed_without_anybody_asking_TRANSPORT_20(hub, cpo):
    """The hub was away for two hours: pushes of that time came to nothing."""
    await hub.pull()
    await hub.sql("update sync_states set pushed_at = now()")
    await due_again(hub, "tariffs", days=2 / 24)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    cpo.own["tariffs"] = [tariff(version="2.2.1", id="MISSED", last_updated=now)]

    await hub.pull()
    await hub.pull()

    assert await ids(hub, "tariffs") == ["MISSED"]
    assert (await state(hub, "tariffs")).result["reason"] == "gap"
    assert len(lists(cpo, "tariffs")) == 2


async def test_a_partner_that_asks_for_patience_is_asked_again_when_it_said(hub, cpo):
    cpo.own["tariffs"] = [tariff(version="2.2.1")]
    cpo.fail(too_many(retry_after=600), on="tariffs", times=1)

    await hub.pull()

    row = await state(hub, "tariffs")
    [wait] = await hub.sql(
        "select extract(epoch from next_attempt_at - now()) as seconds from sync_states"
        " where module = 'tariffs'"
    )
    assert 590 < wait.seconds <= 600
    assert (row.failures, row.last_error) == (1, "HTTP 429: slow down")
    await hub.pull()
    assert len(lists(cpo, "tariffs")) == 1


async def test_a_run_that_broke_off_goes_on_where_it_was(hub, cpo):
    cpo.page_limit = 10
    cpo.own["tariffs"] = [tariff(version="2.2.1", id=f"T{n:02}") for n in range(35)]
    cpo.fail(where(http(503), offset="20", times=1), on="tariffs")

    await hub.pull()

    assert len(await ids(hub, "tariffs")) == 20
    await hub.sql("update sync_states set next_attempt_at = null")
    await hub.pull()

    offsets = [request.query["offset"] for request in lists(cpo, "tariffs")]
    assert offsets == ["0", "10", "20", "20", "30"]
    assert len(await ids(hub, "tariffs")) == 35
    row = await state(hub, "tariffs")
    assert row.result["counts"] == {"objects": 35, "created": 35, "pages": 4}
    assert (row.failures, row.last_error, row.started_at) == (0, None, None)


@pytest.mark.parametrize(
    "data",
    [
        [[tariff(version="2.2.1")]],
        tariff(version="2.2.1"),
    ],
    ids=["a list in a list", "one object"],
)
async def test_objects_in_other_wrappings_are_taken(hub, cpo, data):
    cpo.fail(answer(data), on="tariffs")

    await hub.pull()

    assert await ids(hub, "tariffs") == ["T1"]


# What is noted of pushes.


async def test_a_patch_of_something_unknown_has_it_pulled(hub, cpo):
    await hub.pull()
    await due_again(hub, "tokens", days=0)
    known = location(version="2.2.1", last_updated="2026-11-25T08:00:00Z")
    cpo.own["locations"] = [known, location(version="2.2.1", id="OLD")]
    await hub.sql("update sync_states set delta_at = delta_at - interval '1 hour', full_at = null")
    await hub.sql("update sync_states set full_at = delta_at, pushed_at = now()")

    patch = {"status": "CHARGING", "last_updated": "2026-11-25T08:30:00Z"}
    refused = await cpo.patch("locations/NL/ONE/L1/E1", patch)
    assert (refused.http_status, refused.status_code) == (404, 2003)
    known["last_updated"] = "2026-11-25T08:30:00Z"
    await hub.pull()

    assert await ids(hub, "ocpi_locations") == ["L1"]
    assert lists(cpo, "locations")[-1].query["date_from"] == "2026-11-25T08:25:00Z"
    row = await state(hub, "locations")
    assert (row.result["reason"], row.missed_from) == ("missed", None)


async def test_pushes_are_noted_so_that_the_hub_need_not_ask(hub, cpo):
    await hub.pull()
    assert (await state(hub, "tariffs")).pushed_at is None

    await cpo.put("tariffs/NL/ONE/T1", tariff(version="2.2.1"))
    await hub.note_arrivals()
    await cpo.put("tariffs/NL/ONE/T1", tariff(version="2.2.1"))
    await hub.sql("update sync_states set arrived_at = arrived_at - interval '2 hours'")
    await hub.note_arrivals()

    row = await state(hub, "tariffs")
    assert row.pushed_at is not None
    assert (row.arrivals, round(row.usual_gap / 3600, 1)) == (2, 2.0)


async def test_a_push_that_is_refused_is_no_arrival(hub, cpo):
    await hub.pull()

    await cpo.put("tariffs/NL/ONE/T1", tariff(version="2.2.1", currency="EURO"))
    await hub.note_arrivals()

    assert (await state(hub, "tariffs")).pushed_at is None


async def test_when_data_stops_flowing_somebody_is_told_once(hub, cpo):
    await hub.pull()
    await hub.sql("update sync_states set full_at = now() - interval '2 days', delta_at = null")
    cpo.fail(http(503), on="sender")
    await hub.pull()

    with capture_logs() as logged:
        await hub.run("watch freshness")
        await hub.run("watch freshness")

    stopped = [e["module"] for e in logged if e["event"] == "data has stopped flowing"]
    assert sorted(stopped) == ["cdrs", "locations", "sessions", "tariffs"]
    assert (await state(hub, "tariffs")).stale_since is not None
    cpo.heal()
    await hub.sql("update sync_states set next_attempt_at = null")
    await hub.pull()
    await hub.run("watch freshness")
    assert (await state(hub, "tariffs")).stale_since is None


# Stopping in the middle.


async def test_a_run_that_is_cancelled_ends_after_its_page(hub, cpo):
    cpo.page_limit = 10
    cpo.own["tariffs"] = [tariff(version="2.2.1", id=f"T{n:02}") for n in range(35)]
    go = asyncio.Event()
    cpo.fail(where(hold(go), offset="10"), on="tariffs")
    await hub.begin_pull()
    await cpo.until(lambda partner: len(lists(partner, "tariffs")) == 2)

    async with hub.database.transaction(hub.tenant_id) as db:
        [partner_id] = await db.scalars(select(SyncState.partner_id).distinct())
        await sync_states.cancel(db, partner_id, ["tariffs"])
    go.set()
    await hub.pull()

    row = await state(hub, "tariffs")
    assert (row.result["outcome"], row.started_at, row.cancelled) == ("CANCELLED", None, False)
    assert len(lists(cpo, "tariffs")) == 2
    assert len(await ids(hub, "tariffs")) == 20


async def test_a_hub_that_stops_gives_its_run_to_the_next(hub, cpo):
    cpo.page_limit = 10
    cpo.own["tariffs"] = [tariff(version="2.2.1", id=f"T{n:02}") for n in range(35)]
    go = asyncio.Event()
    cpo.fail(where(hold(go), offset="20", times=1), on="tariffs")
    await hub.begin_pull()
    await cpo.until(lambda partner: len(lists(partner, "tariffs")) == 3)

    await hub.stop()
    await hub.start()
    await hub.pull()

    offsets = [request.query["offset"] for request in lists(cpo, "tariffs")]
    assert offsets == ["0", "10", "20", "20", "30"]
    assert len(await ids(hub, "tariffs")) == 35


# Whatever version the partner speaks.


@pytest.mark.parametrize("version", VERSIONS)
async def test_lists_are_pulled_in_every_version(hub, partners, version):
    """What a platform cannot push is told to the others in theirs, and nothing is pulled twice."""
    cpo = await partners.enter_async_context(FakePartner("NL*ONE CPO", versions=(version,)))
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP", versions=("2.3.0",)))
    await hub.connect(emsp)
    emsp.own["tokens"] = [own_document("2.3.0", "Token")]
    await hub.pull()
    await hub.connect(cpo)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kinds = {"tariffs": "Tariff", "locations": "Location", "sessions": "Session", "cdrs": "CDR"}
    for module, kind in kinds.items():
        cpo.own[module] = [own_document(version, kind) | {"last_updated": now}]

    await hub.pull()
    await hub.deliver()
    told = [push.module for push in emsp.received]
    await hub.sql("update sync_states set wanted_full = true where module <> 'tokens'")
    await hub.pull()
    await hub.deliver()

    assert await hub.sql("select errors from quarantined_objects") == []
    assert sorted(told) == ["cdrs", "locations", "sessions", "tariffs"]
    assert len(emsp.received) == 4
    for push in emsp.received:
        compiled.check(compiled.SCHEMAS["2.3.0"][kinds[push.module]], push.body)
    rows = await hub.sql("select result from sync_states where module <> 'tokens'")
    assert [row.result["counts"].get("unchanged") for row in rows] == [1, 1, 1, 1]


# What happens when.


async def test_what_was_not_pushed_is_found_by_the_weekly_pull_and_told(hub, cpo):
    await hub.pull()
    await cpo.put("tariffs/NL/ONE/T1", tariff(version="2.2.1"))
    await hub.note_arrivals()
    cpo.own["tariffs"] = [tariff(version="2.2.1", id=name) for name in ("T1", "FORGOTTEN")]
    await due_again(hub, "tariffs", days=8)
    await hub.sql("update sync_states set covered_at = now()")

    await hub.pull()

    result = (await state(hub, "tariffs")).result
    assert result["reason"] == "full"
    assert result["remarks"] == ["1 objects had not been pushed as they are listed."]
    assert await ids(hub, "tariffs") == ["T1", "FORGOTTEN"]


async def test_after_a_backup_is_restored_the_differences_are_repaired_F_21(hub, cpo, emsp):
    """The hub is as it was an hour ago; its partners are not. No CDR is billed twice."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    old = tariff(version="2.2.1", id="OLD")
    new = tariff(version="2.2.1", id="NEW", last_updated=now)
    record = cdr(version="2.2.1", last_updated=now)
    cpo.own["tariffs"], cpo.own["cdrs"] = [old], []
    await hub.pull()
    for module in ("tariffs", "cdrs"):
        await hub.sql("update sync_states set pushed_at = now() where module = :m", m=module)
    cpo.own["tariffs"].append(new)
    cpo.own["cdrs"].append(record)
    await cpo.put("tariffs/NL/ONE/NEW", new)
    await cpo.post("cdrs", record)
    await hub.deliver()
    # As the backup has it: neither the objects nor that they were told to anybody.
    for table in ("tariffs", "ocpi_cdrs"):
        await hub.sql(f"delete from {table} where object_id in ('NEW', 'C1')")
    for module in ("tariffs", "cdrs"):
        await due_again(hub, module, days=1 / 24)

    await hub.pull()
    await hub.pull()
    await hub.deliver()

    assert await ids(hub, "tariffs") == ["OLD", "NEW"]
    assert await ids(hub, "ocpi_cdrs") == ["C1"]
    results = [(await state(hub, module)).result for module in ("tariffs", "cdrs")]
    assert [result["reason"] for result in results] == ["gap", "gap"]
    assert [result["counts"]["created"] for result in results] == [1, 1]
    told = [push for push in emsp.received if push.module == "cdrs"]
    assert [push.body["id"] for push in told] == ["C1", "C1"]
    assert told[0].body == told[1].body
    assert [path for path in emsp.objects if path.startswith("cdrs")] == ["cdrs/NL/ONE/C1"]


async def test_what_comes_late_is_pushed_to_who_pulls_every_hour_F_23(hub, cpo, emsp):
    """Its last_updated is older than the receiver's last pull, which will never find it."""
    await cpo.put("tariffs/NL/ONE/T1", tariff(version="2.2.1", last_updated="2025-01-01T00:00:00Z"))
    pulled = await emsp.get("tariffs", params={"date_from": "2025-06-01T00:00:00Z"})
    await hub.deliver()

    assert pulled.data == []
    assert [push.path for push in emsp.received] == ["tariffs/NL/ONE/T1"]


async def test_the_same_thousands_again_are_told_to_nobody_F_24(hub, cpo, emsp):
    cpo.page_limit = 100
    cpo.own["tariffs"] = [tariff(version="2.2.1", id=f"T{n:03}") for n in range(500)]
    await hub.pull()
    await hub.deliver()
    told = len(emsp.received)

    for one in cpo.own["tariffs"]:
        one["last_updated"] = "2025-07-01T00:00:00Z"
    await hub.sql("update sync_states set wanted_full = true where module = 'tariffs'")
    await hub.pull()
    await hub.deliver()

    assert (told, len(emsp.received)) == (500, 500)
    counts = (await state(hub, "tariffs")).result["counts"]
    assert counts == {"pages": 5, "objects": 500, "unchanged": 500}
