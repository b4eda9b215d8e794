"""Transactions of OCPP 1.6 stations, row by row of ocpp.md 1.4; real stations, real database."""

from datetime import UTC, datetime, timedelta

import pytest
from ocpp.v16 import call


def iso(minutes=0):
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


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
    assert cdr["remark"].startswith("Stop reason: EVDisconnected")
