"""What a partner may try to make the hub call (T-30, T-31, T-32, CRED-25).

Canaries are servers that count every connection: each attack ends with a refusal and none of them.
"""

import asyncio
import socket
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver

from hub.ocpi import outbound as module
from hub.ocpi.egress import AddressRefused, Gate, origin
from hub.ocpi.outbound import Outbound, Refused, Unreachable
from hub.settings import Settings

LOCALHOST = ip_network("127.0.0.1/32")
# Stands for a partner on the internet: an address that is allowed, beside one that is not.
PARTNER, PARTNER_NETWORK = "127.0.0.2", ip_network("127.0.0.2/32")


class Canary:
    """A port on every address of this machine that nobody must connect to."""

    def __init__(self):
        self.hits = []

    async def start(self, host=None):
        async def accept(reader, writer):
            self.hits.append(writer.get_extra_info("peername"))
            writer.close()

        self.server = await asyncio.start_server(accept, host, 0, family=socket.AF_INET)
        self.port = self.server.sockets[0].getsockname()[1]
        if host is None:
            self.server6 = await asyncio.start_server(accept, "::", self.port)
        return self

    async def stop(self):
        for server in (self.server, getattr(self, "server6", None)):
            if server is not None:
                server.close()
                await server.wait_closed()


@pytest.fixture
async def canary():
    canary = await Canary().start()
    yield canary
    await canary.stop()


class Names(AbstractResolver):
    """A name server in the attacker's hands: each look-up takes the next list of addresses."""

    def __init__(self, *answers):
        self.answers, self.asked = answers, 0

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        addresses = self.answers[self.asked % len(self.answers)]
        self.asked += 1
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": socket.IPPROTO_TCP,
                "flags": socket.AI_NUMERICHOST,
            }
            for address in addresses
        ]

    async def close(self):
        pass


