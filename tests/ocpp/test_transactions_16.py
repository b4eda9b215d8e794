"""Transactions of OCPP 1.6 stations, row by row; real stations, real database."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from ocpp.v16 import call
from sqlalchemy import select

from hub.models.charging import AuthToken, ChargingSession, MeterValue, SessionEvent
from hub.roaming.charging import billing
from tests.helpers.charge_points import iso


def meter(minutes, wh, **more):
    return {
        "timestamp": iso(minutes),
        "sampledValue": [{"value": str(wh), **more}],
    }


async def begin(station, *, minutes=-4, meter_start=1000, tag="TAG1", connector=1, **more):
    answer = await station.ask(
        call.StartTransaction(connector, tag, meter_start, iso(minutes), **more)
    )
    return answer.transaction_id, answer.id_tag_info


async def test_a_session_from_start_to_cdr(csms):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        assert (await station.boot()).status == "Accepted"
        await station.status(1, "Preparing", iso(-5))
        number, info = await begin(station)
        assert info == {"status": "Accepted"}
        [session] = await csms.sessions()
        assert session["status"] == "ACTIVE"
        assert session["cdr_token"]["uid"] == "TAG1"
        assert session["evse_uid"] == made.evse_uids[1]

        await station.ask(call.MeterValues(1, [meter(-2, 1500)], number))
        [session] = await csms.sessions()
        assert session["kwh"] == 0.5

        await station.ask(
            call.StopTransaction(2234, iso(0), number, reason="EVDisconnected", id_tag="TAG1")
        )
        await station.status(1, "Available", iso(0))

    [session] = await csms.sessions()
    assert (session["status"], session["kwh"]) == ("COMPLETED", 1.234)
    [cdr] = await csms.cdrs()
    assert cdr["total_energy"] == 1.234
    assert cdr["session_id"] == session["id"]
    assert cdr["cdr_location"]["evse_id"] == "NL*OWN*E1"
    assert cdr["tariffs"][0]["id"] == "T1"
    assert cdr["total_cost"]["before_taxes"] == 0.31  # 1.234 kWh at 0.25
    assert cdr["remark"].startswith("Stop reason: EVDisconnected")


async def test_offline_transactions_keep_the_times_of_the_station(csms):
    """Queued messages are processed like any other; the session may be born completed."""
    made = await csms.add_station()
    await csms.add_token("TAG1", whitelist="NEVER")
    async with csms.connect(made) as station:
        number, info = await begin(station, minutes=-180)
        assert info["status"] == "Invalid"  # the issuer cannot be asked after the fact
        await station.ask(call.MeterValues(1, [meter(-150, 5000)], number))
        await station.ask(call.StopTransaction(9000, iso(-120), number))

    [session] = await csms.sessions()
    assert (session["status"], session["kwh"]) == ("COMPLETED", 8.0)
    [cdr] = await csms.cdrs()
    assert cdr["total_time"] == pytest.approx(1.0, abs=0.01)
    [transaction] = await csms.transactions(made)
    assert transaction.offline
    assert "token not_allowed" in transaction.notes


async def test_a_repeated_start_is_the_same_transaction(csms):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    at = iso(-1)
    async with csms.connect(made) as station:
        request = call.StartTransaction(1, "TAG1", 1000, at)
        first = await station.ask(request)
        second = await station.ask(request)
    async with csms.connect(made) as station:
        third = await station.ask(request)

    assert first.transaction_id == second.transaction_id == third.transaction_id
    assert len(await csms.transactions(made)) == 1
    assert len(await csms.sessions()) == 1


async def test_a_repeated_stop_is_answered_alike_and_makes_no_second_cdr(csms):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        number, _ = await begin(station)
        at = iso()
        for _ in range(3):
            answer = await station.ask(call.StopTransaction(1500, at, number, id_tag="TAG1"))
            assert answer.id_tag_info == {"status": "Accepted"}
        await station.ask(call.StopTransaction(1600, iso(1), number))

    assert [cdr["total_energy"] for cdr in await csms.cdrs()] == [0.5]


@pytest.mark.parametrize("unknown", [0, -1, 987654321])
async def test_a_stop_without_a_usable_id_ends_the_one_transaction_it_can_mean(csms, unknown):
    made = await csms.add_station(evses=2)
    await csms.add_token("TAG1")
    await csms.add_token("TAG2")
    async with csms.connect(made) as station:
        await begin(station, tag="TAG1", meter_start=1000)
        await begin(station, tag="TAG2", meter_start=70_000, connector=2)
        answer = await station.ask(call.StopTransaction(1700, iso(), unknown, id_tag="TAG1"))
        assert answer.id_tag_info == {"status": "Accepted"}

    assert [cdr["total_energy"] for cdr in await csms.cdrs()] == [0.7]


async def test_a_stop_of_nothing_is_answered_and_kept_as_an_orphan(csms):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        await station.ask(call.StopTransaction(1700, iso(), 4711))
        await station.ask(call.StopTransaction(1700, iso(), 4711))

    states = [transaction.state for transaction in await csms.transactions(made)]
    assert states == ["ORPHAN", "ORPHAN"]  # two different times: two reports
    assert await csms.cdrs() == []


async def test_a_stop_for_the_transaction_of_another_station_touches_nothing(csms):
    one, other = await csms.add_station(), await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(one) as first, csms.connect(other) as second:
        number, _ = await begin(first)
        await second.ask(call.StopTransaction(99_000, iso(), number))

    assert [transaction.state for transaction in await csms.transactions(one)] == ["OPEN"]
    assert await csms.cdrs() == []


async def test_a_missing_stop_is_assumed_when_the_connector_is_free_again(csms):
    """The CDR waits for the real stop; when that comes, it is the only one."""
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        number, _ = await begin(station)
        await station.ask(call.MeterValues(1, [meter(-2, 1500)], number))
        await station.status(1, "Available", iso(-1))
        [transaction] = await csms.transactions(made)
        assert (transaction.state, transaction.ended_at is not None) == ("LOST", True)
        [session] = await csms.sessions()
        assert session["status"] == "COMPLETED"
        assert await csms.cdrs() == []

        await station.ask(call.StopTransaction(1600, iso(-1), number))
    assert [cdr["total_energy"] for cdr in await csms.cdrs()] == [0.6]


async def test_a_stop_after_the_quarantine_credits_the_cdr_and_sends_a_new_one(csms):
    """OCPI forbids changing a CDR that was sent (CDR-02, CDR-06)."""
    csms.wire.policy = replace(csms.wire.policy, quarantine=timedelta(0))
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        number, _ = await begin(station)
        await station.ask(call.MeterValues(1, [meter(-2, 1500)], number))
        await station.status(1, "Available", iso(-1))
        async with csms.transaction() as db:
            await billing.settle_overdue(db, csms.wire.policy)
        [first] = await csms.cdrs()
        assert first["total_energy"] == 0.5
        assert "Stop missing" in first["remark"]

        await station.ask(call.StopTransaction(1600, iso(-1), number))
    _, credit, corrected = await csms.cdrs()
    assert (credit["credit"], credit["credit_reference_id"]) == (True, first["id"])
    assert credit["total_energy"] == 0.5
    assert corrected["total_energy"] == 0.6
    assert "credit" not in corrected
    assert len({first["id"], credit["id"], corrected["id"]}) == 3


async def test_a_new_start_on_the_connector_ends_what_ran_there(csms):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        await begin(station, minutes=-10)
        await begin(station, minutes=-1, meter_start=2000)

    assert [found.state for found in await csms.transactions(made)] == ["LOST", "OPEN"]


async def test_a_session_outlives_the_connection_and_a_boot(csms):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        number, _ = await begin(station)
    async with csms.connect(made) as station:
        await station.boot()
        await station.ask(call.MeterValues(1, [meter(-1, 1500)], number))
        await station.ask(call.StopTransaction(1800, iso(), number))

    assert [cdr["total_energy"] for cdr in await csms.cdrs()] == [0.8]


async def test_a_clock_that_was_never_set_still_gives_the_right_duration(csms):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        answer = await station.ask(call.StartTransaction(1, "TAG1", 1000, "1970-01-01T00:10:00Z"))
        await station.ask(call.StopTransaction(1900, "1970-01-01T00:40:00Z", answer.transaction_id))

    [cdr] = await csms.cdrs()
    assert cdr["total_time"] == pytest.approx(0.5, abs=0.02)
    ended = datetime.fromisoformat(cdr["end_date_time"])
    assert abs(ended - datetime.now(UTC)) < timedelta(minutes=1)
    assert "Clock corrected" in cdr["remark"]


async def test_a_clock_hours_ahead_is_corrected_and_noted(csms):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        await begin(station, minutes=120)

    [transaction] = await csms.transactions(made)
    assert transaction.started_at < datetime.now(UTC) + timedelta(seconds=1)
    assert transaction.started_at_told > datetime.now(UTC) + timedelta(minutes=100)


async def test_timestamps_without_a_zone_are_utc(csms):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        at = (datetime.now(UTC) - timedelta(minutes=2)).replace(tzinfo=None).isoformat()
        await station.ask(call.StartTransaction(1, "TAG1", 0, at))

    [transaction] = await csms.transactions(made)
    assert abs(transaction.started_at - datetime.now(UTC) + timedelta(minutes=2)) < timedelta(
        minutes=1
    )


async def test_a_status_never_makes_a_session(csms):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        await station.status(1, "Charging", iso())

    assert await csms.transactions(made) == []
    assert await csms.sessions() == []


async def test_a_token_of_nobody_is_invalid_and_what_it_charges_is_kept(csms):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        number, info = await begin(station, tag="NOBODY")
        assert info == {"status": "Invalid"}
        await station.ask(call.StopTransaction(1500, iso(), number))

    assert await csms.sessions() == []
    [transaction] = await csms.transactions(made)
    assert (transaction.state, transaction.cdr_token) == ("ENDED", None)


async def test_nothing_sold_is_an_invalid_session_without_a_cdr(csms):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        number, _ = await begin(station)
        await station.ask(call.StopTransaction(1000, iso(), number, reason="DeAuthorized"))

    assert [session["status"] for session in await csms.sessions()] == ["INVALID"]
    assert await csms.cdrs() == []


async def test_suspended_by_the_vehicle_is_parking_time_and_by_the_station_is_not(csms):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        number, _ = await begin(station, minutes=-60)
        await station.status(1, "SuspendedEV", iso(-45))
        await station.status(1, "SuspendedEVSE", iso(-30))
        await station.ask(call.StopTransaction(4000, iso(0), number))

    [cdr] = await csms.cdrs()
    assert cdr["total_parking_time"] == pytest.approx(0.25, abs=0.02)
    assert cdr["total_time"] == pytest.approx(1.0, abs=0.02)


async def test_signed_readings_arrive_in_the_cdr_byte_for_byte(csms):
    """T-38 of the Eichrecht rules: odd spaces, 0.10, umlauts and pipes survive (CDR-21)."""
    ocmf = (
        'OCMF|{"FV" : "1.0","RD":[{"TX":"B","RV":0.10 },{"TX":"E","RV":1E3}],"ä":"|"}|{"SD":"30"}'
    )
    wrapped = json.dumps(
        {"signedMeterData": ocmf, "encodingMethod": "OCMF", "publicKey": "oca:base16:asn1:3059FF"}
    )
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        number, _ = await begin(station)
        data = [
            {
                "timestamp": iso(),
                "sampledValue": [
                    {"value": wrapped, "format": "SignedData", "context": "Transaction.End"}
                ],
            }
        ]
        await station.ask(call.StopTransaction(1500, iso(), number, transaction_data=data))

    [cdr] = await csms.cdrs()
    [value] = cdr["signed_data"]["signed_values"]
    assert value["plain_data"] == ocmf
    assert base64.b64decode(value["signed_data"]).decode() == ocmf
    assert value["nature"] == "End"
    assert cdr["signed_data"]["encoding_method"] == "OCMF"
    assert cdr["signed_data"]["public_key"] == base64.b64encode(bytes.fromhex("3059FF")).decode()


async def test_the_tables_of_the_seed_are_filled(csms):
    made = await csms.add_station()
    await csms.add_own_token("OWN1", parent_id="FAMILY")
    async with csms.connect(made) as station:
        await station.status(1, "Preparing", iso(-6))
        number, info = await begin(station, tag="own1")
        assert info == {"status": "Accepted", "parent_id_tag": "FAMILY"}
        samples = [
            {"value": "2000"},
            {"value": "11.0", "measurand": "Power.Active.Import", "unit": "kW"},
            {"value": "40", "measurand": "SoC", "unit": "Percent"},
        ]
        reading = {"timestamp": iso(-2), "sampledValue": samples}
        await station.ask(call.MeterValues(1, [reading], number))
        await station.ask(call.StopTransaction(2200, iso(-1), number, reason="Remote"))
        await station.status(1, "Available", iso(0))
    async with csms.transaction() as db:
        session = await db.scalar(select(ChargingSession))
        values = (await db.scalars(select(MeterValue))).all()
        events = {event.event_type for event in await db.scalars(select(SessionEvent))}
        token = await db.scalar(select(AuthToken))

    assert session.plug_in_timestamp < session.start_timestamp < session.end_timestamp
    assert session.plug_out_timestamp > session.end_timestamp
    assert (session.start_value, session.end_value, session.total_energy) == (
        Decimal("1.000"),
        Decimal("2.200"),
        Decimal("1.200"),
    )
    assert (session.max_power, session.stop_reason) == (Decimal("11.000"), "REMOTE")
    assert (session.status, session.auth_method) == ("COMPLETED", "RFID")
    assert session.session_metadata == {"initial_soc": 40, "final_soc": 40}
    assert {value.measurand for value in values} == {
        "ENERGY_ACTIVE_IMPORT_REGISTER",
        "POWER_ACTIVE_IMPORT",
        "SOC",
    }
    assert events == {"AUTHORIZED", "PLUGGED_IN", "STARTED", "STOPPED", "PLUGGED_OUT"}
    assert token.use_count == 1
