"""Meter readings: from what a station says to figures one can count with. Pure.

Stations leave units out, label kWh as Wh, send a value per phase or only a sum, and numbers with
fifteen digits. ``figures`` makes watt-hours, kilowatts, amperes and per cent of one reading and
leaves out what does not bill: samples at the inlet, the body and the cable.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

REGISTER = "Energy.Active.Import.Register"
BILLING_LOCATIONS = (None, "Outlet", "EV")
PHASES = ("L1", "L2", "L3", "L1-N", "L2-N", "L3-N")
BEGIN, END = "Transaction.Begin", "Transaction.End"
# A number beyond this is no reading of a charging station.
LARGEST = Decimal(10) ** 12


class Sample(NamedTuple):
    """One value, in OCPP's words. ``signed`` is what the meter signed, byte for byte."""

    value: Decimal | None
    measurand: str = REGISTER
    unit: str | None = None
    context: str | None = None
    location: str | None = None
    phase: str | None = None
    signed: "Signed | None" = None


class Signed(NamedTuple):
    """A signed reading as it came: text or base64 of it, and what was said about it."""

    data: str
    is_base64: bool
    encoding_method: str | None = None
    public_key: str | None = None


class Reading(NamedTuple):
    at: datetime
    samples: tuple[Sample, ...]


class Figures(NamedTuple):
    """One instant. Energy in Wh, power in kW, current in A, state of charge in per cent."""

    at: datetime
    register: Decimal | None = None
    exported: Decimal | None = None
    interval: Decimal | None = None
    net: Decimal | None = None
    power: Decimal | None = None
    current: Decimal | None = None
    soc: Decimal | None = None
    context: str | None = None


def shifted(readings: Iterable[Reading], by: timedelta) -> tuple[Reading, ...]:
    """The same readings, taken at other times: those of a clock that is right."""
    if not by:
        return tuple(readings)
    return tuple(Reading(reading.at + by, reading.samples) for reading in readings)


def number(text: object) -> Decimal | None:
    """A finite number, read from its digits and never through a binary float; None for none."""
    try:
        value = Decimal(str(text).strip().replace(",", "."))
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) < LARGEST else None


def figures(reading: Reading) -> Figures:
    """What one reading comes to, by what it measures and where."""
    energy: dict[str, list[Sample]] = {}
    contexts, charge = set(), None
    for sample in reading.samples:
        if sample.value is None:
            continue
        contexts.add(sample.context)
        if sample.location in BILLING_LOCATIONS:
            energy.setdefault(sample.measurand, []).append(sample)
        if sample.measurand == "SoC" and sample.location in (None, "EV"):
            charge = sample.value
    exported = total(energy, "Energy.Active.Export.Interval")
    interval = total(energy, "Energy.Active.Import.Interval")
    if exported is not None:
        interval = (interval or Decimal(0)) - exported
    power = total(energy, "Power.Active.Import")
    if (fed_back := total(energy, "Power.Active.Export")) is not None:
        power = (power or Decimal(0)) - fed_back
    return Figures(
        at=reading.at,
        register=total(energy, REGISTER),
        exported=total(energy, "Energy.Active.Export.Register"),
        interval=interval,
        net=total(energy, "Energy.Active.Net"),
        power=None if power is None else power / 1000,
        current=total(energy, "Current.Import"),
        soc=charge,
        context=BEGIN if BEGIN in contexts else END if END in contexts else None,
    )


def total(samples: Mapping[str, Sequence[Sample]], measurand: str) -> Decimal | None:
    """The value without a phase if there is one, else the sum of the phases."""
    values = samples.get(measurand)
    if values is None:
        return None
    for sample in values:
        if sample.phase is None:
            return in_base_unit(sample)
    phases = {
        sample.phase.removesuffix("-N"): in_base_unit(sample)
        for sample in values
        if sample.phase in PHASES
    }
    return sum(phases.values(), Decimal(0)) if phases else None


def in_base_unit(sample: Sample) -> Decimal:
    assert sample.value is not None
    kilo = sample.unit is not None and sample.unit.startswith("k")
    return sample.value * 1000 if kilo else sample.value
