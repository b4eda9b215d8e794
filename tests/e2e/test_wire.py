"""What every request and answer has in common: tokens, ids, envelopes, status codes."""

from urllib.parse import quote

import pytest

from tests.helpers.documents import tariff

V = "2.2.1"


async def test_message_ids_come_back_TRANSPORT_45_46(cpo):
    """AMB-47."""
    headers = {"X-Request-ID": "request-1", "X-Correlation-ID": "correlation-1"}

    answer = await cpo.get("tariffs", headers=headers)

    assert answer.headers["X-Request-ID"] == "request-1"
    assert answer.headers["X-Correlation-ID"] == "correlation-1"


@pytest.mark.parametrize("bad", [None, "", "x" * 300, "täg"])
async def test_missing_or_odd_message_ids_are_replaced_TRANSPORT_49(cpo, bad):
    answer = await cpo.get("tariffs", headers={"X-Request-ID": bad})

    assert answer.status_code == 1000
    assert len(answer.headers["X-Request-ID"]) == 36


async def test_an_unknown_token_is_401_with_an_envelope_TRANSPORT_38(cpo):
    for header in (None, "Token bm9wZQ==", "Bearer x", "Token", "Basic YTpi"):
        answer = await cpo.get("tariffs", headers={"Authorization": header})

        assert (answer.http_status, answer.status_code) == (401, 2000)
        assert answer.data is None


async def test_a_raw_token_is_understood_as_well_TRANSPORT_34(cpo):
    for scheme in ("Token", "token", "TOKEN"):
        header = f"{scheme} {cpo.tokens.to_hub}"

        assert (await cpo.get("tariffs", headers={"Authorization": header})).status_code == 1000


async def test_a_body_that_is_no_json_is_400_TRANSPORT_80(cpo):
    for body in (b"{", b"", b"[1,", b'{"a": NaN}', b"\xff\xfe", b'{"a":1,"a":2}'):
        answer = await cpo.put("tariffs/NL/ONE/T1", body)

        assert (answer.http_status, answer.status_code) == (400, 2000), body


async def test_a_body_of_another_shape_is_2001_TRANSPORT_81(cpo):
    """AMB-03."""
    for body in (b"[]", b'"text"', b"1", b"null", b"[{},{}]"):
        answer = await cpo.put("tariffs/NL/ONE/T1", body)

        assert (answer.http_status, answer.status_code) == (200, 2001), body


async def test_a_single_object_in_a_list_is_taken(cpo):
    answer = await cpo.put("tariffs/NL/ONE/T1", [tariff(version=V)])

    assert (answer.http_status, answer.status_code) == (201, 1000)


async def test_what_is_not_there_is_404_and_what_is_not_offered_405(hub, cpo):
    """TRANSPORT-03, TRANSPORT-04, TAR-01."""
    nowhere = await cpo.call("GET", f"{hub.url}/ocpi/2.2.1/receiver/nothing/here")
    version = await cpo.call("GET", f"{hub.url}/ocpi/9.9.9/sender/tariffs")
    method = await cpo.call("POST", cpo.endpoints["tariffs", "RECEIVER"] + "/NL/ONE/T1", body={})

    assert (nowhere.http_status, nowhere.status_code) == (404, 2000)
    assert version.http_status == 404
    assert (method.http_status, method.status_code) == (405, 2000)
    assert set(method.headers["Allow"].split(", ")) == {"DELETE", "GET", "PUT"}


async def test_a_slash_at_the_end_makes_no_difference_TRANSPORT_22(cpo):
    put = await cpo.put("tariffs/NL/ONE/T1/", tariff(version=V))
    get = await cpo.get("tariffs/NL/ONE/T1", side="RECEIVER")

    assert (put.status_code, get.status_code) == (1000, 1000)


async def test_ids_may_hold_anything_that_can_be_escaped_TRANSPORT_22(cpo, emsp):
    put = await cpo.put(f"tariffs/NL/ONE/{quote('A/B %', safe='')}", tariff(version=V, id="A/B %"))

    assert put.status_code == 1000, put.text
    assert [one["id"] for one in (await emsp.get("tariffs")).data] == ["A/B %"]


async def test_anonymous_callers_learn_nothing(hub, cpo):
    """T-09: whatever the path looks like, nobody gets anything but 401 or 404."""
    base = f"{hub.url}/ocpi"
    for path in (
        "/2.2.1/sender/tariffs?x=credentials",
        "/2.2.1/receiver/tariffs/NL/ONE/T1",
        "/versions/../2.2.1/sender/tariffs",
        "//versions",
        "/2.2.1/sender/tariffs;credentials",
        "/%76ersions",
        "/2.2.1/%2e%2e/versions",
        "/nothing",
    ):
        answer = await cpo.call("GET", base + path, headers={"Authorization": None})

        assert answer.http_status in {401, 404}, path
        assert answer.data is None


async def test_compressed_bodies_are_refused_T_21(cpo):
    """AMB-50."""
    answer = await cpo.put("tariffs/NL/ONE/T1", b"\x1f\x8b", headers={"Content-Encoding": "gzip"})

    assert answer.http_status == 400


async def test_large_bodies_are_refused_before_they_are_read(hub, cpo):
    answer = await cpo.put("tariffs/NL/ONE/T1", b" " * (hub.settings.max_body_bytes + 1))

    assert (answer.http_status, answer.status_code) == (413, 2000)
