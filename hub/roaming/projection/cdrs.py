"""CDRs: an ended transaction, where it took place, and how one is taken back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from hub.codec import instant
from hub.roaming.merging import Document
from hub.roaming.projection.periods import kilo, periods, volume
from hub.roaming.projection.sessions import NOT_ASSIGNED, SessionFacts
from hub.roaming.projection.signed_data import SignedReading, signed_data

LONGEST_REMARK = 255


@dataclass(frozen=True)
class Circumstances:
    """Place and tariffs as they were when the session began (CDR-08)."""

    location: Document
    evse: Document
    connector_id: str
    tariffs: tuple[Document, ...] = ()


def cdr_document(
    facts: SessionFacts,
    circumstances: Circumstances,
    *,
    cdr_id: str,
    at: datetime,
    signed: Iterable[SignedReading] = (),
    remark: str = "",
) -> Document:
    """The CDR without its costs: pricing adds ``total_cost`` and its parts."""
    assert facts.progress is not None
    assert facts.ended_at is not None
    tariff_id = facts.tariff_id
    spans = periods(facts.progress, facts.ended_at, tariff_id, for_session=False)
    parking = volume(spans, "PARKING_TIME")
    document: Document = {
        "country_code": facts.owner.country_code,
        "party_id": facts.owner.party_id,
        "id": cdr_id,
        "start_date_time": spans[0]["start_date_time"],
        "end_date_time": instant(facts.ended_at),
        "session_id": facts.id,
        "cdr_token": facts.cdr_token,
        "auth_method": facts.auth_method,
        "cdr_location": cdr_location(circumstances),
        "currency": facts.currency,
        "tariffs": list(circumstances.tariffs),
        "charging_periods": spans,
        "total_energy": kilo(facts.progress.energy),
        "total_time": volume(spans, "TIME") + parking,
        "total_parking_time": parking,
        "last_updated": instant(at),
    }
    optional = {
        "authorization_reference": facts.authorization_reference,
        "meter_id": facts.meter_id,
        "signed_data": signed_data(list(signed)),
        "remark": remark[:LONGEST_REMARK] or None,
    }
    return document | {name: value for name, value in optional.items() if value is not None}


def credit_of(original: Document, *, at: datetime) -> Document:
    """The CDR that takes another one back: everything the same, the total negative (CDR-06)."""
    total = {name: negative(value) for name, value in original["total_cost"].items()}
    return original | {
        "id": f"{original['id']}-C"[:39],
        "credit": True,
        "credit_reference_id": original["id"],
        "total_cost": total,
        "last_updated": instant(at),
    }


def negative(value: Any) -> Any:
    if isinstance(value, list):
        return [{**tax, "amount": -Decimal(str(tax["amount"]))} for tax in value]
    return -Decimal(str(value))


def cdr_location(circumstances: Circumstances) -> Document:
    location, evse_ = circumstances.location, circumstances.evse
    connector: Mapping[str, Any] = next(
        (found for found in evse_["connectors"] if found["id"] == circumstances.connector_id),
        evse_["connectors"][0],
    )
    document: Document = {
        "id": location["id"],
        # Shorter here than in a Location.
        "address": str(location["address"])[:45],
        "city": location["city"],
        "country": location["country"],
        "coordinates": location["coordinates"],
        "evse_uid": evse_["uid"],
        "evse_id": evse_.get("evse_id") or NOT_ASSIGNED,
        "connector_id": connector["id"],
        "connector_standard": connector["standard"],
        "connector_format": connector["format"],
        "connector_power_type": connector["power_type"],
    }
    for name, longest in (("name", 255), ("postal_code", 10), ("state", 20)):
        if location.get(name):
            document[name] = str(location[name])[:longest]
    return document
