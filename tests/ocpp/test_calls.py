"""Any message to any station: checked, kept, sent once, from whichever process."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from ocpp.exceptions import NotSupportedError
from sqlalchemy import select, text

from hub.models.ocpp import StationCall
from hub.models.stations import ChargingStation
from hub.ocpp import call_rows, calls
from hub.ocpp.conversation import messages
from hub.ocpp.conversation.frames import CallRefused, OCPPVersion
from hub.ocpp.conversation.redaction import redact, redact_frame
from hub.ocpp.versions.v16 import Station16
from hub.ocpp.versions.v21 import Station21
from hub.ocpp.versions.v201 import Station201

ANSWERED = {
    OCPPVersion.V16: Station16.answers,
    OCPPVersion.V201: Station201.answers,
    OCPPVersion.V21: Station21.answers,
}


async def rows(csms):
    async with csms.transaction() as db:
        return list(await db.scalars(select(StationCall).order_by(StationCall.created_at)))


@pytest.mark.parametrize("version", OCPPVersion)
def test_every_message_of_a_version_is_sent_or_answered(version):
    """No action is forgotten: it comes from the hub, or from the station, or both ways."""
    ours, theirs = calls.SENT_BY_THE_HUB[version], set(ANSWERED[version])
    streams = {"NotifyPeriodicEventStream"} if version is OCPPVersion.V21 else set()
    assert ours | theirs | streams == messages.actions(version)
    assert ours & theirs == {"DataTransfer"}


@pytest.mark.parametrize("version", OCPPVersion)
def test_the_page_of_what_is_supported_names_every_message_of_stations(version):
    page = (Path(__file__).parents[2] / "docs" / "ocpp-support.md").read_text()
    told = page[page.index("## Messages of stations") : page.index("## Messages of the hub")]
    assert [action for action in ANSWERED[version] if action not in told] == []


async def test_a_call_in_ocpp_s_own_words_reaches_the_station(csms, able):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        setting = {"key": "HeartbeatInterval", "value": "60"}
        call_id = await calls.begin(able, made.ref, "ChangeConfiguration", setting)
        answered = await calls.outcome(able, made.ref, call_id)
        assert (answered.state, answered.payload) == ("ANSWERED", {"status": "Accepted"})
        assert station.asked == [("ChangeConfiguration", setting)]
    [row] = await rows(csms)
    assert (row.id, row.state, row.payload, row.sealed) == (call_id, "ANSWERED", setting, None)
    assert row.sent_at <= row.finished_at


async def test_from_another_process_as_well(csms):
    made = await csms.add_station("OCPP_2_1")
    async with (
        csms.another_process(take_up_within=0.2) as far,
        csms.connect(made, "2.0.1") as station,
    ):
        await station.boot()
        # The record says 2.1, the connection speaks 2.0.1: what counts is the connection.
        assert await far.version(made.ref) is OCPPVersion.V201
        report = {"requestId": 7, "reportBase": "FullInventory"}
        call_id = await calls.begin(far, made.ref, "GetBaseReport", report)
        assert (await calls.outcome(far, made.ref, call_id)).payload == {"status": "Accepted"}
        assert [action for action, _ in station.asked] == ["GetBaseReport"]


@pytest.mark.parametrize(
    ("action", "payload", "verdict"),
    [
        ("Reboot", {}, "NotImplemented: .*no message Reboot"),
        ("GetVariables", {}, "NotImplemented: .*no message GetVariables"),
        ("StartTransaction", {}, "NotImplemented: .*no message StartTransaction"),
        ("Reset", {}, "ProtocolError: .*type: required"),
        ("Reset", {"type": "Warm"}, "PropertyConstraintViolation: .*type: enum"),
        ("Reset", {"type": "Soft", "when": 1}, "FormatViolation: .*when: additionalProperties"),
        ("UnlockConnector", {"connectorId": "1"}, "TypeConstraintViolation: .*connectorId: type"),
    ],
)
async def test_what_the_version_does_not_know_is_refused_and_not_kept(
    csms, able, action, payload, verdict
):
    made = await csms.add_station()
    with pytest.raises(CallRefused, match=verdict):
        await calls.begin(able, made.ref, action, payload)
    assert await rows(csms) == []


async def test_an_absent_station_is_offline_at_once(csms, able):
    made = await csms.add_station()
    call_id = await calls.begin(able, made.ref, "ClearCache", {})
    assert (await calls.outcome(able, made.ref, call_id)).state == "OFFLINE"
    with pytest.raises(LookupError):
        await calls.outcome(able, made.ref, uuid4())


async def test_a_refusal_a_silence_and_a_broken_answer_are_told_apart(csms, able):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        station.replies["TriggerMessage"] = NotSupportedError()
        trigger = {"requestedMessage": "Heartbeat"}
        answered = await calls.outcome(
            able, made.ref, await calls.begin(able, made.ref, "TriggerMessage", trigger)
        )
        assert (answered.state, answered.error_code) == ("REFUSED", "NotSupported")
    async with csms.session.ws_connect(
        csms.url(made.identity), protocols=["ocpp1.6"], headers=csms.headers(made)
    ) as socket:
        call_id = await calls.begin(able, made.ref, "ClearCache", {}, timeout=1)
        [_, message_id, *_] = json.loads(await socket.receive_str())
        await socket.send_str(json.dumps([3, message_id, {"status": "Perhaps"}]))
        assert (await calls.outcome(able, made.ref, call_id)).state == "BROKEN"
        call_id = await calls.begin(able, made.ref, "ClearCache", {}, timeout=1)
        assert (await calls.outcome(able, made.ref, call_id)).state == "SILENT"


async def test_a_password_on_its_way_is_in_no_row(csms, able):
    """T-12: whoever reads the database must not be able to connect as the station."""
    made = await csms.add_station()
    secret = "hunter2-hunter2-hunter2"
    async with csms.another_process(take_up_within=0.2) as far, csms.connect(made) as station:
        setting = {"key": "AuthorizationKey", "value": secret}
        for stations in (able, far):
            call_id = await calls.begin(stations, made.ref, "ChangeConfiguration", setting)
            async with csms.transaction() as db:
                kept = await db.scalar(text("SELECT string_agg(c::text, ' ') FROM station_calls c"))
            assert secret not in kept
            assert secret.encode().hex() not in kept
            assert (await calls.outcome(stations, made.ref, call_id)).state == "ANSWERED"
        assert station.asked == [("ChangeConfiguration", setting)] * 2
    assert {row.payload["value"] for row in await rows(csms)} == {"***"}


async def test_calls_that_a_dead_process_left_open_are_finished(csms, able):
    made = await csms.add_station()
    async with csms.transaction() as db:
        for state in ("WAITING", "SENT"):
            db.add(
                StationCall(
                    charging_station_id=made.ref.id,
                    action="ClearCache",
                    payload={},
                    state=state,
                    deadline_at=text("now() - interval '1 minute'"),
                )
            )
    async with csms.transaction() as db:
        await call_rows.give_up_overdue(db)
    assert {row.state for row in await rows(csms)} == {"OFFLINE", "SILENT"}


async def test_where_a_station_is_connected_can_be_seen(csms):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        await station.boot()
        async with csms.transaction() as db:
            row = await db.get_one(ChargingStation, (csms.tenant.id, made.ref.id))
    assert (row.connected_version, row.remote_address) == ("1.6", "127.0.0.1")
    assert row.booted_at >= row.connected_at


@pytest.mark.parametrize(
    "payload",
    [
        {"key": "AuthorizationKey", "value": "SECRET-SECRET"},
        {"configurationKey": [{"key": "authorizationkey", "value": "SECRET-SECRET"}]},
        {
            "setVariableData": [
                {
                    "attributeValue": "SECRET-SECRET",
                    "component": {"name": "SecurityCtrlr"},
                    "variable": {"name": "BasicAuthPassword"},
                }
            ]
        },
        {"connectionData": {"basicAuthPassword": "SECRET-SECRET", "apn": {"simPin": "SECRET"}}},
        {"idTag": "SECRET-SECRET"},
        {"idToken": {"idToken": "SECRET-SECRET", "type": "ISO14443"}},
        {"location": "https://user:SECRET-SECRET@files.example/firmware.bin"},
    ],
)
def test_what_an_operator_sees_holds_no_secret_and_no_driver(payload):
    """T-45, T-53."""
    before = json.dumps(payload)
    assert "SECRET" not in json.dumps(redact(payload)).replace("SE***", "")
    assert json.dumps(payload) == before
    frame = redact_frame(json.dumps([2, "id-1", "X", payload]))
    assert "SECRET" not in frame.replace("SE***", "")
    assert json.loads(frame)[:3] == [2, "id-1", "X"]


@pytest.mark.parametrize("frame", ["", "{", "nonsense", '{"a": 1}', '[3,"1",{"status":"Ok"}]'])
def test_any_frame_can_be_shown(frame):
    assert isinstance(redact_frame(frame), str)


def test_what_is_no_secret_is_shown_as_it_is():
    payload = {"key": "HeartbeatInterval", "value": "60", "list": [1, 2.5, None, True]}
    assert redact(payload) == payload
