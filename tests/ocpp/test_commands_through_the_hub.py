"""Commands of an eMSP for our own stations, as if these were a remote CPO (HUB-07, CMD-15)."""

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from ocpp.v16 import call
from ocpp.v16 import call_result as result16
from ocpp.v21 import call as call21
from ocpp.v21 import call_result as result21
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201
from sqlalchemy import select, update

from hub.keys import DIRECTORY
from hub.models.partners import Agreement
from hub.models.transactions import Reservation
from hub.roaming.modules import TARIFFS
from hub.roaming.store import objects
from hub.roaming.store.writes import Write
from tests.helpers.charge_points import PASSWORD, basic, iso
from tests.helpers.commands import command, kept, kept_results, let_pass, parties, told
from tests.helpers.documents import location, tariff, token
from tests.helpers.partner import FakePartner
from tests.ocpp.conftest import OWNER, TARIFF

EMSP, OWN, HUB = ("DE", "TWO"), ("NL", "OWN"), ("NL", "HUB")
RECORDS = {"1.6": "OCPP_1_6", "2.0.1": "OCPP_2_0_1"}
PREFERRING = {"2.1": "OCPP_2_1"}
SINCE = {"date_from": "2020-01-01T00:00:00Z"}


@pytest.fixture
async def emsp(hub):
    async with FakePartner("DE*TWO EMSP") as partner:
        await hub.connect(partner)
        yield partner


@asynccontextmanager
async def station_of(own, version):
    """A station with one EVSE, connected; ``made`` says how the hub knows it."""
    made = await own.add_station((RECORDS | PREFERRING)[version])
    async with own.connect(made, version) as station:
        station.made, station.evse_uid = made, made.evse_uids[1]
        yield station


def asked(station, *actions):
    """What it was asked by commands, leaving out what it is always asked."""
    return [payload for action, payload in station.asked if action in actions]


async def send(emsp, station, name, to=None, **changes):
    at = {"location_id": "LOC1", "evse_uid": station.evse_uid}
    where = {} if name in {"STOP_SESSION", "CANCEL_RESERVATION"} else at
    return await emsp.post(f"commands/{name}", command(name, emsp, **where | changes), to=to)


async def begin(station, version, payload):
    """What a station does that was told to start: the transaction, as its driver sees it."""
    if version == "1.6":
        return await station.ask(call.StartTransaction(1, payload["id_tag"], 1000, iso(-1)))
    return await station.event(
        "Started", "T-1", 0, iso(-1), evse={"id": 1, "connectorId": 1},
        info={"remoteStartId": payload["remote_start_id"]}, trigger="RemoteStart",
    )  # fmt: skip


def sessions(emsp):
    return [push for push in emsp.received if push.module == "sessions"]


def latest_status(emsp):
    """Of the session told of last; sessions have a stream of their own, so perhaps of none yet."""
    told = sessions(emsp)
    return told[-1].body["status"] if told else None


@asynccontextmanager
async def charging(own, emsp, version="1.6"):
    """A station at which the eMSP has started a session, and its id."""
    async with station_of(own, version) as station:
        await send(emsp, station, "START_SESSION")
        await emsp.until(lambda emsp: emsp.results)
        [payload] = asked(station, "RemoteStartTransaction", "RequestStartTransaction")
        await begin(station, version, payload)
        await emsp.until(sessions)
        emsp.results.clear()
        yield station, sessions(emsp)[-1].body["id"]


async def until_results(emsp, *wanted):
    await emsp.until(lambda emsp: len(emsp.results) >= len(wanted))
    assert [push.body["result"] for push in emsp.results] == [*wanted]


