"""Our own stations as a CPO of the network: what is said of them is as OCPI has it."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from ocpp.v16 import call
from sqlalchemy import select, update

from hub.conformance.examine import Plan, examine
from hub.models.objects import Location
from hub.models.ocpp import StationEVSE
from hub.models.stations import ChargingStation
from hub.models.transactions import Reservation, TokenAlias
from hub.models.values import Party
from hub.ocpi.schemas.compiled import SCHEMAS
from hub.ocpi.schemas.objects import instance, nested
from hub.ocpp.relay import Relay
from hub.ocpp.stations import Stations
from hub.roaming.commands import local
from hub.roaming.commands.orders import Errand
from hub.roaming.modules import LOCATIONS, TARIFFS
from hub.roaming.stations import own_evses
from hub.roaming.store import objects
from hub.roaming.store.writes import Write
from tests.helpers.partner import FakePartner
from tests.ocpp.conftest import LOCATION, OWNER, TARIFF
from tests.ocpp.test_authorization import Issuer
from tests.ocpp.test_transactions_16 import begin, iso

MSP = Party("BE", "MSP")
CARD = {
    "country_code": "BE",
    "party_id": "MSP",
    "uid": "NEVERSEEN",
    "type": "RFID",
    "contract_id": "BE-MSP-C7",
    "issuer": "MSP",
    "valid": True,
    "whitelist": "NEVER",
    "last_updated": "2026-01-01T00:00:00Z",
}


def sample(minutes, wh, **others):
    """One reading with energy and, in this order, further measurands."""
    values = [{"value": str(wh)}]
    values += [
        {"value": str(value), "measurand": name.replace("_", "."), "unit": unit}
        for name, (value, unit) in others.items()
    ]
    return {"timestamp": iso(minutes), "sampledValue": values}


@asynccontextmanager
async def charged(csms, made):
    """A session with readings of everything that sessions may tell; ended when the block ends."""
    async with csms.connect(made) as station:
        number, _ = await begin(station, minutes=-20)
        more = {"Power_Active_Import": (7000, "W"), "SoC": (55, "Percent")}
        await station.ask(call.MeterValues(1, [sample(-10, 2000, **more)], number))
        yield station
        await station.ask(call.StopTransaction(3000, iso(), number))


async def test_what_our_stations_say_stands_the_examination_LOC_08_LOC_16_CDR_07_CDR_20(hub, own):
    """Also LOC-18 and TRANSPORT-18: power below voltage by current, and no members of our own.

    SES-16: what only sessions may tell, they do.
    """
    await own.add_token("TAG1")
    made = await own.add_station(evses=2)
    async with charged(own, made):
        pass

    async with FakePartner("BE*MSP EMSP", versions=("2.3.0",)) as emsp:
        await hub.connect(emsp)
        report = await examine(
            Plan(emsp.versions_url and hub.versions_url, emsp.tokens.to_hub, allow_private=True)
        )

    assert [line for finding in report.findings for line in finding.told()] == []
    looked_at = {one for check in report.passed for one in check.ids}
    assert {"LOC-05", "LOC-08", "LOC-10", "CDR-07", "CDR-20", "TRANSPORT-98"} <= looked_at
    kinds = {"locations": "Location", "tariffs": "Tariff", "sessions": "Session", "cdrs": "CDR"}
    for module, kind in kinds.items():
        found = report.subject.objects[module]
        assert found, module
        assert [strangers(SCHEMAS["2.3.0"][kind], one) for one in found] == [[]] * len(found)
    told = {kind for one in report.subject.objects["sessions"] for kind in kinds_in(one)}
    assert {"STATE_OF_CHARGE", "POWER"} <= told
    [location] = report.subject.objects["locations"]
    [connector] = location["evses"][0]["connectors"]
    assert (
        connector["max_electric_power"] < connector["max_voltage"] * connector["max_amperage"] * 3
    )
    assert connector["max_electric_power"] == 22_000


def kinds_in(document):
    """The types of all dimensions."""
    return [one["type"] for period in document["charging_periods"] for one in period["dimensions"]]


def strangers(schema, document):
    """Members that the tables of OCPI do not have, anywhere in the object."""
    fields = instance(schema).fields
    found = [name for name in document if name not in fields]
    for name, value in document.items():
        field = getattr(fields.get(name), "inner", fields.get(name))
        if hasattr(field, "nested"):
            for one in value if isinstance(value, list) else [value]:
                found += strangers(nested(field), one)
    return found


async def test_a_cdr_shows_everything_as_it_was_at_the_start_CDR_08(csms):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with charged(csms, made):
        stamp = {"last_updated": iso()}
        dear = [{"price_components": [{"type": "ENERGY", "price": 9, "step_size": 1}]}]
        async with csms.transaction() as db:
            await objects.apply(
                db,
                [
                    Write(LOCATIONS, "PATCH", OWNER, "LOC1", {"name": "Renamed"} | stamp),
                    Write(TARIFFS, "PUT", OWNER, "T1", TARIFF | {"elements": dear} | stamp),
                ],
            )

    [cdr] = await csms.cdrs()
    assert cdr["cdr_location"]["name"] == LOCATION["name"]
    assert cdr["tariffs"][0]["elements"] == TARIFF["elements"]
    assert cdr["total_cost"]["before_taxes"] == 0.5  # 2 kWh at 0.25


async def test_an_evse_without_an_id_for_the_public_has_none_in_the_cdr_either_AMB_29(csms):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    async with csms.transaction() as db:
        await db.execute(update(StationEVSE).values(evse_id=None))
        await own_evses.publish(db, made.ref)
    async with charged(csms, made):
        pass

    [cdr] = await csms.cdrs()
    assert cdr["cdr_location"]["evse_id"] == "#NA"
    assert cdr["cdr_location"]["evse_uid"] == made.evse_uids[1]


async def test_a_free_session_names_its_free_tariff_CDR_12_CDR_17(csms):
    made = await csms.add_station()
    await csms.add_token("TAG1")
    free = [{"price_components": [{"type": "FLAT", "price": 0, "step_size": 1}]}]
    changed = TARIFF | {"elements": free, "last_updated": iso(-60)}
    async with csms.transaction() as db:
        await objects.apply(db, [Write(TARIFFS, "PUT", OWNER, "T1", changed)])
    async with charged(csms, made):
        pass

    [cdr], [session] = await csms.cdrs(), await csms.sessions()
    assert cdr["session_id"] == session["id"]
    assert [one["id"] for one in cdr["tariffs"]] == ["T1"]
    assert cdr["total_cost"]["before_taxes"] == 0
    assert {"ENERGY", "TIME"} <= set(kinds_in(cdr))


async def test_what_is_not_for_the_public_is_told_to_nobody_LOC_04(csms):
    """An EVSE that the operator keeps for itself is part of no location."""
    made = await csms.add_station(evses=2, placed=False)
    async with csms.transaction() as db:
        place = select(Location.id).where(Location.object_id == "LOC1").scalar_subquery()
        await db.execute(update(ChargingStation).values(location_id=place))
        await db.execute(
            update(StationEVSE).where(StationEVSE.evse_number == 2).values(published=False)
        )
    async with csms.transaction() as db:
        await own_evses.publish(db, made.ref)

    async with csms.transaction() as db:
        shown = await own_evses.shown_evse(db, made.evse_uids[1])
        hidden = await own_evses.shown_evse(db, made.evse_uids[2])
    assert shown["uid"] == made.evse_uids[1]
    assert hidden is None


# Commands and reservations at our stations.


@pytest.fixture
async def order(csms):
    """A command of an eMSP, carried out as far as the station's answer."""
    able = Stations(csms.wire, Relay(csms.wire))

    async def carry_out(made, command, caller=MSP, **request):
        where = {"location_id": "LOC1", "evse_uid": made.evse_uids[1]}
        told = {name: value for name, value in (where | request).items() if value}
        errand = Errand(csms.database, able, csms.tenant.id, caller, told)
        found = await local.carry_out(errand, command)
        assert found.response == "ACCEPTED", found
        return (await found.work()).result

    return carry_out


