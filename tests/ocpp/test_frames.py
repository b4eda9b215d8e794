"""What a frame may be, and which error code each version has for one that is not."""

import json
import random
import subprocess
import sys
import tracemalloc

import pytest

from hub.ocpp import timestamps
from hub.ocpp.conversation import frames, messages
from hub.ocpp.conversation.frames import BadFrame, CallRefused, ErrorCode, OCPPVersion
from tests.helpers.fuzz import mutated

V16, V201, V21 = OCPPVersion
LONG_ID = "x" * 37


def answer_to(text, version):
    with pytest.raises(BadFrame) as caught:
        frames.read(text, version)
    answer = caught.value.answer
    return None if answer is None else json.loads(answer)


def test_a_call_a_result_and_an_error_are_read():
    assert frames.read('[2,"1","Heartbeat",{}]', V16) == frames.Call("1", "Heartbeat", {})
    assert frames.read('[3,"1",{"a":1}]', V201) == frames.Result("1", {"a": 1})
    assert frames.read('[4,"1","GenericError","why",{}]', V21) == frames.Error(
        "1", "GenericError", "why"
    )


def test_a_callerror_with_four_members_is_understood():
    assert frames.read('[4,"1","NotImplemented",""]', V16) == frames.Error("1", "NotImplemented")


def test_types_5_and_6_are_known_in_2_1_only():
    assert frames.read('[6,"1","NotifyPeriodicEventStream",{}]', V21) == frames.Send(
        "1", "NotifyPeriodicEventStream"
    )
    assert frames.read('[5,"1","FormatViolation","",{}]', V21).about_result
    assert frames.read('[6,"1","NotifyPeriodicEventStream",{}]', V16) is None
    assert answer_to('[6,"1","A",{}]', V201) == [4, "1", "MessageTypeNotSupported", "", {}]


def test_an_unknown_type_is_ignored_or_refused_as_the_version_says():
    assert frames.read('[7,"1"]', V16) is None
    assert frames.read('[7,"1"]', V21) is None
    assert answer_to("[7]", V201) == [4, "-1", "MessageTypeNotSupported", "", {}]


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "null", "[]", '"text"', "[NaN]", "[[2]]"),
        *('[true,"1","A",{}]', '[2.0,"1","A",{}]', '[2,"\\u0000"', '[2,"\\ud800","A",{}]'),
        *("[" * 5000 + "]" * 5000, "[" + "9" * 5000 + "]"),
    ],
)
def test_what_has_no_readable_id_is_answered_by_2_x_and_dropped_by_1_6(text):
    assert answer_to(text, V201) == [4, "-1", "RpcFrameworkError", "", {}]
    assert answer_to(text, V16) is None


@pytest.mark.parametrize(
    "text",
    [
        *('[2,"7"]', '[2,"7","A"]', '[2,"7",[],{}]', '[2,"7",{},{}]', '[2,"7","A",{},1]'),
        *(f'[2,"7","{"a" * 65}",{{}}]', '[2,"7","",{}]'),
    ],
)
def test_a_call_of_the_wrong_shape_is_answered_with_its_id(text):
    assert answer_to(text, V201)[:3] == [4, "7", "RpcFrameworkError"]
    assert answer_to(text, V16)[:3] == [4, "7", "FormationViolation"]


@pytest.mark.parametrize("payload", ["[]", "null", "1", '"x"'])
def test_a_payload_that_is_no_object_is_a_format_violation(payload):
    assert answer_to(f'[2,"7","Heartbeat",{payload}]', V21)[2] == "FormatViolation"
    assert answer_to(f'[2,"7","Heartbeat",{payload}]', V16)[2] == "FormationViolation"


@pytest.mark.parametrize("message_id", ["1", "null", "{}", f'"{LONG_ID}"', '""'])
def test_an_id_that_is_no_short_text_is_none(message_id):
    assert answer_to(f'[2,{message_id},"Heartbeat",{{}}]', V201)[1] == "-1"
    assert answer_to(f'[2,{message_id},"Heartbeat",{{}}]', V16) is None


@pytest.mark.parametrize("text", ["[3]", "[3,1,{}]", "[3,null]", "[4]", '[4,5,"x","y",{}]'])
def test_an_answer_is_never_answered(text):
    assert answer_to(text, V201) is None


def test_error_details_never_repeat_what_was_sent():
    written = frames.write_error("1", ErrorCode.TYPE, V16, "idTag: maxLength")
    assert json.loads(written) == [4, "1", "TypeConstraintViolation", "idTag: maxLength", {}]


def test_each_version_has_its_own_names_for_the_codes():
    assert ErrorCode.OCCURRENCE.spelled(V16) == "OccurenceConstraintViolation"
    assert ErrorCode.OCCURRENCE.spelled(V201) == "OccurrenceConstraintViolation"
    assert ErrorCode.FORMAT.spelled(V16) == "FormationViolation"
    assert ErrorCode.FORMAT.spelled(V21) == "FormatViolation"


def test_every_schema_of_the_library_is_usable():
    for version in OCPPVersion:
        for action in messages.actions(version):
            messages.validator(version, action, answer=False)
            if action != "NotifyPeriodicEventStream":  # a SEND: it has no answer
                messages.validator(version, action, answer=True)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"connectorId": 1, "status": "Available"}, ErrorCode.PROTOCOL),
        ({"connectorId": [], "status": "Available", "errorCode": "NoError"}, ErrorCode.TYPE),
        ({"connectorId": 1, "status": "Bored", "errorCode": "NoError"}, ErrorCode.PROPERTY),
        (
            {"connectorId": 1, "status": "Faulted", "errorCode": "NoError", "timestamp": "noon"},
            ErrorCode.PROPERTY,
        ),
    ],
)
def test_a_broken_payload_is_told_by_what_is_wrong_with_it(payload, code):
    for strict in (True, False):
        with pytest.raises(CallRefused) as caught:
            messages.check(V16, "StatusNotification", payload, strict=strict)
        assert caught.value.code is code


