"""What the simulated platforms tell each other: made up, complete enough to be worth sending."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hub.cli.failures import Usage

JSON = dict[str, Any]

CPO = {"country_code": "NL", "party_id": "DCP"}
# The party of the hub's own charging stations.
OWN = {"country_code": "NL", "party_id": "DOS"}
OWN_LOCATION, OWN_TARIFF = "DEPOT", "OWN"
EMSP = {"country_code": "DE", "party_id": "DEM"}

PLACES = (
    ("Market square", "Markt 1", "Delft", "2611 GP", "52.011600", "4.359300"),
    ("Harbour", "Havenkade 12", "Rotterdam", "3011 AA", "51.917400", "4.481500"),
    ("Station north", "Stationsplein 3", "Utrecht", "3511 CE", "52.090100", "5.110200"),
    ("Swimming pool", "Zwembadweg 7", "Zwolle", "8011 XA", "52.512600", "6.093600"),
    ("Library", "Boekenlaan 20", "Tilburg", "5038 BM", "51.560700", "5.091900"),
)


def moment(minutes: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def locations() -> list[JSON]:
    return [location(number) for number in range(1, len(PLACES) + 1)]


def location(number: int) -> JSON:
    name, address, city, postal_code, latitude, longitude = PLACES[number - 1]
    return {
        **CPO,
        "id": f"LOC{number}",
        "publish": True,
        "name": name,
        "address": address,
        "city": city,
        "postal_code": postal_code,
        "country": "NLD",
        "coordinates": {"latitude": latitude, "longitude": longitude},
        "time_zone": "Europe/Amsterdam",
        "operator": {"name": "Demo Charging"},
        "evses": [evse(number, position) for position in (1, 2)],
        "last_updated": moment(-60),
    }


def evse(number: int, position: int) -> JSON:
    return {
        "uid": f"LOC{number}-{position}",
        "evse_id": f"NL*DCP*E{number}*{position}",
        "status": "AVAILABLE",
        "capabilities": ["RFID_READER", "REMOTE_START_STOP_CAPABLE"],
        "connectors": [
            {
                "id": "1",
                "standard": "IEC_62196_T2",
                "format": "SOCKET",
                "power_type": "AC_3_PHASE",
                "max_voltage": 230,
                "max_amperage": 16,
                "tariff_ids": ["DAY"],
                "last_updated": moment(-60),
            }
        ],
        "last_updated": moment(-60),
    }


def own_location() -> JSON:
    """Without EVSEs: those are what stations report, and operators place."""
    bare = location(1) | {**OWN, "id": OWN_LOCATION, "name": "Depot", "address": "Loodsweg 2"}
    return {name: value for name, value in bare.items() if name != "evses"}


def own_tariff(price: Decimal, vat: Decimal) -> JSON:
    component = {"type": "ENERGY", "price": float(price), "vat": float(vat), "step_size": 1}
    return {
        **OWN,
        "id": OWN_TARIFF,
        "currency": "EUR",
        "tax_included": "NO",
        "elements": [{"price_components": [component]}],
        "last_updated": moment(-60),
    }


def own_evse_id(number: int) -> str:
    return f"NL*DOS*E{number + 1:04}"


def own_evse(number: int) -> JSON:
    """Where an operator places the EVSE of a station, and what plug it has."""
    plug = {
        "id": 1,
        "standard": "IEC_62196_T2_COMBO" if number % 2 else "IEC_62196_T2",
        "max_voltage": 500 if number % 2 else 230,
        "max_amperage": 300 if number % 2 else 32,
        "phases": 3,
        "tariff_id": OWN_TARIFF,
    }
    return {
        "location_id": OWN_LOCATION,
        "evse_id": own_evse_id(number),
        "published": True,
        "connectors": [plug],
    }


def tariffs() -> list[JSON]:
    night = {
        "price_components": [{"type": "ENERGY", "price": 0.29, "vat": 21, "step_size": 1}],
        "restrictions": {"start_time": "22:00", "end_time": "06:00"},
    }
    day = {"price_components": [{"type": "ENERGY", "price": 0.39, "vat": 21, "step_size": 1}]}
    parking = {"price_components": [{"type": "PARKING_TIME", "price": 2, "step_size": 60}]}
    return [
        tariff("DAY", [night, day], min_price={"excl_vat": 0.5, "incl_vat": 0.605}),
        tariff("PARK", [parking]),
    ]


def tariff(tariff_id: str, elements: list[JSON], **more: Any) -> JSON:
    return {
        **CPO,
        "id": tariff_id,
        "currency": "EUR",
        "elements": elements,
        **more,
        "last_updated": moment(-60),
    }


def token() -> JSON:
    return {
        **EMSP,
        "uid": "04A2B3C4D5E680",
        "type": "RFID",
        "contract_id": "DE-DEM-C12345678-X",
        "visual_number": "DEM-0001",
        "issuer": "Demo Mobility",
        "valid": True,
        "whitelist": "ALLOWED",
        "last_updated": moment(-30),
    }


def cdr_token() -> JSON:
    return {
        **EMSP,
        "uid": "04A2B3C4D5E680",
        "type": "RFID",
        "contract_id": "DE-DEM-C12345678-X",
    }


def plugged(place: JSON) -> JSON:
    """Where somebody charges: the first connector of a location."""
    evse = place["evses"][0]
    return {
        "location_id": place["id"],
        "evse_uid": evse["uid"],
        "connector_id": evse["connectors"][0]["id"],
    }


def owner(place: JSON) -> JSON:
    return {"country_code": place["country_code"], "party_id": place["party_id"]}


def session(place: JSON, status: str, kwh: float, *, minutes: float) -> JSON:
    """As it is so many minutes after it started, half an hour ago."""
    ended = {"end_date_time": moment(minutes - 30)} if status == "COMPLETED" else {}
    return {
        **owner(place),
        "id": "SESSION1",
        "start_date_time": moment(-30),
        **ended,
        "kwh": kwh,
        "cdr_token": cdr_token(),
        "auth_method": "WHITELIST",
        **plugged(place),
        "currency": "EUR",
        "status": status,
        "last_updated": moment(minutes - 30),
    }


def cdr(place: JSON) -> JSON:
    evse = place["evses"][0]
    connector = evse["connectors"][0]
    shown = ("id", "name", "address", "city", "postal_code", "country", "coordinates")
    return {
        **owner(place),
        "id": "CDR1",
        "start_date_time": moment(-30),
        "end_date_time": moment(-5),
        "session_id": "SESSION1",
        "cdr_token": cdr_token(),
        "auth_method": "WHITELIST",
        "cdr_location": {
            **{member: place[member] for member in shown if place.get(member) is not None},
            "evse_uid": evse["uid"],
            "evse_id": evse.get("evse_id") or "#NA",
            "connector_id": connector["id"],
            "connector_standard": connector["standard"],
            "connector_format": connector["format"],
            "connector_power_type": connector["power_type"],
        },
        "currency": "EUR",
        "charging_periods": [
            {
                "start_date_time": moment(-30),
                "dimensions": [{"type": "ENERGY", "volume": 4.2}],
            }
        ],
        "total_cost": {"excl_vat": 1.64, "incl_vat": 1.98},
        "total_energy": 4.2,
        "total_time": 0.4167,
        "last_updated": moment(-4),
    }


def read(path: Path, option: str) -> list[JSON]:
    """A JSON array of objects from a file, or what ``GET`` of a list answers."""
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise Usage(f"{option}: {path} cannot be read: {error.strerror}.", field=option) from None
    except ValueError as error:
        raise Usage(f"{option}: {path} is not JSON: {error}.", field=option) from None
    if isinstance(content, dict):
        content = content.get("data")
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        raise Usage(f"{option}: {path} must hold a JSON array of objects.", field=option)
    return content


def parties(bodies: list[JSON]) -> list[str]:
    """The parties that own the objects, as ``NL*DCP``."""
    found = {(one.get("country_code"), one.get("party_id")) for one in bodies}
    return sorted(f"{country}*{party}".upper() for country, party in found if country and party)
