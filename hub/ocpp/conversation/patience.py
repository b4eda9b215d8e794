"""What a station waits for the database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from hub.errors import Unavailable

T = TypeVar("T")

# While the database is away, messages wait for it rather than be refused: a station gives up after
# a few refusals of a transaction and then drops it, and never repeats a status.
PATIENCE = (0.5, 1.0, 2.0, 4.0, 8.0)


async def patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Do it again while the database is away, as long as the station may wait for its answer."""
    for pause in PATIENCE:
        try:
            return await work()
        except Unavailable:
            await asyncio.sleep(pause)
    return await work()
