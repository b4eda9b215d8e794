"""Between 2.1.1 and the canonical form: what is looked up, what is lost, what is never sent."""

from copy import deepcopy
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.errors import InvalidRequest
from hub.models.values import Party, Role
from hub.ocpi.schemas.compiled import validator
from hub.ocpi.versions import VERSIONS
from hub.ocpi.versions.base import Known, NotExpressible
from hub.ocpi.versions.v2_1_1 import V2_1_1
from hub.roaming.time_zones import ALPHA_3, ZONES, zone_of
from tests.contract import specification
from tests.contract.generated import documents
from tests.helpers import documents as own
from tests.helpers import documents_2_1_1 as old

NEW = VERSIONS["2.3.0"]
CPO, EMSP = Party.of("NL", "ONE"), Party.of("DE", "TWO")
KNOWN = Known(
    owner=CPO,
    receiver=EMSP,
    role=Role.CPO,
    token=own.token(),
    location=own.location(),
    time_zone="Europe/Amsterdam",
    now=datetime(2025, 6, 1, 12, tzinfo=UTC),
)
KINDS = [
    "Location",
    "EVSE",
    "Connector",
    "Tariff",
    "Session",
    "CDR",
    "Token",
    "LocationReferences",
    "StartSession",
    "ReserveNow",
    "Credentials",
    "VersionDetails",
]
generously = settings(
    max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


def is_exact(version, kind, body):
    return validator(version.schemas[kind], exact=True, partial=False).is_valid(body)


def up(kind, body, known=KNOWN, losses=None):
    return V2_1_1.upgrade(kind, body, losses, known=known)


def down(kind, document, known=KNOWN, losses=None):
    return V2_1_1.downgrade(kind, document, losses, known=known)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("Location", old.location()),
        ("EVSE", old.evse()),
        ("Connector", old.connector()),
        ("Tariff", old.tariff()),
        ("Session", old.session()),
        ("Token", old.token()),
        ("Credentials", old.credentials()),
        ("LocationReferences", {"location_id": "L1", "evse_uids": ["E1"]}),
    ],
)
def test_a_document_of_2_1_1_becomes_canonical_and_comes_back(kind, body):
    before, losses = deepcopy(body), []
    known = KNOWN
    if kind == "Session":
        known = Known(owner=CPO, receiver=EMSP, location=up("Location", body["location"]))

    canonical = V2_1_1.read(kind, body, known=known)

    assert is_exact(NEW, kind, canonical)
    assert down(kind, canonical, known, losses) == body == before
    assert losses == []


def test_a_cdr_comes_back_with_what_newer_versions_keep_of_its_location():
    body = old.cdr()
    canonical = V2_1_1.read("CDR", body, known=KNOWN)
    assert is_exact(NEW, "CDR", canonical)

    again = down("CDR", canonical)

    assert is_exact(V2_1_1, "CDR", again)
    location, [evse] = again["location"], again["location"]["evses"]
    assert {key: value for key, value in again.items() if key != "location"} == {
        key: value for key, value in body.items() if key != "location"
    }
    assert (location["id"], location["type"], location["city"]) == ("L1", "UNKNOWN", "Utrecht")
    assert (evse["uid"], evse["status"]) == ("E1", "UNKNOWN")
    # Voltage and amperage are those of the location that the caller knows.
    assert evse["connectors"][0]["voltage"] == 230
    unknown = down("CDR", canonical, Known(owner=CPO))
    assert unknown["location"]["evses"][0]["connectors"][0]["voltage"] == 0


@pytest.mark.parametrize("kind", KINDS)
@generously
@given(data=st.data())
def test_any_document_of_2_1_1_becomes_canonical_and_valid(kind, data):
    body = data.draw(documents(V2_1_1.schemas[kind]), "body")
    before = deepcopy(body)

    try:
        canonical = up(kind, body)
    except InvalidRequest:
        assert kind == "CDR", "only a CDR may lack what it needs"
        return

    assert body == before
    assert NEW.upgrade(kind, canonical) is canonical
    # Where newer versions want CiStrings, 2.1.1 has strings: these need an alias (BRIDGE-06).
    if all(value.isascii() for value in strings(canonical)):
        assert is_exact(NEW, kind, canonical)


