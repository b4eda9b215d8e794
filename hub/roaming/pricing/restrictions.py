"""When a tariff element applies (PRICE-06 … PRICE-16).

A restriction is read once and becomes a test of a single moment in the session. All tests of an
element must succeed. What a test needs to know and nobody measured fails it: an element for 22 kW
and more does not apply while the power is unknown (PRICE-15).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hub.roaming.pricing.quantities import (
    DAY,
    HOUR,
    Exact,
    Unreadable,
    decimal,
    energy,
    whole,
)

WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
TIME_OF_DAY = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?")
END_OF_DAY = {"24:00", "24:00:00"}
EPOCH_DAY = date(1970, 1, 1)
# Day 0 of 1970 was a Thursday; Monday is 0.
FIRST_WEEKDAY = 3

RESERVATION_KINDS = ("RESERVATION", "RESERVATION_EXPIRES")
BOOKING_KINDS = ("BOOKING", "BOOKING_EXPIRES", "BOOKING_CANCELLATION_FEES", "BOOKING_OVERTIME")

RANGES = (
    ("min_kwh", "max_kwh"),
    ("min_duration", "max_duration"),
    ("min_current", "max_current"),
    ("min_power", "max_power"),
    ("start_date", "end_date"),
)

KNOWN = frozenset(
    {
        *("start_time", "end_time", "start_date", "end_date", "day_of_week"),
        *("min_kwh", "max_kwh", "min_duration", "max_duration"),
        *("min_current", "max_current", "min_power", "max_power"),
        *("reservation", "booking"),
    }
)


@dataclass(frozen=True, slots=True)
class Span:
    """What is known of the current or power during a period: bounds and average, or nothing.

    ``estimate`` is what energy and time say of the average power. It decides between two stated
    bounds, but does not stand in for a measurement that is missing, unless the caller allowed that
    by giving it as ``average``.
    """

    low: Decimal | None = None
    high: Decimal | None = None
    average: Decimal | Fraction | None = None
    estimate: Fraction | None = None

    def reaches(self, limit: Decimal) -> bool | None:
        """Is the value at least ``limit``? None if unknown."""
        if self.low is not None and self.low >= limit:
            return True
        if self.high is not None and self.high < limit:
            return False
        value = self.typical()
        if isinstance(value, Fraction):
            return value >= Fraction(limit)
        return None if value is None else value >= limit

    def typical(self) -> Decimal | Fraction | None:
        if self.average is not None:
            return self.average
        if self.low is not None and self.high is not None:
            if self.estimate is not None:
                return self.estimate
            return (self.low + self.high) / 2
        return self.high if self.high is not None else self.low

    @property
    def is_unknown(self) -> bool:
        return self.typical() is None

    def straddles(self, limit: Decimal) -> bool:
        """Was the value below and above the limit in one period, which should have been two?"""
        return self.low is not None and self.high is not None and self.low < limit <= self.high


UNKNOWN = Span()


@dataclass(slots=True, eq=False)
class Moment:
    """Everything a restriction may ask about. ``day`` counts from 1970 in local time."""

    elapsed: Exact = 0
    energy: Exact = 0
    clock: Exact = 0
    day: int = 0
    current: Span = UNKNOWN
    power: Span = UNKNOWN


Test = Callable[[Moment], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Restrictions:
    """The restrictions of one element, in seconds, days since 1970 and millionths of a Wh."""

    start_time: int | None = None
    end_time: int | None = None
    start_date: int | None = None
    end_date: int | None = None
    day_of_week: frozenset[int] = frozenset()
    min_kwh: int | None = None
    max_kwh: int | None = None
    min_duration: int | None = None
    max_duration: int | None = None
    min_current: Decimal | None = None
    max_current: Decimal | None = None
    min_power: Decimal | None = None
    max_power: Decimal | None = None
    purpose: str | None = None
    unknown: tuple[str, ...] = ()

    @property
    def window(self) -> tuple[int, int] | None:
        """The hours of the day as (from, until); None when the whole day is meant.

        Until is at most 24:00, and before from when the window goes past midnight (PRICE-09).
        """
        if self.start_time is None and self.end_time is None:
            return None
        start, end = self.start_time or 0, self.end_time or DAY
        if start == end or (start, end) == (0, DAY):
            return None
        return start, end

    @property
    def has_days(self) -> bool:
        """Does the answer depend on the local date?"""
        dates = self.start_date, self.end_date
        return bool(self.day_of_week) or dates != (None, None)

    @property
    def contradictions(self) -> list[tuple[str, str]]:
        """Pairs of limits that leave nothing between them, by their names: it never applies."""
        found = []
        for low_name, high_name in RANGES:
            low, high = getattr(self, low_name), getattr(self, high_name)
            if low is not None and high is not None and low >= high:
                found.append((low_name, high_name))
        return found

    @property
    def is_local(self) -> bool:
        """Does it take the location's time zone to answer?"""
        return self.has_days or self.window is not None

    def tests(self) -> tuple[tuple[str, Test], ...]:
        """The tests with the names of the fields they stand for, cheap ones first."""
        found: list[tuple[str, Test]] = [(name, never) for name in self.unknown]
        for name, make in TESTS.items():
            value = getattr(self, name)
            if value is not None and value != frozenset():
                found.append((name, make(value)))
        return tuple(found)


