"""Any order of arrival gives the same object: TRANSPORT-08, -09, -10, SES-12, SES-14, MOD-05."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hub.roaming import merging
from hub.roaming.merging import Merged, instant

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return START + timedelta(minutes=minutes)


def text(minutes: int) -> str:
    return at(minutes).strftime("%Y-%m-%dT%H:%M:%SZ")


def put(kept, minutes, **document):
    return merging.put(kept, document, at(minutes), text(minutes))


def patch(kept, minutes, **changes):
    return merging.patch(kept, changes, at(minutes), text(minutes))


def test_a_put_replaces_and_never_merges_TRANSPORT_08():
    kept = put(put(None, 0, name="A", city="B"), 1, name="C")

    assert kept.document == {"name": "C"}


def test_a_patch_changes_only_what_it_names_and_null_clears_TRANSPORT_09():
    kept = patch(put(None, 0, name="A", city="B", state="C"), 1, name="D", state=None)

    assert kept.document == {"name": "D", "city": "B"}
    assert kept.last_updated_text == text(1)


def test_a_late_patch_of_another_member_still_counts():
    kept = patch(patch(put(None, 0, name="A", city="B"), 5, name="C"), 3, city="D")

    assert kept.document == {"name": "C", "city": "D"}
    assert kept.last_updated_text == text(5)


def test_a_late_patch_of_the_same_member_changes_nothing():
    newer = patch(put(None, 0, name="A"), 5, name="C")

    assert patch(newer, 3, name="B") is newer


def test_a_put_older_than_the_one_kept_changes_nothing_MOD_05():
    newer = put(None, 5, name="A")

    assert put(newer, 4, name="B") is newer


def test_a_put_between_the_last_put_and_a_patch_keeps_the_patch():
    kept = put(patch(put(None, 0, name="A", city="B"), 9, name="C"), 5, name="X", city="Y")

    assert kept.document == {"name": "C", "city": "Y"}
    assert kept.last_updated_text == text(9)


def test_equal_stamps_let_the_later_arrival_win_MOD_05():
    assert put(put(None, 5, name="A"), 5, name="B").document == {"name": "B"}


def test_equal_stamps_let_the_later_put_win_under_a_newer_patch_as_well_MOD_05():
    kept = put(patch(put(None, 5, name="A", city="B"), 9, name="C"), 5, name="X", city="Y")

    assert kept.document == {"name": "C", "city": "Y"}
    assert kept.last_updated_text == text(9)


def test_a_put_forgets_what_was_patched_before_it():
    kept = patch(patch(put(None, 0, name="A", city="B"), 3, name="C"), 9, city="D")
    kept = put(kept, 5, name="X", city="Y")

    assert kept.document == {"name": "X", "city": "D"}
    assert put(kept, 4, name="Z") is kept
    assert patch(kept, 4, name="Z") is kept


def period(minutes: int, volume: float) -> dict:
    return {"start_date_time": text(minutes), "dimensions": [{"type": "ENERGY", "volume": volume}]}


def test_a_repeated_session_patch_bills_nothing_twice_SES_14():
    kept = put(None, 0, charging_periods=[period(0, 1)])
    once = merging.append_periods(kept, [period(10, 2)], at(10))
    twice = merging.append_periods(once, [period(10, 2)], at(10))

    assert twice.document == once.document
    assert once.document["charging_periods"] == [period(0, 1), period(10, 2)]


def test_periods_of_a_patch_older_than_the_put_are_gone_with_it_SES_12():
    kept = put(None, 20, charging_periods=[])

    assert merging.append_periods(kept, [period(10, 2)], at(10)) is kept


MEMBERS = ("name", "city", "state")
changes = st.dictionaries(st.sampled_from(MEMBERS), st.integers() | st.none(), min_size=1)
pushes = st.lists(st.tuples(st.booleans(), changes), min_size=1, max_size=8)


@given(pushes, st.randoms(use_true_random=False))
def test_every_order_of_arrival_gives_the_same_object(pushes, random):
    """Distinct stamps; the first PUT arrives first, since a PATCH never creates an object."""
    stamped = [(number + 1, *push) for number, push in enumerate(pushes)]
    shuffled = stamped + random.sample(stamped, len(stamped) // 2)  # some arrive twice
    random.shuffle(shuffled)

    assert apply(shuffled).document == apply(stamped).document
    assert apply(shuffled).last_updated == apply(stamped).last_updated


def apply(pushes) -> Merged:
    kept = put(None, 0, name=0, city=0, state=0)
    for minutes, whole, members in pushes:
        if whole:
            kept = put(kept, minutes, **{k: v for k, v in members.items() if v is not None})
        else:
            kept = patch(kept, minutes, **members)
    return kept


periods = st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True)


@given(st.lists(periods, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_session_patches_in_any_order_give_the_same_periods(patches, random):
    stamped = [(n + 1, [period(p, n) for p in starts]) for n, starts in enumerate(patches)]
    shuffled = stamped * 2
    random.shuffle(shuffled)

    assert appended(shuffled) == appended(stamped)


def appended(patches):
    kept = put(None, 0, charging_periods=[])
    for minutes, more in patches:
        kept = merging.append_periods(patch(kept, minutes), more, at(minutes))
    return kept.document["charging_periods"]


def test_instants_are_read_in_every_form_partners_send_TRANSPORT_93():
    expected = datetime(2015, 6, 29, 20, 39, 9, tzinfo=UTC)

    for written in (
        "2015-06-29T20:39:09Z",
        "2015-06-29T20:39:09",
        "2015-06-29 20:39:09",
        "2015-06-29T22:39:09+02:00",
        "2015-06-29T20:39:09.000000000Z",
    ):
        assert instant(written) == expected
