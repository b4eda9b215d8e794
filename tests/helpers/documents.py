"""Valid OCPI objects of our own, complete enough to be worth sending.

Every builder takes ``version`` ("2.3.0" or "2.2.1") and, as keywords, the fields that should
differ; a field given as ``ABSENT`` is left out. The CPO is NL*ONE and the eMSP DE*TWO unless told
otherwise.

    location(version="2.2.1", evses=[evse(status="CHARGING", version="2.2.1")])
    tariff(id="T9", max_price=ABSENT)
"""

from typing import Any

Document = dict[str, Any]

ABSENT: Any = object()
CPO = {"country_code": "NL", "party_id": "ONE"}
EMSP = {"country_code": "DE", "party_id": "TWO"}
MOMENT = "2025-06-01T08:00:00Z"


def connector(*, version: str = "2.3.0", **fields: Any) -> Document:
    document: Document = {
        "id": "1",
        "standard": "IEC_62196_T2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        "max_voltage": 230,
        "max_amperage": 32,
        "max_electric_power": 22000,
        "tariff_ids": ["T1"],
        "last_updated": MOMENT,
    }
    if version == "2.3.0":
        document["capabilities"] = ["ISO_15118_2_PLUG_AND_CHARGE"]
    return changed(document, fields)


def evse(*, version: str = "2.3.0", **fields: Any) -> Document:
    document: Document = {
        "uid": "E1",
        "evse_id": "NL*ONE*E1",
        "status": "AVAILABLE",
        "capabilities": ["RFID_READER", "REMOTE_START_STOP_CAPABLE"],
        "connectors": [connector(version=version)],
        "floor_level": "-1",
        "physical_reference": "A",
        "parking_restrictions": ["EV_ONLY"],
        "last_updated": MOMENT,
    }
    if version == "2.3.0":
        document["parking"] = [{"parking_id": "P1", "evse_position": "LEFT"}]
        document["accepted_service_providers"] = ["Two Mobility"]
    return changed(document, fields)


def location(*, version: str = "2.3.0", **fields: Any) -> Document:
    document: Document = {
        **CPO,
        "id": "L1",
        "publish": True,
        "name": "Market square",
        "address": "Market square 1",
        "city": "Utrecht",
        "postal_code": "3511 AB",
        "country": "NLD",
        "coordinates": {"latitude": "52.090700", "longitude": "5.121400"},
        "parking_type": "ON_STREET",
        "evses": [
            evse(version=version),
            evse(version=version, uid="E2", evse_id="NL*ONE*E2", physical_reference="B"),
        ],
        "directions": [{"language": "en", "text": "Behind the town hall"}],
        "operator": {"name": "One Charging", "website": "https://one.example"},
        "facilities": ["CAFE"],
        "time_zone": "Europe/Amsterdam",
        "opening_times": {
            "twentyfourseven": False,
            "regular_hours": [{"weekday": 1, "period_begin": "06:00", "period_end": "22:00"}],
            "exceptional_closings": [
                {"period_begin": "2025-12-24T23:00:00Z", "period_end": "2025-12-26T23:00:00Z"}
            ],
        },
        "charging_when_closed": False,
        "energy_mix": {
            "is_green_energy": True,
            "energy_sources": [{"source": "WIND", "percentage": 100}],
            "environ_impact": [{"category": "CARBON_DIOXIDE", "amount": 0.5}],
        },
        "last_updated": MOMENT,
    }
    if version == "2.3.0":
        document["parking_places"] = [parking()]
        document["help_phone"] = "+31301234567"
    return changed(document, fields)


def parking(**fields: Any) -> Document:
    document: Document = {
        "id": "P1",
        "vehicle_types": ["PERSONAL_VEHICLE"],
        "restricted_to_type": False,
        "reservation_required": False,
        "direction": "PARALLEL",
    }
    return changed(document, fields)


def price(before_taxes: float, tax: float | None = None, *, version: str = "2.3.0") -> Document:
    """A Price with one tax of ``tax``, or with none."""
    if version == "2.2.1":
        return {"excl_vat": before_taxes} | (
            {} if tax is None else {"incl_vat": round(before_taxes + tax, 4)}
        )
    return {"before_taxes": before_taxes} | (
        {} if tax is None else {"taxes": [{"name": "VAT", "amount": tax}]}
    )


