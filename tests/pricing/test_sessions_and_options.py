"""Running sessions, readings, local taxes, what the caller knows, and what cannot be read."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hub.roaming.pricing import tariffs
from hub.roaming.pricing.components import Tax
from hub.roaming.pricing.engine import price
from hub.roaming.pricing.quantities import CannotPrice, Unreadable
from hub.roaming.pricing.remembering import Remembered
from hub.roaming.pricing.wire import expected, totals
from tests.pricing.documents import cdr, element, part, session, tariff

START_FEE = tariff(element(part("FLAT", 2.5, 1, 20), part("ENERGY", 0.5, 1, 20)))
EVENING = tariff(
    element(part("ENERGY", 0.2), end_time="17:00"),
    element(part("ENERGY", 0.6)),
)


def total(*arguments, **options):
    return expected(price(*arguments, **options))["total_cost"]["excl_vat"]


def parts(*arguments, **options):
    found = expected(price(*arguments, **options))
    return {name: value["excl_vat"] for name, value in found.items() if value is not None}


def test_a_pending_session_owes_the_start_fee_already():
    """PRICE-46: as if it stopped now."""
    record = session("2025-06-02T08:00", [], status="PENDING", last_updated="2025-06-02T08:00:00Z")

    assert parts([START_FEE], record) == {
        "total_cost": "2.5000",
        "total_fixed_cost": "2.5000",
        "total_energy_cost": "0.0000",
    }


def test_a_session_without_periods_is_priced_by_its_kwh():
    """PRICE-46: 2.50 + 4 kWh x 0.50."""
    record = session("2025-06-02T08:00", [], kwh=4, last_updated="2025-06-02T09:00:00Z")

    assert total([START_FEE], record) == "4.5000"


def test_a_running_session_is_rounded_up_as_if_it_stopped_now():
    """PRICE-46: 7 minutes so far, in blocks of 5: 10 x 6 / 60."""
    document = tariff(element(part("TIME", 6, 300)))
    record = session("2025-06-02T08:00", [(7, {"TIME": 0.1167, "ENERGY": 1})])

    assert total([document], record) == "1.0000"


def test_a_session_can_be_priced_up_to_an_earlier_moment():
    """Periods that began later are left out; the one that runs then ends there."""
    rows = [(60, {"ENERGY": 10}), (60, {"ENERGY": 5})]
    record = session("2025-06-02T08:00", rows)

    earlier = datetime(2025, 6, 2, 8, 30, tzinfo=UTC)

    assert total([START_FEE], record, until=earlier) == "7.5000"


def test_a_reservation_that_still_waits_has_not_expired():
    """PRICE-21: a Session with the status RESERVATION pays for the time so far, no more."""
    document = tariff(
        element(part("FLAT", 4), reservation="RESERVATION_EXPIRES"),
        element(part("TIME", 2), reservation="RESERVATION"),
    )
    rows = [(30, {"RESERVATION_TIME": 0.5})]

    waiting = session("2025-06-02T08:00", rows, status="RESERVATION")
    completed = session("2025-06-02T08:00", rows, status="COMPLETED")

    assert total([document], waiting) == "1.0000"
    assert total([document], completed) == "5.0000"
    assert total([document], completed, reservation="CANCELLED") == "1.0000"


def test_an_outcome_nobody_knows_is_refused():
    with pytest.raises(CannotPrice, match="EXPIRED"):
        price([START_FEE], cdr("2025-06-02T08:00", [(60, {"TIME": 1})]), reservation="LOST")


def test_meter_readings_say_where_in_a_period_the_energy_went():
    """PRICE-17: spread evenly, a third would be before 17:00; the meter saw five sixths there."""
    record = cdr("2025-06-02T16:00", [(180, {"ENERGY": 12, "TIME": 3})])
    readings = [
        (datetime(2025, 6, 2, 16, tzinfo=UTC), 1000),
        (datetime(2025, 6, 2, 17, tzinfo=UTC), 11_000),
        (datetime(2025, 6, 2, 19, tzinfo=UTC), 13_000),
    ]

    # 4 x 0.20 + 8 x 0.60, then 10 x 0.20 + 2 x 0.60
    assert total([EVENING], record, time_zone="UTC") == "5.6000"
    assert total([EVENING], record, time_zone="UTC", readings=readings) == "3.2000"


def at(hour, minute, wh):
    return datetime(2025, 6, 2, hour, minute, tzinfo=UTC), wh


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        # All of it between 16:30 and 17:30, as nothing is known of before and after.
        ([at(16, 30, 1000), at(17, 30, 3000)], "4.8000"),
        # Between two readings it flows evenly: 5/6 until 17:30, of which two thirds until 17:00.
        ([at(16, 0, 0), at(17, 30, 10_000), at(19, 0, 12_000)], "4.5333"),
        # Nothing was used by the meter, or it was read outside of the period only.
        ([at(17, 0, 1000), at(18, 0, 1000)], "5.6000"),
        ([at(10, 0, 1000), at(20, 0, 9000)], "5.6000"),
    ],
)
def test_the_meter_is_read_on_a_straight_line(readings, expected):
    record = cdr("2025-06-02T16:00", [(180, {"ENERGY": 12, "TIME": 3})])

    assert total([EVENING], record, time_zone="UTC", readings=readings) == expected


AFTER_FIVE = tariff(
    element(
        *(part("TIME", 1), part("PARKING_TIME", 2), part("ENERGY", 0.2)),
        start_time="06:00",
        end_time="17:00",
    ),
    element(part("TIME", 10), part("PARKING_TIME", 20), part("ENERGY", 2)),
)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        # An hour of charging for 1, of parking for 20, and 10 kWh that were all charged before 17.
        ({"TIME": 1, "PARKING_TIME": 1, "ENERGY": 10}, "23.0000"),
        ({"PARKING_TIME": 1, "ENERGY": 10, "TIME": 1}, "23.0000"),
        # They share the period in proportion, but only what they state is billed.
        ({"TIME": 0.5, "PARKING_TIME": 0.5, "ENERGY": 10}, "12.5000"),
        # Charging takes what a reservation leaves, from 16:30 on: a third of the energy before 17.
        ({"RESERVATION_TIME": 0.5, "ENERGY": 10}, "14.0000"),
        ({"RESERVATION_TIME": 1, "ENERGY": 10}, "20.0000"),
    ],
)
def test_times_stated_in_one_period_come_one_after_the_other_PRICE_17(stated, expected):
    record = cdr("2025-06-02T16:00", [(120, stated)])

    assert total([AFTER_FIVE], record, time_zone="UTC") == expected


def test_meter_readings_tell_the_power_too():
    """PRICE-15: what was not measured may be interpolated."""
    document = tariff(element(part("ENERGY", 1), min_power=20), element(part("ENERGY", 0.1)))
    record = cdr("2025-06-02T16:00", [(60, {"ENERGY": 12, "TIME": 1})])
    readings = [
        (datetime(2025, 6, 2, 16, tzinfo=UTC), 0),
        (datetime(2025, 6, 2, 16, 30, tzinfo=UTC), 11_000),
        (datetime(2025, 6, 2, 17, tzinfo=UTC), 12_000),
    ]

    # 11 kWh in half an hour are 22 kW, 1 kWh are 2 kW.
    assert total([document], record) == "1.2000"
    assert total([document], record, readings=readings) == "11.1000"


def test_the_average_power_is_taken_only_when_allowed():
    """PRICE-15: 12 kWh in an hour are 12 kW, but nobody measured that."""
    document = tariff(element(part("ENERGY", 1), min_power=11), element(part("ENERGY", 0.1)))
    record = cdr("2025-06-02T16:00", [(60, {"ENERGY": 12, "TIME": 1})])

    assert total([document], record) == "1.2000"
    assert total([document], record, average_power=True) == "12.0000"
    # A CDR of 2.1.1 has no way to state it.
    assert total([document], record, ocpi_version="2.1.1") == "12.0000"
    assert total([document], record, ocpi_version="2.1.1", average_power=False) == "1.2000"


@pytest.mark.parametrize(
    ("bounds", "excl"),
    [
        # The bounds decide where they can,
        ({"MIN_POWER": 20, "MAX_POWER": 40}, "10.0000"),
        ({"MIN_POWER": 5, "MAX_POWER": 19}, "1.0000"),
        # else the stated average, else energy over time (10 kW),
        ({"MIN_POWER": 5, "MAX_POWER": 40, "POWER": 30}, "10.0000"),
        ({"MIN_POWER": 5, "MAX_POWER": 40}, "1.0000"),
        # and a single bound is all there is.
        ({"MAX_POWER": 40}, "10.0000"),
        ({"MIN_POWER": 19}, "1.0000"),
    ],
)
def test_the_power_of_a_period_is_read_from_whatever_it_states(bounds, excl):
    """PRICE-14: the momentary power decides, and a period only has bounds and averages of it."""
    document = tariff(element(part("ENERGY", 1), min_power=20), element(part("ENERGY", 0.1)))
    record = cdr("2025-06-02T16:00", [(60, {"ENERGY": 10, "TIME": 1, **bounds})])

    assert total([document], record) == excl


def test_north_american_taxes_come_from_the_location():
    """PRICE-42: on top of a net price, and out of a gross one."""
    net = tariff(element(part("TIME", 2)), tax_included="NO", currency="CAD")
    gross = tariff(element(part("TIME", 2.2995)), tax_included="YES", currency="CAD")
    record = cdr("2025-06-02T08:00", [(150, {"TIME": 2.5})], currency="CAD")
    taxes = [Tax("GST", Decimal(5), "123"), Tax("QST", Decimal("9.975"))]

    outside, inside = (
        totals(price([document], record, taxes=taxes, ocpi_version="2.3.0"))["total_cost"]
        for document in (net, gross)
    )

    assert outside == {
        "before_taxes": Decimal("5.00"),
        "taxes": [
            {"name": "QST", "percentage": Decimal("9.975"), "amount": Decimal("0.50")},
            {
                "name": "GST",
                "account_number": "123",
                "percentage": Decimal(5),
                "amount": Decimal("0.25"),
            },
        ],
    }
    assert inside == outside


def test_a_price_with_vat_does_not_take_the_taxes_of_the_location():
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})])

    amounts = expected(price([START_FEE], record, taxes=[Tax("GST", Decimal(5))]))["total_cost"]

    assert amounts == {"excl_vat": "7.5000", "incl_vat": "9.0000"}


def test_a_tariff_may_be_read_once_and_used_often():
    prepared = tariffs.read(START_FEE)
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})])

    assert tariffs.read(START_FEE) is prepared
    assert tariffs.read(prepared) is prepared
    assert total([prepared], record) == total([START_FEE], record) == "7.5000"


def test_the_tariffs_in_a_cdr_do_when_none_are_given():
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})], tariffs=[START_FEE])

    assert total([], record) == "7.5000"


def test_given_tariffs_come_before_those_in_the_cdr():
    mine = tariff(element(part("ENERGY", 1)))
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10}, "t1")], tariffs=[START_FEE])

    assert total([mine], record) == "10.0000"


def test_of_two_versions_of_a_tariff_the_one_in_force_at_the_start_counts():
    """PRICE-01, TAR-05: both have the same id, and both may be assigned."""
    old = tariff(element(part("ENERGY", 0.3)), end_date_time="2025-01-01T00:00:00Z")
    new = tariff(element(part("ENERGY", 0.4)), start_date_time="2025-01-01T00:00:00Z")
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10}, "T1")])

    assert total([old, new], record) == total([new, old], record) == "4.0000"


@pytest.mark.parametrize("tariff_id", [None, "T1"])
def test_of_two_versions_in_force_the_one_updated_last_before_the_start_counts(tariff_id):
    """CDR-08: tariffs as they were at the start, whatever order they come in."""
    versions = [
        tariff(element(part("ENERGY", price)), last_updated=updated)
        for price, updated in (
            (0.5, None),
            (0.3, "2024-01-01T00:00:00Z"),
            (0.2, "2025-06-02T08:00:00Z"),
            (0.9, "2025-06-02T08:00:01Z"),
            (0.8, "soon"),
        )
    ]
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10}, tariff_id)])

    assert total(versions, record) == total(versions[::-1], record) == "2.0000"
    assert not price(versions, record).notes
    # Where nobody says which one is the later, the first given is taken.
    assert total([versions[0], versions[4]], record) == "5.0000"


@pytest.mark.parametrize(
    ("tariff_type", "cost"),
    [
        ("PROFILE_CHEAP", "2.0000"),
        ("PROFILE_GREEN", "5.0000"),
        ("REGULAR", "3.0000"),
        ("AD_HOC_PAYMENT", "5.0000"),
        (None, "3.0000"),
    ],
)
def test_the_type_of_a_tariff_says_whom_it_is_for(tariff_type, cost):
    """TAR-06, PRICE-02: a preference has its own tariff; one without type is for everybody."""
    known = [
        tariff(element(part("ENERGY", 0.3)), id="T1", type="REGULAR"),
        tariff(element(part("ENERGY", 0.2)), id="T2", type="PROFILE_CHEAP"),
        tariff(element(part("ENERGY", 0.5)), id="T3"),
    ]
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})])

    assert total(known, record, tariff_type=tariff_type) == cost


def test_a_cdr_of_a_reservation_alone_needs_no_place():
    """CDR-13: #NA where nothing was charged; what stands beside it is ignored."""
    place = {"evse_uid": "#NA", "evse_id": "#NA", "connector_id": "#NA", "connector_standard": "X"}
    fee = tariff(element(part("FLAT", 4), part("TIME", 2, 600), reservation="RESERVATION_EXPIRES"))
    record = cdr("2025-06-02T08:00", [(60, {"RESERVATION_TIME": 1})], cdr_location=place)

    assert parts([fee], record) == {"total_cost": "6.0000", "total_reservation_cost": "6.0000"}


