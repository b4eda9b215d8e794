"""What holds for every module: how the hub writes its requests and answers, pages, refuses."""

import base64
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from hub.ocpi.versions import VERSIONS
from tests.helpers import faults
from tests.helpers.documents import cdr, evse, location, session, tariff, token
from tests.helpers.documents_2_1_1 import own_document
from tests.helpers.hub import RunningHub
from tests.helpers.partner import FakePartner

V = "2.2.1"
PATHS = {
    "locations": "locations/NL/ONE/L1",
    "tariffs": "tariffs/NL/ONE/T1",
    "sessions": "sessions/NL/ONE/S1",
}


async def test_everything_the_hub_sends_is_as_ocpi_wants_it_TRANSPORT_05_31_47(hub, cpo, emsp):
    """Handshake, pushes, forwarded requests: JSON, Base64, ids that are UUIDs (TRANSPORT-45)."""
    await cpo.put("locations/NL/ONE/L1", location(version=V))
    await cpo.put("sessions/NL/ONE/S1", session(version=V))
    await hub.deliver()
    await cpo.get("tokens", to=emsp)
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), to=emsp)

    assert len(emsp.requests) >= 6
    for request in emsp.requests:
        scheme, _, value = request.headers["Authorization"].partition(" ")
        token = base64.b64decode(value, validate=True).decode()
        assert (scheme, token.isascii(), token.isprintable()) == ("Token", True, True)
        assert str(UUID(request.headers["X-Request-ID"])) == request.headers["X-Request-ID"]
        if request.body is not None:
            assert request.headers["Content-Type"] == "application/json"
    ids = [request.headers["X-Request-ID"] for request in emsp.requests]
    assert len(set(ids)) == len(ids)
    [forwarded] = [one for one in emsp.received if one.path == "tariffs/NL/ONE/T1"]
    used = base64.b64decode(forwarded.headers["Authorization"].removeprefix("Token "))
    assert used.decode() == emsp.tokens.newest


@pytest.mark.parametrize("version", VERSIONS)
async def test_members_that_nobody_knows_are_no_reason_to_refuse_TRANSPORT_16(
    hub, partners, version
):
    partner = await partners.enter_async_context(FakePartner("FR*NEW CPO", versions=(version,)))
    body = own_document(version, "Location") | {"mood": {"is": ["good", None]}}
    body |= {"country_code": "FR", "party_id": "NEW"} if version != "2.1.1" else {}
    body["evses"][0]["connectors"][0]["colour"] = 7

    await hub.connect(partner)
    answer = await partner.put("locations/FR/NEW/L1", body)

    assert (answer.http_status, answer.status_code) == (201, 1000)


async def test_an_answer_may_hold_what_nobody_knows_TRANSPORT_16_TRANSPORT_72(
    hub, network, partners
):
    """``data`` where none is defined, null, and members beside it."""
    for number, extra in enumerate(({"data": {"kept": True}}, {"data": None}, {"mood": "good"})):
        emsp = await partners.enter_async_context(FakePartner(f"DE*T{number}X EMSP"))
        await network.connect(emsp)

        async def odd(request, proceed, extra=extra):
            await proceed()
            body = {"status_code": 1000, "timestamp": faults.TIMESTAMP} | extra
            return faults.web.json_response(body)

        emsp.fail(odd, on="PUT")
    await network.put("tariffs", tariff())

    await network.deliver()

    assert await network.setbacks() == []


async def test_the_url_of_every_endpoint_names_the_version_TRANSPORT_23(cpo):
    assert cpo.endpoints
    assert all("/2.2.1/" in url for url in cpo.endpoints.values())


# Pages.


@pytest.fixture
async def small(postgres, data_dir, tenant):
    """A hub with three objects to a page, a CPO with five tariffs and an eMSP."""
    hub = RunningHub(postgres.url, data_dir, tenant.id, page_limit=3)
    await hub.start()
    async with FakePartner("NL*ONE CPO") as cpo, FakePartner("DE*TWO EMSP") as emsp:
        await hub.connect(cpo)
        await hub.connect(emsp)
        for n in range(5):
            sent = tariff(version=V, id=f"T{n}", last_updated=f"2025-03-0{n + 1}T00:00:00Z")
            await cpo.put(f"tariffs/NL/ONE/T{n}", sent)
        yield emsp
    await hub.stop()


