"""Floods, guessers and harvesters against the limits, on a clock of the test's own (T-06, T-14)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hub.errors import TooManyRequests
from hub.ocpi import limits as module
from hub.ocpi.limits import Limits
from hub.settings import Settings


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limits(clock):
    return Limits(Settings(requests_per_second=10, request_burst=50), clock=clock)


def allowed(check, times):
    """How many of so many calls in a row are let through."""
    count = 0
    for _ in range(times):
        try:
            check()
        except TooManyRequests:
            continue
        count += 1
    return count


def retry_after(check):
    with pytest.raises(TooManyRequests) as caught:
        check()
    assert (caught.value.http_status, caught.value.status_code) == (429, 2000)
    seconds = caught.value.headers["Retry-After"]
    assert f"again in {seconds} s" in str(caught.value)
    return int(seconds)


def test_a_partner_may_burst_and_then_keep_its_rate(limits, clock):
    assert allowed(lambda: limits.check_partner("one"), 1000) == 50
    clock.now += 1
    assert allowed(lambda: limits.check_partner("one"), 1000) == 10
    clock.now += 3600
    assert allowed(lambda: limits.check_partner("one"), 1000) == 50


def test_one_partner_does_not_use_up_the_share_of_another(limits):
    allowed(lambda: limits.check_partner("one"), 1000)

    assert allowed(lambda: limits.check_partner("two"), 1000) == 50


def test_a_partner_may_be_allowed_more_or_less_than_usual(limits, clock):
    less, more = {"burst": 5, "requests_per_second": 1}, {"requests_per_second": 100}

    assert allowed(lambda: limits.check_partner("small", agreed=less), 1000) == 5
    assert allowed(lambda: limits.check_partner("large", agreed=more), 1000) == 50
    clock.now += 2
    assert allowed(lambda: limits.check_partner("small", agreed=less), 1000) == 2
    assert allowed(lambda: limits.check_partner("large", agreed=more), 1000) == 50
    clock.now += 0.1
    assert allowed(lambda: limits.check_partner("large", agreed=more), 1000) == 10


def test_waiting_as_long_as_told_is_enough(limits, clock):
    for _ in range(10):
        allowed(lambda: limits.check_partner("one"), 1000)
        clock.now += retry_after(lambda: limits.check_partner("one"))

        limits.check_partner("one")


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 60)), max_size=40))
def test_no_pattern_of_asking_gains_more_than_burst_and_rate(steps):
    clock = Clock()
    limits = Limits(Settings(requests_per_second=10, request_burst=50), clock=clock)
    used = 0

    for wait, requests in steps:
        clock.now += wait
        used += allowed(lambda: limits.check_partner("one"), requests)

    assert used <= 50 + 10 * (clock.now - 1000) + 1e-3


def test_a_guesser_is_slowed_down(limits, clock):
    def guess():
        limits.check_login("192.0.2.1")
        limits.failed_login("192.0.2.1")

    assert allowed(guess, 10_000) == 20
    assert retry_after(guess) == 3
    clock.now += 60
    assert allowed(guess, 10_000) == 20
    limits.check_login("192.0.2.2")


def test_asking_alone_is_no_failure(limits):
    assert allowed(lambda: limits.check_login("192.0.2.1"), 1000) == 1000


def test_an_ipv6_host_gains_nothing_by_changing_its_address(limits):
    for number in range(20):
        limits.failed_login(f"2001:db8::{number:x}")

    retry_after(lambda: limits.check_login("2001:db8::ffff"))
    limits.check_login("2001:db8:0:1::1")


def test_one_address_written_in_two_ways_is_one(limits):
    for _ in range(20):
        limits.failed_login("::ffff:192.0.2.1")

    retry_after(lambda: limits.check_login("192.0.2.1"))


@pytest.mark.parametrize("address", [None, "", "unix:", "not an address"])
def test_requests_without_an_address_share_one_limit(limits, address):
    for _ in range(20):
        limits.failed_login(address)

    retry_after(lambda: limits.check_login(address))


def test_harvesting_token_uids_is_throttled_and_alarmed_before_200(limits, clock):
    def guess():
        limits.check_authorize("emsp")
        clock.now += 0.01
        limits.authorized("emsp", known=False)

    with capture_logs() as said:
        assert 50 <= allowed(guess, 1000) < 200
    assert [entry["event"] for entry in said] == ["unknown tokens asked for in a row"]
    limits.check_authorize("other")
    clock.now += 3600
    limits.check_authorize("emsp")


def test_foreign_cards_among_known_ones_are_no_harvesting(limits, clock):
    """Every third driver has a card that nobody knows: a bad day, not an attack."""
    for number in range(3000):
        limits.check_authorize("emsp")
        limits.authorized("emsp", known=number % 3 != 0)


def test_the_alarm_is_repeated_once_a_minute(limits, clock):
    def ask(times):
        for _ in range(times):
            limits.authorized("emsp", known=False)
        allowed(lambda: limits.check_authorize("emsp"), 100)

    with capture_logs() as first:
        ask(100)
        for _ in range(10):
            clock.now += 1
            ask(1)
    clock.now += 60
    with capture_logs() as second:
        ask(200)
    assert (len(first), len(second)) == (1, 1)


def test_lists_in_parallel_are_limited_and_let_go(limits):
    held = [limits.list_under_way("one") for _ in range(module.LISTS_AT_ONCE)]
    for each in held:
        each.__enter__()
    with pytest.raises(TooManyRequests), limits.list_under_way("one"):
        pass
    with limits.list_under_way("two"):
        pass

    held.pop().__exit__(None, None, None)
    with limits.list_under_way("one"):
        pass
    for each in held:
        each.__exit__(None, None, None)
    assert limits._lists == {}


def test_an_error_in_a_list_frees_its_place(limits):
    for _ in range(100):
        with pytest.raises(ValueError, match="broken"), limits.list_under_way("one"):
            raise ValueError("broken")

    assert limits._lists == {}


def test_memory_is_bounded_whoever_comes(limits, monkeypatch):
    monkeypatch.setattr(module, "BUCKETS", 100)

    for number in range(1000):
        limits.failed_login(f"10.0.{number // 250}.{number % 250}")
        limits.check_partner(number)
        limits.authorized(number, known=False)

    assert len(limits._logins) == len(limits._requests) == len(limits._unknown) == 100
