"""One connection of one station: frames in, frames out, and nothing that can hurt the others.

The reader never waits for a message to be worked on: an answer to our own CALL (``outgoing``) may
be the next frame, and the work on a CALL of the station (``incoming``) may be waiting for exactly
that. An idle connection costs its socket and one waiting reader.

What keeps one station from harming the rest: a token bucket (the kernel holds back what we do not
read), a yield after every message (aiohttp hands out what it has buffered without one: 20 flooders
kept an innocent station waiting for 14 seconds), a short queue, a deadline on every write, and a
table of pending CALLs instead of a queue of answers.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from hub.ocpp.conversation import frames
from hub.ocpp.conversation.frames import CallRefused, OCPPVersion
from hub.ocpp.conversation.incoming import Answer, Incoming
from hub.ocpp.conversation.outgoing import BrokenAnswer, Outgoing
from hub.ocpp.conversation.rates import Bucket, Tally

log = structlog.get_logger()

# A healthy station sends less than one message a second; the burst is a reconnect.
MESSAGES_PER_SECOND = 20.0
BURST = 60.0
WRITE_DEADLINE = 10.0
# Characters that an empty buffer takes without waiting for the station.
AT_ONCE_WRITTEN = 8192
CLOSE_DEADLINE = 5.0
# Per minute: more than this is no accident.
BROKEN_FRAMES = 20

Trace = Callable[[str, str], None]


def silent(direction: str, text: str) -> None:
    """The trace of a connection that nobody listens to."""


class Link:
    """``answer`` gives the payload that answers a CALL: see ``Incoming``."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        version: OCPPVersion,
        answer: Answer,
        *,
        transport: asyncio.WriteTransport | None = None,
        strict: bool = False,
        trace: Trace = silent,
    ) -> None:
        self.socket = socket
        self.transport = transport
        self.version = version
        self.trace = trace
        self.write_within = WRITE_DEADLINE
        self.last_heard = time.monotonic()
        self.closed = False
        self.closing = False
        self.broken_frames = Tally(BROKEN_FRAMES)
        self.bucket = Bucket(MESSAGES_PER_SECOND, BURST)
        self.heard: asyncio.Event | None = None
        self.incoming = Incoming(self, answer, strict=strict)
        self.outgoing = Outgoing(self)

    async def run(self) -> None:
        """Read until the connection ends, for whatever reason."""
        try:
            while not self.closing:
                message = await self.socket.receive()
                self.last_heard = time.monotonic()
                if self.heard is not None:
                    self.heard.set()
                if not await self.take(message):
                    break
                # A flooder must not keep the loop to itself.
                await asyncio.sleep(0)
        finally:
            self.end()

    async def take(self, message: WSMessage) -> bool:
        """Take one WebSocket message; False when it was the last."""
        match message.type:
            case WSMsgType.TEXT:
                if pause := self.bucket.wait(time.monotonic()):
                    await asyncio.sleep(pause)
                await self.read(message.data)
            case WSMsgType.PING:
                await self.write_control(self.socket.pong(message.data))
            case WSMsgType.PONG:
                pass
            case WSMsgType.BINARY:
                await self.finish(WSCloseCode.UNSUPPORTED_DATA)
                return False
            case _:
                return False
        return True

    async def read(self, text: str) -> None:
        self.trace("in", text)
        try:
            frame = frames.read(text, self.version)
        except frames.BadFrame as bad:
            await self.refuse(bad)
            return
        match frame:
            case frames.Call():
                await self.incoming.take(frame)
            case frames.Result(message_id, payload):
                await self.outgoing.settle(message_id, lambda future: future.set_result(payload))
            case frames.Error(message_id, code, description, about_result=False):
                refusal = CallRefused(code, description)
                await self.outgoing.settle(message_id, lambda future: future.set_exception(refusal))
            case frames.Error(_, code, description):
                log.warning("answer not understood by station", code=code, description=description)
            case frames.Send(_, action):
                log.debug("event stream ignored", action=action)

    async def refuse(self, bad: frames.BadFrame) -> None:
        if isinstance(bad, frames.BadAnswer) and bad.message_id in self.outgoing.pending:
            broken = BrokenAnswer(str(bad))
            await self.outgoing.settle(bad.message_id, lambda future: future.set_exception(broken))
            return
        if self.broken_frames.exceeded(time.monotonic()):
            log.warning("too many broken frames", reason=str(bad))
            await self.finish(WSCloseCode.PROTOCOL_ERROR)
        elif bad.answer is not None:
            await self.write(bad.answer)

    async def write(self, text: str) -> None:
        self.trace("out", text)
        await self.write_control(self.socket.send_str(text), len(text))

    async def write_control(self, sending: Awaitable[None], size: int = 0) -> None:
        """A station that does not read is let go; a connection that is gone is no error here."""
        try:
            if size <= AT_ONCE_WRITTEN and self.nothing_waits():
                await sending  # the station has read everything: this cannot block
                return
            async with asyncio.timeout(self.write_within):
                await sending
        except TimeoutError:
            log.warning("station does not read")
            self.abort()
        except (ConnectionError, RuntimeError):
            self.end()

    def nothing_waits(self) -> bool:
        return self.transport is not None and not self.transport.get_write_buffer_size()

    async def alive(self, timeout: float) -> bool:  # noqa: ASYNC109
        """Ping the station; whatever it sends next is as good as a pong."""
        if self.closed:
            return False
        self.heard = heard = asyncio.Event()
        try:
            async with asyncio.timeout(timeout):
                await self.socket.ping()
                await heard.wait()
        except (TimeoutError, ConnectionError, RuntimeError):
            return False
        finally:
            self.heard = None
        return not self.closed

    async def finish(self, code: int, reason: str = "") -> None:
        """Close for a reason, from inside or outside the reader."""
        self.closing = True
        await self.socket.close(code=code, message=reason.encode())
        self.end()

    async def leave(
        self, code: int = WSCloseCode.GOING_AWAY, patience: float = CLOSE_DEADLINE
    ) -> None:
        """Stop taking messages, let the one at work be answered if it is soon, and close."""
        self.closing = True
        if self.incoming.worker is not None:
            await asyncio.wait([self.incoming.worker], timeout=patience)
        await self.finish(code)

    def abort(self) -> None:
        """Drop the connection without a word: the station would not read it."""
        if self.transport is not None:
            self.transport.abort()
        self.end()

    def end(self) -> None:
        """The connection is gone: nobody waits for its answers any longer."""
        self.closed = True
        self.incoming.queue.clear()
        self.outgoing.end()
        if self.heard is not None:
            self.heard.set()