def strings(value):
    if isinstance(value, dict):
        for member in value.values():
            yield from strings(member)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("kind", KINDS)
@generously
@given(data=st.data())
def test_any_canonical_document_is_valid_in_2_1_1_or_not_sent_at_all(kind, data):
    canonical = data.draw(documents(NEW.schemas[kind]), "document")
    before = deepcopy(canonical)

    try:
        body = down(kind, canonical)
    except NotExpressible:
        return

    assert canonical == before
    assert is_exact(V2_1_1, kind, body)
    assert all(text.isascii() for name, text in body.items() if name in {"name", "city", "issuer"})


# Those that break the tables of their version, see test_examples.
BROKEN = ("mod_cdrs__01", "mod_locations__04", "mod_tariffs__01")
EXAMPLES = specification.EXAMPLES
examples = (
    [
        example
        for example in specification.examples("2.1.1")
        if example.kind in KINDS and not example.file.startswith(BROKEN)
    ]
    if EXAMPLES.exists()
    else []
)


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not ours to ship")
@pytest.mark.parametrize("example", examples, ids=str)
def test_the_examples_of_2_1_1_come_back(example):
    losses = []
    location = example.body.get("location")
    known = Known(
        owner=CPO,
        receiver=EMSP,
        role=Role.CPO,
        time_zone="Europe/Brussels",
        location=location and up("Location", location, KNOWN),
    )

    canonical = V2_1_1.read(example.kind, example.body, partial=example.partial, known=known)
    again = V2_1_1.downgrade(example.kind, canonical, losses, partial=example.partial, known=known)

    again.pop("time_zone", None)
    again.get("location", {}).pop("time_zone", None)
    assert again == example.body
    assert losses == []


def test_an_unpublished_location_is_not_sent_but_may_be_part_of_a_session():
    private = own.location(publish=False, evses=[own.evse()])

    with pytest.raises(NotExpressible, match="cannot restrict who sees"):
        down("Location", private)
    body = down("Session", own.session(), Known(location=private))
    assert body["location"]["id"] == "L1"


def test_what_does_not_fit_a_location_is_cut_and_filled_and_told():
    losses = []
    location = own.location(
        address="Am Eisernen Steg und noch viel weiter hinten 12, Hof",
        postal_code=own.ABSENT,
        state="Hessen",
        city="Köln",
        parking_type="ON_DRIVEWAY",
        facilities=["CAFE", "TRAM_STOP"],
        coordinates={"latitude": "50.12345", "longitude": "8.1234567"},
    )

    body = down("Location", location, losses=losses)

    assert is_exact(V2_1_1, "Location", body)
    assert body["address"] == "Am Eisernen Steg und noch viel weiter hinten"
    assert (body["postal_code"], body["city"], body["type"]) == ("-", "Koln", "OTHER")
    assert body["facilities"] == ["CAFE"]
    assert body["coordinates"] == {"latitude": "50.123450", "longitude": "8.123457"}
    told = {loss.path for loss in losses}
    assert told >= {"address", "postal_code", "state", "city", "parking_type", "facilities"}


def test_a_direct_current_connector_promises_no_more_power_than_it_has():
    connector = own.connector(
        power_type="DC", max_voltage=900, max_amperage=500, max_electric_power=150_000
    )
    alternating = own.connector(max_electric_power=1000)

    assert down("Connector", connector)["amperage"] == 166
    assert down("Connector", connector | {"max_electric_power": 450_000})["amperage"] == 500
    assert down("Connector", alternating)["amperage"] == 32


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"regular_hours": []}, True),
        ({"exceptional_closings": []}, True),
        (
            {"regular_hours": [{"weekday": 1, "period_begin": "08:00", "period_end": "20:00"}]},
            False,
        ),
    ],
)
def test_hours_without_a_word_on_the_night_are_those_of_every_day_unless_some_are_told(said, meant):
    body = old.location(opening_times=said)

    assert up("Location", body)["opening_times"] == said | {"twentyfourseven": meant}
    for told in (True, False):
        hours = said | {"twentyfourseven": told}
        assert up("Location", old.location(opening_times=hours))["opening_times"] == hours


