"""Places of pages that were read: the next page is found, and what is remembered stays little."""

from uuid import UUID, uuid4

from hub.models.values import Party
from hub.roaming.modules import LOCATIONS, TARIFFS
from hub.roaming.store import places
from hub.roaming.store.filters import Filter
from hub.roaming.store.places import Places, Walk

TENANT = uuid4()


def walk(tenant_id: UUID = TENANT, module=LOCATIONS, party: str = "NL*ONE") -> Walk:
    return Walk(tenant_id, module, Filter((Party.parse(party),)))


def test_a_page_begins_behind_the_one_before_or_where_it_began_before():
    known = Places()
    known.note_page(walk(), 100, [7, 9, 12])

    assert known.before(walk(), 100) == 6
    assert known.before(walk(), 103) == 12


def test_what_is_not_known_exactly_is_counted():
    """What lies between may have changed since."""
    known = Places()
    known.note_page(walk(), 100, [7, 9, 12])

    for offset in (99, 101, 102, 104, 150):
        assert known.before(walk(), offset) is None


def test_a_list_begins_at_its_beginning():
    """Whatever was noted: an older object may have come back, and then all places are wrong."""
    known = Places()
    known.note_page(walk(), 0, [7, 9, 12])

    assert known.before(walk(), 0) is None
    assert known.before(walk(), 3) is None


def test_a_place_is_good_for_a_short_while():
    known = Places(lifetime=-1.0)
    known.note_page(walk(), 100, [7])

    assert known.before(walk(), 100) is None


def test_every_list_has_places_of_its_own():
    known = Places()
    known.note_page(walk(), 100, [7])

    for other in (walk(uuid4()), walk(module=TARIFFS), walk(party="NL*TWO")):
        assert known.before(other, 100) is None


def test_the_oldest_places_of_a_list_are_forgotten():
    known = Places()
    for page in range(1, places.PLACES_OF_A_LIST + 50):
        known.note_page(walk(), page, [page])

    assert known.before(walk(), 10) is None
    assert known.before(walk(), places.PLACES_OF_A_LIST) == places.PLACES_OF_A_LIST - 1


def test_the_list_that_nobody_read_for_longest_is_forgotten():
    known = Places()
    tenants = [uuid4() for _ in range(places.LISTS + 1)]
    for tenant_id in tenants:
        known.note_page(walk(tenant_id), 100, [7])

    assert known.before(walk(tenants[0]), 100) is None
    assert known.before(walk(tenants[-1]), 100) == 6
