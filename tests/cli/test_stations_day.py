"""A day at the command line with charging stations of one's own."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from ocpp.exceptions import NotSupportedError
from ocpp.v16 import call as call16

from hub.simulator.scenarios import SCENARIOS
from hub.simulator.station import SimulatedStation
from tests.helpers.certificates import signing_request
from tests.helpers.documents import ABSENT, location, tariff
from tests.helpers.stations import OWN, connected

PLUG = ("--standard", "IEC_62196_T2", "--voltage", "230", "--amperage", "32", "--phases", "3")


@pytest.fixture
def files(tmp_path):
    """An own location and an own tariff, in files."""
    documents = {
        "location": location(**OWN, id="LOC1", evses=ABSENT, last_updated=ABSENT),
        "tariff": tariff(**OWN, id="T1"),
    }
    for name, document in documents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    return {name: str(tmp_path / f"{name}.json") for name in documents}


async def test_from_the_first_station_to_its_removal(command, hub, files):
    added = await command("station", "add", "CP-1", "--name", "Front door", "--json")
    await command("object", "put", "locations", files["location"])
    await command("object", "put", "tariffs", files["tariff"])
    placed = await command(
        *("station", "place", "CP", "1", "--location", "LOC1", "--tariff", "T1", *PLUG)
    )
    made = added.json["station"] | {"password": added.json["password"]}
    async with connected(hub, made) as client:
        await client.boot()
        await client.status(1, "Available")
        listed = await command("station", "list", "--connected")
        shown = await command("station", "show", "CP-1")
        evses = await command("station", "evses", "CP-1")
        sent = await command("station", "password", "CP-1")
    planned = await command("station", "describe", "CP-1", "1", "--shown-as", "planned", "--json")
    withdrawn = await command("station", "withdraw", "CP-1", "1", "--json")
    edited = await command("station", "edit", "CP-1", "--version", "1.6", "--group", "fleet")
    deleted = await command("object", "delete", "tariffs", "T1", "--yes")
    removed = await command("station", "remove", "CP-1", "--yes")

    assert "LOC1" in placed.out
    assert "CP-1" in listed.out
    assert "yes, since" in shown.out
    assert "AVAILABLE" in evses.out
    assert "The station has it" in sent.err
    assert planned.json["status"] == "PLANNED"
    assert withdrawn.json["published"] is False
    assert "fleet" in edited.out
    assert (deleted.code, "CP-1 has this tariff" in deleted.err) == (4, True)
    assert removed.code == 0
    assert (await command("station", "list")).out == ""
    assert made["password"] not in shown.out + listed.out


async def test_a_password_of_ones_own_and_one_to_type_in(command, tmp_path):
    (tmp_path / "password").write_text("a-password-of-1234\n")

    added = await command(
        *("station", "add", "CP-1", "--json"), *("--password-file", str(tmp_path / "password"))
    )
    away = await command("station", "password", "CP-1")
    typed = await command("station", "password", "CP-1", "--show", "--json")

    assert added.json["password"] is None
    assert (away.code, "--show" in away.err) == (4, True)
    assert len(typed.json["password"]) == 32


async def test_what_is_wrong_is_told_with_an_exit_code(command, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "nameless.json").write_text("{}")
    await command("station", "add", "CP-1")
    await command("station", "add", "CP-2")

    wrong = {
        ("station", "show", "CP"): 2,
        ("station", "show", "CP-3"): 3,
        ("station", "add", "CP-1"): 4,
        ("station", "add", "no/slash"): 2,
        ("station", "place", "CP-1", "1"): 2,
        ("object", "put", "locations", str(tmp_path / "broken.json")): 2,
        ("object", "put", "locations", str(tmp_path / "nameless.json")): 2,
        ("object", "put", "locations", str(tmp_path / "absent.json")): 2,
        ("object", "delete", "locations", "LOC1", "--yes"): 2,
        ("object", "delete", "tariffs", "T9", "--yes"): 3,
    }
    for arguments, code in wrong.items():
        ended = await command(*arguments)
        assert (ended.code, ended.out) == (code, ""), arguments
        assert ended.err


async def test_asking_a_station_something(command, hub):
    made = await station_of(command)
    async with connected(hub, made, "1.6") as client:
        await client.boot()
        sent = await command(
            "station", "call", "CP-1", "TriggerMessage", '{"requestedMessage": "Heartbeat"}'
        )
        unlocked = await command("station", "unlock", "CP-1", "1")
        triggered = await command("station", "trigger", "CP-1", "StatusNotification", "--evse", "1")
        changed = await command("station", "configuration", "CP-1", "HeartbeatInterval", "60")
        client.replies["ChangeAvailability"] = NotSupportedError("Not here")
        unable = await command("station", "availability", "CP-1", "inoperative")
        kept = await command("station", "configuration", "CP-1")
        asked = list(client.asked)
        listed = await command("station", "calls", "CP-1")
        log = await command("station", "log", "CP-1")
        as_json = await command("station", "log", "CP-1", "--json", "--limit", "3")
    away = await command("station", "reset", "CP-1")
    away_json = await command("station", "reset", "CP-1", "--json")

    assert json.loads(sent.out) == {"status": "Accepted"}
    assert (unlocked.code, '"Unlocked"' in unlocked.out) == (0, True)
    assert ("UnlockConnector", {"connector_id": 1}) in asked
    assert triggered.code == changed.code == kept.code == 0
    assert ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}) in asked
    # An error of the station is exit code 1.
    assert (unable.code, "Not" in unable.err) == (1, True)
    assert "UnlockConnector" in listed.out
    assert "→  CALL        UnlockConnector" in log.out
    assert "←  CALLRESULT  UnlockConnector" in log.out
    assert len(as_json.json["items"]) == 3
    assert (away.code, "not connected" in away.err) == (4, True)
    assert (away_json.code, away_json.json["state"]) == (4, "OFFLINE")


async def station_of(command, *options):
    added = (await command("station", "add", "CP-1", "--json", *options)).json
    return added["station"] | {"password": added["password"]}


async def test_the_same_wishes_in_the_words_of_ocpp_2(command, hub):
    made = await station_of(command)
    async with connected(hub, made, "2.0.1") as client:
        await client.boot()
        unlocked = await command("station", "unlock", "CP-1", "2", "--connector", "3")
        await command("station", "trigger", "CP-1", "StatusNotification", "--evse", "2")
        changed = await command(
            "station", "configuration", "CP-1", "SampledDataCtrlr.TxUpdatedInterval", "30"
        )
        wrong = await command("station", "configuration", "CP-1", "HeartbeatInterval")
        asked = list(client.asked)

    assert unlocked.code == changed.code == 0
    assert ("UnlockConnector", {"evse_id": 2, "connector_id": 3}) in asked
    status = {"requested_message": "StatusNotification", "evse": {"id": 2, "connector_id": 1}}
    assert ("TriggerMessage", status) in asked
    [variable] = [said for action, said in asked if action == "SetVariables"][-1][
        "set_variable_data"
    ]
    assert (variable["variable"], variable["attribute_value"]) == (
        {"name": "TxUpdatedInterval"},
        "30",
    )
    assert (wrong.code, "Component.Variable" in wrong.err) == (2, True)


async def test_a_driver_charges_and_the_station_falls_silent(command, hub, files):
    made = await station_of(command)
    await command("object", "put", "locations", files["location"])
    await command("object", "put", "tariffs", files["tariff"])
    await command(*("station", "place", "CP-1", "1", "--location", "LOC1", "--tariff", "T1"), *PLUG)
    token = await command(
        *("token", "add", "TAG1", "--group", "G1", "--day", "mon", "--day", "tue", "--day", "wed"),
        *("--day", "thu", "--day", "fri", "--day", "sat", "--day", "sun", "--per-day", "9"),
        *("--near", "52.09,5.12,50", "--description", "Van 7", "--json"),
    )
    async with connected(hub, made, "1.6") as client:
        await client.boot()
        started = await command("station", "start", "CP-1", "TAG1", "--evse", "1")
        begun = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        answer = await client.ask(call16.StartTransaction(1, "TAG1", 0, begun))
        running = await command("transaction", "list", "--station", "CP-1", "--open", "--json")
        [one] = running.json["items"]
        stopped = await command("transaction", "stop", one["id"])
        kept = await command(
            *("reservation", "add", "CP-1", "TAG1", "--until", "2099-01-01T00:00:00Z", "--json")
        )
        cancelled = await command("reservation", "cancel", kept.json["id"])
        reserved = await command("reservation", "list")
    blocked = await command("token", "block", "tag1", "--reason", "Lost")
    refused = await command("station", "start", "CP-1", "TAG1")
    closed = await command("transaction", "close", one["id"], "--yes")
    shown = await command("transaction", "show", one["id"])
    again = await command("transaction", "close", one["id"], "--yes")
    removed = await command("token", "remove", "TAG1", "--yes")
    edited = await command("token", "edit", "TAG1", "--no-limits", "--json")
    listed = await command("token", "list", "--state", "blocked")

    assert token.json["restrictions"]["usage"] == {"max_sessions_per_day": 9}
    assert answer.id_tag_info["status"] == "Accepted"
    assert started.code == stopped.code == cancelled.code == closed.code == 0
    assert "CANCELED" in reserved.out
    assert "Lost" in blocked.out
    assert (refused.code, "BLOCKED" in refused.err) == (4, True)
    assert "closed by the operator" in shown.out
    assert again.code == removed.code == 4
    assert edited.json["restrictions"] == {}
    assert "TAG1" in listed.out


async def test_profiles_lists_firmware_and_logs(command, hub, tmp_path):
    """With a station that knows them all: the simulated one."""
    made = await station_of(command)
    url = f"{hub.url.replace('http', 'ws', 1)}/ocpp"
    station = SimulatedStation(url, "CP-1", made["password"], "2.0.1")
    running = asyncio.ensure_future(SCENARIOS["idle"](station))
    (tmp_path / "v2.bin").write_bytes(b"new software")
    async with asyncio.timeout(120):
        await station.connection.up.wait()
        await command("profile", "add", "night", "--limit", "0=7400", "--limit", "3600=0")
        given = await command("profile", "apply", "night", "CP-1", "--evse", "1")
        held = station.limit
        profiles = await command("profile", "list")
        cleared = await command("profile", "clear", "night", "CP-1")
        removed = await command("profile", "remove", "night", "--yes")
        await command("token", "add", "TAG1")
        synced = await command("station", "local-list", "CP-1", "--sync", "--json")
        await command("firmware", "add", str(tmp_path / "v2.bin"))
        installed = await command("firmware", "install", "CP-1", "v2.bin")
        log = await command("station", "diagnostics", "CP-1", "-o", str(tmp_path / "log"))
        jobs = await command("station", "jobs", "CP-1")
        unable = await command("certificate", "installed", "CP-1")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    listed = await command("firmware", "list")
    gone = await command("firmware", "remove", "v2.bin", "--yes")
    reports = await command("station", "reports", "CP-1")

    assert (given.code, held, station.limit) == (0, 7400, None)
    assert "CP-1/1" in profiles.out
    assert cleared.code == removed.code == installed.code == log.code == gone.code == 0
    assert (synced.json["entries"], station.local_list) == (1, {"TAG1": "Accepted"})
    assert b"CP-1" in (tmp_path / "log").read_bytes()
    assert "v2.bin" in listed.out
    assert "FIRMWARE" in jobs.out
    assert "LOG" in jobs.out
    assert unable.code == 1
    assert "FirmwareStatusNotification" in reports.out


async def test_certificates(command, tmp_path):
    await station_of(command)
    (tmp_path / "csr").write_text(signing_request("CP-1"))

    authority = await command("certificate", "ca")
    signed = await command("certificate", "sign", "CP-1", str(tmp_path / "csr"))
    listed = await command("certificate", "list", "CP-1")
    revoked = await command("certificate", "revoke", "CP-1", "--yes")
    away = await command("certificate", "install", "CP-1", str(tmp_path / "csr"))

    assert authority.out.startswith("-----BEGIN CERTIFICATE-----")
    assert signed.out.count("BEGIN CERTIFICATE") == 2
    assert len(listed.out.splitlines()) == 2
    assert (revoked.code, away.code) == (0, 4)


@pytest.mark.parametrize(
    ("version", "action", "message"),
    [
        ("1.6", "ExtendedTriggerMessage", "SignChargePointCertificate"),
        ("2.1", "TriggerMessage", "SignChargingStationCertificate"),
    ],
)
async def test_a_station_is_asked_to_renew_its_certificate(command, hub, version, action, message):
    made = await station_of(command)
    async with connected(hub, made, version) as client:
        await client.boot()
        renewed = await command("certificate", "renew", "CP-1")

    assert renewed.code == 0
    assert (action, {"requested_message": message}) in client.asked
