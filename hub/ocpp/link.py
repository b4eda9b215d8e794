"""One connection of one station: frames in, frames out, and nothing that can hurt the others.

The reader never waits for a message to be worked on: an answer to our own CALL may be the next
frame, and the work may be waiting for exactly that. CALLs of the station are worked off one after
the other, in order, by a task that exists only while there is work; an idle connection costs its
socket and one waiting reader.

What keeps one station from harming the rest: a token bucket (the kernel holds back what we do not
read), a yield after every message (aiohttp hands out what it has buffered without one: 20 flooders
kept an innocent station waiting for 14 seconds), a short queue, a deadline on every write, and a
table of pending CALLs instead of a queue of answers.
"""

import asyncio
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from hashlib import blake2b

import structlog
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from hub import codec
from hub.errors import Unavailable
from hub.ocpp import frames, messages
from hub.ocpp.frames import CallRefused, ErrorCode, OCPPVersion, Payload
from hub.ocpp.rates import Bucket, Tally

log = structlog.get_logger()

# A healthy station sends less than one message a second; the burst is a reconnect.
MESSAGES_PER_SECOND = 20.0
BURST = 60.0
QUEUE = 8
CALLS_WAITING = 32
REMEMBERED_ANSWERS = 4
WRITE_DEADLINE = 10.0
# Characters that an empty buffer takes without waiting for the station.
AT_ONCE_WRITTEN = 8192
# Stations give up after 10 to 30 seconds.
ANSWER_DEADLINE = 20.0
CALL_DEADLINE = 30.0
CLOSE_DEADLINE = 5.0
# Per minute: more than this is no accident.
BROKEN_FRAMES = 20
STRAY_ANSWERS = 100

# Answered without waiting for anything: the reader may do it itself.
AT_ONCE = frozenset({"Heartbeat"})
# A station that gets errors drops these; one that is offline keeps them, or is asked afterwards.
MUST_ARRIVE = frozenset(
    {
        *("StartTransaction", "MeterValues", "StopTransaction", "TransactionEvent"),
        *("StatusNotification", "NotifyEvent"),
    }
)

Answer = Callable[[str, Payload], Awaitable[Payload]]
Trace = Callable[[str, str], None]


class Disconnected(Exception):
    """The connection was gone before the CALL could be sent."""


