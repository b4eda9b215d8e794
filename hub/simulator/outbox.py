"""What a station must not lose: the beginning, the readings and the end of a transaction.

It waits in a queue until it is answered, in its order, through outages of either side.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ocpp.exceptions import OCPPError  # type: ignore[import-untyped]

from hub.simulator.connection import Gone, Refused

if TYPE_CHECKING:
    from hub.simulator.station import SimulatedStation

TRIES = 3


@dataclass
class Waiting:
    """Something that must be told. ``told`` is its answer, or why there is none."""

    request: Any
    told: "asyncio.Future[Any]"
    tries: int = 0

    def settle(self, result: Any) -> None:
        if self.told.done():
            return
        if isinstance(result, Exception):
            self.told.set_exception(result)
            self.told.exception()  # seen: nobody may be waiting
        else:
            self.told.set_result(result)


class Outbox:
    """The queue of a station."""

    def __init__(self, station: "SimulatedStation") -> None:
        self.station = station
        self.queue: deque[Waiting] = deque()
        self.filled = asyncio.Event()
        self.refusal: Refused | None = None

    def add(self, request: Any) -> "asyncio.Future[Any]":
        """Returns what will be answered, or why nothing will."""
        waiting = Waiting(request, asyncio.get_running_loop().create_future())
        if self.refusal is not None:
            waiting.settle(self.refusal)
            return waiting.told
        self.queue.append(waiting)
        self.filled.set()
        return waiting.told

    async def tell(self) -> None:
        """Tell what there is and what comes, in its order, however long that takes."""
        while True:
            await self.filled.wait()
            while self.queue:
                await self.station.connection.up.wait()
                waiting = self.queue[0]
                done = await self.tell_one(waiting)
                if done and self.queue and self.queue[0] is waiting:
                    self.queue.popleft()
            self.filled.clear()

    async def tell_one(self, waiting: Waiting) -> bool:
        """False when it must be told again."""
        station = self.station
        if getattr(waiting.request, "transaction_id", None) == 0:
            # In 1.6 the CSMS numbers transactions, so its number may have come after the reading.
            waiting.request.transaction_id = int(station.transaction or 0)
        try:
            answer = await station.connection.ask(waiting.request)
        except (Gone, TimeoutError):
            await asyncio.sleep(0)
            return False
        except OCPPError as error:
            waiting.tries += 1
            if waiting.tries < TRIES:
                return False
            station.complain(f"{type(waiting.request).__name__}: {type(error).__name__}")
            waiting.settle(error)
            return True
        if type(waiting.request).__name__ == "StartTransaction":
            station.dialect.after_start(answer)
        waiting.settle(answer)
        station.watch(station)
        return True

    async def drained(self) -> None:
        """Wait until everything has been told."""
        while self.queue:
            await asyncio.wait([self.queue[-1].told])

    def give_up(self, refusal: Refused) -> None:
        """Nobody will ever listen: who waits for an answer need not."""
        self.refusal = refusal
        while self.queue:
            self.queue.popleft().settle(refusal)
