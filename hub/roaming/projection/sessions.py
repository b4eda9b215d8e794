"""Sessions: a transaction of our own, as it stands."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from hub.codec import instant
from hub.models.values import Party
from hub.roaming.merging import Document
from hub.roaming.metering.progress import Progress
from hub.roaming.projection.periods import kilo, periods

# What the specification says for a place that is not known.
NOT_ASSIGNED = "#NA"


@dataclass(frozen=True)
class SessionFacts:
    """A transaction, as far as OCPI is concerned."""

    id: str
    owner: Party
    cdr_token: Document
    auth_method: str
    status: str
    started_at: datetime
    currency: str
    location_id: str = NOT_ASSIGNED
    evse_uid: str = NOT_ASSIGNED
    connector_id: str = NOT_ASSIGNED
    authorization_reference: str | None = None
    meter_id: str | None = None
    ended_at: datetime | None = None
    progress: Progress | None = None
    total_cost: Document | None = None
    tariff_id: str | None = None


def session_document(facts: SessionFacts, *, at: datetime) -> Document:
    """The session as it stands. Its energy never shrinks: see ``metering``."""
    energy = facts.progress.energy if facts.progress is not None else Decimal(0)
    document: Document = {
        "country_code": facts.owner.country_code,
        "party_id": facts.owner.party_id,
        "id": facts.id,
        "start_date_time": instant(facts.started_at),
        "kwh": kilo(energy),
        "cdr_token": facts.cdr_token,
        "auth_method": facts.auth_method,
        "location_id": facts.location_id,
        "evse_uid": facts.evse_uid,
        "connector_id": facts.connector_id,
        "currency": facts.currency,
        "status": facts.status,
        "last_updated": instant(at),
    }
    optional = {
        "end_date_time": instant(facts.ended_at) if facts.ended_at else None,
        "authorization_reference": facts.authorization_reference,
        "meter_id": facts.meter_id,
        "total_cost": facts.total_cost,
    }
    document |= {name: value for name, value in optional.items() if value is not None}
    if facts.progress is not None:
        document["charging_periods"] = periods(
            facts.progress, facts.ended_at or at, facts.tariff_id, for_session=True
        )
    return document
