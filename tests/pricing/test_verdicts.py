"""Is a CDR right? The verdicts that the folders of worked cases do not show."""

from decimal import Decimal

import pytest

from hub.roaming.pricing.answers import report
from hub.roaming.pricing.check import Outcome, check
from hub.roaming.pricing.faults import Context
from tests.pricing.documents import cdr, element, part, session, tariff

SIMPLE = tariff(element(part("ENERGY", 0.3, 1, 20)))
RIGHT = {"total_cost": {"excl_vat": 3, "incl_vat": 3.6}, "total_energy": 10, "total_time": 1}
HOUR = [(60, {"TIME": 1, "ENERGY": 10})]


def claim(rows=HOUR, **fields):
    return cdr("2025-06-02T08:00", rows, **(RIGHT | fields))


def outcome(record, tariffs=(SIMPLE,), **options):
    return check(record, tariffs, **options).outcome


def test_a_right_cdr_is_ok():
    verdict = check(claim(), [SIMPLE])

    assert verdict.outcome is Outcome.OK
    assert (verdict.names, verdict.flags, verdict.reasons) == ([], [], ())


def test_the_tolerance_is_for_money_only():
    """A cent by default; a Wh is never forgiven."""
    off = {"total_cost": {"excl_vat": 3.01, "incl_vat": 3.61}}

    assert outcome(claim(**off)) is Outcome.OK
    assert outcome(claim(**off), tolerance=Decimal("0.009")) is Outcome.DIFFERS
    assert outcome(claim(total_cost={"excl_vat": 3.0101, "incl_vat": 3.6})) is Outcome.DIFFERS
    assert outcome(claim(total_cost={"excl_vat": 2.99, "incl_vat": 3.59})) is Outcome.OK
    assert outcome(claim(total_energy=10.0001), tolerance=Decimal(5)) is Outcome.DIFFERS


def test_a_currency_without_cents_may_be_off_by_its_smallest_unit():
    """100 yen and 40 sen cannot be paid."""
    yen = tariff(element(part("ENERGY", 10.04)), currency="JPY")
    record = claim(currency="JPY", total_cost={"excl_vat": 101})

    assert outcome(record, [yen]) is Outcome.OK
    assert outcome(claim(total_cost={"excl_vat": 3.6})) is Outcome.DIFFERS


def test_each_side_of_a_price_is_compared():
    verdict = check(claim(total_cost={"excl_vat": 4, "incl_vat": 3}), [SIMPLE])

    found = [(item.name, item.side, float(item.difference)) for item in verdict.mismatches]
    assert found == [("total_cost", "excl_vat", 1), ("total_cost", "incl_vat", -0.6)]
    assert verdict.names == ["total_cost"]


def test_a_price_of_2_3_0_is_compared_with_its_taxes():
    taxes = [{"name": "VAT", "percentage": 20, "amount": 0.6}]

    def cost(**fields):
        return claim(total_cost={"before_taxes": 3} | fields)

    assert outcome(cost(taxes=taxes)) is Outcome.OK
    assert outcome(cost()) is Outcome.OK
    assert outcome(cost(taxes=None)) is Outcome.OK
    assert outcome(cost(taxes=[])) is Outcome.DIFFERS
    assert outcome(cost(taxes=[*taxes, {"name": "City", "amount": 0.5}])) is Outcome.DIFFERS


def test_a_2_1_1_total_is_a_number_before_vat():
    assert outcome(claim(total_cost=3), ocpi_version="2.1.1") is Outcome.OK
    assert outcome(claim(total_cost=3.6), ocpi_version="2.1.1") is Outcome.DIFFERS


def test_a_part_that_nothing_prices_must_be_nothing():
    assert outcome(claim(total_parking_cost={"excl_vat": 0, "incl_vat": 0})) is Outcome.OK
    assert outcome(claim(total_parking_cost={"excl_vat": 1})) is Outcome.DIFFERS


