"""What the messages of each version must look like, from the schemas of the ``ocpp`` package.

jsonschema-rs runs them (the usual library for it costs a hundred times as much), and here a broken
message becomes either a mended one or the error code that its version has for the fault.

Real stations break the schemas in a few harmless ways: a vendor name too long by a letter, ``null``
for "nothing to say", a measurand of their own invention. ``repaired`` mends those and says what it
did, because a meter value that is refused is a meter value that is lost (mobilityhouse/ocpp 54).
What bears meaning (ids, tokens, amounts, instants) is never changed, and a station whose record
says ``strict`` gets no repairs at all.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs

from hub import codec
from hub.ocpp import timestamps
from hub.ocpp.conversation.frames import CallRefused, ErrorCode, OCPPVersion, Payload

# Not to be imported: only the schemas are wanted, and all else would stop everybody for 0.15 s.
PACKAGES = {
    OCPPVersion.V16: "v16",
    OCPPVersion.V201: "v201",
    OCPPVersion.V21: "v21",
}

FAULTS: Mapping[str, ErrorCode] = {
    "required": ErrorCode.PROTOCOL,
    "type": ErrorCode.TYPE,
    "maxLength": ErrorCode.TYPE,
    "minLength": ErrorCode.TYPE,
    "enum": ErrorCode.PROPERTY,
    "const": ErrorCode.PROPERTY,
    "format": ErrorCode.PROPERTY,
    "pattern": ErrorCode.PROPERTY,
    "minimum": ErrorCode.PROPERTY,
    "maximum": ErrorCode.PROPERTY,
    "multipleOf": ErrorCode.PROPERTY,
    "minItems": ErrorCode.OCCURRENCE,
    "maxItems": ErrorCode.OCCURRENCE,
    "additionalProperties": ErrorCode.FORMAT,
}

# Text for people. Cutting it costs nothing; the cut is logged.
DESCRIPTIVE = frozenset(
    {
        "chargePointVendor", "chargePointModel", "vendorName", "model", "firmwareVersion", "iccid",
        "imsi", "meterType", "meterSerialNumber", "chargePointSerialNumber", "serialNumber",
        "chargeBoxSerialNumber", "info", "vendorErrorCode", "vendorId", "techInfo", "techCode",
        "additionalInfo", "statusInfo", "message",
    }
)  # fmt: skip

# What stations say when they mean something else.
MEANT: Mapping[tuple[str, str], str] = {
    ("errorCode", "Error"): "OtherError",
    ("errorCode", "None"): "NoError",
    ("errorCode", ""): "NoError",
    ("unit", "kwh"): "kWh",
    ("unit", "wh"): "Wh",
    ("unit", "%"): "Percent",
    ("unit", "C"): "Celsius",
    ("unit", "Hz"): "Hertz",
}

MAX_REPAIRS = 64

# Least and most. OCPP's integers have 32 bits; where it does no harm, stations may have 64.
ANY_NUMBER = (-(2**63), 2**63 - 1)
NUMBERED: Mapping[str, tuple[int, int]] = {
    "connectorId": (0, 2**31 - 1),
    "evseId": (0, 2**31 - 1),
    "id": (-(2**31), 2**31 - 1),
}


@cache
def actions(version: OCPPVersion) -> frozenset[str]:
    """Every action the version knows, in either direction."""
    names = {
        entry.name.removesuffix(".json").removesuffix("Request")
        for entry in schema_folder(version).iterdir()
        if entry.name.endswith(".json") and not entry.name.endswith("Response.json")
    }
    return frozenset(names)


def schema_folder(version: OCPPVersion) -> Any:
    return files("ocpp") / PACKAGES[version] / "schemas"


@cache
def schema(version: OCPPVersion, action: str, *, answer: bool) -> Mapping[str, Any]:
    """The JSON Schema of a request or an answer. ``action`` must be one of ``actions``."""
    request = "" if not version.is_2x or action == "NotifyPeriodicEventStream" else "Request"
    name = f"{action}{'Response' if answer else request}.json"
    text = (schema_folder(version) / name).read_text(encoding="utf-8-sig")
    loaded: dict[str, Any] = json.loads(text, object_hook=bounded)
    return loaded


def bounded(rules: dict[str, Any]) -> dict[str, Any]:
    """Whole numbers that no column holds are refused; the schemas have no limits of their own."""
    for name, rule in rules.items():
        if isinstance(rule, dict) and rule.get("type") == "integer":
            least, most = NUMBERED.get(name, ANY_NUMBER)
            rule.setdefault("minimum", least)
            rule.setdefault("maximum", most)
    return rules


@cache
def validator(version: OCPPVersion, action: str, *, answer: bool) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(
        dict(schema(version, action, answer=answer)),
        validate_formats=True,
        formats={"date-time": timestamps.readable},
    )


def check(
    version: OCPPVersion,
    action: str,
    payload: Payload,
    *,
    answer: bool = False,
    strict: bool = True,
) -> list[str]:
    """Check a message, mending it in place unless ``strict``; returns what was mended.

    Raises ``CallRefused`` with the code of the first fault that cannot be mended.
    """
    rules = validator(version, action, answer=answer)
    if rules.is_valid(payload):
        return []
    if strict:
        refuse(rules, payload)
    return repaired(rules, payload)


def refuse(rules: jsonschema_rs.Validator, payload: Payload) -> None:
    for error in rules.iter_errors(payload):
        raise CallRefused(FAULTS.get(error.kind.name, ErrorCode.FORMAT), where(error))


def where(error: jsonschema_rs.ValidationError) -> str:
    """Which field broke which rule; never the value, which may be a token."""
    path = "/".join(str(step) for step in error.instance_path)
    if error.kind.name == "required":
        path = f"{path}/{error.kind.as_dict()['property']}".lstrip("/")
    if error.kind.name == "additionalProperties":
        path = f"{path}/{error.kind.as_dict()['unexpected'][0][:40]}".lstrip("/")
    return f"{path or 'payload'}: {error.kind.name}"


def repaired(rules: jsonschema_rs.Validator, payload: Payload) -> list[str]:
    """Mend what can be mended. Each round mends every fault once; mending may uncover others."""
    done: list[str] = []
    for _ in range(4):
        errors = [error for error in rules.iter_errors(payload) if not emptied(error)]
        if not errors:
            return done
        # From the back, so that removing a list's item does not move those still to be looked at.
        for error in sorted(errors, key=lambda error: sortable(error.instance_path), reverse=True):
            if len(done) >= MAX_REPAIRS or not mend(payload, error):
                raise CallRefused(FAULTS.get(error.kind.name, ErrorCode.FORMAT), where(error))
            done.append(where(error))
    refuse(rules, payload)
    return done


def sortable(path: list[str | int]) -> list[tuple[int, str]]:
    return [(step, "") if isinstance(step, int) else (0, step) for step in path]


def mend(payload: Payload, error: jsonschema_rs.ValidationError) -> bool:
    """Whether the fault was mended, or is gone together with a part that was dropped before."""
    path = list(error.instance_path)
    try:
        parent = reach(payload, path[:-1])
        value = parent[path[-1]] if path else payload
    except (KeyError, IndexError, TypeError):
        return True
    if error.kind.name == "additionalProperties":
        for name in error.kind.as_dict()["unexpected"]:
            value.pop(name, None)
        return True
    if not path or not isinstance(path[-1], str):
        return False
    name = path[-1]
    mended = MENDERS.get(error.kind.name, unmendable)(name, value, error)
    if mended is not None:
        parent[name] = mended
        return True
    return drop(payload, path, error)


def reach(payload: Any, path: list[str | int]) -> Any:
    for step in path:
        payload = payload[step]
    return payload


def mend_type(name: str, value: Any, error: jsonschema_rs.ValidationError) -> Any:
    wanted = error.kind.as_dict()["types"]
    if "integer" in wanted and isinstance(value, str) and re.fullmatch(r"-?\d{1,15}", value):
        return int(value)
    if "integer" in wanted and isinstance(value, float) and value.is_integer():
        return int(value)
    if "number" in wanted and isinstance(value, str) and re.fullmatch(r"-?\d{1,15}(\.\d+)?", value):
        return float(value)
    if "string" in wanted and isinstance(value, int | float) and not isinstance(value, bool):
        return codec.write_text(value)
    return None


def mend_length(name: str, value: Any, error: jsonschema_rs.ValidationError) -> Any:
    return value[: error.kind.as_dict()["limit"]] if name in DESCRIPTIVE else None


def mend_choice(name: str, value: Any, error: jsonschema_rs.ValidationError) -> Any:
    meant = MEANT.get((name, value)) if isinstance(value, str) else None
    if meant is not None:
        return meant
    if isinstance(value, str):
        for option in error.kind.as_dict()["options"]:
            if isinstance(option, str) and option.lower() == value.lower():
                return option
    return None


def unmendable(name: str, value: Any, error: jsonschema_rs.ValidationError) -> Any:
    return None


MENDERS: Mapping[str, Callable[[str, Any, jsonschema_rs.ValidationError], Any]] = {
    "type": mend_type,
    "maxLength": mend_length,
    "enum": mend_choice,
}

# Members of a sample that say what it measures: without them the sample means something else.
MEASURED = frozenset({"measurand", "unit", "phase", "location", "context", "format", "value"})


def drop(payload: Payload, path: list[str | int], error: jsonschema_rs.ValidationError) -> bool:
    """Drop a sample nobody can read, or an empty or merely descriptive member."""
    name = path[-1]
    if name in MEASURED and "sampledValue" in path:
        samples = path.index("sampledValue")
        del reach(payload, path[: samples + 1])[path[samples + 1]]
        return True
    parent = reach(payload, path[:-1])
    empty = parent[name] is None or error.kind.name == "minItems"
    if empty or name in DESCRIPTIVE:
        del parent[name]
        return True
    return False


def emptied(error: jsonschema_rs.ValidationError) -> bool:
    """A list of readings may be empty: nothing readable came, which no repetition will mend."""
    name = error.instance_path[-1] if error.instance_path else None
    return error.kind.name == "minItems" and name in {
        "sampledValue",
        "meterValue",
        "transactionData",
    }
