"""The specification's examples are accepted, and whatever breaks one of their rules is refused."""

import pytest

from hub.errors import InvalidRequest
from hub.ocpi.versions import VERSIONS
from tests.contract import specification
from tests.contract.mutations import mutations

specification.need(specification.EXAMPLES)

# 2.1.1 does not say what it takes to make its objects canonical: see test_translation_2_1_1.
COMPLETE = {number for number, version in VERSIONS.items() if not version.peer_to_peer}

# Examples that break the tables of their own version: the fields that must be named.
BROKEN = {
    "location_put_example_add_evse.json": {
        "connectors/0/power_type",
        "connectors/0/max_voltage",
        "connectors/0/max_amperage",
        "connectors/0/last_updated",
        "physical_reference",
    },
    "tariff_put_example.json": {"last_updated"},
    "booking_example.json": {
        "party_id",
        "booking_tokens/0/party_id",
        "booking_requests/0/booking_request/party_id",
        "booking_requests/0/booking_request/booking_location_id",
        "booking_requests/1/booking_request/party_id",
        "booking_requests/1/booking_request/booking_location_id",
    },
    "booking_location_example.json": {
        "booking_option/evse_position",
        "calendars/0/end_before",
        "calendars/0/available_timeslots/0/end_date_time",
        "calendars/1/end_before",
        "calendars/1/available_timeslots/0/end_date_time",
    },
    "booking_location_patch_example_calendar.json": {
        "available_timeslots/0/start_date_time",
        "available_timeslots/0/end_date_time",
    },
    "booking_location_patch_example_terms.json": {
        "booking_terms/supported_access_methods",
        "booking_terms/change_until_minutes",
        "booking_terms/cancel_until_minutes",
    },
    "payment_financial_advice_confirmation_create.json": {"total_costs/before_taxes"},
    "payment_financial_advice_confirmation_example_failure.json": {
        "total_costs/before_taxes",
    },
    "payment_financial_advice_confirmation_example_success.json": {"total_costs/before_taxes"},
    "payment_terminal_create_minimal.json": {"last_updated"},
    "payment_terminal_put_update.json": {"invoice_base_url"},
    "mod_cdrs__01_example_of_a_cdr.json": {"tariffs/0/elements/0/price_components/0/price"},
    "mod_locations__04_example_add_an_evse.json": {
        "connectors/0/power_type",
        "connectors/0/voltage",
        "connectors/0/amperage",
        "connectors/0/last_updated",
        "floor_level",
        "physical_reference",
        "last_updated",
    },
    "mod_tariffs__01_example_new_tariff_2_euro_per_hour.json": {"last_updated"},
}
# PATCH bodies whose only members are unknown to their class: nothing of them can be mutated.
STRANGE = {
    "booking_patch_example_evse_uid.json",
    "booking_request_patch_example_timeslot.json",
    "booking_request_patch_example_tokens.json",
}
ALL = [example for version in VERSIONS for example in specification.examples(version)]
VALID = [example for example in ALL if example.file not in BROKEN]


def refusal(example, body):
    with pytest.raises(InvalidRequest) as refused:
        VERSIONS[example.version].check(example.kind, body, partial=example.partial)
    return refused.value


def test_every_example_is_taken_for_what_it_is():
    files = {(version, path.name) for version in VERSIONS for path in specification.files(version)}

    assert {(example.version, example.file) for example in ALL} == files
    assert len(VALID) > 120


@pytest.mark.parametrize("example", VALID, ids=str)
def test_a_valid_example_is_accepted(example):
    VERSIONS[example.version].check(example.kind, example.body, partial=example.partial)


@pytest.mark.parametrize("example", [e for e in VALID if e.version in COMPLETE], ids=str)
def test_a_valid_example_is_accepted_and_stays_as_it_is(example):
    version = VERSIONS[example.version]

    canonical = version.read(example.kind, example.body, partial=example.partial)

    VERSIONS["2.3.0"].check(example.kind, canonical, partial=example.partial)
    body = version.downgrade(example.kind, canonical)
    if (example.version, example.file) == ("2.3.0", "cdr_example.json"):
        # The tariffs of this one lack tax_included, which is assumed (AMB-30).
        assert [tariff.pop("tax_included") for tariff in body["tariffs"]] == ["NO"]
    assert body == example.body


@pytest.mark.parametrize("example", [example for example in ALL if example.file in BROKEN], ids=str)
def test_an_example_that_breaks_its_own_table_is_refused_naming_every_field(example):
    error = refusal(example, example.body)

    assert {told["field"] for told in error.data["errors"]} == BROKEN[example.file]


@pytest.mark.parametrize("example", [e for e in VALID if e.file not in STRANGE], ids=str)
def test_every_mutation_is_refused_with_2001_naming_field_and_rule(example):
    schema = VERSIONS[example.version].schemas[example.kind]
    count = 0
    for mutation in mutations(schema, example.body, partial=example.partial):
        count += 1
        try:
            error = refusal(example, mutation.body)
        except pytest.fail.Exception:
            pytest.fail(f"{mutation.field} {mutation.what} was accepted")
        [told] = error.data["errors"]
        assert error.status_code == 2001
        assert told["field"] == mutation.field, mutation.what
        assert told["rule"].endswith(".")
        assert mutation.field in str(error)
        assert told["rule"] in str(error)
    assert count >= 4


def test_a_refusal_does_not_repeat_what_was_sent():
    secret = "not-for-the-log" * 10
    with pytest.raises(InvalidRequest) as refused:
        VERSIONS["2.3.0"].read("Credentials", {"token": secret, "url": secret, "roles": [secret]})

    assert "not-for-the-log" not in f"{refused.value}{refused.value.data}"


@pytest.mark.parametrize("body", [None, [], "Location", 7, True])
def test_what_is_no_object_is_refused(body):
    with pytest.raises(InvalidRequest, match="Must be an object"):
        VERSIONS["2.3.0"].read("Location", body)


def test_a_class_that_a_version_does_not_have_is_refused():
    with pytest.raises(InvalidRequest, match=r"OCPI 2\.2\.1 has no Parking"):
        VERSIONS["2.2.1"].read("Parking", {})