async def test_the_token_of_a_command_is_asked_about_no_more_for_a_quarter_of_an_hour_CMD_07(
    csms, order
):
    """And not known beforehand (CMD-08): it need not be in the Tokens module."""
    csms.wire.issuers = issuer = Issuer("NOT_ALLOWED")
    made = await csms.add_station()
    async with csms.connect(made) as station:
        assert await order(made, "START_SESSION", token=CARD) == "ACCEPTED"
        at_once = (await station.ask(call.Authorize(CARD["uid"]))).id_tag_info["status"]
        async with csms.transaction() as db:
            past = datetime.now(UTC) - timedelta(minutes=16)
            await db.execute(update(TokenAlias).values(created_at=past))
        later = (await station.ask(call.Authorize(CARD["uid"]))).id_tag_info["status"]

    assert (at_once, later) == ("Accepted", "Invalid")
    assert issuer.asked == []


async def test_a_token_that_came_with_a_command_is_in_session_and_cdr_CMD_08_CMD_14(csms, order):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        await order(made, "START_SESSION", token=CARD, authorization_reference="AR-9")
        number, info = await begin(station, tag=CARD["uid"], minutes=-5)
        await station.ask(call.StopTransaction(2000, iso(), number))

    assert info["status"] == "Accepted"
    names = ("country_code", "party_id", "uid", "type", "contract_id")
    for told in (*await csms.sessions(), *await csms.cdrs()):
        assert told["cdr_token"] == {name: CARD[name] for name in names}
        assert told["authorization_reference"] == "AR-9"
    assert len(await csms.cdrs()) == 1


