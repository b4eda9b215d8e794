"""Is what a CDR claims right? ``check``.

Every claimed total is compared with the computation: money at a tolerance, energy and times
exactly, as far as hours with a few decimals can be exact. Faults are found besides (faults). A
verdict is only given on what is known: where the price depends on something the CDR does not say, a
difference is no proof, and the verdict is "cannot tell".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from hub.roaming.pricing import engine, faults
from hub.roaming.pricing.choosing import Note
from hub.roaming.pricing.engine import Priced
from hub.roaming.pricing.faults import Context, Fault
from hub.roaming.pricing.money import Amount, Part, Tax
from hub.roaming.pricing.quantities import (
    CannotPrice,
    Exact,
    coarse,
    energy,
    fraction,
    rounded,
    seconds,
)
from hub.roaming.pricing.records import Record
from hub.roaming.pricing.stretches import SNAP
from hub.roaming.pricing.tariffs import SESSION_PHASES, Document, Tariff
from hub.roaming.pricing.wire import TOTAL, decimals

CENT = Fraction(1, 100)
ZERO = Fraction(0)

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
    """What was found. ``priced`` is None when there is no price; then ``reasons`` say why."""

    outcome: Outcome
    mismatches: tuple[Mismatch, ...] = ()
    faults: tuple[Fault, ...] = ()
    reasons: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    priced: Priced | None = None

    @property
    def names(self) -> list[str]:
        """The totals that differ, each once."""
        return list(dict.fromkeys(mismatch.name for mismatch in self.mismatches))

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
    try:
        priced = engine.price(
            tariffs,
            cdr,
            time_zone=time_zone,
            ocpi_version=ocpi_version,
            taxes=taxes,
            readings=readings,
            reservation=reservation,
        )
        return judge(priced, tolerance=tolerance, context=context)
    except CannotPrice as error:
        return Verdict(Outcome.CANNOT_TELL, reasons=(str(error),))


def judge(
    priced: Priced,
    *,
    tolerance: Decimal | Fraction | None = None,
    context: Context | None = None,
) -> Verdict:
    """The verdict on a CDR that has been priced. Raises Unreadable for totals without a number."""
    allowed = usual_tolerance(priced.currency) if tolerance is None else Fraction(tolerance)
    claims = Claims(priced.record)
    quantities = tuple(different_quantities(priced, claims))
    costs = tuple(different_costs(priced, claims, allowed))
    doubts = tuple(
        note.text for note in priced.notes if note.doubtful and (costs or note.code in FATAL)
    )
    missing = () if claims.total is not None else ("The CDR claims no total cost.",)
    reasons = doubts + missing + tuple(untold(priced, claims))
    if quantities or (costs and not doubts):
        outcome = Outcome.DIFFERS
    else:
        outcome = Outcome.CANNOT_TELL if reasons else Outcome.OK
    problems = tuple(faults.find(priced, context or Context()))
    return Verdict(outcome, costs + quantities, problems, reasons, priced.notes, priced)


def usual_tolerance(currency: str) -> Fraction:
    """A cent, or one smallest unit where a currency has no cents (PRICE-45)."""
    return max(CENT, Fraction(1, 10 ** decimals(currency)))


class Claims:
    """The totals of a CDR as it states them, in whatever form of a price its version has."""

    def __init__(self, record: Record) -> None:
        self.document = record.document
        self.is_credit = record.is_credit
        self.total = claimed(self.document.get(TOTAL), TOTAL)
        if self.total is not None and self.is_credit:
            self.total = Amount(negated(self.total.before), negated(self.total.after))

    def part(self, name: Part) -> Amount | None:
        """A partial cost. In a credit CDR it may have kept its sign or not (AMB-26)."""
        amount = claimed(self.document.get(name), name)
        if amount is not None and self.is_credit:
            return Amount(magnitude(amount.before), magnitude(amount.after))
        return amount


def claimed(body: Any, where: str) -> Amount | None:
    """A Price of 2.2.1 or 2.3.0, or the number of 2.1.1. Raises Unreadable."""
    if body is None:
        return None
    if not isinstance(body, Mapping):
        return Amount(fraction(body, where), None)
    before = body.get("before_taxes", body.get("excl_vat"))
    if before is None:
        return None
    amount = fraction(before, where)
    if body.get("incl_vat") is not None:
        return Amount(amount, fraction(body["incl_vat"], where))
    taxes = body.get("taxes")
    if not isinstance(taxes, list):
        return Amount(amount, None)
    due = sum((tax_amount(tax, where) for tax in taxes), ZERO)
    return Amount(amount, amount + due)


def tax_amount(body: Any, where: str) -> Fraction:
    return fraction(body.get("amount") if isinstance(body, Mapping) else None, f"{where} taxes")


def negated(value: Fraction | None) -> Fraction | None:
    return None if value is None else -value


def magnitude(value: Fraction | None) -> Fraction | None:
    return None if value is None else abs(value)


def different_costs(priced: Priced, claims: Claims, allowed: Fraction) -> Iterator[Mismatch]:
    if claims.total is not None:
        yield from compared(TOTAL, claims.total, priced.total, allowed)
    nothing = Amount(ZERO, ZERO)
    for part in Part:
        claim = claims.part(part)
        if claim is not None:
            yield from compared(part, claim, priced.parts.get(part, nothing), allowed)


def compared(name: str, claim: Amount, computed: Amount, allowed: Fraction) -> Iterator[Mismatch]:
    """Compare each side that both know."""
    sides = (
        ("excl_vat", claim.before, computed.before),
        ("incl_vat", claim.after, computed.after),
    )
    for side, said, expected in sides:
        if said is not None and expected is not None and abs(said - expected) > allowed:
            yield Mismatch(str(name), side, said, expected)


def untold(priced: Priced, claims: Claims) -> Iterator[str]:
    """A gross price can only be held against a claim that tells its taxes."""
    if claims.total is not None and priced.total.before is None and claims.total.after is None:
        yield "The tariff includes taxes it does not tell, and the CDR states none."


def different_quantities(priced: Priced, claims: Claims) -> Iterator[Mismatch]:
    """Energy and times against the sums of the periods (CDR-18)."""
    document = claims.document
    name = "total_energy" if document.get("total_energy") is not None else "kwh"
    if document.get(name) is not None and states_energy(priced):
        said = energy(document[name], name)
        if said != priced.energy:
            yield Mismatch(name, "kWh", in_units(said, 10**9), in_units(priced.energy, 10**9))
    times = {
        "total_time": total_times(priced),
        "total_parking_time": [priced.parking] if states_time(priced) else [],
    }
    for name, possible in times.items():
        value = document.get(name)
        if value is None or not possible:
            continue
        said = seconds(value, name)
        slack = SNAP if coarse(value) else 0
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

    Charging and parking; a period that states no time counts with its length. Whether time reserved
    before belongs to it the text does not say.
    """
    total = sum(
        stretch.length if stretch.seconds is None else stretch.seconds
        for stretch in priced.stretches
        if stretch.phase in SESSION_PHASES
    )
    return [total, total + priced.reserved] if priced.reserved else [total]
