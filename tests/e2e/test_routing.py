"""Requests between parties: every row of the header matrix, with real platforms at both ends.

The matrix is that of OCPI's "Overview of required/optional routing headers" (HUB-10 … HUB-54).
"""

import asyncio

import pytest

from tests.helpers import faults
from tests.helpers.documents import cdr, location, session, tariff, token
from tests.helpers.partner import FakePartner

V = "2.2.1"
HUB = ("NL", "HUB")
CPO = ("NL", "ONE")
EMSP = ("DE", "TWO")


def parties(headers) -> dict:
    """Who is named in the routing headers: to and from."""
    found = {}
    for direction in ("to", "from"):
        country = headers.get(f"OCPI-{direction}-country-code")
        party = headers.get(f"OCPI-{direction}-party-id")
        found[direction] = (country, party) if country or party else None
    return found


# The matrix, row by row.


async def test_row_via_hub_platform_to_platform_HUB_10_HUB_14(cpo, emsp):
    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to=emsp)

    [push] = emsp.received
    assert parties(push.headers) == {"to": EMSP, "from": CPO}
    assert parties(answer.headers) == {"to": CPO, "from": EMSP}


async def test_row_broadcast_push_HUB_20_HUB_24(hub, cpo, emsp):
    """HUB-27; AMB-15: answered before anybody is told."""
    answer = await cpo.put("locations/NL/ONE/L1", location(version=V), to="NL*HUB")
    await hub.deliver()

    assert parties(answer.headers) == {"to": CPO, "from": HUB}
    [push] = emsp.received
    assert parties(push.headers) == {"to": EMSP, "from": HUB}
    assert push.path == "locations/NL/ONE/L1"


async def test_row_open_routing_HUB_33(hub, cpo, emsp):
    answer = await cpo.put("sessions/NL/ONE/S1", session(version=V))
    await hub.deliver()

    [push] = emsp.received
    assert parties(push.headers) == {"to": EMSP, "from": CPO}
    assert parties(answer.headers) == {"to": CPO, "from": EMSP}


async def test_row_get_all_HUB_30(cpo, emsp):
    """HUB-31: the CPO is not asked."""
    await cpo.put("locations/NL/ONE/L1", location(version=V))

    answer = await emsp.get("locations", to="NL*HUB")

    assert parties(answer.headers) == {"to": EMSP, "from": HUB}
    assert [one["party_id"] for one in answer.data] == ["ONE"]


async def test_a_list_without_receiver_is_get_all_HUB_34(cpo, emsp):
    """AMB-17."""
    await cpo.put("locations/NL/ONE/L1", location(version=V))

    answer = await emsp.get("locations")

    assert parties(answer.headers)["from"] == HUB
    assert len(answer.data) == 1


async def test_configuration_modules_carry_no_routing_headers_HUB_12(hub, cpo, emsp):
    answer = await cpo.get("credentials")
    versions = await cpo.call("GET", hub.versions_url, routed=False)

    assert parties(answer.headers) == {"to": None, "from": None}
    assert parties(versions.headers) == {"to": None, "from": None}


# Ids, bytes, statuses.


async def test_a_new_request_id_and_the_same_correlation_id_TRANSPORT_48(cpo, emsp):
    ids = {"X-Request-ID": "mine", "X-Correlation-ID": "joined"}
    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to=emsp, headers=ids)

    [push] = emsp.received
    assert push.headers["X-Correlation-ID"] == "joined"
    assert push.headers["X-Request-ID"] not in {"mine", "joined"}
    assert (answer.headers["X-Request-ID"], answer.headers["X-Correlation-ID"]) == (
        "mine",
        "joined",
    )


async def test_between_equal_versions_the_bytes_are_untouched(cpo, emsp):
    """Blanks, number forms and unknown members arrive as they left. BRIDGE-01."""
    raw = (
        b'{ "country_code":"NL","party_id":"ONE", "id":"T1","currency":"EUR",'
        b'"elements":[{"price_components":[{"type":"ENERGY","price":0.250,"step_size":1}]}],'
        b'"odd" : 1.10e1 ,"last_updated":"2025-01-01T00:00:00Z"}'
    )
    seen = []

    async def look(request, proceed):
        seen.append(await request.read())
        return await proceed()

    emsp.fail(look, on="tariffs")
    answer = await cpo.put("tariffs/NL/ONE/T1", raw, to=emsp)

    assert answer.status_code == 1000
    assert seen == [raw]


