"""What happened when: charging periods laid out in time.

A charging period is one piece, or several where it states more than one kind of time: reservation,
then charging, then parking. What it does not state is not billed: a period without TIME has no
charging time, however long it lasted. Its length on the clock still counts for restrictions.
"""

import itertools
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from hub.roaming.pricing.components import Component
from hub.roaming.pricing.quantities import HOUR, KILOWATT_HOUR, Exact, coarse, decimal, tidy
from hub.roaming.pricing.records import Bounds, Period, Record
from hub.roaming.pricing.restrictions import UNKNOWN, Span
from hub.roaming.pricing.tariffs import Phase, Tariff

# A difference in seconds that hours with three decimals cannot express.
SNAP = 2

# A register reading: when, and how much energy had been consumed, in millionths of a Wh.
Reading = tuple[Exact, Exact]


def span(bounds: Bounds | None, name: str) -> Span:
    """The stated bounds and average of CURRENT or POWER. Raises Unreadable."""
    if not bounds:
        return UNKNOWN
    low, high, average = (
        None if bounds.get(key) is None else measured(bounds[key], key)
        for key in (f"MIN_{name}", f"MAX_{name}", name)
    )
    return UNKNOWN if low is high is average is None else Span(low, high, average)


def measured(value: Any, where: str) -> Any:
    return value if isinstance(value, Fraction) else decimal(value, where)


@dataclass(slots=True, eq=False)
class Piece:
    """A part of one period in one phase. ``seconds`` and ``energy`` are None when not stated.

    ``elapsed`` and ``consumed`` are what the session had lasted and used when it began. The rest is
    entered by ``timeline``: the tariff and the active components, ``flat`` only where the fee is
    charged; and by ``stepping``: what rounding up to the step size adds (PRICE-33).
    """

    period: int
    phase: Phase
    start: Exact
    length: Exact
    seconds: Exact | None
    energy: Exact | None = None
    bounds: Bounds | None = None
    elapsed: Exact = 0
    consumed: Exact = 0
    tariff: Tariff | None = None
    flat: Component | None = None
    energy_price: Component | None = None
    time_price: Component | None = None
    extra_energy: Exact = 0
    extra_seconds: Exact = 0

    @property
    def in_session(self) -> bool:
        return self.phase is Phase.CHARGING or self.phase is Phase.PARKING

    @property
    def current(self) -> Span:
        """What is known of the current, summed over the phases, in A."""
        return span(self.bounds, "CURRENT")

    @property
    def power(self) -> Span:
        """What is known of the power in kW; the average decides what stated bounds leave open."""
        power = span(self.bounds, "POWER")
        is_open = power.low is not None and power.high is not None and power.average is None
        if is_open and self.energy is not None and self.length:
            return replace(power, estimate=mean_power(self.energy, self.length))
        return power


def lay_out(record: Record, unused: Phase) -> list[Piece]:
    """One piece per period and kind of time.

    ``unused`` is the phase of a reservation that no charging followed.
    """
    periods = record.periods
    phase = unused if all(period.only_reserves for period in periods) else Phase.RESERVATION
    ends = [*(period.start for period in periods[1:]), record.end]
    return [
        piece
        for number, (period, end) in enumerate(zip(periods, ends, strict=True))
        for piece in parts_of(number, period, end, phase)
    ]


def parts_of(number: int, period: Period, end: Exact | None, reserved: Phase) -> list[Piece]:
    """A period as pieces; when it states several times, they share its length on the clock."""
    wall: Exact = 0 if end is None else max(end - period.start, 0)
    times = stated_times(period, reserved)
    if len(times) == 1:
        pieces = [single(number, period, wall, *times[0])]
    else:
        pieces = several(number, period, wall, times)
    if period.overtime:
        overtime = Piece(number, Phase.OVERTIME, period.start, wall, period.overtime)
        pieces.append(overtime)
    return pieces


def stated_times(period: Period, reserved: Phase) -> list[tuple[Phase, int | None]]:
    """The kinds of time of a period in the order in which they happen.

    Zeros do not make a phase of their own, but a period always has one: charging, unless it states
    only parking or only reservation.
    """
    if period.charging and not (period.parking or period.reserved or period.expired):
        return [(Phase.CHARGING, period.charging)]
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


