"""Commands of eMSPs at our own stations: results by version, never twice, from any process."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from ocpp.exceptions import NotImplementedError as NotImplementedAtStation
from ocpp.v16 import call
from ocpp.v16 import call_result as result16
from ocpp.v201 import call_result as result201
from sqlalchemy import select

from hub.db import Database
from hub.models.ocpp import StationCall
from hub.models.transactions import Reservation, TokenAlias
from hub.models.values import Party
from hub.ocpp.relay import Relay
from hub.ocpp.stations import Stations, change_password
from hub.ocpp.upkeep import Upkeep
from hub.ocpp.wire import Wire
from hub.roaming.commands import local
from hub.roaming.commands.orders import Errand
from hub.roaming.stations import own_evses
from tests.helpers.charge_points import PASSWORD, iso

MSP = Party("BE", "MSP")
RECORDS = {"1.6": "OCPP_1_6", "2.0.1": "OCPP_2_0_1", "2.1": "OCPP_2_1"}
APP_USER = {
    "country_code": "BE",
    "party_id": "MSP",
    "uid": "5b6e2c7e-0a2b-4b1e-9f86-3a8d8c1f2f10",
    "type": "APP_USER",
    "contract_id": "BE-MSP-C0001",
    "issuer": "MSP",
    "valid": True,
    "whitelist": "NEVER",
    "group_id": "G1",
    "last_updated": "2026-01-01T00:00:00Z",
}


def start_request(made, **more):
    request = {"token": APP_USER, "location_id": "LOC1", "evse_uid": made.evse_uids[1]}
    return {**request, "authorization_reference": "AR-1", **more}


async def ordered(csms, able, command, request, caller=MSP):
    """What the rules say to a command."""
    return await local.carry_out(
        Errand(csms.database, able, csms.tenant.id, caller, request), command
    )


async def start(csms, able, made, **more):
    request = start_request(made, **more)
    return await ordered(csms, able, "START_SESSION", request)


async def test_a_command_takes_one_connection_to_the_database_at_a_time(csms, able, postgres):
    """Where the station is, is read beside it: were one held meanwhile, as many commands as there
    are connections would wait for each other.
    """
    made = await csms.add_station()
    async with csms.connect(made) as station:
        await (await start(csms, able, made)).work()
        [(_, payload)] = station.asked
        await station.ask(call.StartTransaction(1, payload["id_tag"], 1000, iso(-1)))
        [session] = await csms.sessions()
        request = start_request(
            made,
            session_id=session["id"],
            reservation_id="R1",
            expiry_date=iso(60),
            connector_id="1",
            duration=60,
            charging_profile={
                "charging_rate_unit": "W",
                "charging_profile_period": [{"start_period": 0, "limit": 11000}],
            },
        )
        narrow = Database(postgres.url, pool_size=1)
        wire = Wire(narrow, csms.keyring)
        errand = Errand(narrow, Stations(wire, Relay(wire)), csms.tenant.id, MSP, request)
        looked_at = {
            command: (await local.carry_out(errand, command)).response
            for command in local.ORDERS
            if command != "CANCEL_RESERVATION"
        }
        assert looked_at == dict.fromkeys(looked_at, "ACCEPTED")
        await narrow.close()


async def test_an_app_user_starts_and_stops_a_session_on_1_6(csms, able):
    """A uid of 36 letters does not fit: the alias stands for it, and names the command."""
    made = await csms.add_station()
    async with csms.connect(made) as station:
        order = await start(csms, able, made)
        assert order.response == "ACCEPTED"
        assert (await order.work()).result == "ACCEPTED"
        [(action, payload)] = station.asked
        assert (action, payload["connector_id"]) == ("RemoteStartTransaction", 1)
        alias = payload["id_tag"]
        assert len(alias) == 20

        answer = await station.ask(call.Authorize(alias))
        assert answer.id_tag_info == {"status": "Accepted", "parent_id_tag": "G1"}
        begun = await station.ask(call.StartTransaction(1, alias, 1000, iso(-1)))
        [session] = await csms.sessions()
        assert session["cdr_token"]["uid"] == APP_USER["uid"]
        assert session["auth_method"] == "COMMAND"
        assert session["authorization_reference"] == "AR-1"

        stop = await ordered(csms, able, "STOP_SESSION", {"session_id": session["id"]})
        assert (await stop.work()).result == "ACCEPTED"
        assert station.asked[-1] == (
            "RemoteStopTransaction",
            {"transaction_id": begun.transaction_id},
        )


async def test_a_command_counts_more_than_the_card_that_was_shown_before_it_CDR_11(csms, able):
    made = await csms.add_station()
    await csms.add_token("CARD1", whitelist="ALWAYS")
    card = APP_USER | {"uid": "CARD1", "type": "RFID", "contract_id": "C-CARD1"}
    async with csms.connect(made) as station:
        await station.ask(call.Authorize("CARD1"))
        order = await start(csms, able, made, token=card)
        assert (await order.work()).result == "ACCEPTED"
        await station.ask(call.StartTransaction(1, "CARD1", 1000, iso(-1)))

    [session] = await csms.sessions()
    assert session["auth_method"] == "COMMAND"
    assert session["authorization_reference"] == "AR-1"


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
async def test_the_remote_start_number_names_the_command_in_2_x(csms, able, version):
    made = await csms.add_station(RECORDS[version])
    async with csms.connect(made, version) as station:
        order = await start(csms, able, made)
        assert (await order.work()).result == "ACCEPTED"
        [(_, payload)] = station.asked
        assert payload["id_token"]["type"] == "Central"
        assert payload["group_id_token"]["id_token"] == "G1"
        await station.event(
            "Started", "T-1", 0, iso(-1), evse={"id": 1, "connectorId": 1},
            info={"remoteStartId": payload["remote_start_id"]}, trigger="RemoteStart",
        )  # fmt: skip

    [session] = await csms.sessions()
    assert session["cdr_token"]["uid"] == APP_USER["uid"]
    assert session["auth_method"] == "COMMAND"


@pytest.mark.parametrize(
    ("status", "result"),
    [("Preparing", "EVSE_OCCUPIED"), ("Faulted", "EVSE_INOPERATIVE"), ("Available", "REJECTED")],
)
async def test_a_refused_start_says_why_as_far_as_the_hub_knows(csms, able, status, result):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        await station.status(1, status, iso())
        station.replies["RemoteStartTransaction"] = result16.RemoteStartTransaction("Rejected")
        assert (await (await start(csms, able, made)).work()).result == result


async def test_a_command_for_a_station_that_is_away_is_refused_at_once(csms, able):
    made = await csms.add_station()
    assert (await start(csms, able, made)).response == "REJECTED"


async def test_a_command_for_an_unknown_evse_or_connector_is_refused(csms, able):
    made = await csms.add_station()
    async with csms.connect(made):
        for more in ({"evse_uid": "nowhere"}, {"location_id": "L9"}, {"connector_id": "7"}):
            assert (await start(csms, able, made, **more)).response == "REJECTED"


async def test_a_session_of_somebody_else_is_unknown(csms, able):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        await station.ask(call.StartTransaction(1, "TAG1", 0, iso(-1)))
        [session] = await csms.sessions()
        request = {"session_id": session["id"]}
        order = await ordered(csms, able, "STOP_SESSION", request, Party("DE", "TWO"))
        assert order.response == "UNKNOWN_SESSION"
        assert station.asked == []


async def test_unlocking_needs_a_session_of_ones_own(csms, able):
    """T-52."""
    made = await csms.add_station()
    await csms.add_token("TAG1")
    request = {"location_id": "LOC1", "evse_uid": made.evse_uids[1], "connector_id": "1"}

    async def unlock():
        return await ordered(csms, able, "UNLOCK_CONNECTOR", request)

    async with csms.connect(made) as station:
        assert (await unlock()).response == "REJECTED"
        await station.ask(call.StartTransaction(1, "TAG1", 0, iso(-1)))
        assert (await (await unlock()).work()).result == "ACCEPTED"
        for status, result in (("UnlockFailed", "FAILED"), ("NotSupported", "NOT_SUPPORTED")):
            station.replies["UnlockConnector"] = result16.UnlockConnector(status)
            assert (await (await unlock()).work()).result == result


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        (NotImplementedAtStation(), "NOT_SUPPORTED"),
        (result16.RemoteStartTransaction("Accepted"), "ACCEPTED"),
    ],
)
async def test_errors_of_the_station_become_results(csms, able, reply, result):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        station.replies["RemoteStartTransaction"] = reply
        assert (await (await start(csms, able, made)).work()).result == result


async def test_a_reservation_becomes_a_session_and_its_time_is_told(csms, able):
    made = await csms.add_station()
    request = {
        "token": APP_USER,
        "expiry_date": iso(30),
        "reservation_id": "R-1",
        "location_id": "LOC1",
        "evse_uid": made.evse_uids[1],
    }
    async with csms.connect(made) as station:
        order = await ordered(csms, able, "RESERVE_NOW", request)
        assert (await order.work()).result == "ACCEPTED"
        [(_, payload)] = station.asked
        [session] = await csms.sessions()
        assert session["status"] == "RESERVATION"

        async with csms.transaction() as db:
            kept = await db.scalar(select(Reservation))
            kept.reserved_at = datetime.now(UTC) - timedelta(minutes=20)
        begun = await station.ask(
            call.StartTransaction(
                1, payload["id_tag"], 0, iso(-4), reservation_id=payload["reservation_id"]
            )
        )
        [session] = await csms.sessions()
        assert session["status"] == "ACTIVE"
        await station.ask(call.StopTransaction(100, iso(), begun.transaction_id))

    [cdr] = await csms.cdrs()
    kinds = [
        dimension["type"]
        for period in cdr["charging_periods"]
        for dimension in period["dimensions"]
    ]
    assert "RESERVATION_TIME" in kinds
    assert cdr["session_id"] == session["id"]


async def test_a_reservation_is_cancelled_once(csms, able):
    made = await csms.add_station()
    request = {
        "token": APP_USER,
        "expiry_date": iso(30),
        "reservation_id": "R-1",
        "location_id": "LOC1",
        "evse_uid": made.evse_uids[1],
    }
    async with csms.connect(made) as station:
        order = await ordered(csms, able, "RESERVE_NOW", request)
        await order.work()

        async def cancel():
            return await ordered(csms, able, "CANCEL_RESERVATION", {"reservation_id": "r-1"})

        assert (await (await cancel()).work()).result == "ACCEPTED"
        assert (await cancel()).response == "REJECTED"
        assert [action for action, _ in station.asked] == ["ReserveNow", "CancelReservation"]
    assert [session["status"] for session in await csms.sessions()] == ["COMPLETED"]


async def test_a_reservation_refused_says_why(csms, able):
    made = await csms.add_station("OCPP_2_0_1")
    request = {
        "token": APP_USER,
        "expiry_date": iso(30),
        "reservation_id": "R-1",
        "location_id": "LOC1",
        "evse_uid": made.evse_uids[1],
    }
    async with csms.connect(made, "2.0.1") as station:
        for number, (status, result) in enumerate(
            (("Occupied", "EVSE_OCCUPIED"), ("Unavailable", "EVSE_INOPERATIVE"))
        ):
            station.replies["ReserveNow"] = result201.ReserveNow(status)
            again = request | {"reservation_id": f"R-{number}"}
            order = await ordered(csms, able, "RESERVE_NOW", again)
            assert (await order.work()).result == result
    assert await csms.sessions() == []


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_a_charging_profile_reaches_the_running_transaction(csms, able, version):
    made = await csms.add_station(RECORDS[version])
    await csms.add_token("TAG1")
    profile = {
        "charging_rate_unit": "A",
        "charging_profile_period": [
            {"start_period": 0, "limit": 16.0},
            {"start_period": 600, "limit": 8.0},
        ],
    }
    async with csms.connect(made, version) as station:
        if version == "1.6":
            await station.ask(call.StartTransaction(1, "TAG1", 0, iso(-1)))
        else:
            await station.event(
                "Started", "T-1", 0, iso(-1), evse={"id": 1, "connectorId": 1},
                id_token={"idToken": "TAG1", "type": "ISO14443"},
            )  # fmt: skip
        [session] = await csms.sessions()
        asked = {"session_id": session["id"], "charging_profile": profile}
        order = await ordered(csms, able, "SET_CHARGING_PROFILE", asked)
        assert (await order.work()).result == "ACCEPTED"
        [(_, payload)] = station.asked
    told = str(payload)
    assert "TxProfile" in told
    assert "Relative" in told


async def test_a_new_password_reaches_the_station_and_both_are_good(csms, able):
    made = await csms.add_station()
    new = "a-new-password-5678"
    async with csms.connect(made) as station:
        assert (await change_password(able, made.ref, new)).accepted
        assert station.asked == [("ChangeConfiguration", {"key": "AuthorizationKey", "value": new})]
    async with csms.connect(made, password=PASSWORD) as station:
        await station.boot()
    async with csms.connect(made, password=new) as station:
        await station.boot()


async def test_a_command_reaches_a_station_whose_socket_another_process_holds(csms):
    made = await csms.add_station()
    async with csms.another_process() as far, csms.connect(made) as station:
        order = await start(csms, far, made)
        assert (await order.work()).result == "ACCEPTED"
        assert [action for action, _ in station.asked] == ["RemoteStartTransaction"]
        station.replies["RemoteStartTransaction"] = NotImplementedAtStation()
        order = await start(csms, far, made)
        assert (await order.work()).result == "NOT_SUPPORTED"
    async with csms.transaction() as db:
        states = [row.state for row in await db.scalars(select(StationCall))]
    assert sorted(states) == ["ANSWERED", "REFUSED"]


async def test_a_call_that_nobody_takes_up_is_taken_back_and_never_sent(csms):
    """The process that held the socket was killed: it cannot say so."""
    made = await csms.add_station()
    async with csms.connect(made) as station:
        await station.boot()
        dead = csms.wire.process
        async with csms.another_process() as far:
            far.relay.take_up_within = 0.2
            csms.wire.process = "somebody else"
            order = await start(csms, far, made)
            outcome = await order.work()
            csms.wire.process = dead
        assert (outcome.result, station.asked) == ("REJECTED", [])
    async with csms.transaction() as db:
        assert [row.state for row in await db.scalars(select(StationCall))] == ["OFFLINE"]


async def test_evses_of_a_station_that_is_away_are_unknown_after_the_grace(csms):
    made = await csms.add_station()
    csms.wire.grace = 0.3
    upkeep = Upkeep(csms.wire)
    async with csms.connect(made) as station:
        await station.status(1, "Available", iso())
        await csms.shown(made, 1, "AVAILABLE")
        await upkeep.once()
        await csms.shown(made, 1, "AVAILABLE")
    async with asyncio.timeout(20):
        while await csms.status_of(made, 1) != "UNKNOWN":
            await upkeep.once()


async def test_what_is_running_is_still_active_while_its_station_is_away(csms):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    csms.wire.grace = 0.0
    async with csms.connect(made) as station:
        await station.ask(call.StartTransaction(1, "TAG1", 0, iso(-1)))
    await asyncio.sleep(0.1)
    await Upkeep(csms.wire).once()
    assert [session["status"] for session in await csms.sessions()] == ["ACTIVE"]


async def test_the_ocpp_identity_is_in_no_document(csms):
    """T-47: it is half of what an impostor needs."""
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.connect(made) as station:
        begun = await station.ask(call.StartTransaction(1, "TAG1", 0, iso(-1)))
        await station.ask(call.StopTransaction(100, iso(), begun.transaction_id))
    async with csms.transaction() as db:
        shown = await own_evses.shown_evse(db, made.evse_uids[1])
        alias_count = len((await db.scalars(select(TokenAlias))).all())
    told = json.dumps([shown, await csms.sessions(), await csms.cdrs()])
    assert made.identity not in told
    assert str(made.ref.id) not in told
    assert alias_count == 0
    assert Decimal(str((await csms.cdrs())[0]["total_energy"])) == Decimal("0.1")
