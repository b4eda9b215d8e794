"""Valid objects of OCPI 2.1.1, as the builders in ``documents`` make those of newer versions."""

from typing import Any

from tests.helpers import documents
from tests.helpers.documents import MOMENT, Document, changed


def own_document(version: str, kind: str) -> Document:
    """One of ours in any version, by the name of its class."""
    builder = kind.lower()
    if version == "2.1.1":
        document: Document = globals()[builder]()
    else:
        document = getattr(documents, builder)(version=version)
    return document


def connector(**fields: Any) -> Document:
    document: Document = {
        "id": "1",
        "standard": "IEC_62196_T2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        "voltage": 230,
        "amperage": 32,
        "tariff_id": "T1",
        "last_updated": MOMENT,
    }
    return changed(document, fields)


def evse(**fields: Any) -> Document:
    document: Document = {
        "uid": "E1",
        "evse_id": "NL*ONE*E1",
        "status": "AVAILABLE",
        "capabilities": ["RFID_READER"],
        "connectors": [connector()],
        "floor_level": "-1",
        "physical_reference": "A",
        "parking_restrictions": ["EV_ONLY"],
        "last_updated": MOMENT,
    }
    return changed(document, fields)


def location(**fields: Any) -> Document:
    document: Document = {
        "id": "L1",
        "type": "ON_STREET",
        "name": "Market square",
        "address": "Market square 1",
        "city": "Utrecht",
        "postal_code": "3511 AB",
        "country": "NLD",
        "coordinates": {"latitude": "52.090700", "longitude": "5.121400"},
        "evses": [evse(), evse(uid="E2", evse_id="NL*ONE*E2", physical_reference="B")],
        "operator": {"name": "One Charging"},
        "facilities": ["CAFE"],
        "time_zone": "Europe/Amsterdam",
        "opening_times": {"twentyfourseven": True},
        "energy_mix": {
            "is_green_energy": True,
            "environ_impact": [{"source": "CARBON_DIOXIDE", "amount": 0.5}],
        },
        "last_updated": MOMENT,
    }
    return changed(document, fields)


def tariff(**fields: Any) -> Document:
    document: Document = {
        "id": "T1",
        "currency": "EUR",
        "tariff_alt_text": [{"language": "en", "text": "Cheaper at night"}],
        "elements": [
            {
                "price_components": [{"type": "ENERGY", "price": 0.3, "step_size": 1}],
                "restrictions": {"start_time": "22:00", "end_time": "06:00"},
            },
            {"price_components": [{"type": "ENERGY", "price": 0.45, "step_size": 1}]},
        ],
        "last_updated": MOMENT,
    }
    return changed(document, fields)


def token(**fields: Any) -> Document:
    document: Document = {
        "uid": "04AB12CD34EF80",
        "type": "RFID",
        "auth_id": "DE-TWO-C00000001-X",
        "visual_number": "DF000-2001-8999-1",
        "issuer": "Two Mobility",
        "valid": True,
        "whitelist": "ALLOWED",
        "language": "de",
        "last_updated": MOMENT,
    }
    return changed(document, fields)


def charging_period(**fields: Any) -> Document:
    document: Document = {
        "start_date_time": MOMENT,
        "dimensions": [{"type": "ENERGY", "volume": 7.5}, {"type": "TIME", "volume": 1.25}],
    }
    return changed(document, fields)


def used_location() -> Document:
    """The location of a session: only the EVSE and the connector that are used."""
    return location(evses=[evse()])


def session(**fields: Any) -> Document:
    document: Document = {
        "id": "S1",
        "start_datetime": MOMENT,
        "kwh": 7.5,
        "auth_id": "DE-TWO-C00000001-X",
        "auth_method": "WHITELIST",
        "location": used_location(),
        "currency": "EUR",
        "charging_periods": [charging_period()],
        "total_cost": 3.625,
        "status": "ACTIVE",
        "last_updated": "2025-06-01T09:15:00Z",
    }
    return changed(document, fields)


def cdr(**fields: Any) -> Document:
    document: Document = {
        "id": "C1",
        "start_date_time": MOMENT,
        "stop_date_time": "2025-06-01T09:15:00Z",
        "auth_id": "DE-TWO-C00000001-X",
        "auth_method": "WHITELIST",
        "location": used_location(),
        "currency": "EUR",
        "tariffs": [tariff()],
        "charging_periods": [charging_period()],
        "total_cost": 3.625,
        "total_energy": 7.5,
        "total_time": 1.25,
        "last_updated": "2025-06-01T09:16:00Z",
    }
    return changed(document, fields)


def credentials(**fields: Any) -> Document:
    document: Document = {
        "token": "b" * 43,
        "url": "https://one.example/ocpi/versions",
        "business_details": {"name": "One Charging"},
        "country_code": "NL",
        "party_id": "ONE",
    }
    return changed(document, fields)
