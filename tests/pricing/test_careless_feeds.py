"""What real feeds get slightly wrong and what they leave out: read as it was meant, or refused.

The document is always the same: 10 kWh in the hour from 10:00 to 11:00 on a Monday in Amsterdam, at
1.00 where the restrictions under test apply, and at 2.00 elsewhere.
"""

import copy

import pytest

from hub.roaming.pricing.answers import answer
from tests.pricing.documents import cdr, element, part, tariff

HOUR = cdr("2025-06-02T10:00", [(60, {"ENERGY": 10})], zone="Europe/Amsterdam")


def asked(tariffs, record=HOUR, **line):
    line = {"ocpi_version": "2.2.1", "time_zone": "Europe/Amsterdam", "cdr": record} | line
    return answer(line | {"tariffs": tariffs})


def cost(*arguments, **line):
    found = asked(*arguments, **line)
    assert "error" not in found, found
    return found["expected"]["total_cost"]["excl_vat"]


@pytest.mark.parametrize(
    ("restrictions", "excl"),
    [
        (None, "10.0000"),
        ({}, "10.0000"),
        (
            {"day_of_week": None, "start_time": None, "min_kwh": None, "reservation": None},
            "10.0000",
        ),
        ({"day_of_week": []}, "10.0000"),
        ({"day_of_week": "MONDAY"}, "10.0000"),
        ({"day_of_week": ["monday"]}, "10.0000"),
        ({"day_of_week": ["TUESDAY"]}, "20.0000"),
        ({"start_time": "9:00", "end_time": "11:00"}, "10.0000"),
        ({"start_time": "09:00:00", "end_time": "11:00:00"}, "10.0000"),
        ({"start_time": "09:00", "end_time": "24:00"}, "10.0000"),
        ({"start_time": "11:00", "end_time": "24:00"}, "20.0000"),
        ({"max_kwh": "5"}, "15.0000"),
        ({"max_kwh": 0}, "20.0000"),
        ({"min_kwh": 0}, "10.0000"),
        ({"max_duration": "1800"}, "15.0000"),
        ({"max_duration": 1800.0}, "15.0000"),
        ({"min_duration": 0}, "10.0000"),
    ],
)
def test_restrictions_as_feeds_write_them(restrictions, excl):
    first = {"price_components": [part("ENERGY", 1)], "restrictions": restrictions}

    assert cost([tariff(first, element(part("ENERGY", 2)))]) == excl


@pytest.mark.parametrize(
    "component",
    [
        {"type": "ENERGY", "price": "1.00", "step_size": "1", "vat": None},
        {"type": "ENERGY", "price": 1},
        {"type": "ENERGY", "price": 1, "step_size": None},
        {"type": "ENERGY", "price": 1.0, "step_size": 1.0, "name": "day", "price_incl_vat": 1.2},
    ],
)
def test_components_as_feeds_write_them(component):
    assert cost([tariff(element(component), tariff_alt_text=None, min_price=None)]) == "10.0000"


def test_an_element_of_nothing_is_passed_over():
    assert cost([tariff({"price_components": []}, element(part("ENERGY", 1)))]) == "10.0000"


def test_one_tariff_may_come_without_a_list_around_it():
    assert cost(tariff(element(part("ENERGY", 1)))) == "10.0000"
    assert cost(None, HOUR | {"tariffs": [tariff(element(part("ENERGY", 1)))]}) == "10.0000"


@pytest.mark.parametrize(
    "changes",
    [
        {"end_date_time": "2025-06-02T11:00:00+02:00"},
        {"end_date_time": "2025-06-02T09:00:00.000Z"},
        {"end_date_time": "2025-06-02T09:00:00"},
        {"end_date_time": None},
        {"start_date_time": None},
        {"start_date_time": "1970-1-1T00:00:00Z"},
        {"tariffs": None, "signed_data": None, "credit": None, "total_parking_time": None},
        {"home_charging_compensation": True, "x_meter": {"serial": 5}},
    ],
)
def test_cdrs_as_cpos_write_them(changes):
    assert cost([tariff(element(part("ENERGY", 1)))], HOUR | changes) == "10.0000"


@pytest.mark.parametrize(
    ("start", "until"),
    [
        ("9999-12-31T23:00:00Z", "9999-12-31T23:59:59Z"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z"),
    ],
)
def test_a_session_may_lie_beyond_the_calendar(start, until):
    record = cdr("2025-06-02T10:00", [(0, {"TIME": 5})])
    record["start_date_time"] = record["end_date_time"] = start
    record["charging_periods"][0]["start_date_time"] = start

    found = asked([tariff(element(part("TIME", 1)))], record)

    assert found["expected"]["total_cost"]["excl_vat"] == "5.0000"
    assert found["explanation"][0]["to"] == until


def test_a_period_may_hold_nothing():
    record = copy.deepcopy(HOUR)
    record["charging_periods"][0]["dimensions"] = None

    assert cost([tariff(element(part("FLAT", 3)))], record) == "3.0000"


def test_a_driver_who_pays_at_the_station_has_a_tariff_of_that_type():
    """PRICE-02: the token tells, where the period does not name its tariff."""
    tariffs = [
        tariff(element(part("ENERGY", 1)), id="CARD", type="REGULAR"),
        tariff(element(part("ENERGY", 2)), id="CASH", type="AD_HOC_PAYMENT"),
    ]

    assert cost(tariffs) == "10.0000"
    assert cost(tariffs, HOUR | {"cdr_token": {"type": "AD_HOC_USER"}}) == "20.0000"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"ocpi_version": "9.9"}, "OCPI version '9.9' is not known."),
        ({"ocpi_version": 221}, "ocpi_version is not a text."),
        ({"time_zone": "Mars/Base"}, "'Mars/Base' is not a time zone."),
        ({"time_zone": "../../etc/passwd"}, "'../../etc/passwd' is not a time zone."),
        ({"time_zone": 2}, "time_zone is not a text."),
    ],
)
def test_what_cannot_be_meant_is_refused(line, said):
    assert asked([tariff(element(part("ENERGY", 1)))], **line) == {"error": said}


def test_a_release_of_a_version_is_that_version():
    assert cost([tariff(element(part("ENERGY", 1)))], ocpi_version="2.2.1-d2") == "10.0000"
