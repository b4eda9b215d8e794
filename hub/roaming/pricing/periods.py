"""Charging periods for the hub's own sessions, split wherever another price applies (CDR-09).

Stations report what happened; ``charging_periods`` cuts it where the tariff changes its prices
and writes what OCPI wants: whole seconds, kWh and hours with four decimals, one period per set of
active components. Rounding never loses anything: what one period gives away the next one has.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from operator import attrgetter, itemgetter
from typing import Any

from hub.roaming.pricing import choosing, timeline
from hub.roaming.pricing.engine import Priced
from hub.roaming.pricing.pieces import Piece, lay_out
from hub.roaming.pricing.quantities import (
    WATT_HOUR,
    CannotPrice,
    Exact,
    at,
    date_time,
    decimal,
    in_hours,
    in_kwh,
    rounded,
    tidy,
)
from hub.roaming.pricing.records import V2_3_0, Period, Record
from hub.roaming.pricing.restrictions import Span
from hub.roaming.pricing.tariffs import Document, Phase, Tariff, read

TIMES = {
    Phase.CHARGING: "TIME",
    Phase.PARKING: "PARKING_TIME",
    Phase.RESERVATION: "RESERVATION_TIME",
    Phase.EXPIRED: "RESERVATION_TIME",
}
# kWh with four decimals.
SMALLEST_ENERGY = WATT_HOUR // 10
THOUSAND = 1000


def split(priced: Priced) -> list[dict[str, Any]]:
    """The charging periods of a CDR, those in which the price changes divided there (CDR-09).

    The others stay as they are.
    """
    documents = sorted(
        priced.record.document["charging_periods"], key=itemgetter("start_date_time")
    )
    found: list[dict[str, Any]] = []
    for number, pieces in itertools.groupby(priced.pieces, key=attrgetter("period")):
        groups = list(grouped(list(pieces)))
        found += written(groups, millisecond) if len(groups) > 1 else [documents[number]]
    return found


@dataclass(frozen=True, slots=True)
class Usage:
    """What a station saw between two moments: a phase, energy in Wh, power in kW, current in A.

    Power and current are None when not measured; current is the sum over the phases.
    """

    start: datetime
    end: datetime
    phase: Phase
    energy: Decimal | int = 0
    power: Decimal | None = None
    current: Decimal | None = None


def charging_periods(
    tariffs: Sequence[Document | Tariff],
    usage: Sequence[Usage],
    *,
    time_zone: str | None,
    tariff_type: str | None = None,
) -> list[dict[str, Any]]:
    """ChargingPeriods of a session, priced by one of the tariffs. Empty for nothing.

    Raises CannotPrice.
    """
    if not usage:
        return []
    record = recorded(usage)
    known = [read(tariff) for tariff in tariffs]
    chosen: list[Tariff | None] = [None] * len(usage)
    if known:
        chosen = list(choosing.choose(record, known, tariff_type=tariff_type).tariffs)
    laid_out = lay_out(record, Phase.RESERVATION)
    pieces = timeline.walk(record, laid_out, chosen, time_zone)
    groups = list(grouped(pieces))
    return [*written(groups)]


def recorded(usage: Sequence[Usage]) -> Record:
    """The usage as a session, its energy and times as exact as they came."""
    periods = []
    for item in usage:
        start, end = second(at(item.start)), second(at(item.end))
        if end < start:
            raise CannotPrice("A part of the session ends before it starts.")
        period = Period(
            start, bounds={**steady("POWER", item.power), **steady("CURRENT", item.current)}
        )
        period.energy = rounded(Fraction(decimal(item.energy, "energy")) * WATT_HOUR)
        setattr(period, FIELDS[item.phase], end - start)
        periods.append(period)
    return Record(
        document={},
        version=V2_3_0,
        is_session=True,
        start=periods[0].start,
        end=second(at(usage[-1].end)),
        currency=None,
        periods=periods,
        energy=None,
        tariffs=[],
        tariff_id=None,
        time_zone=None,
        is_credit=False,
    )


FIELDS = {
    Phase.CHARGING: "charging",
    Phase.PARKING: "parking",
    Phase.RESERVATION: "reserved",
    Phase.EXPIRED: "reserved",
}


def second(moment: Exact) -> int:
    """The whole second a moment lies in.

    Cut off and not rounded: the limits of a tariff lie on whole seconds, and what happened before
    one must not seem to have happened at it.
    """
    return int(moment // 1)


def millisecond(moment: Exact) -> Exact:
    """The millisecond a moment lies in: as exact as stations are, and OCPI can say it."""
    return tidy(Fraction(int(moment * THOUSAND // 1), THOUSAND))


def precise(moment: Exact) -> str:
    """An instant as OCPI writes it, to the millisecond if need be."""
    if isinstance(moment, int):
        return date_time(moment)
    whole = int(moment // 1)
    return f"{date_time(whole)[:-1]}.{int((moment - whole) * THOUSAND):03d}Z"


def steady(name: str, value: Decimal | None) -> dict[str, Decimal]:
    return {} if value is None else {f"MIN_{name}": value, f"MAX_{name}": value}


def grouped(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Pieces that may share a period: the same phase and tariff, and the same components active."""
    group: list[Piece] = []
    for piece in pieces:
        if group and not (piece.flat is None and alike(group[-1], piece)):
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