async def test_between_versions_the_body_is_translated_HUB_50(hub, cpo, partners):
    newer = await partners.enter_async_context(FakePartner("FR*NEW EMSP", versions=("2.3.0",)))
    await hub.connect(newer)

    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to=newer)

    [push] = newer.received
    assert push.body["tax_included"] == "NO"
    assert push.body["min_price"] == {"before_taxes": 0.5, "after_taxes": 0.605}


async def test_an_addressed_request_is_not_stored(cpo, emsp):
    """HUB-51."""
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to=emsp)

    assert (await emsp.get("tariffs")).data == []


async def test_the_receivers_refusal_is_relayed_as_its_own_TRANSPORT_85(cpo, emsp):
    emsp.fail(faults.refuse(2001, "no such currency"))

    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to=emsp)

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert answer.message == "no such currency"
    assert parties(answer.headers)["from"] == EMSP


async def test_a_get_reaches_the_party_and_its_pages_lead_back_through_the_hub_HUB_41(
    hub, cpo, emsp
):
    """AMB-13."""
    cpo.own["tariffs"] = [tariff(version=V, id=f"T{n}") for n in range(5)]
    cpo.page_limit = 2

    seen, url, params = [], "tariffs", {"date_from": "2020-01-01T00:00:00Z"}
    while url:
        answer = await emsp.get(url, params=params, to=cpo)
        assert answer.status_code == 1000, answer.text
        assert parties(answer.headers) == {"to": EMSP, "from": CPO}
        assert answer.headers["X-Total-Count"] == "5"
        seen += [one["id"] for one in answer.data]
        link = answer.headers.get("Link", "")
        url, params = link.split(">")[0].lstrip("<") or None, None
        assert url is None or (url.startswith(hub.url) and str(cpo.port) not in url)

    assert seen == [f"T{n}" for n in range(5)]


async def test_a_link_is_only_for_whom_it_was_given_to_HUB_41(hub, cpo, emsp, partners):
    stranger = await partners.enter_async_context(FakePartner("FR*ZZZ EMSP"))
    await hub.connect(stranger)
    cpo.own["tariffs"] = [tariff(version=V, id=f"T{n}") for n in range(5)]
    cpo.page_limit = 2
    link = (await emsp.get("tariffs", to=cpo)).headers["Link"].split(">")[0].lstrip("<")

    answer = await stranger.get(link)

    assert (answer.http_status, answer.status_code) == (404, 2001)


async def test_the_location_of_a_forwarded_cdr_is_the_hubs_and_leads_to_it_CDR_05(hub, cpo, emsp):
    answer = await cpo.post("cdrs", cdr(version=V), to=emsp)

    url = answer.headers["Location"]
    assert url.startswith(hub.url)
    assert (await cpo.get(url)).data == cdr(version=V)


async def test_one_object_is_found_without_naming_its_owner_HUB_33(cpo, emsp):
    await cpo.put("locations/NL/ONE/L1", location(version=V))

    answer = await emsp.get("locations/L1")

    assert answer.data["id"] == "L1"
    assert parties(answer.headers) == {"to": EMSP, "from": CPO}


async def test_two_owners_of_one_id_are_never_guessed_between_AMB_18(hub, cpo, emsp, partners):
    other = await partners.enter_async_context(FakePartner("BE*ONE CPO"))
    await hub.connect(other)
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V))
    await cpo.put("locations/NL/ONE/L1", location(version=V))
    await other.put("locations/BE/ONE/L1", location(version=V, country_code="BE"))

    answer = await emsp.get("locations/L1")

    assert (answer.http_status, answer.status_code) == (200, 4000)


# When it cannot be passed on.