@pytest.mark.parametrize("to", [None, "NL*OWN"])
@pytest.mark.parametrize("version", RECORDS)
async def test_all_five_commands_reach_our_stations_HUB_07(hub, own, emsp, version, to):
    """Named or found by what they are about; answered at once, their results by the feed.

    The token need not be known (CMD-08); the reference comes back in the session (CMD-14, SES-05).
    A reservation has a session of its own (CMD-10, SES-03), and at the station a number (CMD-09).
    """
    reference = {"authorization_reference": "AR-1"}
    async with station_of(own, version) as station:
        # A reservation, and its end.
        reserved = await send(emsp, station, "RESERVE_NOW", to, **reference)
        assert (reserved.status_code, reserved.data["result"]) == (1000, "ACCEPTED")
        assert parties(reserved.headers) == {"to": EMSP, "from": OWN}
        assert reserved.data["timeout"] > 30
        await until_results(emsp, "ACCEPTED")
        await emsp.until(sessions)
        reservation = sessions(emsp)[-1].body
        [payload] = asked(station, "ReserveNow")
        assert (await send(emsp, station, "CANCEL_RESERVATION", to)).data["result"] == "ACCEPTED"
        await until_results(emsp, "ACCEPTED", "ACCEPTED")
        # A session, the connector unlocked meanwhile.
        started = await send(emsp, station, "START_SESSION", to, **reference)
        assert started.data["result"] == "ACCEPTED"
        await until_results(emsp, *["ACCEPTED"] * 3)
        starts = asked(station, "RemoteStartTransaction", "RequestStartTransaction")
        await begin(station, version, starts[0])
        await emsp.until(lambda emsp: any(one.body["status"] == "ACTIVE" for one in sessions(emsp)))
        session = sessions(emsp)[-1]
        assert parties(session.headers) == {"to": EMSP, "from": OWN}
        unlocked = await send(emsp, station, "UNLOCK_CONNECTOR", to, connector_id="1")
        assert unlocked.data["result"] == "ACCEPTED"
        stopped = await send(emsp, station, "STOP_SESSION", to, session_id=session.body["id"])
        assert stopped.data["result"] == "ACCEPTED"
        await until_results(emsp, *["ACCEPTED"] * 5)

    [first, *_] = emsp.results
    assert parties(first.headers) == {"to": EMSP, "from": OWN}
    assert reservation["status"] == "RESERVATION"
    assert "R1" not in payload.values()
    for shown in (reservation, session.body):
        assert shown["auth_method"] == "COMMAND"
        assert shown["authorization_reference"] == "AR-1"
        assert shown["cdr_token"]["uid"] == token()["uid"]
    commands = await kept(hub)
    assert {(one.direction, one.state) for one in commands} == {("LOCAL", "FINISHED")}
    assert station.made.identity not in str([push.body for push in emsp.requests])


async def test_an_emsp_that_speaks_2_1_1_starts_and_stops_at_our_stations(hub, own):
    async with FakePartner("DE*TWO EMSP", versions=("2.1.1",)) as emsp:
        await hub.connect(emsp)
        async with station_of(own, "1.6") as station:
            answer = await send(emsp, station, "START_SESSION")
            assert answer.data == {"result": "ACCEPTED"}
            await until_results(emsp, "ACCEPTED")
            [payload] = asked(station, "RemoteStartTransaction")
            await begin(station, "1.6", payload)
            await emsp.until(sessions)
            session_id = sessions(emsp)[-1].body["id"]
            stopped = await send(emsp, station, "STOP_SESSION", session_id=session_id)
            assert stopped.data == {"result": "ACCEPTED"}
            await until_results(emsp, "ACCEPTED", "ACCEPTED")
            unknown = await send(emsp, station, "STOP_SESSION", session_id="nobodys")
            assert unknown.data == {"result": "UNKNOWN_SESSION"}


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        (result201.ReserveNow("Occupied"), "EVSE_OCCUPIED"),
        (result201.ReserveNow("Faulted"), "EVSE_INOPERATIVE"),
        (result201.RequestStartTransaction("Rejected"), "REJECTED"),
    ],
)
async def test_what_a_station_refuses_is_the_result_CMD_15(hub, own, emsp, reply, result):
    async with station_of(own, "2.0.1") as station:
        await station.boot()
        await station.status(1, "Available", iso())
        action = type(reply).__name__
        station.replies[action] = reply
        name = "RESERVE_NOW" if action == "ReserveNow" else "START_SESSION"
        answer = await send(emsp, station, name)
        assert answer.data["result"] == "ACCEPTED"
        await until_results(emsp, result)
    [row] = await kept(hub)
    assert row.state == "FINISHED"


