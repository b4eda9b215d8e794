"""Pieces cut wherever another price component may become active (PRICE-17).

A piece is cut at every local time, date, duration and amount of energy at which its tariff changes.
For each part the active component is looked up per dimension: that of the first element which has
one and whose restrictions all hold (PRICE-04). Inside a piece energy is spread evenly over time.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from hub.roaming.pricing import zones
from hub.roaming.pricing.components import Component
from hub.roaming.pricing.pieces import Piece, part
from hub.roaming.pricing.quantities import DAY, CannotPrice, Exact, tidy
from hub.roaming.pricing.records import Record
from hub.roaming.pricing.restrictions import Moment
from hub.roaming.pricing.tariffs import Candidate, Phase, Tariff

# Local time is looked up day by day; nobody charges for longer than this.
LONGEST = 400 * DAY
FOREVER = 10**24
# Elements that are looked at for one session, over all its pieces: tenths of a second. A price for
# each quarter of an hour needs 10,000 a day.
MOST_LOOKUPS = 1_000_000


@dataclass(slots=True, eq=False)
class Calm:
    """Until this instant and this energy no restriction of the tariff changes its answer.

    ``active`` remembers what was looked up meanwhile: fee, energy and time, by phase.
    """

    tariff: Tariff
    until: Exact
    energy: Exact
    active: dict[Phase, tuple[Component | None, ...]] = field(default_factory=dict)

    def lasts(self, piece: Piece) -> bool:
        """Does it cover all of a piece, from its first moment on?"""
        start, energy, left = piece.start, piece.energy or 0, self.energy - piece.consumed
        return (
            start < self.until
            and start + piece.length <= self.until
            and left > 0
            and 0 <= energy <= left
        )


@dataclass(slots=True, eq=False)
class Walk:
    """A walk through a session, which remembers what was consumed and which fees were charged.

    ``shift`` is the offset of local time when it is the same for the whole session, as it nearly
    always is; the zone is then not asked again.
    """

    time_zone: str | None
    shift: int | None = None
    consumed: Exact = 0
    charged: set[Component] = field(default_factory=set)
    calm: Calm | None = None
    lookups: int = 0

    def pieces(self, piece: Piece, tariff: Tariff | None) -> Sequence[Piece]:
        """A piece, or what it has to be cut into, with the components active there."""
        calm, in_session = self.calm, piece.in_session
        piece.consumed = self.consumed
        if in_session and piece.energy:
            self.consumed += piece.energy
        if tariff is None:
            return (piece,)
        if calm is None or calm.tariff is not tariff or not in_session or not calm.lasts(piece):
            return self.cut(piece, tariff)
        active = calm.active.get(piece.phase)
        if active is None:
            active = self.look_up(piece, tariff, self.moment(piece, tariff))
            calm.active[piece.phase] = active
        self.activate(piece, tariff, active)
        return (piece,)

    def cut(self, whole: Piece, tariff: Tariff) -> list[Piece]:
        """The parts of a piece in which something may change."""
        found = []
        begin: Exact = 0
        cuts = self.cuts(whole, tariff)
        for border in (*cuts, whole.length or 1):
            piece = part(whole, begin, border) if cuts else whole
            moment = self.moment(piece, tariff)
            self.activate(piece, tariff, self.look_up(piece, tariff, moment))
            found.append(piece)
            begin = border
        if whole.in_session:
            self.calm = self.calm_after(piece, tariff, moment)
        return found

    def look_up(self, piece: Piece, tariff: Tariff, moment: Moment) -> tuple[Component | None, ...]:
        """The active component for fees, energy and time (PRICE-04)."""
        self.spend(len(tariff.elements))
        return tuple(matching(found, moment) for found in tariff.plan(piece.phase))

    def spend(self, lookups: int) -> None:
        """Nobody's CDR may keep everybody else waiting. Raises CannotPrice."""
        self.lookups += lookups
        if self.lookups > MOST_LOOKUPS:
            raise CannotPrice("The session is too long for a tariff that changes so often.")

    def calm_after(self, piece: Piece, tariff: Tariff, moment: Moment) -> Calm | None:
        """Until when nothing changes any more. None where that is not known beforehand."""
        if tariff.needs_power or tariff.needs_current or (piece.energy or 0) < 0:
            return None
        if tariff.is_local and self.shift is None:
            return None
        until: Exact = FOREVER
        if tariff.marks:
            until = piece.start + following(tariff.marks, moment.clock) - moment.clock
        for duration in tariff.durations:
            if duration > moment.elapsed:
                until = min(until, piece.start + duration - moment.elapsed)
                break
        energy = next((limit for limit in tariff.energies if limit > moment.energy), FOREVER)
        return Calm(tariff, until, energy)

    def moment(self, piece: Piece, tariff: Tariff) -> Moment:
        """What the restrictions of a tariff may ask about a piece.

        The energy is the one it starts with; but while energy is fed back the amount has only just
        reached a limit from above, and lies below it all along: there it is the one at the end.
        """
        moment = Moment(piece.elapsed, piece.consumed)
        if piece.energy is not None and piece.energy < 0:
            moment.energy += piece.energy
        if tariff.is_local:
            day, moment.clock = divmod(piece.start + self.offset(piece.start), DAY)
            moment.day = int(day)
        if tariff.needs_power:
            moment.power = piece.power
        if tariff.needs_current:
            moment.current = piece.current
        return moment

    def offset(self, moment: Exact) -> int:
        return zones.offset_at(self.zone, moment) if self.shift is None else self.shift

    @property
    def zone(self) -> str:
        if self.time_zone is None:
            raise CannotPrice(
                "The tariff depends on local time, and the time zone is not known.",
                code="unknown_time_zone",
            )
        return self.time_zone

    def cuts(self, piece: Piece, tariff: Tariff) -> list[Exact]:
        """Offsets inside a piece at which a restriction of the tariff may change its answer."""
        if not (tariff.marks or tariff.durations or tariff.energies):
            return []
        found: set[Exact] = set()
        length, elapsed = piece.length, piece.elapsed
        if length:
            for duration in tariff.durations:
                if 0 < duration - elapsed < length:
                    found.add(duration - elapsed)
            if tariff.marks and self.crosses(piece, tariff):
                self.spend(int(length // DAY) * len(tariff.marks))
                end = piece.start + length
                for moment in zones.cuts(self.zone, piece.start, end, tariff.marks):
                    found.add(moment - piece.start)
        if tariff.energies and piece.energy and piece.in_session:
            for limit in tariff.energies:
                missing = limit - piece.consumed
                if 0 < missing < piece.energy or piece.energy < missing < 0:
                    found.add(tidy(Fraction(missing) / piece.energy * (length or 1)))
        return sorted(found)

    def crosses(self, piece: Piece, tariff: Tariff) -> bool:
        """Is there a mark of the local day, or a change of the clocks, inside the piece?"""
        start, length = piece.start, piece.length
        if length >= DAY:
            return True
        if self.shift is None and not zones.is_steady(self.zone, start, start + length):
            return True
        clock = (start + self.offset(start)) % DAY
        return clock + length > following(tariff.marks, clock)

    def activate(self, piece: Piece, tariff: Tariff, active: tuple[Component | None, ...]) -> None:
        """Enter what prices a piece; a flat fee is charged once (PRICE-19)."""
        piece.tariff = tariff
        flat, energy, time = active
        if flat is not None and flat not in self.charged:
            self.charged.add(flat)
            piece.flat = flat
        if piece.energy is not None:
            piece.energy_price = energy
        if piece.seconds is not None:
            piece.time_price = time


def walk(
    record: Record,
    laid_out: Sequence[Piece],
    tariffs: Sequence[Tariff | None],
    time_zone: str | None,
) -> list[Piece]:
    """All pieces of a session, cut and priced, in the order of time.

    ``tariffs`` holds one per period. Raises CannotPrice when local time matters and the zone is
    unknown, or for a session of years.
    """
    start, end = laid_out[0].start, laid_out[-1].start + laid_out[-1].length
    is_local = any(tariff is not None and tariff.is_local for tariff in dict.fromkeys(tariffs))
    if is_local and end - start > LONGEST:
        raise CannotPrice("The session lasts longer than a year.")
    steps = Walk(time_zone)
    if is_local and end - start < DAY and zones.is_steady(steps.zone, start, end):
        steps.shift = zones.offset_at(steps.zone, start)
    origin = session_start(record, laid_out)
    found: list[Piece] = []
    for piece in laid_out:
        piece.elapsed = piece.start - (origin if piece.in_session else start)
        found += steps.pieces(piece, tariffs[piece.period])
    return found


def session_start(record: Record, laid_out: Sequence[Piece]) -> Exact:
    """Where the duration of the session starts to count: after a reservation (PRICE-13)."""
    first = laid_out[0].start
    start = next((piece.start for piece in laid_out if piece.in_session), first)
    if start == first and record.start is not None:
        return min(record.start, first)
    return start


def following(marks: Sequence[int], clock: Exact) -> int:
    """The next mark of the local day after a time of day, in seconds since its midnight."""
    place = bisect_right(marks, clock)
    return marks[place] if place < len(marks) else marks[0] + DAY


def matching(candidates: Sequence[Candidate], moment: Moment) -> Component | None:
    """The component of the first element whose restrictions all hold."""
    for component, _, tests in candidates:
        for test in tests:
            if not test(moment):
                break
        else:
            return component
    return None
