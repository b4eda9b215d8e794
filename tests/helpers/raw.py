"""HTTP by hand, for what no decent client would send."""

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True)
class RawAnswer:
    """``status`` is 0 where the connection was closed without a word."""

    status: int
    head: str
    body: bytes


async def exchange(port: int, request: bytes, *, within: float = 10) -> RawAnswer:
    """Send these bytes and read until the other side closes, or has answered and waits."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(within):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return RawAnswer(0, "", b"")
            text = head.decode("latin-1")
            length = next(
                (
                    int(line.partition(":")[2])
                    for line in text.splitlines()
                    if line.lower().startswith("content-length:")
                ),
                0,
            )
            if request.startswith(b"HEAD "):
                length = 0
            return RawAnswer(int(text.split()[1]), text, await reader.readexactly(length))
    finally:
        writer.close()


def request(
    method: str, target: bytes | str, headers: dict[str, bytes | str], body: bytes = b""
) -> bytes:
    """The bytes of a request; targets and header values go out as they are."""
    lines = [b" ".join([method.encode(), as_bytes(target), b"HTTP/1.1"])]
    lines += [name.encode() + b": " + as_bytes(value) for name, value in headers.items()]
    return b"\r\n".join([*lines, b"", b""]) + body


def as_bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