async def test_what_cannot_be_done_is_said_at_once(hub, own, emsp):
    made = await own.add_station()
    async with station_of(own, "1.6") as station:
        away = await emsp.post(
            "commands/START_SESSION",
            command("START_SESSION", emsp, location_id="LOC1", evse_uid=made.evse_uids[1]),
        )
        nowhere = await send(emsp, station, "START_SESSION", evse_uid="no-such-evse")
        no_session = await send(emsp, station, "STOP_SESSION", "NL*OWN", session_id="nobodys")
        nothing_reserved = await send(emsp, station, "CANCEL_RESERVATION", "NL*OWN")
        odd = {"response_url": emsp.response_url("HONK"), "location_id": "LOC1"}
        unknown = await emsp.post("commands/HONK", odd, to="NL*OWN")

    assert away.data["message"][0]["text"] == "The charging station is not connected."
    assert [one.data["result"] for one in (away, nowhere, nothing_reserved)] == ["REJECTED"] * 3
    assert no_session.data["result"] == "UNKNOWN_SESSION"
    assert unknown.data["result"] == "NOT_SUPPORTED"
    assert all(one.data["timeout"] == 0 for one in (away, nowhere, no_session, unknown))
    assert {row.state for row in await kept(hub)} == {"REFUSED"}
    assert await told(hub, emsp) == []


async def test_a_card_that_a_command_names_needs_no_more_asking_CMD_07(hub, own, emsp):
    """Its issuer would be asked in real time otherwise, for its whitelist is NEVER."""
    card = token(version="2.2.1", uid="CARD1", whitelist="NEVER")
    emsp.own["tokens"] = [card]
    async with station_of(own, "1.6") as station:
        await send(emsp, station, "START_SESSION", token=card)
        await until_results(emsp, "ACCEPTED")
        answer = await station.ask(call.Authorize("CARD1"))

    assert answer.id_tag_info["status"] == "Accepted"
    assert [push for push in emsp.requests if push.path.endswith("authorize")] == []


async def test_unlocking_needs_a_session_of_ones_own_or_a_right_T_52_CMD_13(hub, own, emsp):
    async with FakePartner("FR*HLP EMSP") as helpdesk, charging(own, emsp) as (station, _):
        await hub.connect(helpdesk, unlocks_without_session=True)
        async with FakePartner("BE*OTH EMSP") as other:
            await hub.connect(other)
            answers = [
                await send(one, station, "UNLOCK_CONNECTOR", connector_id="1")
                for one in (other, helpdesk, emsp)
            ]
        await until_results(emsp, "ACCEPTED")

    assert [one.data["result"] for one in answers] == ["REJECTED", "ACCEPTED", "ACCEPTED"]


async def test_a_storm_at_one_evse_is_limited_T_52(hub, own, emsp):
    """Ten at once, then one every six seconds: however long it takes here, most are refused."""
    async with station_of(own, "1.6") as station:
        answers = [await send(emsp, station, "START_SESSION") for _ in range(40)]
        elsewhere = await send(emsp, station, "STOP_SESSION", session_id="S-OTHER", to="NL*OWN")
        taken = [one for one in answers if one.http_status == 200]
        await emsp.until(lambda emsp: len(emsp.results) == len(taken))

    refused = [one for one in answers if one.http_status == 429]
    assert len(taken) + len(refused) == 40
    assert answers[:10] == taken[:10]
    assert len(refused) > len(taken)
    assert all("Retry-After" in one.headers for one in refused)
    assert len(asked(station, "RemoteStartTransaction")) == len(taken)
    assert elsewhere.data["result"] == "UNKNOWN_SESSION"


