"""The only door to other people's servers.

Everything a partner can make the hub call goes through `Outbound.request`: the URL, its origin and
the address are judged first (`egress`), redirects are not followed, and neither time nor memory are
the other side's to choose. Connections are kept alive, one pool per partner, never shared between
two of them.
"""

import asyncio
import errno
import os
import re
import socket
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any
from urllib.parse import urljoin

import aiohttp
from aiohappyeyeballs import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDictProxy

from hub.ocpi.egress import Gate, Refused, origin, split
from hub.settings import Settings

__all__ = ["Outbound", "Refused", "Response", "Unreachable", "origin"]

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 30.0
DNS_SECONDS = 10
DNS_THREADS = 32
CONNECTIONS_PER_POOL = 64
POOLS = 1000
MEGABYTE = 1024 * 1024
REDIRECTS = frozenset({301, 302, 303, 307, 308})
UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
DEFAULT_HEADERS = {"User-Agent": "ocpi-roaming-hub", "Accept-Encoding": "gzip, deflate"}


class Unreachable(Exception):
    """No usable answer came. `sent`: the other side may have received the request all the same."""

    def __init__(self, reason: str, *, timed_out: bool = False, sent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.timed_out = timed_out
        self.sent = sent


@dataclass(frozen=True)
class Response:
    """An answer, whatever its status; `headers` are looked up without regard to case."""

    status: int
    headers: CIMultiDictProxy[str]
    content: bytes = field(repr=False)
    # The other side wants the URL with a slash more, or less, at its end.
    redirected: bool = False


@dataclass
class Exchange:
    """One call, perhaps in two requests; `sent` once the headers of one have left the hub.

    `once`: then none is repeated, as aiohttp would for GET, PUT and DELETE when a connection ends
    without an answer; `begun` is for the request under way what `sent` is for the call.
    """

    method: str
    headers: Mapping[str, str]
    body: bytes | None
    timeout: float
    max_bytes: int
    once: bool = False
    sent: bool = False
    begun: bool = False

    def limits(self) -> aiohttp.ClientTimeout:
        """A call that may take long may also be silent for longer."""
        return aiohttp.ClientTimeout(
            sock_connect=CONNECT_SECONDS,
            connect=CONNECT_SECONDS,
            sock_read=max(IDLE_SECONDS, self.timeout / 3),
        )


@dataclass
class Pool:
    session: aiohttp.ClientSession
    under_way: int = 0


class Outbound:
    """Create it in the event loop that uses it; `resolver` is for tests and split DNS."""

    def __init__(self, settings: Settings, *, resolver: AbstractResolver | None = None) -> None:
        self._gate = Gate.of(settings)
        self._tls = ssl.create_default_context()
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._resolver = resolver or Resolver()
        self._pools: OrderedDict[str, Pool] = OrderedDict()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout: float,  # noqa: ASYNC109 - covers both hops of a redirect, and is aiohttp's
        max_bytes: int = 10 * MEGABYTE,
        origins: frozenset[str] | None = None,
        pool: str = "",
        once: bool = False,
    ) -> Response:
        """Raises `Refused` before anything leaves (or for a redirect), and `Unreachable`.

        `timeout` is for everything, in seconds; `max_bytes` counts the content as decompressed;
        `origins` limits the call to those; `pool` is the partner whose connections may be reused;
        `once`: whatever the method, it is not repeated.
        """
        if UNSENDABLE.search("".join(headers.values())):
            raise Refused("a header contains control characters")
        exchange = Exchange(method, {**DEFAULT_HEADERS, **headers}, body, timeout, max_bytes, once)
        try:
            async with asyncio.timeout(timeout):
                answer = await self._exchange(exchange, url, origins, pool)
                if answer.status not in REDIRECTS or "Location" not in answer.headers:
                    return answer
                target = slash_redirect(url, answer.headers["Location"])
                answer = await self._exchange(exchange, target, origins, pool)
                if answer.status in REDIRECTS:
                    raise Refused("the answer redirects again and again")
                return replace(answer, redirected=True)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise explained(error, exchange) from None

    async def close(self) -> None:
        while self._pools:
            _, pool = self._pools.popitem()
            await pool.session.close()
        await self._resolver.close()

    async def _exchange(
        self, exchange: Exchange, url: str, origins: frozenset[str] | None, pool: str
    ) -> Response:
        target = self._gate.check_url(url, origins)
        exchange.begun = False
        async with (
            self._session(pool or origin(url)) as session,
            session.request(
                exchange.method,
                target,
                headers=exchange.headers,
                data=exchange.body,
                allow_redirects=False,
                timeout=exchange.limits(),
                trace_request_ctx=exchange,
            ) as answer,
        ):
            content = await read_limited(answer, exchange.max_bytes)
            return Response(answer.status, answer.headers, content)

    @asynccontextmanager
    async def _session(self, name: str) -> AsyncIterator[aiohttp.ClientSession]:
        pool = self._pools.get(name)
        if pool is None:
            await self._make_room()
            pool = self._pools[name] = Pool(self._new_session())
        self._pools.move_to_end(name)
        pool.under_way += 1
        try:
            yield pool.session
        finally:
            pool.under_way -= 1

    async def _make_room(self) -> None:
        """Close the pool that was idle longest, once there are very many."""
        if len(self._pools) < POOLS:
            return
        for name, pool in self._pools.items():
            if not pool.under_way:
                del self._pools[name]
                await pool.session.close()
                return

    def _new_session(self) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(note_sent)
        trace.on_connection_create_start.append(refuse_second)
        trace.on_connection_reuseconn.append(refuse_second)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self._tls,
                limit=CONNECTIONS_PER_POOL,
                ttl_dns_cache=DNS_SECONDS,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
                resolver=self._resolver,
                socket_factory=self._socket,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[trace],
            trust_env=False,
        )

    def _socket(self, address_info: AddrInfoType) -> socket.socket:
        """Sees literals as well as every address a name led to, at each attempt to connect."""
        family, kind, protocol, _, address = address_info
        self._gate.check_address(ip_address(str(address[0])), int(address[1]))
        return socket.socket(family, kind, protocol)