async def test_an_unknown_receiver_is_4001_HUB_45(cpo):
    """AMB-05."""
    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to="XX*YYY")

    assert (answer.http_status, answer.status_code) == (200, 4001)
    assert parties(answer.headers)["to"] == CPO


async def test_a_receiver_without_the_module_is_4001_HUB_54(hub, cpo, partners):
    small = await partners.enter_async_context(FakePartner("FR*SML EMSP"))
    small.without_modules.add(("tariffs", "RECEIVER"))
    await hub.connect(small)

    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to=small)

    assert answer.status_code == 4001
    assert "tariffs" in answer.message


async def test_no_answer_in_time_is_4002_HUB_45(cpo, emsp):
    emsp.fail(faults.slow(30))

    answer = await cpo.put(
        "tariffs/NL/ONE/T1", tariff(version=V), to=emsp, headers={"X-Request-Timeout": "0.3"}
    )

    assert (answer.http_status, answer.status_code) == (200, 4002)


async def test_the_receiver_is_told_how_long_the_caller_waits_HUB_46(cpo, emsp):
    """For it may be a hub itself; nobody is told anything where the caller said nothing."""
    for headers in ({"X-Request-Timeout": "4"}, {}):
        await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to=emsp, headers=headers)

    told, not_told = (push.headers.get("X-Request-Timeout") for push in emsp.received)
    assert 0 < float(told) <= 4
    assert not_told is None


async def test_a_receiver_that_cannot_be_reached_is_4003_HUB_45(cpo, emsp):
    await emsp.stop_listening()

    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to=emsp)

    assert (answer.http_status, answer.status_code) == (200, 4003)


async def test_a_receiver_that_has_not_registered_yet_is_4003_HUB_45(hub, cpo, partners):
    """HCI-06: others are told that it is PLANNED; 4001 would mean that nobody knows it."""
    planned = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    await hub.invite(planned)

    answers = [
        await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to=to) for to in (planned, "DE*XXX")
    ]

    assert [(answer.http_status, answer.status_code) for answer in answers] == [
        (200, 4003),
        (200, 4001),
    ]
    assert answers[0].message == "DE*TWO is not connected."


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (faults.http(401), 4003),
        (faults.http(403), 4003),
        (faults.http(502, "bad gateway"), 4000),
        (faults.http(200, "<html>login</html>", content_type="text/html"), 4000),
    ],
)
async def test_a_broken_answer_becomes_the_hubs_own_error_HUB_47(cpo, emsp, fault, expected):
    emsp.fail(fault)

    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to=emsp)

    assert (answer.http_status, answer.status_code) == (200, expected)


async def test_a_get_that_got_nowhere_is_tried_once_more_and_a_post_never_HUB_46(cpo, emsp):
    cpo.own["tariffs"] = [tariff(version=V)]
    cpo.fail(faults.vanish(), on="GET", times=1)
    emsp.fail(faults.vanish(), on="POST", times=1)

    read = await emsp.get("tariffs", to=cpo)
    written = await cpo.post("cdrs", cdr(version=V), to=emsp)

    assert len(read.data) == 1
    assert written.status_code == 4003
    assert "cdrs" not in {path.split("/")[0] for path in emsp.objects}


# Who may say what.


async def test_a_sender_that_is_not_on_the_platform_is_refused_HUB_44_T_01(hub, cpo, emsp):
    """TRANSPORT-41."""
    answers = [
        await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), from_=("DE", "TWO")),
        await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), from_=("DE", "TWO"), to=emsp),
        await cpo.get("tokens", from_=("NL", "HUB")),
    ]
    await hub.deliver()

    assert {(answer.http_status, answer.status_code) for answer in answers} == {(403, 2001)}
    assert emsp.received == []


async def test_nobody_pushes_for_somebody_else_T_02(hub, cpo, emsp, partners):
    """TRANSPORT-63, MOD-02."""
    other = await partners.enter_async_context(FakePartner("BE*OTH CPO"))
    await hub.connect(other)
    foreign = tariff(version=V, country_code="BE", party_id="OTH")

    for to in (None, emsp):
        url = await cpo.put("tariffs/BE/OTH/T1", foreign, to=to)
        body = await cpo.put("tariffs/NL/ONE/T1", foreign, to=to)

        assert (url.http_status, url.status_code) == (404, 2001)
        assert (body.http_status, body.status_code) == (200, 2001)
    await hub.deliver()
    assert emsp.received == []