async def test_agreements_hold_for_our_own_party_too_T_05(hub, own, emsp):
    async with hub.database.transaction(hub.tenant_id) as db:
        db.add(
            Agreement(to_country_code="NL", to_party_id="OWN", module="commands", effect="BLOCK")
        )
    hub.app[DIRECTORY].forget(hub.tenant_id)

    async with station_of(own, "1.6") as station:
        answers = [await send(emsp, station, "START_SESSION", to) for to in (None, "NL*OWN")]

    assert {one.status_code for one in answers} == {4000}
    assert asked(station, "RemoteStartTransaction") == []


@asynccontextmanager
async def mute_station(own):
    """Connected, and never says a word."""
    made = await own.add_station()
    async with own.session.ws_connect(
        own.url(made.identity), protocols=["ocpp1.6"], headers=basic(made.identity, PASSWORD)
    ) as socket:
        socket.made, socket.evse_uid = made, made.evse_uids[1]
        yield socket


async def test_a_mute_station_is_asked_once_and_its_time_out_told_F_12(hub, own, emsp):
    async with mute_station(own) as station:
        answer = await send(emsp, station, "START_SESSION")
        assert answer.data["result"] == "ACCEPTED"
        heard = (await station.receive(10)).json()
        assert heard[2] == "RemoteStartTransaction"
        await let_pass(hub, minutes=2)
        await hub.run("expire commands")
        assert await told(hub, emsp) == ["TIMEOUT"]
        again = await send(emsp, station, "STOP_SESSION", "NL*OWN")
        assert again.data["result"] == "UNKNOWN_SESSION"
        with suppress(TimeoutError):
            heard = (await station.receive(0.5)).json()
            assert heard[2] != "RemoteStartTransaction"


async def test_a_hub_that_is_stopped_meanwhile_tells_it_afterwards_F_12(hub, own, emsp):
    async with mute_station(own) as station:
        await send(emsp, station, "START_SESSION")
        await station.receive(10)
        await hub.stop()
    await hub.start()

    await let_pass(hub, minutes=2)
    await hub.run("expire commands")
    results = await told(hub, emsp)

    assert results == ["TIMEOUT"]
    assert [one.told for one in await kept_results(hub)] == [True]


# Reservations that end by themselves.


async def test_a_reservation_that_the_station_gives_up_is_told_CMD_11(hub, own, emsp):
    async with station_of(own, "2.0.1") as station:
        await send(emsp, station, "RESERVE_NOW")
        await until_results(emsp, "ACCEPTED")
        [payload] = asked(station, "ReserveNow")
        await station.ask(call201.ReservationStatusUpdate(payload["id"], "Removed"))
        await until_results(emsp, "ACCEPTED", "CANCELED_RESERVATION")

    assert emsp.results[0].url == emsp.results[1].url
    await emsp.until(lambda emsp: latest_status(emsp) == "COMPLETED")


async def test_a_reservation_that_the_emsp_cancels_is_not_told_again(hub, own, emsp):
    async with station_of(own, "2.0.1") as station:
        await send(emsp, station, "RESERVE_NOW")
        await until_results(emsp, "ACCEPTED")
        await send(emsp, station, "CANCEL_RESERVATION")
        await until_results(emsp, "ACCEPTED", "ACCEPTED")
        [payload] = asked(station, "ReserveNow")
        await station.ask(call201.ReservationStatusUpdate(payload["id"], "Removed"))

    assert await told(hub, emsp) == ["ACCEPTED", "ACCEPTED"]