def ids(answer):
    return [one["id"] for one in answer.data]


async def test_a_page_begins_and_ends_where_it_is_asked_to_TRANSPORT_55(small):
    assert ids(await small.get("tariffs")) == ["T0", "T1", "T2"]
    assert ids(await small.get("tariffs", params={"offset": 3})) == ["T3", "T4"]
    assert ids(await small.get("tariffs", params={"offset": 1, "limit": 2})) == ["T1", "T2"]
    assert ids(await small.get("tariffs", params={"offset": 9})) == []


async def test_the_limit_told_is_the_hubs_where_more_is_asked_for_TRANSPORT_59(small):
    """Also when fewer are left; the Link keeps to it."""
    first = await small.get("tariffs", params={"limit": 1000})
    last = await small.get("tariffs", params={"limit": 1000, "offset": 4})

    assert (len(first.data), first.headers["X-Limit"]) == (3, "3")
    assert (len(last.data), last.headers["X-Limit"]) == (1, "3")
    assert query_of(first)["limit"] == ["3"]


async def test_the_link_repeats_the_filters_TRANSPORT_60(small):
    span = {"date_from": "2025-03-02T00:00:00Z", "date_to": "2025-03-05T00:00:00Z"}
    answer = await small.get("tariffs", params=span | {"limit": 2})

    assert ids(answer) == ["T1", "T2"]
    query = query_of(answer)
    assert {name: query[name] for name in span} == {name: [span[name]] for name in span}
    assert (query["offset"], query["limit"]) == (["2"], ["2"])
    following = await small.get(url_of(answer))
    assert ids(following) == ["T3"]
    assert "Link" not in following.headers


def url_of(answer):
    return answer.headers["Link"].split(">")[0].lstrip("<")


def query_of(answer):
    return parse_qs(urlsplit(url_of(answer)).query)


# Answers.


async def test_data_is_what_the_result_is_TRANSPORT_70(cpo, emsp):
    """A list, an object, a string; and nothing where nothing is defined (TRANSPORT-72)."""
    put = await cpo.put("locations/NL/ONE/L1", location(version=V))
    patched = await cpo.patch(
        "locations/NL/ONE/L1", {"name": "New", "last_updated": "2025-07-01T00:00:00Z"}
    )
    await cpo.put("sessions/NL/ONE/S1", session(version=V))

    listed = await emsp.get("locations")
    one = await emsp.get("locations/L1")
    told = await emsp.put("sessions/S1/charging_preferences", {"profile_type": "FAST"})

    assert "data" not in put.json
    assert "data" not in patched.json
    assert isinstance(listed.data, list)
    assert isinstance(one.data, dict)
    assert told.data == "ACCEPTED"


@pytest.mark.parametrize(
    "path",
    [
        *(path for path in PATHS.values()),
        "locations/NL/ONE/L1/E1",
        "locations/NL/ONE/L1/E1/1",
        "cdrs/NL/ONE/C1",
    ],
)
async def test_what_is_not_there_is_404_TRANSPORT_82(cpo, path):
    answer = await cpo.get(path, side="RECEIVER")

    assert answer.http_status == 404
    assert 2000 <= answer.status_code < 3000


async def test_what_no_owner_has_is_404_TRANSPORT_82(emsp):
    for path in ("locations/L1", "locations/L1/E1", "locations/L1/E1/1"):
        assert (await emsp.get(path)).http_status == 404
    assert (await emsp.get("tokens/DE/TWO/1", side="RECEIVER")).http_status == 404


async def test_failures_of_routing_are_4001_to_4003_in_http_200_TRANSPORT_86(cpo, emsp):
    body = tariff(version=V)
    unknown = await cpo.put("tariffs/NL/ONE/T1", body, to="XX*YYY")
    emsp.fail(faults.slow(30))
    late = await cpo.put("tariffs/NL/ONE/T1", body, to=emsp, headers={"X-Request-Timeout": "0.2"})
    emsp.heal()
    emsp.fail(faults.html())
    broken = await cpo.put("tariffs/NL/ONE/T1", body, to=emsp)
    await emsp.stop_listening()
    away = await cpo.put("tariffs/NL/ONE/T1", body, to=emsp)

    answers = (unknown, late, broken, away)
    assert [answer.status_code for answer in answers] == [4001, 4002, 4000, 4003]
    assert {answer.http_status for answer in answers} == {200}


