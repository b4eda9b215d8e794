"""Local lists: what stations let charge when they cannot ask, sent and kept in step."""

import asyncio

import pytest
from ocpp.v16 import call_result as result16
from ocpp.v201 import call_result as result201
from sqlalchemy import insert

from hub.models.stations import StationConfigurationItem
from tests.helpers.documents import token
from tests.helpers.stations import add, connected


class Lists:
    """A station with a local list; ``answers`` are given in their order, then Accepted."""

    def __init__(self, client, results, *answers):
        self.asked, self.answers = [], list(answers)

        async def take(**asked):
            self.asked.append(asked)
            return results.SendLocalList(self.answers.pop(0) if self.answers else "Accepted")

        client.route_map["SendLocalList"] = {"_on_action": take, "_skip_schema_validation": False}


async def sync(operator, station, **body):
    return await operator.post(f"/stations/{station['id']}/local-list", **body)


async def test_only_what_has_changed_is_sent(hub, operator):
    station = await add(operator)
    first = (await operator.post("/tokens", uid="TAG1", group_id="G1")).body
    await operator.post("/tokens", uid="TAG2")
    async with connected(hub, station) as client:
        await client.boot()
        lists = Lists(client, result16)
        whole = (await sync(operator, station)).body
        nothing = (await sync(operator, station)).body
        await operator.post(f"/tokens/{first['id']}/block")
        await operator.post("/tokens", uid="TAG3")
        changed = (await sync(operator, station)).body
        shown = (await operator.get(f"/stations/{station['id']}/local-list")).body

    full, gone, put = lists.asked
    # A client is known that wants the list right after its version.
    assert list(full) == ["list_version", "local_authorization_list", "update_type"]
    assert (full["list_version"], full["update_type"]) == (1, "Full")
    info = {"status": "Accepted", "parent_id_tag": "G1"}
    assert full["local_authorization_list"][0] == {"id_tag": "TAG1", "id_tag_info": info}
    assert (gone["update_type"], gone["local_authorization_list"]) == (
        "Differential",
        [{"id_tag": "TAG1"}],
    )
    assert [entry["id_tag"] for entry in put["local_authorization_list"]] == ["TAG3"]
    assert (whole["entries"], whole["sent"], nothing["sent"]) == (2, 1, 0)
    assert (changed["list_version"], changed["sent"]) == (3, 2)
    assert (shown["list_version"], shown["entries"]) == (3, 2)


async def test_in_the_words_of_2_x_and_of_partners(hub, operator, emsp):
    """A partner's token that may charge unasked is in it, one that may not is not."""
    station = await add(operator)
    for uid, whitelist in (("ALWAYS1", "ALWAYS"), ("NEVER1", "NEVER"), ("X" * 36, "ALLOWED")):
        body = token(version="2.2.1", uid=uid, whitelist=whitelist)
        await emsp.put(f"tokens/DE/TWO/{uid}", body)
    async with connected(hub, station, "2.0.1") as client:
        await client.boot()
        lists = Lists(client, result201)
        said = await sync(operator, station)

    assert said.status == 200, said.body
    [asked] = lists.asked
    told = {entry["id_token"]["id_token"] for entry in asked["local_authorization_list"]}
    assert told == {"ALWAYS1", "X" * 36}
    assert (asked["version_number"], asked["update_type"]) == (1, "Full")


async def test_a_station_that_holds_another_version_gets_all_of_it(hub, operator):
    station = await add(operator)
    await operator.post("/tokens", uid="TAG1")
    async with connected(hub, station) as client:
        await client.boot()
        Lists(client, result16)
        await sync(operator, station)
        await operator.post("/tokens", uid="TAG2")
        lists = Lists(client, result16, "VersionMismatch")
        said = (await sync(operator, station)).body

    assert [one["update_type"] for one in lists.asked] == ["Differential", "Full"]
    assert (said["entries"], said["list_version"]) == (2, 2)


async def test_in_as_many_messages_as_the_station_takes(hub, operator, tenant):
    """What it has taken before something breaks is not sent again."""
    station = await add(operator)
    async with hub.database.transaction(tenant.id) as db:
        for key, value in (("SendLocalListMaxLength", "2"), ("LocalAuthListMaxLength", "5")):
            row = {"charging_station_id": station["id"], "key": key, "value": value}
            await db.execute(insert(StationConfigurationItem).values(**row))
    for number in range(7):
        await operator.post("/tokens", uid=f"TAG{number}")
    async with connected(hub, station) as client:
        await client.boot()
        broken = Lists(client, result16, "Accepted", "Failed")
        failed = await sync(operator, station)
        rest = Lists(client, result16)
        done = (await sync(operator, station)).body

    assert [len(one["local_authorization_list"]) for one in broken.asked] == [2, 2]
    assert (failed.status, "Failed" in failed.error["message"]) == (409, True)
    assert [one["update_type"] for one in rest.asked] == ["Differential"] * 2
    assert [len(one["local_authorization_list"]) for one in rest.asked] == [2, 1]
    assert (done["entries"], done["list_version"]) == (5, 3)


async def test_what_a_list_cannot_decide_is_not_in_it(hub, operator):
    """Hours and amounts; other places; what is too long for OCPP 1.6."""
    station = await add(operator)
    limits = {
        "HOURS": {"time_restriction": {"start_time": "08:00", "end_time": "17:00"}},
        "AMOUNT": {"usage": {"max_amount_per_month": "50"}},
        "ELSEWHERE": {"allowed_stations": ["CP-2"]},
        "HERE": {"allowed_stations": ["CP-1"]},
        "X" * 21: {},
    }
    for uid, restrictions in limits.items():
        await operator.post("/tokens", uid=uid, restrictions=restrictions)
    async with connected(hub, station) as client:
        await client.boot()
        lists = Lists(client, result16)
        await sync(operator, station)

    [asked] = lists.asked
    assert [entry["id_tag"] for entry in asked["local_authorization_list"]] == ["HERE"]


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
async def test_a_station_without_lists_says_so(hub, operator, version):
    station = await add(operator)
    async with connected(hub, station, version) as client:
        await client.boot()
        client.route_map.pop("SendLocalList", None)
        said = await sync(operator, station)
        await asyncio.sleep(0)

    assert (said.status, "NOT_SUPPORTED" in said.error["message"]) == (409, True)
    shown = (await operator.get(f"/stations/{station['id']}/local-list")).body
    assert (shown["list_version"], shown["entries"]) == (None, 0)
