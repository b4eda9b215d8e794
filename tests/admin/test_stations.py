"""Charging stations in the hands of an operator: their records, places and passwords."""

import aiohttp
import pytest

from tests.helpers.documents import ABSENT, evse, location, tariff
from tests.helpers.stations import OWN, PLUG, add, connected, place, put, put_place
from tests.helpers.waiting import until


async def test_a_station_that_was_added_connects_with_its_password(hub, operator):
    station = await add(operator, "CP-1", name="Front door")

    async with connected(hub, station, "2.0.1") as client:
        await client.boot()
        shown = (await operator.get(f"/stations/{station['id']}")).body

    assert station["url"] == f"{hub.url.replace('http', 'ws', 1)}/ocpp/CP-1"
    assert (shown["connected"], shown["ocpp_version"]) == (True, "2.0.1")
    assert (shown["registration"], shown["connected_from"]) == ("Accepted", "127.0.0.1")
    assert (shown["manufacturer"], shown["model"]) == ("V1", "M1")
    assert "password" not in shown
    [entry] = (await operator.get("/audit", entity_type="charging_station")).body["items"]
    assert entry["action"] == "CREATE"
    assert station["password"] not in str(entry)


async def test_only_versions_of_the_record_are_spoken(hub, operator):
    station = await add(operator, ocpp_versions=["2.1", "2.0.1"])

    async with connected(hub, station, "1.6") as client:
        assert client.socket.protocol is None
    async with connected(hub, station, "2.1") as client:
        assert client.socket.protocol == "ocpp2.1"


async def test_an_unknown_station_is_refused(hub, operator):
    station = await add(operator)

    for wrong in ({**station, "station_id": "CP-2"}, {**station, "password": "0" * 32}):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(hub, wrong):
                pass
        assert refused.value.status == 401


BAD_STATIONS = [
    ({}, "station_id"),
    ({"station_id": ""}, "station_id"),
    ({"station_id": "a/b"}, "station_id"),
    ({"station_id": ".."}, "station_id"),
    ({"station_id": "x" * 49}, "station_id"),
    ({"station_id": "CP-1\n"}, "station_id"),
    ({"station_id": "CP", "password": "short"}, "password"),
    ({"station_id": "CP", "password": "a password with blanks"}, "password"),
    ({"station_id": "CP", "ocpp_versions": []}, "ocpp_versions"),
    ({"station_id": "CP", "ocpp_versions": ["1.5"]}, "ocpp_versions.0"),
    ({"station_id": "CP", "security_profile": 0}, "security_profile"),
    ({"station_id": "CP", "tolerance": "none"}, "tolerance"),
    ({"station_id": "CP", "certificate_fingerprint": "AB"}, "certificate_fingerprint"),
    ({"station_id": "CP", "location_id": "NOWHERE"}, "location_id"),
    ({"station_id": "CP", "colour": "red"}, "colour"),
]


async def test_a_bad_station_names_the_field(operator):
    for body, field in BAD_STATIONS:
        said = await operator.post("/stations", **body)

        assert (said.status, said.error["field"]) == (400, field)


async def test_an_identity_is_given_once(operator):
    await add(operator)

    said = await operator.post("/stations", station_id="CP-1")

    assert (said.status, said.error["field"]) == (409, "station_id")


async def test_the_same_identity_in_another_tenant_is_another_station(
    hub, operator, make_tenant, make_operator
):
    """T-51: the password says which one calls."""
    ours = await add(operator)
    other = await make_operator("stations.create", "stations.read", of=await make_tenant())
    theirs = await add(other)

    async with connected(hub, theirs):
        assert (await other.get(f"/stations/{theirs['id']}")).body["connected"] is True
        assert (await operator.get(f"/stations/{ours['id']}")).body["connected"] is False


async def test_stations_are_found_by_what_they_are(hub, operator):
    await put_place(operator)
    first = await add(operator, "A-1", location_id="LOC1")
    await add(operator, "A-2", status="INACTIVE")
    await add(operator, "B-1")

    async def found(**query):
        return {
            one["station_id"] for one in (await operator.get("/stations", **query)).body["items"]
        }

    async with connected(hub, first):
        assert await found(connected="true") == {"A-1"}
        assert await found(connected="false") == {"A-2", "B-1"}
    assert await found(station_id="A-") == {"A-1", "A-2"}
    assert await found(station_id="_") == set()
    assert await found(status="INACTIVE") == {"A-2"}
    assert await found(location_id="loc1") == {"A-1"}


async def test_lost_updates_are_refused(operator):
    station = await add(operator)
    path = f"/stations/{station['id']}"
    await operator.patch(path, name="One")

    late = await operator.patch(path, headers={"If-Match": '"1"'}, name="Two")
    removed = await operator.delete(path, headers={"If-Match": '"1"'})

    assert (late.status, removed.status) == (412, 412)


