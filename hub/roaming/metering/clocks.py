"""Stations' clocks: believed, corrected or not believed at all. Pure.

A timestamp in the past may be a message that was kept back or a slow clock; one in the future can
only be a fast clock, and one from before there were such stations a clock that was never set.
Keeping a message back never makes a clock look faster than it is. So of all differences seen, the
one that is least behind is the station's offset, as soon as one of them was of a live message.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

TOLERANCE = timedelta(minutes=5)
# No clock that was ever set says a time before this.
EPOCH = datetime(2015, 1, 1, tzinfo=UTC)
# An offset that changes by less is not worth writing down.
NOTICEABLE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened: by the hub's reckoning, and as the station told it."""

    at: datetime
    told: datetime
    received: datetime

    @property
    def corrected(self) -> bool:
        return self.at != self.told

    @property
    def shift(self) -> timedelta:
        """What to add to other instants that the station told in the same message."""
        return self.at - self.told

    @property
    def unset(self) -> bool:
        """The station's clock had never been set."""
        return self.told < EPOCH

    @property
    def late(self) -> bool:
        """It was kept back, most likely because the station was offline."""
        return self.received - self.at > TOLERANCE


class Clock:
    """One station's clock, as the messages of one connection show it.

    ``offset`` is how far it is ahead of ours, as live messages showed it, now or before;
    ``nearest`` is the difference least behind that any message of this connection had.
    """

    def __init__(self, offset: timedelta | None = None) -> None:
        self.offset = offset
        self.nearest: timedelta | None = None

    def reckon(self, told: datetime, received: datetime, *, live: bool = False) -> Moment:
        """When it was. ``live`` is a message that was certainly not kept back."""
        if told < EPOCH:
            return Moment(received, told, received)
        self.see(told - received)
        if live:
            self.offset = self.nearest
        return Moment(self.correct(told, received), told, received)

    def see(self, difference: timedelta) -> None:
        if self.nearest is None or difference > self.nearest:
            self.nearest = difference

    def correct(self, told: datetime, received: datetime) -> datetime:
        if told - received > TOLERANCE:
            assert self.nearest is not None
            return min(told - self.nearest, received)
        if self.slow:
            assert self.offset is not None
            return min(told - self.offset, received)
        return told

    @property
    def slow(self) -> bool:
        """Known to be behind, and nothing on this connection says otherwise."""
        if self.offset is None or self.offset >= -TOLERANCE:
            return False
        return self.nearest is None or self.nearest <= self.offset + TOLERANCE

    def booted(self) -> None:
        """The answer to a boot sets a station's clock: what was known of it holds no longer."""
        self.offset = self.nearest = None


def started_before(ended: Moment, started_told: datetime | None) -> datetime | None:
    """When a transaction of a clock that was never set began: the clock at least ran evenly."""
    if started_told is None or not ended.unset or started_told >= EPOCH:
        return None
    return ended.at - max(ended.told - started_told, timedelta(0))
