"""A limit on requests in flight that lets the urgent ones through first."""

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


class Slots:
    """So many at a time; of those who wait, the lowest lane goes first, then the first to come."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._turns = count()

    @asynccontextmanager
    async def one(self, lane: int) -> AsyncIterator[None]:
        await self._take(lane)
        try:
            yield
        finally:
            self._give_back()

    async def _take(self, lane: int) -> None:
        if self.taken < self.size and not self._waiting:
            self.taken += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (lane, next(self._turns), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()
            raise

    def _give_back(self) -> None:
        """Pass the slot on to who waits, or free it."""
        self.taken -= 1
        while self._waiting and self.taken < self.size:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self.taken += 1
                turn.set_result(None)
