"""Waiting for what happens by itself, as long as it takes and not longer."""

import asyncio
from collections.abc import Callable
from typing import Any


async def until(found: Callable[[], Any], seconds: float = 20) -> Any:
    """What ``found`` finds as soon as it finds anything; TimeoutError if it never does."""
    async with asyncio.timeout(seconds):
        while not (value := found()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return value
