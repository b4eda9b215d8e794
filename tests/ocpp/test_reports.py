"""What stations report, and what their answers say of them, is kept where operators look."""

import asyncio

import pytest
from ocpp.v16 import call
from ocpp.v16 import call_result as result16
from ocpp.v201 import call as call201
from ocpp.v201 import call_result as result201
from sqlalchemy import select, text

from hub.models.ocpp import StationReport
from hub.models.stations import ChargingStation, Connector, StationConfigurationItem
from hub.ocpp import calls
from hub.roaming.stations import station_reports
from tests.helpers.charge_points import iso


async def done(stations, made, action, payload):
    call_id = await calls.begin(stations, made.ref, action, payload)
    return await calls.outcome(stations, made.ref, call_id)


async def reports(csms, made):
    async with csms.transaction() as db:
        rows = await db.scalars(
            select(StationReport)
            .where(StationReport.charging_station_id == made.ref.id)
            .order_by(StationReport.created_at)
        )
        return list(rows)


async def record(csms, made):
    async with csms.transaction() as db:
        return await db.get_one(ChargingStation, (csms.tenant.id, made.ref.id))


async def settings(csms, made):
    async with csms.transaction() as db:
        rows = await db.scalars(
            select(StationConfigurationItem).where(
                StationConfigurationItem.charging_station_id == made.ref.id
            )
        )
        return {(row.component, row.key): row.value for row in rows}


async def test_how_an_update_gets_on_is_in_the_record_of_a_1_6_station(csms, able):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        update = {"location": "https://files.example/fw.bin", "retrieveDate": iso()}
        assert (await done(able, made, "UpdateFirmware", update)).state == "ANSWERED"
        assert (await record(csms, made)).diagnostics["system_health"]["firmware"] == {
            "status": "Accepted"
        }
        await station.ask(call.FirmwareStatusNotification("Downloading"))
        await station.ask(call.FirmwareStatusNotification("Installed"))
        await station.ask(call.DiagnosticsStatusNotification("Uploaded"))
    diagnostics = (await record(csms, made)).diagnostics
    assert diagnostics["system_health"]["firmware"]["status"] == "Installed"
    assert diagnostics["system_health"]["diagnostics"]["status"] == "Uploaded"
    assert diagnostics["last_diagnostics_run"]
    assert [row.payload["status"] for row in await reports(csms, made)] == [
        "Downloading",
        "Installed",
        "Uploaded",
    ]


async def test_a_log_names_the_request_it_belongs_to(csms, able):
    made = await csms.add_station("OCPP_2_0_1")
    async with csms.connect(made, "2.0.1") as station:
        station.replies["GetLog"] = result201.GetLog("Accepted", filename="log.gz")
        question = {
            "logType": "SecurityLog",
            "requestId": 12,
            "log": {"remoteLocation": "https://files.example/up"},
        }
        await done(able, made, "GetLog", question)
        told = (await record(csms, made)).diagnostics["system_health"]["log"]
        assert told == {"status": "Accepted", "request_id": 12, "file_name": "log.gz"}
        await station.ask(call201.LogStatusNotification("Uploading", request_id=12))
    assert (await record(csms, made)).diagnostics["system_health"]["log"]["status"] == "Uploading"
    assert [row.request_id for row in await reports(csms, made)] == [12]


async def test_events_limits_and_answers_in_parts_are_kept(csms):
    made = await csms.add_station("OCPP_2_0_1")
    event = {
        "eventId": 1,
        "timestamp": iso(),
        "trigger": "Alerting",
        "actualValue": "90",
        "component": {"name": "EVSE", "evse": {"id": 1}},
        "eventNotificationType": "HardWiredMonitor",
        "variable": {"name": "Temperature"},
    }
    async with csms.connect(made, "2.0.1") as station:
        await station.ask(call201.NotifyEvent(iso(), 0, [event]))
        await station.ask(
            call201.NotifyCustomerInformation("Jane: card CARD1", 0, iso(), 5, tbc=False)
        )
        await station.ask(
            call201.NotifyMonitoringReport(request_id=6, seq_no=0, generated_at=iso())
        )
        await station.ask(call201.SecurityEventNotification("TamperDetectionActivated", iso()))
    found = [(row.action, row.request_id) for row in await reports(csms, made)]
    assert found == [
        ("NotifyEvent", None),
        ("NotifyCustomerInformation", 5),
        ("NotifyMonitoringReport", 6),
        ("SecurityEventNotification", None),
    ]