def single(number: int, period: Period, wall: Exact, phase: Phase, seconds: int | None) -> Piece:
    """The usual period: one kind of time, as long as the clock says."""
    length = wall or seconds or 0
    if seconds is not None and seconds != wall and is_imprecise(period, seconds, wall):
        seconds = int(wall)
    return Piece(number, phase, period.start, length, seconds, period.energy, period.bounds)


def is_imprecise(period: Period, seconds: int, wall: Exact) -> bool:
    """Do the hours only differ from the clock because they have too few decimals?"""
    return isinstance(wall, int) and abs(seconds - wall) <= SNAP and coarse(period.hours)


def several(
    number: int, period: Period, wall: Exact, times: Sequence[tuple[Phase, int | None]]
) -> list[Piece]:
    known = sum(seconds or 0 for _, seconds in times)
    rest = max(wall - known, 0)
    is_complete = all(seconds is not None for _, seconds in times)
    scale = Fraction(wall) / known if is_complete and wall and known else Fraction(1)
    phases = [phase for phase, _ in times]
    carrier = Phase.CHARGING if Phase.CHARGING in phases else Phase.PARKING
    pieces, start = [], period.start
    for phase, seconds in times:
        length = rest if seconds is None else tidy(scale * seconds)
        energy = period.energy if phase is carrier else None
        pieces.append(Piece(number, phase, start, length, seconds, energy, period.bounds))
        start += length
    return pieces


def spread_energy(record: Record, pieces: Sequence[Piece]) -> bool:
    """Give the energy of the whole document to the charging, when no period states its own."""
    if not record.energy or any(period.energy is not None for period in record.periods):
        return False
    charging = [piece for piece in pieces if piece.phase is Phase.CHARGING]
    if not charging:
        return False
    total = sum(piece.length for piece in charging)
    for piece in charging:
        share = Fraction(piece.length) / total if total else Fraction(1, len(charging))
        piece.energy = tidy(record.energy * share)
    return True


def follow(piece: Piece, readings: Sequence[Reading]) -> Iterator[Piece]:
    """Divide a piece at the readings of the meter, its energy in proportion to what they show."""
    end = piece.start + piece.length
    inside = [moment for moment, _ in readings if piece.start < moment < end]
    borders = [piece.start, *inside, end]
    values = [interpolated(readings, moment) for moment in borders]
    shown = values[-1] - values[0]
    if not piece.energy or not inside or not shown:
        yield piece
        return
    for number, (begin, until) in enumerate(itertools.pairwise(borders)):
        share = Fraction(until - begin) / Fraction(piece.length)
        used = tidy(piece.energy * (values[number + 1] - values[number]) / shown)
        bounds = piece.bounds
        if piece.power.is_unknown:
            bounds = {**(bounds or {}), "POWER": mean_power(used, until - begin)}
        seconds = None if piece.seconds is None else tidy(piece.seconds * share)
        yield Piece(piece.period, piece.phase, begin, until - begin, seconds, used, bounds)


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


def part(piece: Piece, begin: Exact, until: Exact) -> Piece:
    """The part between two offsets from its start.

    A piece without length can still be cut by energy; its offsets are then shares.
    """
    energy, seconds, length = piece.energy, piece.seconds, piece.length
    start, elapsed, consumed = piece.start, piece.elapsed, piece.consumed
    span = length or 1
    share = Fraction(until - begin) / span
    if energy:
        consumed = tidy(consumed + energy * Fraction(begin) / span)
        energy = tidy(energy * share)
    if seconds is not None:
        seconds = tidy(seconds * share)
    if length:
        start, elapsed, length = start + begin, elapsed + begin, until - begin
    return Piece(
        piece.period,
        piece.phase,
        start,
        length,
        seconds,
        energy,
        piece.bounds,
        elapsed,
        consumed,
    )


def mean_power(energy: Exact, length: Exact) -> Fraction:
    """In kW."""
    return Fraction(energy) / KILOWATT_HOUR / (Fraction(length) / HOUR)


def assume_average(piece: Piece) -> None:
    """Take energy over time for the power where nothing was measured."""
    if piece.power.is_unknown and piece.energy is not None and piece.length:
        power = mean_power(piece.energy, piece.length)
        piece.bounds = {**(piece.bounds or {}), "POWER": power}