def test_parts_that_are_not_claimed_are_not_missed():
    assert outcome(claim(total_energy_cost=None, total_time_cost=None)) is Outcome.OK


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (1, Outcome.OK),
        (1.0003, Outcome.DIFFERS),
        (1.0004, Outcome.DIFFERS),
        (0.99, Outcome.DIFFERS),
    ],
)
def test_the_total_time_is_exact_to_the_second(hours, expected):
    assert outcome(claim(total_time=hours)) is expected


def test_a_total_time_with_three_decimals_is_as_good_as_it_can_be():
    """42:42 are 0.71167 h; 0.712 is 1.2 seconds off and right, 0.713 is not."""
    rows = [(42.7, {"TIME": 0.7117, "ENERGY": 10})]

    assert outcome(claim(rows, total_time=0.712)) is Outcome.OK
    assert outcome(claim(rows, total_time=0.713)) is Outcome.DIFFERS


def test_a_period_that_states_no_time_counts_with_its_length():
    rows = [(60, {"ENERGY": 10})]

    assert outcome(claim(rows, total_time=1)) is Outcome.OK
    assert outcome(claim(rows, total_time=2)) is Outcome.DIFFERS


def test_reserved_time_may_be_part_of_the_total_or_not():
    """The text does not say."""
    rows = [(30, {"RESERVATION_TIME": 0.5}), *HOUR]

    assert outcome(claim(rows, total_time=1)) is Outcome.OK
    assert outcome(claim(rows, total_time=1.5)) is Outcome.OK
    assert outcome(claim(rows, total_time=0.5)) is Outcome.DIFFERS


def test_energy_that_no_period_states_cannot_be_summed():
    record = claim([(60, {"TIME": 1})])

    assert outcome(record) is Outcome.OK


def test_what_the_cdr_does_not_say_is_no_proof():
    """PRICE-15: the power decides the price, and is not stated."""
    document = tariff(element(part("ENERGY", 0.5), min_power=50), element(part("ENERGY", 0.3)))

    verdict = check(claim(total_cost={"excl_vat": 5}), [document])

    assert verdict.outcome is Outcome.CANNOT_TELL
    assert verdict.names == ["total_cost"]
    assert "power" in verdict.reasons[0]
    # Where the sums agree all the same, nothing is left to doubt.
    assert outcome(claim(total_cost={"excl_vat": 3}), [document]) is Outcome.OK


@pytest.mark.parametrize(
    ("energy", "cost", "expected"),
    [
        # 60 kWh in an hour are 60 kW, if the period was split as it should be,
        (60, 30, Outcome.OK),
        # and 40 kWh are 40 kW,
        (40, 12, Outcome.OK),
        # which is why this is none of both, though the CPO may know better.
        (40, 20, Outcome.CANNOT_TELL),
    ],
)
def test_a_sum_that_agrees_with_the_average_power_is_right(energy, cost, expected):
    """PRICE-15: the price is that of an unknown power, but nobody is suspected for knowing it."""
    document = tariff(element(part("ENERGY", 0.5), min_power=50), element(part("ENERGY", 0.3)))
    rows = [(60, {"ENERGY": energy, "TIME": 1})]

    verdict = check(claim(rows, total_energy=energy, total_cost={"excl_vat": cost}), [document])

    assert verdict.outcome is expected
    assert [note.doubtful for note in verdict.notes] == [True]


def test_a_total_time_by_the_clock_is_right_though_a_gap_was_left():
    """The duration of the session is an hour, even if only half of it was accounted for."""
    record = claim([(60, {"TIME": 0.5, "ENERGY": 10})], total_time=1)

    assert (outcome(record), flags(record)) == (Outcome.OK, ["gap"])
    assert outcome(record | {"total_time": 0.5}) is Outcome.OK
    assert outcome(record | {"total_time": 0.75}) is Outcome.DIFFERS


def test_time_that_is_not_stated_may_have_been_billed():
    document = tariff(element(part("ENERGY", 0.3), part("TIME", 1)))
    record = claim([(60, {"ENERGY": 10})], total_cost={"excl_vat": 4})

    verdict = check(record, [document])

    assert verdict.outcome is Outcome.CANNOT_TELL
    assert "time" in verdict.reasons[0]


