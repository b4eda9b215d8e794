"""Which CDRs bill the same: one session twice, or one driver or EVSE at the same time."""

from collections.abc import Iterator, Sequence

from hub.roaming.pricing import records
from hub.roaming.pricing.quantities import CannotPrice, Exact, instant
from hub.roaming.pricing.records import Record, mapping, upper
from hub.roaming.pricing.tariffs import Document

NOT_AVAILABLE = "#NA"


def billed_again(record: Record, others: Sequence[Document]) -> Iterator[tuple[Document, str]]:
    """Those of other CDRs that bill the same, and what they have in common with this one.

    Credit CDRs and what they take back do not count.
    """
    document = record.document
    credited = {identity(other, "credit_reference_id") for other in others if other.get("credit")}
    for other in others:
        name = identity(other, "id")
        if other.get("credit") or name in credited or name == identity(document, "id"):
            continue
        shared = in_common(document, other)
        if shared == "session" or (shared and overlaps(record, other)):
            yield other, shared


def identity(document: Document, name: str) -> tuple[str | None, ...]:
    return tuple(upper(document.get(key)) for key in ("country_code", "party_id", name))


def in_common(one: Document, two: Document) -> str | None:
    if one.get("session_id") and identity(one, "session_id") == identity(two, "session_id"):
        return "session"
    if token(one) is not None and token(one) == token(two):
        return "driver"
    if evse(one) is not None and evse(one) == evse(two):
        return "EVSE"
    return None


def token(document: Document) -> tuple[str | None, ...] | None:
    body = mapping(document.get("cdr_token"))
    if body is None:
        return (upper(document["auth_id"]),) if document.get("auth_id") else None
    uid = driver(body)
    if uid is None:
        return None
    return (upper(body.get("country_code")), upper(body.get("party_id")), uid)


def driver(token: Document) -> str | None:
    """Who charged, within the issuer: the token, or the contract where an older version hid it."""
    uid, contract = upper(token.get("uid")), upper(token.get("contract_id"))
    if uid == NOT_AVAILABLE:
        return contract and f"{NOT_AVAILABLE} {contract}"
    return uid


def evse(document: Document) -> tuple[str | None, ...] | None:
    place = mapping(document.get("cdr_location"))
    uid = upper(place.get("evse_uid")) if place else None
    if place is None or uid in {None, NOT_AVAILABLE}:
        return None
    return (upper(document.get("country_code")), upper(document.get("party_id")), uid)


def overlaps(record: Record, other: Document) -> bool:
    start, end = lifetime(other)
    if record.start is None or record.end is None or start is None or end is None:
        return False
    return record.start < end and start < record.end


def lifetime(document: Document) -> tuple[Exact | None, Exact | None]:
    """Start and end of a CDR or Session, where it says them and they can be read."""
    try:
        return (
            instant(records.first(document, records.START_NAMES), "start"),
            instant(records.first(document, records.END_NAMES), "end"),
        )
    except CannotPrice:
        return None, None
