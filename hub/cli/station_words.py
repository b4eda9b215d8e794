"""What operators want of a station, in the words of the version it speaks.

Each function returns an action and its payload. 1.6 knows connectors only: EVSE n is connector n.
"""

from typing import Any

from hub.cli.failures import Usage

Message = tuple[str, dict[str, Any]]

# Answers that mean that the station does as it is told, or will.
TAKEN = {"Accepted", "Scheduled", "RebootRequired", "Unlocked"}


def is_16(version: str | None) -> bool:
    return version == "1.6"


def reset(version: str, *, hard: bool, evse: int | None) -> Message:
    if is_16(version):
        if evse is not None:
            raise Usage("--evse: OCPP 1.6 resets a station as a whole.", field="--evse")
        return "Reset", {"type": "Hard" if hard else "Soft"}
    where = {} if evse is None else {"evseId": evse}
    return "Reset", {"type": "Immediate" if hard else "OnIdle", **where}


def unlock(version: str, *, evse: int, connector: int) -> Message:
    if is_16(version):
        return "UnlockConnector", {"connectorId": evse}
    return "UnlockConnector", {"evseId": evse, "connectorId": connector}


def trigger(version: str, *, message: str, evse: int | None, connector: int) -> Message:
    payload: dict[str, Any] = {"requestedMessage": message}
    if evse is not None and is_16(version):
        payload["connectorId"] = evse
    elif evse is not None:
        # A status is that of a connector, anything else that of an EVSE.
        status = message == "StatusNotification"
        payload["evse"] = {"id": evse} | ({"connectorId": connector} if status else {})
    return "TriggerMessage", payload


def renew_certificate(version: str) -> Message:
    """1.6 has a message of its own for what its security extension brought."""
    if is_16(version):
        return "ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}
    return "TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"}


def availability(version: str, *, operative: bool, evse: int | None) -> Message:
    word = "Operative" if operative else "Inoperative"
    if is_16(version):
        return "ChangeAvailability", {"connectorId": evse or 0, "type": word}
    where = {} if evse is None else {"evse": {"id": evse}}
    return "ChangeAvailability", {"operationalStatus": word, **where}


def clear_cache(version: str) -> Message:
    return "ClearCache", {}


def read_settings(version: str, *, names: list[str]) -> Message:
    if is_16(version):
        return "GetConfiguration", {"key": names} if names else {}
    return "GetVariables", {"getVariableData": [variable(name) for name in names]}


def write_setting(version: str, *, name: str, value: str) -> Message:
    if is_16(version):
        return "ChangeConfiguration", {"key": name, "value": value}
    return "SetVariables", {"setVariableData": [variable(name) | {"attributeValue": value}]}


def variable(name: str) -> dict[str, Any]:
    """``Component.Variable``, either with an instance behind a slash."""
    component, dot, variable_name = name.partition(".")
    if not dot or not component or not variable_name:
        raise Usage(
            f"setting: {name!r} is not a variable of OCPP 2.",
            field="setting",
            allowed="Component.Variable, such as SampledDataCtrlr.TxUpdatedInterval",
        )
    return {"component": instance(component), "variable": instance(variable_name)}


def instance(text: str) -> dict[str, str]:
    name, slash, which = text.partition("/")
    return {"name": name, "instance": which} if slash else {"name": name}


def settings_in(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Name, value and what was said about it, from the answer of either version."""
    if "getVariableResult" in result:
        return [
            {
                "name": f"{one['component']['name']}.{one['variable']['name']}",
                "value": one.get("attributeValue"),
                "status": one["attributeStatus"],
            }
            for one in result["getVariableResult"]
        ]
    known = [
        {
            "name": one["key"],
            "value": one.get("value"),
            "status": "read-only" if one.get("readonly") else "Accepted",
        }
        for one in result.get("configurationKey") or []
    ]
    return known + [
        {"name": name, "value": None, "status": "unknown"}
        for name in result.get("unknownKey") or []
    ]


def status_of(result: dict[str, Any]) -> str | None:
    """The word in an answer that says whether it was taken; None where there is none."""
    if results := result.get("setVariableResult"):
        return str(results[0]["attributeStatus"])
    status = result.get("status")
    return None if status is None else str(status)
