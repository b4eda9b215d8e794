"""Looking for work: which sources of which tenants have something that a partner has not seen.

Whoever changes something wakes the sender. This finds what nobody said: changes of other processes,
partners whose time has come, batches whose worker died.
"""

from collections.abc import Collection, Sequence
from uuid import UUID

import structlog

from hub.db import Database
from hub.errors import Unavailable
from hub.models.values import ConnectionStatus, Place
from hub.ocpi import presence
from hub.ocpi.delivery.rounds import followers, ready
from hub.ocpi.delivery.streams import Stream
from hub.ocpi.directory import Directory
from hub.roaming import cursors
from hub.roaming.cursors import Standing
from hub.roaming.feed import setbacks, sources
from hub.roaming.feed.sources import HUBCLIENTINFO, SOURCES
from hub.roaming.network import clientinfo
from hub.roaming.network.audience import Audience

log = structlog.get_logger()

# Tenants looked at in one sweep; the others follow in the next.
TENANTS_PER_SWEEP = 50

Key = tuple[UUID, str]


class Lookout:
    """Knows the streams that this process follows."""

    def __init__(self, database: Database, directory: Directory) -> None:
        self._database = database
        self._directory = directory
        self.streams: dict[Key, Stream] = {}
        self._last: UUID | None = None
        # The network as it was when the partners were last told of each other.
        self._told: dict[UUID, Audience] = {}

    def stream(self, tenant_id: UUID, source: str) -> Stream:
        key = (tenant_id, source)
        if key not in self.streams:
            self.streams[key] = Stream(tenant_id, SOURCES[source])
        return self.streams[key]

    async def tenants(self, *statuses: ConnectionStatus) -> list[UUID]:
        return await presence.tenants(self._database, *statuses)

    async def next_tenants(self) -> list[UUID]:
        """The tenants to be looked at now: all of them, or if they are many, the next in turn."""
        tenant_ids = await self.tenants(ConnectionStatus.CONNECTED)
        if len(tenant_ids) <= TENANTS_PER_SWEEP:
            return tenant_ids
        last = self._last
        ahead = [tenant_id for tenant_id in tenant_ids if last is None or tenant_id > last]
        chosen = (ahead + tenant_ids)[:TENANTS_PER_SWEEP]
        self._last = chosen[-1]
        return chosen

    async def look(self, tenant_ids: Sequence[UUID], busy: Collection[UUID]) -> set[Key]:
        """What is to be done for these tenants. ``busy`` are the cursors being served here.

        A tenant that cannot be looked at does not keep the others from being served.
        """
        found: set[Key] = set()
        for tenant_id in tenant_ids:
            try:
                found |= {(tenant_id, source) for source in await self.due(tenant_id, busy)}
            except Unavailable:
                raise
            except Exception:
                log.exception("tenant could not be looked at", tenant=str(tenant_id))
        return found

    async def due(self, tenant_id: UUID, busy: Collection[UUID]) -> set[str]:
        """The sources that a partner has not seen the end of, or has no cursor in."""
        audience = await self._directory.audience(tenant_id)
        if not any(map(ready, audience.connections)):
            return set()
        known = self._told.get(tenant_id) is audience
        async with self._database.transaction(tenant_id) as db:
            news = {HUBCLIENTINFO} if not known and await clientinfo.refresh(db) else set()
            newest = await sources.newest(db)
            standings = await cursors.standings(db, SOURCES)
            again = await setbacks.due(db)
        self._told[tenant_id] = audience

        def waits(standing: Standing) -> bool:
            place = self.stream(tenant_id, standing.source).place(standing)
            behind = place < newest.get(standing.source, Place())
            return behind or standing.partner_id in again.get(standing.source, ())

        placed = {(standing.source, standing.partner_id) for standing in standings}
        # Not all partners are told of everything: a cursor that nobody moves waits for nothing.
        follow = {
            (source.name, partner_id)
            for source in SOURCES.values()
            for partner_id in followers(audience, source)
        }
        missing = {source for source, _ in follow - placed}
        free = [
            standing
            for standing in standings
            if standing.free
            and (standing.source, standing.partner_id) in follow
            and standing.id not in busy
        ]
        return news | missing | {standing.source for standing in free if waits(standing)}
