"""Connections with TLS that are no station's yet: how many there may be, and for how long.

Anybody can open a connection and say nothing, or say it slowly. A connection has ``PATIENCE``
seconds to become a station's, without those that the hub itself keeps it waiting; when too many
others are on their way, the oldest one goes of the address that has the most. An honest station is
through within a second, so it is seldom the one.
"""

import asyncio
import ssl
from asyncio import sslproto
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

log = structlog.get_logger()

PATIENCE = 30.0
HANDSHAKE_DEADLINE = 20
SHUTDOWN_DEADLINE = 5
ON_THEIR_WAY = 2000


class Arrivals:
    def __init__(self, limit: int = ON_THEIR_WAY) -> None:
        self.limit = limit
        self.patience = PATIENCE
        self.count = 0
        # By address, oldest first.
        self.waiting: dict[str, dict[Connection, None]] = {}

    def add(self, connection: "Connection") -> None:
        self.waiting.setdefault(connection.address, {})[connection] = None
        self.count += 1
        if self.count > self.limit:
            crowd = max(self.waiting.values(), key=len)
            oldest = next(iter(crowd))
            log.warning("too many connections on their way", address=oldest.address)
            oldest.drop()

    def discard(self, connection: "Connection") -> None:
        crowd = self.waiting.get(connection.address, {})
        if connection not in crowd:
            return
        del crowd[connection]
        self.count -= 1
        if not crowd:
            del self.waiting[connection.address]


class Connection(sslproto.SSLProtocol):
    """One TLS connection, with a buffer of one record instead of asyncio's 256 KiB, which each
    idle connection would keep.
    """

    max_size = 16 * 1024

    def __init__(
        self, protocol: asyncio.BaseProtocol, context: ssl.SSLContext, arrivals: Arrivals
    ) -> None:
        super().__init__(
            asyncio.get_running_loop(),
            protocol,
            context,
            # Nobody waits for the handshake.
            None,  # type: ignore[arg-type]
            server_side=True,
            ssl_handshake_timeout=HANDSHAKE_DEADLINE,
            ssl_shutdown_timeout=SHUTDOWN_DEADLINE,
        )
        self.arrivals = arrivals
        self.address = ""
        self.timer: asyncio.TimerHandle | None = None
        # Seconds it still has while its time does not run.
        self.left: float | None = None
        self.socket: asyncio.Transport | None = None
        self._extra["connection"] = self

    def connection_made(self, transport: Any) -> None:
        self.socket = transport
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        self.left = self.arrivals.patience
        super().connection_made(transport)
        self.go_on()

    def _on_handshake_complete(self, handshake_exc: Any) -> None:
        if handshake_exc is not None:
            log.info("TLS refused", address=self.address, reason=reason_of(handshake_exc))
        super()._on_handshake_complete(handshake_exc)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.arrived()
        super().connection_lost(exc)

    def pause(self) -> None:
        """Its time does not run until it goes on, and it is none of those who are too many."""
        self.arrivals.discard(self)
        if self.timer is not None:
            self.left = self.timer.when() - asyncio.get_running_loop().time()
            self.timer.cancel()
            self.timer = None

    def go_on(self) -> None:
        if self.left is not None:
            self.timer = asyncio.get_running_loop().call_later(self.left, self.drop)
            self.left = None
            self.arrivals.add(self)

    def arrived(self) -> None:
        """A station was admitted, or the connection is gone: it is not on its way any more."""
        self.pause()
        self.left = None

    def drop(self) -> None:
        self.arrived()
        if self.socket is not None:
            self.socket.abort()


def reason_of(error: Any) -> str:
    """What OpenSSL says of the certificate, or of the handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return str(getattr(error, "reason", None) or "the connection was lost")


def connection_of(transport: asyncio.BaseTransport | None) -> Connection | None:
    """None for plain sockets."""
    return transport.get_extra_info("connection") if transport is not None else None


def arrived(transport: asyncio.BaseTransport | None) -> None:
    """To be called when whoever is at this connection turned out to be a station."""
    if (connection := connection_of(transport)) is not None:
        connection.arrived()


@contextmanager
def kept_waiting(transport: asyncio.BaseTransport | None) -> Iterator[None]:
    """While the hub keeps it waiting, the time that a connection has does not run."""
    connection = connection_of(transport)
    if connection is None:
        yield
        return
    connection.pause()
    try:
        yield
    finally:
        connection.go_on()
