"""Tokens of the operator's own drivers: kept by the operator, decided about at the station."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from ocpp.v16 import call, call_result

from tests.helpers.stations import add, connected, put_place

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
async def station(operator):
    await put_place(operator)
    return await add(operator, location_id="LOC1", groups=["fleet"])


async def add_token(operator, uid="TAG1", **more):
    made = await operator.post("/tokens", uid=uid, **more)
    assert made.status == 201, made.body
    return made.body


async def test_a_token_charges_until_it_is_blocked(hub, operator, station):
    token = await add_token(operator, group_id="G1")
    path = f"/tokens/{token['id']}"
    async with connected(hub, station) as client:
        await client.boot()

        async def shown(uid="tag1"):
            return (await client.ask(call.Authorize(uid))).id_tag_info

        good = await shown()
        await operator.post(f"{path}/block", reason="Lost")
        blocked = await shown()
        await operator.post(f"{path}/unblock")
        again = await shown()
        await operator.patch(path, expires_at=YESTERDAY.isoformat())
        expired = await shown()
        await operator.patch(path, expires_at=None, active=False)
        inactive = await shown()

    assert (good["status"], good["parent_id_tag"]) == ("Accepted", "G1")
    assert [said["status"] for said in (blocked, again, expired, inactive)] == [
        "Blocked",
        "Accepted",
        "Expired",
        "Blocked",
    ]


class ClearedCaches:
    """A station that says how often it was told to forget."""

    def __init__(self, client):
        self.cleared = asyncio.Event()

        async def clear(**_):
            self.cleared.set()
            return call_result.ClearCache("Accepted")

        client.route_map["ClearCache"] = {"_on_action": clear, "_skip_schema_validation": False}


async def test_stations_forget_a_token_that_is_not_what_it_was(hub, operator, station):
    """Else a station with a cache of its own goes on letting it charge."""
    token = await add_token(operator)
    async with connected(hub, station) as client:
        await client.boot()
        for change in (
            lambda: operator.post(f"/tokens/{token['id']}/block"),
            lambda: operator.patch(f"/tokens/{token['id']}", visual_number="7"),
            lambda: operator.delete(f"/tokens/{token['id']}"),
        ):
            forgetful = ClearedCaches(client)
            await change()
            await asyncio.wait_for(forgetful.cleared.wait(), 10)


LIMITED = {
    "nothing": ({}, "Accepted"),
    "the station": ({"allowed_stations": ["CP-1"]}, "Accepted"),
    "another station": ({"allowed_stations": ["CP-2"]}, "Invalid"),
    "its group": ({"allowed_groups": ["fleet"]}, "Accepted"),
    "another group": ({"allowed_groups": ["vans"]}, "Invalid"),
    "another country": ({"geographic": {"allowed_countries": ["DEU"]}}, "Invalid"),
    "the country": ({"geographic": {"allowed_countries": ["NLD"]}}, "Accepted"),
    "a circle": (
        {"geographic": {"latitude": 52.09, "longitude": 5.12, "radius_km": 5}},
        "Accepted",
    ),
    "a circle elsewhere": (
        {"geographic": {"latitude": 0, "longitude": 0, "radius_km": 5}},
        "Invalid",
    ),
    "no sessions a day": ({"usage": {"max_sessions_per_day": 0}}, "Blocked"),
    "no money": ({"usage": {"max_amount_per_month": "0"}}, "Blocked"),
    "a minute of the day": (
        {"time_restriction": {"start_time": "00:00", "end_time": "00:00"}},
        "Invalid",
    ),
}


async def test_limits_are_kept_at_the_station(hub, operator, station):
    token = await add_token(operator)
    async with connected(hub, station) as client:
        await client.boot()
        told = {}
        for name, (restrictions, _) in LIMITED.items():
            said = await operator.patch(f"/tokens/{token['id']}", restrictions=restrictions)
            assert said.status == 200, said.body
            told[name] = (await client.ask(call.Authorize("TAG1"))).id_tag_info["status"]

    assert told == {name: status for name, (_, status) in LIMITED.items()}


BAD_TOKENS = [
    ({}, "uid"),
    ({"uid": ""}, "uid"),
    ({"uid": "a b"}, "uid"),
    ({"uid": "x" * 256}, "uid"),
    ({"uid": "T", "type": "API_KEY"}, "type"),
    ({"uid": "T", "type": "CARD"}, "type"),
    ({"uid": "T", "restrictions": {"colour": 1}}, "restrictions.colour"),
    (
        {"uid": "T", "restrictions": {"time_restriction": {"start_time": "24:00"}}},
        "restrictions.time_restriction.start_time",
    ),
    (
        {"uid": "T", "restrictions": {"time_restriction": {"start_time": "07:00"}}},
        "restrictions.time_restriction.end_time",
    ),
    (
        {"uid": "T", "restrictions": {"time_restriction": {"timezone": "Mars"}}},
        "restrictions.time_restriction.timezone",
    ),
    (
        {"uid": "T", "restrictions": {"time_restriction": {"allowed_days": ["FREDAG"]}}},
        "restrictions.time_restriction.allowed_days.0",
    ),
    (
        {"uid": "T", "restrictions": {"geographic": {"allowed_countries": ["NL"]}}},
        "restrictions.geographic.allowed_countries.0",
    ),
    (
        {"uid": "T", "restrictions": {"geographic": {"latitude": 1}}},
        "restrictions.geographic.longitude",
    ),
    (
        {"uid": "T", "restrictions": {"usage": {"max_amount_per_month": 5}}},
        "restrictions.usage.max_amount_per_month",
    ),
]


async def test_a_bad_token_names_the_field(operator):
    for body, field in BAD_TOKENS:
        said = await operator.post("/tokens", **body)
        assert (said.status, said.error["field"]) == (400, field)
    unknown = {"uid": "T", "user_id": "3f0f7a3e-1d37-4a53-b5fd-8f2c2d0a7a11"}
    assert (await operator.post("/tokens", **unknown)).status == 404
    assert (await operator.get("/tokens")).body["items"] == []


async def test_tokens_are_found_by_what_they_are(operator):
    first = await add_token(operator, "ABC1", group_id="G")
    second = await add_token(operator, "ABC2", expires_at=YESTERDAY.isoformat())
    third = await add_token(operator, "ABC3", type="AUTOCHARGE_VIN")
    await operator.post(f"/tokens/{third['id']}/block", reason="Sold")

    async def found(**query):
        return [one["uid"] for one in (await operator.get("/tokens", **query)).body["items"]]

    assert await found(uid="abc1") == ["ABC1"]
    assert await found(uid="ABC") == []
    assert await found(state="VALID") == ["ABC1"]
    assert await found(state="EXPIRED") == ["ABC2"]
    assert await found(state="BLOCKED") == ["ABC3"]
    assert await found(type="AUTOCHARGE_VIN") == ["ABC3"]
    assert await found(group_id="G") == ["ABC1"]
    assert (first["state"], second["state"]) == ("VALID", "EXPIRED")
    twice = await operator.post("/tokens", uid="abc1")
    assert (twice.status, twice.error["field"]) == (409, "uid")
    # Who may read the log need not know who drives.
    assert "ABC1" not in str((await operator.get("/audit")).body)


async def test_a_token_that_was_used_is_kept(hub, operator, station):
    token = await add_token(operator)
    async with connected(hub, station) as client:
        await client.boot()
        await client.ask(call.StartTransaction(1, "TAG1", 0, datetime.now(UTC).isoformat()))
    removed = await operator.delete(f"/tokens/{token['id']}")
    shown = (await operator.get(f"/tokens/{token['id']}")).body

    assert (removed.status, "hub token block" in removed.error["next"]) == (409, True)
    assert shown["use_count"] == 1