async def test_a_reservation_ends_when_its_time_is_over_whatever_the_station_says(hub, own, emsp):
    async with station_of(own, "1.6") as station:
        await send(emsp, station, "RESERVE_NOW")
        await until_results(emsp, "ACCEPTED")
        async with own.transaction() as db:
            await db.execute(update(Reservation).values(expires_at=iso_time(-5)))
        await hub.run("end reservations")
        await until_results(emsp, "ACCEPTED", "CANCELED_RESERVATION")

    async with own.transaction() as db:
        assert [row.state for row in await db.scalars(select(Reservation))] == ["EXPIRED"]
    await emsp.until(lambda emsp: latest_status(emsp) == "COMPLETED")


def iso_time(minutes):
    return datetime.now(UTC) + timedelta(minutes=minutes)


# Charging profiles and preferences.

PROFILE = {
    "charging_rate_unit": "A",
    "charging_profile_period": [{"start_period": 0, "limit": 16.0}],
}


def later(emsp):
    return f"{emsp.base_url}/2.2.1/sender/chargingprofiles/results/{len(emsp.requests)}"


@pytest.mark.parametrize("version", RECORDS)
async def test_a_charging_profile_is_set_asked_for_and_cleared_CHP_02(hub, own, emsp, version):
    async with charging(own, emsp, version) as (station, session_id):
        path = f"chargingprofiles/{session_id}"
        body = {"charging_profile": PROFILE, "response_url": later(emsp)}
        answer = await emsp.put(path, body)
        assert answer.data["result"] == "ACCEPTED"
        assert "message" not in answer.data
        await until_results(emsp, "ACCEPTED")
        assert "16" in str(asked(station, "SetChargingProfile"))

        schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [PERIOD]}
        station.replies["GetCompositeSchedule"] = composite(version, schedule)
        query = {"duration": "900", "response_url": later(emsp)}
        assert (await emsp.get(path, side="RECEIVER", params=query)).data["result"] == "ACCEPTED"
        await until_results(emsp, "ACCEPTED", "ACCEPTED")
        profile = emsp.results[-1].body["profile"]["charging_profile"]
        assert profile["charging_profile_period"] == [{"start_period": 0, "limit": 16}]

        query = {"response_url": later(emsp)}
        assert (await emsp.delete(path, params=query)).data["result"] == "ACCEPTED"
        await until_results(emsp, *["ACCEPTED"] * 3)
        again = await emsp.delete(path, params={"response_url": later(emsp)})
        assert again.data["result"] == "ACCEPTED"
        await until_results(emsp, *["ACCEPTED"] * 3, "UNKNOWN")
        assert len(asked(station, "ClearChargingProfile")) == 1

    unknown = await emsp.put("chargingprofiles/nobodys", body)
    assert unknown.data == {"result": "UNKNOWN_SESSION", "timeout": 0}


@pytest.mark.parametrize("version", RECORDS)
async def test_a_limit_is_told_to_a_station_with_the_one_decimal_it_knows_CHP_02(
    hub, own, emsp, version
):
    """More decimals are against the schema of OCPP, and nothing would be sent."""
    periods = [{"start_period": 0, "limit": 16.29}, {"start_period": 600, "limit": 8.2}]
    profile = PROFILE | {"charging_profile_period": periods, "min_charging_rate": 6.05}
    async with charging(own, emsp, version) as (station, session_id):
        body = {"charging_profile": profile, "response_url": later(emsp)}
        await emsp.put(f"chargingprofiles/{session_id}", body)
        await until_results(emsp, "ACCEPTED")
        told = str(asked(station, "SetChargingProfile"))

    assert "16.2" in told
    assert "8.2" in told
    assert "6.0" in told
    assert "16.29" not in told


@pytest.mark.parametrize("periods", [{}, {"charging_profile_period": []}])
async def test_a_profile_without_periods_is_rejected_before_a_station_sees_it_CHP_02(
    hub, own, emsp, periods
):
    async with charging(own, emsp) as (station, session_id):
        profile = {"charging_rate_unit": "A"} | periods
        body = {"charging_profile": profile, "response_url": later(emsp)}
        answer = await emsp.put(f"chargingprofiles/{session_id}", body)

    assert answer.data == {"result": "REJECTED", "timeout": 0}
    assert "SetChargingProfile" not in str(station.asked)


