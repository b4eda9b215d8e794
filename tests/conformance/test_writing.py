"""`hub conformance --write`: a clean platform is clean, and one fault is one finding."""

import pytest

from hub.conformance.callbacks import Callbacks
from hub.conformance.examine import Plan, examine
from tests.conformance.conftest import ids_of
from tests.helpers.exemplary import Exemplary
from tests.helpers.plants import at, header, says, when
from tests.helpers.replies import Plant

POST = "POST .*/credentials$"


def answered(status_code=None, http_status=None):
    """Where the right answer would be this one."""
    return lambda reply, request: (
        (status_code in {None, reply.status_code}) and (http_status in {None, reply.http_status})
    )


def without_scheme(reply, request):
    if "Location" in reply.headers:
        reply.headers["Location"] = request.path + "/1"
    return reply


def to_nowhere(reply, request):
    if "Location" in reply.headers:
        reply.headers["Location"] += "-NOT"
    return reply


PLANTED = {
    "registers twice": ("CRED-17", Plant(POST, when(answered(2000, 405), says(2000, 200)))),
    "renews before it registered": (
        "CRED-17",
        Plant("PUT .*/credentials$", when(answered(2000, 405), says(2000, 401))),
    ),
    "2001 for what is no JSON": ("TRANSPORT-80", Plant("", when(answered(2000, 400), says(2001)))),
    "HTTP 400 for half of the credentials": (
        "TRANSPORT-81",
        Plant(POST, when(answered(2001), says(2001, 400))),
    ),
    "3001 for a missing version": ("CRED-16", Plant(POST, when(answered(3002), says(3001)))),
    "3000 when versions fail": ("CRED-14", Plant(POST, when(answered(3001), says(3000)))),
    "roles without a name": (
        "TRANSPORT-98",
        Plant(POST, when(answered(1000), at("roles/0", business_details=...))),
    ),
    "refuses all tokens": (
        "MOD-01",
        Plant("PUT .*/receiver/tokens", when(answered(1000), says(2001))),
    ),
    "keeps sessions to itself": ("MOD-01", Plant("GET .*/receiver/sessions", says(2001, 404))),
    "200 for what is new": (
        "TRANSPORT-83",
        Plant("PUT .*/receiver/", when(answered(1000, 201), says(1000, 200))),
    ),
    "HTTP 422 for what is not valid": (
        "TRANSPORT-81",
        Plant("PUT .*/receiver/", when(answered(2001, 200), says(2001, 422))),
    ),
    "1000 for what it does not have": (
        "TRANSPORT-82",
        Plant("GET .*/receiver/(locations|tokens)", when(answered(None, 404), says())),
    ),
    "deletes tokens": ("TOK-01", Plant("DELETE .*/receiver/tokens", says())),
    "deletes locations": ("LOC-02", Plant("DELETE .*/receiver/locations", says())),
    "deletes sessions": ("SES-01", Plant("DELETE .*/receiver/sessions", says())),
    "deletes no tariffs": ("TAR-01", Plant("DELETE .*/receiver/tariffs", says(2000, 405))),
    "adds no EVSEs": ("LOC-13", Plant("PUT .*/CONFORMANCE-E2$", says(2003, 404))),
    "takes EVSEs of nowhere": (
        "LOC-14",
        Plant("PUT .*/CONFORMANCE-E1$", when(answered(2003), says(1000, 201))),
    ),
    "refuses CDRs": ("CDR-03", Plant("POST .*/cdrs$", says(2001))),
    "no Location of a CDR": ("CDR-03", Plant("POST .*/cdrs$", header("Location"))),
    "a relative Location": ("CDR-03", Plant("POST .*/cdrs$", without_scheme)),
    "a Location that leads nowhere": ("CDR-03", Plant("POST .*/cdrs$", to_nowhere)),
    "deletes CDRs": ("CDR-02", Plant("DELETE .*/receiver/cdrs/", says())),
    "changes CDRs": ("CDR-02", Plant("PATCH .*/receiver/cdrs/", says())),
    "no timeout of a command": ("CMD-01", Plant("STOP_SESSION$", at("", timeout=...))),
    "nothing to say of a command": (
        "CMD-01",
        Plant("/STOP_SESSION$", when(answered(1000), says())),
    ),
    "stops what is not running": ("CMD-01", Plant("/STOP_SESSION$", at("", result="ACCEPTED"))),
    "starts nowhere": ("CMD-05", Plant("/START_SESSION$", at("", result="ACCEPTED"))),
    "answers into the void": (
        "TRANSPORT-81",
        Plant(
            "/STOP_SESSION$",
            when(answered(2001), says(data={"result": "UNKNOWN_SESSION", "timeout": 1})),
        ),
    ),
    "200 for an unknown token": (
        "TOK-20",
        Plant("/authorize", when(answered(2004), says(2004, 200))),
    ),
    "2001 for an unknown token": (
        "TOK-20",
        Plant("/authorize", when(answered(2004), says(2001, 404))),
    ),
    "an authorization without token": ("TOK-12", Plant("/authorize", at("", token=...))),
    "prefers without a session": (
        "SES-09",
        Plant("/charging_preferences$", says(data="ACCEPTED")),
    ),
    "no timeout of a profile": (
        "CHP-02",
        Plant("GET .*/receiver/chargingprofiles", at("", timeout=...)),
    ),
    "profiles into the void": (
        "CHP-03",
        Plant(
            r"GET .*/receiver/chargingprofiles/[^?]*\?duration=\d+$",
            says(data={"result": "UNKNOWN_SESSION", "timeout": 1}),
        ),
    ),
}
# Faults in how the platform works; several ids where one rule of ours has several.
WRONG = {
    "opens all with token A": "TRANSPORT-39",
    "does not look at POST": "CRED-12",
    "does not care about POST": "CRED-14",
    "keeps token A": "CRED-13",
    "keeps its token": "CRED-19",
    "does not look at PUT": "CRED-19",
    "does not care about PUT": "CRED-14 CRED-21",
    "forgets all when a PUT fails": "CRED-14 CRED-21",
    "stays after DELETE": "CRED-23",
    "writes tokens in the other form": "TRANSPORT-31",
    "sends no message ids": "TRANSPORT-45 TRANSPORT-46",
    "routes its handshake": "HUB-12",
    "merges on PUT": "TRANSPORT-08",
    "forgets the rest on PATCH": "TRANSPORT-09",
    "patches without a date": "TRANSPORT-11",
    "refuses what it does not know": "TRANSPORT-16",
    "believes any date": "TRANSPORT-81",
    "believes any id": "MOD-03",
    "believes any owner": "MOD-02",
    "takes objects of anybody": "TRANSPORT-41 TRANSPORT-63",
    "creates on PATCH": "TRANSPORT-13",
    "finds ids by their case": "TRANSPORT-90",
    "keeps deleted tariffs": "TAR-01",
    "does not lift locations": "LOC-10",
    "replaces periods on PATCH": "SES-14",
    "keeps periods on PUT": "SES-12",
    "refuses CDRs again": "CDR-04",
    "overwrites CDRs": "CDR-04",
}
HUBS = {
    "knows everybody": "HUB-45",
    "has no GET ALL": "HUB-30",
    "takes half an address": "HUB-16",
    "lets anybody speak": "HUB-44",
}


