"""What is wrong, unreachable or ambiguous in a tariff: ``lint``."""

import re
from collections.abc import Iterator, Mapping

from hub.roaming.pricing import reach
from hub.roaming.pricing.components import Component, Dimension
from hub.roaming.pricing.english import AUDIENCES
from hub.roaming.pricing.findings import Finding, Level
from hub.roaming.pricing.quantities import HOUR, Unreadable, fraction
from hub.roaming.pricing.records import V2_1_1, V2_3_0
from hub.roaming.pricing.restrictions import Restrictions, hh_mm
from hub.roaming.pricing.tariffs import (
    RESERVABLE,
    Document,
    Element,
    Phase,
    Tariff,
    TaxIncluded,
    read,
)

LAST_MINUTE = HOUR - 60
HUNDRED = 100
NUMBER = re.compile(r"\b[0-9]{1,6}[.,][0-9]{1,6}\b")
MOST_TEXT = 2000
# A step beyond this is felt: a quarter of an hour, or half a kWh.
LONG_STEP = {Dimension.TIME: 900, Dimension.PARKING_TIME: 900, Dimension.ENERGY: 500}


def lint(document: Document, *, ocpi_version: str | None = None) -> list[Finding]:
    """Everything that can be said without knowing a session. Never raises for what it reads."""
    try:
        tariff = read(document)
    except Unreadable as error:
        return [Finding(Level.ERROR, "unreadable", str(error))]
    findings = [
        *missing(document, ocpi_version),
        *whole_tariff(tariff),
        *taxes_said(document, ocpi_version),
        *texts(tariff, document),
    ]
    for element in tariff.elements:
        findings += own_faults(element)
        findings += prices(element, tariff)
    return [*findings, *fees(tariff), *reach.find(tariff)]


def missing(document: Document, ocpi_version: str | None) -> Iterator[Finding]:
    """In 2.1.1 only the URL says whose tariff it is; one without an owner is taken for such."""
    owner = ("country_code", "party_id")
    is_old = ocpi_version == V2_1_1 if ocpi_version else not any(document.get(of) for of in owner)
    for name in ("id", "last_updated") if is_old else (*owner, "id", "last_updated"):
        if not document.get(name):
            yield Finding(Level.WARNING, "missing_field", f"{name} is missing.")


def whole_tariff(tariff: Tariff) -> Iterator[Finding]:
    if len(tariff.currency) != 3 or not tariff.currency.isalpha():  # noqa: PLR2004 - ISO 4217
        yield Finding(
            Level.ERROR, "bad_currency", f"{tariff.currency!r} is not a currency of ISO 4217."
        )
    if tariff.type is not None and tariff.type not in AUDIENCES:
        yield Finding(Level.ERROR, "unknown_type", f"{tariff.type[:40]!r} is no TariffType.")
    if tariff.start is not None and tariff.end is not None and tariff.start >= tariff.end:
        yield Finding(Level.ERROR, "never_in_force", "The tariff ends before it starts.")
    yield from limits(tariff)
    yield from rates(tariff)


def taxes_said(document: Document, ocpi_version: str | None) -> Iterator[Finding]:
    """Only OCPI 2.3.0 has ``tax_included``; without a version the names of the limits tell it."""
    bounds = [document.get(name) for name in ("min_price", "max_price")]
    is_new = any(isinstance(bound, Mapping) and "before_taxes" in bound for bound in bounds)
    is_new = is_new if ocpi_version is None else ocpi_version == V2_3_0
    if is_new and document.get("tax_included") is None:
        yield Finding(
            Level.ERROR, "tax_included_missing", "tax_included is missing; NO is assumed."
        )


def texts(tariff: Tariff, document: Document) -> Iterator[Finding]:
    """The alternative text is for what the elements do not say (TAR-04)."""
    known = {part.price for part in tariff.components if part.price}
    items = document.get("tariff_alt_text")
    for item in items if isinstance(items, list) else ():
        said = item.get("text") if isinstance(item, Mapping) else None
        found = NUMBER.findall(said[:MOST_TEXT]) if isinstance(said, str) else []
        if any(fraction(number.replace(",", "."), "text") in known for number in found):
            yield Finding(
                Level.ADVICE,
                "text_repeats_prices",
                "tariff_alt_text repeats a price of the elements.",
            )
            return


def limits(tariff: Tariff) -> Iterator[Finding]:
    low, high = tariff.min_price, tariff.max_price
    for side in ("before", "after"):
        least, most = (getattr(limit, side, None) for limit in (low, high))
        if least is not None and most is not None and least > most:
            yield Finding(
                Level.ERROR, "limits_crossed", f"min_price is above max_price ({side} taxes)."
            )
    for name, limit in (("min_price", low), ("max_price", high)):
        if limit is None:
            continue
        if limit.before is None:
            yield Finding(
                Level.WARNING, "limit_without_net", f"{name} does not say its value before taxes."
            )
        elif limit.after is not None and limit.after < limit.before:
            yield Finding(
                Level.WARNING, "limit_below_net", f"{name} is lower after taxes than before."
            )