def tariff(*, version: str = "2.3.0", **fields: Any) -> Document:
    names = {"2.3.0": ("before_taxes", "after_taxes"), "2.2.1": ("excl_vat", "incl_vat")}[version]
    document: Document = {
        **CPO,
        "id": "T1",
        "currency": "EUR",
        "type": "REGULAR",
        "tariff_alt_text": [{"language": "en", "text": "Cheaper at night"}],
        "min_price": dict(zip(names, (0.5, 0.605), strict=True)),
        "max_price": dict(zip(names, (50, 60.5), strict=True)),
        "elements": [
            {
                "price_components": [
                    {"type": "FLAT", "price": 0.25, "vat": 21, "step_size": 1},
                    {"type": "ENERGY", "price": 0.3, "vat": 21, "step_size": 1},
                ],
                "restrictions": {"start_time": "22:00", "end_time": "06:00"},
            },
            {
                "price_components": [
                    {"type": "ENERGY", "price": 0.45, "vat": 21, "step_size": 1},
                    {"type": "PARKING_TIME", "price": 2, "vat": 21, "step_size": 60},
                ]
            },
        ],
        "last_updated": MOMENT,
    }
    if version == "2.3.0":
        document["tax_included"] = "NO"
    return changed(document, fields)


def token(**fields: Any) -> Document:
    """The same in 2.2.1 and 2.3.0."""
    fields.pop("version", None)
    document: Document = {
        **EMSP,
        "uid": "04AB12CD34EF80",
        "type": "RFID",
        "contract_id": "DE-TWO-C00000001-X",
        "visual_number": "DF000-2001-8999-1",
        "issuer": "Two Mobility",
        "valid": True,
        "whitelist": "ALLOWED",
        "language": "de",
        "last_updated": MOMENT,
    }
    return changed(document, fields)


def cdr_token(**fields: Any) -> Document:
    document: Document = {
        **EMSP,
        "uid": "04AB12CD34EF80",
        "type": "RFID",
        "contract_id": "DE-TWO-C00000001-X",
    }
    return changed(document, fields)


def charging_period(**fields: Any) -> Document:
    document: Document = {
        "start_date_time": MOMENT,
        "dimensions": [{"type": "ENERGY", "volume": 7.5}, {"type": "TIME", "volume": 1.25}],
        "tariff_id": "T1",
    }
    return changed(document, fields)


def session(*, version: str = "2.3.0", **fields: Any) -> Document:
    document: Document = {
        **CPO,
        "id": "S1",
        "start_date_time": MOMENT,
        "kwh": 7.5,
        "cdr_token": cdr_token(),
        "auth_method": "WHITELIST",
        "location_id": "L1",
        "evse_uid": "E1",
        "connector_id": "1",
        "currency": "EUR",
        "charging_periods": [charging_period()],
        "total_cost": price(3.625, 0.7613, version=version),
        "status": "ACTIVE",
        "last_updated": "2025-06-01T09:15:00Z",
    }
    return changed(document, fields)


def cdr(*, version: str = "2.3.0", **fields: Any) -> Document:
    document: Document = {
        **CPO,
        "id": "C1",
        "start_date_time": MOMENT,
        "end_date_time": "2025-06-01T09:15:00Z",
        "session_id": "S1",
        "cdr_token": cdr_token(),
        "auth_method": "WHITELIST",
        "cdr_location": {
            "id": "L1",
            "name": "Market square",
            "address": "Market square 1",
            "city": "Utrecht",
            "postal_code": "3511 AB",
            "country": "NLD",
            "coordinates": {"latitude": "52.090700", "longitude": "5.121400"},
            "evse_uid": "E1",
            "evse_id": "NL*ONE*E1",
            "connector_id": "1",
            "connector_standard": "IEC_62196_T2",
            "connector_format": "SOCKET",
            "connector_power_type": "AC_3_PHASE",
        },
        "currency": "EUR",
        "tariffs": [tariff(version=version)],
        "charging_periods": [charging_period()],
        "total_cost": price(3.625, 0.7613, version=version),
        "total_fixed_cost": price(0.25, 0.0525, version=version),
        "total_energy": 7.5,
        "total_energy_cost": price(3.375, 0.7088, version=version),
        "total_time": 1.25,
        "last_updated": "2025-06-01T09:16:00Z",
    }
    return changed(document, fields)


