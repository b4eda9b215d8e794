"""Ending the servers of tests."""

import asyncio

from aiohttp import web

# Turns of the loop after which the server knows of a connection that was accepted.
TURNS = 3


async def close(runner: web.AppRunner) -> None:
    """Leave no connection open that was accepted in the very moment: its server would not know of
    it when it closes them, and a later test would be blamed.
    """
    for site in list(runner.sites):
        await site.stop()
    for _ in range(TURNS):
        await asyncio.sleep(0)
    await runner.cleanup()
