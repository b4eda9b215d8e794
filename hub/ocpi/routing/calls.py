"""Calling a party on somebody else's behalf, within the time that the caller has.

No transaction and no database connection is held meanwhile.
"""

import asyncio
from collections import defaultdict
from typing import Any

from aiohttp import web

from hub.errors import ReceiverTimeout, ReceiverUnreachable
from hub.keys import CLIENT, SETTINGS
from hub.ocpi.client import Answer
from hub.ocpi.outbound import Refused, Unreachable
from hub.ocpi.request import CORRELATION_ID, FROM, OPERATION
from hub.ocpi.routing.callbacks import Lost
from hub.ocpi.routing.ways import Way

# How many seconds the caller waits, where it says so; passed on, for the receiver may be a hub.
DEADLINE = "X-Request-Timeout"
# Requests to one partner under way at a time; the next waits, within its own time limit.
IN_FLIGHT = 32
SLOTS: web.AppKey[defaultdict[Any, asyncio.Semaphore]] = web.AppKey("slots", defaultdict)


def slots() -> defaultdict[Any, asyncio.Semaphore]:
    return defaultdict(lambda: asyncio.Semaphore(IN_FLIGHT))


async def call(request: web.Request, way: Way, body: bytes | None) -> Answer:
    """Call the partner within the time the caller has; a GET that got nowhere is tried once more
    (HUB-46).
    """
    seconds = time_left(request)
    ends = asyncio.get_running_loop().time() + seconds
    late = f"{way.party} did not answer within {seconds:g} s."
    waiting = request.config_dict[SLOTS][way.connection.id]
    try:
        async with asyncio.timeout_at(ends):
            await waiting.acquire()
    except TimeoutError:
        raise ReceiverTimeout(late) from None
    try:
        return await try_twice(request, way, body, ends)
    except Refused as error:
        raise ReceiverUnreachable(f"{way.party} cannot be called: {error}") from None
    except Unreachable as error:
        if error.sent and request[OPERATION].calls_back is not None:
            raise Lost(f"{way.party} did not answer; whether it heard is not known.") from None
        if error.timed_out:
            raise ReceiverTimeout(late) from None
        raise ReceiverUnreachable(f"{way.party} cannot be reached: {error}") from None
    finally:
        waiting.release()


async def try_twice(request: web.Request, way: Way, body: bytes | None, ends: float) -> Answer:
    """Once, in fact, unless nothing was to be changed and it did not take all the time."""
    operation, loop = request[OPERATION], asyncio.get_running_loop()
    for last_try in (not operation.reads or operation.calls_back is not None, True):
        left = max(0.001, ends - loop.time())
        try:
            return await request.config_dict[CLIENT].call(
                way.connection,
                request.method,
                way.url,
                body=body,
                to=way.party,
                from_=request[FROM],
                correlation_id=request[CORRELATION_ID],
                timeout=left,
                once=operation.calls_back is not None,
                more_headers={DEADLINE: f"{left:.3f}"} if DEADLINE in request.headers else None,
            )
        except Unreachable as error:
            if error.timed_out or last_try:
                raise
    raise AssertionError("a call ends with an answer or an error")


def time_left(request: web.Request) -> float:
    """Seconds for the call: the module's limit, or less where the caller says it waits less."""
    limit: float = getattr(request.config_dict[SETTINGS], request[OPERATION].timeout)
    try:
        wanted = float(request.headers.get(DEADLINE, limit))
    except ValueError:
        return limit
    return min(limit, wanted) if wanted > 0 else limit
