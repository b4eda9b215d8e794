"""What was measured, as charging periods; energy in kWh, power in W, time in hours."""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from hub.codec import instant
from hub.roaming.merging import Document
from hub.roaming.metering.progress import (
    CHARGING,
    PARKING,
    RESERVED,
    WAITING,
    Period,
    Progress,
    durations,
)

DIMENSION = {
    CHARGING: "TIME",
    WAITING: "TIME",
    PARKING: "PARKING_TIME",
    RESERVED: "RESERVATION_TIME",
}


def periods(
    progress: Progress, end: datetime, tariff_id: str | None, *, for_session: bool
) -> list[Document]:
    """Charging periods; dimensions that only sessions may have are left out of CDRs (CDR-20)."""
    net, fed_back = Decimal(0), Decimal(0)
    found = []
    for period, hours in durations(progress.periods, max(end, progress.started_at)):
        net += period.energy
        fed_back = period.fed_back or fed_back
        dimensions = [dimension(DIMENSION[period.state], rounded(max(hours, Decimal(0))))]
        if period.state != RESERVED:
            dimensions.insert(0, dimension("ENERGY", kilo(period.energy)))
        dimensions += measured(period)
        if for_session:
            dimensions += measured_in_session(period, net, fed_back)
        document: Document = {"start_date_time": instant(period.start), "dimensions": dimensions}
        if tariff_id is not None:
            document["tariff_id"] = tariff_id
        found.append(document)
    return found


def dimension(kind: str, volume: Decimal) -> Document:
    return {"type": kind, "volume": volume}


def measured(period: Period) -> list[Document]:
    found = []
    for name, spread in (("POWER", period.power), ("CURRENT", period.current)):
        if spread.low is not None and spread.high is not None:
            found.append(dimension(f"MIN_{name}", rounded(spread.low)))
            found.append(dimension(f"MAX_{name}", rounded(spread.high)))
    return found


def measured_in_session(period: Period, net: Decimal, fed_back: Decimal) -> list[Document]:
    """Totals of the whole session so far, and what is of interest only while it runs."""
    found = []
    if period.state != RESERVED:
        found.append(dimension("ENERGY_IMPORT", kilo(net + fed_back)))
    if fed_back:
        found.append(dimension("ENERGY_EXPORT", kilo(fed_back)))
    for name, spread in (("POWER", period.power), ("CURRENT", period.current)):
        if spread.mean is not None:
            found.append(dimension(name, rounded(spread.mean)))
    if period.soc is not None:
        found.append(dimension("STATE_OF_CHARGE", rounded(period.soc)))
    return found


def volume(spans: Sequence[Document], kind: str) -> Decimal:
    return sum(
        (
            found["volume"]
            for span in spans
            for found in span["dimensions"]
            if found["type"] == kind
        ),
        Decimal(0),
    )


def kilo(energy: Decimal) -> Decimal:
    """Wh as kWh, to the watt-hour."""
    return (energy / 1000).quantize(Decimal("0.001"), ROUND_HALF_UP)


def rounded(value: Decimal) -> Decimal:
    """To the four decimals OCPI numbers have."""
    return value.quantize(Decimal("0.0001"), ROUND_HALF_UP)
