"""Stretches cut wherever another price component may become active (PRICE-17).

A stretch is cut at every local time, date, duration and amount of energy at which its tariff
changes. For each piece the active component is looked up per dimension: that of the first element
which has one and whose restrictions all hold (PRICE-04). Inside a stretch energy is spread evenly
over time.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from hub.roaming.pricing import zones
from hub.roaming.pricing.quantities import DAY, CannotPrice, Exact, tidy
from hub.roaming.pricing.records import Record
from hub.roaming.pricing.restrictions import Moment, Span
from hub.roaming.pricing.stretches import Stretch, mean_power
from hub.roaming.pricing.tariffs import (
    SESSION_PHASES,
    Candidate,
    Component,
    Dimension,
    Phase,
    Tariff,
)

# Local time is looked up day by day; nobody charges for longer than this.
LONGEST = 400 * DAY


@dataclass(slots=True, eq=False)
class Piece:
    """A part of a stretch in which the same components are active throughout.

    ``flat`` is only set where the fee is charged. The two ``extra`` are what rounding up to the
    step size adds to what was consumed (PRICE-33).
    """

    period: int
    phase: Phase
    start: Exact
    length: Exact
    seconds: Exact | None
    energy: Exact | None
    moment: Moment
    tariff: Tariff | None
    flat: Component | None = None
    energy_price: Component | None = None
    time_price: Component | None = None
    extra_energy: Exact = 0
    extra_seconds: Exact = 0


@dataclass(slots=True, eq=False)
class Walk:
    """A walk through a session, which remembers what was consumed and which fees were charged."""

    time_zone: str | None
    consumed: Exact = 0
    charged: set[Component] = field(default_factory=set)

    def pieces(self, stretch: Stretch, tariff: Tariff | None, elapsed: Exact) -> Iterator[Piece]:
        """The pieces of one stretch, which starts after so many seconds of the session."""
        borders = [] if tariff is None else self.cuts(stretch, tariff, elapsed)
        begin: Exact = 0
        for border in (*borders, stretch.length or 1):
            piece = self.piece(stretch, begin, border, elapsed)
            if tariff is not None:
                piece.tariff = tariff
                self.place(piece, stretch, tariff)
                self.activate(piece, tariff)
            yield piece
            begin = border
        if stretch.energy and stretch.phase in SESSION_PHASES:
            self.consumed += stretch.energy

    def piece(self, stretch: Stretch, begin: Exact, until: Exact, elapsed: Exact) -> Piece:
        """The part of a stretch between two offsets from its start.

        A stretch without length can still be cut by energy; its offsets are then shares.
        """
        energy, seconds, length = stretch.energy, stretch.seconds, stretch.length
        start, before, span = stretch.start, self.consumed, length or 1
        if begin or until != span:
            share = Fraction(until - begin) / span
            if energy:
                before = tidy(before + energy * Fraction(begin) / span)
                energy = tidy(energy * share)
            seconds = None if seconds is None else tidy(seconds * share)
            if length:
                start, elapsed, length = start + begin, elapsed + begin, until - begin
        moment = Moment(elapsed, before, current=stretch.current, power=stretch.power)
        return Piece(stretch.period, stretch.phase, start, length, seconds, energy, moment, None)

    def place(self, piece: Piece, stretch: Stretch, tariff: Tariff) -> None:
        """Tell the moment its local time, and which energy to compare with the limits.

        That is the one the piece starts with; but while energy is fed back the amount has only just
        reached a limit from above, and lies below it all along: there it is the one at the end.
        """
        moment = piece.moment
        if piece.energy is not None and piece.energy < 0:
            moment.energy += piece.energy
        if tariff.is_local:
            local = piece.start + zones.offset_at(self.zone, piece.start)
            moment.day = int(local // DAY)
            moment.clock = local - moment.day * DAY
        if tariff.needs_power:
            moment.power = with_estimate(stretch)

    @property
    def zone(self) -> str:
        if self.time_zone is None:
            raise CannotPrice("The tariff depends on local time, and the time zone is not known.")
        return self.time_zone

    def cuts(self, stretch: Stretch, tariff: Tariff, elapsed: Exact) -> list[Exact]:
        """Offsets inside a stretch at which a restriction of the tariff may change its answer."""
        if not (tariff.marks or tariff.durations or tariff.energies):
            return []
        found: set[Exact] = set()
        length = stretch.length
        if length:
            found.update(
                duration - elapsed
                for duration in tariff.durations
                if 0 < duration - elapsed < length
            )
            if tariff.marks and crosses(stretch, tariff, self.zone):
                end = stretch.start + length
                found.update(
                    moment - stretch.start
                    for moment in zones.cuts(self.zone, stretch.start, end, tariff.marks)
                )
        if stretch.energy and stretch.phase in SESSION_PHASES:
            found.update(self.energy_cuts(stretch, tariff))
        return sorted(found)

    def energy_cuts(self, stretch: Stretch, tariff: Tariff) -> Iterator[Exact]:
        energy = stretch.energy or 0
        for limit in tariff.energies:
            missing = limit - self.consumed
            if 0 < missing < energy or energy < missing < 0:
                yield tidy(Fraction(missing) / energy * (stretch.length or 1))

    def activate(self, piece: Piece, tariff: Tariff) -> None:
        """Find the active component of each dimension; a flat fee is charged once (PRICE-19)."""
        candidates = tariff.candidates[piece.phase]
        moment = piece.moment
        flat = matching(candidates[Dimension.FLAT], moment)
        if flat is not None and flat not in self.charged:
            self.charged.add(flat)
            piece.flat = flat
        if piece.energy is not None:
            piece.energy_price = matching(candidates[Dimension.ENERGY], moment)
        if piece.seconds is not None:
            is_parking = piece.phase is Phase.PARKING
            dimension = Dimension.PARKING_TIME if is_parking else Dimension.TIME
            piece.time_price = matching(candidates[dimension], moment)


def walk(
    record: Record,
    stretches: Sequence[Stretch],
    tariffs: Sequence[Tariff | None],
    time_zone: str | None,
) -> list[Piece]:
    """All pieces of a session in the order of time; ``tariffs`` holds one per period.

    Raises CannotPrice when local time matters and the zone is unknown, or for a session of years.
    """
    first, last = stretches[0], stretches[-1]
    if last.start + last.length - first.start > LONGEST and any(
        tariff is not None and tariff.is_local for tariff in tariffs
    ):
        raise CannotPrice("The session lasts longer than a year.")
    origin = session_start(record, stretches)
    steps = Walk(time_zone)
    return [
        piece
        for stretch in stretches
        for piece in steps.pieces(
            stretch,
            tariffs[stretch.period],
            stretch.start - (origin if stretch.phase in SESSION_PHASES else first.start),
        )
    ]


def session_start(record: Record, stretches: Sequence[Stretch]) -> Exact:
    """Where the duration of the session starts to count: after a reservation (PRICE-13)."""
    first = stretches[0].start
    start = next((stretch.start for stretch in stretches if stretch.phase in SESSION_PHASES), first)
    if start == first and record.start is not None:
        return min(record.start, first)
    return start


def with_estimate(stretch: Stretch) -> Span:
    """The power, where the average decides what the stated bounds leave open."""
    power = stretch.power
    is_open = power.low is not None and power.high is not None and power.average is None
    if is_open and stretch.energy is not None and stretch.length:
        return replace(power, estimate=mean_power(stretch.energy, stretch.length))
    return power


def crosses(stretch: Stretch, tariff: Tariff, time_zone: str) -> bool:
    """Is there a mark of the local day, or a change of the clocks, inside the stretch?"""
    start, length = stretch.start, stretch.length
    shift = zones.offset_at(time_zone, start)
    if length >= DAY or zones.offset_at(time_zone, start + length) != shift:
        return True
    clock = (start + shift) % DAY
    place = bisect_right(tariff.marks, clock)
    following = tariff.marks[place] if place < len(tariff.marks) else tariff.marks[0] + DAY
    return clock + length > following


def matching(candidates: Sequence[Candidate], moment: Moment) -> Component | None:
    for component, _, tests in candidates:
        if all_hold(tests, moment):
            return component
    return None


def all_hold(tests: Sequence[Callable[[Moment], bool]], moment: Moment) -> bool:
    for test in tests:  # noqa: SIM110 - a generator for all() costs more than the tests
        if not test(moment):
            return False
    return True