def test_only_what_a_parking_type_cannot_say_is_lost():
    losses = []

    assert "parking_type" not in up("Location", old.location(type="UNKNOWN"), losses=losses)
    assert losses == []
    assert "parking_type" not in up("Location", old.location(type="OTHER"), losses=losses)
    assert [loss.path for loss in losses] == ["type"]


def test_an_address_that_fits_is_not_cut():
    address = "Am Eisernen Steg und noch weiter hinten 12, H"

    assert len(address) == 45
    assert down("Location", own.location(address=address))["address"] == address
    assert down("Location", own.location(address="A" * 46))["address"] == "A" * 45


@pytest.mark.parametrize(
    ("tariffs", "chosen"),
    [
        ({}, None),
        ({"T1": {}, "T2": {"type": "REGULAR"}}, "T2"),
        ({"T1": {"type": "AD_HOC_PAYMENT"}, "T2": {}}, "T2"),
        ({"T1": {"type": "REGULAR", "end_date_time": "2025-06-01T12:00:00Z"}, "T2": {}}, "T2"),
        ({"T1": {"type": "REGULAR", "start_date_time": "2025-06-02T00:00:00"}}, None),
        ({"T1": {"type": "PROFILE_GREEN"}, "T2": {"type": "PROFILE_FAST"}}, None),
    ],
)
def test_a_connector_gets_the_tariff_that_everybody_pays_now(tariffs, chosen):
    known = Known(tariffs=tariffs, now=KNOWN.now)

    body = down("Connector", own.connector(tariff_ids=["T1", "T2"]), known)

    assert body.get("tariff_id") == chosen
    assert down("Connector", own.connector(tariff_ids=["T1"]), Known())["tariff_id"] == "T1"


def test_a_tariff_is_in_force_from_its_start_until_its_end_TAR_05():
    changes = {"start_date_time": "2025-06-01T12:00:00Z", "end_date_time": "2025-06-01T12:00:01Z"}

    assert down("Tariff", own.tariff(**changes))["id"] == "T1"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "PROFILE_GREEN"}, "PROFILE_GREEN"),
        ({"start_date_time": "2025-06-02T00:00:00Z"}, "not in force"),
        ({"end_date_time": "2025-06-01T12:00:00Z"}, "not in force"),
    ],
)
def test_a_tariff_that_not_everybody_pays_now_is_not_sent(changes, reason):
    with pytest.raises(NotExpressible, match=reason):
        down("Tariff", own.tariff(**changes))


def restricted(**restrictions):
    component = {"type": "ENERGY", "price": 1, "step_size": 1}
    return {"price_components": [component], "restrictions": restrictions}


def test_elements_for_reservations_are_left_out_and_prices_by_current_are_not_sent():
    usual = restricted(min_kwh=1)
    tariff = own.tariff(elements=[restricted(reservation="RESERVATION"), usual])

    assert down("Tariff", tariff)["elements"] == [usual]
    for limit in ("min_current", "max_current"):
        with pytest.raises(NotExpressible, match="depend on the current"):
            down("Tariff", own.tariff(elements=[usual, restricted(**{limit: 32})]))


def test_price_limits_become_a_text_for_people():
    losses = []

    said = {"language": "nl", "text": "Per kWh"}
    body = down("Tariff", own.tariff(tariff_alt_text=[said]), losses=losses)

    limits = "Minimum: 0.5 EUR excluding VAT. Maximum: 50 EUR excluding VAT."
    assert body["tariff_alt_text"] == [said, {"language": "en", "text": limits}]
    assert not {"min_price", "max_price", "type", "country_code"} & body.keys()
    assert {"min_price", "max_price"} <= {loss.path for loss in losses}


def test_a_contract_without_a_known_token_stands_for_it():
    known = Known(owner=CPO, receiver=EMSP)

    session = up("Session", old.session(), known)

    assert session["cdr_token"] == {
        "country_code": "DE",
        "party_id": "TWO",
        "uid": "#NA",
        "type": "OTHER",
        "contract_id": "DE-TWO-C00000001-X",
    }
    with pytest.raises(InvalidRequest, match="auth_id"):
        up("Session", old.session(), Known(owner=CPO))


