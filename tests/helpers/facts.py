"""What an object says, whatever the version it says it in: for comparing across versions.

Written from the specification's tables, not with the hub's own translation.
"""

from typing import Any

Facts = dict[str, Any]
OLD = "2.1.1"


def of_location(version: str, body: Facts) -> Facts:
    same = ("id", "name", "address", "city", "postal_code", "country", "coordinates", "time_zone")
    kind = body["type"] if version == OLD else body["parking_type"]
    return {
        **{name: body[name] for name in same},
        "kind": kind,
        "operator": body["operator"]["name"],
        "facilities": body["facilities"],
        "evses": [of_evse(version, evse) for evse in body["evses"]],
    }


def of_evse(version: str, body: Facts) -> Facts:
    same = ("uid", "evse_id", "status", "floor_level", "physical_reference", "parking_restrictions")
    return {
        **{name: body[name] for name in same},
        "reads_cards": "RFID_READER" in body["capabilities"],
        "connectors": [of_connector(version, connector) for connector in body["connectors"]],
    }


def of_connector(version: str, body: Facts) -> Facts:
    old = version == OLD
    return {
        **{name: body[name] for name in ("id", "standard", "format", "power_type")},
        "volts": body["voltage" if old else "max_voltage"],
        "amperes": body["amperage" if old else "max_amperage"],
        "tariffs": [body["tariff_id"]] if old else body["tariff_ids"],
    }


def of_tariff(version: str, body: Facts) -> Facts:
    return {
        "id": body["id"],
        "currency": body["currency"],
        "prices": [
            (component["type"], component["price"], component["step_size"])
            for element in body["elements"]
            for component in element["price_components"]
        ],
        "when": [element.get("restrictions") for element in body["elements"]],
        "text": body["tariff_alt_text"][0],
    }


def of_token(version: str, body: Facts) -> Facts:
    same = ("uid", "type", "issuer", "valid", "whitelist", "visual_number", "language")
    contract = body["auth_id" if version == OLD else "contract_id"]
    return {**{name: body[name] for name in same}, "contract": contract}


def of_session(version: str, body: Facts) -> Facts:
    same = ("id", "kwh", "auth_method", "currency", "status")
    return {**{name: body[name] for name in same}, **of_charging(version, body)}


def of_cdr(version: str, body: Facts) -> Facts:
    same = ("id", "auth_method", "currency", "total_energy", "total_time")
    return {
        **{name: body[name] for name in same},
        **of_charging(version, body),
        "ended": body["stop_date_time" if version == OLD else "end_date_time"],
        "tariffs": [of_tariff(version, tariff)["prices"] for tariff in body["tariffs"]],
    }


def of_charging(version: str, body: Facts) -> Facts:
    """What sessions and CDRs have in common."""
    if version == OLD:
        contract, cost, place = body["auth_id"], body["total_cost"], body["location"]
        [evse] = place["evses"]
        [connector] = evse["connectors"]
        where = (place["id"], evse["uid"], connector["id"])
    else:
        contract = body["cdr_token"]["contract_id"]
        cost = body["total_cost"]["excl_vat" if version == "2.2.1" else "before_taxes"]
        place = body.get("cdr_location", body)
        where = (place.get("id" if place is not body else "location_id"),)
        where += (place["evse_uid"], place["connector_id"])
    started = body["start_datetime" if version == OLD and "status" in body else "start_date_time"]
    return {
        "contract": contract,
        "cost": cost,
        "where": where,
        "started": started,
        "measured": [
            (period["start_date_time"], period["dimensions"]) for period in body["charging_periods"]
        ],
    }


FACTS = {
    "location": of_location,
    "evse": of_evse,
    "connector": of_connector,
    "tariff": of_tariff,
    "token": of_token,
    "session": of_session,
    "cdr": of_cdr,
}


def facts(kind: str, version: str, body: Facts) -> Facts:
    return FACTS[kind.lower()](version, body)
