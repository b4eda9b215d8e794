"""Work of many callers in common transactions: whoever comes while one commits shares the next.

Every caller still waits for its own commit: what was answered is kept. A single caller pays nothing
for it (see docs/decisions/0007). While PostgreSQL writes one group the next can be made ready, if
the work says what it is about: two groups are never about the same.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.errors import Unavailable

T = TypeVar("T")
R = TypeVar("R")

LARGEST_GROUP = 100
# So many groups of a tenant at a time. A second one begins when so many wait that they are worth
# a commit of their own.
AT_ONCE = 2
WORTH_IT = 8


@dataclass
class Queue(Generic[T, R]):
    """``busy`` is what the groups under way are about."""

    waiting: "list[tuple[T, asyncio.Future[R]]]" = field(default_factory=list)
    busy: set[Hashable] = field(default_factory=set)
    tasks: "set[asyncio.Task[None]]" = field(default_factory=set)


class Grouping(Generic[T, R]):
    """``work`` does a group in one transaction and returns one result for each of it.

    ``committed`` is told what a group came to once it is kept. ``about`` says what must be done in
    the order in which it came; without it, that is everything.
    """

    def __init__(
        self,
        database: Database,
        work: Callable[[AsyncSession, list[T]], Awaitable[list[R]]],
        committed: Callable[[UUID, list[R]], None] = lambda tenant_id, results: None,
        *,
        about: Callable[[T], Hashable] | None = None,
    ) -> None:
        self.database = database
        self.work = work
        self.committed = committed
        self.about: Callable[[T], Hashable] = about or (lambda item: None)
        self.queues: defaultdict[UUID, Queue[T, R]] = defaultdict(Queue)

    async def do(self, tenant_id: UUID, item: T) -> R:
        """The result of one item, once it is committed; raises what its work raised."""
        [outcome] = self.add(tenant_id, [item])
        # The caller may go away; the work goes on, for others share its commit.
        return await outcome

    def add(self, tenant_id: UUID, items: Sequence[T]) -> "list[asyncio.Future[R]]":
        """What becomes of items that came together."""
        loop, queue = asyncio.get_running_loop(), self.queues[tenant_id]
        added: list[tuple[T, asyncio.Future[R]]] = [(item, loop.create_future()) for item in items]
        queue.waiting += added
        self.begin(tenant_id, queue)
        return [outcome for _, outcome in added]

    async def close(self) -> None:
        """Wait for what is under way."""
        tasks = [task for queue in self.queues.values() for task in queue.tasks]
        await asyncio.gather(*tasks, return_exceptions=True)

    def begin(self, tenant_id: UUID, queue: Queue[T, R]) -> None:
        worth_it = len(queue.waiting) >= WORTH_IT if queue.tasks else queue.waiting
        if worth_it and len(queue.tasks) < AT_ONCE:
            queue.tasks.add(asyncio.create_task(self.run(tenant_id, queue)))

    async def run(self, tenant_id: UUID, queue: Queue[T, R]) -> None:
        this = asyncio.current_task()
        assert this is not None
        try:
            while group := self.take(queue):
                about = {self.about(item) for item, _ in group}
                queue.busy |= about
                self.begin(tenant_id, queue)
                try:
                    await self.commit(tenant_id, group)
                finally:
                    queue.busy -= about
        finally:
            queue.tasks.discard(this)
            if not queue.tasks:
                del self.queues[tenant_id]

    def take(self, queue: Queue[T, R]) -> "list[tuple[T, asyncio.Future[R]]]":
        """The next group; what is about the same as one under way waits for that one to end.

        It leaves their share to groups that may begin beside it: were it to take everything, it
        would be waited for with nothing else to do.
        """
        share = ceil(len(queue.waiting) / (1 + AT_ONCE - len(queue.tasks)))
        limit = min(LARGEST_GROUP, max(share, WORTH_IT))
        group: list[tuple[T, asyncio.Future[R]]] = []
        later: list[tuple[T, asyncio.Future[R]]] = []
        for one in queue.waiting:
            fits = len(group) < limit and self.about(one[0]) not in queue.busy
            (group if fits else later).append(one)
        queue.waiting = later
        return group

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
