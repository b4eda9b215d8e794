"""Amounts with their taxes, exact until somebody writes them down (PRICE-40 … PRICE-45).

Three states of knowledge must not be mixed up. A component with ``vat`` says what its tax is, 0.0
included. One without says that none applies, which is all a tariff without any VAT says about the
price after taxes: nothing, so that side stays unknown (None). OCPI 2.1.1 says nothing about VAT at
all, and what is unknown there is never zero. A gross price whose tax is unknown has no price before
taxes; the gross amount must not pass for one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import lcm
from typing import NamedTuple

from hub.roaming.pricing.components import VAT, Component, Tax
from hub.roaming.pricing.quantities import Exact
from hub.roaming.pricing.tariffs import Limit, Tariff, TaxIncluded

ZERO, ONE = Fraction(0), Fraction(1)

Ratio = tuple[int, int]
NOTHING: Ratio = (0, 1)
UNLIMITED = Limit(None, None)


class Part(StrEnum):
    """The partial totals, by the names OCPI gives them."""

    FIXED = "total_fixed_cost"
    ENERGY = "total_energy_cost"
    TIME = "total_time_cost"
    PARKING = "total_parking_cost"
    RESERVATION = "total_reservation_cost"

    __hash__ = str.__hash__  # Enum's own is a call into Python


class TaxAmount(NamedTuple):
    tax: Tax
    amount: Fraction


@dataclass(frozen=True, slots=True)
class Rules:
    """How to tax. ``taxed`` is False for 2.1.1, which has amounts before taxes only (PRICE-40).

    ``table`` are the taxes of a location whose tariffs do not name any, as in North America.
    """

    taxed: bool = True
    table: tuple[Tax, ...] = ()


class Charge(NamedTuple):
    """So much of a dimension at the price of a component. ``tells`` is whether its tax is known.

    ``net`` and ``gross`` are what it costs before and after taxes, as quotients that are not
    reduced: most charges are only ever added up.
    """

    tariff: Tariff
    component: Component
    part: Part
    quantity: Exact
    net: Ratio | None
    gross: Ratio
    rates: tuple[Tax, ...]
    tells: bool

    @property
    def before(self) -> Fraction | None:
        return None if self.net is None else Fraction(*self.net)

    @property
    def after(self) -> Fraction:
        return Fraction(*self.gross)

    @property
    def taxes(self) -> tuple[TaxAmount, ...]:
        before = self.before or ZERO
        return tuple(TaxAmount(tax, before * tax.share) for tax in self.rates)


class Amount(NamedTuple):
    """Money before and after taxes; None is unknown.

    ``charges`` are what it consists of, ``amounts`` those of several tariffs: both tell the taxes.
    """

    net: Ratio | None
    gross: Ratio | None
    charges: tuple[Charge, ...] = ()
    amounts: tuple["Amount", ...] = ()

    @property
    def before(self) -> Fraction | None:
        return None if self.net is None else Fraction(*self.net)

    @property
    def after(self) -> Fraction | None:
        return None if self.gross is None else Fraction(*self.gross)

    @property
    def taxes(self) -> tuple[TaxAmount, ...] | None:
        """One amount per distinct tax and rate, highest rate first (PRICE-42); None if unknown.

        Where a limit changed the amount, they are in the same proportion as before.
        """
        before, after = self.before, self.after
        if before is None or after is None:
            return None
        if self.amounts:
            return merged(tax for amount in self.amounts for tax in amount.taxes or ())
        taxes = merged(tax for charge in self.charges for tax in charge.taxes)
        due = sum((item.amount for item in taxes), ZERO)
        wanted = after - before
        if due == wanted:
            return taxes
        if due:
            return tuple(TaxAmount(item.tax, item.amount * wanted / due) for item in taxes)
        rates = [item.tax for item in taxes] or [Tax(VAT, ZERO)]
        return (TaxAmount(rates[0], wanted),)


def charge(
    tariff: Tariff, part: Part, component: Component, quantity: Exact, rules: Rules
) -> Charge:
    """Price a quantity and split off its taxes."""
    price = component.price
    top = price.numerator * quantity.numerator
    bottom = price.denominator * quantity.denominator * component.unit
    cost, kind = (top, bottom), tariff.tax_included
    if kind is TaxIncluded.NOT_APPLICABLE:
        return Charge(tariff, component, part, quantity, cost, cost, (), tells=True)
    taxes = (component.taxes or rules.table) if rules.taxed else ()
    if not taxes:
        # A gross price without a rate has no price before taxes that anybody knows.
        hidden = kind is TaxIncluded.YES and price != 0
        net = None if hidden else cost
        return Charge(tariff, component, part, quantity, net, cost, (), tells=hidden)
    factor = taxes[0].factor if len(taxes) == 1 else sum((tax.share for tax in taxes), ONE)
    if kind is TaxIncluded.NO:
        gross = (top * factor.numerator, bottom * factor.denominator)
        return Charge(tariff, component, part, quantity, cost, gross, taxes, tells=True)
    net = (top * factor.denominator, bottom * factor.numerator)
    return Charge(tariff, component, part, quantity, net, cost, taxes, tells=True)


def tells_taxes(charges: Sequence[Charge]) -> bool:
    """Is the tax on these charges known? A price of zero needs no rate for that."""
    is_free = True
    for item in charges:
        if item.tells:
            return True
        is_free = is_free and not item.component.price
    return is_free


def total(charges: Sequence[Charge], rules: Rules, *, known: bool) -> Amount:
    """The sum of charges. ``known`` is whether the taxes of the whole are told at all."""
    tells = rules.taxed and known
    if not charges:
        return Amount(NOTHING, NOTHING if tells else None)
    nets = [item.net for item in charges if item.net is not None]
    net = added_up(nets) if len(nets) == len(charges) else None
    gross = added_up([item.gross for item in charges]) if tells else None
    return Amount(net, gross, tuple(charges))


def added_up(ratios: Sequence[Ratio]) -> Ratio:
    """The exact sum."""
    if len(ratios) == 1:
        return ratios[0]
    bottom = lcm(*[ratio[1] for ratio in ratios])
    return sum([top * (bottom // part) for top, part in ratios]), bottom


def amount_of(
    before: Fraction | None, after: Fraction | None, charges: tuple[Charge, ...] = ()
) -> Amount:
    net = None if before is None else (before.numerator, before.denominator)
    gross = None if after is None else (after.numerator, after.denominator)
    return Amount(net, gross, charges)


def merged(amounts: Iterable[TaxAmount]) -> tuple[TaxAmount, ...]:
    """One amount per distinct tax and rate, the highest rate first."""
    sums: dict[Tax, Fraction] = {}
    for item in amounts:
        sums[item.tax] = sums.get(item.tax, ZERO) + item.amount
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
    unlimited, after = amount.before, amount.after
    before = held(unlimited, low.before, high.before)
    if tariff.tax_included is TaxIncluded.NOT_APPLICABLE:
        return amount_of(before, None if after is None else before, amount.charges)
    if before is not None and unlimited is not None and before != unlimited:
        binding = low if before > unlimited else high
        if binding.after is None and after is not None:
            after = in_proportion(amount, before, tariff)
    return amount_of(before, held(after, low.after, high.after), amount.charges)


def held(value: Fraction | None, low: Fraction | None, high: Fraction | None) -> Fraction | None:
    if value is None:
        return None
    if low is not None and value < low:
        value = low
    return high if high is not None and value > high else value


def in_proportion(amount: Amount, before: Fraction, tariff: Tariff) -> Fraction | None:
    """The price after taxes when the one before becomes ``before``."""
    unlimited, taxed = amount.before, amount.after
    if unlimited and taxed is not None:
        return taxed * before / unlimited
    rates = tariff.rates
    rate = next(iter(rates)) if len(rates) == 1 else None
    return None if rate is None else before * (1 + rate / 100)


def added(amounts: Sequence[Amount]) -> Amount:
    """The sum of what the tariffs of one session come to."""
    nets = [item.net for item in amounts if item.net is not None]
    grosses = [item.gross for item in amounts if item.gross is not None]
    return Amount(
        added_up(nets) if len(nets) == len(amounts) else None,
        added_up(grosses) if len(grosses) == len(amounts) else None,
        amounts=tuple(amounts),
    )
