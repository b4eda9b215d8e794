"""CDRs and Sessions of any OCPI version as one kind of value: what was consumed, and when.

Only quantities are read here. What the document claims they cost is for ``check`` to read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.roaming.pricing.quantities import (
    CannotPrice,
    Exact,
    Unreadable,
    decimal,
    energy,
    instant,
    seconds,
)
from hub.roaming.pricing.tariffs import Document
from hub.roaming.time_zones import zone_of

V2_1_1, V2_2_1, V2_3_0 = "2.1.1", "2.2.1", "2.3.0"
# By its first two numbers: 2.2 and 2.2.1-d2 have the prices of 2.2.1.
SERIES = {"2.0": V2_1_1, "2.1": V2_1_1, "2.2": V2_2_1, "2.3": V2_3_0}

# Which quantity of a Period a dimension is, and how to read it.
QUANTITIES: Mapping[str, tuple[str, Callable[[Any, str], int]]] = {
    "ENERGY": ("energy", energy),
    "TIME": ("charging", seconds),
    "PARKING_TIME": ("parking", seconds),
    "RESERVATION_TIME": ("reserved", seconds),
    "RESERVATION_EXPIRES": ("expired", seconds),
    "RESERVATION_OVERTIME": ("overtime", seconds),
    "ENERGY_IMPORT": ("imported", energy),
    "ENERGY_EXPORT": ("exported", energy),
}
BOUNDS = frozenset({"CURRENT", "MIN_CURRENT", "MAX_CURRENT", "POWER", "MIN_POWER", "MAX_POWER"})
Bounds = Mapping[str, Any]

START_NAMES = ("start_date_time", "start_datetime")
END_NAMES = ("end_date_time", "stop_date_time", "end_datetime")


@dataclass(slots=True, eq=False)
class Period:
    """A ChargingPeriod. None means that the period does not state the quantity.

    Times are in seconds; ``hours`` is the last of them as it was written. ``bounds`` hold the
    stated current and power under the names of their dimensions.
    """

    start: Exact
    tariff_id: str | None = None
    energy: int | None = None
    charging: int | None = None
    parking: int | None = None
    reserved: int | None = None
    expired: int | None = None
    overtime: int | None = None
    imported: int | None = None
    exported: int | None = None
    hours: Any = None
    bounds: Bounds | None = None

    @property
    def states_time(self) -> bool:
        return self.hours is not None

    @property
    def used(self) -> int:
        """Seconds of charging and parking."""
        return (self.charging or 0) + (self.parking or 0)

    @property
    def only_reserves(self) -> bool:
        return bool(self.reserved or self.expired) and not self.used and not self.energy


@dataclass(slots=True, eq=False)
class Record:
    """A CDR or Session. ``start`` and ``end`` are None where the document does not know them.

    ``energy`` is what the whole document says, in millionths of a Wh; ``tariffs`` are the documents
    it carries; ``tariff_id`` that of the connector, which only 2.1.1 tells (PRICE-03a).
    """

    document: Document
    version: str
    is_session: bool
    start: Exact | None
    end: Exact | None
    currency: str | None
    periods: list[Period]
    energy: int | None
    tariffs: list[Any]
    tariff_id: str | None
    time_zone: str | None
    is_credit: bool

    @property
    def status(self) -> str | None:
        value = self.document.get("status")
        return value if isinstance(value, str) else None


def read(document: Any, *, ocpi_version: str | None = None, until: Exact | None = None) -> Record:
    """Read a CDR or Session. ``until`` is where a session that still runs is cut off.

    Raises Unreadable.
    """
    if not isinstance(document, dict):
        raise Unreadable("The CDR is not an object.")
    is_session = "status" in document or "kwh" in document
    version = version_of(document, ocpi_version)
    place = mapping(document.get("cdr_location")) or mapping(document.get("location")) or {}
    start = instant(first(document, START_NAMES), "start_date_time")
    record = Record(
        document=document,
        version=version,
        is_session=is_session,
        start=start,
        end=end_of(document, until=until, is_session=is_session),
        currency=upper(document.get("currency")),
        periods=periods(document.get("charging_periods")),
        energy=total_energy(document),
        tariffs=listed(document.get("tariffs"), "tariffs"),
        tariff_id=connector_tariff(place),
        time_zone=text(place.get("time_zone")),
        is_credit=document.get("credit") is True,
    )
    if until is not None:
        record.periods = [period for period in record.periods if period.start <= until]
    if not record.periods:
        record.periods = [whole_session(record)]
    return record


def version_of(document: Document, given: str | None) -> str:
    """The version said, else the one whose form of a price the document shows."""
    if given is not None:
        version = SERIES.get(".".join(given.split(".")[:2]))
        if version is None:
            raise Unreadable(f"OCPI version {given[:20]!r} is not known.")
        return version
    cost = document.get("total_cost")
    if isinstance(cost, dict):
        return V2_2_1 if "excl_vat" in cost else V2_3_0
    if cost is not None or "auth_id" in document or "stop_date_time" in document:
        return V2_1_1
    return V2_3_0


def end_of(document: Document, *, until: Exact | None, is_session: bool) -> Exact | None:
    """When it ended; a session that still runs is reckoned up to its last update (PRICE-46)."""
    end = instant(first(document, END_NAMES), "end_date_time")
    if end is None and is_session:
        end = until or instant(document.get("last_updated"), "last_updated")
    if until is not None and end is not None:
        return min(end, until)
    return end


def whole_session(record: Record) -> Period:
    """A session that has not reported periods yet, as one of them (PRICE-46)."""
    if not record.is_session:
        raise CannotPrice("The CDR has no charging periods.")
    if record.start is None:
        raise CannotPrice("The session has neither charging periods nor a start.")
    return Period(record.start, energy=record.energy)


def periods(items: Any) -> list[Period]:
    """The charging periods in the order of time."""
    read_all = [
        period(item, f"charging_periods[{number}]")
        for number, item in enumerate(listed(items, "charging_periods"))
    ]
    read_all.sort(key=start_of)
    return read_all


def start_of(item: Period) -> Exact:
    return item.start


def period(body: Any, where: str) -> Period:
    if not isinstance(body, dict):
        raise Unreadable(f"{where} is not an object.")
    start = instant(body.get("start_date_time"), where)
    if start is None:
        raise Unreadable(f"{where} does not say when it starts.")
    found = Period(start, identifier(body.get("tariff_id")))
    for item in listed(body.get("dimensions"), where):
        if not isinstance(item, dict):
            raise Unreadable(f"{where} has a dimension that is not an object.")
        kind, volume = item.get("type"), item.get("volume")
        if volume is not None and isinstance(kind, str):
            enter(found, kind, volume, where)
    if found.energy is None and (found.imported is not None or found.exported is not None):
        # Sessions may tell the two directions apart; together they are the energy.
        found.energy = (found.imported or 0) - (found.exported or 0)
    return found


def enter(found: Period, kind: str, volume: Any, where: str) -> None:
    """Enter one dimension; those that take no part in a price are passed over.

    A quantity stated twice counts twice; of two maxima the last one holds. What was measured is
    left as it came, since few tariffs ask for it.
    """
    if kind in QUANTITIES:
        name, reader = QUANTITIES[kind]
        value = reader(volume, where)
        before = getattr(found, name)
        setattr(found, name, value if before is None else before + value)
        if reader is seconds and kind != "RESERVATION_OVERTIME":
            found.hours = volume
    elif kind in BOUNDS:
        found.bounds = {kind: volume} if found.bounds is None else {**found.bounds, kind: volume}


def zone_of_country(document: Document) -> str | None:
    """The zone of a CDR whose place does not tell it, in countries that have but one."""
    place = mapping(document.get("cdr_location")) or mapping(document.get("location")) or {}
    spot = mapping(place.get("coordinates")) or {}
    try:
        latitude, longitude = (
            float(decimal(spot.get(name), name)) for name in ("latitude", "longitude")
        )
    except Unreadable:
        return None
    return zone_of(str(place.get("country")), latitude, longitude)


def total_energy(document: Document) -> int | None:
    name = "total_energy" if document.get("total_energy") is not None else "kwh"
    value = document.get(name)
    return None if value is None else energy(value, name)


def connector_tariff(place: Document) -> str | None:
    evses = place.get("evses")
    evse = mapping(evses[0]) if isinstance(evses, list) and evses else None
    connectors = evse.get("connectors") if evse else None
    connector = mapping(connectors[0]) if isinstance(connectors, list) and connectors else None
    return identifier(connector.get("tariff_id")) if connector else None


def first(document: Document, names: tuple[str, ...]) -> Any:
    return next((document[name] for name in names if document.get(name) is not None), None)


def listed(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unreadable(f"{where} is not a list.")
    return value


def mapping(value: Any) -> Document | None:
    return value if isinstance(value, dict) else None


def text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def identifier(value: Any) -> str | None:
    """An id, even of those who send it as a number."""
    return str(value) if type(value) is int else upper(value)


def upper(value: Any) -> str | None:
    """Identifiers and currencies are compared without case (TRANSPORT-90)."""
    return value.upper() if isinstance(value, str) and value else None
