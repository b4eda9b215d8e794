"""Requests that no decent client sends: odd paths, headers and framing (T-09, T-21, T-27)."""

import asyncio
import itertools
import re
from contextlib import suppress

from hub.ocpi.api import make_api
from tests.helpers import raw

PATHS = [
    "/ocpi/2.2.1/sender/locations",
    "/ocpi/2.2.1/receiver/locations/NL/ONE/L1",
    "/ocpi/2.3.0/sender/cdrs",
    "/ocpi/2.2.1/credentials",
]
TRICKS = [
    "{path}",
    "{path}/",
    "{path}?x=credentials",
    "{path}?/ocpi/versions",
    "{path}#/ocpi/versions",
    "{path};credentials",
    "{path}/.",
    "{path}/..",
    "{path}/../versions",
    "{path}%2f..%2fversions",
    "{path}/%2e%2e/versions",
    "{path}%00",
    "{path}%0d%0aX-Evil:%201",
    "{path}%23",
    "{path}%3fx",
    "{path}/credentials",
    "{path}/versions",
    "{path}.json",
    "{path}%20",
    "{path}%",
    "{path}%zz",
    "{path}%c0%af",
    "/{path}",
    "//evil.example{path}",
    "http://evil.example{path}",
    "https://127.0.0.1{path}",
    "/.{path}",
    "/x/..{path}",
    "/ocpi/versions/..{path}",
    "/ocpi/versions/../..{path}",
    "/ocpi/versions%2f..{path}",
    "/ocpi/versions/%2e%2e{path}",
    "/ocpi/versions;{path}",
    "/ocpi/versions?{path}",
    "/%6fcpi/2.2.1/sender/locations",
    "/OCPI/2.2.1/SENDER/LOCATIONS",
    "/ocpi//2.2.1//sender//locations",
    "/ocpi/2.2.1/sender/locations//",
    "/ocpi\\2.2.1\\sender\\locations",
    "/ocpi/\uff12.2.1/sender/locations",
    "/ocpi/2.2.1/sender/../../../admin/partners",
    "/ocpi/../admin/partners",
    "/ocpi/..%2fadmin/partners",
    "/admin/partners",
    "/admin/../ocpi/2.2.1/sender/locations",
    "*",
    "",
    "?",
    "x",
    "/" + "a" * 7000,
]
TARGETS = sorted({trick.format(path=path) for trick, path in itertools.product(TRICKS, PATHS)})
HEADERS = {"Host": "127.0.0.1", "Connection": "close"}


async def test_without_a_token_no_path_leads_anywhere(hub):
    """T-09. With a token for nothing, an empty one, and none at all."""
    let_in = {}
    methods = ("GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD")
    tokens = itertools.cycle((None, "Token ", "Token bm9uZQ=="))
    for (target, method), authorization in zip(
        itertools.product(TARGETS, methods), tokens, strict=False
    ):
        headers = HEADERS | ({"Authorization": authorization} if authorization else {})
        answer = await raw.exchange(hub.port, raw.request(method, target, headers))
        if answer.status not in {0, 400, 401, 404, 405, 429}:
            let_in[method, target] = answer.status
        if "evil" in answer.head.lower():
            let_in[method, target] = answer.head

    assert len(TARGETS) > 150
    assert let_in == {}


async def test_no_answer_tells_the_versions_of_what_serves(hub, cpo):
    """T-57: on every path, where the request cannot be read, and where a WebSocket is opened."""
    authorized = HEADERS | {"Authorization": cpo.tokens.header(cpo.tokens.to_hub)}
    upgrade = HEADERS | {"Connection": "Upgrade", "Upgrade": "websocket"}
    requests = {
        "listed": raw.request("GET", "/ocpi/2.2.1/sender/locations", authorized),
        "refused": raw.request("GET", "/ocpi/2.2.1/sender/locations", HEADERS),
        "admin": raw.request("GET", "/admin/v1/partners", HEADERS),
        "docs": raw.request("GET", "/docs", HEADERS),
        "metrics": raw.request("GET", "/metrics", HEADERS),
        "ready": raw.request("GET", "/ready", HEADERS),
        "nowhere": raw.request("GET", "/nowhere", HEADERS),
        "station": raw.request("GET", "/ocpp/CP-1", upgrade),
        "unreadable": b"\x16\x03\x01 HTTP/9.9\r\n\r\n",
    }
    said = {}
    for name, message in requests.items():
        answer = await raw.exchange(hub.port, message)
        said[name] = re.findall(r"(?im)^server: *(.*?)\r?$", answer.head)
        assert not re.search(r"(?i)aiohttp|python", answer.head), name

    assert said == {name: ["hub"] for name in requests}


def functional_paths():
    for route in make_api().router.routes():
        path = route.resource.canonical
        if not path.startswith(("/versions", "/{version}{", "/{version}/credentials")):
            filled = re.sub(r"\{version[^}]*\}", "2.2.1", path)
            yield route.method, "/ocpi" + re.sub(r"\{[^}]*\}", "x", filled)


async def test_every_functional_route_asks_for_a_token(hub):
    routes = sorted(set(functional_paths()) - {("*", "x")})
    answers = {}
    for method, path in routes:
        for query in ("", "?x=credentials", "?versions"):
            answer = await raw.exchange(
                hub.port, raw.request(method.replace("*", "GET"), path + query, HEADERS)
            )
            answers[method, path, query] = answer.status

    assert len(routes) > 20
    assert {key: status for key, status in answers.items() if status not in {401, 429}} == {}