@asynccontextmanager
async def guarded(*allowed, ports=(), resolver=None, http=True, **settings):
    client = Outbound(
        Settings(
            egress_allow_http=http,
            egress_allow_ports=tuple(ports),
            egress_allow_cidrs=allowed,
            **settings,
        ),
        resolver=resolver,
    )
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def serving(handler, host="127.0.0.1", port=0):
    """A server that answers everything with `handler`; yields its URL."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    try:
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def get(client, url, **options):
    return await client.request("GET", url, **{"headers": {}, "timeout": 5} | options)


HOSTS = [
    "127.0.0.1",
    "127.1",
    "0177.0.0.1",
    "0x7f000001",
    "0x7f.1",
    "2130706433",
    "017700000001",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "127.0.0.1.",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "ip6-localhost",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1%25eth0]",
    "[fe80::1]",
    "[fec0::1]",
    "[fd00:ec2::254]",
    "169.254.169.254",
    "100.100.100.200",
    "0.0.0.0",
    "0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "224.0.0.1",
    "255.255.255.255",
    socket.gethostname(),
]


@pytest.mark.parametrize("host", HOSTS)
async def test_no_way_of_writing_a_private_address_reaches_it(canary, host):
    async with guarded(ports=[canary.port]) as client:
        for path in ("/", "/ocpi/versions"):
            with pytest.raises((Refused, Unreachable)) as caught:
                await get(client, f"http://{host}:{canary.port}{path}", timeout=10)

            assert isinstance(caught.value, Refused) or "resolved" in caught.value.reason

    assert canary.hits == []


async def test_the_canary_sings_when_it_is_allowed(canary):
    async with guarded(LOCALHOST) as client:
        with pytest.raises(Unreachable) as caught:
            await get(client, f"http://127.0.0.1:{canary.port}/")

    assert len(canary.hits) > 0
    assert caught.value.sent


@pytest.mark.parametrize(
    "url",
    [
        "https://good@evil.example/",
        "https://good:pass@evil.example/",
        "https://good.example#@evil.example/",
        "https://good.example\\@evil.example/",
        "https://good.example\\.evil.example/",
        "https://evil.example/#fragment",
        "https://evil.example/a#",
        "https://GOOD.evil.example/".replace("GOOD", "ＧＯＯＤ"),  # noqa: RUF001 - that is the attack
        "https://evil。example/",
        "https://xn--\u2100.example/",
        "https://e\u0000vil.example/",
        "https://e\tvil.example/",
        "https://evil.exam\nple/",
        "https://evil.example/\r\nHost: other",
        " https://evil.example/",
        "https://evil.example/ x",
        "https://evil%2eexample/",
        "https://evil.example%00.good.example/",
        "https://evil..example/",
        "https://.example/",
        "https://-evil.example/",
        "https:///path",
        "https://",
        "https:/evil.example",
        "https:evil.example",
        "//evil.example/",
        "/ocpi/versions",
        "evil.example",
        "",
        "file:///etc/passwd",
        "gopher://evil.example/",
        "ftp://evil.example/",
        "ws://evil.example/",
        "javascript:alert(1)",
        "data:text/html,x",
        "jar:https://evil.example!/",
        "unix:/run/hub.sock",
        "https://[::1",
        "https://[fe80::1%25eth0]/",
        "https://[127.0.0.1]/",
        "https://[v1.x]/",
        "https://evil.example:0/",
        "https://evil.example:65536/",
        "https://evil.example:-1/",
        "https://evil.example:4x3/",
        "https://evil.example:/",
        "https://" + "a" * 3000 + ".example/",
        "https://" + "a" * 64 + ".example/",
        "https://" + ".".join(["abcdefgh"] * 40) + "/",
        "https://evil.example/" + "a" * 3000,
        "https://1.2.3/",
        "https://evil.1/",
        "https://evil.0x1/",
    ],
)
async def test_a_url_that_could_be_read_in_two_ways_is_refused(url):
    names = Names(["127.0.0.1"])
    async with guarded(LOCALHOST, resolver=names, http=True) as client:
        with pytest.raises(Refused) as caught:
            await get(client, url)
        with pytest.raises(Refused):
            origin(url)

    assert names.asked == 0
    assert caught.value.reason


async def test_plain_http_needs_the_operators_consent():
    async with guarded(LOCALHOST, http=False) as client:
        with pytest.raises(Refused, match="HUB_EGRESS_ALLOW_HTTP"):
            await get(client, "http://127.0.0.1/")


def gate(*allowed, ports=(), http=False, port=8080):
    return Gate.of(
        Settings(
            egress_allow_cidrs=tuple(map(ip_network, allowed)),
            egress_allow_ports=tuple(ports),
            egress_allow_http=http,
            port=port,
        )
    )


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"],
)
@pytest.mark.parametrize("port", [443, 8443])
def test_public_addresses_are_open(address, port):
    gate().check_address(ip_address(address), port)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.9",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::8.8.8.8",
        "::ffff:8.8.8.8",
        "::ffff:0:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2001:10::1",
        "2002:808:808::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_addresses_that_are_not_public_are_closed(address):
    with pytest.raises(AddressRefused, match="not a public address"):
        gate().check_address(ip_address(address), 443)


@pytest.mark.parametrize("port", [1, 22, 25, 80, 5432, 6379, 8080, 9200])
def test_ports_of_other_services_are_closed(port):
    with pytest.raises(AddressRefused, match="HUB_EGRESS_ALLOW_PORTS"):
        gate().check_address(ip_address("8.8.8.8"), port)


def test_the_operator_opens_ports_and_networks():
    gate(ports=[9000]).check_address(ip_address("8.8.8.8"), 9000)
    gate(http=True).check_address(ip_address("8.8.8.8"), 80)
    opened = gate("10.20.0.0/16", "fd00::/8")
    opened.check_address(ip_address("10.20.3.4"), 3000)
    opened.check_address(ip_address("fd00::1"), 443)
    for address, port in [("10.21.0.1", 443), ("10.20.3.4", 22), ("::ffff:10.20.3.4", 443)]:
        with pytest.raises(AddressRefused):
            opened.check_address(ip_address(address), port)


def test_what_is_sent_in_its_own_name_never_reaches_the_hub():
    """T-08: a partner that registers the hub's own URL would make it call itself for ever."""
    closed = gate("127.0.0.0/8", port=8080)
    with pytest.raises(AddressRefused, match="does not call itself"):
        closed.check_address(ip_address("127.0.0.1"), 8080)
    closed.check_address(ip_address("127.0.0.1"), 8081)
    hub = Gate.of(Settings(public_url="https://hub.example.com"))
    for url in ("https://hub.example.com/ocpi", "https://HUB.example.com:443/"):
        with pytest.raises(Refused, match="the hub's own"):
            hub.check_url(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Example.COM/ocpi?x=1", "https://example.com"),
        ("https://example.com:443/", "https://example.com"),
        ("https://example.com:8443/", "https://example.com:8443"),
        ("http://example.com:80", "http://example.com"),
        ("http://example.com:443", "http://example.com:443"),
        ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url, expected):
    assert origin(url) == expected


