"""What one process remembers of a source, so as not to read for a partner what it has read."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from hub.models.values import Place
from hub.ocpi.delivery.window import Window
from hub.roaming.cursors import Standing
from hub.roaming.feed.changes import Source

# Where a cursor is: a place is not enough, for it may have been put back to where it had been.
Spot = tuple[Place, datetime | None]


def spot(standing: Standing) -> Spot:
    return standing.place, standing.put_back_at


@dataclass
class Stream:
    """What one process knows of one source in one tenant.

    ``seen``: by cursor, where it was in the database, and the place up to which nothing was found
    for it. ``urgent``: from which place, and how far ahead of it, a partner was told of what is
    urgent.
    """

    tenant_id: UUID
    source: Source
    window: Window | None = None
    seen: dict[UUID, tuple[Spot, Place]] = field(default_factory=dict)
    urgent: dict[UUID, tuple[Place, Place]] = field(default_factory=dict)
    passed_at: float = field(default_factory=time.monotonic)

    def place(self, standing: Standing) -> Place:
        before, after = self.seen.get(standing.id, (None, standing.place))
        return after if before == spot(standing) else standing.place

    def told_urgent(self, standing: Standing) -> Place:
        """The place up to which what is urgent need not be told again."""
        place = self.place(standing)
        since, up_to = self.urgent.get(standing.id, (place, place))
        # A cursor that was put back starts over.
        return up_to if since <= place else place