async def note_sent(
    session: aiohttp.ClientSession, context: Any, sent: aiohttp.TraceRequestHeadersSentParams
) -> None:
    context.trace_request_ctx.sent = context.trace_request_ctx.begun = True


async def refuse_second(session: aiohttp.ClientSession, context: Any, _: Any) -> None:
    exchange: Exchange = context.trace_request_ctx
    if exchange.once and exchange.begun:
        raise aiohttp.ServerDisconnectedError


async def read_limited(answer: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """Counts what comes out of the decompression, which aiohttp does in small pieces."""
    too_large = Unreachable(f"the answer is larger than {max_bytes} bytes", sent=True)
    if (answer.content_length or 0) > max_bytes:
        raise too_large
    chunks, size = [], 0
    async for chunk in answer.content.iter_any():
        size += len(chunk)
        if size > max_bytes:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


def slash_redirect(url: str, location: str) -> str:
    """The one redirect that is followed only adds or drops a slash at the end of the path.

    Anything else would let the answering side choose whom the hub calls, with token and body.
    """
    try:
        target = urljoin(url, location)
        here, there = split(url), split(target)
    except (ValueError, Refused):
        raise Refused("the answer redirects to a malformed URL") from None
    if origin(url) != origin(target):
        raise Refused(f"the answer redirects to {origin(target)}")
    longer, shorter = sorted((here.path, there.path), key=len, reverse=True)
    if here.query != there.query or longer != shorter + "/":
        raise Refused("the answer redirects to another path")
    return target


def explained(error: Exception, exchange: Exchange) -> Exception:
    """One exception that an operator understands, for the many ways in which a call fails."""
    match error:
        case aiohttp.ClientConnectorError(os_error=OSError(errno=errno.EACCES) as cause):
            return Refused(cause.strerror or "the address is refused")
        case aiohttp.ClientConnectorCertificateError(certificate_error=cause):
            reason = f"TLS: {getattr(cause, 'verify_message', '') or cause}"
        case aiohttp.ClientConnectorDNSError():
            reason = "the host name cannot be resolved"
        case aiohttp.ClientConnectorError(os_error=cause):
            reason = f"no connection: {os.strerror(cause.errno) if cause.errno else cause}"
        case aiohttp.ConnectionTimeoutError():
            reason = "no connection in time"
        case TimeoutError():
            reason = f"no answer within {exchange.timeout:g} s"
        case aiohttp.ServerDisconnectedError():
            reason = "the connection was closed without an answer"
        case _:
            reason = f"no usable answer: {type(error).__name__}"
    return Unreachable(reason, timed_out=isinstance(error, TimeoutError), sent=exchange.sent)


class Resolver(AbstractResolver):
    """The system's resolver in threads of its own: dead name servers hold up nobody else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(DNS_THREADS, thread_name_prefix="dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, look_up, host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def look_up(host: str, port: int, family: int) -> Sequence[AddrInfoType]:
    return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
