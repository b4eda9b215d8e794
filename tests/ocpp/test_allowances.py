"""What a token may take at a time: minutes and money. The station is told to stop, once."""

import pytest
from ocpp.v16 import call

from hub.ocpp.upkeep import Upkeep
from tests.helpers.charge_points import iso


@pytest.fixture
async def upkeep(csms):
    return Upkeep(csms.wire).once


def stops(station):
    wanted = {"RemoteStopTransaction", "RequestStopTransaction"}
    return [payload["transaction_id"] for action, payload in station.asked if action in wanted]


async def begin_16(station, minutes, energy=0):
    number = (await station.ask(call.StartTransaction(1, "TAG1", 0, iso(minutes)))).transaction_id
    if energy:
        sample = {"value": str(energy), "context": "Sample.Periodic"}
        reading = {"timestamp": iso(), "sampledValue": [sample]}
        await station.ask(call.MeterValues(1, [reading], number))
    return number


@pytest.mark.parametrize(
    ("usage", "stopped"),
    [
        ({"max_duration_minutes": 10}, True),
        ({"max_duration_minutes": 30}, False),
        # 8 kWh at 0.25 EUR.
        ({"max_amount_per_session": "2.00"}, True),
        ({"max_amount_per_session": "2.01"}, False),
        ({"max_duration_minutes": 30, "max_amount_per_session": "1"}, True),
        ({"max_sessions_per_day": 5}, False),
    ],
)
async def test_what_is_spent_is_stopped_once(csms, upkeep, usage, stopped):
    made = await csms.add_station()
    await csms.add_own_token("TAG1", restrictions={"usage": usage})
    async with csms.connect(made) as station:
        await station.boot()
        number = await begin_16(station, -25, energy=8000)
        await upkeep()
        await upkeep()

    assert stops(station) == ([number] if stopped else [])
    [row] = await csms.transactions(made)
    assert any("allowance" in note for note in row.notes) is stopped


async def test_in_the_words_of_2_x(csms, upkeep):
    made = await csms.add_station("OCPP_2_0_1")
    await csms.add_own_token("TAG1", restrictions={"usage": {"max_duration_minutes": 10}})
    token = {"idToken": "TAG1", "type": "ISO14443"}
    async with csms.connect(made, "2.0.1") as station:
        await station.boot()
        where = {"id": 1, "connectorId": 1}
        await station.event("Started", "TX1", 0, iso(-11), id_token=token, evse=where)
        await upkeep()

    assert stops(station) == ["TX1"]


async def test_others_tokens_and_what_has_ended_are_left_alone(csms, upkeep):
    made = await csms.add_station()
    await csms.add_own_token("TAG1", restrictions={"usage": {"max_duration_minutes": 1}})
    await csms.add_token("TAG2")
    async with csms.connect(made) as station:
        await station.boot()
        ended = await begin_16(station, -20)
        await station.ask(call.StopTransaction(100, iso(-5), ended))
        await station.ask(call.StartTransaction(1, "TAG2", 100, iso(-4)))
        await upkeep()

    assert stops(station) == []
