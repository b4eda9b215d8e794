"""Slow clocks are told from queued messages, and neither costs a driver or an operator anything."""

from datetime import UTC, datetime, timedelta

import pytest
from ocpp.v16 import call
from sqlalchemy import select

from hub.models.charging import ChargingSession, MeterValue
from hub.models.stations import ChargingStation
from hub.roaming.metering.clocks import Clock
from tests.helpers.charge_points import iso

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def meter(minutes, wh):
    return {"timestamp": iso(minutes), "sampledValue": [{"value": str(wh)}]}


def close(moment, minutes=0):
    """Within a minute of so many minutes from now."""
    wanted = datetime.now(UTC) + timedelta(minutes=minutes)
    return abs(moment - wanted) < timedelta(minutes=1)


def test_a_message_that_was_kept_back_is_believed():
    clock = Clock()
    moment = clock.reckon(NOW - 3 * HOUR, NOW)
    assert (moment.at, moment.corrected, moment.late) == (NOW - 3 * HOUR, False, True)


def test_a_live_message_shows_a_slow_clock_and_later_ones_are_corrected():
    clock = Clock()
    moment = clock.reckon(NOW - 3 * HOUR, NOW, live=True)
    assert (moment.at, moment.corrected, moment.late) == (NOW, True, False)
    # Two minutes pass by its clock and by ours; then one that was kept back for an hour.
    later = clock.reckon(NOW - 3 * HOUR + 120 * SECOND, NOW + 121 * SECOND)
    assert later.at == NOW + 120 * SECOND
    kept_back = clock.reckon(NOW - 3.5 * HOUR, NOW + HOUR)
    assert kept_back.at == NOW - 0.5 * HOUR


def test_any_message_on_time_shows_that_the_clock_is_right():
    """A driver shows a card while the station still reports what it had kept back."""
    clock = Clock()
    clock.reckon(NOW - SECOND, NOW)
    moment = clock.reckon(NOW - 2 * HOUR, NOW, live=True)
    assert (moment.at, moment.late) == (NOW - 2 * HOUR, True)


def test_an_offset_known_from_before_holds_until_something_says_otherwise():
    clock = Clock(-3 * HOUR)
    assert clock.reckon(NOW - 4 * HOUR, NOW).at == NOW - HOUR
    assert clock.reckon(NOW - SECOND, NOW).at == NOW - SECOND
    assert clock.reckon(NOW - 4 * HOUR, NOW).at == NOW - 4 * HOUR


def test_the_answer_to_a_boot_sets_the_clock():
    clock = Clock(-3 * HOUR)
    clock.booted()
    assert clock.reckon(NOW - 4 * HOUR, NOW).at == NOW - 4 * HOUR


def test_a_clock_ahead_needs_no_live_message():
    clock = Clock()
    assert clock.reckon(NOW + 2 * HOUR, NOW).at == NOW
    assert clock.reckon(NOW + 1.5 * HOUR, NOW).at == NOW - 0.5 * HOUR


def test_small_differences_are_no_offset():
    clock = Clock()
    for seconds in (-299, 0, 299):
        told = NOW + seconds * SECOND
        assert clock.reckon(told, NOW, live=True).at == told


async def offset_of(csms, made):
    async with csms.transaction() as db:
        return await db.scalar(
            select(ChargingStation.clock_offset).where(ChargingStation.id == made.ref.id)
        )


async def test_a_driver_at_a_station_whose_clock_is_slow(csms):
    """Session and CDR have our time, the duration is the station's, the offset is in its record."""
    csms.wire.draining = 0.0
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        await station.ask(call.Authorize("TAG1"))
        begun = await station.ask(call.StartTransaction(1, "TAG1", 1000, iso(-190)))
        await station.ask(call.MeterValues(1, [meter(-190, 1020)], begun.transaction_id))
        await station.ask(call.StopTransaction(1040, iso(-190), begun.transaction_id))
    [transaction] = await csms.transactions(made)
    assert close(transaction.started_at)
    assert transaction.started_at_told < datetime.now(UTC) - timedelta(hours=3)
    assert not transaction.offline
    assert "clock corrected" in transaction.notes
    async with csms.transaction() as db:
        session = await db.scalar(select(ChargingSession))
        reading = await db.scalar(select(MeterValue.timestamp))
    assert session.authorization_timestamp <= session.start_timestamp + SECOND
    assert close(reading)
    assert await offset_of(csms, made) == pytest.approx(-190 * 60, abs=700)
    [cdr] = await csms.cdrs()
    assert cdr["total_energy"] == 0.04
    assert "Clock corrected" in cdr["remark"]


async def test_what_a_slow_station_kept_back_is_corrected_by_the_offset_of_its_record(csms):
    made = await csms.add_station(clock_offset=-10_800.0)
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        begun = await station.ask(call.StartTransaction(1, "TAG1", 1000, iso(-180 - 90)))
        await station.ask(call.StopTransaction(9000, iso(-180 - 30), begun.transaction_id))
    [transaction] = await csms.transactions(made)
    assert close(transaction.started_at, -90)
    assert close(transaction.ended_at, -30)
    assert transaction.offline


async def test_a_remote_start_shows_what_time_it_is_there(csms, able):
    csms.wire.draining = 3600.0
    made = await csms.add_station()
    token = {"uid": "TAG1", "type": "RFID", "country_code": "BE", "party_id": "MSP"}
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        outcome = await able.start_session(
            made.ref, id_tag="TAG1", token=token, remote_start_id=1, evse_number=1
        )
        assert outcome.accepted
        await station.ask(call.StartTransaction(1, "TAG1", 1000, iso(-60)))
    [transaction] = await csms.transactions(made)
    assert close(transaction.started_at)


async def test_a_card_shown_while_the_past_is_still_being_reported_misleads_nobody(csms):
    csms.wire.draining = 3600.0
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        await station.ask(call.Authorize("TAG1"))
        await station.ask(call.StartTransaction(1, "TAG1", 1000, iso(-120)))
    [transaction] = await csms.transactions(made)
    assert close(transaction.started_at, -120)


async def test_a_status_of_a_slow_clock_does_not_look_older_than_what_it_follows(csms):
    made = await csms.add_station(clock_offset=-10_800.0)
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        begun = await station.ask(call.StartTransaction(1, "TAG1", 1000, iso(-182)))
        await station.status(1, "SuspendedEV", iso(-181))
        await station.ask(call.StopTransaction(2000, iso(-180), begun.transaction_id))
    [session] = await csms.sessions()
    kinds = [d["type"] for period in session["charging_periods"] for d in period["dimensions"]]
    assert "PARKING_TIME" in kinds


async def test_a_boot_forgets_the_offset(csms):
    made = await csms.add_station(clock_offset=-10_800.0)
    async with csms.connect(made) as station:
        await station.boot()
    assert await offset_of(csms, made) is None
