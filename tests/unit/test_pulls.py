"""When a pull is due, and when data counts as stale: decided without a database."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from hub.models.routing import SyncState
from hub.models.values import ConnectionStatus, InterfaceRole, PartnerStatus, Party, Role
from hub.roaming.modules import CDRS, LOCATIONS, SESSIONS, TARIFFS, TOKENS
from hub.roaming.network.partners import Connection, Endpoint
from hub.roaming.pulls import freshness
from hub.roaming.pulls.sync_terms import Terms, Wish, date_from, due, pullable

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
# Its id stands for a splay of nothing.
STATE = UUID(int=500)


def ago(**span):
    return NOW - timedelta(**span)


def state(**columns):
    columns = {"wanted_full": False, "arrivals": 0, "failures": 0, "created_at": ago(days=90)} | (
        columns
    )
    return SyncState(**{"id": STATE, "module": "tariffs", "partner_id": uuid4()} | columns)


def connection(*modules, roles=(Role.CPO,), **columns):
    return Connection(
        **{
            "id": uuid4(),
            "tenant_id": uuid4(),
            "name": "One",
            "status": PartnerStatus.ACTIVE,
            "connection_status": ConnectionStatus.CONNECTED,
            "hub": Party("NL", "HUB"),
            "version": "2.2.1",
            "token_to_send": b"x",
            "roles": frozenset((Party("NL", "ONE"), role) for role in roles),
            "endpoints": tuple(
                Endpoint(module, InterfaceRole.SENDER, f"https://one.example/{module}")
                for module in modules or ("tariffs",)
            ),
        }
        | columns
    )


def wish(now_state, **terms):
    found = due(now_state, Terms(**terms), NOW)
    return found and (found.kind, found.reason, found.since)


def test_only_what_a_partner_owns_serves_and_may_is_pulled():
    everything = ("tokens", "tariffs", "locations", "sessions", "cdrs")

    assert pullable(connection(*everything)) == [TARIFFS, LOCATIONS, SESSIONS, CDRS]
    assert pullable(connection(*everything, roles=(Role.EMSP,))) == [TOKENS]
    assert pullable(connection("locations")) == [LOCATIONS]
    agreed = connection(*everything, configuration={"supported_modules": ["cdrs"]})
    assert pullable(agreed) == [CDRS]


def test_what_is_new_is_pulled_whole():
    assert wish(state()) == ("full", "new", None)


@pytest.mark.parametrize(
    ("last", "pushed", "covered", "expected"),
    [
        (ago(hours=1), None, None, None),
        (ago(hours=6, minutes=1), None, None, ("delta", "interval", ago(hours=6, minutes=1))),
        (ago(days=7, minutes=1), None, None, ("full", "full", None)),
        # It pushes, and nothing was missed since.
        (ago(days=3), ago(days=2), ago(minutes=1), None),
        (ago(days=7, minutes=1), ago(days=2), ago(minutes=1), ("full", "full", None)),
        # It pushes, but could not reach us for two hours.
        (ago(days=3), ago(days=2), ago(hours=2), ("delta", "gap", ago(hours=2))),
        # It has not pushed for so long that it seems not to any more.
        (ago(hours=7), ago(days=8), ago(minutes=1), ("delta", "interval", ago(hours=7))),
    ],
)
def test_only_what_is_not_pushed_is_polled(last, pushed, covered, expected):
    assert wish(state(full_at=last, pushed_at=pushed, covered_at=covered)) == expected


def test_the_modes():
    pushing = {"full_at": ago(days=3), "pushed_at": ago(minutes=1), "covered_at": ago(minutes=1)}

    assert wish(state(**pushing)) is None
    assert wish(state(**pushing), mode="always") == ("delta", "interval", ago(days=3))
    assert wish(state(), mode="never") is None
    assert wish(state(wanted_full=True), mode="never") == ("full", "asked for", None)
    asked = state(wanted_from=ago(days=9), full_at=NOW)
    assert wish(asked, mode="never") == ("delta", "asked for", ago(days=9))


def test_who_backs_off_waits_unless_somebody_asks():
    waiting = {"next_attempt_at": NOW + timedelta(minutes=1)}

    assert wish(state(**waiting)) is None
    assert wish(state(**waiting, wanted_full=True)) == ("full", "asked for", None)


def test_what_a_patch_spoke_of_is_pulled_but_not_all_the_time():
    quiet = {"missed_from": ago(hours=3), "pushed_at": NOW, "covered_at": NOW}

    since = ago(hours=3, minutes=5)
    assert wish(state(full_at=ago(hours=2), **quiet)) == ("delta", "missed", since)
    assert wish(state(full_at=ago(minutes=1), **quiet)) is None


def test_not_everybody_is_asked_at_the_same_moment_TRANSPORT_19():
    early, late = state(full_at=ago(hours=6)), state(full_at=ago(hours=6))
    early.id, late.id = UUID(int=0), UUID(int=999)
    late.full_at = ago(hours=6, minutes=30)

    assert due(early, Terms(), NOW) is not None
    assert due(late, Terms(), NOW) is None


def test_from_when_on_it_asks():
    delta = Wish(full=False, reason="interval", since=ago(hours=6))
    full = Wish(full=True, reason="full")
    old = {"now": NOW, "known_since": ago(days=400)}
    new = {"now": NOW, "known_since": ago(days=2)}

    assert date_from(TARIFFS, delta, **old) == ago(hours=30)
    assert date_from(TARIFFS, full, **old) is None
    assert date_from(SESSIONS, delta, **old) == ago(hours=30)
    assert date_from(SESSIONS, full, **old) == ago(days=35)
    assert date_from(CDRS, full, **new) == ago(days=3)
    asked = Wish(full=False, reason="asked for", since=ago(days=100))
    assert date_from(CDRS, asked, **new) == ago(days=100)


def judged(now_state, partner=None):
    return freshness.judge(now_state, partner or connection(), NOW).reason


def test_a_pull_that_has_not_ended_well_for_three_intervals_makes_data_stale():
    recent, old = ago(hours=17), ago(hours=19)

    assert judged(state(full_at=recent)) is None
    assert judged(state(full_at=old)) == "No pull has ended well for 19 hours."
    broken = state(full_at=old, last_error="HTTP 401: no")
    assert judged(broken) == "No pull has ended well for 19 hours: HTTP 401: no"
    assert judged(state(created_at=ago(hours=19))) is not None


def test_an_unusual_silence_makes_data_stale_and_a_usual_one_does_not():
    flowing = {"full_at": ago(minutes=1), "arrivals": 100, "usual_gap": 12 * 3600.0}

    assert judged(state(arrived_at=ago(hours=35), **flowing)) is None
    silent = state(arrived_at=ago(hours=37), **flowing)
    assert judged(silent) == "Nothing new came for 37 hours, usually within 12 hours."


def test_a_busy_list_may_rest_for_a_day():
    busy = {"full_at": ago(minutes=1), "arrivals": 100, "usual_gap": 60.0}

    assert judged(state(arrived_at=ago(hours=23), **busy)) is None
    assert judged(state(arrived_at=ago(hours=25), **busy)) is not None


def test_nothing_is_usual_of_what_hardly_ever_changes():
    assert judged(state(full_at=NOW, arrived_at=ago(days=300), arrivals=2)) is None


def test_an_operator_may_say_what_is_too_long():
    partner = connection(configuration={"sync": {"tariffs": {"fresh_hours": 2}}})

    assert judged(state(full_at=NOW, arrived_at=ago(hours=1)), partner) is None
    stale = state(full_at=NOW, arrived_at=ago(hours=3))
    assert judged(stale, partner) == "Nothing new came for 3 hours."


def test_who_is_suspended_or_not_pulled_at_all_is_not_late():
    late = state(full_at=ago(days=30))

    assert judged(late, connection(status=PartnerStatus.SUSPENDED)) is None
    assert judged(late, connection(configuration={"auto_sync_enabled": False})) is None