def test_energy_that_does_not_add_up_differs_whatever_is_unknown():
    document = tariff(element(part("ENERGY", 0.5), min_power=50), element(part("ENERGY", 0.3)))

    assert outcome(claim(total_cost={"excl_vat": 5}, total_energy=9), [document]) is Outcome.DIFFERS


def test_without_a_price_nobody_can_tell():
    assert check(claim(), []).outcome is Outcome.CANNOT_TELL
    assert check(claim(), []).reasons == ("There is no tariff.",)
    assert check("nonsense", [SIMPLE]).outcome is Outcome.CANNOT_TELL
    assert check(claim(total_cost="dear"), [SIMPLE]).outcome is Outcome.CANNOT_TELL
    assert outcome(claim(total_cost=None)) is Outcome.CANNOT_TELL


def test_gross_prices_cannot_be_held_against_a_net_claim():
    """PRICE-42: without the rate there is no net price to compare with."""
    document = tariff(element(part("ENERGY", 0.36)), tax_included="YES")

    net, gross = (
        outcome(claim(total_cost=cost), [document])
        for cost in ({"before_taxes": 3}, {"before_taxes": 3, "taxes": [{"amount": 0.6}]})
    )

    assert (net, gross) == (Outcome.CANNOT_TELL, Outcome.OK)


def test_another_currency_cannot_be_compared():
    verdict = check(claim(currency="SEK"), [SIMPLE])

    assert (verdict.outcome, verdict.flags) == (Outcome.CANNOT_TELL, ["currency_mismatch"])


def test_a_credit_cdr_takes_back_what_was_billed():
    """CDR-06: negative, and only there."""
    credit = {"credit": True, "credit_reference_id": "CDR0", "id": "CDR0-C"}

    assert outcome(claim(total_cost={"excl_vat": -3, "incl_vat": -3.6}, **credit)) is Outcome.OK
    assert outcome(claim(**credit)) is Outcome.DIFFERS


def test_a_session_can_be_checked_too():
    record = session("2025-06-02T08:00", HOUR, kwh=10, total_cost={"excl_vat": 3})

    assert outcome(record) is Outcome.OK
    assert check(record | {"kwh": 11}, [SIMPLE]).names == ["kwh"]


def flags(record, tariffs=(SIMPLE,), **known):
    return check(record, tariffs, context=Context(**known)).flags


@pytest.mark.parametrize(
    ("connector", "beyond"),
    [
        ({"max_electric_power": 10_000}, False),
        ({"max_electric_power": 9_000}, True),
        ({"max_voltage": 230, "max_amperage": 16, "power_type": "AC_3_PHASE"}, False),
        ({"max_voltage": 230, "max_amperage": 16, "power_type": "AC_2_PHASE"}, True),
        ({"max_voltage": 230, "max_amperage": 16, "power_type": "AC_1_PHASE"}, True),
        ({"voltage": 400, "amperage": 125, "power_type": "DC"}, False),
        ({}, False),
    ],
)
def test_energy_is_limited_by_the_connector(connector, beyond):
    """10 kWh in an hour."""
    assert flags(claim(), connector=connector) == (["energy_beyond_power"] if beyond else [])


def test_without_a_connector_only_the_absurd_is_certain():
    """Three phases never carry more than 75 kW, type 2 no more than 46, no usual plug 2 MW."""
    place = {"connector_power_type": "AC_3_PHASE", "connector_standard": "IEC_60309_2_three_64"}
    type_2 = place | {"connector_standard": "IEC_62196_T2"}
    direct = place | {"connector_power_type": "DC"}
    little, much = [(60, {"ENERGY": 75})], [(60, {"ENERGY": 2200})]

    assert flags(claim(little, cdr_location=place)) == []
    assert flags(claim(little, cdr_location=type_2)) == ["energy_beyond_power"]
    assert flags(claim([(60, {"ENERGY": 46})], cdr_location=type_2)) == []
    one_phase = place | {"connector_power_type": "AC_1_PHASE"}
    assert flags(claim(little, cdr_location=one_phase)) == ["energy_beyond_power"]
    assert flags(claim(much, cdr_location=place)) == ["energy_beyond_power"]
    assert flags(claim(much, cdr_location=place | {"evse_uid": "#NA"})) == []
    assert flags(claim(much, cdr_location=direct)) == ["energy_beyond_power"]
    assert flags(claim(much, cdr_location=direct | {"connector_standard": "MCS"})) == []