@pytest.mark.parametrize(
    ("place", "later"),
    [({"evse_uid": "E9"}, True), ({"connector_id": "#NA"}, False), ({"evse_uid": "#NA"}, False)],
)
def test_a_session_whose_place_nobody_knows_is_not_sent(place, later):
    """It can be sent when the place is known, but a place that it does not name never will be."""
    with pytest.raises(NotExpressible, match="puts the location into it") as unknown:
        down("Session", own.session(**place))
    assert unknown.value.later is later
    with pytest.raises(NotExpressible, match="the location is unknown") as unknown:
        down("Session", own.session(), Known())
    assert unknown.value.later


def test_the_place_of_a_session_is_found_in_any_case_TRANSPORT_90():
    names = {"evse_uid": "e1", "connector_id": "A"}
    place = own.location(evses=[own.evse(uid="E1", connectors=[own.connector(id="a")])])

    body = down("Session", own.session(**names), Known(location=place))

    [evse] = body["location"]["evses"]
    assert (evse["uid"], evse["connectors"][0]["id"]) == ("E1", "a")


def test_what_a_cdr_says_of_its_place_is_told_or_lost():
    losses = []
    cdr = own.cdr()
    cdr["cdr_location"] |= {"state": "Utrecht", "address": "A" * 45, "connector_power_type": "DC"}

    body = down("CDR", cdr, losses=losses)

    [connector] = body["location"]["evses"][0]["connectors"]
    assert (connector["power_type"], body["location"]["address"]) == ("DC", "A" * 45)
    assert "cdr_location/state" in {loss.path for loss in losses}
    assert "state" not in body["location"]


def test_a_session_needs_no_evse_and_a_cdr_no_evse_id_but_an_evse():
    nowhere = old.location(evses=[])
    unnamed = old.location(evses=[old.evse(evse_id=own.ABSENT)])

    session = up("Session", old.session(location=nowhere))
    assert (session["evse_uid"], session["connector_id"]) == ("#NA", "#NA")
    assert up("CDR", old.cdr(location=unnamed))["cdr_location"]["evse_id"] == "#NA"
    with pytest.raises(InvalidRequest, match="needs the EVSE and the connector"):
        up("CDR", old.cdr(location=nowhere))


def test_a_session_costs_what_is_told_or_nothing_is_told_SES_07():
    assert "total_cost" not in down("Session", own.session(total_cost=own.ABSENT))
    assert down("Session", own.session(total_cost=own.price(0)))["total_cost"] == 0
    assert "total_cost" not in up("Session", old.session(total_cost=own.ABSENT))
    assert up("Session", old.session(total_cost=0))["total_cost"] == {"before_taxes": 0}


def test_a_session_says_what_2_1_1_can_say_of_it():
    losses = []
    session = own.session(
        status="RESERVATION",
        auth_method="COMMAND",
        authorization_reference="A1",
        charging_periods=[own.charging_period(dimensions=[{"type": "POWER", "volume": 11}])],
    )

    body = down("Session", session, losses=losses)

    assert is_exact(V2_1_1, "Session", body)
    assert (body["status"], body["auth_method"], body["total_cost"]) == (
        "PENDING",
        "AUTH_REQUEST",
        3.625,
    )
    assert body["charging_periods"][0]["dimensions"] == [{"type": "ENERGY", "volume": 0}]
    assert {loss.path for loss in losses} >= {
        "status",
        "auth_method",
        "authorization_reference",
        "total_cost",
        "charging_periods/0/dimensions/0",
    }


def test_a_flat_dimension_of_2_1_1_has_no_place_later():
    period = old.charging_period(dimensions=[{"type": "FLAT", "volume": 1}])

    session = up("Session", old.session(charging_periods=[period]))

    assert session["charging_periods"][0]["dimensions"] == [{"type": "TIME", "volume": 0}]


def test_a_credit_cdr_is_never_one_more_cdr_to_pay():
    credited = {"credit": True, "credit_reference_id": "C0"}
    losses = []

    with pytest.raises(NotExpressible, match="credit"):
        down("CDR", own.cdr(**credited))
    assert up("CDR", old.cdr(**credited))["credit"] is True
    assert "credit" not in up("CDR", old.cdr(credit=True), losses=losses)
    assert [loss.path for loss in losses] == ["credit"]


