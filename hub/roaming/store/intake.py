"""The way in for objects of OCPI: many writes share a commit, and each is answered for itself.

Every caller waits for *its* commit: an answer of 1000 means committed (``grouping``).
"""

import asyncio
from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import HubError, Unavailable
from hub.roaming.grouping import LARGEST_GROUP, Grouping
from hub.roaming.store import objects
from hub.roaming.store.rows import SameSince
from hub.roaming.store.writes import Stored, Write

Result = Stored | HubError


class Intake:
    """Takes writes in and answers when they are committed.

    ``on_change`` is called after a commit with what it moved in the feed.
    """

    def __init__(
        self,
        database: Database,
        same_since: SameSince,
        on_change: Callable[[UUID, Sequence[Stored]], None] = lambda tenant_id, moved: None,
    ) -> None:
        self.same_since = same_since
        self.on_change = on_change
        self._writes: Grouping[Write, Result] = Grouping(database, self._apply, self._committed)

    async def keep(self, tenant_id: UUID, write: Write) -> Stored:
        """Commit one write; raises what ``objects.apply`` found wrong with it."""
        result = await self._writes.do(tenant_id, write)
        if isinstance(result, HubError):
            raise result
        return result

    async def keep_all(self, tenant_id: UUID, writes: Sequence[Write]) -> list[Result]:
        """Commit writes that came together, in groups that leave room for others; in their order.

        What was wrong with one is in its place. Raises ``Unavailable`` when some are not kept.
        """
        results: list[Result] = []
        for start in range(0, len(writes), LARGEST_GROUP):
            outcomes = self._writes.add(tenant_id, writes[start : start + LARGEST_GROUP])
            await asyncio.wait(outcomes)
            results += [result_of(outcome) for outcome in outcomes]
        return results

    async def close(self) -> None:
        """Wait for what is under way."""
        await self._writes.close()

    async def _apply(self, db: AsyncSession, writes: list[Write]) -> list[Result]:
        return await objects.apply(db, writes, same_since=self.same_since)

    def _committed(self, tenant_id: UUID, results: list[Result]) -> None:
        if moved := [one for one in results if isinstance(one, Stored) and one.passed_on]:
            self.on_change(tenant_id, moved)


def result_of(outcome: "asyncio.Future[Result]") -> Result:
    """What became of a write; what nobody can put right but the hub is raised."""
    error = outcome.exception()
    if error is None:
        return outcome.result()
    if isinstance(error, HubError) and not isinstance(error, Unavailable):
        return error
    raise error
