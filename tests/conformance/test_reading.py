"""`hub conformance` without --write: a clean platform is clean, and one fault is one finding."""

import pytest

from hub.conformance.checks import Weight
from tests.conformance.conftest import ids_of
from tests.helpers.plants import (
    at,
    data,
    either,
    header,
    is_error,
    is_unauthorized,
    is_unknown,
    raw,
    says,
    stamped,
    unrouted,
    when,
)
from tests.helpers.replies import Plant

VERSIONS = ("2.1.1", "2.2.1", "2.3.0")
ALL_LISTS = r"/sender/\w+(\?|$)"
UNKNOWN = "NO-SUCH-ID"
CREDENTIALS = "GET /[^/]*/credentials"
DETAILS = r"GET /2\.\d\.\d$"


def listed(module):
    """The list of a module, wherever it begins with its first object."""
    return rf"GET .*/{module}(\?(?!.*offset)|$)"


def in_query(name, value=""):
    return lambda reply, request: name in request.query and value in request.query[name]


def in_lower_case(reply, request):
    return any(name == b"authorization" for name, _ in request.raw_headers)


def unlink(reply, request):
    """The filter is forgotten on the way."""
    if "Link" in reply.headers:
        reply.headers["Link"] = reply.headers["Link"].replace("date_from", "was_from")
    return reply


def elsewhere(reply, request):
    reply.http_status, reply.headers["Location"] = 302, "https://elsewhere.example/"
    return reply


def as_object(found):
    return {"versions": found}


def one_more(found):
    return [*found, {"version": "2.0"}]


def last_twice(found):
    return [*found, found[-1]]


def endpoint_twice(found):
    found["endpoints"].append(found["endpoints"][-1])


def without_credentials(found):
    found["endpoints"] = [e for e in found["endpoints"] if e["identifier"] != "credentials"]


def first_role_twice(found):
    found["roles"].append(found["roles"][0])


def hub_as_well(found):
    found["roles"].append(found["roles"][0] | {"role": "HUB"})


def details_url(found):
    found["url"] = found["url"].replace("versions", "2.2.1")


ENTRY = {"publish_allowed_to": [{"uid": "1"}]}
RESERVATION = {"reservation": "RESERVATION"}
CREDIT = {"credit": True, "credit_reference_id": "C0", "total_cost": {"excl_vat": 3}}
PLACE = [{"parking_id": "P9"}]
STATE = [{"type": "STATE_OF_CHARGE", "volume": 80}]
YOUNGER = "2025-12-01T08:00:00Z"

