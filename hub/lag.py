"""How late the event loop is: everything in this process waits for as long."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from aiohttp import web

from hub.background import ended

# Seconds between two readings; how many are kept: 15 seconds, the usual time between two scrapes.
EVERY = 0.5
READINGS = 30
# The average of the last of them says whether it is overloaded or was only stuck for a moment.
RECENT = 10


class LoopLag:
    """Sleeps and looks how much later than asked for it wakes up. Seconds throughout."""

    def __init__(self) -> None:
        self._readings: deque[float] = deque([0.0], maxlen=READINGS)

    @property
    def worst(self) -> float:
        return max(self._readings)

    @property
    def average(self) -> float:
        recent = list(self._readings)[-RECENT:]
        return sum(recent) / len(recent)

    async def measure(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY
            await asyncio.sleep(EVERY)
            self._readings.append(max(0.0, loop.time() - due))


LAG: web.AppKey[LoopLag] = web.AppKey("lag", LoopLag)


async def measuring(app: web.Application) -> AsyncIterator[None]:
    task = asyncio.create_task(app[LAG].measure())
    yield
    await ended(task)
