"""What a transaction has come to so far: energy, power and the periods OCPI wants. Pure.

``Progress`` is folded forward by every reading and every change of state, and can be written down
as JSON between two messages. Readings may lie: registers fall, jump and start again, kWh come
labelled as Wh. A reading that cannot be true is noted and left out; none is ever refused.

Periods begin at each change of state and at each quarter of an hour: that is where tariffs change
(CDR-09), and often enough for a driver (SES-15). Energy between two readings is spread over the
periods between them, over those in which the vehicle was charging if there are any.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from itertools import islice

from hub.roaming.metering import crossings
from hub.roaming.metering.crossings import Limits
from hub.roaming.metering.progress import CHARGING, MOST_POWER, RESERVED, Period, Progress
from hub.roaming.metering.readings import Figures

QUARTER = timedelta(minutes=15)
MOST_PERIODS = 1000
# What a reading may be off by rounding, and how far above its rating a connector may deliver.
SLACK = Decimal(100)
MARGIN = Decimal("1.2")
# Of kW; a milliampere of A.
WATT = Decimal("0.001")


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
    before = dict(progress.measured)
    cross(progress, "power", limits.power, now.power, now.at)
    cross(progress, "current", limits.current, now.current, now.at)
    advance(progress, now.at)
    fill(progress, "power", before, now.power, now.at)
    fill(progress, "current", before, now.current, now.at)
    period = progress.periods[-1]
    period.power.add(now.power)
    period.current.add(now.current)
    if now.power is not None:
        progress.most_measured = max(now.power, progress.most_measured or now.power)
    if now.soc is not None and 0 <= now.soc <= 100:  # noqa: PLR2004
        period.soc = progress.last_soc = now.soc
        progress.first_soc = now.soc if progress.first_soc is None else progress.first_soc
    count_energy(progress, now)
    if fed_back := exported(progress):
        period.fed_back = fed_back


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


def fill(
    progress: Progress,
    name: str,
    before: Mapping[str, tuple[Decimal, datetime]],
    value: Decimal | None,
    at: datetime,
) -> None:
    """Give charging periods that began and ended between two readings what lies on the straight
    line: without any power a price that depends on it would not apply (PRICE-14).
    """
    if value is None or name not in before:
        return
    last, since = before[name]
    for period in islice(reversed(progress.periods), 1, None):
        if period.start <= since:
            return
        if period.state == CHARGING and not getattr(period, name).count:
            passed, whole = in_seconds(period.start - since), in_seconds(at - since)
            # Never rounded over a limit that was crossed only later.
            rounding = ROUND_DOWN if value > last else ROUND_UP
            between = (last + (value - last) * passed / whole).quantize(WATT, rounding)
            getattr(period, name).add(between)


def in_seconds(span: timedelta) -> Decimal:
    return Decimal(str(span.total_seconds()))


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
