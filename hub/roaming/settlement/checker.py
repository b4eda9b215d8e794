"""Checks CDRs in the background: soon after one was kept, and now and then whatever was missed.

Nothing waits for it but CDRs that are held, so those that come together are checked together, and
requests go first. What it does is done when it is committed, so it may be killed at any time.
"""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

import structlog

from hub.background import ended
from hub.db import Database
from hub.errors import Unavailable
from hub.models.values import CDRVerdict
from hub.roaming.settlement import checking

log = structlog.get_logger()

# Seconds in which CDRs may gather: fifty cost the database no more than one.
GATHER = 0.05
# Seconds: a transaction that is not done yet holds the feed back; look again, less and less often.
LOOK_AGAIN = 0.02
PATIENCE = 7
# Tenants at a time: each has a connection of the database for as long as a batch takes.
TENANTS = 2


class Checker:
    """One per process. ``on_checked`` hears the verdicts, ``on_release`` whose CDRs may go on."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._again: set[UUID] = set()
        self._turns = asyncio.Semaphore(TENANTS)
        self._closing = False
        self.on_checked: Callable[[Sequence[CDRVerdict]], None] = lambda verdicts: None
        self.on_release: Callable[[UUID], None] = lambda tenant_id: None

    def wake(self, tenant_id: UUID) -> None:
        """A tenant has CDRs, tariffs or locations that it had not before."""
        self._again.add(tenant_id)
        if tenant_id not in self._tasks and not self._closing:
            self._tasks[tenant_id] = asyncio.create_task(self._work(tenant_id))

    async def close(self) -> None:
        """End what is under way; the next process goes on with it."""
        self._closing = True
        await ended(*self._tasks.values())

    async def _work(self, tenant_id: UUID) -> None:
        try:
            while tenant_id in self._again:
                await asyncio.sleep(GATHER)
                self._again.discard(tenant_id)
                await self.drain(tenant_id)
        except Unavailable:
            log.warning("the check of CDRs was broken off", tenant=str(tenant_id))
            # The next sweep begins it again.
        except Exception:
            log.exception("CDRs could not be checked", tenant=str(tenant_id))
        finally:
            self._again.discard(tenant_id)
            del self._tasks[tenant_id]

    async def drain(self, tenant_id: UUID) -> None:
        """Check everything of a tenant that is there by now."""
        waited = 0
        while waited < PATIENCE:
            async with self._turns, self._database.transaction(tenant_id) as db:
                found = await checking.check_next(db)
                if not found.verdicts:
                    found += await checking.check_again(db)
                unsettled = not found.verdicts and await checking.is_behind(db)
            if found.verdicts:
                self.on_checked(found.verdicts)
                waited = 0
            if found.released:
                self.on_release(tenant_id)
            if not found.verdicts and not unsettled:
                return
            if unsettled:
                await asyncio.sleep(LOOK_AGAIN * 2**waited)
                waited += 1
            else:
                await asyncio.sleep(GATHER if len(found.verdicts) < checking.AT_ONCE else 0)
