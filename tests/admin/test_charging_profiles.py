"""Charging profiles of the operator's: one number for ever, given, changed, taken back."""

import pytest
from ocpp.v16 import call_result as result16
from ocpp.v201 import call_result as result201

from tests.helpers.stations import add, connected

NIGHT = {
    "name": "night",
    "charging_rate_unit": "W",
    "recurrency": "DAILY",
    "start_date_time": "2026-01-01T22:00:00Z",
    "duration": 86400,
    "periods": [
        {"start_period": 0, "limit": 22000, "number_phases": 3},
        {"start_period": 28800, "limit": 1380},
    ],
}


async def give(operator, profile, station, verb="apply", **more):
    path = f"/charging-profiles/{profile['id']}/{verb}"
    return await operator.post(path, station_id=station["id"], **more)


async def test_a_profile_in_the_words_of_1_6(hub, operator):
    profile = (await operator.post("/charging-profiles", **NIGHT)).body
    station = await add(operator)
    async with connected(hub, station) as client:
        await client.boot()
        given = await give(operator, profile, station, evse=1)

    [asked] = [payload for action, payload in client.asked if action == "SetChargingProfile"]
    assert asked == {
        "connector_id": 1,
        "cs_charging_profiles": {
            "charging_profile_id": profile["number"],
            "stack_level": 0,
            "charging_profile_purpose": "TxDefaultProfile",
            "charging_profile_kind": "Recurring",
            "recurrency_kind": "Daily",
            "charging_schedule": {
                "charging_rate_unit": "W",
                "duration": 86400,
                "start_schedule": "2026-01-01T22:00:00.000Z",
                "charging_schedule_period": [
                    {"start_period": 0, "limit": 22000, "number_phases": 3},
                    {"start_period": 28800, "limit": 1380},
                ],
            },
        },
    }
    [place] = given.body["applied"]
    assert (place["station_id"], place["evse"], place["current"]) == ("CP-1", 1, True)


async def test_a_profile_in_the_words_of_2_x(hub, operator):
    limit = {"name": "limit", "charging_rate_unit": "A", "purpose": "STATION_MAX"}
    periods = [{"start_period": 0, "limit": 63.5}]
    profile = (await operator.post("/charging-profiles", **limit, periods=periods)).body
    station = await add(operator)
    async with connected(hub, station, "2.0.1") as client:
        await client.boot()
        said = await give(operator, profile, station)

    assert said.status == 200, said.body
    [asked] = [payload for action, payload in client.asked if action == "SetChargingProfile"]
    given = asked["charging_profile"]
    assert (asked["evse_id"], given["id"]) == (0, profile["number"])
    assert given["charging_profile_purpose"] == "ChargingStationMaxProfile"
    assert given["charging_profile_kind"] == "Absolute"
    [schedule] = given["charging_schedule"]
    assert schedule["charging_schedule_period"] == [{"start_period": 0, "limit": 63.5}]


async def test_a_changed_profile_keeps_its_number_and_is_given_again(hub, operator):
    profile = (await operator.post("/charging-profiles", **NIGHT)).body
    path = f"/charging-profiles/{profile['id']}"
    station = await add(operator)
    async with connected(hub, station) as client:
        await client.boot()
        await give(operator, profile, station)
        changed = await operator.patch(path, periods=[{"start_period": 0, "limit": 0}])
        again = await give(operator, profile, station)
        in_use = await operator.delete(path)
        cleared = await give(operator, profile, station, "clear")
        removed = await operator.delete(path)

    assert changed.body["number"] == again.body["number"] == profile["number"]
    assert [one["current"] for one in changed.body["applied"]] == [False]
    assert [one["current"] for one in again.body["applied"]] == [True]
    assert (in_use.status, "CP-1" in in_use.error["message"]) == (409, True)
    assert cleared.body["applied"] == []
    assert ("ClearChargingProfile", {"id": profile["number"]}) in client.asked
    assert removed.status == 204


@pytest.mark.parametrize(
    ("version", "refusal"),
    [
        ("1.6", result16.SetChargingProfile("NotSupported")),
        ("2.0.1", result201.SetChargingProfile("Rejected")),
    ],
)
async def test_what_a_station_refuses_is_not_written_down(hub, operator, version, refusal):
    profile = (await operator.post("/charging-profiles", **NIGHT)).body
    station = await add(operator)
    async with connected(hub, station, version) as client:
        await client.boot()
        client.replies["SetChargingProfile"] = refusal
        said = await give(operator, profile, station)
    away = await give(operator, profile, station)

    assert said.status == away.status == 409
    shown = (await operator.get(f"/charging-profiles/{profile['id']}")).body
    assert shown["applied"] == []


BAD_PROFILES = [
    ({"name": ""}, "name"),
    ({"charging_rate_unit": "kW"}, "charging_rate_unit"),
    ({"periods": []}, "periods"),
    ({"periods": [{"start_period": 60, "limit": 1}]}, "periods"),
    ({"periods": [{"start_period": 0, "limit": 1}, {"start_period": 0, "limit": 2}]}, "periods"),
    ({"periods": [{"start_period": 0, "limit": -1}]}, "periods.0.limit"),
    ({"periods": [{"start_period": 0}]}, "periods.0.limit"),
    ({"recurrency": "YEARLY"}, "recurrency"),
    ({"start_date_time": None}, "start_date_time"),
    ({"stack_level": -1}, "stack_level"),
    ({"duration": 0}, "duration"),
]


async def test_a_bad_profile_names_the_field(operator):
    for change, field in BAD_PROFILES:
        said = await operator.post("/charging-profiles", **NIGHT | change)
        assert (said.status, said.error["field"]) == (400, field), change
    await operator.post("/charging-profiles", **NIGHT)
    twice = await operator.post("/charging-profiles", **NIGHT)
    assert (twice.status, twice.error["field"]) == (409, "name")
