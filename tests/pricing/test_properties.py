"""What holds for every tariff and every session."""

import copy
import itertools
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.roaming.pricing.answers import answer, report
from hub.roaming.pricing.check import Outcome, check
from hub.roaming.pricing.engine import Priced, price
from hub.roaming.pricing.explain import lines, table
from hub.roaming.pricing.faults import Context, find
from hub.roaming.pricing.lint import lint
from hub.roaming.pricing.periods import charging_periods, split
from hub.roaming.pricing.wire import digits, totals
from tests.pricing import strategies
from tests.pricing.documents import Document, cdr, element, part, stamp, tariff
from tests.pricing.strategies import often


def amounts(priced: Priced) -> tuple[object, ...]:
    return (
        priced.total.before,
        priced.total.after,
        {name: (amount.before, amount.after) for name, amount in priced.parts.items()},
    )


def produced(tariff: Document, usage: list, zone: str) -> Document:
    """A CDR that the hub would make of this session."""
    record = {
        "id": "X",
        "start_date_time": stamp(usage[0].start),
        "end_date_time": stamp(usage[-1].end),
        "currency": "EUR",
        "charging_periods": charging_periods([tariff], usage, time_zone=zone),
        "total_cost": {"before_taxes": 0},
    }
    priced = price([tariff], record, time_zone=zone, ocpi_version="2.3.0")
    return record | totals(priced)


@often
@given(strategies.tariffs(limits=True), strategies.split_pairs(), strategies.zones)
def test_splitting_a_period_changes_nothing(tariff, pair, zone):
    whole, split = (price([tariff], record, time_zone=zone) for record in pair)

    assert amounts(whole) == amounts(split)


@often
@given(strategies.tariffs(), strategies.usages(), strategies.zones)
def test_a_cdr_the_hub_produces_is_always_right(tariff, usage, zone):
    """Re-pricing gives what it claims, and no period should have been cut."""
    verdict = check(produced(tariff, usage, zone), [tariff], time_zone=zone, ocpi_version="2.3.0")

    assert verdict.outcome is Outcome.OK, (verdict.mismatches, verdict.reasons)
    assert verdict.flags == []


@often
@given(strategies.tariffs(), strategies.split_pairs(), strategies.zones)
def test_a_cdr_can_be_divided_where_its_prices_change(tariff, pair, zone):
    """CDR-09: nothing is lost, and nobody would divide it further."""
    whole = price([tariff], pair[0], time_zone=zone, ocpi_version="2.3.0")
    divided = pair[0] | {"charging_periods": split(whole)}

    parts = price([tariff], divided, time_zone=zone, ocpi_version="2.3.0")

    assert parts.energy == whole.energy
    assert abs(parts.charging - whole.charging) <= len(divided["charging_periods"])
    assert "unsplit_period" not in {fault.code for fault in find(parts, Context())}


@often
@given(strategies.tariffs(limits=True), strategies.usages(), strategies.zones)
def test_the_limits_hold(tariff, usage, zone):
    """PRICE-43: both of them, before and after taxes; a reservation alone is no session."""
    priced = price([tariff], produced(tariff, usage, zone), time_zone=zone, ocpi_version="2.3.0")
    low, high = tariff["min_price"], tariff["max_price"]

    if priced.charging or priced.parking:
        assert low["before_taxes"] <= priced.total.before <= high["before_taxes"]
        if tariff["tax_included"] == "NO" and priced.total.after is not None:
            least, most = map(strategies.exact, (low["after_taxes"], high["after_taxes"]))
            assert least <= priced.total.after <= most


@often
@given(strategies.tariffs(), strategies.split_pairs(), strategies.zones)
def test_nothing_is_ever_paid_back(tariff, pair, zone):
    priced = price([tariff], pair[0], time_zone=zone)

    assert priced.total.before >= 0
    assert priced.total.after is None or priced.total.after >= priced.total.before
    assert all(charge.quantity >= 0 for charge in priced.charges)
    assert all(amount.before >= 0 for amount in priced.parts.values())


@often
@given(strategies.tariffs(), strategies.split_pairs(), strategies.zones)
def test_the_explanation_adds_up_to_the_total(tariff, pair, zone):
    priced = price([tariff], pair[0], time_zone=zone)
    explained = lines(priced)

    assert sum(line.charge.before for line in explained if line.charge) == priced.total.before
    assert sum(amount.before for amount in priced.parts.values()) == priced.total.before
    assert all(line.why for line in explained)
    assert digits(priced.total.before) in table(priced)