def test_what_the_hub_knows_otherwise_may_be_broken():
    """It is no fault of the CDR."""
    broken = {"max_voltage": "high", "max_amperage": [], "max_electric_power": {}}

    assert flags(claim(), connector=broken, session={"kwh": "much"}) == []
    assert flags(twin(id="CDR1"), others=[twin(session_id=None, start_date_time=5)]) == []


def test_a_2_1_1_cdr_carries_its_connector():
    connector = {"voltage": 230, "amperage": 16, "power_type": "AC_1_PHASE"}
    place = {"evses": [{"connectors": [connector]}]}

    assert flags(claim(location=place)) == ["energy_beyond_power"]


def test_a_minute_more_or_less_is_no_gap():
    assert flags(claim([(61, {"TIME": 1, "ENERGY": 10})])) == []
    assert flags(claim([(62, {"TIME": 1, "ENERGY": 10})])) == ["gap"]
    assert flags(claim([(59, {"TIME": 1, "ENERGY": 10}), (60, {"TIME": 1})])) == []
    assert flags(claim([(58, {"TIME": 1, "ENERGY": 10}), (60, {"TIME": 1})])) == ["overlap"]


def test_time_before_the_first_period_is_a_gap():
    assert flags(claim(start_date_time="2025-06-02T07:30:00Z")) == ["gap"]


def test_a_period_before_the_start_is_outside():
    assert flags(claim(start_date_time="2025-06-02T08:30:00Z")) == ["period_outside_session"]


def test_a_last_period_of_nothing_may_begin_at_the_end():
    """Some send one to mark it."""
    assert flags(claim([*HOUR, (0, {"ENERGY": 0})])) == []
    assert flags(claim([*HOUR, (0, {"ENERGY": 1})])) == ["period_outside_session"]


def test_a_period_that_goes_on_after_the_end_is_outside():
    rows = [(30, {"TIME": 1, "ENERGY": 10})]

    assert flags(claim(rows)) == ["period_outside_session"]


def test_a_period_whose_power_crosses_a_limit_should_have_been_two():
    """CDR-09."""
    document = tariff(element(part("ENERGY", 0.5), min_power=50), element(part("ENERGY", 0.3)))
    steady, crossing = (
        [(60, {"TIME": 1, "ENERGY": 10, "MIN_POWER": 5, "MAX_POWER": most})] for most in (40, 60)
    )

    assert flags(claim(steady), [document]) == []
    assert flags(claim(crossing), [document]) == ["unsplit_period"]


def test_a_period_that_crosses_a_limit_nothing_depends_on_is_fine():
    """The price for parking changes at 17:00, and nobody parked."""
    document = tariff(
        element(part("PARKING_TIME", 5), start_time="17:00"), element(part("ENERGY", 0.3))
    )
    record = claim([(600, {"TIME": 10, "ENERGY": 10})])

    assert check(record, [document], time_zone="UTC").flags == []


@pytest.mark.parametrize(
    ("volumes", "is_falling"),
    [
        ({"ENERGY": -2}, True),
        ({"ENERGY": -2, "MIN_POWER": 1}, True),
        ({"ENERGY": -2, "MIN_POWER": -7}, False),
        ({"ENERGY": -2, "MIN_CURRENT": "-32"}, False),
        ({"ENERGY_IMPORT": 1, "ENERGY_EXPORT": 3}, False),
        ({"ENERGY": 2, "TIME": -1}, True),
        ({"ENERGY": 2, "MIN_POWER": "x"}, False),
    ],
)
def test_energy_may_fall_only_where_it_was_fed_back(volumes, is_falling):
    """Vehicle to grid: the text allows negative energy, current and power."""
    found = flags(claim([(60, {"ENERGY": 10}), (60, volumes)]))

    assert ("falling_totals" in found) is is_falling


