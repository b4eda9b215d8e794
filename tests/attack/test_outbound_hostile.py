"""Servers that answer in bad faith: each call ends in time and with a reason (T-34, T-35)."""

import asyncio
import datetime as dt
import gzip
import ipaddress
import resource
import socket
import ssl
import time
import warnings
import zlib
from contextlib import asynccontextmanager
from functools import cache

import pytest
from aiohttp.abc import AbstractResolver
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hub.ocpi.outbound import Outbound, Refused, Unreachable
from hub.settings import Settings

MEGABYTE = 1024 * 1024
# What zlib calls the two formats.
GZIP, DEFLATE = 31, 15
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture
async def client():
    client = Outbound(
        Settings(egress_allow_http=True, egress_allow_cidrs=(ipaddress.ip_network("127.0.0.0/8"),))
    )
    yield client
    await client.close()


@asynccontextmanager
async def speaking(talk, **options):
    """A server that reads a request and lets `talk(reader, writer)` answer; yields its URL."""
    talks = set()

    async def serve(reader, writer):
        talks.add(asyncio.current_task())
        try:
            await reader.readuntil(b"\r\n\r\n")
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, **options)
    scheme = "https" if options else "http"
    try:
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpi/versions"
    finally:
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        server.close()
        await server.wait_closed()