class NoAnswer(Exception):
    """The CALL may have reached the station, but no answer came in time. ``sent`` says whether."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__("The station did not answer." if sent else "The station is busy.")
        self.sent = sent


class BrokenAnswer(Exception):
    """The station answered with something that is no answer to this CALL."""


# How a question of ours may fail without anything being wrong with the conversation.
UNANSWERED = (frames.CallRefused, NoAnswer, BrokenAnswer, Disconnected)


def silent(direction: str, text: str) -> None:
    """The trace of a connection that nobody listens to."""


class Link:
    """``answer`` is asked for the payload of each CALL; what it raises becomes the CALLERROR."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        version: OCPPVersion,
        answer: Answer,
        *,
        transport: asyncio.WriteTransport | None = None,
        strict: bool = False,
        trace: Trace = silent,
        write_within: float = WRITE_DEADLINE,
    ) -> None:
        self.socket = socket
        self.transport = transport
        self.version = version
        self.strict = strict
        self.answer = answer
        self.trace = trace
        self.write_within = write_within
        self.opened_at = time.time()
        self.last_heard = time.monotonic()
        self.closed = False
        self.closing = False
        self.broken_frames = Tally(BROKEN_FRAMES)
        self.stray_answers = Tally(STRAY_ANSWERS)
        self.bucket = Bucket(MESSAGES_PER_SECOND, BURST)
        self.pending: dict[str, asyncio.Future[Payload]] = {}
        self.turn = asyncio.Lock()
        self.waiting = 0
        self.queue: deque[frames.Call] = deque()
        self.worker: asyncio.Task[None] | None = None
        self.answered: OrderedDict[str, tuple[bytes, str | None]] = OrderedDict()
        self.heard: asyncio.Event | None = None
        self.afterwards: list[Callable[[], None]] = []

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
                await self.receive_call(frame)
            case frames.Result(message_id, payload):
                await self.settle(message_id, lambda future: future.set_result(payload))
            case frames.Error(message_id, code, description, about_result=False):
                refusal = CallRefused(code, description)
                await self.settle(message_id, lambda future: future.set_exception(refusal))
            case frames.Error(_, code, description):
                log.warning("answer not understood by station", code=code, description=description)
            case frames.Send(_, action):
                log.debug("event stream ignored", action=action)

    async def refuse(self, bad: frames.BadFrame) -> None:
        if isinstance(bad, frames.BadAnswer) and bad.message_id in self.pending:
            broken = BrokenAnswer(str(bad))
            await self.settle(bad.message_id, lambda future: future.set_exception(broken))
            return
        if self.broken_frames.exceeded(time.monotonic()):
            log.warning("too many broken frames", reason=str(bad))
            await self.finish(WSCloseCode.PROTOCOL_ERROR)
        elif bad.answer is not None:
            await self.write(bad.answer)

    async def settle(
        self, message_id: str, resolve: Callable[[asyncio.Future[Payload]], None]
    ) -> None:
        """Give an answer to the CALL it belongs to; answers that belong to none are dropped."""
        future = self.pending.pop(message_id, None)
        if future is not None and not future.done():
            resolve(future)
        elif self.stray_answers.exceeded(time.monotonic()):
            log.warning("too many answers to nothing")
            await self.finish(WSCloseCode.PROTOCOL_ERROR)

    async def receive_call(self, call: frames.Call) -> None:
        if call.action in AT_ONCE and self.worker is None and not self.closing:
            if answer := await self.answer_call(call):
                await self.write(answer)
            return
        digest = fingerprint(call)
        if call.id in self.answered and call.action not in AT_ONCE:
            known, given = self.answered[call.id]
            if known != digest:
                await self.write_error(call, ErrorCode.RPC, "The message id was used before.")
            elif given is not None:
                await self.write(given)
            return
        if len(self.queue) >= QUEUE:
            await self.write_error(call, ErrorCode.GENERIC, "Too many calls at once.")
            return
        if self.closing:
            return  # not answered is not delivered: the station will send it again
        self.answered[call.id] = (digest, None)
        self.queue.append(call)
        if self.worker is None:
            self.worker = asyncio.create_task(self.work())

    async def work(self) -> None:
        """Work off the queue, then vanish."""
        try:
            while self.queue and not self.closed:
                call = self.queue.popleft()
                answer = await self.answer_call(call)
                if answer is None:
                    await self.finish(WSCloseCode.TRY_AGAIN_LATER)
                    return
                self.remember(call, answer)
                await self.write(answer)
                await self.run_afterwards()
        finally:
            self.worker = None

    async def answer_call(self, call: frames.Call) -> str | None:
        """The frame that answers a CALL; None when the station should send it again later."""
        try:
            if call.action in AT_ONCE:
                return frames.write_result(call.id, await self.payload_for(call))
            async with asyncio.timeout(ANSWER_DEADLINE):
                return frames.write_result(call.id, await self.payload_for(call))
        except CallRefused as refusal:
            code = ErrorCode(refusal.code)
            log.info(
                "call refused", action=call.action, code=code.value, reason=refusal.description
            )
            return frames.write_error(call.id, code, self.version, refusal.description)
        except (Unavailable, TimeoutError):
            log.warning("call not answered in time", action=call.action)
            if call.action in MUST_ARRIVE:
                return None
        except Exception:
            log.exception("call failed", action=call.action)
        return frames.write_error(call.id, ErrorCode.INTERNAL, self.version)

    async def payload_for(self, call: frames.Call) -> Payload:
        if call.action not in messages.actions(self.version):
            raise CallRefused(ErrorCode.NOT_IMPLEMENTED)
        mended = messages.check(self.version, call.action, call.payload, strict=self.strict)
        if mended:
            log.info("message mended", action=call.action, faults=mended)
        return await self.answer(call.action, call.payload)

    def remember(self, call: frames.Call, answer: str) -> None:
        self.answered[call.id] = (self.answered[call.id][0], answer)
        # In the order they came, so the first to go has long been answered.
        while len(self.answered) > REMEMBERED_ANSWERS + len(self.queue):
            self.answered.popitem(last=False)

    def after_answer(self, action: Callable[[], None]) -> None:
        """Do something once the answer that is being prepared has left."""
        self.afterwards.append(action)

    async def run_afterwards(self) -> None:
        while self.afterwards:
            self.afterwards.pop(0)()

    async def call(
        self,
        action: str,
        payload: Payload,
        *,
        timeout: float = CALL_DEADLINE,  # noqa: ASYNC109
    ) -> Payload:
        """Send a CALL and return the payload of its answer.

        One at a time, as OCPP demands; ``timeout`` covers the time spent waiting for a turn. Raises
        CallRefused (their CALLERROR, or ours when the message is not valid), NoAnswer, BrokenAnswer
        and Disconnected. Must not be awaited while answering a CALL of the same station.
        """
        messages.check(self.version, action, payload)
        if self.waiting >= CALLS_WAITING:
            raise NoAnswer(sent=False)
        message_id, sent = str(uuid.uuid4()), False
        self.waiting += 1
        try:
            async with asyncio.timeout(timeout), self.turn:
                if self.closed or self.closing:
                    raise Disconnected
                future: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
                self.pending[message_id] = future
                sent = True
                await self.write(frames.write_call(message_id, action, payload))
                answer = await future
        except TimeoutError:
            raise NoAnswer(sent=sent) from None
        finally:
            self.waiting -= 1
            self.pending.pop(message_id, None)
        try:
            messages.check(self.version, action, answer, answer=True, strict=False)
        except CallRefused as refusal:
            raise BrokenAnswer(refusal.description) from None
        return answer

    async def write(self, text: str) -> None:
        self.trace("out", text)
        await self.write_control(self.socket.send_str(text), len(text))

    async def write_error(self, call: frames.Call, code: ErrorCode, description: str) -> None:
        await self.write(frames.write_error(call.id, code, self.version, description))

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

    async def alive(self, timeout: float = 5.0) -> bool:  # noqa: ASYNC109
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
        if self.worker is not None:
            await asyncio.wait([self.worker], timeout=patience)
        await self.finish(code)

    def abort(self) -> None:
        """Drop the connection without a word: the station would not read it."""
        if self.transport is not None:
            self.transport.abort()
        self.end()

    def end(self) -> None:
        """The connection is gone: nobody waits for its answers any longer."""
        self.closed = True
        self.queue.clear()
        for future in self.pending.values():
            if not future.done():
                future.set_exception(NoAnswer(sent=True))
        self.pending.clear()
        if self.heard is not None:
            self.heard.set()


def fingerprint(call: frames.Call) -> bytes:
    return blake2b(codec.write([call.action, call.payload]), digest_size=16).digest()