async def test_reservation_ids_are_the_emsps_own_and_replace_each_other_CMD_09(csms, order):
    """Two eMSPs may use the same one; the station is told numbers."""
    made = await csms.add_station(evses=2)
    second = {"evse_uid": made.evse_uids[2], "reservation_id": "R-1"}
    other = CARD | {"country_code": "DE", "party_id": "TWO"}
    ends = {"expiry_date": iso(30)}
    async with csms.connect(made) as station:
        await order(made, "RESERVE_NOW", token=CARD, reservation_id="R-1", **ends)
        await order(made, "RESERVE_NOW", Party("DE", "TWO"), token=other, **second, **ends)
        await order(made, "RESERVE_NOW", token=CARD, reservation_id="r-1", expiry_date=iso(60))
        told = [payload["reservation_id"] for action, payload in station.asked]

    first, foreign, again = told
    assert all(isinstance(number, int) for number in told)
    assert first == again != foreign
    async with csms.transaction() as db:
        kept = list(await db.scalars(select(Reservation)))
    assert {(one.party_id, one.reservation_key, one.state) for one in kept} == {
        ("MSP", "R-1", "ACTIVE"),
        ("TWO", "R-1", "ACTIVE"),
    }


async def test_a_reservation_is_a_session_from_the_beginning_SES_03_SES_04(csms, order):
    """RESERVATION, then ACTIVE with the start of charging as its start, by the same token.

    CMD-10, AMB-11.
    """
    made = await csms.add_station()
    async with csms.connect(made) as station:
        await order(made, "RESERVE_NOW", token=CARD, reservation_id="R-1", expiry_date=iso(30))
        [reserved] = await csms.sessions()
        [(_, payload)] = station.asked
        number, _ = await begin(
            station,
            tag=payload["id_tag"],
            minutes=-1,
            reservation_id=payload["reservation_id"],
        )
        [active] = await csms.sessions()
        await station.ask(call.StopTransaction(2000, iso(), number))

    assert (reserved["status"], active["status"]) == ("RESERVATION", "ACTIVE")
    assert reserved["id"] == active["id"]
    assert reserved["cdr_token"] == active["cdr_token"]
    assert active["start_date_time"] != reserved["start_date_time"]
    started = datetime.fromisoformat(active["start_date_time"])
    assert abs(started - (datetime.now(UTC) - timedelta(minutes=1))) < timedelta(minutes=1)
    [completed] = await csms.sessions()
    assert completed["status"] == "COMPLETED"


async def test_a_reservation_without_an_evse_says_so_SES_06_TRANSPORT_96(csms, order):
    made = await csms.add_station()
    request = {"token": CARD, "reservation_id": "R-1", "expiry_date": iso(30), "evse_uid": None}
    async with csms.connect(made):
        await order(made, "RESERVE_NOW", **request)

    [reserved] = await csms.sessions()
    assert (reserved["evse_uid"], reserved["connector_id"]) == ("#NA", "#NA")
