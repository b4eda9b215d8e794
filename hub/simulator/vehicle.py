"""What a vehicle draws while it charges."""

import random
from dataclasses import dataclass, field

# From here on an AC charger on board slows down; a battery on DC does so much earlier.
AC_TAPER = 0.9
DC_TAPER = 0.55
DC_KNEE = 0.8
LEAST = 0.05


@dataclass
class Vehicle:
    """A battery of ``capacity`` Wh, ``full`` from 0 to 1; ``most`` is what it can take, in W."""

    capacity: float = 60_000.0
    full: float = 0.3
    most: float = 11_000.0
    direct: bool = False
    dice: random.Random = field(default_factory=random.Random)

    def draws(self, offered: float) -> float:
        """Watts, now: never more than is offered, less as it fills, and never quite steady."""
        if self.full >= 1:
            return 0.0
        return min(offered, self.most * self.share()) * self.dice.uniform(0.97, 1.0)

    def share(self) -> float:
        """How much of its most a battery takes, by how full it is."""
        if not self.direct:
            over = (self.full - AC_TAPER) / (1 - AC_TAPER)
            return max(LEAST, 1 - over) if over > 0 else 1.0
        if self.full <= DC_TAPER:
            return 1.0
        if self.full <= DC_KNEE:
            return 1 - 0.6 * (self.full - DC_TAPER) / (DC_KNEE - DC_TAPER)
        return max(LEAST, 0.4 * (1 - self.full) / (1 - DC_KNEE))

    def take(self, energy: float) -> None:
        """Wh that flowed into it."""
        self.full = min(1.0, self.full + energy / self.capacity)
