"""What a driver pays, in plain English: ``explain``.

Per dimension the elements are told in their order, the first that applies counts. What a tariff
leaves unsaid (VAT, a price at other times) is said to be so.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from hub.roaming.pricing.quantities import HOUR, Exact, date_time, to_places
from hub.roaming.pricing.restrictions import EPOCH_DAY, WEEKDAYS, Restrictions, hh_mm
from hub.roaming.pricing.tariffs import (
    Candidate,
    Component,
    Dimension,
    Document,
    Limit,
    Phase,
    Tariff,
    TaxIncluded,
    read,
)

MINUTE = 60
WORKING_WEEK, WEEKEND = frozenset(range(5)), frozenset({5, 6})

TITLES = {
    Dimension.FLAT: "Start fee",
    Dimension.ENERGY: "Energy",
    Dimension.TIME: "Charging time",
    Dimension.PARKING_TIME: "Parking time (connected, but not charging)",
}
UNITS = {
    Dimension.FLAT: "",
    Dimension.ENERGY: " per kWh",
    Dimension.TIME: " per hour",
    Dimension.PARKING_TIME: " per hour",
}
AUDIENCES = {
    "REGULAR": "for charging with a card or app, without a preference",
    "AD_HOC_PAYMENT": "for paying at the charging station",
    "PROFILE_CHEAP": "for sessions with the preference CHEAP",
    "PROFILE_FAST": "for sessions with the preference FAST",
    "PROFILE_GREEN": "for sessions with the preference GREEN",
}
TAXES = {
    TaxIncluded.YES: "Prices include taxes.",
    TaxIncluded.NO: "Taxes are added to these prices.",
    TaxIncluded.NOT_APPLICABLE: "No taxes apply.",
}
RESERVATIONS = {
    Phase.RESERVATION: "A reservation that is used",
    Phase.EXPIRED: "A reservation that expires",
    Phase.CANCELLED: "A booking that is cancelled",
    Phase.OVERTIME: "Time beyond a booked slot",
}


def explain(tariff: Document | Tariff) -> str:
    """The tariff in English, one fact a line. Raises Unreadable."""
    tariff = read(tariff)
    texts = [heading(tariff), TAXES[tariff.tax_included]]
    if tariff.start is not None or tariff.end is not None:
        texts.append(validity(tariff))
    for dimension in Dimension:
        texts += told(tariff, tariff.candidates[Phase.CHARGING][dimension], dimension)
    texts += reservations(tariff)
    texts += [
        text
        for text in (
            limit("at least", tariff.min_price, tariff.currency),
            limit("at most", tariff.max_price, tariff.currency),
        )
        if text
    ]
    if any(part.step > 1 for element in tariff.elements for part in element.components):
        texts.append(
            "Rounding up to full steps happens once per session, at its end: for energy, and for"
            " charging or parking time, whichever came last."
        )
    return "\n".join(texts) + "\n"


def heading(tariff: Tariff) -> str:
    owner = "*".join(part for part in tariff.party if part)
    name = f"Tariff {tariff.id}" + (f" of {owner}" if owner else "")
    audience = AUDIENCES.get(tariff.type or "", "for every session")
    return f"{name}, in {tariff.currency}, {audience}."


def validity(tariff: Tariff) -> str:
    start = f" from {date_time(tariff.start)}" if tariff.start is not None else ""
    end = f" until {date_time(tariff.end)}" if tariff.end is not None else ""
    return f"Valid{start}{end}."


def told(tariff: Tariff, candidates: Sequence[Candidate], dimension: Dimension) -> list[str]:
    """One dimension: a line when it is simple, a list when it depends."""
    if not candidates:
        return []
    title = TITLES[dimension]
    part, element, tests = candidates[0]
    if not tests:
        return [f"{title}: {amount(tariff, part)}."]
    is_fee = dimension is Dimension.FLAT
    texts = ["Fees, each charged once, when it first comes to apply:" if is_fee else f"{title}:"]
    for number, (part, element, tests) in enumerate(candidates):
        when = conditions(element.restrictions) if tests else ""
        start = "otherwise" if number else ""
        when = ", ".join(text for text in (start, when) if text)
        texts.append(f"  - {when}: {amount(tariff, part)}")
        if not tests:
            return texts
    if not is_fee:
        texts.append("  - otherwise: nothing")
    return texts


def reservations(tariff: Tariff) -> list[str]:
    texts = []
    for phase, title in RESERVATIONS.items():
        kinds = {element.restrictions.purpose for element in tariff.elements}
        if phase is Phase.CANCELLED and "BOOKING_CANCELLATION_FEES" not in kinds:
            continue
        costs = [
            text
            for dimension in (Dimension.FLAT, Dimension.TIME)
            for text in reserved(tariff, phase, dimension)
        ]
        if costs:
            texts += [f"{title}:", *(f"  - {text}" for text in costs)]
    return texts


def reserved(tariff: Tariff, phase: Phase, dimension: Dimension) -> list[str]:
    texts = []
    for part, element, tests in tariff.candidates[phase][dimension]:
        kind = "fee" if dimension is Dimension.FLAT else "time"
        when = f", {conditions(element.restrictions)}" if tests else ""
        texts.append(f"{kind}{when}: {amount(tariff, part)}")
        if not tests:
            break
    return texts


def amount(tariff: Tariff, part: Component) -> str:
    if part.price == 0:
        return "free"
    text = f"{money(part.price)} {tariff.currency}{UNITS[part.dimension]}"
    return text + tax(tariff, part) + steps(part)


def money(value: Fraction) -> str:
    places = 2
    while to_places(value, places) != value and places < 6:  # noqa: PLR2004 - nobody reads more
        places += 1
    return f"{to_places(value, places):f}"


def tax(tariff: Tariff, part: Component) -> str:
    if tariff.tax_included is TaxIncluded.NOT_APPLICABLE:
        return ""
    is_gross = tariff.tax_included is TaxIncluded.YES
    if part.vat is None:
        return "" if is_gross else " (VAT not stated)"
    rate = f"{percent(part.vat)}% VAT"
    if is_gross:
        return f" including {rate}"
    return f" plus {rate} = {money(part.price * (1 + part.vat / 100))}"


def percent(value: Fraction) -> str:
    return f"{to_places(value, 4).normalize():f}"


def steps(part: Component) -> str:
    if part.step <= 1 or part.dimension is Dimension.FLAT:
        return ""
    size = f"{part.step} Wh" if part.dimension is Dimension.ENERGY else duration(part.step)
    return f", in steps of {size}"


def duration(seconds: Exact) -> str:
    for unit, name in ((HOUR, "h"), (MINUTE, "min")):
        if seconds % unit == 0 and seconds:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def limit(words: str, bound: Limit | None, currency: str) -> str:
    if bound is None:
        return ""
    sides = []
    if bound.before is not None:
        sides.append(f"{money(bound.before)} {currency} before taxes")
    if bound.after is not None:
        sides.append(f"{money(bound.after)} {currency} after taxes")
    return f"A session costs {words} {' and '.join(sides)}." if sides else ""


def conditions(rules: Restrictions) -> str:
    """When an element applies."""
    texts = [
        window(rules),
        weekdays(rules.day_of_week),
        dates(rules),
        between(rules.min_kwh, rules.max_kwh, kwh, "kWh of the session"),
        between(rules.min_duration, rules.max_duration, duration, "of the session"),
        measured(rules.min_power, rules.max_power, "kW"),
        measured(rules.min_current, rules.max_current, "A"),
        *(f"under a condition not known here ({name})" for name in rules.unknown),
    ]
    return ", ".join(text for text in texts if text)


def window(rules: Restrictions) -> str:
    if rules.window is None:
        return ""
    start, end = rules.window
    if rules.end_time is None:
        return f"from {hh_mm(start)}"
    if rules.start_time is None:
        return f"until {hh_mm(end)}"
    return f"from {hh_mm(start)} to {hh_mm(end)}"


def weekdays(days: frozenset[int]) -> str:
    if not days or len(days) == len(WEEKDAYS):
        return ""
    if days == WORKING_WEEK:
        return "on Mondays to Fridays"
    if days == WEEKEND:
        return "on Saturdays and Sundays"
    names = [f"{WEEKDAYS[day].capitalize()}s" for day in sorted(days)]
    return "on " + (f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0])


def dates(rules: Restrictions) -> str:
    """The end date is exclusive; people mean the last day."""
    texts = []
    if rules.start_date is not None:
        texts.append(f"from {day(rules.start_date)}")
    if rules.end_date is not None:
        texts.append(f"to {day(rules.end_date - 1)}")
    return " ".join(texts)


def day(number: int) -> str:
    when = EPOCH_DAY + timedelta(days=number)
    return f"{when.day} {when:%B %Y}"


def kwh(value: int) -> str:
    return f"{to_places(Fraction(value, 10**9), 4).normalize():f}"


def between(low: int | None, high: int | None, shown: Callable[[int], str], what: str) -> str:
    if high is None:
        return f"after {shown(low)} {what}" if low else ""
    if not low:
        return f"in the first {shown(high)} {what}"
    return f"from {shown(low)} to {shown(high)} {what}"


def measured(low: Decimal | None, high: Decimal | None, unit: str) -> str:
    if low is None and high is None:
        return ""
    if high is None:
        return f"at {low} {unit} and more"
    if low is None:
        return f"below {high} {unit}"
    return f"from {low} to below {high} {unit}"
