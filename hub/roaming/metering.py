"""What a transaction has come to so far: energy, power and the periods OCPI wants. Pure.

``Progress`` is folded forward by every reading and every change of state, and can be written down
as JSON between two messages. Readings may lie: registers fall, jump and start again, kWh come
labelled as Wh. A reading that cannot be true is noted and left out; none is ever refused.

Periods begin at each change of state and at each quarter of an hour: that is where tariffs change
(CDR-09), and often enough for a driver (SES-15). Energy between two readings is spread over the
periods between them, over those in which the vehicle was charging if there are any.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hub.roaming import crossings
from hub.roaming.crossings import Limits
from hub.roaming.readings import Figures

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

QUARTER = timedelta(minutes=15)
MOST_PERIODS = 1000
# Watts that no connector exceeds, for those of which nothing is known.
MOST_POWER = Decimal(500_000)
# What a reading may be off by rounding, and how far above its rating a connector may deliver.
SLACK = Decimal(100)
MARGIN = Decimal("1.2")


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


def begin(
    at: datetime,
    *,
    meter_start: Decimal | None = None,
    state: str = CHARGING,
    most_power: int | None = None,
    reserved_at: datetime | None = None,
) -> Progress:
    periods = [Period(at, state)]
    if reserved_at is not None and reserved_at < at:
        periods.insert(0, Period(reserved_at, RESERVED))
    return Progress(
        at,
        periods,
        at,
        most_power=Decimal(most_power) if most_power else MOST_POWER,
        told_start=meter_start,
        meter_start=meter_start,
        register=meter_start,
    )


def quarter_after(at: datetime) -> datetime:
    past = timedelta(minutes=at.minute % 15, seconds=at.second, microseconds=at.microsecond)
    return at - past + QUARTER


def advance(progress: Progress, at: datetime) -> None:
    """Begin the periods that quarters of an hour have begun up to ``at``."""
    while (start := quarter_after(progress.periods[-1].start)) < at:
        if len(progress.periods) >= MOST_PERIODS:
            return
        progress.periods.append(Period(start, progress.state))


def change(progress: Progress, at: datetime, state: str) -> None:
    """The vehicle began or ceased to charge. What comes late or changes nothing is left out."""
    if at < progress.periods[-1].start or state == progress.state:
        return
    advance(progress, at)
    if at == progress.periods[-1].start:
        progress.periods[-1].state = state
    else:
        progress.periods.append(Period(at, state))


def read(progress: Progress, now: Figures, limits: Limits = crossings.NONE) -> None:
    """Take in one reading. One that is older than the last counts nothing: the total has it.

    ``limits`` are those of power and current at which a price changes.
    """
    if now.at < progress.read_at:
        return
    cross(progress, "power", limits.power, now.power, now.at)
    cross(progress, "current", limits.current, now.current, now.at)
    advance(progress, now.at)
    period = progress.periods[-1]
    period.power.add(now.power)
    period.current.add(now.current)
    if now.power is not None:
        progress.most_measured = max(now.power, progress.most_measured or now.power)
    if now.soc is not None and 0 <= now.soc <= 100:  # noqa: PLR2004
        period.soc = progress.last_soc = now.soc
        progress.first_soc = now.soc if progress.first_soc is None else progress.first_soc
    count_energy(progress, now)


def cross(
    progress: Progress,
    name: str,
    limits: tuple[Decimal, ...],
    value: Decimal | None,
    at: datetime,
) -> None:
    """Begin the periods that crossing a limit has begun since the last reading."""
    if value is None:
        return
    last, since = progress.measured.get(name, (value, at))
    progress.measured[name] = value, at
    if not limits or len(progress.periods) >= MOST_PERIODS:
        return
    for moment, least in crossings.crossings(limits, last, value, since, at):
        advance(progress, moment)
        period = progress.periods[-1]
        if moment > period.start:
            period = Period(moment, period.state)
            progress.periods.append(period)
        elif (spread := getattr(period, name)).count:
            # It began with what is over already: a quarter of an hour, or another limit.
            spread.reset()
        getattr(period, name).add(least)


def count_energy(progress: Progress, now: Figures) -> None:
    if now.register is not None:
        count_register(progress, now.at, now.register, now.exported)
    elif now.net is not None:
        count_register(progress, now.at, now.net, None)
    elif now.interval is not None and progress.register is None:
        grown = progress.energy + now.interval
        if now.interval > believable(progress, now.at):
            progress.note("an interval of more energy than the connector can deliver")
            return
        grow(progress, now.at, grown)


def believable(progress: Progress, at: datetime) -> Decimal:
    """The most energy that can have flowed since the last reading, in Wh."""
    hours = Decimal((at - progress.read_at).total_seconds()) / 3600
    return progress.most_power * hours * MARGIN + SLACK


def count_register(
    progress: Progress, at: datetime, register: Decimal, exported: Decimal | None
) -> None:
    most = believable(progress, at)
    last = progress.register
    if last is None:
        progress.meter_start = progress.register = last = register
    if register < last and 0 <= register * 1000 - last <= most:
        progress.note("a register in kWh labelled as Wh")
        register *= 1000
    if register < last:
        if last - register <= SLACK / 10 or register > most:
            # A hiccup: the next reading will be above the last again.
            progress.note("a register that fell")
            return
        progress.note("a register that started again")
        progress.carried += last - (progress.meter_start or last)
        progress.meter_start = progress.register = Decimal(0)
    elif register - last > most:
        progress.note("a register that jumped")
        return
    if exported is not None and progress.exported_start is None:
        progress.exported_start = exported
    if exported is not None and exported >= (progress.exported or exported):
        progress.exported = exported
    progress.register = register
    grow(progress, at, counted(progress))


def counted(progress: Progress) -> Decimal:
    """Wh since the start, net of what was fed back, by the registers believed last."""
    imported = Decimal(0)
    if progress.register is not None and progress.meter_start is not None:
        imported = progress.register - progress.meter_start
    fed_back = Decimal(0)
    if progress.exported is not None and progress.exported_start is not None:
        fed_back = progress.exported - progress.exported_start
    return progress.carried + imported - fed_back


def grow(progress: Progress, at: datetime, energy: Decimal) -> None:
    """Raise the total, in whole Wh, and spread what came since the last reading."""
    energy = energy.quantize(Decimal(1), ROUND_HALF_UP)
    spread(progress, progress.read_at, at, energy - progress.energy)
    progress.energy, progress.read_at = energy, at


def spread(progress: Progress, since: datetime, at: datetime, energy: Decimal) -> None:
    if energy == 0:
        return
    shares = overlaps(progress, since, at)
    charging = [(period, share) for period, share in shares if period.state == CHARGING]
    shares = charging or shares
    whole = sum(share for _, share in shares)
    if whole == 0:
        real = [period for period in progress.periods if period.state != RESERVED]
        (real or progress.periods)[-1].energy += energy
        return
    # Rounded so that the parts always add up to the whole.
    given, passed = Decimal(0), Decimal(0)
    for period, share in shares:
        passed += share
        upto = (energy * passed / whole).quantize(Decimal(1), ROUND_HALF_UP)
        period.energy += upto - given
        given = upto


def overlaps(progress: Progress, since: datetime, at: datetime) -> list[tuple[Period, Decimal]]:
    """The periods between two readings, each with its seconds among them."""
    found = []
    end = at
    for period in reversed(progress.periods):
        seconds = (min(end, at) - max(period.start, since)).total_seconds()
        if period.state != RESERVED and seconds > 0:
            found.append((period, Decimal(str(seconds))))
        end = period.start
        if end <= since:
            break
    return found[::-1]


def finish(progress: Progress, at: datetime, meter_stop: Decimal | None) -> Progress:
    """The transaction as it ended. ``meter_stop`` outranks every sample, if it can be true."""
    at = max(at, progress.started_at)
    while len(progress.periods) > 1 and progress.periods[-1].start >= at:
        if progress.periods[-1].energy:
            break
        progress.periods.pop()
    advance(progress, at)
    if meter_stop is None:
        return progress
    if (energy := final_energy(progress, at, meter_stop)) is None:
        progress.note("a final register that cannot be true")
    else:
        progress.register = meter_stop
        settle(progress, at, energy - exported(progress))
    return progress


def final_energy(progress: Progress, at: datetime, meter_stop: Decimal) -> Decimal | None:
    """Wh between the registers of start and stop; None when neither way of counting is believable.

    Some stations tell the whole register at start and stop, and in between only what this session
    took; some registers really start again. The first way is the one that stations mean.
    """
    hours = Decimal((at - progress.started_at).total_seconds()) / 3600
    most = progress.most_power * hours * MARGIN + SLACK * 10
    for start, carried in (
        (progress.told_start, Decimal(0)),
        (progress.meter_start, progress.carried),
    ):
        if start is None:
            continue
        energy = (carried + meter_stop - start).quantize(Decimal(1), ROUND_HALF_UP)
        if 0 <= energy <= most:
            return energy
    return None


def exported(progress: Progress) -> Decimal:
    if progress.exported is None or progress.exported_start is None:
        return Decimal(0)
    return (progress.exported - progress.exported_start).quantize(Decimal(1), ROUND_HALF_UP)


def settle(progress: Progress, at: datetime, energy: Decimal) -> None:
    """Make the periods add up to the final energy, taking back from the last what was too much."""
    missing = energy - progress.energy
    if missing > 0:
        spread(progress, min(progress.read_at, at), at, missing)
    for period in reversed(progress.periods):
        if missing >= 0:
            break
        taken = min(-missing, max(period.energy, Decimal(0)))
        period.energy -= taken
        missing += taken
    progress.energy, progress.read_at = energy, at


def durations(periods: list[Period], end: datetime) -> list[tuple[Period, Decimal]]:
    """Each period with its length in hours, to the second's part OCPI's four decimals can show."""
    starts = [period.start for period in periods[1:]] + [end]
    return [
        (period, Decimal(str((until - period.start).total_seconds())) / 3600)
        for period, until in zip(periods, starts, strict=True)
    ]


def write(progress: Progress) -> dict[str, Any]:
    """As JSON; read back by ``restore``."""
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
    ]


def restore(kept: dict[str, Any]) -> Progress:
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

    start, state, energy, power, current, soc = kept
    return Period(
        datetime.fromisoformat(start).astimezone(UTC),
        state,
        Decimal(energy),
        spread_of(power),
        spread_of(current),
        value(soc),
    )
