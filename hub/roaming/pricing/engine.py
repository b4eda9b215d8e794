"""What a session costs: ``price``.

The order of work: read (tariffs, records), choose the tariff of each period (choosing), lay the
periods out in time and cut them (pieces, timeline), round up (stepping), then add, tax and limit
(money). Nothing is rounded on the way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from hub.roaming.pricing import money, quantities, records
from hub.roaming.pricing.choosing import Note, choose, same_currency
from hub.roaming.pricing.components import Component, Dimension, Tax
from hub.roaming.pricing.money import Amount, Charge, Part, Rules
from hub.roaming.pricing.pieces import (
    Piece,
    assume_average,
    follow,
    lay_out,
    span,
    spread_energy,
)
from hub.roaming.pricing.quantities import CannotPrice, Exact
from hub.roaming.pricing.records import V2_1_1, Record
from hub.roaming.pricing.stepping import step_up
from hub.roaming.pricing.tariffs import SESSION_PHASES, Document, Phase, Tariff
from hub.roaming.pricing.timeline import walk

PARTS = {
    Dimension.ENERGY: Part.ENERGY,
    Dimension.TIME: Part.TIME,
    Dimension.PARKING_TIME: Part.PARKING,
}

# What became of a reservation that no charging followed.
OUTCOMES = {
    "EXPIRED": Phase.EXPIRED,
    "CANCELLED": Phase.CANCELLED,
    "RUNNING": Phase.RESERVATION,
}


@dataclass(frozen=True, slots=True, eq=False)
class Priced:
    """The price of a session, exact, with everything that led to it.

    ``parts`` holds the partial totals that had a price component; ``total`` is their sum held
    between the limits of the tariffs. Quantities are in millionths of a Wh and in seconds:
    ``energy``, ``charging``, ``parking`` and ``reserved`` are what was stated, the pieces tell what
    was billed.
    """

    version: str
    currency: str
    time_zone: str | None
    total: Amount
    parts: dict[Part, Amount]
    charges: tuple[Charge, ...]
    pieces: tuple[Piece, ...]
    record: Record
    notes: tuple[Note, ...]
    rules: Rules
    energy: Exact
    charging: Exact
    parking: Exact
    reserved: Exact


def price(
    tariffs: Sequence[Document | Tariff],
    record: Document | Record,
    *,
    time_zone: str | None = None,
    ocpi_version: str | None = None,
    tariff_type: str | None = None,
    taxes: Sequence[Tax] = (),
    readings: Sequence[tuple[datetime, Decimal | int]] = (),
    average_power: bool | None = None,
    reservation: str | None = None,
    until: datetime | None = None,
) -> Priced:
    """Price a CDR or Session.

    ``tariffs`` are documents of any version; when there are none, those in the CDR are taken.
    ``time_zone`` is the location's, needed when a tariff looks at the clock; without it the country
    of the CDR's location may tell. ``tariff_type`` helps
    to choose among tariffs when the periods do not name theirs. ``taxes`` are those of the location
    where tariffs do not name any. ``readings`` are meter readings in Wh for spreading energy inside
    periods; ``average_power`` takes energy over time for power that was not stated, as is done by
    default where no CDR can state it, in 2.1.1.
    ``reservation`` says whether one that no charging followed EXPIRED (the default for what has
    ended), was CANCELLED or is RUNNING. ``until`` prices a session as if it stopped then.

    Raises CannotPrice.
    """
    cut_off = None if until is None else quantities.at(until)
    if not isinstance(record, Record):
        record = records.read(record, ocpi_version=ocpi_version, until=cut_off)
    choice = choose(record, tariffs, tariff_type=tariff_type)
    used = [tariff for tariff in dict.fromkeys(choice.tariffs) if tariff is not None]
    currency = same_currency(used) if used else record.currency or ""
    zone = time_zone or record.time_zone
    if zone is None and any(tariff.is_local for tariff in used):
        zone = records.zone_of_country(record.document)
    laid_out = lay_out(record, outcome(record, reservation))
    was_spread = spread_energy(record, laid_out)
    if average_power is None:
        average_power = record.version == V2_1_1
    laid_out = refined(laid_out, readings, average_power=average_power)
    pieces = walk(record, laid_out, choice.tariffs, zone)
    step_up(pieces)
    rules = Rules(taxed=record.version != V2_1_1, table=tuple(taxes))
    charges = charged(pieces, rules)
    return Priced(
        version=record.version,
        currency=currency,
        time_zone=zone,
        total=total(charges, used, rules, is_session=has_session(pieces)),
        parts=partial(charges, rules),
        charges=tuple(charges),
        pieces=tuple(pieces),
        record=record,
        notes=choice.notes + remarks(pieces, record, was_spread=was_spread),
        rules=rules,
        **spent(pieces),
    )


def outcome(record: Record, told: str | None) -> Phase:
    """The phase of a reservation without charging.

    A CDR of a reservation alone is that of one that expired, unless somebody knows better; a
    Session that is not completed still waits for its driver.
    """
    if told is not None:
        if told not in OUTCOMES:
            raise CannotPrice(f"A reservation is none of {', '.join(OUTCOMES)}.")
        return OUTCOMES[told]
    if record.is_session and record.status != "COMPLETED":
        return Phase.RESERVATION
    return Phase.EXPIRED


def refined(
    laid_out: list[Piece],
    readings: Sequence[tuple[datetime, Decimal | int]],
    *,
    average_power: bool,
) -> list[Piece]:
    """The pieces with what the meter tells about the time inside them."""
    if readings:
        register = sorted(
            (quantities.at(moment), Fraction(wh) * quantities.WATT_HOUR) for moment, wh in readings
        )
        laid_out = [part for piece in laid_out for part in follow(piece, register)]
    if average_power:
        for piece in laid_out:
            assume_average(piece)
    return laid_out


def charged(pieces: Sequence[Piece], rules: Rules) -> list[Charge]:
    """What is billed, by component. A component has one part, so quantities can be added first."""
    sums: dict[Component, Exact] = {}
    first: dict[Component, Piece] = {}
    for piece in pieces:
        if (component := piece.flat) is not None:
            sums[component] = 1
            first[component] = piece
        if (component := piece.energy_price) is not None:
            used = (piece.energy or 0) + piece.extra_energy
            sums[component] = sums.get(component, 0) + used
            first.setdefault(component, piece)
        if (component := piece.time_price) is not None:
            used = (piece.seconds or 0) + piece.extra_seconds
            sums[component] = sums.get(component, 0) + used
            first.setdefault(component, piece)
    return [
        money.charge(piece.tariff, part_of(component, piece), component, sums[component], rules)
        for component, piece in first.items()
        if piece.tariff is not None
    ]


def part_of(component: Component, piece: Piece) -> Part:
    """The partial total that a component counts towards, seen from a piece it prices.

    Fees of reservations and of parking are not fixed costs, but part of those (CDR-15). A fee is
    one of parking when it falls due while parking and its element prices nothing else.
    """
    if piece.phase not in SESSION_PHASES:
        return Part.RESERVATION
    if component.dimension is not Dimension.FLAT:
        return PARTS[component.dimension]
    assert piece.tariff is not None
    element = piece.tariff.elements[component.element - 1]
    if piece.phase is Phase.PARKING and element.for_parking:
        return Part.PARKING
    return Part.FIXED


def partial(charges: Sequence[Charge], rules: Rules) -> dict[Part, Amount]:
    """The partial totals of those parts that had a component, before limits."""
    grouped: dict[Part, list[Charge]] = {}
    for charge in charges:
        grouped.setdefault(charge.part, []).append(charge)
    return {
        part: money.total(mine, rules, known=money.tells_taxes(mine))
        for part, mine in grouped.items()
    }


def total(
    charges: Sequence[Charge], tariffs: Sequence[Tariff], rules: Rules, *, is_session: bool
) -> Amount:
    """All charges, those of each tariff held between its limits (PRICE-44).

    The limits are those of a charging session: a reservation that never became one has none.
    """
    known = money.tells_taxes(charges)
    amounts = []
    for tariff in tariffs:
        mine = [charge for charge in charges if charge.tariff is tariff]
        amount = money.total(mine, rules, known=known)
        amounts.append(money.limited(amount, tariff) if is_session else amount)
    if not amounts:
        return money.total((), rules, known=known)
    return amounts[0] if len(amounts) == 1 else money.added(amounts)


def has_session(pieces: Sequence[Piece]) -> bool:
    return any(piece.in_session for piece in pieces)


def spent(pieces: Sequence[Piece]) -> dict[str, Exact]:
    """What was stated: energy, and seconds by what they were spent on."""
    energy: Exact = 0
    charging: Exact = 0
    parking: Exact = 0
    reserved: Exact = 0
    for piece in pieces:
        energy += piece.energy or 0
        seconds = piece.seconds or 0
        if piece.phase is Phase.CHARGING:
            charging += seconds
        elif piece.phase is Phase.PARKING:
            parking += seconds
        elif piece.phase is not Phase.OVERTIME:
            reserved += seconds
    return {"energy": energy, "charging": charging, "parking": parking, "reserved": reserved}


def remarks(pieces: Sequence[Piece], record: Record, *, was_spread: bool) -> tuple[Note, ...]:
    """What the record did not say although the price depends on it."""
    notes = {}
    if was_spread:
        notes["energy_not_in_periods"] = Note(
            "energy_not_in_periods",
            "No period states its energy; the total was spread over the charging.",
            doubtful=True,
        )
    for piece in pieces:
        if piece.tariff is None or piece.phase is not Phase.CHARGING:
            continue
        for name in unmeasured(piece, piece.tariff):
            notes[name] = Note(
                f"{name}_unknown",
                f"The tariff depends on the {name}, which is not stated.",
                doubtful=True,
                period=piece.period + 1,
            )
        if piece.tariff.needs_power and is_estimated(piece, record):
            notes["power_estimated"] = Note(
                "power_estimated",
                "The tariff depends on the power, which is not stated: energy over time was taken.",
                doubtful=True,
                period=piece.period + 1,
            )
        if piece.seconds is None and piece.tariff.candidates[Phase.CHARGING][Dimension.TIME]:
            notes["time"] = Note(
                "time_not_stated",
                "The tariff has a price for time, but a period does not state any.",
                doubtful=True,
                period=piece.period + 1,
            )
    return tuple(notes.values())


def is_estimated(piece: Piece, record: Record) -> bool:
    """Does the piece know a power that its period does not state?"""
    stated = span(record.periods[piece.period].bounds, "POWER")
    return stated.is_unknown and not piece.power.is_unknown


def unmeasured(piece: Piece, tariff: Tariff) -> list[str]:
    names = []
    if tariff.needs_current and piece.current.is_unknown:
        names.append("current")
    if tariff.needs_power and piece.power.is_unknown:
        names.append("power")
    return names
