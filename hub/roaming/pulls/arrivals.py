"""When something came from a partner, by module: noted in memory, written down now and then.

A push costs nothing more for it. What is lost with a process is half a minute of knowing that data
flowed, which does no harm.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import structlog
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import String, Uuid

from hub.background import ended
from hub.db import Database
from hub.errors import Unavailable

log = structlog.get_logger()

# Seconds.
WRITE_EVERY = 30.0
# Days until a long silence of the past counts for half of what it did.
HALF_LIFE = 14
USUAL_GAP = (
    "greatest(extract(epoch from clock_timestamp() - kept.arrived_at),"
    " kept.usual_gap * power(0.5, extract(epoch from clock_timestamp() - kept.arrived_at)"
    f" / {HALF_LIFE * 86400}))"
)

NOTE = text(
    "insert into sync_states as kept (partner_id, module, pushed_at, arrived_at, arrivals)"  # noqa: S608 - ours
    " select partner_id, module, clock_timestamp(), clock_timestamp(), 1"
    " from unnest(:partners, :modules) as given(partner_id, module)"
    " where exists (select from ocpi_partners where id = given.partner_id)"
    " on conflict (tenant_id, partner_id, module) do update set pushed_at = excluded.pushed_at,"
    " arrived_at = excluded.arrived_at, arrivals = kept.arrivals + 1,"
    f" usual_gap = {USUAL_GAP}"
).bindparams(
    bindparam("partners", type_=ARRAY(Uuid())), bindparam("modules", type_=ARRAY(String()))
)
NEWS = text(
    "update sync_states as kept set arrived_at = clock_timestamp(), arrivals = kept.arrivals + 1,"  # noqa: S608 - ours
    f" usual_gap = {USUAL_GAP} where kept.id = :id"
)


async def news(db: AsyncSession, state_id: UUID) -> None:
    """A pull brought something new: data flows, if not by itself."""
    await db.execute(NEWS, {"id": state_id})


class Arrivals:
    """What was pushed since it was last written down, in this process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pushed: dict[UUID, set[tuple[UUID, str]]] = {}

    def pushed(self, tenant_id: UUID, partner_id: UUID, module: str) -> None:
        self._pushed.setdefault(tenant_id, set()).add((partner_id, module))

    async def write(self) -> None:
        """Write it down; what cannot be written now is tried again."""
        pushed, self._pushed = self._pushed, {}
        for tenant_id, keys in pushed.items():
            partners, modules = zip(*sorted(keys), strict=True)
            try:
                async with self._database.transaction(tenant_id) as db:
                    await db.execute(NOTE, {"partners": list(partners), "modules": list(modules)})
            except Unavailable:
                self._pushed.setdefault(tenant_id, set()).update(keys)

    @asynccontextmanager
    async def written(self) -> AsyncIterator[None]:
        """Inside, it is written down now and then; on the way out once more."""
        task = asyncio.create_task(self._keep_writing())
        try:
            yield
        finally:
            await ended(task)
            await self.write()

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY)
            try:
                await self.write()
            except Exception:
                log.exception("arrivals could not be noted")
