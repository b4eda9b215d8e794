"""Transactions and reservations in the hands of an operator."""

import asyncio

import pytest
from ocpp.v16 import call, call_result

from tests.helpers.charge_points import iso
from tests.helpers.stations import add, connected, place, put_place

PLUG = {
    "id": 1,
    "standard": "IEC_62196_T2",
    "max_voltage": 230,
    "max_amperage": 32,
    "phases": 3,
    "tariff_id": "T1",
}


@pytest.fixture
async def station(operator):
    await put_place(operator)
    made = await add(operator)
    await place(operator, made, connectors=[PLUG])
    await operator.post("/tokens", uid="TAG1")
    return made


@pytest.fixture
async def client(hub, station):
    async with connected(hub, station) as client:
        await client.boot()
        yield client


async def begin(client, *, meter=1000, minutes=-30):
    return (await client.ask(call.StartTransaction(1, "TAG1", meter, iso(minutes)))).transaction_id


async def only(operator, **query):
    [one] = (await operator.get("/transactions", **query)).body["items"]
    return one


async def cdrs(operator):
    rows = (await operator.get("/objects/cdrs")).body["items"]
    found = [(await operator.get(f"/objects/cdrs/{row['ref']}")).body["document"] for row in rows]
    return found[::-1]


async def test_a_transaction_is_watched(operator, client, station):
    number = await begin(client)
    value = {"value": "3500", "context": "Sample.Periodic"}
    reading = {"timestamp": iso(), "sampledValue": [value]}
    await client.ask(call.MeterValues(1, [reading], number))

    running = await only(operator, open="true", station_id=station["id"])
    shown = (await operator.get(f"/transactions/{running['id']}")).body

    assert shown == running
    assert (running["station_id"], running["transaction_id"]) == ("CP-1", str(number))
    assert (running["kwh"], running["meter_start_wh"], running["state"]) == (
        "2.500",
        "1000",
        "OPEN",
    )
    assert running["token"]["uid"] == "TAG1"
    for query in (
        {"id_tag": "tag1"},
        {"state": "OPEN"},
        {"session_id": running["session_id"].upper()},
    ):
        assert (await only(operator, **query))["id"] == running["id"]
    for query in ({"id_tag": "TAG"}, {"open": "false"}, {"state": "LOST"}):
        assert (await operator.get("/transactions", **query)).body["items"] == []


async def test_a_stuck_transaction_is_closed_and_billed(operator, client):
    """Its station never reports the end. When it does after all, that is what counts."""
    number = await begin(client)
    stuck = await only(operator, open="true")

    closed = await operator.post(f"/transactions/{stuck['id']}/close", meter_stop_wh=3500)
    again = await operator.post(f"/transactions/{stuck['id']}/close")
    [billed] = await cdrs(operator)
    await client.ask(call.StopTransaction(4000, iso(), number))
    first, credit, second = await cdrs(operator)

    assert (closed.body["state"], closed.body["kwh"]) == ("LOST", "2.500")
    assert "closed by the operator" in closed.body["notes"]
    assert closed.body["cdr_ids"] == [billed["id"]]
    assert again.status == 409
    assert (first["total_energy"], credit["credit"], second["total_energy"]) == (2.5, True, 3.0)
    [entry] = (await operator.get("/audit", action="SESSION_STOP")).body["items"]
    assert entry["entity_id"] == stuck["id"]


async def test_what_cannot_be_is_refused(operator, client):
    await begin(client)
    stuck = await only(operator)
    path = f"/transactions/{stuck['id']}/close"

    for body, field in (
        ({"ended_at": iso(-60)}, "ended_at"),
        ({"ended_at": iso(60)}, "ended_at"),
        ({"meter_stop_wh": 999}, "meter_stop_wh"),
        ({"meter_stop_wh": -1}, "meter_stop_wh"),
        ({"meter_stop_wh": "much"}, "meter_stop_wh"),
    ):
        said = await operator.post(path, **body)
        assert (said.status, said.error["field"]) == (400, field)
    assert (await only(operator))["state"] == "OPEN"
    assert await cdrs(operator) == []