# What is planted, the version in which it is, and the requirement that must be found.
PLANTED = {
    "403 without a token": (
        "TRANSPORT-38",
        Plant("GET /versions", when(is_unauthorized, says(2000, 403))),
    ),
    "HTTP errors in plain text": (
        "TRANSPORT-07",
        Plant("", when(is_error, raw("No!", "text/plain"))),
    ),
    "lists as text/json": ("TRANSPORT-07", Plant(ALL_LISTS, raw(None, "text/json"))),
    "a status code in quotes": ("TRANSPORT-07", Plant("", when(is_unknown, says("2003", 404)))),
    "timestamps with an offset": ("TRANSPORT-93", Plant("", stamped("2025-01-01T00:00:00+00:00"))),
    "no timestamp in errors": ("TRANSPORT-93", Plant("", when(is_error, stamped(None)))),
    "no request id": ("TRANSPORT-45", Plant("", header("X-Request-ID"))),
    "a request id of its own": ("TRANSPORT-45", Plant("", header("X-Request-ID", "mine"))),
    "no correlation id in errors": (
        "TRANSPORT-46",
        Plant("", when(is_error, header("X-Correlation-ID"))),
    ),
    "credentials with routing": ("HUB-12", Plant(CREDENTIALS, header("OCPI-to-party-id", "TST"))),
    "routing not swapped": ("HUB-14", Plant(ALL_LISTS, header("OCPI-to-party-id", "ONE"))),
    "no routing headers": ("HUB-14", Plant("", unrouted)),
    "a status code of its own": ("TRANSPORT-84", Plant("", when(is_unknown, says(2950, 404)))),
    "1000 in HTTP 404": ("TRANSPORT-74", Plant("", when(is_unknown, says(1000, 404)))),
    "header names with case": (
        "TRANSPORT-40",
        Plant("GET /versions", when(in_lower_case, says(2000, 401))),
    ),
    "versions in an object": ("VER-01", Plant("GET /versions", data(as_object))),
    "a version without URL": ("VER-01", Plant("GET /versions", data(one_more))),
    "details of another version": ("VER-01", Plant(DETAILS, at("", version="2.2"))),
    "an endpoint without role": ("VER-01", Plant(DETAILS, at("endpoints/0", role=...))),
    "an interface twice": ("VER-03", Plant(DETAILS, data(endpoint_twice))),
    "no credentials endpoint": ("VER-06", Plant(DETAILS, data(without_credentials))),
    "no GET credentials": ("CRED-18", Plant(CREDENTIALS, says(2000, 405))),
    "another token in credentials": ("CRED-18", Plant(CREDENTIALS, at("", token="other"))),
    "the URL of the details": ("CRED-18", Plant(CREDENTIALS, data(details_url))),
    "a role twice": ("CRED-01", Plant(CREDENTIALS, data(first_role_twice))),
    "a hub and more": ("CRED-03", Plant(CREDENTIALS, data(hub_as_well))),
    "no total": ("TRANSPORT-58", Plant(ALL_LISTS, header("X-Total-Count"))),
    "the count of the page": ("TRANSPORT-58", Plant(ALL_LISTS, header("X-Total-Count", "1"))),
    "no limit": ("TRANSPORT-58", Plant(ALL_LISTS, header("X-Limit"))),
    "no link": ("TRANSPORT-58", Plant(ALL_LISTS, header("Link"))),
    "a relative link": (
        "TRANSPORT-58",
        Plant(ALL_LISTS, when(in_query("limit"), header("Link", '</next>; rel="next"'))),
    ),
    "more than the limit": ("TRANSPORT-59", Plant(ALL_LISTS, header("X-Limit", "1"))),
    "a link without filters": (
        "TRANSPORT-60",
        Plant(ALL_LISTS, when(in_query("date_from"), unlink)),
    ),
    "the last one twice": (
        "TRANSPORT-61",
        Plant(
            r"/tariffs$",
            either(data(last_twice), header("X-Total-Count", "4")),
        ),
    ),
    "no list": ("TRANSPORT-70", Plant(listed("tariffs"), says(data={"tariffs": []}))),
    "a list that is elsewhere": ("TRANSPORT-70", Plant("/tariffs", elsewhere)),
    "a location in a list": (
        "TRANSPORT-70",
        Plant("/locations/L1-0$", data(lambda found: [found])),
    ),
    "no EVSEs by themselves": ("TRANSPORT-70", Plant("/locations/L1-0/.", says(2000, 404))),
    "nothing instead of 404": ("TRANSPORT-82", Plant(UNKNOWN, says())),
    "a crash instead of 404": ("TRANSPORT-82", Plant(UNKNOWN, says(3000, 500))),
    "a crash for odd dates": (
        "TRANSPORT-81",
        Plant("", when(in_query("date_from", "yesterday"), says(3000, 500))),
    ),
    "HTTP 400 for odd dates": (
        "TRANSPORT-81",
        Plant("", when(in_query("date_from", "yesterday"), says(2001, 400))),
    ),
    "a member missing": ("TRANSPORT-98", Plant(listed("locations"), at("", city=...))),
    "a price in quotes": (
        "TRANSPORT-95",
        Plant(listed("tariffs"), at("elements/0/price_components/0", price="0.25")),
    ),
    "an offset in a session": (
        "TRANSPORT-93",
        Plant(listed("sessions"), at("", start_date_time="2025-06-01T10:00:00+02:00")),
    ),
    "a status in small letters": (
        "TRANSPORT-97",
        Plant(listed("locations"), at("evses/0", status="available")),
    ),
    "an id with an accent": ("TRANSPORT-90", Plant(listed("tariffs"), at("", id="é"))),
    "a city without end": ("TRANSPORT-91", Plant(listed("locations"), at("", city="x" * 46))),
    "a relative URL": (
        "TRANSPORT-92",
        Plant(listed("locations"), at("operator", website="/about")),
    ),
    "no time zone": ("LOC-16", Plant(listed("locations"), at("", time_zone=...))),
    "half an entry": ("LOC-06", Plant(listed("locations"), at("", publish=False, **ENTRY))),
    "published and yet not": (
        "LOC-05",
        Plant(listed("locations"), at("", publish_allowed_to=[{"group_id": "1"}])),
    ),
    "two EVSEs of one uid": ("LOC-08", Plant(listed("locations"), at("evses/1", uid="E1"))),
    "an EVSE younger than all": (
        "LOC-10",
        Plant(listed("locations"), at("evses/1", last_updated=YOUNGER)),
    ),
    "no hours at all": (
        "LOC-19",
        Plant(listed("locations"), at("opening_times", regular_hours=...)),
    ),
    "energy while reserved": (
        "TAR-11",
        Plant(listed("tariffs"), at("elements/0", restrictions=RESERVATION)),
    ),
    "a credit that costs": ("CDR-06", Plant(listed("cdrs"), at("", **CREDIT))),
    "a long id": ("CDR-07", Plant(listed("cdrs"), at("", id="C" * 37))),
    "a state of charge in a CDR": (
        "CDR-20",
        Plant(listed("cdrs"), at("charging_periods/0", dimensions=STATE)),
    ),
    "an app on a white list": ("TOK-07", Plant(listed("tokens"), at("", type="APP_USER"))),
    "somebody else's tariff": ("MOD-04", Plant(listed("tariffs"), at("", country_code="FR"))),
}
NEWER = {
    "no word about taxes": ("TAR-07", Plant(listed("tariffs"), at("", tax_included=...))),
    "a parking place nowhere": ("LOC-22", Plant(listed("locations"), at("evses/0", parking=PLACE))),
}
# Faults in how the platform works.
WRONG = {
    "knows any token": "TRANSPORT-38",
    "reads tokens in the other form": "TRANSPORT-31",
    "has no number in its URLs": "TRANSPORT-23",
    "ignores limit": "TRANSPORT-55",
    "ignores offset": "TRANSPORT-55",
    "ignores date_from": "TRANSPORT-56",
    "takes date_from for exclusive": "TRANSPORT-56",
    "takes date_to for inclusive": "TRANSPORT-56",
    "lists sessions of all times": "TRANSPORT-57",
}
ADVICE = {"TRANSPORT-23", "TRANSPORT-57", "TRANSPORT-61", "TRANSPORT-82", "TOK-07", "MOD-04"}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_clean_platform_is_clean(read, version):
    report = await read(version)

    assert [finding.as_json() for finding in report.findings] == []
    assert len(report.passed) > 35
    # On a loopback address nothing is encrypted, and that is all.
    assert [one.check.ids for one in report.skipped] == [("TRANSPORT-01",)]