async def test_refusals_of_a_broadcast_stay_with_the_hub_HUB_25(hub, cpo, emsp):
    emsp.fail(faults.refuse(2001, "not today"), on="PUT")

    answer = await cpo.put("locations/NL/ONE/L1", location(version=V), to="NL*HUB")
    await hub.deliver()
    again = await cpo.put("locations/NL/ONE/L1", location(version=V), to="NL*HUB")

    assert (answer.status_code, again.status_code) == (1000, 1000)
    assert len(emsp.requests) > 2
    assert cpo.received == []


# What the URL says and what the body says.


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("locations/NL/ONE/L2", location(version=V)),
        ("locations/NL/ONE/L1/E2", evse(version=V)),
        ("tariffs/NL/ONE/T2", tariff(version=V)),
        ("sessions/NL/ONE/S2", session(version=V)),
    ],
)
async def test_an_id_that_is_not_the_one_in_the_url_is_2001_MOD_03(cpo, path, body):
    await cpo.put("locations/NL/ONE/L1", location(version=V))

    answer = await cpo.put(path, body)

    assert (answer.http_status, answer.status_code) == (200, 2001)


async def test_a_uid_that_is_not_the_one_in_the_url_is_2001_MOD_03(emsp):
    answer = await emsp.put("tokens/DE/TWO/OTHER", token())

    assert (answer.http_status, answer.status_code) == (200, 2001)


@pytest.mark.parametrize(
    "patch", [{"id": "L9"}, {"country_code": "BE"}, {"party_id": "XXX"}], ids=str
)
async def test_what_an_object_is_found_by_does_not_change_LOC_08(cpo, emsp, patch):
    await cpo.put("locations/NL/ONE/L1", location(version=V))

    stamp = {"last_updated": "2026-01-01T00:00:00Z"}
    answer = await cpo.patch("locations/NL/ONE/L1", patch | stamp)

    assert (answer.http_status, answer.status_code) == (200, 2001)
    assert (await emsp.get("locations")).data == [location(version=V)]


async def test_evses_end_by_their_status_and_nothing_is_deleted_LOC_02(hub, cpo, emsp):
    await cpo.put("locations/NL/ONE/L1", location(version=V))
    await hub.deliver()

    removed = {"status": "REMOVED", "last_updated": "2026-01-01T00:00:00Z"}
    answer = await cpo.patch("locations/NL/ONE/L1/E1", removed)
    await hub.deliver()
    deleted = [
        await cpo.delete(path)
        for path in ("locations/NL/ONE/L1", "locations/NL/ONE/L1/E1", "locations/NL/ONE/L1/E1/1")
    ]

    assert answer.status_code == 1000
    assert emsp.objects["locations/NL/ONE/L1"]["evses"][0]["status"] == "REMOVED"
    assert {one.http_status for one in deleted} == {405}
    assert len((await emsp.get("locations/L1")).data["evses"]) == 2


async def test_a_session_is_patched_as_a_whole_SES_13(cpo, emsp):
    await cpo.put("sessions/NL/ONE/S1", session(version=V))
    stamp = "2026-01-01T00:00:00Z"

    deeper = await cpo.patch("sessions/NL/ONE/S1/charging_periods", {"last_updated": stamp})
    dateless = await cpo.patch("sessions/NL/ONE/S1", {"kwh": 9})
    whole = await cpo.patch("sessions/NL/ONE/S1", {"kwh": 9, "last_updated": stamp})

    assert deeper.http_status == 404
    assert dateless.status_code == 2001
    assert whole.status_code == 1000


async def test_too_little_to_decide_on_is_relayed_as_2002_TOK_11(cpo, emsp):
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token())
    emsp.fail(faults.refuse(2002, "where?"), on="authorize")

    answer = await cpo.post(f"tokens/{token()['uid']}/authorize")

    assert (answer.http_status, answer.status_code) == (200, 2002)
    assert answer.message == "where?"


