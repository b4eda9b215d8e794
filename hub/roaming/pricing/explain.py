"""Every cent explained: which element priced what, in which period, and why.

A line stands for one dimension in one piece of a period. Lines of a period that are alike apart
from their time are not merged: where the price could have changed and did not is part of the
answer.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from hub.roaming.pricing import money
from hub.roaming.pricing.components import Component, Dimension
from hub.roaming.pricing.engine import Priced, part_of
from hub.roaming.pricing.money import Amount, Charge
from hub.roaming.pricing.pieces import Piece
from hub.roaming.pricing.quantities import (
    HOUR,
    KILOWATT_HOUR,
    Exact,
    date_time,
    fixed,
    to_places,
)
from hub.roaming.pricing.restrictions import Moment
from hub.roaming.pricing.tariffs import Element, Phase
from hub.roaming.pricing.timeline import Walk
from hub.roaming.pricing.wire import PLACES, digits, expected, number

UNITS = {
    Dimension.FLAT: "",
    Dimension.ENERGY: "kWh",
    Dimension.TIME: "h",
    Dimension.PARKING_TIME: "h",
}

# A reason for each of the elements before would be longer than everything else.
MOST_REASONS = 10


@dataclass(frozen=True, slots=True)
class Line:
    """One dimension of one piece. ``billed`` is the volume after rounding up to the step size.

    ``component`` is None when nothing prices the dimension there, ``charge`` then too.
    """

    piece: Piece
    dimension: Dimension
    volume: Exact
    billed: Exact
    component: Component | None
    charge: Charge | None
    why: str

    @property
    def label(self) -> str:
        """The dimension as a CDR names it; reserved time is not charging time."""
        if self.dimension is Dimension.TIME and self.piece.phase in RESERVED:
            return "RESERVATION_TIME"
        return str(self.dimension)


RESERVED = frozenset({Phase.RESERVATION, Phase.EXPIRED, Phase.CANCELLED, Phase.OVERTIME})


def lines(priced: Priced) -> list[Line]:
    """The whole computation, in the order of time."""
    return [line for piece in priced.pieces for line in lines_of(piece, priced)]


def lines_of(piece: Piece, priced: Priced) -> Iterator[Line]:
    if piece.flat is not None:
        yield line(piece, priced, piece.flat, (Dimension.FLAT, 1, 0))
    if piece.energy is not None and piece.phase not in RESERVED:
        used = (Dimension.ENERGY, piece.energy, piece.extra_energy)
        yield line(piece, priced, piece.energy_price, used)
    if piece.seconds is not None:
        is_parking = piece.phase is Phase.PARKING
        dimension = Dimension.PARKING_TIME if is_parking else Dimension.TIME
        yield line(piece, priced, piece.time_price, (dimension, piece.seconds, piece.extra_seconds))


def line(
    piece: Piece,
    priced: Priced,
    component: Component | None,
    used: tuple[Dimension, Exact, Exact],
) -> Line:
    dimension, volume, extra = used
    charge = None
    if component is not None and piece.tariff is not None:
        part = part_of(component, piece)
        charge = money.charge(piece.tariff, part, component, volume + extra, priced.rules)
    reason = why(piece, dimension, component, priced.time_zone)
    if extra and component is not None:
        reason += f"; rounded up to steps of {step(component)}"
    return Line(piece, dimension, volume, volume + extra, component, charge, reason)


def step(component: Component) -> str:
    return f"{component.step} {'Wh' if component.dimension is Dimension.ENERGY else 's'}"


def why(
    piece: Piece, dimension: Dimension, component: Component | None, time_zone: str | None
) -> str:
    """Why this element and not one before it."""
    if piece.tariff is None:
        return "no tariff is relevant to this period"
    candidates = piece.tariff.candidates[piece.phase][dimension]
    if not candidates:
        return f"the tariff has no price for {dimension}"
    moment = Walk(time_zone).moment(piece, piece.tariff)
    passed: list[Element] = []
    for candidate, element, _ in candidates:
        if candidate is component:
            used = f"element {element.number}: {grounds(element)}"
            return "; ".join([used, *not_those(passed, moment)])
        passed.append(element)
    return "; ".join(["no element applies", *not_those(passed, moment)])


def not_those(passed: Sequence[Element], moment: Moment) -> Iterator[str]:
    """Why not the elements before: neighbours that fail for the same reason are told together."""

    def reason(place: int) -> tuple[str, int]:
        return failure(passed[place], moment), passed[place].number - place

    told = 0
    alike = itertools.groupby(range(len(passed)), key=reason)
    for (why_not, _), places in itertools.islice(alike, MOST_REASONS):
        first, *others = [passed[place].number for place in places]
        told += 1 + len(others)
        names = f"elements {first} to {others[-1]}" if others else f"element {first}"
        yield f"not {names}{why_not}"
    if told < len(passed):
        yield f"nor {len(passed) - told} more"


def failure(element: Element, moment: Moment) -> str:
    failed = [label(name) for name, test in element.tests if not test(moment)]
    return f" ({', '.join(failed)})" if failed else ""


def grounds(element: Element) -> str:
    """Why it applies."""
    kept = [label(name) for name, _ in element.tests]
    if element.restrictions.purpose is not None:
        kept.insert(0, element.restrictions.purpose)
    return f"matches {', '.join(kept)}" if kept else "unrestricted"


def label(name: str) -> str:
    return "time of day" if name == "window" else name


def entries(priced: Priced) -> list[dict[str, Any]]:
    """The lines as JSON, volumes and amounts as decimal text."""
    return [entry(item, priced) for item in lines(priced)]


def entry(item: Line, priced: Priced) -> dict[str, Any]:
    component, piece = item.component, item.piece
    amount = cost(item, priced)
    return {
        "period": piece.period + 1,
        "from": date_time(piece.start),
        "to": date_time(piece.start + piece.length),
        "phase": str(piece.phase),
        "dimension": item.label,
        "volume": volume(item.dimension, item.volume),
        "billed_volume": volume(item.dimension, item.billed if component else 0),
        "unit": UNITS[item.dimension],
        "tariff_id": None if piece.tariff is None else piece.tariff.id,
        "element": None if component is None else component.element,
        "price": None if component is None else exact(component.price),
        "vat": None if component is None or component.vat is None else str(number(component.vat)),
        "step_size": None if component is None else component.step,
        "excl_vat": digits(amount.net),
        "incl_vat": digits(amount.gross),
        "why": item.why,
    }


def cost(item: Line, priced: Priced) -> Amount:
    """What a line costs; nothing where no component is active."""
    charges: Sequence[Charge] = () if item.charge is None else (item.charge,)
    return money.total(charges, priced.rules, known=money.tells_taxes(charges))


@lru_cache(maxsize=4096)
def exact(value: Fraction) -> str:
    """A price with as many decimals as it takes, at least two."""
    places = 2
    while to_places(value, places) != value and places < 12:  # noqa: PLR2004 - more is noise
        places += 1
    return fixed(value, places)


def volume(dimension: Dimension, value: Exact) -> str:
    if dimension is Dimension.FLAT:
        return str(value)
    return fixed(value, PLACES, KILOWATT_HOUR if dimension is Dimension.ENERGY else HOUR)


HEADINGS = (
    "period",
    "from",
    "dimension",
    "volume",
    "billed",
    "price",
    "excl",
    "VAT",
    "incl",
    "why",
)


def table(priced: Priced) -> str:
    """The computation as a text table, followed by the totals and what was remarkable."""
    rows = [row(item, priced) for item in lines(priced)]
    widths = [max(len(cells[place]) for cells in (HEADINGS, *rows)) for place in range(9)]
    printed = [
        " ".join(
            cell.ljust(width) if place in TEXTUAL else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(cells, widths, strict=False))
        )
        + f"  {cells[-1]}"
        for cells in (HEADINGS, *rows)
    ]
    return "\n".join([*printed, "", *footer(priced)])


TEXTUAL = frozenset({1, 2})


def row(item: Line, priced: Priced) -> tuple[str, ...]:
    component, piece = item.component, item.piece
    amount = cost(item, priced)
    vat = "" if component is None or component.vat is None else f"{number(component.vat)}%"
    return (
        str(piece.period + 1),
        date_time(piece.start),
        item.label,
        quantity(item.dimension, item.volume),
        quantity(item.dimension, item.billed if component else 0),
        "" if component is None else exact(component.price),
        digits(amount.net) or "?",
        vat,
        digits(amount.gross) or "?",
        item.why,
    )


def quantity(dimension: Dimension, value: Exact) -> str:
    """A volume for people: kWh, or hours, minutes and seconds."""
    if dimension is Dimension.FLAT:
        return str(value)
    if dimension is Dimension.ENERGY:
        return f"{volume(dimension, value)} kWh"
    whole = int(to_places(value, 0))
    return f"{whole // HOUR}:{whole % HOUR // 60:02d}:{whole % 60:02d}"


def footer(priced: Priced) -> list[str]:
    """The totals, and the notes."""
    texts = []
    for name, amounts in expected(priced).items():
        if amounts is not None:
            texts.append(
                f"{name:<23} {amounts['excl_vat'] or '?':>12} excl. "
                f"{amounts['incl_vat'] or '?':>12} incl. {priced.currency}"
            )
    if priced.notes:
        texts += ["", *(f"note: {note.text}" for note in priced.notes)]
    return texts
