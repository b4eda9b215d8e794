"""Transactions of OCPP 2.0.1 and 2.1 stations; real stations, real database."""

import pytest

from hub.roaming.modules import TARIFFS
from hub.roaming.store import objects
from hub.roaming.store.writes import Write
from tests.helpers.charge_points import iso
from tests.ocpp.conftest import OWNER, TARIFF

VERSIONS = {"2.0.1": "OCPP_2_0_1", "2.1": "OCPP_2_1"}
TOKEN = {"idToken": "TAG1", "type": "ISO14443"}
EVSE = {"id": 1, "connectorId": 1}

pytestmark = pytest.mark.parametrize("version", VERSIONS)


def reading(minutes, wh, context="Sample.Periodic", **more):
    sample = {"value": wh, "context": context, **more}
    return [{"timestamp": iso(minutes), "sampledValue": [sample]}]


def charging(state="Charging", **more):
    return {"chargingState": state, **more}


async def test_a_session_from_start_to_cdr(csms, version):
    made = await csms.add_station(VERSIONS[version])
    await csms.add_token("TAG1", group_id="G1")
    async with csms.connect(made, version) as station:
        assert (await station.boot()).status == "Accepted"
        answer = await station.event(
            "Started", "T-1", 0, iso(-30), id_token=TOKEN, evse=EVSE, info=charging(),
            meter_value=reading(-30, 1000, "Transaction.Begin"),
        )  # fmt: skip
        assert answer.id_token_info["status"] == "Accepted"
        assert answer.id_token_info["group_id_token"]["id_token"] == "G1"
        await station.event(
            "Updated", "T-1", 1, iso(-20), info=charging(), meter_value=reading(-20, 3000)
        )
        [session] = await csms.sessions()
        assert (session["status"], session["kwh"]) == ("ACTIVE", 2.0)
        await station.event("Updated", "T-1", 2, iso(-15), info=charging("SuspendedEV"))
        await station.event(
            "Ended", "T-1", 3, iso(0), info=charging("Idle", stoppedReason="EVDisconnected"),
            meter_value=reading(0, 3500, "Transaction.End"),
        )  # fmt: skip

    [session] = await csms.sessions()
    assert (session["status"], session["kwh"]) == ("COMPLETED", 2.5)
    [cdr] = await csms.cdrs()
    assert cdr["total_energy"] == 2.5
    assert cdr["total_parking_time"] == pytest.approx(0.25, abs=0.02)


async def test_the_final_cost_is_for_the_station_s_display(csms, version):
    """I03: with taxes; the same again when the end is told again."""
    taxed = {"price_components": [{"type": "ENERGY", "price": 0.4, "vat": 25, "step_size": 1}]}
    made = await csms.add_station(VERSIONS[version])
    await csms.add_token("TAG1")
    changed = TARIFF | {"elements": [taxed], "last_updated": iso(-60)}
    async with csms.transaction() as db:
        await objects.apply(db, [Write(TARIFFS, "PUT", OWNER, "T1", changed)])
    ended = reading(-1, 3000, "Transaction.End")
    at = iso(-1)
    async with csms.connect(made, version) as station:
        await station.event(
            "Started", "T-1", 0, iso(-30), id_token=TOKEN, evse=EVSE, info=charging(),
            meter_value=reading(-30, 1000, "Transaction.Begin"),
        )  # fmt: skip
        updated = await station.event(
            "Updated", "T-1", 1, iso(-9), trigger="MeterValuePeriodic",
            meter_value=reading(-9, 2000),
        )  # fmt: skip
        answers = [
            await station.event("Ended", "T-1", 2, at, trigger="EVDeparted", meter_value=ended)
            for _ in range(2)
        ]

    assert updated.total_cost is None
    assert [answer.total_cost for answer in answers] == [1.0, 1.0]


