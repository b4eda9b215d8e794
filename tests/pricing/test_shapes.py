"""Prices as each version writes them, the explanation, and periods for the hub's own sessions."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from hub.roaming.pricing.engine import price
from hub.roaming.pricing.explain import entries, lines, table
from hub.roaming.pricing.periods import Usage, charging_periods
from hub.roaming.pricing.quantities import CannotPrice
from hub.roaming.pricing.tariffs import Phase
from hub.roaming.pricing.wire import totals
from tests.pricing.documents import ROOT, cdr, element, part, tariff

TWO_RATES = tariff(
    element(part("FLAT", 1, 1, 10), part("ENERGY", 0.333, 1, 21), part("PARKING_TIME", 3, 300, 21))
)
ROWS = [(60, {"TIME": 1, "ENERGY": 10}), (12, {"PARKING_TIME": 0.2})]


def priced(version, document=TWO_RATES, **options):
    return price([document], cdr("2025-06-02T08:00", ROWS), ocpi_version=version, **options)


def test_2_1_1_has_one_number_before_vat():
    assert totals(priced("2.1.1")) == {
        "total_cost": Decimal("5.08"),
        "total_energy": Decimal("10.0000"),
        "total_time": Decimal("1.2000"),
        "total_parking_time": Decimal("0.2000"),
    }


def test_2_2_1_has_a_price_with_and_without_vat():
    """1.00 + 3.33 + 0.75; 1.10 + 4.0293 + 0.9075. The total is rounded, parts to four decimals."""
    assert totals(priced("2.2.1")) == {
        "total_cost": {"excl_vat": Decimal("5.08"), "incl_vat": Decimal("6.04")},
        "total_fixed_cost": {"excl_vat": Decimal("1.0000"), "incl_vat": Decimal("1.1000")},
        "total_energy_cost": {"excl_vat": Decimal("3.3300"), "incl_vat": Decimal("4.0293")},
        "total_parking_cost": {"excl_vat": Decimal("0.7500"), "incl_vat": Decimal("0.9075")},
        "total_energy": Decimal("10.0000"),
        "total_time": Decimal("1.2000"),
        "total_parking_time": Decimal("0.2000"),
    }


def test_2_3_0_names_a_tax_amount_per_rate():
    """PRICE-42: and together they are exactly what is due."""
    cost = totals(priced("2.3.0"))["total_cost"]

    assert cost == {
        "before_taxes": Decimal("5.08"),
        "taxes": [
            {"name": "VAT", "percentage": Decimal(21), "amount": Decimal("0.86")},
            {"name": "VAT", "percentage": Decimal(10), "amount": Decimal("0.10")},
        ],
    }


def test_any_version_can_be_asked_for():
    found = priced("2.2.1")

    assert totals(found, "2.1.1") == totals(priced("2.1.1"))
    assert totals(found, "2.3.0") == totals(priced("2.3.0"))


def test_where_no_taxes_apply_there_is_an_empty_list():
    document = tariff(element(part("ENERGY", 0.5)), tax_included="N/A")

    assert totals(priced("2.3.0", document))["total_cost"] == {
        "before_taxes": Decimal("5.00"),
        "taxes": [],
    }


def test_taxes_that_are_not_known_are_left_out():
    document = tariff(element(part("ENERGY", 0.5)), tax_included="NO")

    assert totals(priced("2.3.0", document))["total_cost"] == {"before_taxes": Decimal("5.00")}
    assert totals(priced("2.2.1", document))["total_cost"] == {"excl_vat": Decimal("5.00")}


def test_a_gross_amount_never_passes_for_a_net_one():
    """PRICE-42: then there is no total to state at all."""
    document = tariff(element(part("ENERGY", 0.5)), tax_included="YES")

    assert "total_cost" not in totals(priced("2.3.0", document))


def test_taxes_of_a_limited_price_keep_their_proportion():
    """8.10 + 1.00 of tax, held to 8.00 and 8.91: 0.91 is due, in the proportion 9 to 1."""
    document = tariff(
        element(part("FLAT", 3.6, 1, 25), part("ENERGY", 0.45, 1, 10 / 4.5)),
        max_price={"before_taxes": 8, "after_taxes": 8.91},
    )

    cost = totals(priced("2.3.0", document))["total_cost"]

    assert cost["before_taxes"] == Decimal("8.00")
    assert [tax["amount"] for tax in cost["taxes"]] == [Decimal("0.82"), Decimal("0.09")]


@pytest.mark.parametrize(("currency", "cost"), [("JPY", "5"), ("BHD", "5.080"), ("EUR", "5.08")])
def test_the_total_is_rounded_to_the_units_of_its_currency(currency, cost):
    """PRICE-45, TAR-09: OCPI does not say how."""
    found = priced("2.1.1", TWO_RATES | {"currency": currency})

    assert str(totals(found)["total_cost"]) == cost


def test_half_a_cent_is_rounded_up_and_half_a_cent_back_down():
    """PRICE-45: away from zero, as commerce does it."""
    up, down = (
        totals(priced("2.1.1", tariff(element(part("FLAT", amount)))))["total_cost"]
        for amount in (0.125, -0.125)
    )

    assert (up, down) == (Decimal("0.13"), Decimal("-0.13"))


def test_every_line_says_which_element_and_why():
    document = tariff(
        element(part("ENERGY", 0.2), start_time="22:00", end_time="06:00"),
        element(part("ENERGY", 0.4, 1000, 20), max_kwh=5),
        element(part("ENERGY", 0.5, 1000, 20)),
    )
    record = cdr("2025-06-02T08:00", [(60, {"TIME": 1, "ENERGY": 7.5})])

    found = entries(price([document], record, time_zone="UTC"))

    passed = "not element 1 (time of day); not element 2 (max_kwh)"
    assert [(line["dimension"], line["element"], line["why"]) for line in found] == [
        ("ENERGY", 2, "element 2: matches max_kwh; not element 1 (time of day)"),
        ("TIME", None, "the tariff has no price for TIME"),
        (
            "ENERGY",
            3,
            f"element 3: unrestricted; {passed}; rounded up to steps of 1000 Wh",
        ),
        ("TIME", None, "the tariff has no price for TIME"),
    ]
    assert found[2] == {
        "period": 1,
        "from": "2025-06-02T08:40:00Z",
        "to": "2025-06-02T09:00:00Z",
        "phase": "CHARGING",
        "dimension": "ENERGY",
        "volume": "2.5000",
        "billed_volume": "3.0000",
        "unit": "kWh",
        "tariff_id": "T1",
        "element": 3,
        "price": "0.50",
        "vat": "20",
        "step_size": 1000,
        "excl_vat": "1.5000",
        "incl_vat": "1.8000",
        "why": found[2]["why"],
    }


def test_elements_that_were_passed_over_for_the_same_reason_are_told_together():
    hours = [
        element(part("ENERGY", 0.1), start_time=f"{hour:02d}:00", end_time=f"{hour + 1:02d}:00")
        for hour in range(8)
    ]
    parking = element(part("PARKING_TIME", 1))
    document = tariff(*hours[:3], parking, *hours[3:7], element(part("ENERGY", 1), min_kwh=5))
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})])

    before, after = (line.why for line in lines(price([document], record, time_zone="UTC")))

    # Element 4 has no price for energy, so it was not passed over.
    hours = "not elements 1 to 3 (time of day); not elements 5 to 8 (time of day)"
    assert before == f"no element applies; {hours}; not element 9 (min_kwh)"
    assert after == f"element 9: matches min_kwh; {hours}"


def test_not_more_reasons_are_told_than_anybody_reads():
    mixed = [
        element(part("ENERGY", 0.1), **({"min_kwh": 99} if number % 2 else {"end_time": "06:00"}))
        for number in range(40)
    ]
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})])

    [line] = lines(price([tariff(*mixed)], record, time_zone="UTC"))

    assert line.why.startswith("no element applies; not element 1 (time of day); not element 2 (")
    assert line.why.endswith("not element 10 (min_kwh); nor 30 more")


def test_what_is_free_is_explained_as_well():
    document = tariff(element(part("ENERGY", 0.2), day_of_week=["SATURDAY"]))
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 5}), (60, {"ENERGY": 5}, "T1")])

    first, second = entries(price([document], record, time_zone="UTC"))

    assert first["why"] == "no tariff is relevant to this period"
    assert second["why"] == "no element applies; not element 1 (day_of_week)"
    assert (second["billed_volume"], second["excl_vat"]) == ("0.0000", "0.0000")


def test_reserved_time_is_named_so():
    document = tariff(element(part("TIME", 3, 600), reservation="RESERVATION"))
    record = cdr("2025-06-02T08:00", [(12, {"RESERVATION_TIME": 0.2}), (5, {"TIME": 0.0833})])

    first, second = entries(price([document], record))

    assert (first["dimension"], first["billed_volume"]) == ("RESERVATION_TIME", "0.3333")
    assert first["why"] == "element 1: matches RESERVATION; rounded up to steps of 600 s"
    assert (second["dimension"], second["element"]) == ("TIME", None)


def test_the_table_is_for_people():
    golden = ROOT / "tests" / "data" / "pricing" / "table.txt"

    assert table(priced("2.2.1")) + "\n" == golden.read_text()


START = datetime(2025, 6, 2, 14, 0, tzinfo=UTC)


def used(minutes, length, phase=Phase.CHARGING, energy=0, **measured):
    begin = START + timedelta(minutes=minutes)
    return Usage(begin, begin + timedelta(minutes=length), phase, energy, **measured)


def shown(periods):
    return [
        (
            period["start_date_time"][11:16],
            {item["type"]: float(item["volume"]) for item in period["dimensions"]},
        )
        for period in periods
    ]


def test_own_periods_are_split_where_the_price_changes():
    """CDR-09: at 17:00 in Amsterdam, 15:00 UTC, and when the car is full."""
    document = tariff(
        element(part("ENERGY", 0.2), end_time="17:00"),
        element(part("ENERGY", 0.4)),
        element(part("PARKING_TIME", 3)),
    )
    usage = [used(0, 30, energy=3000), used(30, 60, energy=9000), used(90, 15, Phase.PARKING)]

    periods = charging_periods([document], usage, time_zone="Europe/Amsterdam")

    assert shown(periods) == [
        ("14:00", {"TIME": 1.0, "ENERGY": 7.5}),
        ("15:00", {"TIME": 0.5, "ENERGY": 4.5}),
        ("15:30", {"PARKING_TIME": 0.25}),
    ]
    assert {period["tariff_id"] for period in periods} == {"T1"}


def test_own_periods_tell_the_power_their_price_depends_on():
    """Two halves of one price share a period, and its bounds; another price starts a new one."""
    document = tariff(element(part("ENERGY", 0.5), min_power=50), element(part("ENERGY", 0.3)))
    usage = [
        used(0, 10, energy=10_000, power=Decimal(60)),
        used(10, 10, energy=9_000, power=Decimal(55)),
        used(20, 10, energy=5_000, power=Decimal(30)),
    ]

    periods = charging_periods([document], usage, time_zone=None)

    assert shown(periods) == [
        ("14:00", {"TIME": 0.3333, "ENERGY": 19.0, "MIN_POWER": 55.0, "MAX_POWER": 60.0}),
        ("14:20", {"TIME": 0.1667, "ENERGY": 5.0, "MIN_POWER": 30.0, "MAX_POWER": 30.0}),
    ]


def test_own_periods_end_where_a_limit_of_energy_is_reached():
    """Nothing becomes dearer there, but later one could not tell any more when it was.

    The element needs 1 kWh within 15 minutes, and got it at that very moment: never in time. Spread
    over all the 901 seconds it would have been.
    """
    document = tariff(
        element(part("ENERGY", 9), min_kwh=1, max_duration=900), element(part("ENERGY", 1))
    )
    usage = [used(0, 400 / 60), used(400 / 60, 501 / 60, energy=1002)]

    assert shown(charging_periods([document], usage, time_zone=None)) == [
        ("14:00", {"TIME": 0.25, "ENERGY": 1.0}),
        ("14:15", {"TIME": 0.0003, "ENERGY": 0.002}),
    ]


def test_own_periods_lose_nothing_to_rounding():
    """Three times a third of 1000.1 Wh, in steps of 0.1 Wh."""
    usage = [used(number, 1, energy=Decimal("333.36666")) for number in range(3)]
    parted = [tariff(element(part("ENERGY", 1), max_duration=60), element(part("ENERGY", 2)))]

    periods = charging_periods(parted, usage, time_zone=None)

    volumes = [item["volume"] for period in periods for item in period["dimensions"]]
    assert volumes == [
        Decimal("0.0167"),
        Decimal("0.3334"),
        Decimal("0.0333"),
        Decimal("0.6667"),
    ]


def test_own_periods_begin_in_the_second_in_which_the_price_changed():
    """Cut off, not rounded: what happened before 15:00 must not seem to have happened at it.

    1 kWh is reached at 14:59:59.64.
    """
    document = tariff(
        element(part("ENERGY", 0.1), max_kwh=1),
        element(part("ENERGY", 0.2), end_time="15:00"),
        element(part("ENERGY", 0.3)),
    )
    usage = [used(0, 70, energy=Decimal("1166.7835"))]

    assert shown(charging_periods([document], usage, time_zone="UTC")) == [
        ("14:00", {"TIME": 0.9997, "ENERGY": 1.0}),
        ("14:59", {"TIME": 0.0003, "ENERGY": 0.0001}),
        ("15:00", {"TIME": 0.1667, "ENERGY": 0.1667}),
    ]


def test_a_reservation_is_a_period_of_its_own():
    document = tariff(
        element(part("TIME", 2), reservation="RESERVATION"), element(part("ENERGY", 1))
    )
    usage = [used(0, 15, Phase.RESERVATION), used(15, 60, energy=1000)]

    assert shown(charging_periods([document], usage, time_zone=None)) == [
        ("14:00", {"RESERVATION_TIME": 0.25}),
        ("14:15", {"TIME": 1.0, "ENERGY": 1.0}),
    ]


def test_without_tariffs_own_periods_still_tell_what_happened():
    usage = [used(0, 60, energy=1000), used(60, 30, Phase.PARKING)]

    assert shown(charging_periods([], usage, time_zone=None)) == [
        ("14:00", {"TIME": 1.0, "ENERGY": 1.0}),
        ("15:00", {"PARKING_TIME": 0.5}),
    ]
    assert charging_periods([], [], time_zone=None) == []


def test_usage_that_runs_backwards_is_refused():
    with pytest.raises(CannotPrice, match="before it starts"):
        charging_periods([], [used(0, -5)], time_zone=None)