def test_charging_is_the_total_time_less_parking():
    """CDR-14."""
    document = tariff(element(part("TIME", 6), part("PARKING_TIME", 1)))
    record = cdr("2025-06-02T08:00", [(60, {"TIME": 1}), (30, {"PARKING_TIME": 0.5})])

    body = totals(price([document], record), "2.2.1")

    assert body["total_time"] - body["total_parking_time"] == 1
    assert body["total_time_cost"] == {"excl_vat": 6}


def test_the_connector_of_a_2_1_1_cdr_names_its_tariff():
    """PRICE-03a."""
    cheap = tariff(element(part("ENERGY", 0.3)), id="A")
    dear = tariff(element(part("ENERGY", 0.9)), id="B")
    place = {"evses": [{"connectors": [{"tariff_id": "b"}]}]}
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})], location=place)

    assert total([cheap, dear], record, ocpi_version="2.1.1") == "9.0000"


def test_the_total_energy_is_spread_when_no_period_states_any():
    """Over the charging, not the parking; the reader is told."""
    rows = [(60, {"TIME": 1}), (60, {"PARKING_TIME": 1}), (60, {"TIME": 1})]
    record = cdr("2025-06-02T15:00", rows, total_energy=20)

    priced = price([EVENING], record, time_zone="UTC")

    # 10 kWh from 15:00 to 16:00, and 10 from 17:00 to 18:00.
    assert expected(priced)["total_cost"]["excl_vat"] == "8.0000"
    assert [note.code for note in priced.notes] == ["energy_not_in_periods"]


