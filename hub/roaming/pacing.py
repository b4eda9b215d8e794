"""Work that nobody waits for gives way to the requests that somebody does."""

import asyncio
import time

# While the hub is busy, such work has one part in so many of the time.
SHARE = 10
# Seconds: so much is done at a time, and so long is looked whether others have more to do.
SLICE = 0.002
PAUSE = 0.002
# What of a pause others use at least, where they need the processor.
BUSY = 0.25


class Pace:
    """Of one piece of such work; told after each step how many seconds that took."""

    def __init__(self) -> None:
        self._worked = 0.0

    async def give_way(self, worked: float) -> None:
        """Until others have had their share, or leave the processor idle."""
        self._worked += worked
        if self._worked < SLICE:
            await asyncio.sleep(0)
            return
        end = time.monotonic() + self._worked * (SHARE - 1)
        self._worked = 0.0
        while time.monotonic() < end:
            before = time.thread_time()
            await asyncio.sleep(PAUSE)
            if time.thread_time() - before < PAUSE * BUSY:
                return
