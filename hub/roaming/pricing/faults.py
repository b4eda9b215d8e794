"""What is wrong with a CDR besides its amounts.

A fault never changes the price. It is something to ask the partner about: time that is missing or
counted twice, a period that should have been split, energy that cannot have flowed.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from hub.roaming.pricing import connectors, records
from hub.roaming.pricing.components import Component
from hub.roaming.pricing.duplicates import billed_again, identity, lifetime
from hub.roaming.pricing.engine import Priced
from hub.roaming.pricing.pieces import Piece
from hub.roaming.pricing.quantities import HOUR, KILOWATT_HOUR, CannotPrice, Exact
from hub.roaming.pricing.records import Period, Record, upper
from hub.roaming.pricing.tariffs import Document, Phase

# Seconds of difference that are not worth a question.
SLACK = 60
# Meters and nameplates are not that exact.
POWER_MARGIN = 105  # percent
ENERGY_MARGIN = KILOWATT_HOUR // 20
# What may be remarkable about choosing the tariff, and is a fault.
OF_TARIFFS = frozenset({"unknown_tariff", "currency_mismatch"})


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
    CDRs it might bill again, or that credit the same CDR as it does. ``credited`` is what a credit
    CDR takes back, and ``credited_is_known`` whether somebody found it. ``published`` are tariffs
    as they were known when the session started.
    """

    connector: Document | None = None
    token_is_known: bool | None = None
    session: Document | None = None
    others: Sequence[Document] = ()
    credited: Document | None = None
    credited_is_known: bool | None = None
    published: Sequence[Document] = ()


def find(priced: Priced, context: Context) -> Iterator[Fault]:
    """All faults, each kind in the order of the periods."""
    record = priced.record
    for note in priced.notes:
        if note.code in OF_TARIFFS:
            yield Fault(note.code, note.text, note.period)
    if context.token_is_known is False:
        yield Fault("unknown_token", "The token is not known.")
    yield from unsplit(priced)
    yield from misplaced(record)
    if context.session is not None:
        yield from fallen(record, context.session)
        yield from beyond_session(record, context.session)
    yield from changed_tariffs(record, context.published)
    yield from beyond_power(priced, context.connector)
    if record.is_credit:
        yield from odd_credit(record, context)
    elif context.others:
        yield from duplicates(record, context.others)


def unsplit(priced: Priced) -> Iterator[Fault]:
    """Periods in which another component became active, so there should have been two (CDR-09)."""
    used = dict.fromkeys(piece.tariff for piece in priced.pieces)
    is_measured = any(tariff and (tariff.needs_current or tariff.needs_power) for tariff in used)
    if len(priced.pieces) == len(priced.record.periods) and not is_measured:
        return
    for number, group in itertools.groupby(priced.pieces, key=attrgetter("period")):
        pieces = list(group)
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
            if limit is not None and piece.current.straddles(limit):
                return True
        for limit in (rules.min_power, rules.max_power):
            if limit is not None and piece.power.straddles(limit):
                return True
    return False


def misplaced(record: Record) -> Iterator[Fault]:
    """Periods and times that do not fit into the session, or not together."""
    first = record.periods[0].start
    if record.start is not None and first - record.start > SLACK:
        yield Fault("gap", f"Nothing is stated before period 1, for {span(first - record.start)}.")
    ends = [*(period.start for period in record.periods[1:]), record.end]
    for number, (period, end) in enumerate(zip(record.periods, ends, strict=True), 1):
        if is_outside(period, record):
            text = f"Period {number} lies outside the session."
            yield Fault("period_outside_session", text, number)
        if has_negative_volume(period):
            yield Fault("falling_totals", f"Period {number} has a negative volume.", number)
        if end is None or period.hours is None or end < period.start:
            continue
        missing = end - period.start - stated(period)
        if missing > SLACK or missing < -SLACK:
            yield uncovered(number, missing, is_last=number == len(record.periods))


def has_negative_volume(period: Period) -> bool:
    """Less than nothing; of energy only where the vehicle is not said to have fed it back."""
    if min(period.charging or 0, period.parking or 0) < 0:
        return True
    return (period.energy or 0) < 0 and not feeds_back(period)


def feeds_back(period: Period) -> bool:
    """Is there export, or a current or power that flows from the vehicle to the grid?"""
    told = period.bounds or {}
    return bool(period.exported) or any((connectors.number(told, name) or 0) < 0 for name in told)