def invoice_reconciliation(**fields: Any) -> Document:
    """A record of the CPO about its invoice over one CDR; 2.3.0 only."""
    document: Document = {
        **CPO,
        "id": "R1",
        "invoice_id": "2025-06-0001",
        "cdrs": ["C1"],
        "last_updated": "2025-07-01T08:00:00Z",
    }
    return changed(document, fields)


def terminal(**fields: Any) -> Document:
    """A payment terminal for the CPO; 2.3.0 only."""
    document: Document = {
        **CPO,
        "terminal_id": "P1",
        "customer_reference": "One",
        "address": "Market square 1",
        "city": "Utrecht",
        "country": "NLD",
        "coordinates": {"latitude": "52.090700", "longitude": "5.121400"},
        "invoice_base_url": "https://one.example/invoices",
        "invoice_creator": "CPO",
        "location_ids": ["L1"],
        "last_updated": MOMENT,
    }
    return changed(document, fields)


def financial_advice_confirmation(**fields: Any) -> Document:
    """What was captured for a session; 2.3.0 only."""
    document: Document = {
        "id": "F1",
        "authorization_reference": "pp-100",
        "total_costs": price(4, 0.4),
        "currency": "EUR",
        "eft_data": ["Mastercard", "AID: 1234"],
        "capture_status_code": "SUCCESS",
        "last_updated": "2025-06-01T10:00:00Z",
    }
    return changed(document, fields)


BOOKING_TERMS: Document = {
    "rfid_auth_required": True,
    "supported_access_methods": ["TOKEN", "LICENSE_PLATE"],
    "change_until_minutes": 60,
    "cancel_until_minutes": 30,
    "noshow_timeout": 15,
}


def calendar(**fields: Any) -> Document:
    document: Document = {
        "id": "K1",
        "begin_from": "2025-07-01T00:00:00Z",
        "end_before": "2025-07-02T00:00:00Z",
        "timeslot_increment": 15,
        "available_timeslots": [
            {
                "start_date_time": "2025-07-01T08:00:00Z",
                "end_date_time": "2025-07-01T12:00:00Z",
                "max_power": 150000,
            }
        ],
        "last_updated": MOMENT,
    }
    return changed(document, fields)


def booking_location(**fields: Any) -> Document:
    """What can be booked at L1; 2.3.0 only."""
    document: Document = {
        **CPO,
        "id": "BL1",
        "location_id": "L1",
        "booking_option": {"evse_uid": "E1", "vehicle_types": ["TRUCK"], "drive_through": True},
        "policy": {"reservation_required": True},
        "tariff_ids": ["T1"],
        "booking_terms": BOOKING_TERMS,
        "calendars": [calendar()],
        "last_updated": MOMENT,
    }
    return changed(document, fields)


def booking_request(**fields: Any) -> Document:
    document: Document = {
        **EMSP,
        "request_id": "Q1",
        "location_id": "L1",
        "booking_location_id": "BL1",
        "tokens": [cdr_token()],
        "period": {
            "start_date_time": "2025-07-01T09:00:00Z",
            "end_date_time": "2025-07-01T10:00:00Z",
        },
        "authorization_reference": "A-1",
        "power_required": 100,
    }
    return changed(document, fields)


def booking(*, request: Document | None = None, state: str = "PENDING", **fields: Any) -> Document:
    """What a CPO makes of a request."""
    request = request or booking_request()
    accepted = {"PENDING": "PENDING", "REJECTED": "DECLINED"}.get(state, "ACCEPTED")
    document: Document = {
        **CPO,
        "id": "B1",
        "request_id": request["request_id"],
        "location_id": "L1",
        "booking_tokens": request["tokens"],
        "period": request["period"],
        "reservation_status": state,
        "authorization_reference": request["authorization_reference"],
        "booking_terms": BOOKING_TERMS,
        "booking_requests": [
            {
                "request_status": accepted,
                "booking_request": request,
                "request_received": "2025-06-20T08:00:00Z",
            }
        ],
        "last_updated": "2025-06-20T08:00:00Z",
    }
    return changed(document, fields)


def credentials(*, version: str = "2.3.0", **fields: Any) -> Document:
    """What a CPO's platform says of itself."""
    document: Document = {
        "token": "b" * 43,
        "url": "https://one.example/ocpi/versions",
        "roles": [{**CPO, "role": "CPO", "business_details": {"name": "One Charging"}}],
    }
    return changed(document, fields)


def changed(document: Document, fields: Document) -> Document:
    return {name: value for name, value in (document | fields).items() if value is not ABSENT}
