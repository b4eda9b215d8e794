"""Who gets the next request to a partner."""

import asyncio

from hub.ocpi.delivery.slots import Slots


async def served(slots: Slots, lanes: list[int], *, cancel: int | None = None) -> list[int]:
    """The order in which requests that came while the only slot was taken get it, by number."""
    order: list[int] = []

    async def ask(number: int, lane: int) -> None:
        async with slots.one(lane):
            order.append(number)

    async with slots.one(0):
        tasks = [asyncio.create_task(ask(*one)) for one in enumerate(lanes)]
        await asyncio.sleep(0)
        assert order == []
        if cancel is not None:
            tasks[cancel].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return order


async def test_the_lowest_lane_goes_first_and_in_it_the_first_to_come():
    assert await served(Slots(1), [2, 0, 1, 0]) == [1, 3, 2, 0]


async def test_who_gives_up_waiting_keeps_nobody_from_a_slot():
    slots = Slots(1)

    assert await served(slots, [0, 1, 1], cancel=0) == [1, 2]
    assert slots.taken == 0
