"""What partners get wrong and the hub takes all the same, and where it stays strict."""

import re
from copy import deepcopy

import pytest

from hub.errors import InvalidRequest
from hub.ocpi.schemas import timestamps
from hub.ocpi.schemas.compiled import check, split
from hub.ocpi.schemas.fields import JSON, Value
from hub.ocpi.schemas.objects import Object
from hub.ocpi.versions import VERSIONS
from tests.helpers import documents as own

NEW, OLD = VERSIONS["2.3.0"], VERSIONS["2.2.1"]


def field_refused(kind, body, *, partial=False, version=NEW):
    with pytest.raises(InvalidRequest) as refused:
        version.read(kind, body, partial=partial)
    assert refused.value.status_code == 2001
    return refused.value.data["errors"][0]["field"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        # Legal OCPI stays as it is (TRANSPORT-93).
        ("2025-06-29T20:39:09Z", "2025-06-29T20:39:09Z"),
        ("2025-06-29T20:39:09", "2025-06-29T20:39:09"),
        ("2025-06-29T20:39:09.2Z", "2025-06-29T20:39:09.2Z"),
        ("2025-06-29T20:39:09.123", "2025-06-29T20:39:09.123"),
        ("2025-06-29T20:39:09.1234Z", "2025-06-29T20:39:09.1234Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        # The rest becomes UTC with a Z (TRANSPORT-94).
        ("2025-06-29 20:39:09", "2025-06-29T20:39:09Z"),
        ("2025-06-29 20:39:09Z", "2025-06-29T20:39:09Z"),
        ("2025-06-29t20:39:09z", "2025-06-29T20:39:09Z"),
        ("2025-06-29T20:39:09+00:00", "2025-06-29T20:39:09Z"),
        ("2025-06-29T20:39:09+02:00", "2025-06-29T18:39:09Z"),
        ("2025-06-29T20:39:09-0330", "2025-06-30T00:09:09Z"),
        ("2025-06-29T20:39:09.123456Z", "2025-06-29T20:39:09.123Z"),
        ("2025-06-29T20:39:09.999999999Z", "2025-06-29T20:39:09.999Z"),
        ("2025-06-29T20:39:09.000000+00:00", "2025-06-29T20:39:09Z"),
        ("9999-12-31T23:59:59-01:00", "9999-12-31T23:59:59Z"),
        ("0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00Z"),
        # What OCPI itself prints for an unknown moment (AMB-38).
        ("1970-1-1T00:00:00Z", "1970-01-01T00:00:00Z"),
    ],
)
def test_timestamps_are_kept_where_they_are_legal_and_put_right_where_not(sent, kept):
    """TRANSPORT-93, TRANSPORT-94, AMB-38, AMB-39."""
    body = own.session(start_date_time=sent)

    assert NEW.read("Session", body) == body | {"start_date_time": kept}
    assert re.fullmatch(timestamps.EXACT, kept)
    assert len(kept) <= 25


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025-06-29",
        "20:39:09",
        "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2025-04-31T00:00:00Z",
        "2025-13-01T00:00:00Z",
        "2025-00-10T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2025-06-29T24:00:00Z",
        "2025-06-29T23:60:00Z",
        "2025-06-29T23:59:99Z",
        "2025-06-29T23:59Z",
        "2025-06-29T20:39:09.Z",
        "2025-06-29T20:39:09.1234567890Z",
        "2025-06-29T20:39:09+15:00",
        "2025-06-29T20:39:09Z\n",
        "\uff12025-06-29T20:39:09Z",
        "1751229549",
    ],
)
def test_what_is_no_moment_is_refused(text):
    assert field_refused("Session", own.session(start_date_time=text)) == "start_date_time"


def test_null_for_an_optional_member_is_absence():
    """TRANSPORT-98, AMB-48: at every depth, but a list has no null in it."""
    body = own.location(name=None, images=None, suboperator=None)
    body["evses"][0] |= {"directions": None, "coordinates": None}
    body["evses"][0]["connectors"][0] |= {"terms_and_conditions": None, "tariff_ids": None}
    before = deepcopy(body)

    document = NEW.read("Location", body)

    assert body == before
    assert not {"name", "images", "suboperator"} & document.keys()
    assert not {"directions", "coordinates"} & document["evses"][0].keys()
    assert "tariff_ids" not in document["evses"][0]["connectors"][0]
    assert document["evses"][1] == body["evses"][1]
    assert field_refused("Location", own.location(facilities=["CAFE", None])) == "facilities/1"
    assert field_refused("Location", own.location(city=None)) == "city"


def test_null_in_an_unknown_member_is_not_ours_to_drop():
    body = own.location(name=None, mood=None, moods=[None, {"deep": None}])

    document = NEW.read("Location", body)

    assert document["mood"] is None
    assert document["moods"] == [None, {"deep": None}]