def test_a_patch_of_2_1_1_needs_no_time_and_gets_no_member_invented():
    for kind, patch, canonical in [
        ("EVSE", {"status": "CHARGING"}, {"status": "CHARGING"}),
        ("Connector", {"tariff_id": "T2"}, {"tariff_ids": ["T2"]}),
        ("Connector", {"tariff_id": None}, {"tariff_ids": None}),
        ("Session", {"total_cost": 0.6}, {"total_cost": {"before_taxes": 0.6}}),
        ("Location", {"type": "OTHER"}, {"parking_type": None}),
        ("Token", {"auth_id": "X"}, {"contract_id": "X"}),
    ]:
        assert V2_1_1.read(kind, patch, partial=True, known=KNOWN) == canonical


def test_members_of_newer_versions_sent_by_a_2_1_1_partner_do_not_confuse():
    body = old.location(country_code="BE", party_id="BEC", publish="perhaps", parking_type=7)

    canonical = up("Location", body)

    assert (canonical["country_code"], canonical["party_id"]) == ("NL", "ONE")
    assert canonical["publish"] is True
    assert canonical["parking_type"] == "ON_STREET"


def test_commands_and_their_answers():
    reserve = {
        "response_url": "https://two.example/1",
        "token": old.token(),
        "expiry_date": own.MOMENT,
        "reservation_id": 17,
        "location_id": "L1",
    }
    known = Known(owner=EMSP)
    canonical = V2_1_1.read("ReserveNow", reserve, known=known)
    assert is_exact(NEW, "ReserveNow", canonical)
    assert canonical["reservation_id"] == "17"
    assert down("ReserveNow", canonical) == reserve
    named = canonical | {"reservation_id": "R-17"}
    assert down("ReserveNow", named, Known(reservation_number=5))["reservation_id"] == 5
    with pytest.raises(NotExpressible, match="numbers for reservations"):
        down("ReserveNow", named)

    assert up("CommandResponse", {"result": "TIMEOUT"}) == {"result": "REJECTED", "timeout": 30}
    assert up("CommandResult", {"result": "UNKNOWN_SESSION"}) == {"result": "FAILED"}
    assert down("CommandResult", {"result": "EVSE_OCCUPIED"}) == {"result": "REJECTED"}
    assert down("CommandResponse", {"result": "ACCEPTED", "timeout": 5}) == {"result": "ACCEPTED"}


START = {"response_url": "https://two.example/1", "token": old.token(), "location_id": "L1"}


@pytest.mark.parametrize(
    ("capabilities", "connectors", "evse_uid", "named"),
    [
        (["START_SESSION_CONNECTOR_REQUIRED"], ["A"], "E1", "A"),
        (["START_SESSION_CONNECTOR_REQUIRED"], ["A"], "e1", "A"),
        (["START_SESSION_CONNECTOR_REQUIRED"], ["A", "B"], "E1", None),
        (["RFID_READER"], ["A"], "E1", None),
        (["START_SESSION_CONNECTOR_REQUIRED"], ["A"], None, None),
    ],
)
def test_a_session_starts_at_the_only_connector_where_one_must_be_named_CMD_12(
    capabilities, connectors, evse_uid, named
):
    """2.1.1 cannot name it."""
    evse = own.evse(capabilities=capabilities, connectors=[own.connector(id=c) for c in connectors])
    known = Known(owner=EMSP, location=own.location(evses=[evse]))

    canonical = V2_1_1.read("StartSession", START | {"evse_uid": evse_uid}, known=known)

    assert canonical.get("connector_id") == named


def test_an_authorization_has_the_token_that_is_known():
    canonical = up("AuthorizationInfo", {"allowed": "ALLOWED"})

    assert is_exact(NEW, "AuthorizationInfo", canonical)
    assert canonical["token"] == own.token()
    assert down("AuthorizationInfo", canonical) == {"allowed": "ALLOWED"}