def saying(*pieces, stay=False):
    async def talk(reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if stay:
            await asyncio.Event().wait()

    return talk


async def endless(writer, piece):
    while True:
        writer.write(piece)
        await writer.drain()


async def endless_body(reader, writer):
    writer.write(HEAD + b"\r\n")
    await endless(writer, b" " * 65536)


async def endless_chunks(reader, writer):
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    await endless(writer, b"10000\r\n" + b" " * 65536 + b"\r\n")


async def endless_headers(reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    await endless(writer, b"X-More: " + b"x" * 1000 + b"\r\n")


async def one_endless_header(reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nX-More: ")
    await endless(writer, b"x" * 65536)


async def endless_status_line(reader, writer):
    writer.write(b"HTTP/1.1 200 ")
    await endless(writer, b"O" * 65536)


async def endless_trailers(reader, writer):
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
    await endless(writer, b"X-More: x\r\n")


async def endless_chunk_extension(reader, writer):
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;")
    await endless(writer, b"x" * 65536)


async def drip_body(reader, writer):
    writer.write(HEAD + b"Content-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_headers(reader, writer):
    for byte in HEAD * 1000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


async def continue_for_ever(reader, writer):
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.001)


@cache
def bomb(wbits):
    """200 MB of nothing in 200 KB."""
    squeeze = zlib.compressobj(1, wbits=wbits)
    zeros = bytes(MEGABYTE)
    return b"".join(squeeze.compress(zeros) for _ in range(200)) + squeeze.flush()


def compressed(encoding, body):
    return (
        HEAD
        + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n"
        % (
            encoding,
            len(body),
        )
        + body
    )


@pytest.fixture(scope="module", autouse=True)
def _bombs_are_ready():
    for wbits in (GZIP, DEFLATE):
        bomb(wbits)


def bombing(encoding, wbits):
    async def talk(reader, writer):
        await saying(compressed(encoding, bomb(wbits)))(reader, writer)

    return talk


HOSTILE = {
    "an endless body": endless_body,
    "endless chunks": endless_chunks,
    "endless headers": endless_headers,
    "one endless header": one_endless_header,
    "an endless status line": endless_status_line,
    "endless trailers": endless_trailers,
    "an endless chunk extension": endless_chunk_extension,
    "a body that drips": drip_body,
    "headers that drip": drip_headers,
    "continue, for ever": continue_for_ever,
    "silence": saying(stay=True),
    "silence after the headers": saying(HEAD + b"Content-Length: 10\r\n\r\n", stay=True),
    "hanging up": saying(),
    "hanging up in the headers": saying(HEAD),
    "hanging up in the body": saying(HEAD + b"Content-Length: 10\r\n\r\n123"),
    "hanging up in a chunk": saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\nabc"),
    "a length beyond everything": saying(HEAD + b"Content-Length: 99999999999\r\n\r\n", stay=True),
    "a length below nothing": saying(HEAD + b"Content-Length: -1\r\n\r\n"),
    "two lengths": saying(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n12"),
    "a chunk of impossible size": saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    "a chunk of gigantic size": saying(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 100 + b"\r\n", stay=True
    ),
    "no HTTP at all": saying(b"220 mail.example ESMTP\r\n", stay=True),
    "a status that is none": saying(b"HTTP/1.1 abc OK\r\n\r\n"),
    "binary rubbish": saying(bytes(range(256)) * 10),
    "a gzip bomb": bombing(b"gzip", GZIP),
    "a deflate bomb": bombing(b"deflate", DEFLATE),
    "a thousand gzip members": saying(compressed(b"gzip", gzip.compress(b"") * 50_000)),
    "broken gzip": saying(compressed(b"gzip", b"\x1f\x8b\x08 no more")),
    "an encoding we did not ask for": saying(compressed(b"br", b"\x0b\x02\x80hello\x03")),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_answer_ends_in_time_and_in_little_memory(client, name):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()

    async with speaking(HOSTILE[name]) as url:
        with pytest.raises(Unreachable) as caught:
            await client.request("GET", url, headers={}, timeout=0.6, max_bytes=2 * MEGABYTE)
        took = time.monotonic() - started

    assert took < 10
    assert caught.value.sent
    assert 5 < len(caught.value.reason) < 120
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 64 * MEGABYTE


async def test_other_calls_go_on_while_hostile_servers_answer(client):
    async with (
        speaking(endless_body) as flood,
        speaking(drip_body) as drip,
        speaking(bombing(b"gzip", GZIP)) as bomb,
        speaking(saying(HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")) as good,
    ):
        attacks = [
            asyncio.create_task(client.request("GET", url, headers={}, timeout=2, pool=url))
            for url in (flood, drip, bomb)
        ]
        meanwhile = 0
        while not all(attack.done() for attack in attacks):
            answer = await client.request("GET", good, headers={}, timeout=5, pool="good")
            assert answer.content == b"{}"
            meanwhile += 1
        outcomes = await asyncio.gather(*attacks, return_exceptions=True)

    assert all(isinstance(outcome, Unreachable) for outcome in outcomes)
    # The slow one takes its full two seconds: a call that waited for it would be the only one.
    assert meanwhile > 3


@pytest.mark.parametrize("size", [100, 1000, 100_000])
@pytest.mark.parametrize("encoding", [None, b"gzip", b"deflate"])
async def test_the_limit_is_of_what_comes_out_of_the_decompression(client, size, encoding):
    body = bytes(size)
    if encoding is None:
        text = HEAD + b"Content-Length: %d\r\n\r\n" % size + body
    else:
        wbits = GZIP if encoding == b"gzip" else DEFLATE
        text = compressed(encoding, zlib.compress(body, wbits=wbits))

    async with speaking(saying(text)) as url:
        answer = await client.request("GET", url, headers={}, timeout=5, max_bytes=size)
        assert answer.content == body
        with pytest.raises(Unreachable, match=f"larger than {size - 1} bytes"):
            await client.request("GET", url, headers={}, timeout=5, max_bytes=size - 1)


async def test_what_was_not_sent_is_told_from_what_may_have_arrived(client):
    """A command is never repeated once it may have reached the other side."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        with pytest.raises(Unreachable, match="Connection refused") as caught:
            await client.request("POST", closed, headers={}, timeout=2)
    assert (caught.value.sent, caught.value.timed_out) == (False, False)

    async with speaking(saying(stay=True)) as url:
        with pytest.raises(Unreachable, match=r"within 0\.3 s") as caught:
            await client.request("POST", url, headers={}, body=b"{}", timeout=0.3)
    assert (caught.value.sent, caught.value.timed_out) == (True, True)

    async with speaking(saying()) as url:
        with pytest.raises(Unreachable, match="closed without an answer") as caught:
            await client.request("POST", url, headers={}, body=b"{}", timeout=2)
    assert (caught.value.sent, caught.value.timed_out) == (True, False)

    with pytest.raises(Unreachable, match="cannot be resolved") as caught:
        await client.request("POST", "http://no-such-name.invalid/", headers={}, timeout=5)
    assert (caught.value.sent, caught.value.timed_out) == (False, False)


async def test_a_name_server_that_never_answers_is_not_waited_for():
    class Silent(AbstractResolver):
        async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
            await asyncio.Event().wait()

        async def close(self):
            pass

    client = Outbound(Settings(), resolver=Silent())
    with pytest.raises(Unreachable) as caught:
        await client.request("GET", "https://partner.example/", headers={}, timeout=0.3)
    await client.close()

    assert (caught.value.sent, caught.value.timed_out) == (False, True)


async def test_a_partner_that_never_accepts_is_not_waited_for(client):
    """A listening socket whose queue is full leaves connections hanging."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        with pytest.raises(Unreachable) as caught:
            await client.request("GET", f"http://127.0.0.1:{address[1]}/", headers={}, timeout=0.5)
        for filler in fillers:
            filler.close()

    assert (caught.value.sent, caught.value.timed_out) == (False, True)


async def test_a_name_that_makes_the_resolver_stumble_is_only_unreachable(client):
    for host in ("xn--a.example", "a" * 63 + ".invalid", "_.invalid", "a_b.invalid"):
        with pytest.raises(Unreachable):
            await client.request("GET", f"https://{host}/", headers={}, timeout=5)


class Authority:
    """A certificate authority of this test."""

    def __init__(self, folder):
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test authority")])
        self.file = folder / "authority.pem"
        certificate = self.build(self.name, self.key, days=1, authority=True)
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def build(self, name, key, *, days, authority=False, address="127.0.0.1", issuer=None):
        start = dt.datetime.now(dt.UTC) - dt.timedelta(days=10)
        issuer = issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + dt.timedelta(days=10 + days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            alternative = x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address(address))]
            )
            builder = builder.add_extension(alternative, critical=False)
        return builder.sign(issuer.key, hashes.SHA256())

    def server(self, **options):
        """A TLS context for a server with a certificate of this authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "partner")])
        certificate = self.build(name, key, **{"days": 1} | options)
        file = self.folder / f"{certificate.serial_number}.pem"
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@pytest.fixture
def authority(tmp_path, monkeypatch):
    """Trusted by every Outbound that is made after it."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


HELLO = saying(HEAD + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")


async def test_a_good_certificate_is_accepted(authority, client):
    async with speaking(HELLO, ssl=authority.server()) as url:
        answer = await client.request("GET", url, headers={}, timeout=5)

    assert answer.content == b"{}"


async def test_an_expired_certificate_is_refused(authority, client):
    async with speaking(HELLO, ssl=authority.server(days=-5)) as url:
        with pytest.raises(Unreachable, match="TLS: certificate has expired") as caught:
            await client.request("GET", url, headers={}, timeout=5)

    assert not caught.value.sent


async def test_a_certificate_for_another_host_is_refused(authority, client):
    async with speaking(HELLO, ssl=authority.server(address="127.0.0.9")) as url:
        with pytest.raises(Unreachable, match="TLS: IP address mismatch"):
            await client.request("GET", url, headers={}, timeout=5)


async def test_a_certificate_of_an_unknown_authority_is_refused(client, tmp_path):
    async with speaking(HELLO, ssl=Authority(tmp_path).server()) as url:
        with pytest.raises(Unreachable, match="TLS: unable to get local issuer"):
            await client.request("GET", url, headers={}, timeout=5)


async def test_old_versions_of_tls_are_refused(authority, client):
    context = authority.server()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with speaking(HELLO, ssl=context) as url:
        with pytest.raises(Unreachable) as caught:
            await client.request("GET", url, headers={}, timeout=5)

    assert not caught.value.sent


async def test_plain_text_on_a_tls_port_is_only_unreachable(client):
    async with speaking(HELLO) as url:
        with pytest.raises((Unreachable, Refused)) as caught:
            await client.request("GET", url.replace("http:", "https:"), headers={}, timeout=2)

    assert isinstance(caught.value, Unreachable)