def test_energy_in_both_directions_is_what_remains():
    record = session("2025-06-02T08:00", [(60, {"ENERGY_IMPORT": 5, "ENERGY_EXPORT": 2})])

    assert parts([START_FEE], record)["total_energy_cost"] == "1.5000"


def test_energy_fed_back_is_paid_back_to_the_wh():
    """It is not rounded up, and goes down through the limits it came up through."""
    document = tariff(
        element(part("ENERGY", 0.2, 1000), max_kwh=5), element(part("ENERGY", 0.5, 1000))
    )
    rows = [(60, {"ENERGY": 8}), (60, {"ENERGY": -6.5})]

    # 5 x 0.20 + 3 x 0.50 - 3 x 0.50 - 3.5 x 0.20 = 0.30; 1.5 kWh make 2 steps, 0.5 more x 0.20
    assert total([document], cdr("2025-06-02T08:00", rows)) == "0.4000"
    assert total([document], cdr("2025-06-02T08:00", rows[1:])) == "-1.3000"


def test_when_no_tariff_of_any_period_is_known_there_is_no_price():
    """It would seem to cost nothing."""
    rows = [(60, {"ENERGY": 10}, "OTHER"), (60, {"ENERGY": 10}), (60, {"ENERGY": 10}, "NONE")]
    record = cdr("2025-06-02T08:00", rows)

    with pytest.raises(CannotPrice, match="Tariffs NONE, OTHER are not known") as raised:
        price([START_FEE], record)

    assert raised.value.code == "unknown_tariff"