PERIOD = {"startPeriod": 0, "limit": 16}


def composite(version, schedule):
    if version == "1.6":
        return result16.GetCompositeSchedule(
            "Accepted", connector_id=1, schedule_start=iso(), charging_schedule=schedule
        )
    whole = {"evseId": 1, "duration": 900, "scheduleStart": iso()} | schedule
    return result201.GetCompositeSchedule("Accepted", schedule=whole)


async def test_a_profile_that_nobody_answers_for_has_no_result_CHP_02(hub, own, emsp):
    """There is no word for it, and REJECTED could be a lie."""
    async with charging(own, emsp) as (station, session_id):
        body = {"charging_profile": PROFILE, "response_url": later(emsp)}
        station.replies["SetChargingProfile"] = result16.SetChargingProfile("Rejected")
        await emsp.put(f"chargingprofiles/{session_id}", body)
        await until_results(emsp, "REJECTED")


@pytest.mark.parametrize("everywhere", [True, False])
async def test_what_else_limits_a_station_is_told_to_whom_set_a_profile_CHP_04_CHP_05(
    hub, own, emsp, everywhere
):
    async with charging(own, emsp, "2.0.1") as (station, session_id):
        limit = call201.NotifyChargingLimit(
            {"chargingLimitSource": "SO"}, **({} if everywhere else {"evse_id": 1})
        )
        schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [PERIOD]}
        station.replies["GetCompositeSchedule"] = composite("2.0.1", schedule)
        # Whoever set no profile is told nothing: the CPO SHALL NOT.
        await station.ask(limit)
        body = {"charging_profile": PROFILE, "response_url": later(emsp)}
        await emsp.put(f"chargingprofiles/{session_id}", body)
        await until_results(emsp, "ACCEPTED")
        assert asked(station, "GetCompositeSchedule") == []

        await station.ask(limit)
        await emsp.until(lambda emsp: len(emsp.results) > 1)
        told_of = emsp.results[-1]

        # And when it is over, what holds then.
        where = {} if everywhere else {"evse_id": 1}
        await station.ask(call201.ClearedChargingLimit("SO", **where))
        await emsp.until(lambda emsp: len(emsp.results) > 2)
        assert emsp.results[-1].path == told_of.path

    assert (told_of.method, told_of.path) == ("PUT", f"chargingprofiles/{session_id}")
    assert parties(told_of.headers) == {"to": EMSP, "from": OWN}
    assert told_of.body["charging_profile"]["charging_profile_period"] == [
        {"start_period": 0, "limit": 16}
    ]
    [payload, _] = asked(station, "GetCompositeSchedule")
    assert 5 * 60 <= payload["duration"] <= 60 * 60


async def prefer(emsp, session_id, profile_type="FAST", to=None, **more):
    preferences = {"profile_type": profile_type, **more}
    return await emsp.put(f"sessions/{session_id}/charging_preferences", preferences, to=to)


async def test_stations_that_put_nobody_first_take_no_charging_preferences_SES_10(hub, own, emsp):
    async with charging(own, emsp) as (_, session_id):
        for to in (None, "NL*OWN"):
            answer = await prefer(emsp, session_id, to=to)
            assert (answer.http_status, answer.status_code) == (404, 2001)
    location = (await emsp.get("locations/LOC1", to="NL*OWN")).data
    assert "CHARGING_PREFERENCES_CAPABLE" not in location["evses"][0]["capabilities"]


