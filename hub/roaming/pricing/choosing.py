"""Which tariff prices which charging period (PRICE-01 … PRICE-03).

A period names its tariff. Where no period does, as in 2.1.1 and in many CDRs of one tariff, the one
tariff in force at the start of the session prices all of it. Where some periods do, the others are
not relevant to any tariff, and free, as the text has it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.roaming.pricing.quantities import CannotPrice, Exact, Unreadable, date_time
from hub.roaming.pricing.records import Record, mapping, upper
from hub.roaming.pricing.tariffs import Document, Tariff, read

REGULAR, AD_HOC = "REGULAR", "AD_HOC_PAYMENT"


@dataclass(frozen=True, slots=True)
class Note:
    """What the reader of a price should know; ``doubtful`` if the price may be wrong for it."""

    code: str
    text: str
    doubtful: bool = False
    period: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The tariff of each period, and all that was remarkable about choosing."""

    tariffs: tuple[Tariff | None, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Tariffs to choose from. Those that cannot be read are a pity only when they are asked for."""

    tariffs: tuple[Tariff, ...]
    broken: Mapping[str, Unreadable]

    def named(self, tariff_id: str, start: Exact) -> Tariff | None:
        """The tariff of that id; among several versions of it the one in force at the start."""
        matching = [tariff for tariff in self.tariffs if tariff.id.upper() == tariff_id]
        if not matching and tariff_id in self.broken:
            raise self.broken[tariff_id]
        in_force = [tariff for tariff in matching if tariff.in_force(start)]
        return next(iter(as_at(start, in_force or matching)), None)


def as_at(start: Exact, tariffs: Sequence[Tariff]) -> list[Tariff]:
    """One tariff per id: the version updated last before the start (CDR-08), else the first."""
    found: dict[str, Tariff] = {}
    for tariff in tariffs:
        name = tariff.id.upper()
        known = found.get(name)
        if known is None or age(known, start) < age(tariff, start):
            found[name] = tariff
    return list(found.values())


def age(tariff: Tariff, start: Exact) -> Exact:
    """When a tariff became what it was at the start; 0 for one that was not so yet."""
    updated = tariff.last_updated
    return 0 if updated is None or updated > start else updated


def shelve(documents: Sequence[Document | Tariff]) -> Shelf:
    tariffs, broken = [], {}
    for document in documents:
        try:
            tariffs.append(read(document))
        except Unreadable as error:
            name = document.get("id") if isinstance(document, dict) else None
            broken[str(name).upper()] = error
    return Shelf(tuple(tariffs), broken)


def choose(
    record: Record, documents: Sequence[Document | Tariff], *, tariff_type: str | None = None
) -> Choice:
    """The tariff of each period. ``tariff_type`` is the TariffType the session was charged under.

    The tariffs given come before those the record carries. Raises CannotPrice when there are none.
    """
    given, carried = shelve(documents), shelve(record.tariffs)
    start = record.start if record.start is not None else record.periods[0].start
    names = {period.tariff_id for period in record.periods if period.tariff_id}
    notes: list[Note] = []
    chosen: tuple[Tariff | None, ...]
    if names:
        by_name = {name: given.named(name, start) or carried.named(name, start) for name in names}
        chosen = tuple(by_name.get(period.tariff_id or "") for period in record.periods)
        if not any(by_name.values()):
            raise nobody_knows(names)
        if None in by_name.values():
            notes += unknown(record, by_name)
    elif not documents and not record.tariffs:
        raise CannotPrice("There is no tariff.")
    else:
        shelf = given if documents else carried
        candidates = default(record, shelf, start, tariff_type or expected_type(record))
        if len(candidates) > 1:
            notes.append(ambiguous(candidates))
        chosen = (candidates[0],) * len(record.periods)
    for tariff in dict.fromkeys(chosen):
        if tariff is not None:
            notes += remarks(record, tariff, start)
    return Choice(chosen, tuple(notes))


def nobody_knows(names: Collection[str]) -> CannotPrice:
    """A price of nothing would be a lie when it is only that no tariff is known."""
    found = ", ".join(sorted(name[:36] for name in names))
    text = f"Tariffs {found} are not known." if len(names) > 1 else f"Tariff {found} is not known."
    return CannotPrice(text, code="unknown_tariff")


def unknown(record: Record, by_name: Mapping[str, Tariff | None]) -> list[Note]:
    return [
        Note(
            "unknown_tariff",
            f"Tariff {period.tariff_id} of period {number} is not known.",
            doubtful=True,
            period=number,
        )
        for number, period in enumerate(record.periods, 1)
        if period.tariff_id and by_name[period.tariff_id] is None
    ]


def default(record: Record, shelf: Shelf, start: Exact, tariff_type: str) -> list[Tariff]:
    """The tariffs that may price a session whose periods name none; there should be one."""
    tariffs = shelf.tariffs
    if not tariffs:
        raise next(iter(shelf.broken.values()))
    if len(tariffs) + len(shelf.broken) == 1:
        return list(tariffs)
    if record.tariff_id and (tariff := shelf.named(record.tariff_id, start)):
        return [tariff]
    in_force = as_at(start, [tariff for tariff in tariffs if tariff.in_force(start)])
    if not in_force:
        raise CannotPrice(f"No tariff is in force at {date_time(start)}.")
    for kind in (tariff_type, None, REGULAR):
        matching = [tariff for tariff in in_force if tariff.type == kind]
        if matching:
            return matching
    return in_force


def ambiguous(tariffs: Sequence[Tariff]) -> Note:
    names = ", ".join(tariff.id for tariff in tariffs)
    return Note(
        "ambiguous_tariff",
        f"Tariffs {names} would all do, and no period names one; the first was taken.",
        doubtful=True,
    )


def expected_type(record: Record) -> str:
    """Ad-hoc payment has its own tariffs; everybody else is a regular customer (PRICE-02)."""
    token: Any = mapping(record.document.get("cdr_token")) or {}
    return AD_HOC if upper(token.get("type")) == "AD_HOC_USER" else REGULAR


def remarks(record: Record, tariff: Tariff, start: Exact) -> list[Note]:
    """What is odd about a tariff that was chosen."""
    notes = []
    if not tariff.in_force(start):
        notes.append(
            Note(
                "tariff_not_in_force",
                f"Tariff {tariff.id} was not in force at {date_time(start)}.",
            )
        )
    if record.currency is not None and record.currency != tariff.currency:
        notes.append(
            Note(
                "currency_mismatch",
                f"The CDR is in {record.currency[:3]}, "
                f"tariff {tariff.id} in {tariff.currency[:3]}.",
                doubtful=True,
            )
        )
    for element in tariff.elements if tariff.is_strange else ():
        if element.restrictions.unknown:
            names = ", ".join(name[:40] for name in element.restrictions.unknown)
            notes.append(
                Note(
                    "unknown_restriction",
                    f"Element {element.number} of tariff {tariff.id} was not applied: "
                    f"it is restricted by {names}.",
                    doubtful=True,
                )
            )
    return notes


def same_currency(tariffs: Sequence[Tariff]) -> str:
    """The one currency of the tariffs. Raises CannotPrice."""
    currencies = sorted({tariff.currency for tariff in tariffs})
    if len(currencies) > 1:
        text = f"The tariffs are in several currencies: {', '.join(currencies)}."
        raise CannotPrice(text, code="currency_mismatch")
    return currencies[0]