def test_a_null_in_a_patch_stays_for_it_clears_the_member():
    """TRANSPORT-10."""
    patch = {"name": None, "images": None, "last_updated": own.MOMENT}

    assert NEW.read("Location", patch, partial=True) == patch
    assert field_refused("Location", patch | {"city": None}, partial=True) == "city"


def test_nested_objects_of_a_patch_must_be_complete_for_they_replace_what_is_kept():
    patch = {"coordinates": {"latitude": "52.090700"}, "last_updated": own.MOMENT}

    assert field_refused("Location", patch, partial=True) == "coordinates/longitude"


@pytest.mark.parametrize("kind", ["Location", "EVSE", "Connector", "Session", "Token"])
@pytest.mark.parametrize("version", [NEW, OLD], ids=lambda version: version.number)
def test_a_patch_says_when_the_object_changed(kind, version):
    """TRANSPORT-11: the specification's own example of 2001."""
    assert field_refused(kind, {}, partial=True, version=version) == "last_updated"


def test_a_tariff_without_tax_included_excludes_taxes():
    """AMB-30: required, but the specification's own examples lack it."""
    for told in (own.ABSENT, None):
        tariff = own.tariff(tax_included=told)

        assert NEW.read("Tariff", tariff)["tax_included"] == "NO"
        assert NEW.read("CDR", own.cdr(tariffs=[tariff]))["tariffs"][0]["tax_included"] == "NO"
    assert field_refused("Tariff", own.tariff(tax_included="MAYBE")) == "tax_included"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("52.09070", "52.09070"),
        ("-5.1234567", "-5.1234567"),
        ("52.1", "52.10000"),
        ("7", "7.00000"),
        ("5.12345678", "5.1234568"),
        ("-0.0", "-0.00000"),
        ("90", "90.00000"),
    ],
)
def test_coordinates_get_their_decimals(sent, kept):
    body = own.location(coordinates={"latitude": sent, "longitude": "5.12140"})

    document = NEW.read("Location", body)

    assert document["coordinates"] == {"latitude": kept, "longitude": "5.12140"}
    NEW.check("Location", document)


@pytest.mark.parametrize(
    ("latitude", "longitude", "field"),
    [
        ("90.00001", "5.12140", "latitude"),
        ("-91.00000", "5.12140", "latitude"),
        ("52,09070", "5.12140", "latitude"),
        ("+52.09070", "5.12140", "latitude"),
        ("52.090700000", "5.12140", "latitude"),
        (52.0907, "5.12140", "latitude"),
        ("52.09070", "180.00001", "longitude"),
        ("52.09070", "1e2", "longitude"),
    ],
)
def test_what_is_no_place_on_earth_is_refused(latitude, longitude, field):
    body = own.location(coordinates={"latitude": latitude, "longitude": longitude})

    assert field_refused("Location", body) == f"coordinates/{field}"


def test_line_breaks_are_kept_where_people_or_machines_need_them():
    """Seen in real tariffs; and signed meter data must stay byte for byte (CDR-21)."""
    text = [{"language": "en", "text": "Energy\n\t0.17 EUR per kWh\r\n"}]
    values = [{"nature": "Start", "plain_data": "<a>\n</a>", "signed_data": "eA==\n"}]
    signed = {"encoding_method": "EDL40 Mennekes", "signed_values": values}
    tariff, cdr = own.tariff(tariff_alt_text=text), own.cdr(signed_data=signed)

    assert NEW.read("Tariff", tariff) == tariff
    assert NEW.read("CDR", cdr) == cdr
    assert field_refused("Location", own.location(name="two\nlines")) == "name"
    assert field_refused("Location", own.location(id="L\t1")) == "id"


def test_strings_are_measured_in_characters_and_ids_are_ascii():
    """TRANSPORT-90, -91."""
    NEW.check("Location", own.location(city="é" * 45, name="充電ステーション"))
    assert field_refused("Location", own.location(city="é" * 46)) == "city"
    assert field_refused("Location", own.location(id="é")) == "id"


@pytest.mark.parametrize("field", ["country_code", "party_id", "id"])
def test_what_an_object_is_found_by_is_never_empty(field):
    assert field_refused("Location", own.location(**{field: ""})) == field


@pytest.mark.parametrize("value", ["1", 1.5, True, None, 2**31, [1]])
def test_a_whole_number_is_a_whole_number(value):
    body = own.connector(max_voltage=value)

    assert field_refused("Connector", body) == "max_voltage"


def test_json_does_not_tell_16_from_16_point_0():
    body = own.connector(max_amperage=16.0)

    assert NEW.read("Connector", body) == body


@pytest.mark.parametrize("value", ["1", True, None, 1e16, {}])
def test_a_number_is_a_number(value):
    """TRANSPORT-95: never a JSON string."""
    assert field_refused("Session", own.session(kwh=value)) == "kwh"