def is_outside(period: Period, record: Record) -> bool:
    """Does it begin before the session, or at its end or later with something in it?"""
    start, end = record.start, record.end
    if start is not None and period.start < start:
        return True
    if end is None or period.start < end or start == end:
        return False
    return period.start > end or bool(stated(period) or period.energy)


def stated(period: Period) -> int:
    """All the seconds a period states; a time beyond its slot runs beside the others."""
    return period.used + (period.reserved or 0) + (period.expired or 0)


def uncovered(number: int, missing: Exact, *, is_last: bool) -> Fault:
    """Time of a period that nothing is said about, or more than it lasts."""
    if missing > 0:
        return Fault("gap", f"Period {number} leaves {span(missing)} open.", number)
    if is_last:
        text = f"Period {number} goes {span(-missing)} beyond the end of the session."
        return Fault("period_outside_session", text, number)
    return Fault("overlap", f"Period {number} goes {span(-missing)} into the next one.", number)


def span(seconds: Exact) -> str:
    return f"{int(seconds) // HOUR}:{int(seconds) % HOUR // 60:02d}:{int(seconds) % 60:02d}"


def fallen(record: Record, session: Document) -> Iterator[Fault]:
    """Less energy than the session already had."""
    try:
        before = records.total_energy(session)
    except CannotPrice:
        return
    if before is not None and record.energy is not None and record.energy < before:
        yield Fault("falling_totals", "The session had more energy than the CDR.")


def beyond_session(record: Record, session: Document) -> Iterator[Fault]:
    """Time before the session began, or after it was completed."""
    start, end = lifetime(session)
    if session.get("status") != "COMPLETED":
        end = None
    early = start is not None and record.start is not None and start - record.start > SLACK
    late = end is not None and record.end is not None and record.end - end > SLACK
    if early or late:
        yield Fault("period_outside_session", "The CDR goes beyond its session.")


PRICED_BY = ("currency", "elements", "min_price", "max_price", "tax_included")


def changed_tariffs(record: Record, published: Sequence[Document]) -> Iterator[Fault]:
    """Tariffs in the CDR that price otherwise than under their id was announced to everybody."""
    known = {upper(tariff.get("id")): tariff for tariff in published}
    for tariff in record.tariffs:
        told = known.get(upper(tariff.get("id"))) if isinstance(tariff, dict) else None
        if told is not None and any(tariff.get(name) != told.get(name) for name in PRICED_BY):
            yield Fault(
                "tariff_not_as_published",
                f"Tariff {tariff.get('id')} in the CDR is not what was known of it at the start.",
            )


def odd_credit(record: Record, context: Context) -> Iterator[Fault]:
    """A credit CDR for nothing, or for what was credited before (CDR-06)."""
    if context.credited_is_known is False:
        yield Fault("credits_unknown", "The CDR that it credits is not known.")
    wanted = identity(record.document, "credit_reference_id")
    for other in context.others:
        if other.get("credit") and identity(other, "credit_reference_id") == wanted:
            text = f"CDR {other.get('id')} has credited the same CDR already."
            yield Fault("credited_twice", text)


def beyond_power(priced: Priced, connector: Document | None) -> Iterator[Fault]:
    """More energy than the connector can deliver in the time."""
    limit = connectors.power_limit(priced.record, connector)
    if limit is None:
        return
    # Whole millionths of a Wh per second: a fraction of one does not matter here.
    scale = KILOWATT_HOUR * POWER_MARGIN // 100 // HOUR
    per_second = limit.numerator * scale // limit.denominator + 1
    for piece in priced.pieces:
        length: Exact = piece.length
        if piece.seconds is not None and piece.seconds > length:
            length = piece.seconds
        energy: Exact = piece.energy or 0
        possible: Exact = per_second * length + ENERGY_MARGIN
        if length and (energy > possible or -energy > possible):
            yield Fault(
                "energy_beyond_power",
                f"Period {piece.period + 1} has more energy than {float(limit):g} kW deliver.",
                piece.period + 1,
            )


def duplicates(record: Record, others: Sequence[Document]) -> Iterator[Fault]:
    """Other CDRs that bill the same session, or the same driver or EVSE at the same time."""
    for other, shared in billed_again(record, others):
        text = f"CDR {other.get('id')} bills the same {shared} as well."
        yield Fault("duplicate_charging", text)