async def test_what_is_reported_waits_until_it_is_placed(hub, operator, emsp):
    """Connectors learned from the station are published only when the operator says where."""
    await put_place(operator)
    station = await add(operator)
    async with connected(hub, station) as client:
        await client.boot()
        await client.status(1, "Available")
        await client.status(2, "Charging")
        evses = (await operator.get(f"/stations/{station['id']}/evses")).body["items"]
        assert [(one["number"], one["published"]) for one in evses] == [(1, False), (2, False)]
        kept = (await operator.get("/objects/locations/NL/OWN/LOC1")).body
        assert "evses" not in kept["document"] or kept["document"]["evses"] == []

        placed = await place(
            operator, station, 2, evse_id="NL*OWN*E2", connectors=[{**PLUG, "tariff_id": "T1"}]
        )
        await hub.deliver()

    assert (placed["status"], placed["location_id"]) == ("CHARGING", "LOC1")
    document = (await operator.get("/objects/locations/NL/OWN/LOC1")).body["document"]
    [published] = document["evses"]
    assert (published["uid"], published["evse_id"]) == (placed["uid"], "NL*OWN*E2")
    assert published["connectors"][0]["tariff_ids"] == ["T1"]
    pushed = [push.body for push in emsp.received if push.path.startswith("locations/")]
    assert placed["uid"] in str(pushed)
    # T-47: what a station is called is nobody else's business.
    assert "CP-1" not in str(pushed)


BAD_EVSES = [
    ({"published": True}, "location_id"),
    ({"published": True, "location_id": "LOC1"}, "connectors"),
    ({"published": True, "location_id": "LOC1", "connectors": [{"id": 1}]}, "connectors"),
    ({"location_id": "NOWHERE"}, "location_id"),
    ({"connectors": [{**PLUG, "tariff_id": "NONE"}]}, "tariff_id"),
    ({"connectors": [{**PLUG, "phases": 4}]}, "connectors.0.phases"),
    ({"connectors": [{**PLUG, "id": 0}]}, "connectors.0.id"),
    ({"evse_id": "E1"}, "evse_id"),
    ({"shown_as": "AVAILABLE"}, "shown_as"),
]


async def test_an_evse_that_cannot_be_published_names_the_field(operator):
    """Nothing of it is kept, not even that there is such an EVSE, nor is there an entry of it."""
    await put_place(operator)
    station = await add(operator)
    before = (await operator.get("/audit")).body

    for body, field in BAD_EVSES:
        said = await operator.patch(f"/stations/{station['id']}/evses/1", **body)
        assert (said.status, said.error["field"]) == (400, field)

    assert (await operator.get(f"/stations/{station['id']}/evses")).body["items"] == []
    assert (await operator.get(f"/stations/{station['id']}")).body["location_id"] is None
    assert (await operator.get("/audit")).body == before


async def test_evses_are_numbered_from_one(operator):
    station = await add(operator)

    for number in ("0", "x", "-1", "1001", "99999999999999999999", "1.5", "²"):
        said = await operator.patch(f"/stations/{station['id']}/evses/{number}")
        assert said.status == 404


async def status_of(operator, location_id="LOC1"):
    found = (await operator.get(f"/objects/locations/NL/OWN/{location_id}")).body["document"]
    return [one["status"] for one in found["evses"]]


async def test_the_operator_outranks_what_a_station_says(operator):
    """LOC-25: planned, in maintenance, removed."""
    await put_place(operator)
    station = await add(operator)
    path = f"/stations/{station['id']}"
    await place(operator, station)

    seen = []
    for where, body in (
        (f"{path}/evses/1", {"shown_as": "PLANNED"}),
        (f"{path}/evses/1", {"shown_as": None}),
        (path, {"status": "MAINTENANCE"}),
        (f"{path}/evses/1", {"published": False}),
        (f"{path}/evses/1", {"published": True}),
        (path, {"status": "DECOMMISSIONED"}),
    ):
        assert (await operator.patch(where, **body)).status == 200
        seen += await status_of(operator)

    assert seen == ["PLANNED", "INOPERATIVE", "INOPERATIVE", "REMOVED", "INOPERATIVE", "REMOVED"]


async def test_a_station_that_moves_has_other_evses_there(operator):
    """LOC-09: an EVSE at another place is another one, and the old one is gone."""
    await put_place(operator)
    await put_place(operator, "LOC2")
    station = await add(operator)
    before = await place(operator, station)

    moved = await operator.patch(f"/stations/{station['id']}", location_id="LOC2")

    assert moved.body["location_id"] == "LOC2"
    assert await status_of(operator, "LOC1") == ["REMOVED"]
    [there] = (await operator.get("/objects/locations/NL/OWN/LOC2")).body["document"]["evses"]
    assert (there["status"], there["uid"] == before["uid"]) == ("INOPERATIVE", False)


