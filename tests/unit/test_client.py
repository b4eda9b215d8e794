"""What the hub makes of a partner's answer, and how it builds the URLs it calls."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from hub.ocpi.client import Answer, join_url, with_query


def answer(http_status: int = 200, content: object = None, **headers: str) -> Answer:
    """``content`` is written as JSON unless it is bytes."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return Answer(http_status, CIMultiDictProxy(named), body)


def envelope(status_code: int, **members: object) -> dict[str, object]:
    return {"status_code": status_code, "timestamp": "2025-01-01T00:00:00Z", **members}


@pytest.mark.parametrize(
    ("http_status", "content", "expected"),
    [
        (200, envelope(1000), (True, False, False)),
        (201, envelope(1999), (True, False, False)),
        (200, envelope(2001), (False, False, False)),
        (200, envelope(3000), (False, False, False)),
        (200, envelope(4001), (False, False, False)),
        (400, envelope(1000), (False, False, False)),
        (404, envelope(2003), (False, False, True)),
        (404, b"<h1>Not found</h1>", (False, False, True)),
        (405, b"", (False, False, True)),
        (401, envelope(2000), (False, True, False)),
        (403, envelope(2000), (False, True, False)),
        (429, b"", (False, True, False)),
        (500, envelope(3000), (False, True, False)),
        (503, b"", (False, True, False)),
        (200, b"<html>Sign in</html>", (False, True, False)),
        (200, b"", (False, True, False)),
        (200, [], (False, True, False)),
        (200, {"status_code": "1000"}, (False, True, False)),
        (200, b'{"status_code": 1000, "status_code": 2000}', (False, True, False)),
    ],
)
def test_http_status_and_ocpi_status_are_both_looked_at(http_status, content, expected):
    """TRANSPORT-74, tolerance 14: an error in HTTP 200 is a failure, and so is no envelope.

    Expected are ``ok``, ``away`` and ``gone``.
    """
    got = answer(http_status, content)

    assert (got.ok, got.away, got.gone) == expected


@pytest.mark.parametrize(
    ("http_status", "content", "reason"),
    [
        (200, envelope(2001, status_message="No\nway"), "HTTP 200, OCPI 2001: No way"),
        (200, envelope(3000), "HTTP 200, OCPI 3000"),
        (422, {"detail": "Field required"}, "HTTP 422: Field required"),
        (422, {"detail": [{"loc": ["body"], "msg": "Too long"}]}, "HTTP 422: Too long"),
        (400, {"error": {"message": "Nope"}}, "HTTP 400: Nope"),
        (400, {"title": "Bad Request", "status": 400}, "HTTP 400: Bad Request"),
        (400, {"unknown": "shape"}, 'HTTP 400: {"unknown":"shape"}'),
        (400, "just text", "HTTP 400: just text"),
        (502, b"<html><style>p {}</style><p>Bad\n  gateway</p>", "HTTP 502: Bad gateway"),
        (500, b"plain \x1b[31mred", "HTTP 500: plain [31mred"),
        (503, b"", "HTTP 503: Service Unavailable"),
        (599, b"", "HTTP 599"),
        (200, b"<title>Sign in</title>", "HTTP 200, not an OCPI answer: Sign in"),
        (500, b"\xff\xfe", "HTTP 500: \ufffd\ufffd"),
    ],
)
def test_errors_are_read_whatever_they_look_like(http_status, content, reason):
    """Tolerance 8."""
    assert answer(http_status, content).reason == reason


def test_a_reason_is_never_long():
    assert len(answer(500, b"x" * 100_000).reason) <= 300


def test_the_time_to_wait_is_given_in_seconds_or_as_a_date():
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)

    assert answer(429, b"", Retry_After="17").retry_after == 17
    assert 55 < answer(503, b"", Retry_After=in_a_minute).retry_after <= 60
    assert answer(429, b"", Retry_After="Wed, 01 Jan 2020 00:00:00 GMT").retry_after == 0
    assert answer(429, b"", Retry_After="soon").retry_after is None
    assert answer(429, b"").retry_after is None


@pytest.mark.parametrize(
    ("endpoint", "segments", "url"),
    [
        ("https://x/ocpi/tariffs", ["NL", "ONE", "12"], "https://x/ocpi/tariffs/NL/ONE/12"),
        ("https://x/ocpi/tariffs/", ["NL"], "https://x/ocpi/tariffs/NL"),
        ("https://x/ocpi/tariffs//", ["NL"], "https://x/ocpi/tariffs/NL"),
        ("https://x/ocpi/tariffs/", [], "https://x/ocpi/tariffs/"),
        ("https://x", ["NL"], "https://x/NL"),
        ("https://x/t?key=1", ["a"], "https://x/t/a?key=1"),
        ("https://x/t", ["a/b", "c d", "é", "..%"], "https://x/t/a%2Fb/c%20d/%C3%A9/..%25"),
        ("https://x/t", ["..", ".", "1.5"], "https://x/t/%2E%2E/%2E/1.5"),
    ],
)
def test_there_is_one_slash_between_an_endpoint_and_what_follows(endpoint, segments, url):
    """TRANSPORT-22: segments are percent-encoded."""
    assert join_url(endpoint, *segments) == url


def test_a_query_is_added_to_what_is_there():
    assert with_query("https://x/t", {"type": "RFID"}) == "https://x/t?type=RFID"
    assert with_query("https://x/t?a=1", {"b": "2 3"}) == "https://x/t?a=1&b=2+3"
