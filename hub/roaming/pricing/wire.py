"""Prices in the shape of each OCPI version, and what ``hub price`` prints.

Rounding happens here and nowhere else (PRICE-45): the total cost to the smallest unit of its
currency, partial totals to four decimals, halves away from zero.
"""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from hub.roaming.pricing.engine import Priced
from hub.roaming.pricing.money import Amount, Part, Ratio
from hub.roaming.pricing.quantities import Exact, fixed, in_hours, in_kwh, to_places
from hub.roaming.pricing.records import V2_1_1, V2_2_1

PLACES = 4
TOTAL = "total_cost"

# ISO 4217: decimals of currencies that do not have two.
DECIMALS: Mapping[str, int] = {
    **dict.fromkeys(
        (
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX"),
            *("UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


def decimals(currency: str) -> int:
    return DECIMALS.get(currency.upper(), 2)


def price(amount: Amount, version: str, places: int = PLACES) -> Any:
    """An amount as Price: a number in 2.1.1, an object later. None when it cannot be expressed.

    A gross amount whose taxes nobody knows has no form: every version asks for the one before
    taxes.
    """
    net, gross = amount.before, amount.after
    if net is None:
        return None
    before = to_places(net, places)
    if version == V2_1_1:
        return before
    if version == V2_2_1:
        body = {"excl_vat": before}
        if gross is not None:
            body["incl_vat"] = to_places(gross, places)
        return body
    if gross is None:
        return {"before_taxes": before}
    due = to_places(gross, places) - before
    return {"before_taxes": before, "taxes": tax_amounts(amount, due, places)}


def tax_amounts(amount: Amount, due: Decimal, places: int) -> list[dict[str, Any]]:
    """The taxes, one entry per rate. Together they are exactly what is due after rounding."""
    taxes = amount.taxes or ()
    rounded = [to_places(item.amount, places) for item in taxes]
    if rounded:
        largest = max(range(len(rounded)), key=lambda place: abs(rounded[place]))
        rounded[largest] += due - sum(rounded)
    entries = []
    for item, value in zip(taxes, rounded, strict=True):
        entry: dict[str, Any] = {"name": item.tax.name}
        if item.tax.account_number is not None:
            entry["account_number"] = item.tax.account_number
        entry["percentage"] = number(item.tax.percentage)
        entry["amount"] = value
        entries.append(entry)
    return entries


@lru_cache(maxsize=512)
def number(value: Fraction) -> Decimal:
    """A rate without trailing zeros."""
    plain = to_places(value, PLACES).normalize()
    return plain.quantize(Decimal(1)) if plain == plain.to_integral_value() else plain


def totals(priced: Priced, version: str | None = None) -> dict[str, Any]:
    """The totals of a CDR, by the names and in the shape of a version.

    2.1.1 knows none of the partial costs. Parts without any price component are left out.
    """
    version = version or priced.version
    body = {TOTAL: price(due(priced), version, decimals(priced.currency))}
    if version != V2_1_1:
        body |= {str(part): price(amount, version) for part, amount in priced.parts.items()}
    body["total_energy"] = in_kwh(priced.energy)
    body["total_time"] = in_hours(priced.charging + priced.parking)
    if priced.parking:
        body["total_parking_time"] = in_hours(priced.parking)
    return {name: value for name, value in body.items() if value is not None}


def expected(priced: Priced) -> dict[str, Any]:
    """All totals as text with four decimals, whatever the version; null where there is none."""
    parts = {str(part): plain(priced.parts.get(part)) for part in Part}
    return {TOTAL: plain(due(priced)), **parts}


def due(priced: Priced) -> Amount:
    """What the total cost should say: a credit CDR takes back what the session costs (CDR-06)."""
    total = priced.total
    if not priced.record.is_credit:
        return total
    return total._replace(net=negative(total.net), gross=negative(total.gross))


def negative(ratio: Ratio | None) -> Ratio | None:
    return None if ratio is None else (-ratio[0], ratio[1])


def plain(amount: Amount | None) -> dict[str, str | None] | None:
    if amount is None:
        return None
    return {"excl_vat": digits(amount.net), "incl_vat": digits(amount.gross)}


def digits(value: Exact | Ratio | None) -> str | None:
    return None if value is None else fixed(value, PLACES)
