"""Grouped commits: writes that arrive while a commit is under way share the next one.

Every caller still waits for *its* commit - an answer of 1000 means committed - but under load a
commit carries many of them. A single caller pays nothing for it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from hub.db import Database
from hub.errors import HubError, Unavailable
from hub.roaming import objects
from hub.roaming.objects import Stored, Write
from hub.roaming.rows import SameSince

LARGEST_GROUP = 100

Waiting = tuple[Write, "asyncio.Future[Stored]"]


@dataclass
class Queue:
    waiting: list[Waiting] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None


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
        self.database = database
        self.same_since = same_since
        self.on_change = on_change
        self.queues: defaultdict[UUID, Queue] = defaultdict(Queue)

    async def keep(self, tenant_id: UUID, write: Write) -> Stored:
        """Commit one write; raises what ``objects.apply`` found wrong with it."""
        [outcome] = self.add(tenant_id, [write])
        # The caller may go away; the write goes on, for others share its commit.
        return await asyncio.shield(outcome)

    async def keep_all(self, tenant_id: UUID, writes: Sequence[Write]) -> list[Stored | HubError]:
        """Commit writes that came together, in groups that leave room for others; in their order.

        What was wrong with one is in its place. Raises ``Unavailable`` when some are not kept.
        """
        results: list[Stored | HubError] = []
        for start in range(0, len(writes), LARGEST_GROUP):
            outcomes = self.add(tenant_id, writes[start : start + LARGEST_GROUP])
            await asyncio.wait(outcomes)
            results += [result_of(outcome) for outcome in outcomes]
        return results

    def add(self, tenant_id: UUID, writes: Sequence[Write]) -> "list[asyncio.Future[Stored]]":
        loop, queue = asyncio.get_running_loop(), self.queues[tenant_id]
        waiting: list[Waiting] = [(write, loop.create_future()) for write in writes]
        queue.waiting += waiting
        if waiting and queue.task is None:
            queue.task = asyncio.create_task(self.work(tenant_id, queue))
        return [outcome for _, outcome in waiting]

    async def work(self, tenant_id: UUID, queue: Queue) -> None:
        try:
            while queue.waiting:
                group = queue.waiting[:LARGEST_GROUP]
                del queue.waiting[:LARGEST_GROUP]
                await self.commit(tenant_id, group)
        finally:
            queue.task = None

    async def commit(self, tenant_id: UUID, group: list[Waiting]) -> None:
        try:
            async with self.database.transaction(tenant_id) as db:
                results = await objects.apply(
                    db, [write for write, _ in group], same_since=self.same_since
                )
        except Unavailable as error:
            for _, outcome in group:
                settle(outcome, error)
            return
        except Exception as error:  # noqa: BLE001 - one write must not take the others down with it
            if len(group) == 1:
                settle(group[0][1], error)
                return
            for one in group:
                await self.commit(tenant_id, [one])
            return
        for (_, outcome), result in zip(group, results, strict=True):
            settle(outcome, result)
        if moved := [one for one in results if isinstance(one, Stored) and one.passed_on]:
            self.on_change(tenant_id, moved)

    async def close(self) -> None:
        """Wait for what is under way."""
        tasks = [queue.task for queue in self.queues.values() if queue.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)


def settle(outcome: "asyncio.Future[Stored]", result: Stored | Exception) -> None:
    if outcome.done():
        return
    if isinstance(result, Stored):
        outcome.set_result(result)
        return
    outcome.set_exception(copy_of(result))
    outcome.exception()  # seen: a caller that went away leaves no warning


def result_of(outcome: "asyncio.Future[Stored]") -> Stored | HubError:
    """What became of a write; what nobody can put right but the hub is raised."""
    error = outcome.exception()
    if error is None:
        return outcome.result()
    if isinstance(error, HubError) and not isinstance(error, Unavailable):
        return error
    raise error


def copy_of(error: Exception) -> Exception:
    """An error shared by a group is raised in several places; each raises its own."""
    if isinstance(error, HubError):
        return type(error)(str(error), data=error.data, headers=error.headers)
    return error