def test_periods_that_name_no_tariff_are_free_when_another_one_does():
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10}), (60, {"ENERGY": 10}, "T1")])
    document = tariff(element(part("ENERGY", 0.25)))

    assert total([document], record) == "2.5000"


def test_the_first_of_several_tariffs_that_would_do_is_taken_and_said():
    one, two = tariff(element(part("ENERGY", 1))), tariff(element(part("ENERGY", 2)), id="T2")
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})])

    priced = price([one, two], record)

    assert expected(priced)["total_cost"]["excl_vat"] == "10.0000"
    assert [(note.code, note.doubtful) for note in priced.notes] == [("ambiguous_tariff", True)]


def test_hours_with_three_decimals_are_read_by_the_clock():
    """0.167 h are 601 seconds, which would be a minute more; the clock says ten minutes."""
    document = tariff(element(part("TIME", 6, 60)))

    assert total([document], cdr("2025-06-02T08:00", [(10, {"TIME": 0.167})])) == "1.0000"
    assert total([document], cdr("2025-06-02T08:00", [(10, {"TIME": 0.1670})])) == "1.0000"
    assert total([document], cdr("2025-06-02T08:00", [(10, {"TIME": 0.1672})])) == "1.1000"
    assert total([document], cdr("2025-06-02T08:00", [(10, {"TIME": 0.168})])) == "1.1000"