async def test_a_name_for_a_private_address_is_refused(canary):
    for answers in (
        ["127.0.0.1"],
        ["::1"],
        ["::1", "127.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["fe80::1"],
    ):
        async with guarded(ports=[canary.port], resolver=Names(answers)) as client:
            with pytest.raises(Refused, match="not a public address"):
                await get(client, f"http://partner.example:{canary.port}/")

    assert canary.hits == []


async def test_of_several_addresses_only_the_public_ones_are_used(canary):
    async def answer(request):
        return web.Response(text="hello")

    async with serving(answer, PARTNER) as url:
        port = int(url.rpartition(":")[2])
        private = await asyncio.start_server(lambda r, w: canary.hits.append(w), "127.0.0.1", port)
        async with (
            private,
            guarded(PARTNER_NETWORK, resolver=Names(["127.0.0.1", "::1", PARTNER])) as client,
        ):
            answer = await get(client, f"http://partner.example:{port}/")

    assert answer.content == b"hello"
    assert canary.hits == []


async def test_rebinding_never_gets_through():
    """T-31: the name answers with the partner's address, then with a private one, 200 times."""
    hits = []

    async def answer(request):
        return web.Response(text="hello", headers={"Connection": "close"})

    async with serving(answer, PARTNER) as url:
        port = int(url.rpartition(":")[2])
        private = await asyncio.start_server(lambda r, w: hits.append(w), "127.0.0.1", port)
        names = Names([PARTNER], ["127.0.0.1"])
        async with private, guarded(PARTNER_NETWORK, resolver=names) as client:
            outcomes = await asyncio.gather(
                *(
                    get(client, f"http://partner.example:{port}/", pool=str(number))
                    for number in range(200)
                ),
                return_exceptions=True,
            )

    assert hits == []
    assert names.asked == 200
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 100
    assert sum(getattr(outcome, "content", None) == b"hello" for outcome in outcomes) == 100


async def test_a_call_stays_at_the_partners_origins():
    """T-32: a partner that names another's server has the hub call it with chosen paths."""
    seen = []

    async def victim(request):
        seen.append(request.path)
        return web.Response()

    async with serving(victim) as url, guarded(LOCALHOST) as client:
        with pytest.raises(Refused, match="not an origin of this partner"):
            await get(client, f"{url}/x", origins=frozenset({"https://partner.example"}))
        with pytest.raises(Refused, match="not an origin of this partner"):
            await get(client, f"{url}/x", origins=frozenset())
        assert seen == []
        await get(client, f"{url}/x", origins=frozenset({"https://partner.example", origin(url)}))

    assert seen == ["/x"]


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{canary}/",
        "http://127.0.0.1:{canary}/x/",
        "//127.0.0.1:{canary}/x/",
        "http://localhost:{canary}/x/",
        "https://127.0.0.1:{own}/x/",
        "http://user@127.0.0.1:{own}/x/",
        "http://127.0.0.2:{own}/x/",
        "/other/",
        "/x//",
        "/x/../x",
        "/x?token=1",
        "/x/?a=2",
        "/x/#a",
        "x/y",
        "",
        "?a=1",
        "http://[::1",
        "\\\\evil.example\\x",
        "file:///etc/passwd",
    ],
)
async def test_redirects_are_not_followed(canary, location):
    """T-30: a redirect would carry token and body to whom the partner chooses."""
    asked = []
    token = {"Authorization": "Token abc"}

    async def redirect(request):
        asked.append(request.path_qs)
        target = location.format(canary=canary.port, own=request.url.port)
        status = int(request.headers["X-Request-ID"])
        return web.Response(status=status, headers={"Location": target})

    async with serving(redirect) as url, guarded(LOCALHOST, PARTNER_NETWORK) as client:
        for status in ("301", "302", "303", "307", "308"):
            headers = token | {"X-Request-ID": status}
            with pytest.raises(Refused, match="redirects") as caught:
                await client.request("POST", f"{url}/x", headers=headers, body=b"{}", timeout=5)
            assert "abc" not in caught.value.reason

    assert canary.hits == []
    assert asked == ["/x"] * 5


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize(("asked", "moved"), [("/x", "/x/"), ("/x/", "/x"), ("/x?a=1", "/x/?a=1")])
async def test_a_redirect_that_only_adds_or_drops_a_slash_is_followed(status, asked, moved):
    """Seen on the wire: the same request again, with token and body, on the same origin."""
    seen = []

    async def redirect(request):
        seen.append(
            (
                request.method,
                request.path_qs,
                request.headers["Authorization"],
                await request.text(),
            )
        )
        if request.path_qs == asked:
            return web.Response(status=status, headers={"Location": moved})
        return web.Response(text="here")

    async with serving(redirect) as url, guarded(LOCALHOST) as client:
        answer = await client.request(
            "POST", url + asked, headers={"Authorization": "Token abc"}, body=b"{}", timeout=5
        )

    assert answer.content == b"here"
    assert seen == [("POST", path, "Token abc", "{}") for path in (asked, moved)]