@asynccontextmanager
async def preferring(own, emsp):
    """A session at a station of 2.1 that has told, in its device model, that it can."""
    async with charging(own, emsp, "2.1") as (station, session_id):
        purposes = {
            "component": {"name": "SmartChargingCtrlr"},
            "variable": {"name": "SupportedAdditionalPurposes"},
            "variableAttribute": [{"value": "LocalGeneration,PriorityCharging"}],
        }
        report = call21.NotifyReport(
            request_id=1, generated_at=iso(), seq_no=0, report_data=[purposes]
        )
        await station.ask(report)
        yield station, session_id


@pytest.mark.parametrize("to", [None, "NL*OWN"])
async def test_a_station_is_told_who_comes_first_SES_09_SES_11(hub, own, emsp, to):
    async with preferring(own, emsp) as (station, session_id):
        location = (await emsp.get("locations/LOC1", to="NL*OWN")).data
        fast = await prefer(emsp, session_id, "FAST", to, departure_time=iso(60), energy_need=20)
        regular = await prefer(emsp, session_id, "REGULAR", to)
        cheap = await prefer(emsp, session_id, "CHEAP", to)

    assert "CHARGING_PREFERENCES_CAPABLE" in location["evses"][0]["capabilities"]
    assert [fast.data, regular.data] == ["ACCEPTED", "ACCEPTED"]
    assert asked(station, "UsePriorityCharging") == [
        {"transaction_id": "T-1", "activate": True},
        {"transaction_id": "T-1", "activate": False},
    ]
    assert (cheap.status_code, cheap.data) == (1000, "PROFILE_TYPE_NOT_SUPPORTED")


@pytest.mark.parametrize(
    ("word", "wanted", "said"),
    [
        ("NoProfile", "FAST", "NOT_POSSIBLE"),
        ("Rejected", "FAST", "NOT_POSSIBLE"),
        ("NoProfile", "REGULAR", "ACCEPTED"),
        ("Rejected", "REGULAR", "NOT_POSSIBLE"),
    ],
)
async def test_what_the_station_says_of_preferences_is_told_SES_09(own, emsp, word, wanted, said):
    async with preferring(own, emsp) as (station, session_id):
        station.replies["UsePriorityCharging"] = result21.UsePriorityCharging(word)
        assert (await prefer(emsp, session_id, wanted)).data == said


async def test_a_station_that_is_away_can_put_nobody_first_SES_09(hub, own, emsp):
    async with preferring(own, emsp) as (_, session_id):
        pass
    assert (await prefer(emsp, session_id)).data == "NOT_POSSIBLE"


async def test_without_a_tariff_for_it_nobody_comes_first_SES_11(hub, own, emsp):
    async with preferring(own, emsp) as (station, session_id):
        for kind, wanted, said in (
            ("REGULAR", "FAST", "PROFILE_TYPE_NOT_SUPPORTED"),
            ("REGULAR", "REGULAR", "ACCEPTED"),
            ("PROFILE_FAST", "FAST", "ACCEPTED"),
            ("PROFILE_FAST", "REGULAR", "PROFILE_TYPE_NOT_SUPPORTED"),
        ):
            document = {**TARIFF, "type": kind, "last_updated": iso()}
            async with own.transaction() as db:
                await objects.apply(db, [Write(TARIFFS, "PUT", OWNER, "T1", document)])
            assert (await prefer(emsp, session_id, wanted)).data == said
    assert len(asked(station, "UsePriorityCharging")) == 2


async def test_nobody_prefers_anything_for_the_drivers_of_others_SES_10(hub, own, emsp):
    async with FakePartner("DE*SIX EMSP") as other, preferring(own, emsp) as (station, session_id):
        await hub.connect(other)
        answer = await prefer(other, session_id, to="NL*OWN")
        unknown = await prefer(emsp, "no-such-session", to="NL*OWN")

    assert (answer.http_status, answer.status_code) == (404, 2001)
    assert (unknown.http_status, unknown.status_code) == (404, 2001)
    assert asked(station, "UsePriorityCharging") == []


# What else can be addressed to our own party.