@often
@given(
    st.lists(
        st.tuples(strategies.prices, st.sampled_from([1, 2, 5, 10])),
        min_size=1,
        max_size=3,
        unique_by=lambda item: item[1],
    ),
    st.sampled_from([0, 1, 50, 100, 500]),
    st.integers(0, 200_000),
    st.integers(0, 50_000),
)
def test_more_energy_never_costs_less(prices, step, energy, more):
    """With blocks of kWh at different prices, as long as a block is a whole number of steps.

    Else a step that begins in a dear block is dear beyond its end, and a little more is cheaper.
    """
    prices.sort(key=lambda item: item[1])
    blocks = [element(part("ENERGY", cost, step), max_kwh=limit) for cost, limit in prices]
    document = tariff(*blocks, element(part("ENERGY", 0.5, step)))

    less, rest = (
        price([document], cdr("2025-06-02T08:00", [(60, {"ENERGY": volume / 10_000})]))
        for volume in (energy, energy + more)
    )

    assert less.total.before <= rest.total.before


@often
@given(strategies.split_pairs(), strategies.zones, st.data())
def test_the_order_of_independent_elements_does_not_matter(pair, zone, data):
    """Elements for different dimensions, or for hours of the day that do not overlap."""
    parts = [
        element(part("FLAT", 1)),
        element(part("ENERGY", 0.2, 100, 21), start_time="22:00", end_time="06:00"),
        element(part("ENERGY", 0.3, 100, 21), start_time="06:00", end_time="22:00"),
        element(part("TIME", 1.2, 60, 10), max_kwh=10),
        element(part("TIME", 2.4, 60, 10), min_kwh=10),
        element(part("PARKING_TIME", 3, 300, 10)),
    ]
    mixed = data.draw(st.permutations(parts))

    one, two = (price([tariff(*order)], pair[0], time_zone=zone) for order in (parts, mixed))

    assert amounts(one) == amounts(two)


@often
@given(strategies.tariffs(), strategies.split_pairs(), strategies.zones)
def test_what_is_billed_is_a_multiple_of_the_last_step(tariff, pair, zone):
    """PRICE-33, CDR-10: the total of a dimension, once per session."""
    priced = price([tariff], pair[0], time_zone=zone)
    billed = [piece for piece in priced.pieces if piece.energy_price is not None and piece.energy]

    if billed:
        total = sum(piece.energy + piece.extra_energy for piece in billed)
        assert total % (billed[-1].energy_price.step * 1_000_000) == 0
        assert [piece for piece in billed if piece.extra_energy] in ([], billed[-1:])


@often
@given(strategies.tariffs(), strategies.split_pairs())
def test_pricing_is_a_function(tariff, pair):
    """The same again, and the documents are left alone."""
    before = copy.deepcopy((tariff, pair))

    one, two = (
        json.dumps(report(check(pair[0], [tariff], time_zone="UTC")), default=str) for _ in range(2)
    )

    assert one == two
    assert before == (tariff, pair)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@st.composite
def broken_lines(draw):
    """A line as good as any, with something in it replaced by something else."""
    line = {
        "ocpi_version": "2.2.1",
        "time_zone": "Europe/Amsterdam",
        "tariffs": [draw(strategies.tariffs(limits=True))],
        "cdr": cdr(
            "2025-06-02T16:30",
            [(60, {"TIME": 1, "ENERGY": 10, "MAX_POWER": 11}), (30, {"PARKING_TIME": 0.5})],
            total_cost={"excl_vat": 1, "incl_vat": 1.21},
            total_energy=10,
            total_time=1.5,
            cdr_location={"connector_power_type": "DC"},
        ),
    }
    line = json.loads(json.dumps(line))
    for _ in range(draw(st.integers(1, 3))):
        spoil(line, draw)
    return line


def spoil(node, draw):
    while isinstance(node, dict | list) and node:
        keys = sorted(node) if isinstance(node, dict) else list(range(len(node)))
        key = draw(st.sampled_from(keys))
        if not isinstance(node[key], dict | list) or draw(st.integers(0, 4)) == 0:
            node[key] = draw(JSON)
            return
        node = node[key]


@settings(often, max_examples=200)
@given(broken_lines() | JSON)
def test_whatever_is_asked_there_is_an_answer(line):
    found = answer(line)

    assert set(found) - {"cdr_check"} in ({"error"}, {"expected", "explanation"})
    assert json.dumps(found)


@settings(often, max_examples=60)
@given(broken_lines())
def test_lint_finds_a_word_for_every_tariff(line):
    tariffs = line.get("tariffs") if isinstance(line, dict) else None
    for document in itertools.islice(tariffs if isinstance(tariffs, list) else [], 1):
        for finding in lint(document):
            assert finding.text
