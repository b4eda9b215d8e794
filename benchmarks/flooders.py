"""Stations that send as fast as they can without waiting for answers, in a process of their own.

    python -m benchmarks.flooders PORT COUNT

They are A1, A2 … (A0 is the one that does not flood). Prints "flooding" once all are connected, and
goes on until it is killed.
"""

import asyncio
import itertools
import sys

from benchmarks.sockets import Socket, fleet


async def pour(socket: Socket) -> None:
    """Where the hub reads no more, what is sent waits in the buffers in between."""
    for number in itertools.count():
        await socket.websocket.send_str(f'[2,"{number}","Heartbeat",{{}}]')
        # An empty buffer must not keep the others from sending.
        await asyncio.sleep(0)


async def drink(socket: Socket) -> None:
    """Read the answers and throw them away: who does not is dropped as a slow reader."""
    async for _ in socket.websocket:
        pass


async def flood(port: int, count: int) -> None:
    async with fleet(port) as stations:
        sockets = [await stations.connect(f"A{number}") for number in range(1, count + 1)]
        print("flooding", flush=True)
        await asyncio.gather(*map(pour, sockets), *map(drink, sockets))


def main() -> None:
    _, port, count = sys.argv
    asyncio.run(flood(int(port), int(count)))


if __name__ == "__main__":
    main()
