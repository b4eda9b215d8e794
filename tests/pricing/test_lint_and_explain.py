"""What is said about tariffs: findings, and plain English."""

import json

import pytest

from hub.roaming.pricing.english import explain
from hub.roaming.pricing.findings import Level
from hub.roaming.pricing.lint import lint
from tests.pricing.documents import ROOT, SHARED, element, part, tariff

RULES = ROOT / "tests" / "data" / "tariffs"
GOLDEN = sorted(RULES.glob("*/explain.txt"))
REAL = SHARED / "ocpi-data" / "tariffs.json"

needs_data = pytest.mark.skipif(not REAL.is_file(), reason="real tariffs are not here (../shared)")

ENERGY = part("ENERGY", 0.3, 1, 21)
CHEAP = part("ENERGY", 0.1, 1, 21)


def codes(*elements, **fields):
    return [(item.code, item.element) for item in lint(tariff(*elements, **fields))]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.parent.name)
def test_a_tariff_in_plain_english(path):
    document = json.loads(path.with_name("tariff.json").read_text())

    assert explain(document) == path.read_text()


def test_there_are_enough_golden_texts():
    assert len(GOLDEN) > 20


def test_a_good_tariff_gives_no_cause_for_complaint():
    assert lint(tariff(element(CHEAP, start_time="22:00", end_time="06:00"), element(ENERGY))) == []
    assert lint(tariff(element(part("FLAT", 0, 0)))) == []


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        # Nothing comes through an element without restrictions,
        ([element(ENERGY), element(CHEAP, max_kwh=5)], [("unreachable", 2)]),
        ([element(ENERGY), element(CHEAP)], [("unreachable", 2)]),
        # nor through one with weaker ones,
        (
            [
                element(CHEAP, max_kwh=10),
                element(part("ENERGY", 2, 1, 21), max_kwh=5),
                element(ENERGY),
            ],
            [("unreachable", 2)],
        ),
        # nor through several that leave no gap.
        (
            [element(CHEAP, end_time="12:00"), element(CHEAP, start_time="12:00"), element(ENERGY)],
            [("unreachable", 3)],
        ),
        (
            [
                element(CHEAP, day_of_week=["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY"]),
                element(CHEAP, day_of_week=["FRIDAY", "SATURDAY", "SUNDAY"]),
                element(ENERGY),
            ],
            [("unreachable", 3)],
        ),
        # Another dimension is another matter, and so is a reservation.
        ([element(ENERGY), element(part("TIME", 1, 1, 21))], []),
        (
            [
                element(part("TIME", 1, 1, 21)),
                element(part("TIME", 2, 1, 21), reservation="RESERVATION"),
            ],
            [],
        ),
        (
            [
                element(part("TIME", 4, 1, 21), reservation="RESERVATION_EXPIRES"),
                element(part("TIME", 2, 1, 21), reservation="RESERVATION"),
            ],
            [],
        ),
        ([element(part("TIME", 2, 1, 21), booking="BOOKING_OVERTIME")], []),
    ],
)
def test_elements_that_never_apply_are_found(elements, expected):
    assert codes(*elements) == expected


def test_a_fallback_that_is_never_needed_is_no_error():
    """PRICE-16 advises to have one in any case; a second one is a mistake."""
    halves = [element(CHEAP, end_time="12:00"), element(CHEAP, start_time="12:00")]

    levels = [item.level for item in lint(tariff(*halves, element(ENERGY), element(ENERGY)))]

    assert levels == [Level.ADVICE, Level.ERROR]


def test_a_fallback_behind_all_powers_serves_the_unmeasured():
    """PRICE-15."""
    parts = [element(CHEAP, max_power=22), element(ENERGY, min_power=22), element(ENERGY)]

    assert codes(*parts) == [("only_unmeasured", 3)]


def test_times_without_a_price_are_pointed_out():
    """PRICE-16 advises an element without restrictions at the end."""
    [finding] = lint(tariff(element(ENERGY, start_time="06:00", day_of_week=["MONDAY"])))

    assert (finding.level, finding.code) == (Level.ADVICE, "no_fallback")
    assert finding.text.endswith("for example on a Thursday, at 00:00.")