def rates(tariff: Tariff) -> Iterator[Finding]:
    priced = [part for part in tariff.components if part.price != 0]
    silent = [part for part in priced if part.vat is None]
    is_mixed = 0 < len(silent) < len(priced)
    if tariff.tax_included is TaxIncluded.NOT_APPLICABLE and len(silent) < len(priced):
        yield Finding(
            Level.WARNING, "vat_without_tax", "tax_included is N/A, but components name a VAT rate."
        )
    elif tariff.tax_included is TaxIncluded.YES and silent:
        yield Finding(
            Level.WARNING,
            "gross_without_rate",
            "Prices include taxes, but not every component says how much: the price before taxes"
            " cannot be told.",
        )
    elif is_mixed:
        yield Finding(
            Level.WARNING,
            "vat_mixed",
            "Some components name a VAT rate and some do not; those are taken as free of VAT.",
        )


def own_faults(element: Element) -> Iterator[Finding]:
    """What is wrong with the restrictions of one element, whatever the others are."""
    rules, number = element.restrictions, element.number
    if not element.components:
        yield Finding(Level.ERROR, "no_components", "The element has no price components.", number)
    for name in rules.unknown:
        yield Finding(
            Level.ERROR,
            "unknown_restriction",
            f"The restriction {name[:40]!r} is not known; the element is never applied.",
            number,
        )
    yield from empty_ranges(rules, number)
    yield from hours(rules, number)
    allowed = RESERVABLE if rules.purpose is not None else frozenset(Dimension)
    for part in element.components:
        if part.dimension not in allowed:
            yield Finding(
                Level.ERROR,
                "not_for_reservations",
                f"An element for reservations cannot have a price for {part.dimension}.",
                number,
            )


def empty_ranges(rules: Restrictions, number: int) -> Iterator[Finding]:
    for low_name, high_name in rules.contradictions:
        hint = (
            ": end_date is the first day on which the element no longer applies"
            if low_name == "start_date"
            else ""
        )
        yield Finding(
            Level.ERROR,
            "never_matches",
            f"The element never applies, {low_name} is not below {high_name}{hint}.",
            number,
        )


def hours(rules: Restrictions, number: int) -> Iterator[Finding]:
    start, end = rules.start_time, rules.end_time
    if end is not None and end % HOUR == LAST_MINUTE:
        yield Finding(
            Level.WARNING,
            "last_minute",
            f"end_time is exclusive: {hh_mm(end)} leaves out one minute; write {hh_mm(end + 60)}.",
            number,
        )
    if start is not None and start == end and start != 0:
        yield Finding(
            Level.WARNING,
            "same_times",
            f"start_time and end_time are both {hh_mm(start)}; taken as the whole day.",
            number,
        )
    if rules.window is not None and rules.window[0] > rules.window[1] and rules.has_days:
        yield Finding(
            Level.WARNING,
            "night_and_days",
            "The hours go past midnight and days are restricted too: each is tested by itself, so"
            " the hours after midnight belong to the day they are on.",
            number,
        )


def prices(element: Element, tariff: Tariff) -> Iterator[Finding]:
    seen: set[Dimension] = set()
    for part in element.components:
        if part.dimension in seen:
            yield Finding(
                Level.ERROR,
                "second_component",
                f"The element has a second price for {part.dimension}, which is never used.",
                element.number,
            )
        seen.add(part.dimension)
        yield from price(part)


def price(part: Component) -> Iterator[Finding]:
    number = part.element
    if part.price < 0:
        yield Finding(
            Level.WARNING, "negative_price", f"The price for {part.dimension} is negative.", number
        )
    if part.vat is not None and (part.vat < 0 or part.vat >= HUNDRED):
        yield Finding(Level.ERROR, "bad_vat", "vat is not a percentage of VAT.", number)
    elif part.vat is not None and 0 < part.vat < 1:
        yield Finding(
            Level.WARNING,
            "vat_is_a_fraction",
            f"vat is {float(part.vat):g}, that is {float(part.vat):g} percent. Perhaps"
            f" {float(part.vat * HUNDRED):g} was meant.",
            number,
        )
    if part.dimension is not Dimension.FLAT and part.step > 1:
        is_long = part.step > LONG_STEP[part.dimension]
        yield Finding(
            Level.WARNING if is_long else Level.ADVICE,
            "step_size",
            f"{part.dimension} is billed in steps of {part.step}; 1 is what OCPI recommends.",
            number,
        )


def fees(tariff: Tariff) -> Iterator[Finding]:
    """Several fees in one session surprise people, and are left undefined by the text."""
    found = tariff.candidates[Phase.CHARGING][Dimension.FLAT]
    restricted = [element.number for part, element, tests in found if tests and part.price]
    others = [element.number for part, element, tests in found if not tests and part.price]
    if restricted and len(restricted) + len(others) > 1:
        names = ", ".join(map(str, restricted + others))
        yield Finding(
            Level.WARNING,
            "several_fees",
            f"The fees of elements {names} can all be charged in one session, each when it first"
            " applies.",
        )
