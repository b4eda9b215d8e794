"""The device model of OCPP 2: what a station's report says of its settings and connectors. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from hub.roaming.stations.connectors import Discovered

# Connector types of the device model that have another name in OCPI.
CONNECTOR_TYPES = {
    "cCCS1": "IEC_62196_T1_COMBO",
    "cCCS2": "IEC_62196_T2_COMBO",
    "cG105": "CHADEMO",
    "cTesla": "TESLA_S",
    "cType1": "IEC_62196_T1",
    "cType2": "IEC_62196_T2",
    "sType2": "IEC_62196_T2",
    "sType3": "IEC_62196_T3C",
    "s309-1P-16A": "IEC_60309_2_single_16",
    "s309-3P-16A": "IEC_60309_2_three_16",
    "s309-3P-32A": "IEC_60309_2_three_32",
    "sCEE-7-7": "DOMESTIC_F",
    "sBS1361": "DOMESTIC_G",
}


def settings_told(
    reported: Iterable[Mapping[str, Any]],
) -> Iterable[tuple[str, str, str | None, bool]]:
    for item in reported:
        for attribute in item["variableAttribute"]:
            if attribute.get("type", "Actual") != "Actual":
                continue
            secret = attribute.get("mutability") == "WriteOnly"
            yield (
                component_name(item["component"]),
                variable_name(item["variable"]),
                None if secret else attribute.get("value"),
                attribute.get("mutability") == "ReadOnly",
            )


def component_name(component: Mapping[str, Any]) -> str:
    name: str = component["name"]
    if component.get("instance"):
        name += f"/{component['instance']}"
    if evse := component.get("evse"):
        name += f"@{evse['id']}"
        name += f".{evse['connectorId']}" if "connectorId" in evse else ""
    return name


def variable_name(variable: Mapping[str, Any]) -> str:
    instance = f"/{variable['instance']}" if variable.get("instance") else ""
    return f"{variable['name']}{instance}"


def connectors_told(reported: Iterable[Mapping[str, Any]]) -> list[Discovered]:
    """The device model's Connector components, with what their EVSE says of its power."""
    connectors: dict[tuple[int, int], dict[str, str]] = defaultdict(dict)
    evses: dict[int, dict[str, str]] = defaultdict(dict)
    for item in reported:
        evse = item["component"].get("evse") or {}
        values = [
            attribute["value"]
            for attribute in item["variableAttribute"]
            if attribute.get("type", "Actual") == "Actual" and attribute.get("value")
        ]
        name = item["variable"]["name"]
        if "id" not in evse:
            continue
        if item["component"]["name"] == "Connector" and "connectorId" in evse:
            connectors[evse["id"], evse["connectorId"]][name] = values[0] if values else ""
        elif item["component"]["name"] == "EVSE" and values:
            evses[evse["id"]][name] = values[0]
    return [
        Discovered(
            number,
            connector,
            CONNECTOR_TYPES.get(told.get("ConnectorType", "")),
            whole(evses[number].get("Power") or power_limit(reported, number)),
            whole(told.get("SupplyPhases") or evses[number].get("SupplyPhases")),
        )
        for (number, connector), told in sorted(connectors.items())
    ]


def power_limit(reported: Iterable[Mapping[str, Any]], evse: int) -> str | None:
    """Many stations say only the upper limit of the EVSE's power, not its power now."""
    for item in reported:
        about = item["component"]
        if about["name"] == "EVSE" and (about.get("evse") or {}).get("id") == evse:
            limit = (item.get("variableCharacteristics") or {}).get("maxLimit")
            if item["variable"]["name"] == "Power" and limit:
                return str(limit)
    return None


def whole(text: str | None) -> int | None:
    try:
        value = int(float(text or ""))
    except ValueError:
        return None
    return value if 0 < value < 10_000_000 else None  # noqa: PLR2004


def capabilities_told(reported: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for item in reported:
        name = item["component"]["name"], item["variable"]["name"]
        values = [attribute.get("value") for attribute in item["variableAttribute"]]
        if name == ("ReservationCtrlr", "Available"):
            told["supports_reservation"] = "true" in values
        elif name == ("SmartChargingCtrlr", "Available"):
            told["supports_smart_charging"] = "true" in values
        elif name == ("SmartChargingCtrlr", "SupportedAdditionalPurposes"):
            purposes = (values[0] if values else None) or ""
            told["supported_feature_profiles"] = [one for one in purposes.split(",") if one]
    return told