async def test_a_transaction_is_begun_and_ended_from_the_desk(operator, client, station):
    started = await operator.post(f"/stations/{station['id']}/start", uid="TAG1", evse=1)
    unknown = await operator.post(f"/stations/{station['id']}/start", uid="TAG2")
    # OCPP cannot name a connector here, so nobody shall believe that it was heard.
    narrower = await operator.post(f"/stations/{station['id']}/start", uid="TAG1", connector=2)
    number = await begin(client)
    running = await only(operator, open="true")
    stopped = await operator.post(f"/transactions/{running['id']}/stop")
    await client.ask(call.StopTransaction(2000, iso(), number))
    late = await operator.post(f"/transactions/{running['id']}/stop")

    assert started.body["result"] == stopped.body["result"] == "ACCEPTED"
    assert ("RemoteStartTransaction", {"connector_id": 1, "id_tag": "TAG1"}) in client.asked
    assert ("RemoteStopTransaction", {"transaction_id": number}) in client.asked
    assert (unknown.status, unknown.error["field"]) == (400, "uid")
    assert (narrower.status, narrower.error["field"]) == (400, "connector")
    assert late.status == 409


async def test_a_token_that_may_not_charge_begins_nothing(operator, client, station):
    [token] = (await operator.get("/tokens")).body["items"]
    await operator.post(f"/tokens/{token['id']}/block")

    said = await operator.post(f"/stations/{station['id']}/start", uid="TAG1")

    assert (said.status, "BLOCKED" in said.error["message"]) == (409, True)
    assert "RemoteStartTransaction" not in dict(client.asked)


async def test_a_place_is_kept_and_given_back(operator, client, station):
    wanted = {"station_id": station["id"], "uid": "TAG1", "evse": 1}

    made = await operator.post("/reservations", **wanted, expires_at=iso(60))
    assert made.status == 201, made.body
    listed = (await operator.get("/reservations", state="ACTIVE")).body["items"]
    cancelled = await operator.post(f"/reservations/{made.body['id']}/cancel")
    again = await operator.post(f"/reservations/{made.body['id']}/cancel")
    shown = (await operator.get(f"/reservations/{made.body['id']}")).body

    assert [one["id"] for one in listed] == [made.body["id"]]
    assert (made.body["state"], made.body["evse"], made.body["party"]) == ("ACTIVE", 1, "NL*OWN")
    [asked] = [payload for action, payload in client.asked if action == "ReserveNow"]
    assert asked["reservation_id"] == made.body["number"]
    assert cancelled.body["result"] == "ACCEPTED"
    assert (again.status, shown["state"]) == (409, "CANCELED")


async def test_a_place_that_cannot_be_kept(operator, client, station):
    wanted = {"station_id": station["id"], "uid": "TAG1", "evse": 1}

    past = await operator.post("/reservations", **wanted, expires_at=iso(-1))
    nowhere = await operator.post("/reservations", **wanted | {"evse": 9}, expires_at=iso(9))
    client.replies["ReserveNow"] = call_result.ReserveNow("Occupied")
    occupied = await operator.post("/reservations", **wanted, expires_at=iso(9))

    assert (past.status, past.error["field"]) == (400, "expires_at")
    assert (nowhere.status, nowhere.error["allowed"]) == (400, [1])
    assert (occupied.status, "EVSE_OCCUPIED" in occupied.error["message"]) == (409, True)


async def test_the_same_end_twice_at_once(operator, client):
    """Two operators, one transaction: one CDR."""
    await begin(client)
    stuck = await only(operator)
    path = f"/transactions/{stuck['id']}/close"

    said = await asyncio.gather(*(operator.post(path, meter_stop_wh=2000) for _ in range(3)))

    assert sorted(one.status for one in said) == [200, 409, 409]
    assert len(await cdrs(operator)) == 1
