"""What is wrong with a CDR besides its amounts.

A fault never changes the price. It is something to ask the partner about: time that is missing or
counted twice, a period that should have been split, energy that cannot have flowed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from hub.roaming.pricing import records
from hub.roaming.pricing.connectors import power_limit
from hub.roaming.pricing.engine import Priced
from hub.roaming.pricing.quantities import HOUR, KILOWATT_HOUR, Exact
from hub.roaming.pricing.records import Period, Record, mapping, upper
from hub.roaming.pricing.tariffs import Component, Document, Phase
from hub.roaming.pricing.timeline import Piece

# Seconds of difference that are not worth a question.
SLACK = 60
# Meters and nameplates are not that exact.
POWER_MARGIN = Fraction(105, 100)
ENERGY_MARGIN = KILOWATT_HOUR // 20


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, and the period it was found in, from 1."""

    code: str
    text: str
    period: int | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What else is known about a CDR; None and empty mean that nobody looked.

    ``connector`` is the OCPI Connector, ``session`` the last state of its Session, ``others`` are
    CDRs it might bill again.
    """

    connector: Document | None = None
    token_is_known: bool | None = None
    session: Document | None = None
    others: Sequence[Document] = ()


def find(priced: Priced, context: Context) -> Iterator[Fault]:
    """All faults, each kind in the order of the periods. Raises Unreadable for broken numbers."""
    record = priced.record
    for note in priced.notes:
        if note.code in {"unknown_tariff", "currency_mismatch"}:
            yield Fault(note.code, note.text, note.period)
    if context.token_is_known is False:
        yield Fault("unknown_token", "The token is not known.")
    yield from unsplit(priced)
    yield from misplaced(record)
    yield from uncovered(record)
    yield from falling(record, context.session)
    yield from beyond_power(priced, context.connector)
    yield from duplicates(record, context.others)


def unsplit(priced: Priced) -> Iterator[Fault]:
    """Periods in which another component became active, so there should have been two (CDR-09)."""
    periods: dict[int, list[Piece]] = {}
    for piece in priced.pieces:
        periods.setdefault(piece.period, []).append(piece)
    for number, pieces in periods.items():
        if (len(pieces) > 1 and changes(pieces)) or straddles(pieces[0]):
            yield Fault(
                "unsplit_period",
                f"Another price applies from some time within period {number + 1}.",
                number + 1,
            )


def changes(pieces: Sequence[Piece]) -> bool:
    """Is anything that was consumed priced differently from piece to piece?"""
    energies: set[Component | None] = {piece.energy_price for piece in pieces if piece.energy}
    times: set[Component | None] = {
        piece.time_price for piece in pieces if piece.seconds and piece.phase is not Phase.OVERTIME
    }
    later_fee = any(piece.flat is not None for piece in pieces[1:])
    return len(energies) > 1 or len(times) > 1 or later_fee


def straddles(piece: Piece) -> bool:
    """Did current or power cross a limit of the tariff within the period?"""
    if piece.tariff is None or not (piece.tariff.needs_current or piece.tariff.needs_power):
        return False
    for element in piece.tariff.elements:
        rules = element.restrictions
        for limit in (rules.min_current, rules.max_current):
            if limit is not None and piece.moment.current.straddles(limit):
                return True
        for limit in (rules.min_power, rules.max_power):
            if limit is not None and piece.moment.power.straddles(limit):
                return True
    return False


def misplaced(record: Record) -> Iterator[Fault]:
    """Periods that begin before the session or after its end."""
    for number, period in enumerate(record.periods, 1):
        is_early = record.start is not None and period.start < record.start
        is_late = record.end is not None and (
            period.start > record.end or (period.start == record.end and has_content(period))
        )
        if is_early or (is_late and record.start != record.end):
            yield Fault(
                "period_outside_session", f"Period {number} lies outside the session.", number
            )


def has_content(period: Period) -> bool:
    return bool(stated(period) or period.energy)


def stated(period: Period) -> int:
    """All the seconds a period states; a time beyond its slot runs beside the others."""
    return period.used + (period.reserved or 0) + (period.expired or 0)


def uncovered(record: Record) -> Iterator[Fault]:
    """Time that no period covers, and time that two of them do."""
    first = record.periods[0].start
    if record.start is not None and first - record.start > SLACK:
        yield Fault("gap", f"Nothing is stated before period 1, for {span(first - record.start)}.")
    ends = [*(period.start for period in record.periods[1:]), record.end]
    for number, (period, end) in enumerate(zip(record.periods, ends, strict=True), 1):
        if end is None or not period.states_time or end < period.start:
            continue
        missing = end - period.start - stated(period)
        if missing > SLACK:
            yield Fault("gap", f"Period {number} leaves {span(missing)} open.", number)
        elif missing < -SLACK and number < len(record.periods):
            yield Fault(
                "overlap", f"Period {number} goes {span(-missing)} into the next one.", number
            )
        elif missing < -SLACK:
            yield Fault(
                "period_outside_session",
                f"Period {number} goes {span(-missing)} beyond the end of the session.",
                number,
            )


def span(seconds: Exact) -> str:
    return f"{int(seconds) // HOUR}:{int(seconds) % HOUR // 60:02d}:{int(seconds) % 60:02d}"


def falling(record: Record, session: Document | None) -> Iterator[Fault]:
    """Totals that went down: negative volumes, or less energy than the session already had."""
    for number, period in enumerate(record.periods, 1):
        times = (period.charging, period.parking, period.reserved, period.expired)
        if (period.energy or 0) < 0 or any((time or 0) < 0 for time in times):
            yield Fault("falling_totals", f"Period {number} has a negative volume.", number)
    if session is None or record.energy is None:
        return
    before = records.total_energy(session)
    if before is not None and record.energy < before:
        yield Fault("falling_totals", "The session had more energy than the CDR.")


def beyond_power(priced: Priced, connector: Document | None) -> Iterator[Fault]:
    """More energy than the connector can deliver in the time."""
    limit = power_limit(priced.record, connector)
    if limit is None:
        return
    for stretch in priced.stretches:
        energy = abs(Fraction(stretch.energy or 0))
        length = max(Fraction(stretch.length), Fraction(stretch.seconds or 0))
        possible = limit * KILOWATT_HOUR * length / HOUR * POWER_MARGIN + ENERGY_MARGIN
        if length and energy > possible:
            yield Fault(
                "energy_beyond_power",
                f"Period {stretch.period + 1} has more energy than {float(limit):g} kW deliver.",
                stretch.period + 1,
            )


def duplicates(record: Record, others: Sequence[Document]) -> Iterator[Fault]:
    """Other CDRs that bill the same session, or the same driver or EVSE at the same time.

    Credit CDRs and what they take back do not count.
    """
    document = record.document
    if record.is_credit:
        return
    credited = {identity(other, "credit_reference_id") for other in others if other.get("credit")}
    for other in others:
        name = identity(other, "id")
        if other.get("credit") or name in credited or name == identity(document, "id"):
            continue
        shared = in_common(document, other)
        if shared == "session" or (shared and overlaps(record, other)):
            yield Fault(
                "duplicate_charging", f"CDR {other.get('id')} bills the same {shared} as well."
            )


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
    return tuple(upper(body.get(key)) for key in ("country_code", "party_id", "uid"))


def evse(document: Document) -> tuple[str | None, ...] | None:
    place = mapping(document.get("cdr_location"))
    uid = upper(place.get("evse_uid")) if place else None
    if place is None or uid in {None, "#NA"}:
        return None
    return (upper(document.get("country_code")), upper(document.get("party_id")), uid)


def overlaps(record: Record, other: Document) -> bool:
    twin = records.read(other)
    if record.start is None or record.end is None or twin.start is None or twin.end is None:
        return False
    return record.start < twin.end and twin.start < record.end