async def test_a_cdr_of_somebody_else_is_refused_T_04(cpo, emsp):
    for to in (None, emsp):
        answer = await cpo.post("cdrs", cdr(version=V, party_id="OTH"), to=to)

        assert answer.status_code == 2001
    assert emsp.received == []


async def test_an_emsp_may_not_push_what_a_cpo_owns(emsp):
    answer = await emsp.put(
        "tariffs/DE/TWO/T1", tariff(version=V, country_code="DE", party_id="TWO")
    )

    assert (answer.http_status, answer.status_code) == (404, 2001)


@pytest.mark.parametrize("half", ["OCPI-to-party-id", "OCPI-to-country-code"])
async def test_half_an_address_is_2001_HUB_16(cpo, half):
    answer = await cpo.put(
        "tariffs/NL/ONE/T1", tariff(version=V), headers={half: "NL"[: len(half)]}
    )

    assert answer.status_code == 2001


async def test_empty_routing_headers_count_as_absent(cpo):
    empty = {"OCPI-to-party-id": "", "OCPI-to-country-code": ""}

    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), headers=empty)

    assert answer.status_code == 1000


async def test_without_sender_the_only_party_is_meant_HUB_15(hub, cpo, emsp, partners):
    both = await partners.enter_async_context(
        FakePartner("NL*AAA CPO", "NL*BBB EMSP", "NL*CCC CPO")
    )
    await hub.connect(both)

    alone = await cpo.get("tokens", from_=None)
    by_body = await both.post("cdrs", cdr(version=V, party_id="CCC"), from_=None)
    by_url = await both.put("tariffs/NL/AAA/T1", tariff(version=V, party_id="AAA"), from_=None)
    unclear = await both.get("tokens", from_=None, to=cpo)

    assert parties(alone.headers)["to"] == CPO
    assert (by_url.status_code, by_body.status_code) == (1000, 1000)
    assert parties(by_body.headers)["to"] == ("NL", "CCC")
    assert unclear.status_code == 2001


async def test_routing_headers_are_read_in_any_case_HUB_10(cpo, emsp):
    small = {"ocpi-to-party-id": "two", "ocpi-to-country-code": "de"}

    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), headers=small)

    assert parties(answer.headers)["from"] == EMSP
    assert len(emsp.received) == 1


async def test_a_get_cannot_be_broadcast_HUB_21(cpo):
    answer = await cpo.get("tariffs/NL/ONE/T1", side="RECEIVER", to="NL*HUB")

    assert answer.status_code == 2001


async def test_sessions_and_cdrs_are_not_broadcast_HUB_23(hub, cpo, emsp):
    put = await cpo.put("sessions/NL/ONE/S1", session(version=V), to="NL*HUB")
    post = await cpo.post("cdrs", cdr(version=V), to="NL*HUB")
    await hub.deliver()

    assert (put.status_code, post.status_code) == (2001, 2001)
    assert emsp.received == []


# Real-time authorization and charging preferences, routed by what they speak of.


async def test_the_issuer_is_asked_whether_a_token_may_charge_TOK_10_TOK_12(cpo, emsp):
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token())
    emsp.own["tokens"] = [token()]

    answer = await cpo.post(f"tokens/{token()['uid']}/authorize", {"location_id": "L1"})

    assert answer.data["allowed"] == "ALLOWED"
    assert answer.data["token"] == token()
    assert parties(answer.headers) == {"to": CPO, "from": EMSP}
    [asked] = [push for push in emsp.requests if push.path.endswith("authorize")]
    assert parties(asked.headers) == {"to": EMSP, "from": CPO}
    assert asked.body == {"location_id": "L1"}


