"""The ports that the hub listens at: bound once, and listened at by one process or by several."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# Connections that may wait to be accepted.
BACKLOG = 1024
# A machine may know of a family of addresses and have none of them.
NOT_HERE = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


class NotListening(Exception):
    """A port cannot be had; ``variable`` is the setting that names it."""

    def __init__(self, variable: str, host: str | None, port: int, error: OSError) -> None:
        super().__init__(f"{host or '*'}:{port} cannot be listened on: {error.strerror}.")
        self.variable = variable


@contextmanager
def named(variable: str, host: str | None, port: int) -> Iterator[None]:
    """Whatever keeps a port from being opened within is NotListening, and names the setting."""
    try:
        yield
    except OSError as error:
        raise NotListening(variable, host, port, error) from None


def bound(host: str | None, port: int) -> list[socket.socket]:
    """Sockets for every address of a host, or for all there are; nobody listens at them yet.

    Raises OSError, of which ``socket.gaierror`` says that the host is none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    refused: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            sockets.append(bound_to(family, address))
        except OSError as error:
            refused = error
            if error.errno not in NOT_HERE:
                break
    else:
        if sockets:
            return sockets
    close(sockets)
    assert refused is not None
    raise refused


def bound_to(family: int, address: tuple[object, ...]) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
    except OSError:
        one.close()
        raise
    return one


def close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        with suppress(OSError):
            one.close()


def at_a_time(*, shared: bool) -> int:
    """How many connections one look at a socket accepts. Of one that others look at, too, a single
    one: who happened to look first would take all that came in a moment.
    """
    return 1 if shared else BACKLOG
