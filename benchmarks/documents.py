"""What the simulated CPO pushes: a location of about 4 KB (4 EVSEs, 2 connectors each), a change of
one status, a CDR. OCPI 2.2.1, the version most platforms speak. For ``@…@`` see ``load``.
"""

import json
from typing import Any

Document = dict[str, Any]

CPO = {"country_code": "NL", "party_id": "ONE"}
EMSP = {"country_code": "DE", "party_id": "QET"}
EVSES = 4
CONNECTORS = 2
# In what the database is filled with, and for members that do not change.
BEFORE = "2024-01-01T00:00:00Z"


def connector(number: int) -> Document:
    return {
        "id": str(number),
        "standard": "IEC_62196_T2_COMBO" if number > 1 else "IEC_62196_T2",
        "format": "CABLE" if number > 1 else "SOCKET",
        "power_type": "DC" if number > 1 else "AC_3_PHASE",
        "max_voltage": 920 if number > 1 else 230,
        "max_amperage": 500 if number > 1 else 32,
        "max_electric_power": 300000 if number > 1 else 22000,
        "tariff_ids": ["DAY", "NIGHT"],
        "terms_and_conditions": "https://one.example/terms",
        "last_updated": BEFORE,
    }


def evse(uid: str, *, status: str = "AVAILABLE", last_updated: str = BEFORE) -> Document:
    return {
        "uid": uid,
        "evse_id": f"NL*ONE*E{uid}",
        "status": status,
        "capabilities": ["RFID_READER", "REMOTE_START_STOP_CAPABLE"],
        "connectors": [connector(number + 1) for number in range(CONNECTORS)],
        "floor_level": "-1",
        "physical_reference": "B",
        "last_updated": last_updated,
    }


def location(object_id: str, *, last_updated: str, evses: list[Document]) -> Document:
    return {
        **CPO,
        "id": object_id,
        "publish": True,
        "name": "Car park at the market square, seen @n@ times",
        "address": "Market square 1",
        "city": "Utrecht",
        "postal_code": "3511 AB",
        "country": "NLD",
        "coordinates": {"latitude": "52.090700", "longitude": "5.121400"},
        "parking_type": "UNDERGROUND_GARAGE",
        "evses": evses,
        "directions": [
            {"language": "en", "text": "Drive down to the first level and keep to the left"},
            {"language": "nl", "text": "Rijd naar het eerste niveau en houd links aan"},
        ],
        "operator": {"name": "One Charging", "website": "https://one.example"},
        "facilities": ["CAFE", "MALL"],
        "time_zone": "Europe/Amsterdam",
        "opening_times": {
            "twentyfourseven": False,
            "regular_hours": [
                {"weekday": day, "period_begin": "06:00", "period_end": "23:00"}
                for day in range(1, 6)
            ],
        },
        "charging_when_closed": True,
        "last_updated": last_updated,
    }


def changed_location() -> Document:
    """One that the hub knows, with another name and another status of one EVSE."""
    first, *others = [f"L@i@-{number + 1}" for number in range(EVSES)]
    evses = [evse(first, status="@s@", last_updated="@t@"), *map(evse, others)]
    return location("L@i@", last_updated="@t@", evses=evses)


def new_location(prefix: str = "N@n@", last_updated: str = "@t@") -> Document:
    evses = [evse(f"{prefix}-{number + 1}") for number in range(EVSES)]
    return location(prefix, last_updated=last_updated, evses=evses)


def status() -> Document:
    return {"status": "@s@", "last_updated": "@t@"}


def cdr() -> Document:
    place = connector(1)
    return {
        **CPO,
        "id": "C@n@",
        "start_date_time": "2025-01-01T08:00:00Z",
        "end_date_time": "2025-01-01T09:15:00Z",
        "session_id": "S@n@",
        "cdr_token": {
            **EMSP,
            "uid": "04AB12CD34EF80",
            "type": "RFID",
            "contract_id": "DE-QET-C00000001-X",
        },
        "auth_method": "WHITELIST",
        "cdr_location": {
            "id": "L1",
            "name": "Market square",
            "address": "Market square 1",
            "city": "Utrecht",
            "postal_code": "3511 AB",
            "country": "NLD",
            "coordinates": {"latitude": "52.090700", "longitude": "5.121400"},
            "evse_uid": "L1-1",
            "evse_id": "NL*ONE*EL1-1",
            "connector_id": place["id"],
            "connector_standard": place["standard"],
            "connector_format": place["format"],
            "connector_power_type": place["power_type"],
        },
        "currency": "EUR",
        "tariffs": [
            {
                **CPO,
                "id": "DAY",
                "currency": "EUR",
                "elements": [
                    {"price_components": [{"type": "ENERGY", "price": 0.4, "step_size": 1}]}
                ],
                "last_updated": BEFORE,
            }
        ],
        "charging_periods": [
            {
                "start_date_time": f"2025-01-01T08:{minute:02}:00Z",
                "dimensions": [
                    {"type": "ENERGY", "volume": 2.5},
                    {"type": "TIME", "volume": 0.25},
                ],
                "tariff_id": "DAY",
            }
            for minute in (0, 15, 30, 45)
        ],
        "total_cost": {"excl_vat": 4.0, "incl_vat": 4.84},
        "total_energy": 10,
        "total_time": 1.25,
        "last_updated": "@t@",
    }


def text(document: Document) -> str:
    return json.dumps(document, separators=(",", ":"))
