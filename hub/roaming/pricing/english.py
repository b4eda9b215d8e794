"""What a driver pays, in plain English: ``explain``.

Per dimension the elements are told in their order, the first that applies counts; those that never
can are for ``lint`` to tell. What a tariff leaves unsaid (VAT, a price at other times) is said to
be so.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from hub.roaming.pricing import coverage
from hub.roaming.pricing.components import Component, Dimension
from hub.roaming.pricing.quantities import DAY, HOUR, Exact, rounded, to_places
from hub.roaming.pricing.restrictions import EPOCH_DAY, WEEKDAYS, Restrictions, hh_mm
from hub.roaming.pricing.tariffs import (
    CANCELLATION,
    Candidate,
    Document,
    Limit,
    Phase,
    Tariff,
    TaxIncluded,
    read,
)

MINUTE = 60
FREE = "free"
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
    TaxIncluded.NO: "Prices do not include taxes.",
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
    texts = [heading(tariff)]
    if tariff.min_price or any(part.price for part in tariff.components):
        texts.append(taxes(tariff))
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
    if stepped := rounded_up(tariff):
        said = listed(stepped)
        texts.append(f"Rounded up to full steps once per session, at its end: {said}.")
    return "\n".join(texts) + "\n"


def rounded_up(tariff: Tariff) -> list[str]:
    """What is billed in steps, as it is rounded up together (PRICE-31, PRICE-34, PRICE-35)."""
    charging = priced(tariff, Phase.CHARGING, Dimension.TIME)
    parking = priced(tariff, Phase.PARKING, Dimension.PARKING_TIME)
    one = "charging time" if charging else "parking time"
    both = "charging or parking time (whichever comes last)"
    groups = (
        ("energy", priced(tariff, Phase.CHARGING, Dimension.ENERGY)),
        (both if charging and parking else one, charging + parking),
        ("reserved time", priced(tariff, Phase.EXPIRED, Dimension.TIME)),
    )
    return [text for text, parts in groups if any(steps(part) for part in parts)]


def priced(tariff: Tariff, phase: Phase, dimension: Dimension) -> list[Component]:
    return [part for part, _, _ in tariff.candidates[phase][dimension] if part.price]


def listed(texts: Sequence[str]) -> str:
    return f"{', '.join(texts[:-1])} and {texts[-1]}" if len(texts) > 1 else texts[0]


def heading(tariff: Tariff) -> str:
    owner = "*".join(part for part in tariff.party if part)
    name = f"Tariff {tariff.id}" + (f" of {owner}" if owner else "")
    audience = "for every session"
    if tariff.type is not None:
        audience = AUDIENCES.get(tariff.type, f"for sessions of the type {tariff.type}")
    return f"{name}, in {tariff.currency}, {audience}."


def taxes(tariff: Tariff) -> str:
    text = TAXES[tariff.tax_included]
    if tariff.tax_included is TaxIncluded.NO and not tells_vat(tariff):
        return f"{text} Which ones apply is not stated."
    return text


def tells_vat(tariff: Tariff) -> bool:
    return any(part.price and part.vat is not None for part in tariff.components)


def validity(tariff: Tariff) -> str:
    start = f" from {clock(tariff.start)}" if tariff.start is not None else ""
    end = f" until {clock(tariff.end)}" if tariff.end is not None else ""
    return f"Valid{start}{end}."


def clock(moment: Exact) -> str:
    """An instant for people. The zone is that of the location, which a tariff does not tell."""
    number, seconds = divmod(rounded(moment), DAY)
    return f"{day(number)} {hh_mm(seconds)} UTC"


def told(tariff: Tariff, candidates: Sequence[Candidate], dimension: Dimension) -> list[str]:
    """One dimension: a line when it is simple, a list when it depends."""
    if not candidates:
        return []
    title = TITLES[dimension]
    prices = possible(tariff, candidates)
    amounts = {what for _, what in prices}
    if amounts <= {FREE}:
        return [f"{title}: {FREE}."]
    always, is_fee = not prices[-1][0], dimension is Dimension.FLAT
    if always and (len(prices) == 1 or (len(amounts) == 1 and not is_fee)):
        return [f"{title}: {prices[0][1]}."]
    is_long = len(prices) - always > 1
    texts = [f"{title}, the first of these that applies:" if is_long else f"{title}:"]
    if is_fee:
        texts = ["Fees, each charged once, when it first comes to apply:"]
    texts += [f"  - {when or 'otherwise'}: {what}" for when, what in prices]
    if not always and not is_fee and leaves_gaps(candidates):
        texts.append("  - otherwise: nothing")
    return texts


def leaves_gaps(candidates: Sequence[Candidate]) -> bool:
    """Is there a case for which no candidate is meant? So it is said where they are too many."""
    found = coverage.walk(candidates)
    return found is None or found.gap is not None


def possible(tariff: Tariff, candidates: Sequence[Candidate]) -> list[tuple[str, str]]:
    """When which price applies, up to the first that always does: its condition is empty."""
    found = []
    for part, element, tests in candidates:
        if element.restrictions.contradictions:
            continue
        found.append((conditions(element.restrictions) if tests else "", amount(tariff, part)))
        if not found[-1][0]:
            break
    return found


def reservations(tariff: Tariff) -> list[str]:
    kinds = {element.restrictions.purpose for element in tariff.elements}
    costs = {
        phase: [
            text
            for dimension in (Dimension.FLAT, Dimension.TIME)
            for text in reserved(tariff, phase, dimension)
        ]
        for phase in RESERVATIONS
    }
    titles = dict(RESERVATIONS)
    if costs[Phase.EXPIRED] == costs[Phase.RESERVATION]:
        titles[Phase.RESERVATION] = "A reservation, used or not"
        del titles[Phase.EXPIRED]
    if CANCELLATION not in kinds:
        del titles[Phase.CANCELLED]
    return [
        text
        for phase, title in titles.items()
        if costs[phase]
        for text in (f"{title}:", *(f"  - {cost}" for cost in costs[phase]))
    ]


def reserved(tariff: Tariff, phase: Phase, dimension: Dimension) -> list[str]:
    texts = []
    kind = "fee" if dimension is Dimension.FLAT else "time"
    for when, what in possible(tariff, tariff.candidates[phase][dimension]):
        texts.append(f"{kind}, {when}: {what}" if when else f"{kind}: {what}")
    return texts


def amount(tariff: Tariff, part: Component) -> str:
    if part.price == 0:
        return FREE
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
        return " without VAT" if not is_gross and tells_vat(tariff) else ""
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
        dates(rules),
        weekdays(rules.day_of_week),
        window(rules),
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
    if start > end and rules.has_days:  # which night of a day is meant must not be left to guess
        return f"before {hh_mm(end)} and from {hh_mm(start)}"
    return f"from {hh_mm(start)} to {hh_mm(end)}"


def weekdays(days: frozenset[int]) -> str:
    if not days or len(days) == len(WEEKDAYS):
        return ""
    if days == WORKING_WEEK:
        return "on Mondays to Fridays"
    if days == WEEKEND:
        return "on Saturdays and Sundays"
    return f"on {listed([f'{WEEKDAYS[day].capitalize()}s' for day in sorted(days)])}"


def dates(rules: Restrictions) -> str:
    """The end date is exclusive; people mean the last day."""
    if rules.start_date is not None and rules.end_date == rules.start_date + 1:
        return f"on {day(rules.start_date)}"
    texts = []
    if rules.start_date is not None:
        texts.append(f"from {day(rules.start_date)}")
    if rules.end_date is not None:
        texts.append(f"{'to' if texts else 'up to'} {day(rules.end_date - 1)}")
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
    least, most = (None if limit is None else f"{limit.normalize():f}" for limit in (low, high))
    if most is None:
        return f"at {least} {unit} and more"
    if not low:
        return f"below {most} {unit}"
    return f"from {least} to below {most} {unit}"
