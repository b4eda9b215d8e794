"""Stations' clocks: believed, corrected or not believed at all. Pure.

A timestamp in the past may be a queued message or a slow clock; one in the future can only be a
fast clock, and one from before there were such stations a clock that was never set. Where a
message is known to be live, the difference to our own clock is the station's offset.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

TOLERANCE = timedelta(minutes=5)
# No clock that was ever set says a time before this.
EPOCH = datetime(2015, 1, 1, tzinfo=UTC)


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
    def unset(self) -> bool:
        """The station's clock had never been set."""
        return self.told < EPOCH

    @property
    def late(self) -> bool:
        """It was kept back, most likely because the station was offline."""
        return self.received - self.at > TOLERANCE


def reckon(told: datetime, received: datetime, *, live: bool = False) -> Moment:
    """``live`` is a message that no station would have queued."""
    wrong = told < EPOCH or told - received > TOLERANCE
    if live:
        wrong = wrong or abs(received - told) > TOLERANCE
    return Moment(received if wrong else told, told, received)


def offset(told: datetime, received: datetime) -> float:
    """Seconds the station's clock is ahead of ours, as one live message shows it."""
    return (told - received).total_seconds()


def started_before(ended: Moment, started_told: datetime | None) -> datetime | None:
    """When a transaction of a clock that was never set began: the clock at least ran evenly."""
    if started_told is None or not ended.unset or started_told >= EPOCH:
        return None
    return ended.at - max(ended.told - started_told, timedelta(0))
