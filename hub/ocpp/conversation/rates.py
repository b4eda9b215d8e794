"""How fast a station may talk, and how often it may be wrong."""

from dataclasses import dataclass


@dataclass
class Bucket:
    """So many a second, with a burst; ``wait`` says how long to sleep before the next."""

    rate: float
    burst: float
    level: float = -1.0
    at: float = 0.0

    def wait(self, now: float) -> float:
        level = self.burst if self.level < 0 else self.level + (now - self.at) * self.rate
        self.at = now
        self.level = min(level, self.burst) - 1
        if self.level >= 0:
            return 0.0
        missing = -self.level / self.rate
        # The sleep pays for the message.
        self.level, self.at = 0.0, now + missing
        return missing

    def give_back(self) -> None:
        """What ``wait`` gave was not used: whoever is next waits the shorter for it."""
        self.at -= 1 / self.rate


@dataclass
class Tally:
    """How often something happened within the current minute."""

    limit: int
    count: int = 0
    since: float = 0.0

    def exceeded(self, now: float) -> bool:
        if now - self.since > 60:  # noqa: PLR2004
            self.since, self.count = now, 0
        self.count += 1
        return self.count > self.limit
