"""CDRs, Sessions and tariffs with only what a price depends on, written as short as a table row.

    cdr("2025-06-02T08:00", [(60, {"TIME": 1, "ENERGY": 10}), (15, {"PARKING_TIME": 0.25})])

is a CDR of 75 minutes in two periods. Times are in the zone given, UTC unless told otherwise.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

Document = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
EXAMPLES = SHARED / "ocpi-examples"


def instant(text: str, zone: str | None = None) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=ZoneInfo(zone) if zone else UTC).astimezone(UTC)


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def charging_periods(
    start: datetime, rows: Sequence[tuple[Any, ...]]
) -> tuple[list[Document], datetime]:
    """Periods of so many minutes each: (minutes, {dimension: volume}[, tariff id])."""
    periods = []
    for minutes, volumes, *tariff_id in rows:
        period: Document = {
            "start_date_time": stamp(start),
            "dimensions": [{"type": kind, "volume": volume} for kind, volume in volumes.items()],
        }
        if tariff_id:
            period["tariff_id"] = tariff_id[0]
        periods.append(period)
        start += timedelta(minutes=minutes)
    return periods, start


def cdr(
    start: str, rows: Sequence[tuple[Any, ...]], *, zone: str | None = None, **fields: Any
) -> Document:
    """A CDR of the rows, one after the other. It claims nothing but what ``fields`` say."""
    begin = instant(start, zone)
    periods, end = charging_periods(begin, rows)
    return {
        "country_code": "NL",
        "party_id": "ONE",
        "id": "CDR1",
        "start_date_time": stamp(begin),
        "end_date_time": stamp(end),
        "currency": "EUR",
        "charging_periods": periods,
    } | fields


def session(
    start: str, rows: Sequence[tuple[Any, ...]], *, zone: str | None = None, **fields: Any
) -> Document:
    begin = instant(start, zone)
    periods, end = charging_periods(begin, rows)
    return {
        "country_code": "NL",
        "party_id": "ONE",
        "id": "SESSION1",
        "start_date_time": stamp(begin),
        "kwh": 0,
        "currency": "EUR",
        "charging_periods": periods,
        "status": "ACTIVE",
        "last_updated": stamp(end),
    } | fields


def part(kind: str, price: float, step: int = 1, vat: float | None = None) -> Document:
    component: Document = {"type": kind, "price": price, "step_size": step}
    return component if vat is None else component | {"vat": vat}


def element(*components: Document, **restrictions: Any) -> Document:
    body: Document = {"price_components": list(components)}
    return body | {"restrictions": restrictions} if restrictions else body


def tariff(*elements: Document, **fields: Any) -> Document:
    return {
        "country_code": "NL",
        "party_id": "ONE",
        "id": "T1",
        "currency": "EUR",
        "elements": list(elements),
        "last_updated": "2025-01-01T00:00:00Z",
    } | fields