def test_nothing_has_no_sign():
    """A millionth of a euro paid back is none."""
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": -0.001})])

    assert total([tariff(element(part("ENERGY", 0.001)))], record) == "0.0000"


def test_noise_of_floating_point_is_not_a_watt_hour():
    """0.1 + 0.2 is not 301 Wh."""
    document = tariff(element(part("ENERGY", 1)))

    assert total([document], cdr("2025-06-02T08:00", [(10, {"ENERGY": 0.1 + 0.2})])) == "0.3000"
    assert total([document], cdr("2025-06-02T08:00", [(10, {"ENERGY": 0.30001})])) == "0.3010"


def test_an_unknown_restriction_is_never_applied():
    """Ignoring it would make the element unconditional."""
    document = tariff(element(part("ENERGY", 0.1), moon="FULL"), element(part("ENERGY", 0.5)))
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})])

    priced = price([document], record)

    assert expected(priced)["total_cost"]["excl_vat"] == "5.0000"
    assert [note.code for note in priced.notes] == ["unknown_restriction"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"charging_periods": []}, "no charging periods"),
        ({"charging_periods": 5}, "not a list"),
        ({"charging_periods": [5]}, "not an object"),
        ({"charging_periods": [{"dimensions": []}]}, "when it starts"),
        ({"charging_periods": [{"start_date_time": "soon"}]}, "not a date"),
        ({"start_date_time": 5}, "start_date_time"),
        ({"end_date_time": "2025-06-02T24:61:00Z"}, "end_date_time"),
        ({"total_energy": "much"}, "total_energy"),
    ],
)
def test_a_cdr_that_cannot_be_read_says_which_field_and_why(change, said):
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})]) | change

    with pytest.raises(CannotPrice, match=said):
        price([START_FEE], record)


@pytest.mark.parametrize(
    "volume", ["x", True, [], {}, "NaN", float("inf"), 1e300, "1e999999", Decimal("sNaN")]
)
def test_a_volume_that_is_no_number_is_refused(volume):
    with pytest.raises(Unreadable):
        price([START_FEE], cdr("2025-06-02T08:00", [(60, {"ENERGY": volume})]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"elements": []}, "no elements"),
        ({"elements": None}, "no elements"),
        ({"elements": [5]}, "not an object"),
        ({"currency": None}, "no currency"),
        ({"tax_included": "MAYBE"}, "tax_included"),
        ({"min_price": {"before_taxes": "x"}}, "min_price"),
        ({"start_date_time": 5}, "start_date_time"),
        ({"elements": [element({"type": "ENERGY", "price": None, "step_size": 1})]}, "price"),
        ({"elements": [element({"type": "ENERGY", "price": "NaN", "step_size": 1})]}, "price"),
        ({"elements": [element({"type": "MOON", "price": 1, "step_size": 1})]}, "unknown type"),
        ({"elements": [element(part("ENERGY", 1, -1))]}, "step_size"),
        ({"elements": [element(part("ENERGY", 1, 0.5))]}, "step_size"),
        ({"elements": [element(part("ENERGY", 1, 10**20))]}, "step_size is out of range"),
        ({"elements": [element(part("ENERGY", 10**40))]}, "price is out of range"),
        ({"elements": [element(part("ENERGY", 1, 1, -100))]}, "vat"),
        ({"elements": [element(part("ENERGY", 1), start_time="25:00")]}, "start_time"),
        ({"elements": [element(part("ENERGY", 1), end_time=["06:00"])]}, "end_time"),
        ({"tax_included": []}, "tax_included"),
        ({"elements": [element(part("ENERGY", 1), start_date="2025-02-30")]}, "start_date"),
        ({"elements": [element(part("ENERGY", 1), day_of_week=["FUNDAY"])]}, "day_of_week"),
        ({"elements": [element(part("ENERGY", 1), min_kwh="x")]}, "min_kwh"),
        ({"elements": [element(part("TIME", 1), reservation="MAYBE")]}, "reservation"),
    ],
)
def test_a_tariff_that_cannot_be_read_says_which_field_and_why(change, said):
    with pytest.raises(Unreadable, match=said):
        price([tariff(element(part("ENERGY", 1))) | change], cdr("2025-06-02T08:00", [(1, {})]))