@pytest.mark.parametrize("name", ["type", "token_type"])
async def test_a_contract_leads_to_its_issuer_HUB_35(cpo, emsp, name):
    answer = await cpo.post("tokens/DE-TWO-C12345678-X/authorize", params={name: "EMAID"})

    # The issuer was asked, and knows no such contract.
    assert (answer.http_status, answer.status_code) == (404, 2004)
    assert [push.path for push in emsp.requests if push.path.endswith("authorize")] == [
        "tokens/DE-TWO-C12345678-X/authorize"
    ]


@pytest.mark.parametrize("body", [None, b"", b"null", b"{}"])
async def test_authorize_needs_no_body_TOK_15(cpo, emsp, body):
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token())
    emsp.own["tokens"] = [token()]

    answer = await cpo.post(f"tokens/{token()['uid']}/authorize", body)

    assert answer.data["allowed"] == "ALLOWED"
    [asked] = [push for push in emsp.requests if push.path.endswith("authorize")]
    assert asked.text == ""


async def test_an_unknown_token_is_404_and_2004_TOK_20(cpo):
    """AMB-04."""
    answer = await cpo.post("tokens/NOBODYS/authorize")

    assert (answer.http_status, answer.status_code) == (404, 2004)
    assert answer.data is None


@pytest.mark.parametrize(
    ("whitelist", "valid", "allowed"),
    [
        ("ALLOWED_OFFLINE", True, "ALLOWED"),
        ("ALLOWED", True, "ALLOWED"),
        ("NEVER", True, "NOT_ALLOWED"),
        ("ALLOWED", False, "NOT_ALLOWED"),
    ],
)
async def test_when_the_issuer_is_silent_the_whitelist_decides_TOK_16(
    cpo, emsp, whitelist, valid, allowed
):
    sent = token(whitelist=whitelist, valid=valid)
    await emsp.put(f"tokens/DE/TWO/{sent['uid']}", sent)
    await emsp.stop_listening()

    answer = await cpo.post(f"tokens/{sent['uid']}/authorize")

    assert answer.status_code == 1000
    assert answer.data["allowed"] == allowed
    assert answer.data["token"] == sent
    assert parties(answer.headers)["from"] == HUB


async def test_addressed_to_a_silent_issuer_it_is_4003(cpo, emsp):
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token())
    await emsp.stop_listening()

    answer = await cpo.post(f"tokens/{token()['uid']}/authorize", to=emsp)

    assert answer.status_code == 4003


async def test_charging_preferences_go_to_the_cpo_of_the_session_SES_09(cpo, emsp):
    """AMB-12: a Sender interface that receives."""
    await cpo.put("sessions/NL/ONE/S1", session(version=V))

    wish = {"profile_type": "FAST"}
    answer = await emsp.put("sessions/S1/charging_preferences", wish)

    assert answer.data == "ACCEPTED"
    [asked] = [push for push in cpo.requests if push.path.endswith("charging_preferences")]
    assert parties(asked.headers) == {"to": CPO, "from": EMSP}
    assert asked.body == wish


async def test_preferences_for_a_session_of_others_are_404(hub, cpo, emsp, partners):
    stranger = await partners.enter_async_context(FakePartner("FR*ZZZ EMSP"))
    await hub.connect(stranger)
    await cpo.put("sessions/NL/ONE/S1", session(version=V))

    answer = await stranger.put("sessions/S1/charging_preferences", {"profile_type": "FAST"})

    assert (answer.http_status, answer.status_code) == (404, 2001)


# One receiver does not hold up the others.


async def test_a_slow_receiver_slows_nobody_else(hub, cpo, emsp, partners):
    quick = await partners.enter_async_context(FakePartner("FR*QCK EMSP"))
    await hub.connect(quick)
    go = asyncio.Event()
    emsp.fail(faults.hold(go))

    waiting = [
        asyncio.create_task(cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to=emsp))
        for _ in range(40)
    ]
    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to=quick)
    still_waiting = [task for task in waiting if not task.done()]
    go.set()
    answers = await asyncio.gather(*waiting)

    assert answer.status_code == 1000
    assert len(still_waiting) == 40
    assert {answer.status_code for answer in answers} == {1000}