VALUES = [
    b"",
    b" ",
    b"\x00",
    b"a\x00b",
    b"a\rb",
    b"a\x0bb",
    b"a\x1bb",
    b"\x7f",
    b"\xff\xfe",
    "ü€😀".encode(),
    b"a" * 65,
    b"a" * 5000,
    b"%0d%0aX-Evil: 1",
    b"\\r\\nX-Evil: 1",
    b"'; drop table locations; --",
    b"${jndi:ldap://x}",
    b"../../etc/passwd",
    b"NL,DE",
    b"nl",
    b"N",
    b"null",
    b"-1",
    b"9" * 100,
]
NAMES = [
    "Expect",
    "X-Request-ID",
    "X-Correlation-ID",
    "OCPI-to-country-code",
    "OCPI-to-party-id",
    "OCPI-from-country-code",
    "OCPI-from-party-id",
    "Content-Type",
    "Accept",
    "Accept-Encoding",
    "Content-Encoding",
    "Range",
    "If-Match",
    "If-Modified-Since",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "Host",
    "Cookie",
    "Authorization",
    "Upgrade",
    "TE",
]


async def test_no_header_makes_the_hub_fail(hub, cpo):
    """T-27: refused or ignored, and what is echoed adds no header of its own."""
    good = HEADERS | {
        "Authorization": cpo.tokens.header(cpo.tokens.to_hub),
        "OCPI-from-country-code": "NL",
        "OCPI-from-party-id": "ONE",
    }
    wrong = {}
    requests = itertools.cycle(
        (
            ("GET", "/ocpi/2.2.1/sender/locations?limit=1", b""),
            ("PUT", "/ocpi/2.2.1/receiver/locations/NL/ONE/L1", b"{}"),
        )
    )
    # An odd number of values: every other name meets each value with the other request.
    for (name, value), (method, path, body) in zip(
        itertools.product(NAMES, VALUES), requests, strict=False
    ):
        length = {"Content-Length": str(len(body))} if body else {}
        message = raw.request(method, path, good | length | {name: value}, body)
        answer = await raw.exchange(hub.port, message)
        if answer.status >= 500 or re.search(r"(?im)^x-evil:", answer.head):
            wrong[name, value, method] = answer

    assert wrong == {}


async def test_the_queries_of_lists_make_nothing_fail(hub, cpo):
    """T-25: whatever is asked for, the answer is a page or a refusal."""
    wrong = {}
    for name in ("offset", "limit", "after", "date_from", "date_to", "type", "unknown"):
        for value in ("", "-1", "0", "1", "9" * 30, "1e3", "0x1", "NaN", "٣", "a", "%00", "%ff",
                      "2024-02-30T00:00:00Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59Z",
                      "1' or '1'='1", "[]", "a" * 3000):  # fmt: skip
            for module in ("locations", "tokens"):
                answer = await cpo.call(
                    "GET", f"{hub.url}/ocpi/2.2.1/sender/{module}?{name}={value}&{name}={value}"
                )
                if answer.http_status >= 500 or answer.status_code is None:
                    wrong[name, value] = answer

    assert wrong == {}


PUT = b"PUT /ocpi/2.2.1/receiver/locations/NL/ONE/L1 HTTP/1.1\r\nHost: x\r\n"
FRAMING = {
    "two ways to tell the length": PUT
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": PUT + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "a negative length": PUT + b"Content-Length: -2\r\n\r\n{}",
    "a signed length": PUT + b"Content-Length: +2\r\n\r\n{}",
    "a gigantic length": PUT + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "an unknown coding": PUT + b"Transfer-Encoding: xchunked\r\n\r\n{}",
    "an impossible chunk": PUT + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a folded header": PUT + b"X-A: b\r\n c\r\n\r\n",
    "a blank before the colon": PUT + b"X-A : b\r\n\r\n",
    "a bare newline": PUT.replace(b"\r\n", b"\n") + b"\n",
    "no version": b"GET /ocpi/versions\r\n\r\n",
    "a version that is none": b"GET /ocpi/versions HTTP/9.9\r\nHost: x\r\n\r\n",
    "a method that is none": b"G\xc3\x8bT /ocpi/versions HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": bytes.fromhex("16030100a5010000a10303") + b"\x00" * 150 + b"\r\n\r\n",
    "ten thousand headers": PUT + b"X-A: b\r\n" * 10_000 + b"\r\n",
    "a header of a megabyte": PUT + b"X-A: " + b"b" * 1_000_000 + b"\r\n\r\n",
    "a target of a megabyte": b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
}


async def test_ambiguous_framing_is_refused(hub):
    """T-21: what a proxy in front might read differently must not be read at all."""
    wrong = {}
    for name, message in FRAMING.items():
        with suppress(ConnectionError):
            answer = await raw.exchange(hub.port, message)
            if answer.status not in {0, 400, 401, 431}:
                wrong[name] = answer

    assert wrong == {}


async def test_many_slow_connections_stop_nobody(hub, cpo):
    """T-21: five hundred clients that never finish their headers."""
    slow = []
    for _ in range(500):
        slow.append(await asyncio.open_connection("127.0.0.1", hub.port))
        slow[-1][1].write(b"GET /ocpi/versions HTTP/1.1\r\nX-Slow: ")

    answer = await cpo.get("locations")

    still_open = [reader for reader, _ in slow if not reader.at_eof()]
    for _, writer in slow:
        writer.close()
    assert answer.status_code == 1000
    assert len(still_open) == len(slow)
