"""The client where there is no ``wrk``: HTTP/1.1 over asyncio streams, with nothing in between."""

import asyncio
import statistics
import time
from dataclasses import dataclass, field
from itertools import count

from benchmarks.load import Load, LoadFailed, Result, filled

OK = range(200, 300)


@dataclass
class Progress:
    """``numbers`` go to whichever connection is free; after ``until`` nothing is begun."""

    numbers: "count[int]"
    last: float
    until: float
    times: list[float] = field(default_factory=list)
    refused: int = 0


def drive(
    load: Load, port: int, seconds: float, start: int, *, requests: float = float("inf")
) -> Result:
    """For so many seconds, or until so many requests are answered."""
    return asyncio.run(drive_async(load, port, seconds, start, requests=requests))


async def drive_async(
    load: Load, port: int, seconds: float, start: int, *, requests: float = float("inf")
) -> Result:
    began = time.perf_counter()
    progress = Progress(count(start), start + requests, began + seconds)
    try:
        async with asyncio.TaskGroup() as connections:
            for _ in range(load.connections):
                connections.create_task(one(load, port, progress))
    except* OSError as errors:
        raise LoadFailed(f"a connection broke: {errors.exceptions[0]}") from None
    took = time.perf_counter() - began
    if not progress.times:
        raise LoadFailed("nothing was answered")
    return Result(len(progress.times), took, progress.refused, statistics.median(progress.times))


async def one(load: Load, port: int, progress: Progress) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while time.perf_counter() < progress.until:
            n = next(progress.numbers)
            if n >= progress.last:
                return
            began = time.perf_counter()
            writer.write(request(load, n))
            status = await read_answer(reader)
            progress.times.append(time.perf_counter() - began)
            progress.refused += status not in OK
    finally:
        writer.close()


def request(load: Load, n: int) -> bytes:
    body = filled(load, load.body, n).encode()
    lines = [
        f"{load.method} {filled(load, load.path, n)} HTTP/1.1",
        "Host: 127.0.0.1",
        *(f"{name}: {value}" for name, value in load.headers.items()),
        *([f"Content-Length: {len(body)}"] if body else []),
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body


async def read_answer(reader: asyncio.StreamReader) -> int:
    """The status; the body is read and dropped. All servers here say its length."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line[15:])
        await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise ConnectionError("the server closed it") from error
    return int(head.split(b" ", 2)[1])
