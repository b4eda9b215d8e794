"""CALLs to a station, one at a time, as OCPP demands, and what their answers belong to."""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from aiohttp import WSCloseCode

from hub.ocpp.conversation import frames, messages
from hub.ocpp.conversation.frames import CallRefused, Payload
from hub.ocpp.conversation.rates import Tally

if TYPE_CHECKING:
    from hub.ocpp.conversation.link import Link

log = structlog.get_logger()

CALLS_WAITING = 32
CALL_DEADLINE = 30.0
# Per minute: more than this is no accident.
STRAY_ANSWERS = 100


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


class Outgoing:
    """``pending`` are the CALLs that the station has not answered yet, by message id."""

    def __init__(self, link: "Link") -> None:
        self.link = link
        self.pending: dict[str, asyncio.Future[Payload]] = {}
        self.turn = asyncio.Lock()
        self.waiting = 0
        self.stray_answers = Tally(STRAY_ANSWERS)

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
        messages.check(self.link.version, action, payload)
        if self.waiting >= CALLS_WAITING:
            raise NoAnswer(sent=False)
        message_id, sent = str(uuid.uuid4()), False
        self.waiting += 1
        try:
            async with asyncio.timeout(timeout), self.turn:
                if self.link.closed or self.link.closing:
                    raise Disconnected
                future: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
                self.pending[message_id] = future
                sent = True
                await self.link.write(frames.write_call(message_id, action, payload))
                answer = await future
        except TimeoutError:
            raise NoAnswer(sent=sent) from None
        finally:
            self.waiting -= 1
            self.pending.pop(message_id, None)
        try:
            messages.check(self.link.version, action, answer, answer=True, strict=False)
        except CallRefused as refusal:
            raise BrokenAnswer(refusal.description) from None
        return answer

    async def settle(
        self, message_id: str, resolve: Callable[[asyncio.Future[Payload]], None]
    ) -> None:
        """Give an answer to the CALL it belongs to; answers that belong to none are dropped."""
        future = self.pending.pop(message_id, None)
        if future is not None and not future.done():
            resolve(future)
        elif self.stray_answers.exceeded(time.monotonic()):
            log.warning("too many answers to nothing")
            await self.link.finish(WSCloseCode.PROTOCOL_ERROR)

    def end(self) -> None:
        """Nobody waits any longer for answers that will not come."""
        for future in self.pending.values():
            if not future.done():
                future.set_exception(NoAnswer(sent=True))
        self.pending.clear()
