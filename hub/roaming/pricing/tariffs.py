"""Tariffs of any OCPI version as values that are ready to be priced with.

Reading is tolerant where feeds are: null is absent, a missing ``tax_included`` means NO (AMB-30),
limits may be called ``excl_vat`` or ``before_taxes``. What would change a price without anybody
noticing is refused: an unknown dimension, a number that is none.

A tariff is read once: CDRs carry their tariffs along, and the same one comes again and again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, NamedTuple

import orjson

from hub.roaming.pricing import restrictions
from hub.roaming.pricing.components import Component, Dimension, component
from hub.roaming.pricing.quantities import (
    DAY,
    Exact,
    Unreadable,
    fraction,
    instant,
)
from hub.roaming.pricing.remembering import Remembered
from hub.roaming.pricing.restrictions import Restrictions, Test

Document = Mapping[str, Any]

# How many bytes of tariffs are remembered. What was read takes about 15 times that.
MOST_REMEMBERED = 4 * 1024 * 1024


class Phase(StrEnum):
    """What happens at an instant. Reservations are priced by elements of their own (PRICE-20)."""

    CHARGING = "CHARGING"
    PARKING = "PARKING"
    RESERVATION = "RESERVATION"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    OVERTIME = "OVERTIME"

    __hash__ = str.__hash__  # Enum's own is a call into Python


class TaxIncluded(StrEnum):
    YES = "YES"
    NO = "NO"
    NOT_APPLICABLE = "N/A"

    __hash__ = str.__hash__  # Enum's own is a call into Python


SESSION_PHASES = frozenset({Phase.CHARGING, Phase.PARKING})

CANCELLATION = "BOOKING_CANCELLATION_FEES"

# Which reservation elements price which phase.
PURPOSES: Mapping[Phase, frozenset[str | None]] = {
    Phase.CHARGING: frozenset({None}),
    Phase.PARKING: frozenset({None}),
    Phase.RESERVATION: frozenset({"RESERVATION", "BOOKING"}),
    Phase.EXPIRED: frozenset({"RESERVATION", "BOOKING", "RESERVATION_EXPIRES", "BOOKING_EXPIRES"}),
    Phase.CANCELLED: frozenset({"RESERVATION", "BOOKING", CANCELLATION}),
    Phase.OVERTIME: frozenset({"BOOKING_OVERTIME"}),
}
EXPIRES = frozenset({"RESERVATION_EXPIRES", "BOOKING_EXPIRES"})
RESERVABLE = frozenset({Dimension.FLAT, Dimension.TIME})


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    number: int
    components: tuple[Component, ...]
    restrictions: Restrictions
    tests: tuple[tuple[str, Test], ...]

    @property
    def for_parking(self) -> bool:
        """Does it price parking and nothing else that a session consumes?"""
        priced = {component.dimension for component in self.components}
        return Dimension.PARKING_TIME in priced and priced <= {
            Dimension.PARKING_TIME,
            Dimension.FLAT,
        }


@dataclass(frozen=True, slots=True)
class Limit:
    """``min_price`` or ``max_price``; either side may be missing."""

    before: Fraction | None
    after: Fraction | None


Candidate = tuple[Component, Element, tuple[Test, ...]]


class Plan(NamedTuple):
    """What may price a phase: fees, energy, and its time."""

    flat: tuple[Candidate, ...]
    energy: tuple[Candidate, ...]
    time: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Tariff:
    """A tariff and, derived from it once, where its prices may change.

    ``marks`` are the seconds of the local day at which a restriction changes its answer,
    ``durations`` and ``energies`` the limits in seconds and millionths of a Wh. ``is_strange`` is
    whether some restriction is not known here.
    """

    id: str
    party: tuple[str, str]
    currency: str
    type: str | None
    tax_included: TaxIncluded
    start: Exact | None
    end: Exact | None
    last_updated: Exact | None
    min_price: Limit | None
    max_price: Limit | None
    elements: tuple[Element, ...]
    candidates: Mapping[Phase, Mapping[Dimension, tuple[Candidate, ...]]]
    charging: Plan
    parking: Plan
    plans: Mapping[Phase, Plan]
    marks: tuple[int, ...]
    durations: tuple[int, ...]
    energies: tuple[int, ...]
    is_local: bool
    is_strange: bool
    needs_current: bool
    needs_power: bool

    @property
    def rates(self) -> frozenset[Fraction | None]:
        """The VAT rates its components name; None stands for those that name none."""
        return frozenset(part.vat for part in self.components)

    @property
    def components(self) -> Iterator[Component]:
        return (part for element in self.elements for part in element.components)

    def plan(self, phase: Phase) -> Plan:
        """The candidates of a phase; the two that matter are not looked up by hash."""
        if phase is Phase.CHARGING:
            return self.charging
        return self.parking if phase is Phase.PARKING else self.plans[phase]

    def in_force(self, moment: Exact) -> bool:
        """The end is exclusive (PRICE-01)."""
        started = self.start is None or self.start <= moment
        return started and (self.end is None or moment < self.end)


def read(document: Document | Tariff) -> Tariff:
    """A tariff document of any version, or a tariff that was read before."""
    if isinstance(document, Tariff):
        return document
    if not isinstance(document, dict):
        raise Unreadable("A tariff is not an object.")
    text = spelled(document)
    found = READ.get(text)
    if found is None:
        found = parsed(text)
        READ.put(text, found, len(text))
    return found


READ: Remembered[bytes, Tariff] = Remembered(MOST_REMEMBERED)


def spelled(document: Document) -> bytes:
    """A tariff as JSON, under which it is remembered."""
    try:
        return orjson.dumps(document, default=str)
    except (TypeError, orjson.JSONEncodeError):
        pass
    try:  # orjson writes no integers beyond 64 bits, though JSON has them
        return json.dumps(document, default=str, ensure_ascii=False).encode()
    except (TypeError, ValueError):
        raise Unreadable("A tariff holds something that is not JSON.") from None


def parsed(text: bytes) -> Tariff:
    """A tariff of JSON text, of any OCPI version. Raises Unreadable, naming the element."""
    body = json.loads(text, parse_float=Decimal)
    where = f"tariff {str(body.get('id', ''))[:36]!r}"
    parts = tuple(
        element(number, item, f"{where} element {number}")
        for number, item in enumerate(elements(body, where), 1)
    )
    restricted = [part.restrictions for part in parts]
    found = {
        phase: {dimension: tuple(candidates(parts, phase, dimension)) for dimension in Dimension}
        for phase in Phase
    }
    plans = {phase: plan(found[phase], phase) for phase in Phase}
    return Tariff(
        id=str(body.get("id", "")),
        party=(str(body.get("country_code", "")).upper(), str(body.get("party_id", "")).upper()),
        currency=currency(body.get("currency"), where),
        type=kind.upper() if isinstance(kind := body.get("type"), str) and kind else None,
        tax_included=tax_included(body.get("tax_included"), where),
        start=instant(body.get("start_date_time"), f"{where} start_date_time"),
        end=instant(body.get("end_date_time"), f"{where} end_date_time"),
        last_updated=instant_or_none(body.get("last_updated")),
        min_price=limit(body.get("min_price"), f"{where} min_price"),
        max_price=limit(body.get("max_price"), f"{where} max_price"),
        elements=parts,
        candidates=found,
        charging=plans[Phase.CHARGING],
        parking=plans[Phase.PARKING],
        plans=plans,
        marks=marks(restricted),
        durations=thresholds(restricted, "min_duration", "max_duration"),
        energies=thresholds(restricted, "min_kwh", "max_kwh"),
        is_local=any(item.is_local for item in restricted),
        is_strange=any(item.unknown for item in restricted),
        needs_current=bool(thresholds(restricted, "min_current", "max_current")),
        needs_power=bool(thresholds(restricted, "min_power", "max_power")),
    )


def instant_or_none(value: Any) -> Exact | None:
    """``last_updated`` only tells versions of a tariff apart: an odd one must not void a price."""
    try:
        return instant(value, "last_updated")
    except Unreadable:
        return None


def elements(body: Document, where: str) -> Sequence[Any]:
    items = body.get("elements")
    if not isinstance(items, list) or not items:
        raise Unreadable(f"{where} has no elements.")
    return items


def currency(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Unreadable(f"{where} has no currency.")
    return value.strip().upper()


def tax_included(value: Any, where: str) -> TaxIncluded:
    """Absent in 2.1.1 and 2.2.1, where prices exclude VAT, and forgotten in 2.3.0 (AMB-30)."""
    if value is None:
        return TaxIncluded.NO
    try:
        return TaxIncluded(value)
    except ValueError:
        raise Unreadable(f"{where} tax_included is none of YES, NO, N/A.") from None


def limit(body: Any, where: str) -> Limit | None:
    """PriceLimit of 2.3.0, Price of 2.2.1, or a bare number, which older systems send."""
    if body is None:
        return None
    if not isinstance(body, Mapping):
        return Limit(fraction(body, where), None)
    sides = []
    for names in (("before_taxes", "excl_vat"), ("after_taxes", "incl_vat")):
        values = [body[name] for name in names if body.get(name) is not None]
        sides.append(fraction(values[0], where) if values else None)
    return Limit(*sides)


def element(number: int, body: Any, where: str) -> Element:
    if not isinstance(body, Mapping):
        raise Unreadable(f"{where} is not an object.")
    parts = body.get("price_components") or []
    if not isinstance(parts, list):
        raise Unreadable(f"{where} price_components is not a list.")
    read_restrictions = restrictions.read(body.get("restrictions"), f"{where} restrictions")
    return Element(
        number,
        tuple(component(number, part, where) for part in parts),
        read_restrictions,
        read_restrictions.tests(),
    )


def plan(found: Mapping[Dimension, tuple[Candidate, ...]], phase: Phase) -> Plan:
    time = Dimension.PARKING_TIME if phase is Phase.PARKING else Dimension.TIME
    return Plan(found[Dimension.FLAT], found[Dimension.ENERGY], found[time])


def marks(items: Sequence[Restrictions]) -> tuple[int, ...]:
    """Seconds of the local day at which some restriction may change its answer."""
    found = {moment % DAY for item in items if item.window for moment in item.window}
    if any(item.has_days for item in items):
        found.add(0)
    return tuple(sorted(found))


def thresholds(items: Sequence[Restrictions], *names: str) -> tuple[Any, ...]:
    values = {getattr(item, name) for item in items for name in names}
    return tuple(sorted(values - {None}))


def candidates(items: Sequence[Element], phase: Phase, dimension: Dimension) -> list[Candidate]:
    """The components that may price a dimension in a phase; the first that matches wins (PRICE-04).

    When a reservation expired, time is priced by RESERVATION_EXPIRES before RESERVATION, whatever
    the order of the elements (PRICE-22); flat fees keep the order of the list (PRICE-23). What
    cancelling a booking costs comes before what the booking costs.
    """
    if phase not in SESSION_PHASES and dimension not in RESERVABLE:
        return []
    found = [
        (part, item, tuple(test for _, test in item.tests))
        for item in items
        if item.restrictions.purpose in PURPOSES[phase]
        for part in item.components
        if part.dimension is dimension
    ]
    if phase is Phase.EXPIRED and dimension is Dimension.TIME:
        found.sort(key=lambda candidate: candidate[1].restrictions.purpose not in EXPIRES)
    if phase is Phase.CANCELLED:
        found.sort(key=lambda candidate: candidate[1].restrictions.purpose != CANCELLATION)
    return found
