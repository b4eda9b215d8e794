"""Work that outlives the request it came from."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger()

# Seconds between two looks at what is still under way.
PATIENCE = 10.0


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


async def guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        log.exception("work in the background failed")
