"""Prices and tariffs between OCPI 2.2.1 and 2.3.0.

Prices: 2.2.1 says ``excl_vat`` and perhaps ``incl_vat``; 2.3.0 says ``before_taxes`` and lists
taxes. The difference becomes one tax called VAT, and taxes become one sum. Price limits only change
their names.

Tariffs: 2.2.1 prices always exclude VAT, which 2.3.0 calls ``tax_included`` NO. Where it is YES,
prices are reduced by the VAT that each component names; a tariff with a component that names none
cannot be expressed. Where it is N/A the VAT is left out. An element for bookings only is left out
whole: without its restriction it would always apply.
"""

from decimal import Context, Decimal
from typing import Any

from hub.ocpi.schemas import tariffs, v2_2_1
from hub.ocpi.versions.base import Document, NotExpressible, Trail
from hub.ocpi.versions.rewriting import (
    ABSENT,
    each,
    early,
    in_turn,
    put,
    renamed,
    required,
    some,
    within,
    without,
)

VAT = "VAT"
NEWER_LIMIT = {"excl_vat": "before_taxes", "incl_vat": "after_taxes"}
OLDER_LIMIT = {newer: older for older, newer in NEWER_LIMIT.items()}
LIMITS = ("min_price", "max_price")

# Wide enough that sums and differences of any two JSON numbers are exact.
EXACT = Context(prec=1000)
# The decimals that OCPI gives a number (TRANSPORT-95); only a division needs to be told.
FOUR_DECIMALS = Decimal("0.0001")


def upgrade_price(price: Document, trail: Trail) -> Document:
    excl_vat, incl_vat = price.get("excl_vat"), price.get("incl_vat")
    newer: Document = {"before_taxes": excl_vat}
    if incl_vat is not None:
        newer["taxes"] = [{"name": VAT, "amount": difference(incl_vat, excl_vat)}]
        if total(excl_vat, newer["taxes"]) != incl_vat:
            newer["incl_vat"] = incl_vat  # too far apart for one number to hold the difference
    for name in {"before_taxes", "taxes"} & price.keys():
        trail.at(name).lose("means something else in the newer version")
    return newer | {name: value for name, value in price.items() if name not in PRICE_MEMBERS}


def downgrade_price(price: Document, trail: Trail) -> Document:
    before_taxes, taxes = price.get("before_taxes"), price.get("taxes") or []
    older: Document = {"excl_vat": before_taxes}
    if is_carried(price):
        older["incl_vat"] = price["incl_vat"]
    elif taxes:
        older["incl_vat"] = total(before_taxes, taxes)
        if difference(older["incl_vat"], before_taxes) != number(tax_sum(taxes)):
            trail.at("taxes").lose("the sum is rounded to what a number can hold")
    if len(taxes) > 1 or any(
        tax.keys() != {"name", "amount"} or tax["name"] != VAT for tax in taxes
    ):
        trail.at("taxes").lose("this version knows one VAT only")
    return older | {name: value for name, value in price.items() if name not in PRICE_MEMBERS}


def is_carried(price: Document) -> bool:
    """Whether ``incl_vat`` is what ``upgrade_price`` left there, and not a stranger of its name."""
    incl_vat = price.get("incl_vat")
    if isinstance(incl_vat, bool) or not isinstance(incl_vat, int | float | Decimal):
        return False
    vat = {"name": VAT, "amount": difference(incl_vat, price["before_taxes"])}
    return price.get("taxes") == [vat]


PRICE_MEMBERS = {"excl_vat", "incl_vat", "before_taxes", "taxes"}


def difference(one: Any, other: Any) -> int | float:
    return number(EXACT.subtract(exact(one), exact(other)))


def total(before_taxes: Any, taxes: list[Document]) -> int | float:
    return number(EXACT.add(exact(before_taxes), tax_sum(taxes)))


def tax_sum(taxes: list[Document]) -> Decimal:
    result = Decimal(0)
    for tax in taxes:
        result = EXACT.add(result, exact(tax["amount"]))
    return result


def exact(value: Any) -> Decimal:
    """A JSON number as it is written."""
    return value if isinstance(value, Decimal) else Decimal(repr(value))


def number(value: Decimal) -> int | float:
    """The shortest JSON number that says it."""
    return int(value) if value == value.to_integral_value() else float(value)


def say_tax_excluded(tariff: Document, trail: Trail) -> Document:
    """In a PATCH without elements nothing is said about prices."""
    if not tariff.get("elements"):
        return tariff
    if tariff.get("tax_included", "NO") != "NO":
        trail.at("tax_included").lose("prices exclude VAT in the older version")
    return put(tariff, {"tax_included": "NO"})


def exclude_tax(tariff: Document, trail: Trail) -> Document:
    match tariff.get("tax_included"):
        case "YES":
            components = [
                component
                for element in tariff.get("elements") or ()
                for component in element["price_components"]
            ]
            if not all(is_reducible(component) for component in components):
                raise NotExpressible("prices include taxes, and not every component names its VAT")
            trail.at("tax_included").lose("prices are said without VAT in this version")
            tariff = COMPONENTS_NET(tariff, trail)
        case "N/A":
            trail.at("tax_included").lose("this version does not say that no taxes apply")
            tariff = COMPONENTS_WITHOUT_VAT(tariff, trail)
    return put(tariff, {"tax_included": ABSENT}) if "tax_included" in tariff else tariff


def is_reducible(component: Document) -> bool:
    vat = component.get("vat")
    return vat is not None and exact(vat) > -100  # noqa: PLR2004 - per cent


def net(component: Document, trail: Trail) -> Document:
    """The price without its VAT, rounded to the decimals of OCPI."""
    price = exact(component["price"]) / (1 + exact(component["vat"]) / 100)
    rounded = price if exact(component["vat"]) == 0 else price.quantize(FOUR_DECIMALS)
    if rounded != price:
        trail.at("price").lose("the price without VAT is rounded to four decimals")
    return put(component, {"price": number(rounded)})


def without_booking(element: Document, trail: Trail) -> Document:
    if (element.get("restrictions") or {}).get("booking") is not None:
        raise NotExpressible("restrictions to bookings are unknown in this version")
    return element


COMPONENTS_NET = each("elements", change=each("price_components", change=net))
COMPONENTS_WITHOUT_VAT = each("elements", change=each("price_components", change=without("vat")))

ENERGY_MIX = within(
    "energy_mix",
    change=each(
        "environ_impact",
        change=required("category", v2_2_1.ENVIRONMENTAL_IMPACT_CATEGORY.values),
    ),
)

upgrade_tariff = in_turn(
    within(*LIMITS, change=renamed(NEWER_LIMIT)),
    say_tax_excluded,
    each(
        "elements",
        change=within("restrictions", change=early(tariffs.TariffRestrictions, "booking")),
    ),
    early(tariffs.Tariff, "preauthorize_amount"),
)

downgrade_tariff = in_turn(
    some("elements", change=without_booking),
    exclude_tax,
    within(*LIMITS, change=renamed(OLDER_LIMIT)),
    ENERGY_MIX,
    without("preauthorize_amount"),
)