# Lower bounds are inclusive and upper bounds exclusive (PRICE-09 … PRICE-14). Each looks at the
# moment itself, so a window past midnight on Fridays is Friday morning and Friday night (PRICE-10).
TESTS: Mapping[str, Callable[[Any], Test]] = {
    "min_kwh": lambda limit: lambda moment: moment.energy >= limit,
    "max_kwh": lambda limit: lambda moment: moment.energy < limit,
    "min_duration": lambda limit: lambda moment: moment.elapsed >= limit,
    "max_duration": lambda limit: lambda moment: moment.elapsed < limit,
    "window": lambda window: clock_test(*window),
    "start_date": lambda first: lambda moment: moment.day >= first,
    "end_date": lambda end: lambda moment: moment.day < end,
    "day_of_week": lambda days: lambda moment: (moment.day + FIRST_WEEKDAY) % 7 in days,
    "min_current": lambda limit: lambda moment: moment.current.reaches(limit) is True,
    "max_current": lambda limit: lambda moment: moment.current.reaches(limit) is False,
    "min_power": lambda limit: lambda moment: moment.power.reaches(limit) is True,
    "max_power": lambda limit: lambda moment: moment.power.reaches(limit) is False,
}


def never(moment: Moment) -> bool:
    """An element restricted by something this engine does not know is not applied."""
    return False


def clock_test(start: int, end: int) -> Test:
    if start < end:
        return lambda moment: start <= moment.clock < end
    return lambda moment: moment.clock >= start or moment.clock < end


def read(body: Any, where: str) -> Restrictions:
    """Read TariffRestrictions of any version; null means absent. Raises Unreadable."""
    if body is None:
        return Restrictions()
    if not isinstance(body, Mapping):
        raise Unreadable(f"{where} is not an object.")
    given = {name: value for name, value in body.items() if value is not None}
    return Restrictions(
        start_time=optional(time_of_day, given, "start_time", where),
        end_time=optional(time_of_day, given, "end_time", where),
        start_date=optional(calendar_day, given, "start_date", where),
        end_date=optional(calendar_day, given, "end_date", where),
        day_of_week=weekdays(given.get("day_of_week"), f"{where}.day_of_week"),
        min_kwh=optional(energy, given, "min_kwh", where),
        max_kwh=optional(energy, given, "max_kwh", where),
        min_duration=optional(whole, given, "min_duration", where),
        max_duration=optional(whole, given, "max_duration", where),
        min_current=optional(decimal, given, "min_current", where),
        max_current=optional(decimal, given, "max_current", where),
        min_power=optional(decimal, given, "min_power", where),
        max_power=optional(decimal, given, "max_power", where),
        purpose=purpose(given, where),
        unknown=tuple(sorted(str(name) for name in given if name not in KNOWN)),
    )


def optional(
    reader: Callable[[Any, str], Any], given: Mapping[str, Any], name: str, where: str
) -> Any:
    return reader(given[name], f"{where}.{name}") if name in given else None


def time_of_day(value: Any, where: str) -> int:
    """Seconds since local midnight."""
    text = value if isinstance(value, str) else ""
    if text in END_OF_DAY:
        return DAY
    match = TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise Unreadable(f"{where} is not a time of day.")
    hours, minutes, odd_seconds = match.groups(default="0")
    return int(hours) * HOUR + int(minutes) * 60 + int(odd_seconds)


def calendar_day(value: Any, where: str) -> int:
    try:
        return (date.fromisoformat(value) - EPOCH_DAY).days
    except (TypeError, ValueError):
        raise Unreadable(f"{where} is not a date.") from None


def weekdays(value: Any, where: str) -> frozenset[int]:
    if value is None:
        return frozenset()
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        raise Unreadable(f"{where} is not a list.")
    try:
        return frozenset(WEEKDAYS.index(str(name).upper()) for name in names)
    except ValueError:
        raise Unreadable(f"{where} names a day that does not exist.") from None


def purpose(given: Mapping[str, Any], where: str) -> str | None:
    """What an element prices if not a charging session: reservations and bookings."""
    for name, kinds in (("reservation", RESERVATION_KINDS), ("booking", BOOKING_KINDS)):
        if name not in given:
            continue
        if given[name] not in kinds:
            raise Unreadable(f"{where}.{name} is none of {', '.join(kinds)}.")
        return str(given[name])
    return None


def hh_mm(seconds: int) -> str:
    """A time of day as OCPI writes it; the end of the day is 00:00."""
    seconds %= DAY
    return f"{seconds // HOUR:02d}:{seconds % HOUR // 60:02d}"