def test_a_strict_station_gets_no_repairs():
    payload = {"chargePointVendor": "A vendor with a very long name", "chargePointModel": "M"}
    with pytest.raises(CallRefused) as caught:
        messages.check(V16, "BootNotification", payload, strict=True)
    assert caught.value.code is ErrorCode.TYPE

    assert messages.check(V16, "BootNotification", payload, strict=False)
    assert payload["chargePointVendor"] == "A vendor with a very"


def test_an_unknown_measurand_does_not_lose_the_other_samples():
    reading = {
        "timestamp": "2026-01-01T00:00:00Z",
        "sampledValue": [
            {"value": "1"},
            {"value": "2", "measurand": "Voltage.Average"},
            {"value": 3, "unit": "kwh"},
        ],
    }
    payload = {"connectorId": 1, "meterValue": [reading]}

    messages.check(V16, "MeterValues", payload, strict=False)

    assert reading["sampledValue"] == [{"value": "1"}, {"value": "3", "unit": "kWh"}]


def test_a_message_of_nothing_but_unknown_samples_is_still_answered():
    sample = {"value": "2", "measurand": "Foo"}
    reading = {"timestamp": "2026-01-01T00:00:00Z", "sampledValue": [sample]}
    payload = {"connectorId": 1, "meterValue": [reading], "vendorExtra": None}

    messages.check(V16, "MeterValues", payload, strict=False)

    assert payload == {"connectorId": 1, "meterValue": [reading | {"sampledValue": []}]}


def test_a_token_is_never_cut_to_fit():
    with pytest.raises(CallRefused):
        messages.check(V16, "Authorize", {"idTag": "x" * 21}, strict=False)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000Z"),
        ("2026-03-01T12:00:00", "2026-03-01T12:00:00.000Z"),
        ("2026-03-01T12:00:00.123456789+01:00", "2026-03-01T11:00:00.123Z"),
        ("1970-01-01T00:00:09Z", "1970-01-01T00:00:09.000Z"),
    ],
)
def test_timestamps_are_read_in_every_form_seen(text, instant):
    assert timestamps.write(timestamps.read(text)) == instant


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("version", "action", "more", "field"),
    [
        (V16, "StatusNotification", {"connectorId": 2**31}, "connectorId: maximum"),
        (V16, "StatusNotification", {"connectorId": -1}, "connectorId: minimum"),
        (V201, "StatusNotification", {"evseId": 2**31}, "evseId: maximum"),
        (V21, "TransactionEvent", {"seqNo": 2**63}, "seqNo: maximum"),
        (V201, "TransactionEvent", {"evse": {"id": 2**31}}, "evse/id: maximum"),
    ],
)
def test_numbers_that_no_column_holds_are_refused(version, action, more, field, strict):
    """Else they would take down what other stations say in the same statement."""
    payload = told(version, action)
    messages.check(version, action, payload)
    with pytest.raises(CallRefused) as caught:
        messages.check(version, action, payload | more, strict=strict)
    assert (caught.value.code, caught.value.description) == (ErrorCode.PROPERTY, field)


def told(version, action):
    at = {"timestamp": "2026-01-01T00:00:00Z", "connectorId": 2**31 - 1}
    if version is V16:
        return at | {"errorCode": "NoError", "status": "Available"}
    if action == "StatusNotification":
        return at | {"evseId": 2**31 - 1, "connectorStatus": "Available"}
    return {
        "timestamp": "2026-01-01T00:00:00Z",
        "eventType": "Updated",
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 2**63 - 1,
        "transactionInfo": {"transactionId": "1"},
    }


@pytest.mark.parametrize(
    "text", ["yesterday", "", "2026-03-01", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_timestamp_is_refused(text):
    assert not timestamps.readable(text)


def test_of_timestamps_that_are_long_nothing_is_kept():
    padding = " " * 100_000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(100):
            assert timestamps.readable(f"{padding}2026-01-01T00:00:00.{number:03}Z{padding}")
            assert not timestamps.readable(f"2026-01-01T00:00:00.{number:03}Z{padding}x")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept - before < 1_000_000


def test_no_text_makes_the_reader_fail_in_any_other_way():
    """Ten thousand mutations: read, ignored or refused, and nothing else."""
    dice = random.Random(5)
    seeds = [
        '[2,"1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Faulted"}]',
        '[3,"1",{"status":"Accepted"}]',
        '[4,"1","InternalError","",{}]',
        '[2,"9","MeterValues",{"connectorId":1,"meterValue":[{"sampledValue":[{"value":"1"}]}]}]',
    ]
    for _ in range(10_000):
        text = mutated(dice, dice.choice(seeds))
        version = dice.choice(list(OCPPVersion))
        try:
            frame = frames.read(text, version)
            if isinstance(frame, frames.Call) and frame.action in messages.actions(version):
                messages.check(version, frame.action, frame.payload, strict=False)
        except (BadFrame, CallRefused):
            pass


def test_the_first_message_of_a_version_keeps_nobody_waiting_while_the_library_is_loaded():
    """Its schemas are read as files; to import all its classes stops the process for 0.15 s."""
    program = """
import sys
from hub.ocpp.conversation import messages
from hub.ocpp.conversation.frames import OCPPVersion
for version in OCPPVersion:
    messages.check(version, "Heartbeat", {})
print([name for name in sys.modules if name.startswith(("ocpp.v1", "ocpp.v2"))])
"""
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert found.stdout == "[]\n"
