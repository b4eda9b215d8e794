"""Ways in which a partner's platform can misbehave, one function each.

    emsp.fail(http(503), on="PUT receiver/tariffs", times=2)
    emsp.fail(refuse(2001, "no such thing"))
    emsp.heal()

A fault is given the request and the well-behaved answer, which it may or may not await; tests may
pass functions of their own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

Proceed = Callable[[], Awaitable[web.StreamResponse]]
Fault = Callable[[web.Request, Proceed], Awaitable[web.StreamResponse]]

TIMESTAMP = "2025-06-01T08:00:00Z"


def envelope(
    data: Any = None,
    status_code: int = 1000,
    message: str = "",
    *,
    http_status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    body: dict[str, Any] = {"status_code": status_code, "timestamp": TIMESTAMP}
    if data is not None:
        body["data"] = data
    if message:
        body["status_message"] = message
    return web.json_response(body, status=http_status, headers=headers)


def http(
    status: int,
    text: str = "",
    *,
    content_type: str = "text/plain",
    headers: Mapping[str, str] | None = None,
) -> Fault:
    """An HTTP error that never reached the platform's OCPI code, such as a proxy gives."""

    async def fault(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        return web.Response(status=status, text=text, content_type=content_type, headers=headers)

    return fault


def unavailable() -> Fault:
    return http(503, "down for maintenance")


def too_many(retry_after: int) -> Fault:
    return http(429, "slow down", headers={"Retry-After": str(retry_after)})


def refuse(status_code: int, message: str = "", *, http_status: int = 200) -> Fault:
    """An OCPI error in an envelope."""

    async def fault(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        return envelope(status_code=status_code, message=message, http_status=http_status)

    return fault


def answer(data: Any, *, http_status: int = 200) -> Fault:
    """Success, with this ``data`` in place of the right one."""

    async def fault(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        return envelope(data, http_status=http_status)

    return fault


def html() -> Fault:
    """A login page with HTTP 200, as a captive proxy shows it."""
    return http(200, "<html><title>Sign in</title></html>", content_type="text/html")


def rubbish() -> Fault:
    return http(200, '{"status_code": 1000, "data": [', content_type="application/json")


def redirect(location: str, status: int = 307) -> Fault:
    return http(status, headers={"Location": location})


def vanish() -> Fault:
    """The connection closes, and the request was not worked on."""

    async def fault(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        return hang_up(request)

    return fault


def late(fault: Fault) -> Fault:
    """The request is worked on, but instead of the answer comes this."""

    async def late_fault(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        await proceed()
        return await fault(request, proceed)

    return late_fault


def vanish_after() -> Fault:
    """The request is worked on, and the connection closes before the answer."""
    return late(vanish())


def vanish_midway() -> Fault:
    """The connection closes in the middle of the answer."""

    async def fault(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = 1000
        await response.prepare(request)
        await response.write(b'{"status_code": 1000, "timest')
        return hang_up(request)

    return fault


def slow(seconds: float) -> Fault:
    async def fault(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await proceed()

    return fault


def hold(until: asyncio.Event) -> Fault:
    """Answer only when the test says so."""

    async def fault(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        await until.wait()
        return await proceed()

    return fault


def where(fault: Fault, *, times: int | None = None, **query: str) -> Fault:
    """The fault, so many times, where the URL says so: ``where(http(503), offset="20")``."""
    left = [times]

    async def picky(request: web.Request, proceed: Proceed) -> web.StreamResponse:
        matches = all(request.query.get(name) == value for name, value in query.items())
        if not matches or left[0] == 0:
            return await proceed()
        left[0] = None if left[0] is None else left[0] - 1
        return await fault(request, proceed)

    return picky


def hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