@pytest.mark.parametrize(
    ("version", "options", "least"),
    [
        ("2.1.1", {}, 65),
        ("2.1.1", {"emsp": True}, 65),
        ("2.2.1", {}, 105),
        ("2.3.0", {}, 105),
        ("2.2.1", {"hub": True}, 105),
        ("2.3.0", {"hub": True}, 105),
    ],
    ids=str,
)
async def test_a_clean_platform_is_clean(write, version, options, least):
    report = await write(version, **options)

    assert [finding.as_json() for finding in report.findings] == []
    assert len(report.passed) > least


@pytest.mark.parametrize("what", PLANTED)
async def test_one_fault_is_one_finding(write, what):
    expected, plant = PLANTED[what]

    report = await write("2.2.1", plant=plant)

    assert ids_of(report) == {expected}
    assert all(finding.got and finding.mend for finding in report.findings)


@pytest.mark.parametrize("what", WRONG)
async def test_one_wrong_habit_is_one_finding(write, what):
    assert ids_of(await write("2.2.1", wrong=what)) == set(WRONG[what].split())


@pytest.mark.parametrize("what", HUBS)
async def test_one_wrong_habit_of_a_hub_is_one_finding(write, what):
    assert ids_of(await write("2.2.1", wrong=what, hub=True)) == {HUBS[what]}


@pytest.mark.parametrize(
    ("what", "emsp", "expected"),
    [
        ("writes tokens in the other form", False, "TRANSPORT-32"),
        ("keeps token A", False, "CRED-13"),
        ("merges on PUT", True, "TRANSPORT-08"),
        ("does not lift locations", True, "LOC-10"),
        ("forgets the rest on PATCH", True, "TRANSPORT-09"),
    ],
)
async def test_2_1_1_is_looked_at_as_well(write, what, emsp, expected):
    assert ids_of(await write("2.1.1", wrong=what, emsp=emsp)) == {expected}


async def test_a_platform_that_registers_nobody_is_not_examined_further(write):
    report = await write("2.2.1", plant=Plant(POST, says(3000)))

    assert "CRED-11" in ids_of(report)
    assert "the platform did not register us" in {one.skipped for one in report.skipped}


async def test_what_stays_says_where_it_came_from():
    async with Exemplary() as platform:
        await examine(
            Plan(platform.versions_url, platform.token_a, allow_private=True, callbacks=Callbacks())
        )

    assert {key[1:3] for key in platform.receiver.kept} == {("NL", "TST")}
    stayed = [key[3] for key in platform.receiver.kept] + list(platform.receiver.posted)
    assert len(stayed) > 20
    assert all(name.startswith("CONFORMANCE-") for name in stayed)
    assert platform.tokens == {}