async def test_a_redirect_back_and_forth_ends():
    asked = []

    async def redirect(request):
        asked.append(request.path)
        moved = request.path.rstrip("/") if request.path.endswith("/") else request.path + "/"
        return web.Response(status=308, headers={"Location": moved})

    async with serving(redirect) as url, guarded(LOCALHOST) as client:
        with pytest.raises(Refused, match="again"):
            await get(client, url + "/x")

    assert asked == ["/x", "/x/"]


async def test_other_answers_of_3xx_are_answers():
    async def unchanged(request):
        return web.Response(status=304)

    async with serving(unchanged) as url, guarded(LOCALHOST) as client:
        assert (await get(client, url)).status == 304


async def test_nothing_of_the_environment_changes_where_a_call_goes(canary, monkeypatch, tmp_path):
    proxy = f"http://127.0.0.1:{canary.port}"
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    seen = []

    async def answer(request):
        seen.append(request.headers.get("Authorization"))
        return web.Response()

    async with serving(answer) as url, guarded(LOCALHOST) as client:
        await get(client, url)

    assert seen == [None]
    assert canary.hits == []


async def test_cookies_are_not_kept():
    seen = []

    async def answer(request):
        seen.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "session=1; Path=/"})

    async with serving(answer) as url, guarded(LOCALHOST) as client:
        for _ in range(2):
            await get(client, url, pool="partner")

    assert seen == [None, None]


async def test_connections_are_kept_for_a_partner_and_never_shared_with_another():
    ports = []

    async def answer(request):
        ports.append(request.transport.get_extra_info("peername")[1])
        return web.Response()

    async with serving(answer) as url, guarded(LOCALHOST) as client:
        for pool in ("one", "two", "one", "two", "", ""):
            await get(client, url, pool=pool)

    one, two, again_one, again_two, nobody, again_nobody = ports
    assert (one, two, nobody) == (again_one, again_two, again_nobody)
    assert len({one, two, nobody}) == 3


async def test_very_many_partners_do_not_hold_very_many_connections(monkeypatch):
    monkeypatch.setattr(module, "POOLS", 3)
    release = asyncio.Event()

    async def answer(request):
        if request.path == "/slow":
            await release.wait()
        return web.Response(text=request.path)

    async with serving(answer) as url, guarded(LOCALHOST) as client:
        slow = asyncio.create_task(get(client, url + "/slow", pool="slow"))
        await asyncio.sleep(0.05)
        for number in range(10):
            assert (await get(client, url, pool=str(number))).status == 200
        assert len(client._pools) == 3
        release.set()
        assert (await slow).content == b"/slow"


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\x00b", "a\x1bb", "\x7f"])
async def test_headers_carry_no_control_characters(value):
    async with guarded(LOCALHOST) as client:
        with pytest.raises(Refused, match="control characters"):
            await get(client, "http://127.0.0.1:1024/", headers={"X-Correlation-ID": value})


async def test_the_request_is_what_was_asked_for():
    seen = []

    async def answer(request):
        seen.append((request.raw_path, dict(request.headers), await request.read()))
        return web.Response(status=418, body=b"\x00\xff", headers={"X-Limit": "5"})

    async with serving(answer) as url, guarded(LOCALHOST) as client:
        response = await client.request(
            "PATCH",
            url + "/a%2Fb/%E2%82%AC;x?date=2024-01-01T00%3A00%3A00Z&a+b",
            headers={"Authorization": "Token abc", "Content-Type": "application/json"},
            body=b'{"a":1}',
            timeout=5,
        )

    [(path, headers, body)] = seen
    assert path == "/a%2Fb/%E2%82%AC;x?date=2024-01-01T00%3A00%3A00Z&a+b"
    assert body == b'{"a":1}'
    assert headers["Authorization"] == "Token abc"
    assert headers["Content-Type"] == "application/json"
    assert "Python" not in headers["User-Agent"]
    assert (response.status, response.content, response.headers["x-limit"]) == (
        418,
        b"\x00\xff",
        "5",
    )
    assert "Token" not in repr(response)
