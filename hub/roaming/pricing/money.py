"""Amounts with their taxes, exact until somebody writes them down (PRICE-40 … PRICE-45).

Three states of knowledge must not be mixed up. A component with ``vat`` says what its tax is, 0.0
included. One without says that none applies, which is all a tariff without any VAT says about the
price after taxes: nothing, so that side stays unknown (None). OCPI 2.1.1 says nothing about VAT at
all, and what is unknown there is never zero. A gross price whose tax is unknown has no price before
taxes; the gross amount must not pass for one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

from hub.roaming.pricing.quantities import HOUR, KILOWATT_HOUR, Exact
from hub.roaming.pricing.tariffs import Component, Dimension, Limit, Tariff, TaxIncluded

VAT = "VAT"
UNLIMITED = Limit(None, None)
UNITS: Mapping[Dimension, int] = {
    Dimension.FLAT: 1,
    Dimension.ENERGY: KILOWATT_HOUR,
    Dimension.TIME: HOUR,
    Dimension.PARKING_TIME: HOUR,
}


class Part(StrEnum):
    """The partial totals, by the names OCPI gives them."""

    FIXED = "total_fixed_cost"
    ENERGY = "total_energy_cost"
    TIME = "total_time_cost"
    PARKING = "total_parking_cost"
    RESERVATION = "total_reservation_cost"


@dataclass(frozen=True, slots=True)
class Tax:
    """A tax and its rate in percent, as configured for a location where tariffs do not tell."""

    name: str
    percentage: Fraction
    account_number: str | None = None
    share: Fraction = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "share", self.percentage / 100)


@dataclass(frozen=True, slots=True)
class TaxAmount:
    tax: Tax
    amount: Fraction


@dataclass(frozen=True, slots=True)
class Amount:
    """Money before and after taxes; None is unknown. ``taxes`` is None when they are not known.

    A tax may be among them several times; ``merged`` adds them up.
    """

    before: Fraction | None
    after: Fraction | None
    taxes: tuple[TaxAmount, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """How to tax. ``taxed`` is False for 2.1.1, which has amounts before taxes only (PRICE-40).

    ``table`` are the taxes of a location whose tariffs do not name any, as in North America.
    """

    taxed: bool = True
    table: tuple[Tax, ...] = ()


@dataclass(frozen=True, slots=True)
class Charge:
    """So much of a dimension at the price of a component. ``tells`` is whether its tax is known."""

    tariff: Tariff
    component: Component
    part: Part
    quantity: Exact
    before: Fraction | None
    after: Fraction
    taxes: tuple[TaxAmount, ...]
    tells: bool


def charge(
    tariff: Tariff, part: Part, component: Component, quantity: Exact, rules: Rules
) -> Charge:
    """Price a quantity and split off its taxes."""
    cost = Fraction(
        component.price.numerator * quantity,
        component.price.denominator * UNITS[component.dimension],
    )
    kind = tariff.tax_included
    taxes = taxes_of(component, kind, rules)
    if kind is TaxIncluded.NOT_APPLICABLE:
        return Charge(tariff, component, part, quantity, cost, cost, (), tells=True)
    if not taxes:
        # A gross price without a rate has no price before taxes that anybody knows.
        gross = kind is TaxIncluded.YES and component.price != 0
        before = None if gross else cost
        return Charge(tariff, component, part, quantity, before, cost, (), tells=gross)
    if kind is TaxIncluded.NO:
        amounts = tuple(TaxAmount(tax, cost * tax.share) for tax in taxes)
        after = sum((item.amount for item in amounts), cost)
        return Charge(tariff, component, part, quantity, cost, after, amounts, tells=True)
    before = cost / sum((tax.share for tax in taxes), Fraction(1))
    amounts = tuple(TaxAmount(tax, before * tax.share) for tax in taxes)
    return Charge(tariff, component, part, quantity, before, cost, amounts, tells=True)


def taxes_of(component: Component, kind: TaxIncluded, rules: Rules) -> tuple[Tax, ...]:
    if kind is TaxIncluded.NOT_APPLICABLE or not rules.taxed:
        return ()
    if component.vat is not None:
        return vat(component.vat)
    return rules.table


@lru_cache(maxsize=256)
def vat(percentage: Fraction) -> tuple[Tax, ...]:
    return (Tax(VAT, percentage),)


def tells_taxes(charges: Sequence[Charge]) -> bool:
    """Is the tax on these charges known? A price of zero needs no rate for that."""
    return any(item.tells for item in charges) or not any(item.component.price for item in charges)


def total(charges: Sequence[Charge], rules: Rules, *, known: bool) -> Amount:
    """The sum of charges. ``known`` is whether the taxes of the whole are told at all."""
    if not charges:
        zero = Fraction(0)
        return Amount(zero, zero if rules.taxed and known else None, ())
    before, after, taxes = charges[0].before, charges[0].after, charges[0].taxes
    for item in charges[1:]:
        before = None if before is None or item.before is None else before + item.before
        after += item.after
        taxes += item.taxes
    if not (rules.taxed and known):
        return Amount(before, None)
    return Amount(before, after, None if before is None else taxes)


def merged(amounts: Iterable[TaxAmount]) -> tuple[TaxAmount, ...]:
    """One amount per distinct tax and rate, the highest rate first (PRICE-42)."""
    sums: dict[Tax, Fraction] = {}
    for item in amounts:
        sums[item.tax] = sums.get(item.tax, Fraction(0)) + item.amount
    ordered = sorted(sums.items(), key=lambda pair: (-pair[0].percentage, pair[0].name))
    return tuple(TaxAmount(tax, amount) for tax, amount in ordered)


def limited(amount: Amount, tariff: Tariff) -> Amount:
    """Hold an amount between ``min_price`` and ``max_price``.

    Both sides hold independently (PRICE-43). Where the limit that binds does not say what it is
    after taxes, the taxes change in proportion.
    """
    if tariff.min_price is None and tariff.max_price is None:
        return amount
    low, high = tariff.min_price or UNLIMITED, tariff.max_price or UNLIMITED
    before = held(amount.before, low.before, high.before)
    after = amount.after
    if tariff.tax_included is TaxIncluded.NOT_APPLICABLE:
        return Amount(before, None if after is None else before, amount.taxes)
    if before is not None and amount.before is not None and before != amount.before:
        binding = low if before > amount.before else high
        if binding.after is None and after is not None:
            after = in_proportion(amount, before, tariff)
    after = held(after, low.after, high.after)
    return retaxed(amount, before, after, tariff)


def held(value: Fraction | None, low: Fraction | None, high: Fraction | None) -> Fraction | None:
    if value is None:
        return None
    if low is not None and value < low:
        value = low
    return high if high is not None and value > high else value


def in_proportion(amount: Amount, before: Fraction, tariff: Tariff) -> Fraction | None:
    """The price after taxes when the one before becomes ``before``."""
    if amount.before and amount.after is not None:
        return amount.after * before / amount.before
    rates = tariff.rates
    rate = next(iter(rates)) if len(rates) == 1 else None
    return None if rate is None else before * (1 + rate / 100)


def retaxed(
    amount: Amount, before: Fraction | None, after: Fraction | None, tariff: Tariff
) -> Amount:
    """The limited amount with taxes that add up to its difference."""
    if before is None or after is None or amount.taxes is None:
        return Amount(before, after)
    if (before, after) == (amount.before, amount.after):
        return amount
    due = sum((item.amount for item in amount.taxes), Fraction(0))
    difference = after - before
    if due:
        scaled = tuple(TaxAmount(item.tax, item.amount * difference / due) for item in amount.taxes)
        return Amount(before, after, scaled)
    rates = [rate for rate in tariff.rates if rate is not None]
    if len(rates) == 1:
        return Amount(before, after, (TaxAmount(vat(rates[0])[0], difference),))
    return Amount(before, after) if difference else Amount(before, after, ())


def added(amounts: Sequence[Amount]) -> Amount:
    """The sum of what the tariffs of one session come to."""
    taxes = [item.taxes for item in amounts]
    return Amount(
        summed(item.before for item in amounts),
        summed(item.after for item in amounts),
        None if None in taxes else tuple(tax for item in taxes for tax in item or ()),
    )


def summed(values: Iterable[Fraction | None]) -> Fraction | None:
    """The sum, unknown if any of them is."""
    result = Fraction(0)
    for value in values:
        if value is None:
            return None
        result += value
    return result
