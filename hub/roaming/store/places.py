"""Where pages of lists ended, for clients that ask for the next one by a bare ``offset``.

To find an offset PostgreSQL has to count, unless it is where a page ended that was read just now.
As with our Link, whoever reads a list page by page then misses nothing where an object before the
page has gone meanwhile. What is new comes at the end of a list.

A place is good for a short while only: with several processes a page may follow one that another
process has read, and objects may have come in between that were there already, as when an old
object comes into a range of dates. Each partner has places of its own, for its parties are part of
the filter.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from hub.roaming.modules import Module
from hub.roaming.store.filters import Filter

LIFETIME = 30.0
LISTS = 200
PLACES_OF_A_LIST = 200


class Walk(NamedTuple):
    """A list as somebody read it lately."""

    tenant_id: UUID
    module: Module
    wanted: Filter


class Places:
    """``lifetime``: seconds for which a place is good."""

    def __init__(self, *, lifetime: float = LIFETIME) -> None:
        self._lifetime = lifetime
        # By offset, that noted last at the end: the place before it, and when that was noted.
        self._known: OrderedDict[Walk, dict[int, tuple[int, float]]] = OrderedDict()

    def before(self, walk: Walk, offset: int) -> int | None:
        """The place behind which the page at this offset begins; None: it must be counted."""
        if not offset:
            self._known.pop(walk, None)  # it is read anew
            return None
        place, noted = self._known.get(walk, {}).get(offset, (None, 0.0))
        return place if noted > time.monotonic() - self._lifetime else None

    def note_page(self, walk: Walk, offset: int, shown: Sequence[int]) -> None:
        """A page began at an offset and shows what has these places."""
        if shown:
            self._note(walk, offset, shown[0] - 1)
            self._note(walk, offset + len(shown), shown[-1])

    def _note(self, walk: Walk, offset: int, after: int) -> None:
        known = self._known.setdefault(walk, {})
        self._known.move_to_end(walk)
        known.pop(offset, None)
        known[offset] = after, time.monotonic()
        if len(known) > PLACES_OF_A_LIST:
            del known[next(iter(known))]
        if len(self._known) > LISTS:
            self._known.popitem(last=False)
