"""CDRs and Sessions of any OCPI version as one kind of value: what was consumed, and when.

Only quantities are read here. What the document claims they cost is for ``check`` to read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from hub.roaming.pricing.restrictions import UNKNOWN, Span
from hub.roaming.pricing.tariffs import Document

V2_1_1, V2_2_1, V2_3_0 = "2.1.1", "2.2.1", "2.3.0"
VERSIONS = (V2_1_1, V2_2_1, V2_3_0)
# Accepted for another name of a version whose prices it shares.
ALIASES = {"2.1": V2_1_1, "2.2": V2_2_1, "2.3": V2_3_0}

# Which dimension of a period fills which field of it; the others do not take part in a price.
TIMES = {
    "TIME": "charging",
    "PARKING_TIME": "parking",
    "RESERVATION_TIME": "reserved",
    "RESERVATION_EXPIRES": "expired",
    "RESERVATION_OVERTIME": "overtime",
}
BOUNDS = {
    "MIN_CURRENT": ("current", "low"),
    "MAX_CURRENT": ("current", "high"),
    "CURRENT": ("current", "average"),
    "MIN_POWER": ("power", "low"),
    "MAX_POWER": ("power", "high"),
    "POWER": ("power", "average"),
}
# Sessions may tell the two directions apart; together they are the energy, if that is not stated.
EXCHANGES = {"ENERGY_IMPORT": 1, "ENERGY_EXPORT": -1}

START_NAMES = ("start_date_time", "start_datetime")
END_NAMES = ("end_date_time", "stop_date_time", "end_datetime")


@dataclass(slots=True, eq=False)
class Period:
    """A ChargingPeriod. None means that the period does not state the quantity.

    Times are in seconds; ``hours`` is the time as it was written, when exactly one was.
    """

    start: Exact
    tariff_id: str | None = None
    energy: int | None = None
    charging: int | None = None
    parking: int | None = None
    reserved: int | None = None
    expired: int | None = None
    overtime: int | None = None
    exchanged: int | None = None
    hours: Any = None
    current: Span = UNKNOWN
    power: Span = UNKNOWN

    @property
    def states_time(self) -> bool:
        times = self.charging, self.parking, self.reserved, self.expired
        return any(time is not None for time in times)

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
    if not isinstance(document, Mapping):
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
        version = ALIASES.get(given, given)
        if version not in VERSIONS:
            raise Unreadable(f"OCPI version {str(given)[:20]!r} is not known.")
        return version
    cost = document.get("total_cost")
    if isinstance(cost, Mapping):
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
    if not isinstance(body, Mapping):
        raise Unreadable(f"{where} is not an object.")
    start = instant(body.get("start_date_time"), where)
    if start is None:
        raise Unreadable(f"{where} does not say when it starts.")
    found = Period(start, upper(body.get("tariff_id")))
    for item in listed(body.get("dimensions"), where):
        if not isinstance(item, Mapping):
            raise Unreadable(f"{where} has a dimension that is not an object.")
        if item.get("volume") is not None:
            state(found, item.get("type"), item["volume"], where)
    if found.energy is None:
        found.energy = found.exchanged
    return found


def state(found: Period, kind: Any, volume: Any, where: str) -> None:
    """Enter one dimension. Those that take no part in a price are passed over."""
    if kind == "ENERGY":
        found.energy = (found.energy or 0) + energy(volume, where)
    elif kind in TIMES:
        name = TIMES[kind]
        setattr(found, name, (getattr(found, name) or 0) + seconds(volume, where))
        found.hours = volume if found.hours is None else ""
    elif kind in BOUNDS:
        name, bound = BOUNDS[kind]
        stated = {bound: decimal(volume, where)}
        setattr(found, name, replace(getattr(found, name), **stated))
    elif kind in EXCHANGES:
        found.exchanged = (found.exchanged or 0) + EXCHANGES[kind] * energy(volume, where)


def total_energy(document: Document) -> int | None:
    name = "total_energy" if document.get("total_energy") is not None else "kwh"
    value = document.get(name)
    return None if value is None else energy(value, name)


def connector_tariff(place: Document) -> str | None:
    evses = place.get("evses")
    evse = mapping(evses[0]) if isinstance(evses, list) and evses else None
    connectors = evse.get("connectors") if evse else None
    connector = mapping(connectors[0]) if isinstance(connectors, list) and connectors else None
    return upper(connector.get("tariff_id")) if connector else None


def first(document: Document, names: tuple[str, ...]) -> Any:
    return next((document[name] for name in names if document.get(name) is not None), None)


def listed(value: Any, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise Unreadable(f"{where} is not a list.")
    return list(value)


def mapping(value: Any) -> Document | None:
    return value if isinstance(value, Mapping) else None


def text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def upper(value: Any) -> str | None:
    """Identifiers and currencies are compared without case (TRANSPORT-90)."""
    return value.upper() if isinstance(value, str) and value else None