async def test_values_have_multipliers_and_units(csms, version):
    made = await csms.add_station(VERSIONS[version])
    await csms.add_token("TAG1")
    tens = {"unit": "Wh", "multiplier": 1}
    async with csms.connect(made, version) as station:
        await station.event(
            "Started", "T-1", 0, iso(-10), id_token=TOKEN, evse=EVSE, info=charging(),
            meter_value=reading(-10, 1.0, "Transaction.Begin", unitOfMeasure={"unit": "kWh"}),
        )  # fmt: skip
        await station.event(
            "Ended", "T-1", 1, iso(0), info={},
            meter_value=reading(0, 175, "Transaction.End", unitOfMeasure=tens),
        )  # fmt: skip

    assert [cdr["total_energy"] for cdr in await csms.cdrs()] == [0.75]


async def test_the_same_sequence_number_for_every_event_loses_none(csms, version):
    """Seen in the field: seqNo 0 for Started, Updated and Ended."""
    made = await csms.add_station(VERSIONS[version])
    await csms.add_token("TAG1")
    async with csms.connect(made, version) as station:
        for kind, minutes, wh in (("Started", -9, 0), ("Updated", -5, 400), ("Ended", 0, 900)):
            more = {"id_token": TOKEN, "evse": EVSE} if kind == "Started" else {}
            await station.event(
                kind, "T-1", 0, iso(minutes), info=charging(),
                meter_value=reading(minutes, wh), **more,
            )  # fmt: skip

    assert [cdr["total_energy"] for cdr in await csms.cdrs()] == [0.9]


async def test_events_that_come_twice_count_once(csms, version):
    made = await csms.add_station(VERSIONS[version])
    await csms.add_token("TAG1")
    async with csms.connect(made, version) as station:
        at = iso(-5), iso(0)
        begin, end = reading(-5, 1000), reading(0, 1600)
        for _ in range(2):
            await station.event(
                "Started", "T-1", 0, at[0], id_token=TOKEN, evse=EVSE, meter_value=begin
            )
        for _ in range(2):
            await station.event("Ended", "T-1", 1, at[1], meter_value=end)

    assert len(await csms.transactions(made)) == 1
    assert [cdr["total_energy"] for cdr in await csms.cdrs()] == [0.6]


@pytest.mark.parametrize("order", ["USE", "UES", "ESU", "EUS", "SEU"])
async def test_events_in_any_order_come_to_the_same(csms, version, order):
    """A stub is made of the first event seen, and completed later; nothing waits in memory."""
    made = await csms.add_station(VERSIONS[version])
    await csms.add_token("TAG1")
    events = {
        "S": ("Started", 0, -10, 1000, {"id_token": TOKEN, "evse": EVSE, "info": charging()}),
        "U": ("Updated", 1, -6, 2000, {"info": charging()}),
        "E": ("Ended", 2, -1, 2500, {"info": charging("Idle")}),
    }
    async with csms.connect(made, version) as station:
        for letter in order:
            kind, sequence, minutes, wh, more = events[letter]
            context = {"S": "Transaction.Begin", "E": "Transaction.End"}.get(
                letter, "Sample.Periodic"
            )
            await station.event(
                kind, "T-1", sequence, iso(minutes), meter_value=reading(minutes, wh, context),
                **more,
            )  # fmt: skip

    [transaction] = await csms.transactions(made)
    assert (transaction.state, transaction.stub) == ("ENDED", False)
    assert [cdr["total_energy"] for cdr in await csms.cdrs()] == [1.5]
    [session] = await csms.sessions()
    assert session["status"] == "COMPLETED"


async def test_a_missing_connector_number_is_not_guessed(csms, version):
    made = await csms.add_station(VERSIONS[version])
    await csms.add_token("TAG1")
    async with csms.connect(made, version) as station:
        await station.event("Started", "T-1", 0, iso(-5), id_token=TOKEN, info=charging())
        assert await csms.sessions() == []
        await station.event("Updated", "T-1", 1, iso(-4), evse={"id": 1}, info=charging())
        [session] = await csms.sessions()

    assert session["connector_id"] == "1"  # the EVSE has only one


async def test_a_token_may_come_under_another_type(csms, version):
    made = await csms.add_station(VERSIONS[version])
    await csms.add_token("TAG1")
    async with csms.connect(made, version) as station:
        answer = await station.ask(
            station.messages.Authorize(id_token={"idToken": "tag1", "type": "Local"})
        )

    assert answer.id_token_info["status"] == "Accepted"


