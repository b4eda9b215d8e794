"""A second engine, written from the text alone and as naive as it gets: minute by minute.

It knows nothing of the first: no cutting, no intervals, no caching. Whatever happens in a minute is
priced by what is true at its first moment, which is exact as long as everything falls on whole
minutes: starts, times of day, durations, and the energy at which a limit lies.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

Document = dict[str, Any]
UNITS = {"FLAT": 1, "ENERGY": 1000, "TIME": 60, "PARKING_TIME": 60}  # per kWh in Wh, per hour
PARTS = {
    "FLAT": "total_fixed_cost",
    "ENERGY": "total_energy_cost",
    "TIME": "total_time_cost",
    "PARKING_TIME": "total_parking_cost",
}
WEEK = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


@dataclass(frozen=True)
class Stretch:
    """So many minutes of CHARGING, PARKING, RESERVATION or EXPIRED; ``rate`` is Wh a minute."""

    minutes: int
    phase: str
    rate: int = 0
    power: int | None = None
    tariff: int = 0


def number(value: Any) -> Fraction:
    return Fraction(str(value))


def holds(limits: Document, local: datetime, minutes: int, energy: int, power: int | None) -> bool:
    """Every restriction at once, as the table of TariffRestrictions words them."""
    begin, end = limits.get("start_time", "00:00"), limits.get("end_time", "00:00")
    clock = local.strftime("%H:%M")
    if "start_time" in limits or "end_time" in limits:
        if end == "00:00":
            inside = clock >= begin
        elif begin == end:
            inside = True
        elif begin < end:
            inside = begin <= clock < end
        else:
            inside = clock >= begin or clock < end
        if not inside:
            return False
    today = local.strftime("%Y-%m-%d")
    days = limits.get("day_of_week") or WEEK
    return (
        limits.get("start_date", today) <= today < limits.get("end_date", "9999-99-99")
        and WEEK[local.weekday()] in days
        and number(limits.get("min_kwh", 0)) * 1000 <= energy
        and ("max_kwh" not in limits or energy < number(limits["max_kwh"]) * 1000)
        and limits.get("min_duration", 0) <= minutes * 60
        and ("max_duration" not in limits or minutes * 60 < limits["max_duration"])
        and ("min_power" not in limits or (power is not None and power >= limits["min_power"]))
        and ("max_power" not in limits or (power is not None and power < limits["max_power"]))
    )


def active(tariff: Document, phase: str, dimension: str, state: tuple[Any, ...]) -> Any:
    """The place of the one component that prices a dimension now, or None."""
    wanted: list[str | None] = [None]
    if phase == "RESERVATION":
        wanted = ["RESERVATION"]
    elif phase == "EXPIRED":
        wanted = ["RESERVATION", "RESERVATION_EXPIRES"]
    found = []
    for place, element in enumerate(tariff["elements"]):
        limits = element.get("restrictions") or {}
        if limits.get("reservation") not in wanted or not holds(limits, *state):
            continue
        for number_in, part in enumerate(element["price_components"]):
            if part["type"] == dimension:
                found.append((place, number_in, limits.get("reservation")))
    if phase == "EXPIRED" and dimension == "TIME":
        found.sort(key=lambda item: item[2] != "RESERVATION_EXPIRES")
    return found[0][:2] if found else None


def price(
    tariffs: list[Document], start: datetime, stretches: list[Stretch], zone: str
) -> dict[str, tuple[Fraction, Fraction | None] | None]:
    """The totals before and after taxes; None for a part that no component ever priced."""
    meter = Meter(tariffs)
    at, minutes, reserved, energy = start, 0, 0, 0
    for stretch in stretches:
        is_session = stretch.phase in {"CHARGING", "PARKING"}
        for _ in range(stretch.minutes):
            local = at.astimezone(ZoneInfo(zone))
            elapsed = minutes if is_session else reserved
            meter.minute(stretch, (local, elapsed, energy, stretch.power))
            at += timedelta(minutes=1)
            minutes += is_session
            reserved += not is_session
            energy += stretch.rate if is_session else 0
    meter.step_up()
    limits = {stretch.tariff for stretch in stretches} if minutes else set()
    return summed(tariffs, meter.used, limits, meter.for_parking)


class Meter:
    """What every component has to be paid for: ``used`` in Wh, minutes and times."""

    def __init__(self, tariffs: list[Document]) -> None:
        self.tariffs = tariffs
        self.used: dict[Any, Fraction] = defaultdict(Fraction)
        self.for_parking: set[Any] = set()
        self.last: dict[str, Any] = {}
        self.totals: dict[str, Fraction] = defaultdict(Fraction)

    def minute(self, stretch: Stretch, state: tuple[Any, ...]) -> None:
        is_session = stretch.phase in {"CHARGING", "PARKING"}
        amounts = {"FLAT": 1, "PARKING_TIME" if stretch.phase == "PARKING" else "TIME": 1}
        if is_session:
            amounts["ENERGY"] = stretch.rate
        for dimension, amount in amounts.items():
            place = active(self.tariffs[stretch.tariff], stretch.phase, dimension, state)
            if place is not None:
                self.add((stretch.tariff, *place, is_session), dimension, amount, stretch.phase)

    def add(self, key: Any, dimension: str, amount: int, phase: str) -> None:
        if dimension == "FLAT":
            if key not in self.used and phase == "PARKING" and parks(self.tariffs[key[0]], key[1]):
                self.for_parking.add(key)
            self.used[key] = Fraction(1)
            return
        self.used[key] += amount
        if amount:
            group = dimension
            if dimension != "ENERGY":
                group = "session" if key[3] else "reservation"
            self.last[group] = (key, dimension)
            self.totals[f"{dimension}{key[3]}"] += amount

    def step_up(self) -> None:
        for key, dimension in self.last.values():
            unit = 1 if dimension == "ENERGY" else 60
            step = component(self.tariffs, key)["step_size"] or 1
            self.used[key] += -self.totals[f"{dimension}{key[3]}"] * unit % step / unit


def parks(tariff: Document, place: int) -> bool:
    """A fee that falls due while parking, beside a price for parking and nothing else."""
    kinds = {part["type"] for part in tariff["elements"][place]["price_components"]}
    return kinds == {"FLAT", "PARKING_TIME"}


def component(tariffs: list[Document], key: Any) -> Document:
    tariff, element, place, _ = key
    found: Document = tariffs[tariff]["elements"][element]["price_components"][place]
    return found


def summed(
    tariffs: list[Document], used: dict[Any, Fraction], limits: set[int], for_parking: set[Any]
) -> dict[str, tuple[Fraction, Fraction | None] | None]:
    lines = []
    for key, amount in used.items():
        part = component(tariffs, key)
        cost = number(part["price"]) * amount / UNITS[part["type"]]
        rate = number(part["vat"]) / 100 if part.get("vat") is not None else Fraction(0)
        kind = tariffs[key[0]].get("tax_included", "NO")
        net = cost / (1 + rate) if kind == "YES" else cost
        gross = cost if kind in {"YES", "N/A"} else cost * (1 + rate)
        name = PARTS["PARKING_TIME" if key in for_parking else part["type"]]
        name = name if key[3] else "total_reservation_cost"
        tells = part.get("vat") is not None or kind == "N/A"
        lines.append((key[0], name, net, gross, tells, part["price"]))
    found: dict[str, tuple[Fraction, Fraction | None] | None] = dict.fromkeys(
        (*PARTS.values(), "total_reservation_cost")
    )
    for name in found:
        mine = [line for line in lines if line[1] == name]
        if mine:
            found[name] = sides(mine)
    before, after = Fraction(0), Fraction(0)
    _, known = sides(lines)
    for place, tariff in enumerate(tariffs):
        net, gross = sides([line for line in lines if line[0] == place])
        gross = sum((line[3] for line in lines if line[0] == place), Fraction(0))
        if place in limits:
            net, gross = limited(net, gross, tariff)
        before += net
        after += gross
    return {"total_cost": (before, None if known is None else after)} | found


def sides(lines: list[Any]) -> tuple[Fraction, Fraction | None]:
    """After taxes is unknown when nothing that costs something tells its tax."""
    net = sum((line[2] for line in lines), Fraction(0))
    gross = sum((line[3] for line in lines), Fraction(0))
    is_known = any(line[4] for line in lines) or not any(line[5] for line in lines)
    return net, gross if is_known else None


def limited(net: Fraction, gross: Fraction, tariff: Document) -> tuple[Fraction, Fraction]:
    for name, pick in (("min_price", max), ("max_price", min)):
        if name in tariff:
            net = pick(net, number(tariff[name]["before_taxes"]))
            gross = pick(gross, number(tariff[name]["after_taxes"]))
    return net, gross


def cdr(start: datetime, stretches: list[Stretch], *, tariff_ids: list[str]) -> Document:
    """The session as a CDR, a period for each stretch."""
    periods, at, names = [], start, {"CHARGING": "TIME", "PARKING": "PARKING_TIME"}
    for stretch in stretches:
        kind = names.get(stretch.phase, "RESERVATION_TIME")
        volumes: dict[str, Any] = {kind: Fraction(stretch.minutes, 60)}
        if stretch.phase in names:
            volumes["ENERGY"] = Fraction(stretch.rate * stretch.minutes, 1000)
        if stretch.power is not None:
            volumes |= {"MIN_POWER": stretch.power, "MAX_POWER": stretch.power}
        periods.append(
            {
                "start_date_time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "tariff_id": tariff_ids[stretch.tariff],
                "dimensions": [
                    {"type": name, "volume": round(float(volume), 6)}
                    for name, volume in volumes.items()
                ],
            }
        )
        at += timedelta(minutes=stretch.minutes)
    return {
        "id": "X",
        "start_date_time": start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "end_date_time": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "currency": "EUR",
        "charging_periods": periods,
    }
