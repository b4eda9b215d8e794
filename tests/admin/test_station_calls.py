"""Asking stations something in OCPP's own words, and reading what went over their sockets."""

import asyncio
import json

import pytest
from ocpp.exceptions import NotSupportedError
from ocpp.v16 import call

from tests.helpers.charge_points import SILENCE
from tests.helpers.stations import add, connected


async def ask(operator, station, action, payload=None, *, wait="true", **more):
    return await operator.ask(
        "POST",
        f"/stations/{station['id']}/calls",
        json={"action": action, "payload": payload or {}, **more},
        params={"wait": wait},
    )


@pytest.mark.parametrize(
    ("version", "action", "payload"),
    [
        ("1.6", "ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}),
        ("2.0.1", "TriggerMessage", {"requestedMessage": "Heartbeat"}),
        ("2.1", "TriggerMessage", {"requestedMessage": "Heartbeat"}),
    ],
)
async def test_a_call_reaches_the_station_and_its_answer_the_operator(
    hub, operator, version, action, payload
):
    station = await add(operator)
    async with connected(hub, station, version) as client:
        said = await ask(operator, station, action, payload)
        assert client.asked[-1][0] == action

    assert (said.status, said.body["state"]) == (202, "ANSWERED")
    assert said.body["result"] == {"status": "Accepted"}
    shown = await operator.get(f"/stations/{station['id']}/calls/{said.body['call_id']}")
    listed = (await operator.get(f"/stations/{station['id']}/calls")).body["items"]
    assert shown.body == said.body
    assert [one["call_id"] for one in listed] == [said.body["call_id"]]
    [entry] = (await operator.get("/audit", action="COMMAND_SENT")).body["items"]
    assert entry["description"] == f"{action} to CP-1"
    assert entry["details"]["payload"] == payload


async def test_without_waiting_the_answer_comes_at_once(hub, operator):
    station = await add(operator)
    async with connected(hub, station):
        kept = await ask(operator, station, "ClearCache", wait="false")
        assert kept.body["state"] in {"WAITING", "SENT", "REFUSED"}
    assert (kept.status, kept.body["call_id"] is not None) == (202, True)


async def test_what_can_become_of_a_call(hub, operator):
    """A CALLERROR, silence, no connection."""
    station = await add(operator)
    setting = {"key": "HeartbeatInterval", "value": "60"}
    async with connected(hub, station) as client:
        client.replies["ChangeConfiguration"] = NotSupportedError("Not here")
        refused = (await ask(operator, station, "ChangeConfiguration", setting)).body
    async with connected(hub, station) as client:
        client.replies["ClearCache"] = SILENCE
        silent = await operator.ask(
            "POST",
            f"/stations/{station['id']}/calls",
            json={"action": "ClearCache", "timeout_s": 1},
            params={"wait": "true"},
        )
    offline = (await ask(operator, station, "ClearCache")).body

    assert (refused["state"], refused["error"]["code"]) == ("REFUSED", "NotSupported")
    assert silent.body["state"] == "SILENT"
    assert (offline["state"], offline["sent_at"]) == ("OFFLINE", None)


BAD_CALLS = [
    ({}, "action"),
    ({"action": "Reset"}, "payload"),
    ({"action": "Reset", "payload": {"type": "Gently"}}, "payload"),
    ({"action": "Heartbeat"}, "action"),
    ({"action": "RequestStartTransaction"}, "action"),
    ({"action": "Reset", "payload": []}, "payload"),
    ({"action": "ClearCache", "timeout_s": 0}, "timeout_s"),
    ({"action": "ClearCache", "timeout_s": 301}, "timeout_s"),
    (
        {
            "action": "ChangeConfiguration",
            "payload": {"key": "AuthorizationKey", "value": "0123456789abcdef"},
        },
        "payload",
    ),
]


async def test_a_bad_call_is_refused_before_anything_is_kept(hub, operator):
    station = await add(operator, ocpp_versions=["1.6"])
    async with connected(hub, station):
        for body, field in BAD_CALLS:
            said = await operator.post(f"/stations/{station['id']}/calls", **body)
            assert (said.status, said.error["field"]) == (400, field), body

    unknown = await operator.post(f"/stations/{station['id']}/calls", action="Heartbeat")
    assert "Reset" in unknown.error["allowed"]
    assert (await operator.get(f"/stations/{station['id']}/calls")).body["items"] == []
    assert (await operator.get("/audit", action="COMMAND_SENT")).body["items"] == []


async def test_a_password_is_changed_in_one_way_only(operator):
    """It would lock the station out if the hub did not know of it."""
    station = await add(operator)
    item = {
        "component": {"name": "SecurityCtrlr"},
        "variable": {"name": "BasicAuthPassword"},
        "attributeValue": "0123456789abcdef",
    }

    said = await ask(operator, station, "SetVariables", {"setVariableData": [item]})

    assert (said.status, "hub station password" in said.error["next"]) == (400, True)


async def test_the_log_of_a_station_shows_no_driver_and_no_secret(hub, operator):
    """T-16: passwords and tokens went over the socket, but not into the operator's hands."""
    station, other = await add(operator), await add(operator, "CP-2")
    where = f"/stations/{station['id']}/frames"
    async with connected(hub, other) as noise, connected(hub, station) as client:
        await noise.boot()
        await client.boot()
        await client.ask(call.Authorize("04A2B3C4D5"))
        await client.ask(call.Authorize("X" * 20))
        await operator.post(f"/stations/{station['id']}/password")
        async with asyncio.timeout(20):
            while "TriggerMessage" not in [name for name, _ in client.asked]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)  # until the station has been set up
        [key] = [one["value"] for _, one in client.asked if one.get("key") == "AuthorizationKey"]
        first = (await operator.get(where, limit=2)).body
        found = (await operator.get(where)).body
        later = (await operator.get(where, after=found["next"])).body

    frames = [json.loads(one["frame"]) for one in found["items"]]
    calls = [(one["direction"], frame[2]) for one, frame in zip(found["items"], frames, strict=True)
             if frame[0] == 2]  # fmt: skip
    assert calls[0] == ("in", "BootNotification")
    assert ("out", "ChangeConfiguration") in calls
    text = json.dumps(found)
    assert "04A2B3C4D5" not in text
    assert "X" * 20 not in text
    assert key not in text
    assert station["password"] not in text
    assert first["items"] == found["items"][-2:]
    assert (later["items"], later["next"], later["connected"]) == ([], found["next"], True)


async def test_settings_that_a_station_reported(hub, operator):
    from ocpp.v16 import call_result  # noqa: PLC0415

    station = await add(operator)
    keys = [
        {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
        {"key": "AuthorizationKey", "readonly": False, "value": "a-secret-of-the-station"},
    ]
    async with connected(hub, station) as client:
        client.replies["GetConfiguration"] = call_result.GetConfiguration(keys, [])
        await client.boot()
        items = []
        while not items:
            items = (await operator.get(f"/stations/{station['id']}/settings")).body["items"]

    told = {one["name"]: one["value"] for one in items}
    assert told == {"HeartbeatInterval": "300", "AuthorizationKey": None}
