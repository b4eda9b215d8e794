"""``hub station simulate``: simulated stations against a real hub."""

import asyncio

import pytest

from hub.simulator.fleet import simulate
from hub.simulator.scenarios import SCENARIOS
from hub.simulator.station import SimulatedStation
from hub.simulator.vehicle import Vehicle
from tests.cli.test_stations_day import station_of
from tests.helpers.stations import connected
from tests.helpers.waiting import until

FAST = ("--speed", "6000", "--seed", "7", "--json")


async def energies(command):
    """What the hub has counted, in kWh, by station."""
    found = (await command("transaction", "list", "--json")).json["items"]
    return {one["station_id"]: float(one["kwh"]) for one in found}


async def test_a_fleet_of_all_versions_charges(command):
    await command("token", "add", "SIMULATED")

    ended = await command(
        *("station", "simulate", "--count", "3", *FAST),
        *("--version", "1.6", "--version", "2.0.1", "--version", "2.1"),
    )

    told = {one["station"]: one["energy"] for one in ended.json["items"]}
    assert (ended.code, ended.json["wrong"]) == (0, [])
    assert [one["version"] for one in ended.json["items"]] == ["1.6", "2.0.1", "2.1"]
    assert all(energy > 0.5 for energy in told.values())
    assert await energies(command) == pytest.approx(told, abs=0.0011)


async def test_a_station_of_2_x_says_what_plugs_it_has(command, hub):
    made = await station_of(command)
    url = f"{hub.url.replace('http', 'ws', 1)}/ocpp"
    station = SimulatedStation(url, "CP-1", made["password"], "2.1", power=22_000)
    running = asyncio.create_task(simulate([station], SCENARIOS["idle"]))
    async with asyncio.timeout(30):
        plugs = []
        while not plugs or plugs[0]["standard"] == "UNKNOWN":
            evses = (await command("station", "evses", "CP-1", "--json")).json["items"]
            plugs = [plug for evse in evses for plug in evse["connectors"]]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    [plug] = plugs
    assert (plug["standard"], plug["max_electric_power"], plug["phases"]) == (
        "IEC_62196_T2",
        22_000,
        3,
    )


async def test_the_same_dice_fall_the_same_way(command):
    await command("token", "add", "SIMULATED")

    first = await command("station", "simulate", "SIM-1", *FAST)
    second = await command("station", "simulate", "SIM-1", *FAST)

    assert first.code == second.code == 0
    assert first.json["items"][0]["energy"] == second.json["items"][0]["energy"]


async def test_what_goes_on_without_end_is_ended(command):
    ended = await command("station", "simulate", "--scenario", "idle", "--for", "6", "--json")

    [told] = ended.json["items"]
    assert (ended.code, told["state"]) == (0, "Available")


async def test_a_token_that_may_not_charge_is_told(command):
    ended = await command("station", "simulate", "--speed", "6000")

    assert ended.code == 1
    assert "hub token add SIMULATED" in ended.err


async def test_a_real_station_keeps_its_password(command, hub, tmp_path):
    made = await station_of(command)
    (tmp_path / "password").write_text(made["password"])
    async with connected(hub, made) as client:
        await client.boot()

    robbed = await command("station", "simulate", "CP-1", *FAST)
    lent = await command(
        *("station", "simulate", "CP-1", "--scenario", "idle", "--for", "2"),
        *("--password-file", str(tmp_path / "password"), "--json"),
    )

    assert (robbed.code, robbed.json["error"]["field"]) == (2, "--password-file")
    assert (lent.code, lent.json["items"][0]["state"]) == (0, "Available")


async def test_who_is_refused_says_so(command, tmp_path):
    (tmp_path / "password").write_text("0123456789abcdef")

    ended = await command(
        "station", "simulate", "CP-9", "--password-file", str(tmp_path / "password"), *FAST
    )

    assert ended.code == 1
    assert ended.json["wrong"] == ["CP-9: The CSMS answered HTTP 401."]


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
async def test_a_hub_that_restarts_in_the_middle_loses_nothing(command, hub, version):
    """The station says again what was not answered; the energy is that of its meter, to 1 Wh."""
    await command("token", "add", "SIMULATED")
    made = await station_of(command)
    url = f"{hub.url.replace('http', 'ws', 1)}/ocpp"
    station = SimulatedStation(
        url, "CP-1", made["password"], version, speed=600, minutes=30, vehicle=Vehicle(full=0.1)
    )
    running = asyncio.create_task(simulate([station], SCENARIOS["session"]))
    async with asyncio.timeout(60):
        await until(lambda: station.delivered >= 1000, 60)
        await hub.stop()
        await hub.start()
        assert await running == []

    [one] = (await command("transaction", "list", "--json")).json["items"]
    assert (one["state"], station.outages >= 1) == ("ENDED", True)
    assert float(one["kwh"]) * 1000 == pytest.approx(station.delivered, abs=1)


def test_a_battery_fills_ever_more_slowly():
    for direct in (False, True):
        vehicle = Vehicle(capacity=50_000, full=0.1, most=100_000, direct=direct)
        drawn = []
        while vehicle.full < 1 and len(drawn) < 10_000:
            drawn.append(vehicle.draws(100_000))
            vehicle.take(drawn[-1] / 60)
        assert vehicle.full == 1
        assert vehicle.draws(100_000) == 0
        assert drawn[0] > 96_000
        assert drawn[-1] < 0.2 * drawn[0]
        assert max(drawn) <= 100_000
        assert Vehicle(full=0.1, most=100_000).draws(5_000) <= 5_000