async def test_a_kind_of_token_that_ocpi_has_no_word_for_is_no_error(csms, version):
    """2.1 makes the type a free text: a vehicle's own number, a payment card."""
    kinds = ["eMAID", "MacAddress", "KeyCode"]
    kinds += ["DirectPayment", "VIN", "EVCCID", "SomethingNew"] if version == "2.1" else []
    made = await csms.add_station(VERSIONS[version])
    await csms.add_token("TAG1", kind="OTHER")
    async with csms.connect(made, version) as station:
        for kind in kinds:
            answer = await station.ask(
                station.messages.Authorize(id_token={"idToken": "TAG1", "type": kind})
            )
            assert answer.id_token_info["status"] == "Accepted"
        await station.event(
            "Started", "T-1", 0, iso(-4), evse={"id": 1, "connectorId": 1},
            id_token={"idToken": "TAG1", "type": kinds[-1]},
        )  # fmt: skip
    [session] = await csms.sessions()
    assert session["cdr_token"]["type"] == "OTHER"


async def test_an_unknown_token_is_unknown(csms, version):
    made = await csms.add_station(VERSIONS[version])
    async with csms.connect(made, version) as station:
        answer = await station.ask(
            station.messages.Authorize(id_token={"idToken": "X", "type": "ISO14443"})
        )

    assert answer.id_token_info["status"] == "Unknown"


async def test_both_forms_of_status_reach_ocpi(csms, version):
    made = await csms.add_station(VERSIONS[version])
    async with csms.connect(made, version) as station:
        await station.status(1, "Occupied", iso(-2))
        await csms.shown(made, 1, "CHARGING")
        event = {
            "eventId": 1,
            "timestamp": iso(-1),
            "trigger": "Delta",
            "actualValue": "Available",
            "eventNotificationType": "HardWiredNotification",
            "component": {"name": "Connector", "evse": EVSE},
            "variable": {"name": "AvailabilityState"},
        }
        await station.ask(
            station.messages.NotifyEvent(generated_at=iso(-1), seq_no=0, event_data=[event])
        )
        await csms.shown(made, 1, "AVAILABLE")
        await station.status(1, "Faulted", iso(-3))
        await csms.shown(made, 1, "AVAILABLE")  # older than what is known


async def test_signed_readings_are_carried_along(csms, version):
    made = await csms.add_station(VERSIONS[version])
    await csms.add_token("TAG1")
    signed = {
        "signedMeterValue": {
            "signedMeterData": "T0NNRnx7fXx7fQ==",
            "encodingMethod": "OCMF",
            "publicKey": "AAAA",
            "signingMethod": "",
        }
    }
    async with csms.connect(made, version) as station:
        await station.event(
            "Started", "T-1", 0, iso(-5), id_token=TOKEN, evse=EVSE,
            meter_value=reading(-5, 0, "Transaction.Begin", **signed),
        )  # fmt: skip
        await station.event(
            "Ended", "T-1", 1, iso(0), meter_value=reading(0, 500, "Transaction.End", **signed)
        )

    [cdr] = await csms.cdrs()
    values = cdr["signed_data"]["signed_values"]
    assert [value["nature"] for value in values] == ["Start", "End"]
    assert {value["signed_data"] for value in values} == {"T0NNRnx7fXx7fQ=="}
    assert {value["plain_data"] for value in values} == {"OCMF|{}|{}"}


async def test_what_is_not_offered_is_said_in_words(csms, version):
    made = await csms.add_station(VERSIONS[version])
    async with csms.connect(made, version) as station:
        answer = await station.ask(station.messages.DataTransfer("com.example"))
        assert answer.status == "UnknownVendorId"
        answer = await station.ask(
            station.messages.GetCertificateStatus(
                ocsp_request_data={
                    "hashAlgorithm": "SHA256",
                    "issuerNameHash": "00",
                    "issuerKeyHash": "00",
                    "serialNumber": "1",
                    "responderURL": "http://ocsp.example",
                }
            )
        )
        assert answer.status == "Failed"
