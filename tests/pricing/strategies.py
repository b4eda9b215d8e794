"""Random tariffs and sessions, small enough to be read when one of them fails."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from hub.roaming.pricing.periods import Usage
from hub.roaming.pricing.tariffs import Phase
from tests.pricing.documents import Document, element, part, stamp, tariff

settings.register_profile(
    "pricing", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
often = settings(settings.get_profile("pricing"))

TIMES = ["00:00", "06:00", "07:30", "17:00", "22:00", "23:59"]
DAYS = ["MONDAY", "SATURDAY", "SUNDAY"]
ZONES = ["Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "UTC"]
# Days on which clocks change, and quiet ones.
DATES = ["2025-03-30", "2025-10-26", "2025-06-02", "2025-11-02", "2025-04-06"]

prices = st.integers(0, 200).map(lambda cents: cents / 100)
rates = st.sampled_from([None, 0, 10, 21, 5.2])
steps = st.sampled_from([0, 1, 60, 100, 300, 900])
zones = st.sampled_from(ZONES)


LIMITS = {
    "start_time": st.sampled_from(TIMES),
    "end_time": st.sampled_from(TIMES),
    "day_of_week": st.lists(st.sampled_from(DAYS), unique=True, max_size=2),
    "min_kwh": st.sampled_from([0, 1, 2.5, 10]),
    "max_kwh": st.sampled_from([1, 2.5, 10]),
    "min_duration": st.sampled_from([0, 900, 3601]),
    "max_duration": st.sampled_from([900, 3601]),
    "min_power": st.sampled_from([11, 22]),
    "max_power": st.sampled_from([11, 50]),
    "start_date": st.sampled_from(DATES),
    "end_date": st.sampled_from(DATES),
}


@st.composite
def restrictions(draw: Any) -> Document:
    names = draw(st.lists(st.sampled_from(sorted(LIMITS)), unique=True, max_size=3))
    return {name: draw(LIMITS[name]) for name in names}


@st.composite
def elements(draw: Any) -> Document:
    kinds = draw(
        st.lists(
            st.sampled_from(["FLAT", "ENERGY", "TIME", "PARKING_TIME"]),
            min_size=1,
            max_size=3,
            unique=True,
        )
    )
    parts = [part(kind, draw(prices), draw(steps), draw(rates)) for kind in kinds]
    return element(*parts, **draw(restrictions()))


@st.composite
def tariffs(draw: Any, *, limits: bool = False) -> Document:
    body = tariff(*draw(st.lists(elements(), min_size=1, max_size=4)))
    if draw(st.booleans()):
        body["elements"].append(
            element(part("ENERGY", draw(prices), 1, 21), part("TIME", draw(prices), 60, 21))
        )
    body["tax_included"] = draw(st.sampled_from(["NO", "NO", "N/A"]))
    if limits:
        least = draw(st.integers(0, 30))
        body["min_price"] = {"before_taxes": least, "after_taxes": least * 1.1}
        body["max_price"] = {"before_taxes": least + 10, "after_taxes": (least + 10) * 1.2}
    return body


@st.composite
def usages(draw: Any) -> list[Usage]:
    """A session of one to five parts in whole seconds and Wh, of at most nine hours."""
    day = draw(st.sampled_from(DATES))
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
    moment += timedelta(seconds=draw(st.integers(0, 86_399)))
    parts = []
    phases = st.sampled_from([Phase.CHARGING, Phase.CHARGING, Phase.PARKING])
    for number in range(draw(st.integers(1, 5))):
        phase = Phase.RESERVATION if number == 0 and draw(st.booleans()) else draw(phases)
        end = moment + timedelta(seconds=draw(st.integers(1, 6_500)))
        energy = draw(st.integers(0, 30_000)) if phase is Phase.CHARGING else 0
        power = draw(st.sampled_from([None, Decimal(7), Decimal(11), Decimal(30)]))
        parts.append(Usage(moment, end, phase, energy, power))
        moment = end
    return parts


def hours(seconds: int) -> Decimal:
    return round(Decimal(seconds) / 3600, 6)


@st.composite
def split_pairs(draw: Any) -> tuple[Document, Document]:
    """The same session twice: in long periods, and with each of them cut somewhere.

    Energy is so many Wh a second, so that both parts of a cut period have what they had before.
    """
    start = datetime.fromisoformat(draw(st.sampled_from(DATES))).replace(tzinfo=UTC)
    start += timedelta(seconds=draw(st.integers(0, 86_399)))
    long, short, moment = [], [], start
    for _ in range(draw(st.integers(1, 4))):
        seconds = draw(st.integers(2, 6_500))
        first = draw(st.integers(1, seconds - 1))
        rate = draw(st.integers(0, 8))
        kind = draw(st.sampled_from(["TIME", "TIME", "PARKING_TIME"]))
        others = {"MAX_POWER": draw(st.sampled_from([7, 11, 30]))} if draw(st.booleans()) else {}
        long.append(period(moment, kind, seconds, rate, others))
        short.append(period(moment, kind, first, rate, others))
        middle = moment + timedelta(seconds=first)
        short.append(period(middle, kind, seconds - first, rate, others))
        moment += timedelta(seconds=seconds)
    whole = {
        "id": "X",
        "start_date_time": stamp(start),
        "end_date_time": stamp(moment),
        "currency": "EUR",
        "cdr_location": {},
    }
    return whole | {"charging_periods": long}, whole | {"charging_periods": short}


def period(start: datetime, kind: str, seconds: int, rate: int, others: Document) -> Document:
    volumes = {kind: hours(seconds), "ENERGY": Decimal(rate * seconds) / 1000, **others}
    return {
        "start_date_time": stamp(start),
        "dimensions": [{"type": name, "volume": volume} for name, volume in volumes.items()],
    }


def exact(value: float) -> Fraction:
    return Fraction(Decimal(repr(value)))