@pytest.mark.parametrize("what", PLANTED)
async def test_one_fault_is_one_finding(read, what):
    expected, plant = PLANTED[what]

    report = await read("2.2.1", plant=plant)

    assert ids_of(report) == {expected}
    finding = report.findings[0]
    assert finding.expected
    assert finding.got
    assert finding.mend
    if what != "another token in credentials":
        assert (finding.weight is Weight.SHOULD) == (expected in ADVICE)


@pytest.mark.parametrize("what", NEWER)
async def test_one_fault_of_2_3_0_is_one_finding(read, what):
    expected, plant = NEWER[what]

    assert ids_of(await read("2.3.0", plant=plant)) == {expected}


@pytest.mark.parametrize("what", WRONG)
async def test_one_wrong_habit_is_one_finding(read, what):
    assert ids_of(await read("2.2.1", wrong=what)) == {WRONG[what]}


async def test_a_hub_without_a_party_is_found(read):
    assert ids_of(await read("2.3.0", wrong="is a hub without a party")) == {"CRED-04"}


async def test_tokens_in_base64_are_wrong_in_2_1_1(read):
    assert ids_of(await read("2.1.1", wrong="reads tokens in the other form")) == {"TRANSPORT-32"}


@pytest.mark.parametrize(
    "what", ["ignores limit", "ignores date_from", "takes date_to for inclusive"]
)
async def test_lists_of_2_1_1_are_looked_at_as_well(read, what):
    assert ids_of(await read("2.1.1", wrong=what)) == {WRONG[what]}