def test_less_energy_than_the_session_had_is_falling():
    assert flags(claim(), session={"kwh": 10}) == []
    assert flags(claim(), session={"kwh": 10.1}) == ["falling_totals"]


def twin(**fields):
    token = {"country_code": "DE", "party_id": "TWO", "uid": "ABC"}
    place = {"evse_uid": "E1", "connector_power_type": "DC"}
    same = {"id": "CDR2", "session_id": "S2", "cdr_token": token, "cdr_location": place}
    return claim(**(same | fields))


@pytest.mark.parametrize(
    ("fields", "is_duplicate"),
    [
        ({}, True),
        ({"cdr_token": None}, True),
        ({"cdr_location": None}, True),
        ({"cdr_token": None, "cdr_location": None}, False),
        ({"cdr_token": None, "cdr_location": None, "session_id": "s1"}, True),
        (
            {"start_date_time": "2025-06-02T09:00:00Z", "end_date_time": "2025-06-02T10:00:00Z"},
            False,
        ),
        ({"id": "CDR1"}, False),
        ({"id": "CDR2-C", "credit": True, "credit_reference_id": "CDR2"}, False),
        ({"party_id": "TWO", "cdr_token": None}, False),
        ({"cdr_token": None, "cdr_location": {"evse_uid": "#NA"}}, False),
    ],
)
def test_charging_billed_twice_is_found(fields, is_duplicate):
    mine = twin(id="CDR1", session_id="S1")

    assert flags(mine, others=[twin(**fields)]) == (["duplicate_charging"] if is_duplicate else [])


def test_who_charges_next_charges_not_twice():
    mine = twin(id="CDR1", session_id="S1")
    begin, end = mine["start_date_time"], mine["end_date_time"]
    before = twin(start_date_time="2025-01-01T00:00:00Z", end_date_time=begin)
    after = twin(id="CDR3", start_date_time=end, end_date_time="2030-01-01T00:00:00Z")

    assert flags(mine, others=[before, after]) == []


def test_ids_are_those_of_their_owners_alone():
    """Another issuer's card of the same number, another CPO's session of the same id."""
    mine = twin(id="CDR1", session_id="S1")
    elsewhere = {"cdr_location": {"evse_uid": "E2"}, "party_id": "TWO", "session_id": "S1"}
    card = {"country_code": "DE", "party_id": "TRE", "uid": "ABC"}

    assert flags(mine, others=[twin(**elsewhere, cdr_token=card)]) == []
    assert flags(mine, others=[twin(**elsewhere)]) == ["duplicate_charging"]


def test_what_was_taken_back_does_not_hide_what_was_billed_twice():
    mine = twin(id="CDR1", session_id="S1")
    credit = twin(id="CDR2-C", credit=True, credit_reference_id="CDR2")

    assert flags(mine, others=[credit, twin()]) == []
    assert flags(mine, others=[credit, twin(), twin(id="CDR3")]) == ["duplicate_charging"]


@pytest.mark.parametrize(("contract", "is_duplicate"), [("c-1", True), ("C-2", False)])
def test_a_token_that_an_older_version_hid_is_known_by_the_contract(contract, is_duplicate):
    hidden = {"country_code": "DE", "party_id": "TWO", "uid": "#NA"}
    place = {"session_id": None, "cdr_location": {}}
    mine = claim(cdr_token=hidden | {"contract_id": "C-1"}, **place)
    other = twin(cdr_token=hidden | {"contract_id": contract}, **place)

    assert flags(mine, others=[other]) == (["duplicate_charging"] if is_duplicate else [])


