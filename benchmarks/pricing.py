"""How many CDRs one core prices and checks in a second.

    python -m benchmarks.pricing [--seconds 1] [--json]

CDRs of 2, 10, 20 and 200 periods, as they come off the wire, with the tariffs inside; tariffs of
one element, of three (night, day, fallback; with energy, time, parking and a fee) and of 97 (a
price for each quarter of an hour). "priced" is the price alone, "checked" the price and the verdict
on every claimed total, "answered" all that with every line explained, as text: what a line of
``hub price --jsonl`` takes. Time is that of the processor, so that neighbours count little.
"""

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.cli.price import as_text
from hub.roaming.pricing.answers import answer
from hub.roaming.pricing.check import Outcome, check
from hub.roaming.pricing.engine import price
from hub.roaming.pricing.wire import totals

Document = dict[str, Any]

PERIODS = (2, 10, 20, 200)
ELEMENTS = (1, 3, 97)
ZONE = "Europe/Amsterdam"
START = datetime(2025, 6, 2, 6, 0, tzinfo=UTC)


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def component(kind: str, amount: float, step: int = 1) -> Document:
    return {"type": kind, "price": amount, "vat": 21.0, "step_size": step}


def tariff(elements: int) -> Document:
    day = [
        component("ENERGY", 0.45),
        component("FLAT", 0.35),
        component("TIME", 0.6, 60),
        component("PARKING_TIME", 3.0, 300),
    ]
    body: Document = {
        "country_code": "NL",
        "party_id": "ONE",
        "id": f"T{elements}",
        "currency": "EUR",
        "elements": [{"price_components": day}],
        "last_updated": "2025-01-01T00:00:00Z",
    }
    if elements == ELEMENTS[1]:
        night = {"start_time": "23:00", "end_time": "07:00"}
        body["elements"] = [
            {"price_components": [component("ENERGY", 0.3)], "restrictions": night},
            {"price_components": day, "restrictions": {"max_kwh": 100}},
            {"price_components": [component("ENERGY", 0.6), component("TIME", 0.9, 60)]},
        ]
    if elements == ELEMENTS[2]:
        quarters = [f"{number // 4:02d}:{number % 4 * 15:02d}" for number in range(96)]
        body["elements"] = [
            {
                "price_components": [component("ENERGY", 0.2 + number / 400)],
                "restrictions": {
                    "start_time": begin,
                    "end_time": quarters[(number + 1) % 96],
                    "start_date": "2025-06-02",
                    "end_date": "2025-06-03",
                },
            }
            for number, begin in enumerate(quarters)
        ] + body["elements"]
    return body


def cdr(periods: int, tariff: Document) -> Document:
    """Charging and, at the end, parking; four minutes a period."""
    rows, moment = [], START
    for number in range(periods):
        is_parking = number >= periods * 9 // 10 and periods > PERIODS[0]
        volumes: dict[str, float] = {"PARKING_TIME" if is_parking else "TIME": 0.0667}
        if not is_parking:
            volumes |= {"ENERGY": 0.7333 + number / 1000, "MAX_POWER": 11.0}
        rows.append(
            {
                "start_date_time": stamp(moment),
                "dimensions": [{"type": kind, "volume": volumes[kind]} for kind in volumes],
                "tariff_id": tariff["id"],
            }
        )
        moment += timedelta(minutes=4)
    record = {
        "country_code": "NL",
        "party_id": "ONE",
        "id": "CDR1",
        "start_date_time": stamp(START),
        "end_date_time": stamp(moment),
        "cdr_location": {"connector_power_type": "AC_3_PHASE", "evse_uid": "E1"},
        "currency": "EUR",
        "tariffs": [tariff],
        "charging_periods": rows,
    }
    priced = price([], record, time_zone=ZONE, ocpi_version="2.2.1")
    return json.loads(json.dumps(record | totals(priced), default=float))


def rate(work: Callable[[], object], seconds: float) -> float:
    """Calls per second of processor time, the best of three rounds."""
    work()
    best = 0.0
    for _ in range(3):
        count, begin = 0, time.process_time()
        while (spent := time.process_time() - begin) < seconds / 3:
            for _ in range(10):
                work()
            count += 10
        best = max(best, count / spent)
    return best


def measure(seconds: float) -> list[Document]:
    rows = []
    for elements in ELEMENTS:
        document = tariff(elements)
        for periods in PERIODS:
            record = cdr(periods, document)
            verdict = check(record, time_zone=ZONE, ocpi_version="2.2.1")
            assert verdict.outcome is Outcome.OK, verdict
            priced = rate(
                lambda r=record: price([], r, time_zone=ZONE, ocpi_version="2.2.1"), seconds
            )
            checked = rate(lambda r=record: check(r, time_zone=ZONE, ocpi_version="2.2.1"), seconds)
            line = {"ocpi_version": "2.2.1", "time_zone": ZONE, "cdr": record}
            answered = rate(lambda x=line: as_text(answer(x)), seconds)
            rows.append(
                {
                    "elements": elements,
                    "periods": periods,
                    "priced_per_second": round(priced),
                    "checked_per_second": round(checked),
                    "answered_per_second": round(answered),
                    "microseconds_per_period": round(1_000_000 / checked / periods, 1),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="per measurement")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows = measure(arguments.seconds)
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    print("elements  periods    priced/s   checked/s  answered/s   us/period")
    for row in rows:
        print(
            f"{row['elements']:>8} {row['periods']:>8} {row['priced_per_second']:>11,}"
            f" {row['checked_per_second']:>11,} {row['answered_per_second']:>11,}"
            f" {row['microseconds_per_period']:>11}"
        )


if __name__ == "__main__":
    main()