async def test_a_status_among_events_is_no_report(csms):
    made = await csms.add_station("OCPP_2_0_1")
    event = {
        "eventId": 1,
        "timestamp": iso(),
        "trigger": "Delta",
        "actualValue": "Occupied",
        "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 1}},
        "eventNotificationType": "HardWiredNotification",
        "variable": {"name": "AvailabilityState"},
    }
    async with csms.connect(made, "2.0.1") as station:
        await station.ask(call201.NotifyEvent(iso(), 0, [event]))
        await csms.shown(made, 1, "CHARGING")
    assert await reports(csms, made) == []


@pytest.mark.parametrize(
    ("status", "availability"),
    [("Accepted", "INOPERATIVE"), ("Scheduled", "SCHEDULED"), ("Rejected", None)],
)
async def test_what_a_station_was_told_to_be_is_known(csms, able, status, availability):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        station.replies["ChangeAvailability"] = result16.ChangeAvailability(status)
        await done(able, made, "ChangeAvailability", {"connectorId": 0, "type": "Inoperative"})
        await done(able, made, "ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
    assert (await record(csms, made)).availability == availability
    async with csms.transaction() as db:
        configuration = await db.scalar(
            select(Connector.configuration).where(Connector.charging_station_id == made.ref.id)
        )
    assert (configuration or {}).get("is_enabled") is (None if status == "Rejected" else False)


async def test_settings_made_and_told_are_in_the_record(csms, able):
    made = await csms.add_station()
    told = result16.GetConfiguration(
        [
            {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
            {"key": "AuthorizationKey", "readonly": False, "value": "secret-secret-secret"},
        ]
    )
    async with csms.connect(made) as station:
        station.replies["GetConfiguration"] = told
        await done(able, made, "GetConfiguration", {})
        change = {"key": "HeartbeatInterval", "value": "60"}
        await done(able, made, "ChangeConfiguration", change)
        station.replies["ChangeConfiguration"] = result16.ChangeConfiguration("Rejected")
        await done(able, made, "ChangeConfiguration", {"key": "Colour", "value": "red"})
    found = await settings(csms, made)
    assert found == {("", "HeartbeatInterval"): "60", ("", "AuthorizationKey"): None}


async def test_variables_set_and_got_are_in_the_record(csms, able):
    made = await csms.add_station("OCPP_2_1")
    where = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
    password = {
        "attributeValue": "a-new-password-1234",
        "component": {"name": "SecurityCtrlr"},
        "variable": {"name": "BasicAuthPassword"},
    }
    async with csms.connect(made, "2.1") as station:
        question = {"setVariableData": [{"attributeValue": "60", **where}, password]}
        await done(able, made, "SetVariables", question)
        assert await settings(csms, made) == {("OCPPCommCtrlr", "HeartbeatInterval"): "60"}
        station.replies["GetVariables"] = station.results.GetVariables(
            [{"attributeStatus": "Accepted", "attributeValue": "90", **where}]
        )
        await done(able, made, "GetVariables", {"getVariableData": [where]})
    assert await settings(csms, made) == {("OCPPCommCtrlr", "HeartbeatInterval"): "90"}


async def test_installed_certificates_are_known_by_their_hashes(csms, able):
    made = await csms.add_station()
    hashes = {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": "a" * 64,
        "issuerKeyHash": "b" * 64,
        "serialNumber": "01",
    }
    async with csms.connect(made) as station:
        station.replies["GetInstalledCertificateIds"] = result16.GetInstalledCertificateIds(
            "Accepted", [hashes]
        )
        question = {"certificateType": "CentralSystemRootCertificate"}
        await done(able, made, "GetInstalledCertificateIds", question)
    assert (await record(csms, made)).diagnostics["system_health"]["certificates"] == [hashes]


async def test_a_vendor_s_own_language_is_answered_by_who_speaks_it(csms):
    made = await csms.add_station()

    async def speak(ref, message_id, data):
        assert ref == made.ref
        return {"status": "Accepted", "data": f"{message_id}:{data}"}

    csms.wire.vendors = {"com.example": speak}
    async with csms.connect(made) as station:
        answer = await station.ask(call.DataTransfer("com.example", "Hello", "you"))
        assert (answer.status, answer.data) == ("Accepted", "Hello:you")
        answer = await station.ask(call.DataTransfer("org.other"))
        assert answer.status == "UnknownVendorId"


async def test_reports_are_forgotten_in_time(csms):
    made = await csms.add_station()
    async with csms.connect(made) as station:
        await asyncio.gather(*(station.ask(call.FirmwareStatusNotification("Idle")) for _ in "ab"))
    async with csms.transaction() as db:
        old = "UPDATE station_reports SET created_at = now() - interval '91 days' WHERE id = :id"
        await db.execute(text(old), {"id": (await reports(csms, made))[0].id})
    async with csms.transaction() as db:
        await station_reports.forget(db)
    assert len(await reports(csms, made)) == 1
