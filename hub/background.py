"""Work that outlives the request it came from."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

import structlog

log = structlog.get_logger()

# Seconds between two looks at what is still under way.
PATIENCE = 10.0
# Seconds until what was cancelled and goes on is cancelled again.
CANCEL_AGAIN = 5.0


class Background:
    """Keeps hold of its tasks; what goes wrong in one must be seen, for nobody awaits it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """See to the end what was begun."""
        while self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE)


async def ended(*tasks: asyncio.Task[Any] | None, again: float = CANCEL_AGAIN) -> None:
    """Cancel tasks and wait until they have ended, whatever becomes of them.

    An error that is met on the way out, as where the database goes away at the same time, takes the
    place of the cancellation, and a loop that survives errors goes on: so it is told again.
    """
    given = [task for task in tasks if task is not None]
    left: Iterable[asyncio.Task[Any]] = given
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=again)
    await asyncio.gather(*given, return_exceptions=True)


async def guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        log.exception("work in the background failed")
