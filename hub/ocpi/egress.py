"""What the hub may call: URLs before a name is looked up, addresses when a socket is made.

A partner chooses the URLs of its endpoints, of its call-backs and of its next pages, so each of
them is an attempt to make the hub call somebody else until it has passed here. The address is
judged at the socket, where literals and every answer of the DNS come by (CRED-25).
"""

import errno
import re
import socket
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from yarl import URL

from hub.settings import Network, Settings, SettingsError

Address = IPv4Address | IPv6Address

LONGEST_URL = 2048
DEFAULT_PORTS = {"http": 80, "https": 443}
HTTPS_PORTS = frozenset({443, 8443})
HTTP_PORTS = frozenset({80})
FIRST_UNPRIVILEGED_PORT = 1024
UNWANTED = re.compile(r"[\x00-\x20\x7f\\]")
LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
HOST_NAME = re.compile(rf"{LABEL}(\.{LABEL})*\.?")
LONGEST_HOST = 253
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

# Networks that `is_global` of Python 3.11 takes for public, or that lead to an IPv4 address which
# it does not look at.
NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # carrier-grade NAT, and the metadata of one cloud
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "::/96",  # IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",
        "100::/64",  # discard
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local
    )
)


class Refused(Exception):
    """The hub does not make this call; `reason` says why, without secrets."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AddressRefused(OSError):
    """An OSError, so that the connector goes on to the other addresses of the name."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EACCES, reason)


def origin(url: str) -> str:
    """Scheme, host and port, lower case, without a default port; raises `Refused`."""
    return origin_of(split(url))


def origin_of(parts: SplitResult) -> str:
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    if parts.port in {None, DEFAULT_PORTS[parts.scheme]}:
        return f"{parts.scheme}://{shown}"
    return f"{parts.scheme}://{shown}:{parts.port}"


def split(url: str) -> SplitResult:
    """Take a URL apart, refusing what two parsers could read differently."""
    if len(url) > LONGEST_URL:
        raise Refused(f"the URL is longer than {LONGEST_URL} characters")
    if UNWANTED.search(url):
        raise Refused("the URL contains white space, control characters or a backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("the URL is malformed") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise Refused("the URL is not an http or https URL")
    if "@" in parts.netloc:
        raise Refused("the URL contains a user name")
    if parts.fragment or "#" in url:
        raise Refused("the URL contains a fragment")
    if port == 0 or parts.netloc.endswith(":"):
        raise Refused("the URL has an impossible port")
    check_host(parts.hostname or "", bracketed="[" in parts.netloc)
    return parts


@lru_cache(maxsize=1000)
def check_host(host: str, *, bracketed: bool) -> None:
    """Raises `Refused`, which is found out anew each time; what passed once does again."""
    if bracketed:
        try:
            IPv6Address(host)
        except ValueError:
            raise Refused("the host is not an IPv6 address") from None
        if "%" in host:
            raise Refused("the host is an address with a zone")
        return
    if len(host) > LONGEST_HOST or not HOST_NAME.fullmatch(host):
        raise Refused("the host is not a plain ASCII name (write other letters as xn--…)")
    if NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) and not is_plain_ipv4(host):
        raise Refused("the host is an IPv4 address in an unusual form")


def is_plain_ipv4(host: str) -> bool:
    try:
        return str(IPv4Address(host)) == host
    except ValueError:
        return False


@dataclass(frozen=True)
class Gate:
    """The operator's rules: further networks, plain http, further ports; never the hub itself."""

    own_origin: str
    own_ports: frozenset[int]
    allowed: tuple[Network, ...]
    http: bool
    ports: frozenset[int]

    @classmethod
    def of(cls, settings: Settings) -> "Gate":
        http = settings.egress_allow_http
        try:
            own_origin = origin(settings.public_url)
        except Refused as error:
            raise SettingsError(f"HUB_PUBLIC_URL cannot be used: {error.reason}.") from None
        return cls(
            own_origin=own_origin,
            own_ports=frozenset({settings.port, *settings.metrics_ports}),
            allowed=settings.egress_allow_cidrs,
            http=http,
            ports=HTTPS_PORTS
            | (HTTP_PORTS if http else frozenset())
            | frozenset(settings.egress_allow_ports),
        )

    def check_url(self, url: str, origins: frozenset[str] | None = None) -> URL:
        """The URL as it will be asked for; `origins` are those known for the partner."""
        parts = split(url)
        if parts.scheme == "http" and not self.http:
            raise Refused("the URL is not https (HUB_EGRESS_ALLOW_HTTP would allow http)")
        place = origin_of(parts)
        if place == self.own_origin:
            raise Refused("the URL is the hub's own")
        if origins is not None and place not in origins:
            raise Refused(f"{place} is not an origin of this partner")
        parsed = URL(url, encoded=url.isascii())
        if (parsed.scheme, parsed.raw_host) != (parts.scheme, parts.hostname):
            raise Refused("the URL is ambiguous")
        return parsed

    def check_address(self, address: Address, port: int) -> None:
        """Raises `AddressRefused`, unless the address is public or the operator allowed it."""
        if any(address in network for network in self.allowed):
            self.check_allowed(address, port)
            return
        if not is_public(address):
            raise AddressRefused(
                f"{address} is not a public address (HUB_EGRESS_ALLOW_CIDRS would allow it)"
            )
        if port not in self.ports:
            raise AddressRefused(f"port {port} is not among HUB_EGRESS_ALLOW_PORTS")
        if is_own(address):
            raise AddressRefused(f"{address} is the hub's own address")

    def check_allowed(self, address: Address, port: int) -> None:
        """In a network of the operator any port may be a partner's, but not a system service."""
        if port < FIRST_UNPRIVILEGED_PORT and port not in self.ports | HTTP_PORTS:
            raise AddressRefused(f"port {port} is not among HUB_EGRESS_ALLOW_PORTS")
        if port in self.own_ports and is_own(address):
            raise AddressRefused("the hub does not call itself")


def is_public(address: Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in NOT_PUBLIC)
    )


def is_own(address: Address) -> bool:
    """Whether it is an address of this machine: the kernel would speak to it from itself.

    Connecting a datagram socket sends nothing.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return ip_address(str(probe.getsockname()[0])) == address
    except OSError:
        return False