@pytest.mark.parametrize(
    ("restrictions", "place"),
    [
        ({"min_kwh": 5}, "after 0 kWh"),
        ({"min_duration": 60}, "after 0 s"),
        ({"min_power": 11}, "at 0 kW"),
        ({"max_current": 16}, "at 16 A"),
        ({"start_date": "2025-06-02"}, "2025-06-01"),
    ],
)
def test_the_example_of_a_gap_says_what_it_depends_on(restrictions, place):
    [finding] = lint(tariff(element(ENERGY, **restrictions)))

    assert place in finding.text


@pytest.mark.parametrize(
    ("restrictions", "code"),
    [
        ({"min_kwh": 5, "max_kwh": 5}, "never_matches"),
        ({"min_duration": 60, "max_duration": 30}, "never_matches"),
        ({"start_date": "2026-06-07", "end_date": "2026-06-07"}, "never_matches"),
        ({"min_power": 50, "max_power": 22}, "never_matches"),
        ({"min_current": 32, "max_current": 32}, "never_matches"),
        ({"end_time": "23:59"}, "last_minute"),
        ({"start_time": "07:00", "end_time": "20:59"}, "last_minute"),
        ({"start_time": "08:00", "end_time": "08:00"}, "same_times"),
        ({"start_time": "22:00", "end_time": "06:00", "day_of_week": ["FRIDAY"]}, "night_and_days"),
        ({"moon": "FULL"}, "unknown_restriction"),
    ],
)
def test_restrictions_that_do_not_mean_what_they_seem_are_found(restrictions, code):
    assert codes(element(CHEAP, **restrictions), element(ENERGY))[0] == (code, 1)


def test_an_exclusive_end_date_is_explained():
    """As seen in real feeds: the same date twice, meaning one day."""
    document = tariff(element(ENERGY, start_date="2026-06-07", end_date="2026-06-07"))

    assert "first day on which the element no longer applies" in lint(document)[0].text


@pytest.mark.parametrize(
    ("component", "code"),
    [
        (part("ENERGY", -0.3, 1, 21), "negative_price"),
        (part("ENERGY", 0.3, 1, 0.21), "vat_is_a_fraction"),
        (part("ENERGY", 0.3, 1, 100), "bad_vat"),
        (part("ENERGY", 0.3, 1, -1), "bad_vat"),
        (part("ENERGY", 0.3, 500, 21), "step_size"),
        (part("ENERGY", 0.3, 501, 21), "step_size"),
    ],
)
def test_odd_components_are_found(component, code):
    assert codes(element(component)) == [(code, 1)]


def test_a_long_step_is_worse_than_a_short_one():
    """TAR-10."""
    short, long = (lint(tariff(element(part("TIME", 1, step, 21))))[0].level for step in (900, 901))

    assert (short, long) == (Level.ADVICE, Level.WARNING)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ([element()], [("no_components", 1)]),
        ([element(ENERGY, CHEAP)], [("second_component", 1)]),
        (
            [element(part("ENERGY", 1, 1, 21), reservation="RESERVATION"), element(ENERGY)],
            [("not_for_reservations", 1)],
        ),
        ([element(ENERGY, part("FLAT", 1))], [("vat_mixed", None)]),
        ([element(ENERGY, part("FLAT", 0, 0))], []),
        (
            [element(part("FLAT", 1, 1, 21), start_time="18:00"), element(part("FLAT", 2, 1, 21))],
            [("several_fees", None)],
        ),
        (
            [element(part("FLAT", 0, 1, 21), start_time="18:00"), element(part("FLAT", 2, 1, 21))],
            [],
        ),
    ],
)
def test_odd_elements_are_found(elements, expected):
    assert codes(*elements) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"party_id": None}, ["missing_field"]),
        ({"party_id": None, "country_code": None, "id": None}, ["missing_field"]),
        ({"currency": "EURO"}, ["bad_currency"]),
        ({"type": "profile_fast"}, []),
        ({"type": "BUSINESS"}, ["unknown_type"]),
        (
            {"start_date_time": "2025-01-01T00:00:00Z", "end_date_time": "2025-01-01T00:00:00Z"},
            ["never_in_force"],
        ),
        ({"min_price": {"excl_vat": 5}, "max_price": {"excl_vat": 4}}, ["limits_crossed"]),
        ({"min_price": {"incl_vat": 5}, "max_price": {"incl_vat": 4}}, None),
        ({"max_price": {"incl_vat": 5}}, ["limit_without_net"]),
        ({"max_price": {"excl_vat": 5, "incl_vat": 4}}, ["limit_below_net"]),
        ({"max_price": {"before_taxes": 5}}, ["tax_included_missing"]),
        ({"tax_included": "N/A"}, ["vat_without_tax"]),
        ({"tax_included": "YES"}, []),
        (
            {"tariff_alt_text": [{"language": "de", "text": "Nur 0,30 je kWh!"}]},
            ["text_repeats_prices"],
        ),
        ({"tariff_alt_text": [{"language": "de", "text": "Auch am 1.1. offen"}]}, []),
        ({"tariff_alt_text": 5}, []),
        ({"elements": []}, ["unreadable"]),
    ],
)
def test_odd_tariffs_are_found(fields, expected):
    """TAR-04 among them: the text beside the elements repeats their prices."""
    found = [item.code for item in lint(tariff(element(ENERGY)) | fields)]

    if expected is None:
        expected = ["limits_crossed", "limit_without_net", "limit_without_net"]
    assert found == expected