def test_local_time_needs_a_zone():
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})])

    with pytest.raises(CannotPrice, match="time zone is not known"):
        price([EVENING], record)
    with pytest.raises(CannotPrice, match="not a time zone"):
        price([EVENING], record, time_zone="Europe/Nowhere")
    with pytest.raises(CannotPrice, match="not a time zone"):
        price([EVENING], record, time_zone="../etc/passwd")
    with pytest.raises(CannotPrice, match="not known"):
        price([EVENING], record, ocpi_version="1.9")


def test_the_country_of_the_location_tells_the_zone_when_nothing_else_does():
    night = tariff(element(part("ENERGY", 1), start_time="10:00", end_time="11:00"))
    place = {"country": "NLD", "coordinates": {"latitude": "52.09", "longitude": "5.12"}}
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})], cdr_location=place)

    assert total([night], record) == "10.0000"
    with pytest.raises(CannotPrice, match="time zone is not known"):
        price([night], record | {"cdr_location": place | {"country": "USA"}})


def test_the_zone_of_the_location_does_when_none_is_given():
    record = cdr("2025-06-02T16:30", [(15, {"ENERGY": 10})], cdr_location={"time_zone": "UTC"})

    assert total([EVENING], record) == "2.0000"
    assert total([EVENING], record, time_zone="Europe/Helsinki") == "6.0000"


def test_a_session_of_years_is_refused_instead_of_counted_day_by_day():
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})], end_date_time="9999-01-01T00:00:00Z")

    with pytest.raises(CannotPrice, match="longer than a year"):
        price([EVENING], record, time_zone="UTC")


def a_price_each(minutes):
    """For every so many minutes of the day."""
    starts = range(0, 24 * 60, minutes)
    clock = [f"{start // 60:02d}:{start % 60:02d}" for start in starts]
    return [
        element(part("ENERGY", 0.3), start_time=start, end_time=end)
        for start, end in zip(clock, [*clock[1:], clock[0]], strict=True)
    ]


@pytest.mark.parametrize(
    ("elements", "rows"),
    [
        # 500,000 pieces of a CDR of 200 kB,
        (a_price_each(1), [(365 * 24 * 60, {"ENERGY": 100})]),
        # and 1000 elements to be looked at for each of 1000 periods.
        (
            [element(part("ENERGY", 0.3), max_kwh=limit) for limit in range(1, 1001)],
            [(1, {"ENERGY": 0.9})] * 1000,
        ),
    ],
)
def test_nobodys_cdr_keeps_everybody_else_waiting(elements, rows):
    with pytest.raises(CannotPrice, match="too long for a tariff that changes so often"):
        price([tariff(*elements)], cdr("2025-01-01T00:00", rows), time_zone="UTC")


def test_a_month_under_a_price_for_each_quarter_of_an_hour_is_not_too_much():
    month = cdr("2025-01-01T00:00", [(30 * 24 * 60, {"ENERGY": 10})])

    assert total([tariff(*a_price_each(15))], month, time_zone="UTC") == "3.0000"


