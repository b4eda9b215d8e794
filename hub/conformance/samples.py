"""What is pushed to a platform under test: one small object of each kind, of a party of ours.

Written in 2.3.0 and translated down, as the hub does it. Ids begin with CONFORMANCE, so that
whoever finds them afterwards knows where they came from.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from hub.conformance.subject import KNOWN
from hub.models.values import Party, Role
from hub.ocpi.versions.base import Document, Known

PREFIX = "CONFORMANCE"


def moment(seconds: float = 0) -> str:
    """Now, or so many seconds from now."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def owner(party: Party) -> Document:
    return {"country_code": party.country_code, "party_id": party.party_id}


def location(party: Party, name: str) -> Document:
    return owner(party) | {
        "id": name,
        "publish": True,
        "name": "Conformance test",
        "address": "Teststraat 1",
        "city": "Utrecht",
        "postal_code": "3511 AB",
        "country": "NLD",
        "coordinates": {"latitude": "52.090700", "longitude": "5.121400"},
        "time_zone": "Europe/Amsterdam",
        "evses": [evse("CONFORMANCE-E1")],
        "last_updated": moment(-3600),
    }


def evse(uid: str, **members: Any) -> Document:
    return {
        "uid": uid,
        "status": "PLANNED",
        "connectors": [
            {
                "id": "1",
                "standard": "IEC_62196_T2",
                "format": "SOCKET",
                "power_type": "AC_3_PHASE",
                "max_voltage": 230,
                "max_amperage": 16,
                "last_updated": moment(-3600),
            }
        ],
        "last_updated": moment(-3600),
    } | members


def tariff(party: Party, name: str) -> Document:
    free = {"type": "FLAT", "price": 0, "step_size": 1}
    return owner(party) | {
        "id": name,
        "currency": "EUR",
        "tariff_alt_text": [{"language": "en", "text": "Conformance test"}],
        "elements": [{"price_components": [free]}],
        "tax_included": "NO",
        "last_updated": moment(-3600),
    }


def token(party: Party, name: str) -> Document:
    return owner(party) | {
        "uid": name,
        "type": "RFID",
        "contract_id": f"{party.country_code}-{party.party_id}-CCONFORM-1",
        "visual_number": "CONFORMANCE-1",
        "issuer": "Conformance test",
        "valid": False,
        "whitelist": "NEVER",
        "last_updated": moment(-3600),
    }


def cdr_token(token: Document) -> Document:
    names = ("country_code", "party_id", "uid", "type", "contract_id")
    return {name: token[name] for name in names}


def period(minutes: float) -> Document:
    """A period that began so many minutes ago."""
    return {
        "start_date_time": moment(-60 * minutes),
        "dimensions": [{"type": "TIME", "volume": 0}],
    }


def session(party: Party, name: str, charged: Document) -> Document:
    return owner(party) | {
        "id": name,
        "start_date_time": moment(-3600),
        "kwh": 0,
        "cdr_token": cdr_token(charged),
        "auth_method": "WHITELIST",
        "location_id": f"{PREFIX}-L1",
        "evse_uid": "CONFORMANCE-E1",
        "connector_id": "1",
        "meter_id": "CONFORMANCE-M1",
        "currency": "EUR",
        "charging_periods": [period(60)],
        "status": "INVALID",
        "last_updated": moment(-3600),
    }


def cdr(party: Party, name: str, charged: Document) -> Document:
    return owner(party) | {
        "id": name,
        "start_date_time": moment(-7200),
        "end_date_time": moment(-3600),
        "session_id": f"{PREFIX}-S1",
        "cdr_token": cdr_token(charged),
        "auth_method": "WHITELIST",
        "cdr_location": {
            "id": f"{PREFIX}-L1",
            "address": "Teststraat 1",
            "city": "Utrecht",
            "country": "NLD",
            "coordinates": {"latitude": "52.090700", "longitude": "5.121400"},
            "evse_uid": "CONFORMANCE-E1",
            "evse_id": "#NA",
            "connector_id": "1",
            "connector_standard": "IEC_62196_T2",
            "connector_format": "SOCKET",
            "connector_power_type": "AC_3_PHASE",
        },
        "currency": "EUR",
        "charging_periods": [period(120)],
        "total_cost": {"before_taxes": 0},
        "total_energy": 0,
        "total_time": 1,
        "last_updated": moment(-3600),
    }


def credentials(party: Party, roles: tuple[Role, ...], token: str, url: str) -> Document:
    details = {"name": "OCPI conformance test", "website": "https://conformance.example"}
    return {
        "token": token,
        "url": url,
        "roles": [
            owner(party) | {"role": str(role), "business_details": details} for role in roles
        ],
    }


def written(
    version: str, kind: str, document: Document, charged: Document | None = None
) -> Document:
    """The document as the version has it; in 2.1.1 sessions and CDRs hold their location."""
    place = location(Party("NL", "TST"), f"{PREFIX}-L1")
    known = Known(
        owner=Party.of(document["country_code"], document["party_id"])
        if "country_code" in document
        else None,
        token=charged,
        location=place,
        role=Role.CPO,
    )
    return KNOWN[version].downgrade(kind, document, known=known)
