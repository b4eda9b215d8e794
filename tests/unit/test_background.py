"""Work in the background, and how it ends."""

import asyncio

from hub.background import ended


async def test_a_loop_whose_cancellation_was_lost_to_an_error_ends_all_the_same():
    """As where the database goes away while the hub stops."""
    began, turns = asyncio.Event(), []

    async def turn() -> None:
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            if len(turns) < 3:
                raise ConnectionError("gone")

    async def go_on() -> None:
        while True:
            turns.append("turn")
            try:
                await turn()
            except ConnectionError:
                continue

    task = asyncio.create_task(go_on())
    await began.wait()

    async with asyncio.timeout(10):
        await ended(task, None, again=0.01)

    assert task.cancelled()
    assert len(turns) == 3


async def test_what_has_ended_badly_is_no_business_of_who_ends_it():
    async def fail() -> None:
        raise ValueError

    task = asyncio.create_task(fail())
    await asyncio.wait({task})

    await ended(task)

    assert isinstance(task.exception(), ValueError)
