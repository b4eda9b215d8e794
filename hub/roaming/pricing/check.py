"""Is what a CDR claims right? ``check``.

Every claimed total is compared with the computation: money at a tolerance, energy and times
exactly, as far as hours with a few decimals can be exact. Faults are found besides (faults). A
verdict is only given on what is known: where the price depends on something the CDR does not say, a
difference is no proof, and the verdict is "cannot tell".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any, NamedTuple

from hub.roaming.pricing import engine, faults
from hub.roaming.pricing.choosing import Note
from hub.roaming.pricing.components import Tax
from hub.roaming.pricing.engine import Priced
from hub.roaming.pricing.faults import Context, Fault
from hub.roaming.pricing.money import NOTHING, Amount, Part, Ratio
from hub.roaming.pricing.pieces import SNAP
from hub.roaming.pricing.quantities import (
    CannotPrice,
    Exact,
    Unreadable,
    coarse,
    decimal,
    energy,
    rounded,
    seconds,
)
from hub.roaming.pricing.records import Record
from hub.roaming.pricing.tariffs import Document, Tariff
from hub.roaming.pricing.wire import TOTAL, decimals, due, negative

CENT = Fraction(1, 100)
FREE = Amount(NOTHING, NOTHING)
# As plain text: members of an enumeration are slow to iterate over.
PARTS = tuple((str(part), part) for part in Part)

# Without these the price is that of something else, however well the sums agree.
FATAL = frozenset({"unknown_tariff", "currency_mismatch"})


class Outcome(StrEnum):
    OK = "ok"
    DIFFERS = "differs"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A total that is not what was computed. ``side`` is excl_vat, incl_vat, kWh or h."""

    name: str
    side: str
    claimed: Fraction
    expected: Fraction

    @property
    def difference(self) -> Fraction:
        return self.claimed - self.expected


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What was found. ``priced`` is None when there is no price; then ``reasons`` say why.

    ``claim`` and ``total`` are what the total cost is said to be and what it should be; ``code`` is
    that of the reason why there is no price.
    """

    outcome: Outcome
    mismatches: tuple[Mismatch, ...] = ()
    faults: tuple[Fault, ...] = ()
    reasons: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    priced: Priced | None = None
    claim: "Claim | None" = None
    total: Amount | None = None
    code: str | None = None

    @property
    def names(self) -> list[str]:
        """The totals that differ, each once."""
        return list(dict.fromkeys(mismatch.name for mismatch in self.mismatches))

    def lacks(self, code: str) -> bool:
        """Is there a note of that kind?"""
        return any(note.code == code for note in self.notes)

    @property
    def flags(self) -> list[str]:
        """The kinds of fault, each once."""
        return list(dict.fromkeys(fault.code for fault in self.faults))


def check(
    cdr: Document,
    tariffs: Sequence[Document | Tariff] = (),
    *,
    time_zone: str | None = None,
    ocpi_version: str | None = None,
    tolerance: Decimal | Fraction | None = None,
    context: Context | None = None,
    taxes: Sequence[Tax] = (),
    readings: Sequence[tuple[datetime, Decimal | int]] = (),
    reservation: str | None = None,
) -> Verdict:
    """Compare a CDR with its tariffs. Never raises for what the CDR or tariffs contain.

    ``tolerance`` is for money, by default 0.01 or the smallest unit of the currency if that is
    larger. ``context`` is what else the hub knows: connector, token, the session, other CDRs.
    """
    price = partial(
        engine.price,
        tariffs,
        cdr,
        time_zone=time_zone,
        ocpi_version=ocpi_version,
        taxes=taxes,
        readings=readings,
        reservation=reservation,
    )
    try:
        found = judge(price(), tolerance=tolerance, context=context)
        if found.outcome is not Outcome.CANNOT_TELL or not found.lacks("power_unknown"):
            return found
        # Where periods are split as they should be, their average is on the same side of every
        # limit as the power was all along. So a sum that agrees with it is right.
        estimated = judge(price(average_power=True), tolerance=tolerance, context=context)
    except CannotPrice as error:
        return unpriced(error, cdr)
    return estimated if estimated.outcome is Outcome.OK else found


def unpriced(error: CannotPrice, cdr: Any) -> Verdict:
    """The verdict where there is no price; why may be a fault of the CDR."""
    found = (Fault(error.code, str(error)),) if error.code in faults.OF_TARIFFS else ()
    try:
        claim = claimed(cdr, TOTAL) if isinstance(cdr, dict) else None
    except Unreadable:
        claim = None
    reasons = (str(error),)
    return Verdict(Outcome.CANNOT_TELL, faults=found, reasons=reasons, claim=claim, code=error.code)


def judge(
    priced: Priced,
    *,
    tolerance: Decimal | Fraction | None = None,
    context: Context | None = None,
) -> Verdict:
    """The verdict on a CDR that has been priced. Raises Unreadable for totals without a number."""
    allowed = usual_tolerance(priced.currency) if tolerance is None else Fraction(tolerance)
    total = claimed(priced.record.document, TOTAL)
    quantities = tuple(different_quantities(priced))
    taken_back = taken_back_by(priced, context)
    if taken_back is None:
        costs = tuple(different_costs(priced, total, allowed))
        doubts = tuple(
            note.text for note in priced.notes if note.doubtful and (costs or note.code in FATAL)
        )
    else:
        costs = tuple(compared(TOTAL, total, taken_back, allowed)) if total else ()
        doubts = ()
    missing = () if total is not None else ("The CDR claims no total cost.",)
    reasons = doubts + missing + tuple(untold(priced, total))
    if quantities or (costs and not doubts):
        outcome = Outcome.DIFFERS
    else:
        outcome = Outcome.CANNOT_TELL if reasons else Outcome.OK
    problems = tuple(faults.find(priced, context or Context()))
    return Verdict(
        outcome,
        costs + quantities,
        problems,
        reasons,
        priced.notes,
        priced,
        claim=total,
        total=taken_back or due(priced),
    )


def taken_back_by(priced: Priced, context: Context | None) -> Amount | None:
    """What a credit CDR must take back: what was billed, be it right or wrong. None if unknown."""
    credited = context.credited if context and priced.record.is_credit else None
    claim = None if credited is None else claimed(credited, TOTAL)
    if claim is None:
        return None
    after = None if claim.after is None else claim.after.as_integer_ratio()
    return Amount(negative(claim.before.as_integer_ratio()), negative(after))


@lru_cache(maxsize=256)
def usual_tolerance(currency: str) -> Fraction:
    """A cent, or one smallest unit where a currency has no cents (PRICE-45)."""
    return max(CENT, Fraction(1, 10 ** decimals(currency)))


class Claim(NamedTuple):
    """An amount as a CDR states it, before and after taxes; None where it says nothing."""

    before: Decimal
    after: Decimal | None


def claimed(document: Document, name: str) -> Claim | None:
    """A Price of 2.2.1 or 2.3.0, or the number of 2.1.1. Raises Unreadable."""
    body = document.get(name)
    if body is None:
        return None
    if not isinstance(body, dict):
        return Claim(decimal(body, name), None)
    before = body.get("before_taxes", body.get("excl_vat"))
    if before is None:
        return None
    amount = decimal(before, name)
    if body.get("incl_vat") is not None:
        return Claim(amount, decimal(body["incl_vat"], name))
    taxes = body.get("taxes")
    if not isinstance(taxes, list):
        return Claim(amount, None)
    return Claim(amount, sum((tax_amount(tax, name) for tax in taxes), amount))


def tax_amount(body: Any, where: str) -> Decimal:
    return decimal(body.get("amount") if isinstance(body, dict) else None, f"{where} taxes")


def part_claim(record: Record, name: str) -> Claim | None:
    """A partial cost. In a credit CDR it may have kept its sign or not (AMB-26)."""
    claim = claimed(record.document, name)
    if claim is None or not record.is_credit:
        return claim
    return Claim(abs(claim.before), None if claim.after is None else abs(claim.after))


def different_costs(priced: Priced, total: Claim | None, allowed: Fraction) -> Iterator[Mismatch]:
    if total is not None:
        yield from compared(TOTAL, total, due(priced), allowed)
    for name, part in PARTS:
        claim = part_claim(priced.record, name)
        if claim is not None:
            yield from compared(name, claim, priced.parts.get(part, FREE), allowed)


def compared(name: str, claim: Claim, computed: Amount, allowed: Fraction) -> Iterator[Mismatch]:
    """Compare each side that both know."""
    if computed.net is not None and is_apart(claim.before, computed.net, allowed):
        yield mismatch(name, "excl_vat", claim.before, computed.net)
    if claim.after is None or computed.gross is None:
        return
    if is_apart(claim.after, computed.gross, allowed):
        yield mismatch(name, "incl_vat", claim.after, computed.gross)


def mismatch(name: str, side: str, said: Decimal, expected: Ratio) -> Mismatch:
    return Mismatch(name, side, Fraction(said), Fraction(*expected))


def is_apart(said: Decimal, expected: Ratio, allowed: Fraction) -> bool:
    """``|said - expected| > allowed``, in whole numbers, which is exact and fast."""
    above, below = said.as_integer_ratio()
    top, bottom = expected
    difference = abs(above * bottom - top * below)
    return difference * allowed.denominator > allowed.numerator * below * bottom


def untold(priced: Priced, total: Claim | None) -> Iterator[str]:
    """A gross price can only be held against a claim that tells its taxes."""
    if total is not None and priced.total.net is None and total.after is None:
        yield "The tariff includes taxes it does not tell, and the CDR states none."


def different_quantities(priced: Priced) -> Iterator[Mismatch]:
    """Energy and times against the sums of the periods (CDR-18)."""
    document = priced.record.document
    name = "total_energy" if document.get("total_energy") is not None else "kwh"
    if document.get(name) is not None and states_energy(priced):
        said = energy(document[name], name)
        if said != priced.energy:
            yield Mismatch(name, "kWh", in_units(said, 10**9), in_units(priced.energy, 10**9))
    if document.get("total_time") is not None:
        yield from different_time(document, "total_time", total_times(priced))
    if document.get("total_parking_time") is not None and states_time(priced):
        yield from different_time(document, "total_parking_time", [priced.parking])


def different_time(document: Document, name: str, possible: Sequence[Exact]) -> Iterator[Mismatch]:
    """Hours that are none of the possible ones; with few decimals they need only be near."""
    said = seconds(document[name], name)
    if said in possible:
        return
    slack = SNAP if coarse(document[name]) else 0
    if all(abs(said - rounded(expected)) > slack for expected in possible):
        yield Mismatch(name, "h", in_units(said, 3600), in_units(possible[0], 3600))


def in_units(value: Exact, unit: int) -> Fraction:
    return Fraction(value) / unit


def states_energy(priced: Priced) -> bool:
    return any(period.energy is not None for period in priced.record.periods)


def states_time(priced: Priced) -> bool:
    return any(period.states_time for period in priced.record.periods)


def total_times(priced: Priced) -> list[Exact]:
    """What may rightly be called the total time, in seconds.

    Charging and parking; a period that states no time counts with its length. Where what is stated
    leaves a gap, also how long it took by the clock. Whether time reserved before belongs to it the
    text does not say.
    """
    total = sum(
        piece.length if piece.seconds is None else piece.seconds
        for piece in priced.pieces
        if piece.in_session
    )
    reserved = priced.reserved
    possible = [total, total + reserved] if reserved else [total]
    if priced.record.start is not None and priced.record.end is not None:
        lasted = priced.record.end - priced.record.start
        possible += [lasted, lasted - reserved] if reserved else [lasted]
    return possible
