"""What happened when: charging periods laid out in time.

A charging period is one stretch, or several where it states more than one kind of time:
reservation, then charging, then parking. What it does not state is not billed: a period without
TIME has no charging time, however long it lasted. Its length on the clock still counts for
restrictions.
"""

import itertools
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from hub.roaming.pricing.quantities import HOUR, KILOWATT_HOUR, Exact, coarse, tidy
from hub.roaming.pricing.records import Period, Record
from hub.roaming.pricing.restrictions import UNKNOWN, Span
from hub.roaming.pricing.tariffs import Phase

# A difference in seconds that hours with three decimals cannot express.
SNAP = 2

# A register reading: when, and how much energy had been consumed, in millionths of a Wh.
Reading = tuple[Exact, Exact]


@dataclass(slots=True, eq=False)
class Stretch:
    """A part of one period in one phase. ``seconds`` and ``energy`` are None when not stated."""

    period: int
    phase: Phase
    start: Exact
    length: Exact
    seconds: Exact | None
    energy: Exact | None = None
    current: Span = UNKNOWN
    power: Span = UNKNOWN


def lay_out(record: Record, unused: Phase) -> list[Stretch]:
    """One stretch per period and kind of time.

    ``unused`` is the phase of a reservation that no charging followed.
    """
    periods = record.periods
    phase = unused if all(period.only_reserves for period in periods) else Phase.RESERVATION
    ends = [*(period.start for period in periods[1:]), record.end]
    return [
        stretch
        for number, (period, end) in enumerate(zip(periods, ends, strict=True))
        for stretch in parts_of(number, period, end, phase)
    ]


def parts_of(number: int, period: Period, end: Exact | None, reserved: Phase) -> list[Stretch]:
    """A period as stretches; when it states several times, they share its length on the clock."""
    wall: Exact = 0 if end is None else max(end - period.start, 0)
    times = stated_times(period, reserved)
    if len(times) == 1:
        stretches = [single(number, period, wall, times[0])]
    else:
        stretches = several(number, period, wall, times)
    if period.overtime:
        overtime = Stretch(number, Phase.OVERTIME, period.start, wall, period.overtime)
        stretches.append(overtime)
    return stretches


def stated_times(period: Period, reserved: Phase) -> list[tuple[Phase, int | None]]:
    """The kinds of time of a period in the order in which they happen.

    Zeros do not make a phase of their own, but a period always has one: charging, unless it states
    only parking or only reservation.
    """
    times: list[tuple[Phase, int | None]] = []
    if period.expired:
        times.append((Phase.EXPIRED, period.expired))
    elif period.reserved:
        times.append((reserved, period.reserved))
    only_energy = period.energy and not period.used
    if period.charging or only_energy or not (times or period.parking):
        times.append((Phase.CHARGING, period.charging))
    if period.parking:
        times.append((Phase.PARKING, period.parking))
    return times


def single(number: int, period: Period, wall: Exact, time: tuple[Phase, int | None]) -> Stretch:
    """The usual period: one kind of time, as long as the clock says."""
    phase, seconds = time
    length = wall or seconds or 0
    if seconds is not None and seconds != wall and is_imprecise(period, seconds, wall):
        seconds = int(wall)
    return Stretch(
        number, phase, period.start, length, seconds, period.energy, period.current, period.power
    )


def is_imprecise(period: Period, seconds: int, wall: Exact) -> bool:
    """Do the hours only differ from the clock because they have too few decimals?"""
    return isinstance(wall, int) and abs(seconds - wall) <= SNAP and coarse(period.hours)


def several(
    number: int, period: Period, wall: Exact, times: Sequence[tuple[Phase, int | None]]
) -> list[Stretch]:
    known = sum(seconds or 0 for _, seconds in times)
    rest = max(wall - known, 0)
    is_complete = all(seconds is not None for _, seconds in times)
    scale = Fraction(wall) / known if is_complete and wall and known else Fraction(1)
    phases = [phase for phase, _ in times]
    carrier = Phase.CHARGING if Phase.CHARGING in phases else Phase.PARKING
    stretches, start = [], period.start
    for phase, seconds in times:
        length = rest if seconds is None else tidy(scale * seconds)
        energy = period.energy if phase is carrier else None
        stretches.append(
            Stretch(number, phase, start, length, seconds, energy, period.current, period.power)
        )
        start += length
    return stretches


def spread_energy(record: Record, stretches: Sequence[Stretch]) -> bool:
    """Give the energy of the whole document to the charging, when no period states its own."""
    if not record.energy or any(period.energy is not None for period in record.periods):
        return False
    charging = [stretch for stretch in stretches if stretch.phase is Phase.CHARGING]
    if not charging:
        return False
    total = sum(stretch.length for stretch in charging)
    for stretch in charging:
        share = Fraction(stretch.length) / total if total else Fraction(1, len(charging))
        stretch.energy = tidy(record.energy * share)
    return True


def follow(stretch: Stretch, readings: Sequence[Reading]) -> Iterator[Stretch]:
    """Divide a stretch at the readings of the meter, its energy in proportion to what they show."""
    end = stretch.start + stretch.length
    inside = [moment for moment, _ in readings if stretch.start < moment < end]
    borders = [stretch.start, *inside, end]
    values = [interpolated(readings, moment) for moment in borders]
    shown = values[-1] - values[0]
    if not stretch.energy or not inside or not shown:
        yield stretch
        return
    for number, (begin, until) in enumerate(itertools.pairwise(borders)):
        share = Fraction(until - begin) / Fraction(stretch.length)
        used = tidy(stretch.energy * (values[number + 1] - values[number]) / shown)
        power = stretch.power
        if power.is_unknown:
            power = Span(average=mean_power(used, until - begin))
        yield Stretch(
            stretch.period,
            stretch.phase,
            begin,
            until - begin,
            None if stretch.seconds is None else tidy(stretch.seconds * share),
            used,
            stretch.current,
            power,
        )


def interpolated(readings: Sequence[Reading], moment: Exact) -> Fraction:
    """The register at an instant, on the straight line between the readings around it."""
    place = bisect_left(readings, moment, key=lambda reading: reading[0])
    if place == 0:
        return Fraction(readings[0][1])
    if place == len(readings):
        return Fraction(readings[-1][1])
    (before, low), (after, high) = readings[place - 1], readings[place]
    share = Fraction(moment - before) / Fraction(after - before)
    return low + (high - low) * share


def mean_power(energy: Exact, length: Exact) -> Fraction:
    """In kW."""
    return Fraction(energy) / KILOWATT_HOUR / (Fraction(length) / HOUR)


def assume_average(stretch: Stretch) -> None:
    """Take energy over time for the power where nothing was measured."""
    if stretch.power.is_unknown and stretch.energy is not None and stretch.length:
        stretch.power = Span(average=mean_power(stretch.energy, stretch.length))