def test_a_2_1_1_driver_is_known_by_the_contract():
    mine, other = (claim(id=name, auth_id="DE-TWO-C1") for name in ("CDR1", "CDR2"))

    assert flags(mine, others=[other]) == ["duplicate_charging"]


def test_the_report_holds_everything_that_was_found():
    found = report(check(claim(total_energy=11, currency="SEK"), [SIMPLE]))

    assert found["verdict"] == "differs"
    assert found["mismatches"] == [
        {
            "name": "total_energy",
            "side": "kWh",
            "claimed": "11.0000",
            "expected": "10.0000",
            "difference": "1.0000",
        }
    ]
    assert [fault["code"] for fault in found["faults"]] == ["currency_mismatch"]
    assert found["explanation"][0]["element"] == 1
    assert found["totals"]["total_energy"] == Decimal("10.0000")
    assert "expected" not in report(check(claim(), []))


BILLED = {"excl_vat": 4, "incl_vat": 4.8}
CREDIT = {"credit": True, "credit_reference_id": "CDR0", "id": "CDR0-C", "total_energy_cost": None}


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        ({"excl_vat": -4, "incl_vat": -4.8}, Outcome.OK),
        ({"excl_vat": -3, "incl_vat": -3.6}, Outcome.DIFFERS),
        ({"excl_vat": 4, "incl_vat": 4.8}, Outcome.DIFFERS),
    ],
)
def test_a_credit_must_take_back_what_was_billed_right_or_wrong(cost, expected):
    """CDR-06: 4.00 was billed for what costs 3.00; the parts keep their errors."""
    credit = claim(total_cost=cost, **CREDIT) | {"total_energy_cost": BILLED}
    known = Context(credited={"total_cost": BILLED}, credited_is_known=True)

    verdict = check(credit, [SIMPLE], ocpi_version="2.2.1", context=known)

    assert verdict.outcome is expected
    assert verdict.names == ([] if expected is Outcome.OK else ["total_cost"])


def test_a_credit_of_nothing_and_a_second_one_are_odd():
    other = {"country_code": "NL", "party_id": "ONE", "id": "CDR0-D", "credit": True}
    again = other | {"credit_reference_id": "cdr0"}
    credit = claim(**CREDIT)

    assert flags(credit, credited_is_known=False) == ["credits_unknown"]
    assert flags(credit, credited_is_known=True, others=[again]) == ["credited_twice"]
    assert flags(credit, others=[other | {"credit_reference_id": "CDR1"}]) == []


@pytest.mark.parametrize(
    ("fields", "is_outside"),
    [
        ({}, False),
        ({"start_date_time": "2025-06-02T08:02:00Z"}, True),
        ({"start_date_time": "2025-06-02T08:01:00Z"}, False),
        ({"end_date_time": "2025-06-02T08:58:00Z"}, True),
        ({"end_date_time": "2025-06-02T08:58:00Z", "status": "ACTIVE"}, False),
        ({"start_date_time": "whenever"}, False),
    ],
)
def test_a_cdr_lies_within_its_session(fields, is_outside):
    """What still runs may go on, and a minute is not worth a question."""
    known = {
        "status": "COMPLETED",
        "start_date_time": "2025-06-02T08:00:00Z",
        "end_date_time": "2025-06-02T09:00:00Z",
    }

    found = flags(claim(), session=known | fields)

    assert found == (["period_outside_session"] if is_outside else [])


@pytest.mark.parametrize(
    ("fields", "is_other"),
    [
        ({}, False),
        ({"id": "t1", "tariff_alt_text": [{"language": "en", "text": "Hello"}]}, False),
        ({"elements": [element(part("ENERGY", 0.29, 1, 20))]}, True),
        ({"max_price": {"before_taxes": 1}}, True),
        ({"currency": "SEK"}, True),
        ({"id": "T2", "elements": []}, False),
    ],
)
def test_a_tariff_that_was_published_otherwise_is_found(fields, is_other):
    record = claim(tariffs=[SIMPLE])

    found = flags(record, tariffs=[], published=[SIMPLE | fields])

    assert found == (["tariff_not_as_published"] if is_other else [])