def test_2_3_0_asks_for_tax_included():
    document = tariff(element(ENERGY))

    assert lint(document, ocpi_version="2.2.1") == []
    assert [item.code for item in lint(document, ocpi_version="2.3.0")] == ["tax_included_missing"]


def test_a_tariff_of_2_1_1_names_no_owner():
    document = tariff(element(ENERGY), party_id=None, country_code=None)

    assert lint(document) == lint(document, ocpi_version="2.1.1") == []
    assert len(lint(document, ocpi_version="2.2.1")) == 2


def test_gross_prices_should_say_their_tax():
    document = tariff(element(part("ENERGY", 0.3)), tax_included="YES")

    assert [item.code for item in lint(document)] == ["gross_without_rate"]


def test_a_tariff_with_too_many_cases_is_not_walked_through():
    """Every axis at once: what can be said about the elements one by one is still said."""
    mixed = [
        element(
            part("ENERGY", 0.1 + number / 100, 1, 21),
            min_kwh=number,
            min_duration=number * 60,
            min_power=number,
            min_current=number,
            start_time=f"{number:02d}:00",
        )
        for number in range(1, 15)
    ]

    assert codes(*mixed, element(CHEAP, min_kwh=5, max_kwh=4)) == [("never_matches", 15)]


def english(*elements, **fields):
    """What is said beside the heading."""
    return explain(tariff(*elements, **fields)).splitlines()[1:]


def test_an_element_that_never_applies_is_not_worth_a_drivers_time():
    never = element(CHEAP, start_date="2025-06-02", end_date="2025-06-02")

    assert english(never, element(ENERGY)) == english(element(ENERGY))
    assert english(never)[-1] == "Energy: free."


def test_prices_that_are_the_same_at_all_times_are_said_once():
    day = element(ENERGY, part("FLAT", 0), start_time="08:00", end_time="22:00")
    same = element(ENERGY, part("FLAT", 0))

    assert english(day, same)[1:] == [
        "Start fee: free.",
        "Energy: 0.30 EUR per kWh plus 21% VAT = 0.363.",
    ]
    assert english(element(part("TIME", 0), start_time="08:00"))[-1] == "Charging time: free."
    # Two fees are not one, even if they are the same: a session may pay both.
    fees = english(element(part("FLAT", 1), start_time="08:00"), element(part("FLAT", 1)))
    assert fees[1:] == [
        "Fees, each charged once, when it first comes to apply:",
        "  - from 08:00: 1.00 EUR",
        "  - otherwise: 1.00 EUR",
    ]


@pytest.mark.parametrize(
    ("elements", "fields", "said"),
    [
        ([element(part("ENERGY", 0.3))], {}, "Prices do not include taxes. Which ones apply"),
        ([element(ENERGY)], {}, "Prices do not include taxes."),
        ([element(ENERGY)], {"tax_included": "YES"}, "Prices include taxes."),
        ([element(part("ENERGY", 0.3))], {"tax_included": "N/A"}, "No taxes apply."),
        # Of nothing there is nothing to say.
        ([element(part("FLAT", 0, 0))], {}, "Start fee: free."),
    ],
)
def test_what_is_said_about_taxes(elements, fields, said):
    assert english(*elements, **fields)[0].startswith(said)


def test_a_price_without_vat_among_others_is_said_to_be_so():
    assert english(element(ENERGY), element(part("TIME", 1)))[1:] == [
        "Energy: 0.30 EUR per kWh plus 21% VAT = 0.363.",
        "Charging time: 1.00 EUR per hour without VAT.",
    ]