async def test_a_connection_ends_when_what_it_was_made_with_ends(hub, operator):
    station = await add(operator)
    path = f"/stations/{station['id']}"
    async with connected(hub, station) as client:
        await operator.patch(path, name="Another name")
        await client.boot()
        await operator.patch(path, status="INACTIVE")
        await until(lambda: client.socket.closed)
    async with connected(hub, station) as client:
        assert (await client.boot()).status == "Pending"
        await operator.patch(path, status="DECOMMISSIONED")
        await until(lambda: client.socket.closed)
    async with connected(hub, station) as client:
        assert (await client.boot()).status == "Rejected"


async def test_a_station_gets_a_new_password_and_is_never_locked_out(hub, operator):
    station = await add(operator)
    path = f"/stations/{station['id']}/password"
    away = await operator.post(path)
    async with connected(hub, station) as client:
        await client.boot()
        sent = await operator.post(path)
        [key] = [
            payload["value"]
            for action, payload in client.asked
            if action == "ChangeConfiguration" and payload["key"] == "AuthorizationKey"
        ]
    async with connected(hub, station):
        pass
    async with connected(hub, station, password=key):
        pass
    with pytest.raises(aiohttp.WSServerHandshakeError):
        async with connected(hub, station):
            pass

    assert (away.status, "--show" in away.error["next"]) == (409, True)
    assert sent.body == {"result": "ACCEPTED", "password": None}
    audit = (await operator.get("/audit", entity_type="charging_station")).body
    assert key not in str(audit)


async def test_a_station_that_refuses_a_password_keeps_the_old_one(hub, operator):
    from ocpp.v16 import call_result  # noqa: PLC0415

    station = await add(operator)
    async with connected(hub, station) as client:
        await client.boot()
        client.replies["ChangeConfiguration"] = call_result.ChangeConfiguration("Rejected")
        said = await operator.post(f"/stations/{station['id']}/password")
    async with connected(hub, station):
        shown = (await operator.get(f"/stations/{station['id']}")).body

    assert (said.status, said.error["code"]) == (409, "conflict")
    assert shown["password_pending"] is False


async def test_a_password_to_be_set_by_hand(hub, operator):
    """Shown: both are good until the new one is used. Replaced: the old one ends at once."""
    station = await add(operator)
    path = f"/stations/{station['id']}/password"

    shown = (await operator.post(path, how="show")).body["password"]
    async with connected(hub, station):
        pass
    async with connected(hub, station, password=shown) as client:
        replaced = (await operator.post(path, how="replace")).body["password"]
        await until(lambda: client.socket.closed)
    with pytest.raises(aiohttp.WSServerHandshakeError):
        async with connected(hub, station, password=shown):
            pass
    async with connected(hub, station, password=replaced):
        pass


async def test_a_station_without_history_is_removed(hub, operator):
    await put_place(operator)
    station = await add(operator)
    await place(operator, station)
    async with connected(hub, station) as client:
        await client.boot()
        removed = await operator.delete(f"/stations/{station['id']}")
        await until(lambda: client.socket.closed)

    assert removed.status == 204
    assert (await operator.get(f"/stations/{station['id']}")).status == 404
    assert await status_of(operator) == ["REMOVED"]
    assert (await operator.post("/stations", station_id="CP-1")).status == 201


async def test_a_station_with_sessions_stays_for_their_sake(hub, operator):
    from ocpp.v16 import call  # noqa: PLC0415

    station = await add(operator)
    async with connected(hub, station) as client:
        await client.boot()
        await client.ask(call.StartTransaction(1, "TAG", 0, "2026-01-01T00:00:00Z"))
        removed = await operator.delete(f"/stations/{station['id']}")

    assert (removed.status, "decommissioned" in removed.error["next"]) == (409, True)
    assert (await operator.get(f"/stations/{station['id']}")).status == 200


async def test_own_objects_go_through_the_same_door_as_anybodys(hub, operator, emsp):
    created = await put(operator, "tariffs", tariff(**OWN, id="T1"))
    again = await put(operator, "tariffs", tariff(**OWN, id="T1"))
    changed = await put(operator, "tariffs", tariff(**OWN, id="T1", currency="SEK"))
    await hub.deliver()
    deleted = await operator.delete("/objects/tariffs/NL/OWN/T1")
    gone = await operator.delete("/objects/tariffs/NL/OWN/T1")
    await hub.deliver()

    outcomes = [said.body["outcome"] for said in (created, again, changed)]
    assert outcomes == ["created", "unchanged", "changed"]
    assert (deleted.status, gone.status) == (204, 404)
    told = [(push.method, push.path) for push in emsp.received if "tariffs" in push.path]
    assert told[-1] == ("DELETE", "tariffs/NL/OWN/T1")
    audit = (await operator.get("/audit", entity_type="Tariff")).body["items"]
    assert {entry["action"] for entry in audit} == {"CREATE", "UPDATE", "DELETE"}
    assert all(entry["user_id"] for entry in audit)


