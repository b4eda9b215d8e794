"""Settings, read once from the environment.

Every variable is named ``HUB_*``. A missing or malformed one raises ``SettingsError``, which names
the variable and says what is allowed. What operators change while the hub runs lives in the
database.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network

MOST_WORKERS = 64
HIGHEST_PORT = 65535


class SettingsError(Exception):
    """A variable is missing or malformed; the message names it and what is allowed."""


@dataclass(frozen=True)
class Settings:
    """What the hub must know before it starts. Durations are seconds, sizes are bytes."""

    database_url: str | None = field(default=None, repr=False)
    data_dir: Path = Path("hub-data")
    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = "http://127.0.0.1:8080"
    # "kid:base64 key", first is the one to encrypt with. None: kept in a file in data_dir.
    secret_keys: str | None = field(default=None, repr=False)
    log_level: str = "INFO"
    log_format: str = "json"
    egress_allow_cidrs: tuple[Network, ...] = ()
    egress_allow_http: bool = False
    # Besides 443 and 8443; in networks allowed by the operator any port from 1024 on will do.
    egress_allow_ports: tuple[int, ...] = ()
    max_body_bytes: int = 2 * 1024 * 1024
    requests_per_second: float = 200.0
    request_burst: int = 1000
    forward_timeout: float = 10.0
    authorize_timeout: float = 5.0
    page_limit: int = 100
    database_pool: int = 10
    # Processes that serve the same ports, and where the first of several tells its metrics.
    workers: int = 1
    metrics_port: int | None = None
    feed_workers: int = 64
    feed_per_partner: int = 8
    renewal_overlap: float = 300.0
    still_alive_after: float = 300.0
    # Months for which entries of the audit log and values of our own stations' meters are kept.
    audit_months: int = 24
    meter_value_months: int = 13
    # Stations may come without TLS from anywhere; without it, only to a hub that listens locally.
    ocpp_trusted_network: bool = False
    # Proxies whose word on TLS and client certificates of stations is believed.
    ocpp_proxy_cidrs: tuple[Network, ...] = ()
    # A listener for stations alone, with TLS; None: there is none. No host: all addresses.
    ocpp_tls_port: int | None = None
    ocpp_tls_host: str | None = None
    # PEM files. None: a certificate of the hub's own CA.
    ocpp_tls_certificate: Path | None = None
    ocpp_tls_key: Path | None = None
    # CAs of stations besides the hub's own.
    ocpp_tls_client_ca: Path | None = None

    @property
    def ocpp_tls_url(self) -> str | None:
        """Where stations find the listener with TLS, if there is one."""
        if self.ocpp_tls_port is None:
            return None
        host = urlsplit(self.public_url).hostname or ""
        return f"wss://{f'[{host}]' if ':' in host else host}:{self.ocpp_tls_port}/ocpp"

    @property
    def metrics_ports(self) -> range:
        """Where several workers tell their metrics, each its own; a single one does at ``port``."""
        first = self.port + 1 if self.metrics_port is None else self.metrics_port
        return range(first, first + self.workers if self.workers > 1 else first)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """Read ``HUB_*``; ``HUB_X_FILE`` may name a file that holds the value of ``HUB_X``."""
        known = {f"HUB_{name.upper()}": name for name in cls.__dataclass_fields__}
        values: dict[str, Any] = {}
        for given, value in environ.items():
            if not given.startswith("HUB_") or given in CLIENT_VARIABLES:
                continue
            variable, text = given, value
            if given.endswith("_FILE") and given.removesuffix("_FILE") in known:
                variable, text = given.removesuffix("_FILE"), read_file(given, value)
                if variable in environ:
                    raise SettingsError(f"{variable} and {given} are both set: leave one out.")
            if variable not in known:
                raise SettingsError(f"{variable} is not a setting. {closest(variable, known)}")
            name = known[variable]
            values[name] = READERS.get(name, read_text)(variable, text)
        settings = cls(**values)
        if "public_url" not in values:
            host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104
            shown = f"[{host}]" if ":" in host else host
            values["public_url"] = f"http://{shown}:{settings.port}"
            settings = cls(**values)
        return settings


# Read by the command line, which is a client of the hub and not the hub itself.
CLIENT_VARIABLES = {"HUB_URL", "HUB_API_KEY", "HUB_API_KEY_FILE", "HUB_DEBUG", "HUB_TENANT"}


def closest(variable: str, known: Mapping[str, str]) -> str:
    import difflib  # noqa: PLC0415 - only needed to word an error

    near = difflib.get_close_matches(variable, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(sorted(known))}."


def read_file(variable: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, ValueError) as error:
        raise SettingsError(f"{variable} names a file that cannot be read: {error}.") from None


def read_text(variable: str, text: str) -> str:
    if not text.strip():
        raise SettingsError(f"{variable} is empty. Leave it out to use the default.")
    return text.strip()


def read_path(variable: str, text: str) -> Path:
    return Path(read_text(variable, text)).expanduser()


def read_flag(variable: str, text: str) -> bool:
    match text.strip().lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
    raise SettingsError(f"{variable} must be true or false, not {text!r}.")


def number(kind: type[int] | type[float], low: float, high: float) -> Callable[[str, str], Any]:
    def read(variable: str, text: str) -> int | float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            what = "a whole number" if kind is int else "a number"
            raise SettingsError(f"{variable} must be {what} from {low} to {high}, not {text!r}.")
        return value

    return read


def one_of(*allowed: str) -> Callable[[str, str], str]:
    def read(variable: str, text: str) -> str:
        for value in allowed:
            if text.strip().lower() == value.lower():
                return value
        raise SettingsError(f"{variable} must be one of {', '.join(allowed)}, not {text!r}.")

    return read


def read_url(variable: str, text: str) -> str:
    parts = urlsplit(text.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise SettingsError(f"{variable} must be an http or https URL without query, not {text!r}.")
    return text.strip().rstrip("/")


def read_database_url(variable: str, text: str) -> str:
    if not text.startswith(("postgresql://", "postgres://", "postgresql+asyncpg://")):
        raise SettingsError(
            f"{variable} must start with postgresql://; PostgreSQL is the only database."
        )
    return "postgresql+asyncpg://" + text.split("://", 1)[1]


def read_ports(variable: str, text: str) -> tuple[int, ...]:
    one = number(int, 1, HIGHEST_PORT)
    return tuple(one(variable, part.strip()) for part in text.split(",") if part.strip())


def read_networks(variable: str, text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SettingsError(
            f"{variable} must be a list of networks such as 10.20.0.0/16,fd00::/8: {error}."
        ) from None


READERS: Mapping[str, Callable[[str, str], Any]] = {
    "database_url": read_database_url,
    "data_dir": read_path,
    "port": number(int, 1, HIGHEST_PORT),
    "public_url": read_url,
    "log_level": one_of("DEBUG", "INFO", "WARNING", "ERROR"),
    "log_format": one_of("json", "console"),
    "egress_allow_cidrs": read_networks,
    "ocpp_proxy_cidrs": read_networks,
    "ocpp_trusted_network": read_flag,
    "ocpp_tls_port": number(int, 1, HIGHEST_PORT),
    "ocpp_tls_certificate": read_path,
    "ocpp_tls_key": read_path,
    "ocpp_tls_client_ca": read_path,
    "egress_allow_http": read_flag,
    "egress_allow_ports": read_ports,
    "max_body_bytes": number(int, 1024, 64 * 1024 * 1024),
    "requests_per_second": number(float, 0.1, 1_000_000),
    "request_burst": number(int, 1, 1_000_000),
    "forward_timeout": number(float, 0.1, 300),
    "authorize_timeout": number(float, 0.1, 60),
    "page_limit": number(int, 1, 10_000),
    "database_pool": number(int, 2, 500),
    "workers": number(int, 1, MOST_WORKERS),
    "metrics_port": number(int, 1, HIGHEST_PORT),
    "feed_workers": number(int, 1, 1000),
    "feed_per_partner": number(int, 1, 100),
    "renewal_overlap": number(float, 1, 86_400),
    "still_alive_after": number(float, 1, 86_400),
    "audit_months": number(int, 6, 1200),
    "meter_value_months": number(int, 3, 1200),
}