@pytest.mark.parametrize(
    ("restrictions", "said"),
    [
        # The night of a Friday is two nights: no driver may be left to guess which.
        (
            {"start_time": "22:00", "end_time": "06:00", "day_of_week": ["FRIDAY"]},
            "on Fridays, before 06:00 and from 22:00",
        ),
        ({"start_time": "22:00", "end_time": "06:00"}, "from 22:00 to 06:00"),
        ({"start_date": "2025-06-02", "end_date": "2025-06-03"}, "on 2 June 2025"),
        ({"start_date": "2025-06-02", "end_date": "2025-06-04"}, "from 2 June 2025 to 3 June 2025"),
        ({"end_date": "2025-06-04"}, "up to 3 June 2025"),
        ({"min_power": 0, "max_power": 22}, "below 22 kW"),
        (
            {"day_of_week": ["SUNDAY"], "start_date": "2025-06-02", "start_time": "12:00"},
            "from 2 June 2025, on Sundays, from 12:00",
        ),
    ],
)
def test_when_an_element_applies(restrictions, said):
    [line] = [text for text in english(element(CHEAP, **restrictions)) if "0.10" in text]

    assert line.startswith(f"  - {said}: ")


def test_what_nobody_can_meet_is_not_told():
    """Where the elements leave no gap there is no other case; limits are told without zeros."""
    below, above = element(CHEAP, max_power=32.00), element(ENERGY, min_power=32.00)

    assert english(below, above)[1:] == [
        "Energy, the first of these that applies:",
        "  - below 32 kW: 0.10 EUR per kWh plus 21% VAT = 0.121",
        "  - at 32 kW and more: 0.30 EUR per kWh plus 21% VAT = 0.363",
    ]
    assert english(below)[-1] == "  - otherwise: nothing"


def test_a_reservation_that_costs_the_same_whatever_becomes_of_it():
    reserved = element(part("TIME", 2, 1, 21), reservation="RESERVATION")
    expired = element(part("TIME", 4, 1, 21), reservation="RESERVATION_EXPIRES")

    assert english(reserved)[1:] == [
        "A reservation, used or not:",
        "  - time: 2.00 EUR per hour plus 21% VAT = 2.42",
    ]
    assert english(reserved, expired)[1::2] == [
        "A reservation that is used:",
        "A reservation that expires:",
    ]


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ([element(part("ENERGY", 1, 500))], "energy"),
        ([element(part("TIME", 1, 60))], "charging time"),
        ([element(part("PARKING_TIME", 1, 60))], "parking time"),
        (
            [element(part("TIME", 1, 60), part("PARKING_TIME", 1), part("ENERGY", 1, 10))],
            "energy and charging or parking time (whichever comes last)",
        ),
        ([element(part("TIME", 1, 60), reservation="RESERVATION")], "reserved time"),
        # Of nothing, and of a fee, there are no steps.
        ([element(part("TIME", 0, 60), part("FLAT", 1, 60))], None),
    ],
)
def test_what_is_rounded_up_together(elements, said):
    """PRICE-31, PRICE-34, PRICE-35."""
    last = english(*elements)[-1]

    if said is None:
        assert "Rounded" not in last
    else:
        assert last == f"Rounded up to full steps once per session, at its end: {said}."


@pytest.mark.parametrize(
    ("tariff_type", "said"),
    [
        (None, "for every session"),
        ("regular", "for charging with a card or app, without a preference"),
        ("AD_HOC_PAYMENT", "for paying at the charging station"),
        ("BUSINESS", "for sessions of the type BUSINESS"),
    ],
)
def test_whom_a_tariff_is_for(tariff_type, said):
    """TAR-06."""
    text = explain(tariff(element(ENERGY), type=tariff_type))

    assert text.splitlines()[0] == f"Tariff T1 of NL*ONE, in EUR, {said}."


def test_the_validity_is_told_to_the_minute():
    assert english(element(ENERGY), start_date_time="2026-05-28T22:00:00Z")[1] == (
        "Valid from 28 May 2026 22:00 UTC."
    )


@needs_data
def test_all_real_tariffs_can_be_read_linted_and_explained():
    documents = json.loads(REAL.read_text())
    findings = [finding for document in documents for finding in lint(document)]

    assert len(documents) > 400
    assert not [finding for finding in findings if finding.code == "unreadable"]
    assert {"never_matches", "last_minute", "unreachable"} <= {item.code for item in findings}
    assert all(explain(document).startswith("Tariff ") for document in documents)
