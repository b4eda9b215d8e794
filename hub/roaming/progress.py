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


@dataclass
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


@dataclass
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


def write_period(period: Period) -> list[Any]:
    def text(value: Decimal | None) -> str | None:
        return None if value is None else str(value)

    return [
        period.start.isoformat(),
        period.state,
        str(period.energy),
        [
            text(period.power.low),
            text(period.power.high),
            str(period.power.sum),
            period.power.count,
        ],
        [
            text(period.current.low),
            text(period.current.high),
            str(period.current.sum),
            period.current.count,
        ],
        text(period.soc),
        text(period.fed_back),
    ]


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
    def value(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    def spread_of(values: list[Any]) -> Spread:
        low, high, total, count = values
        return Spread(value(low), value(high), Decimal(total), count)

    start, state, energy, power, current, soc, *later = kept
    return Period(
        datetime.fromisoformat(start).astimezone(UTC),
        state,
        Decimal(energy),
        spread_of(power),
        spread_of(current),
        value(soc),
        # Transactions that began before this was kept go on without it.
        *(value(text) for text in later),
    )