async def test_cdrs_have_36_characters_and_credits_three_more_CDR_07(cpo, emsp):
    long, longer = "C" * 36, "C" * 36 + "-CR"
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token())

    normal = await cpo.post("cdrs", cdr(version=V, id=long))
    credit = await cpo.post(
        "cdrs", cdr(version=V, id=longer, credit=True, credit_reference_id=long)
    )
    too_long = await cpo.post("cdrs", cdr(version=V, id="C" * 40))

    assert (normal.status_code, credit.status_code, too_long.status_code) == (1000, 1000, 2001)
    assert [one["id"] for one in (await emsp.get("cdrs")).data] == [long, longer]


async def test_neither_hours_nor_states_decide_about_a_token_TOK_13(cpo, emsp):
    """Where the hub decides in the place of an issuer that is silent."""
    shut = {"twentyfourseven": False, "regular_hours": [], "exceptional_closings": []}
    broken = evse(version=V, status="OUTOFORDER")
    closed = location(version=V, opening_times=shut, evses=[broken])
    await cpo.put("locations/NL/ONE/L1", closed)
    await emsp.put(f"tokens/DE/TWO/{token()['uid']}", token(whitelist="ALLOWED_OFFLINE"))
    await emsp.stop_listening()

    asked = {"location_id": "L1", "evse_uids": ["E1"]}
    answer = await cpo.post(f"tokens/{token()['uid']}/authorize", asked)

    assert answer.data["allowed"] == "ALLOWED"


async def test_the_hubs_logo_is_large_enough_LOC_24(hub, cpo):
    url = cpo.hub_credentials["roles"][0]["business_details"]["logo"]["url"]

    answer = await cpo.call("GET", url, headers={"Authorization": None}, routed=False)

    assert 'width="512" height="512"' in answer.text


@pytest.mark.parametrize("kind", [None, "text/plain", "application/json; charset=utf-8", "x"])
async def test_a_body_is_read_whatever_its_type_is_said_to_be_TRANSPORT_06(cpo, kind):
    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), headers={"Content-Type": kind})

    assert answer.status_code == 1000


async def test_links_lead_to_the_public_url_whoever_the_caller_takes_it_for_TRANSPORT_66(small):
    answer = await small.get("tariffs", headers={"Host": "elsewhere.example"})

    assert urlsplit(url_of(answer)).netloc == urlsplit(small.endpoints["tariffs", "SENDER"]).netloc


async def test_urls_have_255_characters_at_most_TRANSPORT_92(cpo):
    def with_url(length):
        url = "https://one.example/".ljust(length, "x")
        return tariff(version=V, tariff_alt_url=url)

    longest = await cpo.put("tariffs/NL/ONE/T1", with_url(255))
    too_long = await cpo.put("tariffs/NL/ONE/T1", with_url(256))

    assert (longest.status_code, too_long.status_code) == (1000, 2001)


async def test_what_is_not_set_is_left_out_TRANSPORT_99(cpo, emsp):
    await cpo.put("tariffs/NL/ONE/T1", tariff(version=V, min_price=None, energy_mix=None))

    [listed] = (await emsp.get("tariffs")).data
    assert not {"min_price", "energy_mix"} & listed.keys()


async def test_what_comes_late_is_missed_by_filters_and_told_by_pushes_HUB_43_AMB_24(
    hub, cpo, emsp
):
    late = tariff(version=V, last_updated="2020-01-01T00:00:00Z")
    await cpo.put("tariffs/NL/ONE/T1", late)
    await hub.deliver()

    filtered = await emsp.get("tariffs", params={"date_from": "2024-01-01T00:00:00Z"})

    assert filtered.data == []
    assert [push.body for push in emsp.received] == [late]


async def test_the_type_of_a_token_may_be_said_by_its_body_alone_AMB_40(emsp):
    app = token(type="APP_USER", whitelist="NEVER")
    path = f"tokens/DE/TWO/{app['uid']}"

    answer = await emsp.put(path, app)

    assert answer.status_code == 1000
    assert (await emsp.get(path, side="RECEIVER")).http_status == 404
    typed = await emsp.get(path, side="RECEIVER", params={"type": "APP_USER"})
    assert typed.data == app