def test_tariffs_are_remembered_by_how_large_they_are():
    kept = Remembered(10)

    kept.put("a", 1, 4)
    kept.put("b", 2, 4)
    assert kept.get("a") == 1
    kept.put("c", 3, 4)
    # "a" was used since "b" was.
    assert [kept.get(name) for name in "abc"] == [1, None, 3]
    kept.put("d", 4, 11)
    assert ([kept.get(name) for name in "acd"], kept.size) == ([None] * 3, 0)
    kept.put("a", 1, 4)
    kept.put("a", 5, 4)
    assert (kept.get("a"), kept.size) == (1, 4)


def test_no_tariff_no_price():
    record = cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})])
    over = tariff(element(part("ENERGY", 1)), end_date_time="2024-01-01T00:00:00Z")
    other = over | {"id": "T2"}

    with pytest.raises(CannotPrice, match="no tariff"):
        price([], record)
    with pytest.raises(CannotPrice, match="in force"):
        price([over, other], record)
    with pytest.raises(CannotPrice, match="several currencies"):
        price(
            [
                tariff(element(part("ENERGY", 1))),
                tariff(element(part("ENERGY", 1)), id="T2", currency="SEK"),
            ],
            cdr("2025-06-02T08:00", [(60, {"ENERGY": 10}, "T1"), (60, {"ENERGY": 10}, "T2")]),
        )


def test_a_tariff_that_cannot_be_read_matters_only_when_it_is_asked_for():
    fine, broken = tariff(element(part("ENERGY", 1))), {"id": "t2", "elements": 5}
    rows = [(60, {"ENERGY": 10})]

    assert total([broken, fine], cdr("2025-06-02T08:00", [(*rows[0], "T1")])) == "10.0000"
    assert total([fine], cdr("2025-06-02T08:00", rows, tariffs=[broken])) == "10.0000"
    assert total([broken, fine], cdr("2025-06-02T08:00", rows)) == "10.0000"
    with pytest.raises(Unreadable, match="elements"):
        price([broken, fine], cdr("2025-06-02T08:00", [(*rows[0], "T2")]))
    with pytest.raises(Unreadable, match="elements"):
        price([broken], cdr("2025-06-02T08:00", rows))


def test_an_id_may_come_as_a_number():
    document = tariff(element(part("ENERGY", 1)), id=12)

    assert total([document], cdr("2025-06-02T08:00", [(60, {"ENERGY": 10}, 12)])) == "10.0000"


def test_one_tariff_that_is_not_in_force_is_used_with_a_note():
    """The CDR says that it was charged under it."""
    over = tariff(element(part("ENERGY", 1)), end_date_time="2024-01-01T00:00:00Z")

    priced = price([over], cdr("2025-06-02T08:00", [(60, {"ENERGY": 10})]))

    assert expected(priced)["total_cost"]["excl_vat"] == "10.0000"
    assert [note.code for note in priced.notes] == ["tariff_not_in_force"]


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "1970-1-1T00:00:00Z", None])
def test_a_start_and_end_that_are_not_known_leave_the_periods(moment):
    """CDR-16: the placeholder, in both spellings."""
    document = tariff(element(part("TIME", 6)))
    record = cdr("2025-06-02T08:00", [(60, {"TIME": 1})])

    assert (
        total([document], record | {"start_date_time": moment, "end_date_time": moment}) == "6.0000"
    )


@pytest.mark.parametrize(
    "moment",
    [
        "2025-06-02T15:30:00",
        "2025-06-02T15:30:00.000Z",
        "2025-06-02T15:30:00.0Z",
        "2025-06-02T17:30:00+02:00",
    ],
)
def test_every_way_to_write_a_moment_is_understood(moment):
    record = cdr("2025-06-02T15:30", [(60, {"ENERGY": 9})])
    record["charging_periods"][0]["start_date_time"] = moment

    # 90 minutes of 16:30 to 18:00 in summer time of Lisbon, half an hour of it before 17:00.
    assert total([EVENING], record, time_zone="Europe/Lisbon") == "3.6000"


def test_instants_with_milliseconds_are_exact():
    """17:00 is reached after 0.5 of 1.5 seconds."""
    record = cdr("2025-06-02T16:59", [(60, {"ENERGY": 3})])
    record["charging_periods"][0]["start_date_time"] = "2025-06-02T16:59:59.500Z"
    record["end_date_time"] = "2025-06-02T17:00:01Z"

    assert total([EVENING], record, time_zone="UTC") == "1.4000"
