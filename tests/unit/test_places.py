"""Places of pages that were read: the nearest is found, and what is remembered stays little."""

from uuid import UUID, uuid4

from hub.models.values import Party
from hub.roaming import places
from hub.roaming.filters import Filter
from hub.roaming.modules import LOCATIONS, TARIFFS
from hub.roaming.places import Places, Start, Walk

TENANT = uuid4()


def walk(tenant_id: UUID = TENANT, module=LOCATIONS, party: str = "NL*ONE") -> Walk:
    return Walk(tenant_id, module, Filter((Party.parse(party),)))


def test_the_nearest_place_before_an_offset_is_found():
    known = Places()
    known.note_page(walk(), 100, [7, 9, 12])

    assert known.start(walk(), 99) == Start(None, 99)
    assert known.start(walk(), 100) == Start(6, 0)
    assert known.start(walk(), 102) == Start(6, 2)
    assert known.start(walk(), 103) == Start(12, 0)
    assert known.start(walk(), 150) == Start(12, 47)


def test_a_list_begins_at_its_beginning():
    """Whatever was noted: an older object may have come back."""
    known = Places()
    known.note_page(walk(), 0, [7, 9, 12])

    assert known.start(walk(), 0) == Start(None, 0)


def test_every_list_has_places_of_its_own():
    known = Places()
    known.note_page(walk(), 100, [7])

    for other in (walk(uuid4()), walk(module=TARIFFS), walk(party="NL*TWO")):
        assert known.start(other, 100) == Start(None, 100)


def test_the_oldest_places_of_a_list_are_forgotten():
    known = Places()
    for page in range(1, places.PLACES_OF_A_LIST + 50):
        known.note_page(walk(), page, [page])

    assert known.start(walk(), 10) == Start(None, 10)
    assert known.start(walk(), places.PLACES_OF_A_LIST) == Start(places.PLACES_OF_A_LIST - 1, 0)


def test_the_list_that_nobody_read_for_longest_is_forgotten():
    known = Places()
    tenants = [uuid4() for _ in range(places.LISTS + 1)]
    for tenant_id in tenants:
        known.note_page(walk(tenant_id), 100, [7])

    assert known.start(walk(tenants[0]), 100) == Start(None, 100)
    assert known.start(walk(tenants[-1]), 100) == Start(6, 0)
