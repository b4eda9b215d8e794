"""The engine against another one that was written from the text and shares nothing with it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.roaming.pricing import engine
from tests.pricing import oracle, strategies
from tests.pricing.documents import Document, element, part, tariff
from tests.pricing.oracle import Stretch

RATE = 50  # Wh a minute; every limit of energy is a multiple, and falls on a whole minute
LIMITS = {
    "start_time": st.sampled_from(strategies.TIMES),
    "end_time": st.sampled_from(strategies.TIMES),
    "day_of_week": st.lists(st.sampled_from(oracle.WEEK), unique=True, max_size=4),
    "min_kwh": st.sampled_from([0, 0.5, 1, 2.5]),
    "max_kwh": st.sampled_from([0.5, 1, 2.5]),
    "min_duration": st.sampled_from([0, 600, 3600]),
    "max_duration": st.sampled_from([600, 3600]),
    "min_power": st.sampled_from([11, 22]),
    "max_power": st.sampled_from([11, 22, 50]),
    "start_date": st.sampled_from(strategies.DATES),
    "end_date": st.sampled_from(strategies.DATES),
}


@st.composite
def components(draw: Any, kinds: list[str]) -> list[Document]:
    chosen = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3, unique=True))
    return [
        part(kind, draw(strategies.prices), draw(strategies.steps), draw(strategies.rates))
        for kind in chosen
    ]


@st.composite
def elements(draw: Any) -> Document:
    names = draw(st.lists(st.sampled_from(sorted(LIMITS)), unique=True, max_size=3))
    limits = {name: draw(LIMITS[name]) for name in names}
    kind = draw(st.sampled_from([None, None, None, "RESERVATION", "RESERVATION_EXPIRES"]))
    if kind is None:
        return element(*draw(components(["FLAT", "ENERGY", "TIME", "PARKING_TIME"])), **limits)
    kept = {name: limits[name] for name in limits if name[4:] not in {"kwh", "power"}}
    return element(*draw(components(["FLAT", "TIME"])), reservation=kind, **kept)


@st.composite
def tariffs(draw: Any, name: str) -> Document:
    body = tariff(*draw(st.lists(elements(), min_size=1, max_size=6)), id=name)
    body["tax_included"] = draw(st.sampled_from(["NO", "NO", "N/A"]))
    if draw(st.booleans()):
        least = draw(st.integers(0, 20))
        taxes = 0 if body["tax_included"] == "N/A" else 1
        body["min_price"] = {"before_taxes": least, "after_taxes": least + taxes}
        body["max_price"] = {"before_taxes": least + 5, "after_taxes": least + 5 + taxes}
    return body


@st.composite
def stretches(draw: Any) -> list[Stretch]:
    found = []
    minutes = st.integers(1, 150)
    if draw(st.booleans()):
        found.append(Stretch(draw(minutes), "RESERVATION", tariff=draw(st.integers(0, 1))))
    for _ in range(draw(st.integers(0 if found else 1, 4))):
        phase = draw(st.sampled_from(["CHARGING", "CHARGING", "PARKING"]))
        rate = RATE * draw(st.integers(0, 1)) if phase == "CHARGING" else 0
        power = draw(st.sampled_from([None, 7, 11, 30]))
        found.append(Stretch(draw(minutes), phase, rate, power, draw(st.integers(0, 1))))
    if len(found) == 1 and found[0].phase == "RESERVATION":
        found[0] = Stretch(found[0].minutes, "EXPIRED", tariff=found[0].tariff)
    return found


@st.composite
def starts(draw: Any) -> datetime:
    day = datetime.fromisoformat(draw(st.sampled_from(strategies.DATES))).replace(tzinfo=UTC)
    return day + timedelta(minutes=draw(st.integers(-600, 1440)))


@settings(strategies.often, max_examples=60)
@given(st.tuples(tariffs("T1"), tariffs("T2")), starts(), stretches(), strategies.zones)
def test_another_engine_gives_the_same(pair, start, session, zone):
    known = list(pair)
    wanted = oracle.price(known, start, session, zone)
    record = oracle.cdr(start, session, tariff_ids=["T1", "T2"])

    found = engine.price(known, record, time_zone=zone, ocpi_version="2.3.0")

    assert (found.total.before, found.total.after) == wanted.pop("total_cost")
    parts = {str(name): (amount.before, amount.after) for name, amount in found.parts.items()}
    assert parts == {name: amounts for name, amounts in wanted.items() if amounts is not None}