def alike(one: Piece, two: Piece) -> bool:
    return (
        one.phase is two.phase
        and one.tariff is two.tariff
        and one.energy_price is two.energy_price
        and one.time_price is two.time_price
        and not at_limit(two)
        and same_side(one, two)
    )


def at_limit(piece: Piece) -> bool:
    """Does it begin where a limit of energy was reached?

    A period that went on across it would leave open when that was: its energy is taken as spread
    evenly, which over different rates it is not.
    """
    return piece.tariff is not None and piece.consumed in piece.tariff.energies


def same_side(one: Piece, two: Piece) -> bool:
    """Are current and power on the same side of every limit of the tariff?

    Else the period they share would leave open which side it was on.
    """
    if one.tariff is None or not (one.tariff.needs_current or one.tariff.needs_power):
        return True
    for element in one.tariff.elements:
        rules = element.restrictions
        for limit in (rules.min_current, rules.max_current):
            if limit is not None and differ(one.current, two.current, limit):
                return False
        for limit in (rules.min_power, rules.max_power):
            if limit is not None and differ(one.power, two.power, limit):
                return False
    return True


def differ(one: Span, two: Span, limit: Decimal) -> bool:
    return one.reaches(limit) is not two.reaches(limit)


def written(
    groups: Sequence[Sequence[Piece]], moment: Callable[[Exact], Exact] = second
) -> Iterator[dict[str, Any]]:
    """The groups as ChargingPeriods, totals carried along so that rounding loses nothing.

    ``moment`` cuts instants off to what is written of them.
    """
    used: Exact = 0
    told = 0
    for group in groups:
        used += sum(piece.energy or 0 for piece in group)
        due = rounded(tidy(Fraction(used) / SMALLEST_ENERGY)) * SMALLEST_ENERGY
        start, last = moment(group[0].start), group[-1]
        end = moment(last.start + last.length)
        tariff = group[0].tariff
        dimensions = [*measured(group)]
        if due != told or group[0].phase is Phase.CHARGING:
            dimensions.insert(0, {"type": "ENERGY", "volume": in_kwh(due - told)})
        dimensions.insert(0, {"type": TIMES[group[0].phase], "volume": in_hours(end - start)})
        told = due
        body: dict[str, Any] = {"start_date_time": precise(start), "dimensions": dimensions}
        if tariff is not None:
            body["tariff_id"] = tariff.id
        yield body


def measured(group: Sequence[Piece]) -> Iterator[dict[str, Any]]:
    """The bounds of current and power, where they were measured all along."""
    for name, spans in (
        ("CURRENT", [piece.current for piece in group]),
        ("POWER", [piece.power for piece in group]),
    ):
        lows = [span.low for span in spans if span.low is not None]
        highs = [span.high for span in spans if span.high is not None]
        if len(lows) == len(highs) == len(group):
            yield {"type": f"MIN_{name}", "volume": min(lows)}
            yield {"type": f"MAX_{name}", "volume": max(highs)}
