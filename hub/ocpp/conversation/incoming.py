"""CALLs of a station, answered one after the other, in the order they come.

A task works them off that exists only while there is work; what is answered without waiting for
anything needs none. A CALL that comes again is answered as before, without being worked on again.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import TYPE_CHECKING

import structlog
from aiohttp import WSCloseCode

from hub import codec
from hub.errors import Unavailable
from hub.ocpp.conversation import frames, messages
from hub.ocpp.conversation.frames import CallRefused, ErrorCode, Payload

if TYPE_CHECKING:
    from hub.ocpp.conversation.link import Link

log = structlog.get_logger()

QUEUE = 8
REMEMBERED_ANSWERS = 4
# Seconds; stations give up after 10 to 30.
ANSWER_DEADLINE = 20.0

# Answered without waiting for anything: the reader may do it itself.
AT_ONCE = frozenset({"Heartbeat"})
# A station that gets errors drops these; one that is offline keeps them, or is asked afterwards.
MUST_ARRIVE = frozenset(
    {
        "StartTransaction",
        "MeterValues",
        "StopTransaction",
        "TransactionEvent",
        "StatusNotification",
        "NotifyEvent",
    }
)

Answer = Callable[[str, Payload], Awaitable[Payload]]


class Incoming:
    """``answer`` is asked for the payload of each CALL; what it raises becomes the CALLERROR.

    ``answered`` are digests of the last CALLs by message id, and their answers once there are some.
    """

    def __init__(self, link: "Link", answer: Answer, *, strict: bool) -> None:
        self.link = link
        self.answer = answer
        self.strict = strict
        self.queue: deque[frames.Call] = deque()
        self.worker: asyncio.Task[None] | None = None
        self.answered: OrderedDict[str, tuple[bytes, str | None]] = OrderedDict()
        self.afterwards: list[Callable[[], None]] = []

    async def take(self, call: frames.Call) -> None:
        if call.action in AT_ONCE and self.worker is None and not self.link.closing:
            if answer := await self.answer_call(call):
                await self.link.write(answer)
            return
        digest = fingerprint(call)
        if call.id in self.answered and call.action not in AT_ONCE:
            known, given = self.answered[call.id]
            if known != digest:
                await self.refuse(call, ErrorCode.RPC, "The message id was used before.")
            elif given is not None:
                await self.link.write(given)
            return
        if len(self.queue) >= QUEUE:
            await self.refuse(call, ErrorCode.GENERIC, "Too many calls at once.")
            return
        if self.link.closing:
            return  # not answered is not delivered: the station will send it again
        self.answered[call.id] = (digest, None)
        self.queue.append(call)
        if self.worker is None:
            self.worker = asyncio.create_task(self.work())

    async def work(self) -> None:
        """Work off the queue, then vanish."""
        try:
            while self.queue and not self.link.closed:
                call = self.queue.popleft()
                answer = await self.answer_call(call)
                if answer is None:
                    await self.link.finish(WSCloseCode.TRY_AGAIN_LATER)
                    return
                self.remember(call, answer)
                await self.link.write(answer)
                while self.afterwards:
                    self.afterwards.pop(0)()
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
            return frames.write_error(call.id, code, self.link.version, refusal.description)
        except (Unavailable, TimeoutError):
            log.warning("call not answered in time", action=call.action)
            if call.action in MUST_ARRIVE:
                return None
        except Exception:
            log.exception("call failed", action=call.action)
        return frames.write_error(call.id, ErrorCode.INTERNAL, self.link.version)

    async def payload_for(self, call: frames.Call) -> Payload:
        if call.action not in messages.actions(self.link.version):
            raise CallRefused(ErrorCode.NOT_IMPLEMENTED)
        mended = messages.check(self.link.version, call.action, call.payload, strict=self.strict)
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

    async def refuse(self, call: frames.Call, code: ErrorCode, description: str) -> None:
        await self.link.write(frames.write_error(call.id, code, self.link.version, description))


def fingerprint(call: frames.Call) -> bytes:
    return blake2b(codec.write([call.action, call.payload]), digest_size=16).digest()
