"""How far a transaction has come: its periods so far, and what its meter was believed last.

``metering`` folds it forward; between two messages it is written down as JSON.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

CHARGING, PARKING, WAITING, RESERVED = "CHARGING", "PARKING", "WAITING", "RESERVED"

# What the vehicle is doing, in either version's words, and what OCPI counts it as.
STATES = {
    "Charging": CHARGING,
    "SuspendedEV": PARKING,
    "EVConnected": PARKING,
    "Finishing": PARKING,
    "Idle": PARKING,
    # The driver is not the cause: time, but no parking.
    "SuspendedEVSE": WAITING,
}

# Watts that no connector exceeds, for those of which nothing is known.
MOST_POWER = Decimal(500_000)


@dataclass(slots=True)
class Spread:
    """Least, greatest and mean of what was measured in a period."""

    low: Decimal | None = None
    high: Decimal | None = None
    sum: Decimal = Decimal(0)
    count: int = 0

    def reset(self) -> None:
        self.low = self.high = None
        self.sum, self.count = Decimal(0), 0

    def add(self, value: Decimal | None) -> None:
        if value is None:
            return
        self.low = value if self.low is None else min(self.low, value)
        self.high = value if self.high is None else max(self.high, value)
        self.sum += value
        self.count += 1

    @property
    def mean(self) -> Decimal | None:
        return self.sum / self.count if self.count else None


@dataclass(slots=True)
class Period:
    """From ``start`` to the start of the next one. Energy in Wh, net of what was fed back."""

    start: datetime
    state: str
    energy: Decimal = Decimal(0)
    power: Spread = field(default_factory=Spread)
    current: Spread = field(default_factory=Spread)
    soc: Decimal | None = None
    # What had been fed back since the transaction began, when this period was measured last.
    fed_back: Decimal | None = None


@dataclass
class Progress:
    """``register`` and ``exported`` are the last readings believed, at ``read_at``; Wh."""

    started_at: datetime
    periods: list[Period]
    read_at: datetime
    most_power: Decimal = MOST_POWER
    # What the start told, and what the register counts from since it last started again.
    told_start: Decimal | None = None
    meter_start: Decimal | None = None
    register: Decimal | None = None
    exported: Decimal | None = None
    exported_start: Decimal | None = None
    # What was counted before the register started again from nought.
    carried: Decimal = Decimal(0)
    energy: Decimal = Decimal(0)
    most_measured: Decimal | None = None
    first_soc: Decimal | None = None
    last_soc: Decimal | None = None
    anomalies: list[str] = field(default_factory=list)
    # Power and current as they were told last, and when.
    measured: dict[str, tuple[Decimal, datetime]] = field(default_factory=dict)

    @property
    def state(self) -> str:
        return self.periods[-1].state

    def note(self, anomaly: str) -> None:
        if anomaly not in self.anomalies:
            self.anomalies.append(anomaly)


def durations(periods: list[Period], end: datetime) -> list[tuple[Period, Decimal]]:
    """Each period with its length in hours, to the second's part OCPI's four decimals can show."""
    starts = [period.start for period in periods[1:]] + [end]
    return [
        (period, Decimal(str((until - period.start).total_seconds())) / 3600)
        for period, until in zip(periods, starts, strict=True)
    ]


def write_progress(progress: Progress) -> dict[str, Any]:
    """As JSON; read back by ``restore_progress``."""
    return {
        "started_at": progress.started_at.isoformat(),
        "read_at": progress.read_at.isoformat(),
        "periods": [write_period(period) for period in progress.periods],
        "anomalies": progress.anomalies,
        "measured": {
            name: [str(value), at.isoformat()] for name, (value, at) in progress.measured.items()
        },
        **{name: str(value) for name in NUMBERS if (value := getattr(progress, name)) is not None},
    }


NUMBERS = (
    "most_power",
    "told_start",
    "meter_start",
    "register",
    "exported",
    "exported_start",
    "carried",
    "energy",
    "most_measured",
    "first_soc",
    "last_soc",
)


# A spread of nothing, as it is written down.
NOTHING = [None, None, "0", 0]


def write_period(period: Period) -> list[Any]:
    soc, fed_back = period.soc, period.fed_back
    return [
        period.start.isoformat(),
        period.state,
        str(period.energy),
        write_spread(period.power),
        write_spread(period.current),
        None if soc is None else str(soc),
        None if fed_back is None else str(fed_back),
    ]


def write_spread(spread: Spread) -> list[Any]:
    """Nothing is measured of many: there are forty periods in a night, at every reading."""
    if not spread.count:
        return NOTHING
    return [str(spread.low), str(spread.high), str(spread.sum), spread.count]


def restore_progress(kept: dict[str, Any]) -> Progress:
    def instant(text: str) -> datetime:
        return datetime.fromisoformat(text).astimezone(UTC)

    progress = Progress(
        instant(kept["started_at"]),
        [restore_period(period) for period in kept["periods"]],
        instant(kept["read_at"]),
        anomalies=list(kept["anomalies"]),
        measured={
            name: (Decimal(value), instant(at))
            for name, (value, at) in kept.get("measured", {}).items()
        },
    )
    for name in NUMBERS:
        if name in kept:
            setattr(progress, name, Decimal(kept[name]))
    return progress


def restore_period(kept: list[Any]) -> Period:
    start, state, energy, power, current, soc, *later = kept
    # Transactions that began before this was kept go on without it.
    fed_back = later[0] if later else None
    return Period(
        datetime.fromisoformat(start).astimezone(UTC),
        state,
        Decimal(energy),
        restore_spread(power),
        restore_spread(current),
        None if soc is None else Decimal(soc),
        None if fed_back is None else Decimal(fed_back),
    )


def restore_spread(kept: list[Any]) -> Spread:
    low, high, total, count = kept
    if not count:
        return Spread()
    return Spread(Decimal(low), Decimal(high), Decimal(total), count)
