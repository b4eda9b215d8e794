"""Transactions whose end is never reported: doubted, looked into, and billed once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from ocpp.exceptions import NotImplementedError as NotImplementedAtStation
from ocpp.v16 import call
from sqlalchemy import select

from hub.models.charging import SessionEvent
from hub.ocpp.upkeep import Upkeep
from tests.helpers.charge_points import iso

TOKEN = {"idToken": "TAG1", "type": "ISO14443"}
EVSE = {"id": 1, "connectorId": 1}


def meter(minutes, wh):
    return {"timestamp": iso(minutes), "sampledValue": [{"value": str(wh)}]}


def reading(minutes, wh):
    return {"timestamp": iso(minutes), "sampledValue": [{"value": wh}]}


@pytest.fixture
async def at_once(csms):
    """Doubts are due as soon as they come up."""
    csms.wire.policy = replace(
        csms.wire.policy, resume=timedelta(0), queued=timedelta(0), quarantine=timedelta(0)
    )
    return Upkeep(csms.wire)


async def state(csms, made):
    [transaction] = await csms.transactions(made)
    return transaction.state


async def begun_16(csms, station, minutes=-10):
    answer = await station.ask(call.StartTransaction(1, "TAG1", 1000, iso(minutes)))
    await station.ask(call.MeterValues(1, [meter(minutes + 5, 1500)], answer.transaction_id))
    return answer.transaction_id


async def begun_2x(station, minutes=-10):
    await station.event(
        "Started", "T-1", 0, iso(minutes), evse=EVSE, id_token=TOKEN,
        info={"chargingState": "Charging"}, meter_value=[reading(minutes, 1000)],
    )  # fmt: skip
    await station.event(
        "Updated", "T-1", 1, iso(minutes + 5), trigger="MeterValuePeriodic",
        meter_value=[reading(minutes + 5, 1500)],
    )  # fmt: skip


async def test_a_boot_without_resume_ends_what_was_running(csms, at_once):
    """At its last reading, and billed once after the quarantine."""
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        await begun_16(csms, station)
        await station.boot()
        await at_once.once()
        await at_once.once()
    [transaction] = await csms.transactions(made)
    assert "stop missing: the station booted and did not resume it" in transaction.notes
    [cdr] = await csms.cdrs()
    assert cdr["total_energy"] == 0.5
    assert transaction.ended_at < datetime.now(UTC) - timedelta(minutes=4)


async def test_a_boot_with_resume_ends_nothing(csms, at_once):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        number = await begun_16(csms, station)
        await station.boot()
        await station.ask(call.MeterValues(1, [meter(0.1, 1700)], number))
        await at_once.once()
        assert await state(csms, made) == "OPEN"
        await station.boot()
        await station.status(1, "Charging", iso())
        await at_once.once()
        assert await state(csms, made) == "OPEN"


async def test_what_was_queued_before_the_boot_shows_no_resume(csms, at_once):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        number = await begun_16(csms, station)
        await station.boot()
        await station.ask(call.MeterValues(1, [meter(-4, 1600)], number))
        await at_once.once()
    assert await state(csms, made) == "LOST"


async def test_a_station_that_is_only_offline_keeps_its_sessions(csms, at_once):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        await begun_16(csms, station)
        await station.boot()
    await at_once.once()
    assert await state(csms, made) == "OPEN"
    assert [session["status"] for session in await csms.sessions()] == ["ACTIVE"]


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
@pytest.mark.parametrize(
    ("answer", "becomes"),
    [
        ({"messages_in_queue": False, "ongoing_indicator": False}, "LOST"),
        ({"messages_in_queue": False}, "LOST"),
        ({"messages_in_queue": True, "ongoing_indicator": False}, "OPEN"),
        ({"messages_in_queue": False, "ongoing_indicator": True}, "OPEN"),
        (NotImplementedAtStation(), "LOST"),
    ],
)
async def test_a_station_of_2_x_is_asked_before_anything_is_lost(
    csms, at_once, version, answer, becomes
):
    """A late Ended that is still queued must not meet a transaction that was closed (CitrineOS)."""
    made = await csms.add_station(f"OCPP_{version.replace('.', '_')}")
    await csms.add_token("TAG1")
    async with csms.connect(made, version) as station:
        if isinstance(answer, dict):
            answer = station.results.GetTransactionStatus(**answer)
        station.replies["GetTransactionStatus"] = answer
        await begun_2x(station)
        await station.status(1, "Available", iso())
        assert await state(csms, made) == "OPEN"
        await at_once.once()
        assert [name for name, _ in station.asked] == ["GetTransactionStatus"]
        assert await state(csms, made) == becomes
        await station.event(
            "Ended", "T-1", 2, iso(-1), trigger="EVDeparted", meter_value=[reading(-1, 2000)]
        )
    cdrs = await csms.cdrs()
    assert [cdr["total_energy"] for cdr in cdrs][-1] == 1.0
    assert len(cdrs) == 1


async def test_a_new_start_at_the_evse_only_raises_a_doubt_in_2_x(csms, at_once):
    made = await csms.add_station("OCPP_2_0_1")
    await csms.add_token("TAG1")
    async with csms.connect(made, "2.0.1") as station:
        await begun_2x(station)
        await station.event("Started", "T-2", 0, iso(-1), evse=EVSE, id_token=TOKEN)
        states = [found.state for found in await csms.transactions(made)]
        assert states == ["OPEN", "OPEN"]
        await station.event(
            "Ended", "T-1", 2, iso(-2), trigger="EVDeparted", meter_value=[reading(-2, 2500)]
        )
        await at_once.once()
        assert station.asked == []
    assert [found.state for found in await csms.transactions(made)] == ["ENDED", "OPEN"]


async def test_a_transaction_resumed_in_2_1_goes_on(csms, at_once):
    made = await csms.add_station("OCPP_2_1")
    await csms.add_token("TAG1")
    async with csms.connect(made, "2.1") as station:
        await begun_2x(station)
        await station.boot()
        await station.event("Updated", "T-1", 2, iso(0.1), trigger="TxResumed")
        await at_once.once()
        assert station.asked == []
    assert await state(csms, made) == "OPEN"
    async with csms.transaction() as db:
        kinds = list(await db.scalars(select(SessionEvent.event_type)))
    assert "RESUMED" in kinds


async def test_a_session_is_shown_again_when_its_real_end_comes_late(csms, at_once):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        number = await begun_16(csms, station)
        await station.status(1, "Available", iso(-1))
        await station.ask(call.StopTransaction(3000, iso(-1), number))
    [session] = await csms.sessions()
    assert (session["status"], session["kwh"]) == ("COMPLETED", 2.0)