def test_the_role_of_a_partner_tells_the_roles_of_its_endpoints():
    """VER-04: 2.1.1 endpoints have no role; a CPO sends locations and receives tokens."""
    url = "https://one.example/ocpi"
    names = ["credentials", "locations", "tokens"]
    body = {"version": "2.1.1", "endpoints": [{"identifier": n, "url": url} for n in names]}

    for role, expected in [
        (Role.CPO, ["SENDER", "SENDER", "RECEIVER"]),
        (Role.EMSP, ["SENDER", "RECEIVER", "SENDER"]),
    ]:
        canonical = up("VersionDetails", body, Known(role=role))
        assert [endpoint["role"] for endpoint in canonical["endpoints"]] == expected
        assert down("VersionDetails", canonical) == body


def test_credentials_of_one_party():
    canonical = up("Credentials", old.credentials(), Known(role=Role.EMSP))

    assert [role["role"] for role in canonical["roles"]] == ["EMSP"]
    losses = []
    hub = down("Credentials", own.credentials(hub_party_id="NLHUB"), losses=losses)
    assert (hub["party_id"], hub["business_details"]["name"]) == ("HUB", "One Charging")
    assert "hub_party_id" not in hub
    roles = own.credentials()["roles"]
    down(
        "Credentials",
        own.credentials(roles=[*roles, roles[0] | {"party_id": "TWO"}]),
        losses=losses,
    )
    assert {loss.path for loss in losses} == {"roles"}


def test_moments_are_sent_in_whole_seconds_of_utc():
    """BRIDGE-09."""
    for text in ("2025-06-01T08:00:00.123Z", "2025-06-01T08:00:00", "2025-06-01T08:00:00.9"):
        assert down("Token", own.token(last_updated=text))["last_updated"] == (
            "2025-06-01T08:00:00Z"
        )


def test_letters_beyond_ascii_get_their_likeness():
    """BRIDGE-09."""
    token = own.token(issuer="Ærø Strøm & Søn \u2013 ŁĄKA ß 漢")

    assert down("Token", token)["issuer"] == "Aero Strom & Son - LAKA ss ?"


@pytest.mark.parametrize(
    ("country", "latitude", "longitude", "zone"),
    [
        ("NLD", 52.1, 5.1, "Europe/Amsterdam"),
        ("NLD", 12.1, -68.9, None),
        ("ESP", 40.4, -3.7, "Europe/Madrid"),
        ("ESP", 28.1, -15.4, "Atlantic/Canary"),
        ("PRT", 38.7, -9.1, "Europe/Lisbon"),
        ("PRT", 37.7, -25.7, None),
        ("USA", 40.7, -74.0, None),
        ("NL", 52.1, 5.1, "Europe/Amsterdam"),
        ("NL", 12.1, -68.9, None),
        ("ES", 28.1, -15.4, "Atlantic/Canary"),
        ("pt", 38.7, -9.1, "Europe/Lisbon"),
        ("US", 40.7, -74.0, None),
        ("", 0, 0, None),
    ],
)
def test_the_country_tells_the_time_zone_where_it_can(country, latitude, longitude, zone):
    assert zone_of(country, latitude, longitude) == zone


def test_every_zone_is_known_to_the_world():
    assert all(ZoneInfo(zone) for zone in ZONES.values())


def test_every_country_of_which_something_is_known_is_known_by_both_its_codes():
    assert sorted(ALPHA_3.values()) == sorted([*ZONES, "ESP", "PRT"])
    assert all(len(code) == 2 for code in ALPHA_3)


@pytest.mark.parametrize("written", ["NL", "nl", "NLD"])
def test_a_country_of_two_letters_tells_the_time_zone_and_stays_as_it_was_written(written):
    body = old.location(country=written, time_zone=own.ABSENT)

    kept = V2_1_1.read("Location", body, known=Known(owner=CPO))

    assert (kept["country"], kept["time_zone"]) == (written, "Europe/Amsterdam")


def test_a_location_whose_time_zone_nobody_can_tell_is_refused_naming_the_field():
    body = old.location(country="USA", time_zone=own.ABSENT)

    with pytest.raises(InvalidRequest, match="time_zone") as refused:
        V2_1_1.read("Location", body, known=Known(owner=CPO))
    assert refused.value.data["errors"][0]["field"] == "time_zone"
    assert V2_1_1.read("Location", body, known=KNOWN)["time_zone"] == "Europe/Amsterdam"
