"""What stations remember of tokens: to be forgotten as soon as one is not what it was.

A station may let a driver charge by its cache without asking. There is no message for one token, so
the whole cache goes; many that are blocked at the same time cost one message. A station that was
away, or did not answer, is told when it is back.
"""

import asyncio
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.background import Background
from hub.db import Database
from hub.models.objects import Token
from hub.models.stations import ChargingStation
from hub.models.tenants import Tenant
from hub.roaming.ports import StationRef, Stations

log = structlog.get_logger()

# Stations that are told at the same time.
AT_ONCE = 16
# What became of a message that may not have arrived: it is sent again.
UNHEARD = frozenset({"TIMEOUT", "REJECTED"})


class Caches:
    """One per process. ``tokens_changed`` is called after a commit and waits for nothing."""

    def __init__(self, database: Database, stations: Stations, background: Background) -> None:
        self._database = database
        self._stations = stations
        self._background = background
        self._again: set[UUID] = set()
        self._busy: set[UUID] = set()

    def tokens_changed(self, tenant_id: UUID) -> None:
        self._again.add(tenant_id)
        if tenant_id not in self._busy:
            self._busy.add(tenant_id)
            self._background.spawn(self._look(tenant_id))

    async def _look(self, tenant_id: UUID) -> None:
        try:
            while tenant_id in self._again:
                self._again.discard(tenant_id)
                await self.clear(tenant_id)
        finally:
            self._busy.discard(tenant_id)

    async def clear(self, tenant_id: UUID) -> None:
        """Tell every station that is there and has not been told since a token was blocked."""
        async with self._database.transaction(tenant_id) as db:
            theirs = select(func.max(Token.received_at)).where(Token.valid.is_(False))
            own = select(Tenant.tokens_changed_at)
            blocked_at = await db.scalar(
                select(func.greatest(theirs.scalar_subquery(), own.scalar_subquery()))
            )
            if blocked_at is None:
                return
            due = list(
                await db.scalars(
                    select(ChargingStation.id).where(
                        ChargingStation.connected_to.is_not(None),
                        ChargingStation.cache_cleared_at < blocked_at,
                    )
                )
            )
        at_once = asyncio.Semaphore(AT_ONCE)

        async def tell(station_id: UUID) -> None:
            async with at_once:
                await self._tell(StationRef(tenant_id, station_id), blocked_at)

        await asyncio.gather(*map(tell, due))

    async def _tell(self, ref: StationRef, blocked_at: datetime) -> None:
        outcome = await self._stations.clear_cache(ref)
        if not outcome.accepted:
            log.info("cache not cleared", station=str(ref.id), reason=outcome.message)
        if outcome.result in UNHEARD:
            return
        async with self._database.transaction(ref.tenant_id) as db:
            await db.execute(
                update(ChargingStation)
                .where(ChargingStation.id == ref.id)
                .values(cache_cleared_at=blocked_at)
            )


async def own_token_changed(db: AsyncSession) -> None:
    """A token of the tenant's own drivers is not what it was; told after the commit."""
    await db.execute(
        update(Tenant).values(
            tokens_changed_at=func.clock_timestamp(),
            # That is no change of the tenant.
            updated_at=Tenant.updated_at,
            last_modified_by=Tenant.last_modified_by,
        )
    )
