"""How much one partner, one address or one guesser may ask for before the others would notice.

Token buckets in memory, a bounded number of them: with several processes each allows its share.
A refusal is HTTP 429 with Retry-After.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address, ip_network

import structlog

from hub.errors import TooManyRequests
from hub.settings import Settings

BUCKETS = 20_000
# Wrong tokens from one address: a typing error is forgiven, a guesser gets twenty tries a minute.
LOGIN_BURST, LOGINS_PER_SECOND = 20, 1 / 3
# Unknown token uids in real-time authorization. Drivers do present foreign cards; who tries
# uids in a row is throttled long before 200 of them (T-06). A known uid makes good for two others.
UNKNOWN_BURST, UNKNOWN_PER_SECOND, KNOWN_BONUS = 100, 0.5, 2.0
# Commands for one EVSE, session or reservation, whoever sends them: a driver tries a few times.
COMMAND_BURST, COMMANDS_PER_SECOND = 10, 1 / 6
ALARM_SECONDS = 60.0
# What floating point may lose of a token while it is refilled.
ROUNDING = 1e-6
LISTS_AT_ONCE = 8
IPV6_CUSTOMER = 64
NOTHING: Mapping[str, float] = {}

log = structlog.get_logger()


class Buckets:
    """Token buckets by key, all of one size and rate; the longest unused is forgotten first."""

    def __init__(self, burst: float, rate: float, clock: Callable[[], float]) -> None:
        self._burst, self._rate, self._clock = float(burst), rate, clock
        # What was left when, by key.
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def left(self, key: Hashable) -> float:
        left, then = self._left.get(key, (self._burst, 0.0))
        return min(self._burst, left + (self._clock() - then) * self._rate)

    def take(self, key: Hashable, cost: float = 1) -> None:
        """Take, down to nothing; a negative cost gives back."""
        self._left[key] = (min(self._burst, max(0.0, self.left(key) - cost)), self._clock())
        self._left.move_to_end(key)
        if len(self._left) > BUCKETS:
            self._left.popitem(last=False)

    def seconds_until_one(self, key: Hashable) -> float:
        missing = min(1.0, self._burst) - self.left(key)
        return missing / self._rate if missing > ROUNDING else 0.0


class Limits:
    """Asked by the middleware for every request; all methods are quick and never wait."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._usual = settings.request_burst, settings.requests_per_second
        self._requests = Buckets(*self._usual, clock)
        # Of partners that are allowed something else, by burst and rate.
        self._agreed: dict[tuple[float, float], Buckets] = {}
        self._logins = Buckets(LOGIN_BURST, LOGINS_PER_SECOND, clock)
        self._commands = Buckets(COMMAND_BURST, COMMANDS_PER_SECOND, clock)
        self._unknown = Buckets(UNKNOWN_BURST, UNKNOWN_PER_SECOND, clock)
        self._alarms: OrderedDict[Hashable, float] = OrderedDict()
        self._lists: dict[Hashable, int] = {}

    def check_partner(self, key: Hashable, *, agreed: Mapping[str, float] = NOTHING) -> None:
        """Count a request; raises TooManyRequests when the partner has used up its share.

        A refused request costs nothing, so that waiting for Retry-After is always enough.
        ``agreed`` is what the partner is allowed instead: ``burst``, ``requests_per_second``.
        """
        buckets = self._buckets(agreed) if agreed else self._requests
        if wait := buckets.seconds_until_one(key):
            raise too_many("Too many requests", wait)
        buckets.take(key)

    def _buckets(self, agreed: Mapping[str, float]) -> Buckets:
        burst, rate = self._usual
        terms = agreed.get("burst", burst), agreed.get("requests_per_second", rate)
        if terms not in self._agreed:
            self._agreed[terms] = Buckets(*terms, self._clock)
        return self._agreed[terms]

    def check_login(self, address: str | None) -> None:
        """Ask before a token that is not known yet is looked up, not before one that is.

        Otherwise a guesser could lock out a partner that shares its address.
        """
        if wait := self._logins.seconds_until_one(network_of(address)):
            raise too_many("Too many failed authentications from this address", wait)

    def failed_login(self, address: str | None) -> None:
        self._logins.take(network_of(address))

    def check_command(self, key: Hashable) -> None:
        """Count a command; ``key`` says what it aims at (T-52)."""
        if wait := self._commands.seconds_until_one(key):
            raise too_many("Too many commands for the same", wait)
        self._commands.take(key)

    def check_authorize(self, key: Hashable) -> None:
        """Ask before real-time authorization of a token by this partner."""
        if wait := self._unknown.seconds_until_one(key):
            self._alarm(key)
            raise too_many("Too many unknown tokens were asked for", wait)

    def authorized(self, key: Hashable, *, known: bool) -> None:
        """Tell whether the token that the partner asked for was known to anybody."""
        self._unknown.take(key, -KNOWN_BONUS if known else 1)

    @contextmanager
    def list_under_way(self, key: Hashable) -> Iterator[None]:
        """Around a GET of a list: crawling in parallel is limited per partner (T-25)."""
        under_way = self._lists.get(key, 0)
        if under_way >= LISTS_AT_ONCE:
            raise too_many(f"More than {LISTS_AT_ONCE} lists at a time", 1)
        self._lists[key] = under_way + 1
        try:
            yield
        finally:
            if self._lists[key] == 1:
                del self._lists[key]
            else:
                self._lists[key] -= 1

    def _alarm(self, key: Hashable) -> None:
        """Once a minute for each partner, or the alarm itself would be the flood."""
        now = self._clock()
        if now - self._alarms.get(key, -math.inf) < ALARM_SECONDS:
            return
        self._alarms[key] = now
        if len(self._alarms) > BUCKETS:
            self._alarms.popitem(last=False)
        log.warning("unknown tokens asked for in a row", partner=str(key))


def too_many(what: str, wait: float) -> TooManyRequests:
    seconds = math.ceil(wait)
    return TooManyRequests(
        f"{what}: try again in {seconds} s.", headers={"Retry-After": str(seconds)}
    )


def network_of(address: str | None) -> str:
    """One customer: an IPv4 address, or the /64 within which an IPv6 host picks its own."""
    try:
        ip = ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is None:
        return str(ip_network((ip, IPV6_CUSTOMER), strict=False))
    return str(ip.ipv4_mapped if isinstance(ip, IPv6Address) else ip)