async def test_an_object_of_an_older_version_is_translated(operator):
    old = tariff(version="2.2.1", **OWN, id="T1")

    refused = await put(operator, "tariffs", old)
    taken = await put(operator, "tariffs", old, ocpi_version="2.2.1")

    assert (refused.status, refused.error["code"]) == (400, "bad_input")
    assert taken.body["document"]["tax_included"]


async def test_owner_and_time_need_not_be_said(operator):
    document = location(
        country_code=ABSENT, party_id=ABSENT, id=ABSENT, last_updated=ABSENT, evses=ABSENT
    )

    said = await operator.ask("PUT", "/objects/locations/NL/OWN/L9", json=document)

    shown = said.body["document"]
    assert (shown["country_code"], shown["party_id"], shown["id"]) == ("NL", "OWN", "L9")
    assert shown["last_updated"].endswith("Z")


BAD_OBJECTS = [
    ("locations/NL/ONE/LOC1", {}, "party_id"),
    ("locations/NL/HUB/LOC1", {}, "party_id"),
    ("sessions/NL/OWN/LOC1", {}, "module"),
    ("tokens/NL/OWN/LOC1", {}, "module"),
    ("locations/NL/OWN/LOC2", {}, "id"),
    ("locations/NL/OWN/LOC1", {"party_id": "ONE"}, "party_id"),
    ("locations/NL/OWN/LOC1", {"city": 7}, "city"),
    ("locations/NL/OWN/LOC1", {"coordinates": {"latitude": "N"}}, "coordinates/latitude"),
    ("locations/NL/OWN/LOC1", {"last_updated": "yesterday"}, "last_updated"),
]


async def test_what_is_not_own_or_not_valid_is_refused(operator):
    for path, change, field in BAD_OBJECTS:
        document = location(**OWN, id="LOC1", evses=ABSENT) | change
        said = await operator.ask("PUT", f"/objects/{path}", json=document)
        assert (said.status, said.error["field"]) == (400, field)

    assert (await operator.get("/objects/locations")).body["items"] == []


async def test_a_tenant_without_a_party_for_stations_is_told_how_to_get_one(
    make_tenant, make_operator, hub
):
    """HUB-07: the hub itself is no CPO."""
    bare = await make_tenant(cpo_country_code=None, cpo_party_id=None)
    operator = await make_operator("objects.update", of=bare)

    said = await put(operator, "tariffs", tariff(**OWN, id="T1"))

    assert said.status == 400
    assert f"hub tenant change {bare.id} --cpo-party" in said.error["message"]


async def test_a_location_keeps_the_evses_of_its_stations(operator):
    """Whoever puts back what they read changes nothing; others' EVSEs come and go beside them."""
    await put_place(operator)
    station = await add(operator)
    placed = await place(operator, station)
    bare = location(**OWN, id="LOC1", evses=ABSENT, name="Renamed")

    await put(operator, "locations", bare)
    read = (await operator.get("/objects/locations/NL/OWN/LOC1")).body["document"]
    back = await put(operator, "locations", read)
    more = await put(operator, "locations", bare | {"evses": [evse(uid="E9", parking=ABSENT)]})
    both = (await operator.get("/objects/locations/NL/OWN/LOC1")).body["document"]["evses"]
    theirs = {**read["evses"][0], "evse_id": "NL*OWN*E99"}
    refused = await put(operator, "locations", bare | {"evses": [theirs]})

    assert (read["name"], [one["uid"] for one in read["evses"]]) == ("Renamed", [placed["uid"]])
    assert (back.status, back.body["outcome"]) == (200, "unchanged")
    assert (more.status, {one["uid"] for one in both}) == (200, {"E9", placed["uid"]})
    assert (refused.status, refused.error["field"]) == (400, "evses")


async def test_a_tariff_in_use_and_a_location_are_not_deleted(operator):
    await put_place(operator)
    station = await add(operator)
    await place(operator, station, connectors=[{**PLUG, "tariff_id": "T1"}])

    used = await operator.delete("/objects/tariffs/NL/OWN/T1")
    kept = await operator.delete("/objects/locations/NL/OWN/LOC1")

    assert (used.status, "CP-1" in used.error["message"]) == (409, True)
    assert kept.status == 405
