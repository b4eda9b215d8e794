"""Which element of a tariff applies where: a walk over all cases that restrictions tell apart.

Between two neighbouring limits nothing changes, so one sample of each interval stands for all of
it, and one of each weekday in a range of dates. The samples of all axes multiply; a tariff for
which they would be too many is not walked through, and its questions stay open.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from math import prod
from typing import Any

from hub.roaming.pricing.components import Component
from hub.roaming.pricing.quantities import DAY, KILOWATT_HOUR
from hub.roaming.pricing.restrictions import EPOCH_DAY, UNKNOWN, Moment, Span, hh_mm
from hub.roaming.pricing.tariffs import Candidate
from hub.roaming.pricing.timeline import matching

MOST_SAMPLES = 60_000
WEEK = 7


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the walk found out about the candidates for one dimension.

    ``used`` are the components that apply somewhere, ``only_unmeasured`` those which do so only
    while current or power is unknown. ``gap`` is a moment at which none applies, if there is one.
    """

    used: frozenset[Component]
    only_unmeasured: frozenset[Component]
    gap: Moment | None


def walk(candidates: Sequence[Candidate]) -> Coverage | None:
    """None when there are too many cases."""
    axes: list[Sequence[Any]] = [
        days(candidates),
        clocks(candidates),
        limits(candidates, "min_kwh", "max_kwh"),
        limits(candidates, "min_duration", "max_duration"),
        spans(candidates, "min_current", "max_current"),
        spans(candidates, "min_power", "max_power"),
    ]
    if prod(len(axis) for axis in axes) > MOST_SAMPLES:
        return None
    measured: set[Component] = set()
    unmeasured: set[Component] = set()
    gap: Moment | None = None
    for moment in moments(axes):
        is_measured = (moment.current is not UNKNOWN or len(axes[4]) == 1) and (
            moment.power is not UNKNOWN or len(axes[5]) == 1
        )
        found = matching(candidates, moment)
        if found is not None:
            (measured if is_measured else unmeasured).add(found)
        elif is_measured and gap is None:
            gap = moment
    return Coverage(frozenset(measured | unmeasured), frozenset(unmeasured - measured), gap)


def moments(axes: Sequence[Sequence[Any]]) -> Iterator[Moment]:
    for day, clock, energy, elapsed, current, power in itertools.product(*axes):
        yield Moment(elapsed, energy, clock, day, current, power)


def days(candidates: Sequence[Candidate]) -> list[int]:
    """Up to a week from each date on which something changes, and a week before the first."""
    all_rules = [element.restrictions for _, element, _ in candidates]
    dates = {rules.start_date for rules in all_rules} | {rules.end_date for rules in all_rules}
    borders = sorted(date for date in dates if date is not None)
    weekly = any(rules.day_of_week for rules in all_rules)
    if not borders:
        return list(range(WEEK)) if weekly else [0]
    found = set(range(borders[0] - WEEK, borders[0]))
    for border in borders:
        found |= set(range(border, border + WEEK))
    if weekly:
        return sorted(found)
    return [borders[0] - 1, *borders]


def clocks(candidates: Sequence[Candidate]) -> list[int]:
    windows = [element.restrictions.window for _, element, _ in candidates]
    marks = {moment % DAY for window in windows if window is not None for moment in window}
    return sorted({0} | marks)


def limits(candidates: Sequence[Candidate], *names: str) -> list[int]:
    """From zero and from each limit on."""
    values = {getattr(element.restrictions, name) for _, element, _ in candidates for name in names}
    return sorted({0} | {value for value in values if value is not None and value > 0})


def spans(candidates: Sequence[Candidate], *names: str) -> list[Span]:
    values = {
        getattr(element.restrictions, name) for _, element, _ in candidates for name in names
    } - {None}
    if not values:
        return [UNKNOWN]
    lowest = min(values) - 1
    steady = [Span(average=value) for value in sorted({lowest, Decimal(0), *values})]
    return [UNKNOWN, *steady]


def described(moment: Moment, candidates: Sequence[Candidate]) -> str:
    """A moment in words, as far as the candidates care."""
    rules = [element.restrictions for _, element, _ in candidates]
    parts = []
    if any(item.has_days for item in rules):
        parts.append(
            on_day(moment.day, exact=any(item.start_date or item.end_date for item in rules))
        )
    if any(item.window for item in rules):
        parts.append(f"at {hh_mm(int(moment.clock))}")
    if any(item.min_kwh is not None or item.max_kwh is not None for item in rules):
        parts.append(f"after {float(moment.energy / KILOWATT_HOUR):g} kWh")
    if any(item.min_duration is not None or item.max_duration is not None for item in rules):
        parts.append(f"after {int(moment.elapsed)} s")
    for span, unit in ((moment.current, "A"), (moment.power, "kW")):
        value = span.typical()
        if value is not None:
            parts.append(f"at {value:f} {unit}")
    return ", ".join(parts) or "ever"


def on_day(day: int, *, exact: bool) -> str:
    when = EPOCH_DAY + timedelta(days=day)
    return when.isoformat() if exact else f"on a {when:%A}"