async def test_lists_addressed_to_our_own_party_hold_its_objects_alone_HUB_32(hub, own, emsp):
    async with FakePartner("NL*ONE CPO") as cpo, charging(own, emsp):
        await hub.connect(cpo)
        await cpo.put("locations/NL/ONE/L1", location(version="2.2.1"))
        await cpo.put("tariffs/NL/ONE/T9", tariff(version="2.2.1", id="T9"))

        found = {
            module: await emsp.get(module, to="NL*OWN", params=SINCE)
            for module in ("locations", "tariffs", "sessions", "cdrs")
        }
        everything = await emsp.get("locations")
        one = await emsp.get("locations/LOC1", to="NL*OWN")
        not_ours = await emsp.get("locations/L1", to="NL*OWN")

    assert [item["id"] for item in found["locations"].data] == ["LOC1"]
    assert [item["id"] for item in found["tariffs"].data] == ["T1"]
    assert len(found["sessions"].data) == 1
    assert found["cdrs"].data == []
    assert parties(found["cdrs"].headers) == {"to": EMSP, "from": OWN}
    assert len(everything.data) == 2
    assert (one.data["id"], not_ours.http_status) == ("LOC1", 404)


async def test_what_a_cpo_does_not_serve_is_4001_HUB_54(hub, own, emsp):
    answers = [
        await emsp.get("tokens", to="NL*OWN"),
        await emsp.get("locations/NL/OWN/LOC1", side="RECEIVER", to="NL*OWN"),
    ]

    assert {one.status_code for one in answers} == {4001}


async def test_a_token_pushed_to_our_own_party_is_kept_for_it_alone(hub, own, emsp):
    """As one pushed to a remote party is nobody else's business either."""
    async with FakePartner("NL*ONE CPO") as cpo, station_of(own, "1.6") as station:
        await hub.connect(cpo)
        card = token(version="2.2.1", uid="CARD1", whitelist="ALWAYS")
        pushed = await emsp.put("tokens/DE/TWO/CARD1", card, to="NL*OWN")
        back = await emsp.get("tokens/DE/TWO/CARD1", side="RECEIVER", to="NL*OWN")
        await hub.deliver()
        seen = [(await cpo.get("tokens")).data, list(cpo.received)]
        answer = await station.ask(call.Authorize("CARD1"))
        # Once it is for everybody, it is.
        await emsp.put("tokens/DE/TWO/CARD1", card)
        await hub.deliver()
        now = [(await cpo.get("tokens")).data, [push.path for push in cpo.received]]

    assert (pushed.http_status, pushed.status_code) == (201, 1000)
    assert parties(pushed.headers) == {"to": EMSP, "from": OWN}
    assert back.data == card
    assert seen == [[], []]
    assert answer.id_tag_info["status"] == "Accepted"
    assert now == [[card], ["tokens/DE/TWO/CARD1"]]


async def test_a_blocked_token_is_forgotten_by_the_stations_that_are_there(hub, own, emsp):
    card = token(version="2.2.1", uid="CARD1", whitelist="ALWAYS")
    await emsp.put("tokens/DE/TWO/CARD1", card)
    blocked = {"valid": False, "last_updated": "2026-01-01T00:00:00Z"}
    made = await own.add_station()
    async with station_of(own, "1.6") as station, station_of(own, "2.0.1") as other:
        await emsp.patch("tokens/DE/TWO/CARD1", blocked)
        async with asyncio.timeout(10):
            while not asked_both(station, other):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        # Once is enough.
        await hub.run("clear caches")
        assert len(asked(station, "ClearCache")) == len(asked(other, "ClearCache")) == 1
        # Who was away is told when it is back.
        async with own.connect(made) as late:
            await hub.run("clear caches")
            assert len(asked(late, "ClearCache")) == 1
        await emsp.patch("tokens/DE/TWO/CARD1", blocked | {"issuer": "Three"})


def asked_both(station, other):
    return asked(station, "ClearCache") and asked(other, "ClearCache")
