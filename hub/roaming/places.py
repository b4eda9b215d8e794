"""Where pages of lists began and ended, for clients that ask for the next one by a bare ``offset``.

To find an offset PostgreSQL has to count; behind a place that is known it only counts the rest,
which is nothing for whoever reads a list page by page, wherever in it.

An offset is as of the moment its place was noted. Where an object before it has gone meanwhile, a
true offset would pass by one that the client has not read; a place does not. What is new comes at
the end of a list. Each partner has places of its own, for its parties are part of the filter, and
none is used after ``LIFETIME``. Another process has others, and counts a little more.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from hub.roaming.filters import Filter
from hub.roaming.modules import Module

# Seconds.
LIFETIME = 600.0
LISTS = 200
PLACES_OF_A_LIST = 200


class Start(NamedTuple):
    """Where a page begins: so many objects behind a place, or behind the beginning."""

    after: int | None
    offset: int


class Walk(NamedTuple):
    """A list as somebody read it lately."""

    tenant_id: UUID
    module: Module
    wanted: Filter


class Places:
    def __init__(self) -> None:
        # By offset, that noted last at the end: the place before it, and when that was noted.
        self._known: OrderedDict[Walk, dict[int, tuple[int, float]]] = OrderedDict()

    def start(self, walk: Walk, offset: int) -> Start:
        """The nearest place that is known before an offset."""
        oldest = time.monotonic() - LIFETIME
        known = self._known.get(walk, {})
        fresh = [at for at, (_, noted) in known.items() if at <= offset and noted > oldest]
        if not offset or not fresh:
            return Start(None, offset)
        nearest = max(fresh)
        return Start(known[nearest][0], offset - nearest)

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
