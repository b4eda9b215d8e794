"""Work of many callers in common transactions: whoever comes while one commits shares the next.

Every caller still waits for its own commit: what was answered is kept. A single caller pays nothing
for it (see docs/decisions/0007).
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Unavailable

T = TypeVar("T")
R = TypeVar("R")

LARGEST_GROUP = 100


@dataclass
class Queue(Generic[T, R]):
    waiting: "list[tuple[T, asyncio.Future[R]]]" = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None


class Grouping(Generic[T, R]):
    """``work`` does a group in one transaction and returns one result for each of it.

    ``committed`` is told what a group came to once it is kept.
    """

    def __init__(
        self,
        database: Database,
        work: Callable[[AsyncSession, list[T]], Awaitable[list[R]]],
        committed: Callable[[UUID, list[R]], None] = lambda tenant_id, results: None,
    ) -> None:
        self.database = database
        self.work = work
        self.committed = committed
        self.queues: defaultdict[UUID, Queue[T, R]] = defaultdict(Queue)

    async def do(self, tenant_id: UUID, item: T) -> R:
        """The result of one item, once it is committed; raises what its work raised."""
        [outcome] = self.add(tenant_id, [item])
        # The caller may go away; the work goes on, for others share its commit.
        return await outcome

    def add(self, tenant_id: UUID, items: Sequence[T]) -> "list[asyncio.Future[R]]":
        """What becomes of items that came together; nobody else's come between them."""
        loop, queue = asyncio.get_running_loop(), self.queues[tenant_id]
        added: list[tuple[T, asyncio.Future[R]]] = [(item, loop.create_future()) for item in items]
        queue.waiting += added
        if queue.task is None:
            queue.task = asyncio.create_task(self.run(tenant_id, queue))
        return [outcome for _, outcome in added]

    async def close(self) -> None:
        """Wait for what is under way."""
        tasks = [queue.task for queue in self.queues.values() if queue.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def run(self, tenant_id: UUID, queue: Queue[T, R]) -> None:
        try:
            while queue.waiting:
                group = queue.waiting[:LARGEST_GROUP]
                del queue.waiting[:LARGEST_GROUP]
                await self.commit(tenant_id, group)
        finally:
            del self.queues[tenant_id]

    async def commit(self, tenant_id: UUID, group: "list[tuple[T, asyncio.Future[R]]]") -> None:
        try:
            async with self.database.transaction(tenant_id) as db:
                results = await self.work(db, [item for item, _ in group])
        except Exception as error:  # noqa: BLE001 - it is given to whoever waits
            if len(group) > 1 and not isinstance(error, Unavailable):
                # One must not take the others down with it.
                for one in group:
                    await self.commit(tenant_id, [one])
                return
            for _, outcome in group:
                fail(outcome, error)
            return
        for (_, outcome), result in zip(group, results, strict=True):
            if not outcome.done():
                outcome.set_result(result)
        self.committed(tenant_id, results)


def fail(outcome: "asyncio.Future[R]", error: Exception) -> None:
    if not outcome.done():
        outcome.set_exception(copy_of(error))
        outcome.exception()  # seen: a caller that went away leaves no warning


def copy_of(error: Exception) -> Exception:
    """An error shared by a group is raised in several places; each raises its own."""
    return Unavailable(str(error)) if isinstance(error, Unavailable) else error
