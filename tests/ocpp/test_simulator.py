"""Simulated stations of each version and scenario, against the hub's side on real sockets."""

import asyncio

import pytest

from hub.models.values import Party
from hub.roaming.commands import local
from hub.roaming.commands.orders import Errand
from hub.simulator.fleet import simulate
from hub.simulator.scenarios import SCENARIOS
from hub.simulator.station import SimulatedStation
from tests.helpers.charge_points import PASSWORD

RECORDS = {"1.6": "OCPP_1_6", "2.0.1": "OCPP_2_0_1", "2.1": "OCPP_2_1"}


def simulated(csms, made, version, **more):
    url = str(csms.server.make_url("/ocpp")).replace("http", "ws", 1)
    return SimulatedStation(
        url, made.identity, PASSWORD, version,
        id_tag="TAG1", speed=6000, minutes=4, **more,
    )  # fmt: skip


@pytest.mark.parametrize("scenario", ["session", "offline", "fault"])
@pytest.mark.parametrize("version", RECORDS)
async def test_energy_in_the_cdr_is_that_of_the_stations_meter(csms, version, scenario):
    """To the watt-hour, also when the connection was gone for half of it."""
    csms.wire.provisioning = True
    made = await csms.add_station(RECORDS[version])
    await csms.add_token("TAG1", whitelist="ALWAYS")
    station = simulated(csms, made, version, register=12_345.0)

    assert await simulate([station], SCENARIOS[scenario]) == []

    [cdr] = await csms.cdrs()
    assert cdr["total_energy"] * 1000 == pytest.approx(station.register - 12_345, abs=1)


@pytest.mark.parametrize("version", RECORDS)
async def test_a_session_begun_and_ended_from_outside(csms, able, version):
    made = await csms.add_station(RECORDS[version])
    token = {
        "country_code": "BE",
        "party_id": "MSP",
        "uid": "an-app-user-of-the-emsp",
        "type": "APP_USER",
        "contract_id": "C1",
    }
    station = simulated(csms, made, version)

    def asking(request):
        return Errand(csms.database, able, csms.tenant.id, Party("BE", "MSP"), request)

    running = asyncio.create_task(SCENARIOS["remote"](station))
    async with asyncio.timeout(30):
        while csms.wire.registry.get(made.ref.id) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        request = {"location_id": "LOC1", "evse_uid": made.evse_uids[1], "token": token}
        order = await local.start_session(asking(request))
        assert (await order.work()).accepted
        while not (sessions := await csms.sessions()) or not sessions[0]["kwh"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        order = await local.stop_session(asking({"session_id": sessions[0]["id"]}))
        assert (await order.work()).accepted
        while not (cdrs := await csms.cdrs()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert cdrs[0]["auth_method"] == "COMMAND"
    assert cdrs[0]["cdr_token"]["uid"] == "an-app-user-of-the-emsp"
    assert cdrs[0]["total_energy"] > 0
