"""What holds for every module: how the hub writes its requests and answers, pages, refuses."""

import base64
from uuid import UUID

import pytest

from hub.ocpi.versions import VERSIONS
from tests.helpers import faults
from tests.helpers.documents import location, session, tariff, token
from tests.helpers.documents_2_1_1 import own_document
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


@pytest.mark.parametrize("kind", [None, "text/plain", "application/json; charset=utf-8", "x"])
async def test_a_body_is_read_whatever_its_type_is_said_to_be_TRANSPORT_06(cpo, kind):
    answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version=V), headers={"Content-Type": kind})

    assert answer.status_code == 1000


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