def test_open_enumerations_take_new_values_and_closed_ones_do_not():
    """TRANSPORT-97; all are closed in 2.2.1."""
    NEW.check("Connector", own.connector(standard="PLUG_OF_2031"))
    NEW.check("Token", own.token(type="FINGERPRINT"))
    older = own.connector(standard="MCS", version="2.2.1")

    assert field_refused("Connector", older, version=OLD) == "standard"
    assert field_refused("EVSE", own.evse(status="BROKEN")) == "status"
    assert field_refused("EVSE", own.evse(status="available")) == "status"
    assert field_refused("Connector", own.connector(standard="")) == "standard"
    assert field_refused("Connector", own.connector(standard="X" * 41)) == "standard"


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ({"uid": "1"}, "publish_allowed_to/0/type"),
        ({"visual_number": "1"}, "publish_allowed_to/0/issuer"),
        ({"issuer": "Two"}, "publish_allowed_to/0"),
        ({}, "publish_allowed_to/0"),
    ],
)
def test_who_may_see_an_unpublished_location_is_said_completely(body, rule):
    """LOC-06: an entry that names nobody would be shown to everybody."""
    location = own.location(publish=False, publish_allowed_to=[body])

    assert field_refused("Location", location) == rule


def test_some_members_need_others():
    """CMD-12: a connector is named within its EVSE. CDR-06: a credit names its CDR."""
    command = {"response_url": "https://two.example/1", "token": own.token(), "location_id": "L1"}

    NEW.check("StartSession", command | {"evse_uid": "E1", "connector_id": "1"})
    assert field_refused("StartSession", command | {"connector_id": "1"}) == "evse_uid"
    assert field_refused("CDR", own.cdr(credit=True)) == "credit_reference_id"
    NEW.check("CDR", own.cdr(credit=True, credit_reference_id="C0"))
    NEW.check("CDR", own.cdr(credit=False))


@pytest.mark.parametrize(
    "url", ["", "one.example", "ftp://one.example", "javascript:alert(1)", "https://", "http://a b"]
)
def test_a_url_is_one_of_the_web(url):
    assert field_refused("Tariff", own.tariff(tariff_alt_url=url)) == "tariff_alt_url"


def test_versions_and_modules_that_2_2_1_does_not_know_are_read():
    """VER-05, VER-08: a platform lists newer versions and modules of its own."""
    url = "https://one.example/ocpi"
    OLD.check("Version", {"version": "3.0", "url": url})
    endpoint = {"identifier": "nltnm-tokens", "role": "SENDER", "url": url}
    OLD.check("VersionDetails", {"version": "2.2.1", "endpoints": [endpoint]})


def test_bad_evses_are_separated_and_all_else_is_left_as_it_is():
    """TRANSPORT-14: what is wrong with the rest of the body is another question."""
    bad, not_an_object = own.evse(status="BROKEN"), "E9"
    body = own.location(city=7, evses=[bad, own.evse(uid="E2"), not_an_object])

    good, removed = split("2.3.0", "Location", body)

    assert good == body | {"evses": [own.evse(uid="E2")]}
    assert [(part.path, part.item) for part in removed] == [("evses/0", bad), ("evses/2", "E9")]
    assert removed[1].errors == [{"field": "evses/2", "rule": "Must be an object."}]
    assert field_refused("Location", good) == "city"


@pytest.mark.parametrize("evses", [own.ABSENT, None, [], "many", {}])
def test_where_there_are_no_evses_nothing_is_separated(evses):
    body = own.location(evses=evses)

    assert split("2.3.0", "Location", body) == (body, [])


def test_only_locations_are_separated():
    for kind, body in [
        ("Tariff", own.tariff(elements=[{}])),
        ("Location", "L1"),
        ("Location", None),
    ]:
        assert split("2.3.0", kind, body) == (body, [])


def test_a_location_may_lose_all_its_evses_and_stays():
    body = own.location(evses=[own.evse(connectors=[])])

    good, removed = split("2.3.0", "Location", body)

    assert (good["evses"], len(removed)) == ([], 1)
    assert NEW.read("Location", good) == good


class Odd(Value):
    """A field whose two verdicts disagree: the bug that must not silence a refusal."""

    def wrong(self, value):
        return None

    def json_schema(self, *, exact: bool) -> JSON:
        return {"type": "null"}


class OddObject(Object):
    odd = Odd(required=True)


def test_a_refusal_that_marshmallow_cannot_explain_is_worded_by_the_validator():
    with pytest.raises(InvalidRequest) as refused:
        check(OddObject, {"odd": 1})

    [error] = refused.value.data["errors"]
    assert error["field"] == "odd"
    assert error["rule"]


def test_a_refusal_has_an_end():
    body = own.location(facilities=[7] * 1000)

    with pytest.raises(InvalidRequest) as refused:
        NEW.read("Location", body)

    assert len(refused.value.data["errors"]) == 50
