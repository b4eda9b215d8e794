"""Stations that send as fast as they can without waiting for answers, in a process of their own.

    python -m benchmarks.flooders PORT COUNT SECONDS

They are A1, A2 … (A0 is the one that does not flood). Prints "flooding" once all are connected, and
how many messages they sent at the end.
"""

import asyncio
import sys
import time

from benchmarks.sockets import Socket, fleet


async def pour(socket: Socket, deadline: float) -> int:
    sent = 0
    while time.perf_counter() < deadline:
        await socket.websocket.send_str(f'[2,"{sent}","Heartbeat",{{}}]')
        sent += 1
        # A full buffer is waited for; an empty one must not keep the others from sending.
        await asyncio.sleep(0)
    return sent


async def drink(socket: Socket) -> None:
    """Read the answers and throw them away: who does not is dropped as a slow reader."""
    async for _ in socket.websocket:
        pass


async def flood(port: int, count: int, seconds: float) -> int:
    async with fleet(port) as stations:
        sockets = [await stations.connect(f"A{number}") for number in range(1, count + 1)]
        print("flooding", flush=True)
        reading = [asyncio.create_task(drink(socket)) for socket in sockets]
        deadline = time.perf_counter() + seconds
        sent = await asyncio.gather(
            *(pour(socket, deadline) for socket in sockets), return_exceptions=True
        )
        for task in reading:
            task.cancel()
    return sum(number for number in sent if isinstance(number, int))


def main() -> None:
    _, port, count, seconds = sys.argv
    print(asyncio.run(flood(int(port), int(count), float(seconds))))


if __name__ == "__main__":
    main()
