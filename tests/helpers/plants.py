"""Faults to plant in an exemplary platform: what they do to an answer."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from aiohttp import web

from tests.helpers.replies import Change, Reply

When = Callable[[Reply, web.Request], bool]


def when(condition: When, change: Change) -> Change:
    return lambda reply, request: change(reply, request) if condition(reply, request) else reply


def is_error(reply: Reply, request: web.Request) -> bool:
    return reply.http_status >= 400


def is_unknown(reply: Reply, request: web.Request) -> bool:
    return reply.http_status == 404


def is_unauthorized(reply: Reply, request: web.Request) -> bool:
    return reply.http_status == 401


def header(name: str, value: str | None = None) -> Change:
    """Another header, or none."""

    def change(reply: Reply, request: web.Request) -> Reply:
        reply.headers.pop(name, None)
        reply.headers |= {name: value} if value is not None else {}
        return reply

    return change


def unrouted(reply: Reply, request: web.Request) -> Reply:
    reply.headers = {k: v for k, v in reply.headers.items() if not k.startswith("OCPI-")}
    return reply


def says(status_code: Any = 1000, http_status: int = 200, data: Any = None) -> Change:
    """Another answer, with the headers of the right one."""
    return lambda reply, request: Reply(data, status_code, http_status, reply.headers)


def raw(text: str | None, content_type: str) -> Change:
    def change(reply: Reply, request: web.Request) -> Reply:
        reply.text, reply.content_type = text, content_type
        return reply

    return change


def stamped(timestamp: str | None) -> Change:
    def change(reply: Reply, request: web.Request) -> Reply:
        reply.envelope = {"timestamp": timestamp}
        return reply

    return change


def data(alter: Callable[[Any], Any]) -> Change:
    """The data of a success, altered: in place, or by what ``alter`` returns."""

    def change(reply: Reply, request: web.Request) -> Reply:
        if reply.data:
            altered = deepcopy(reply.data)
            result = alter(altered)
            reply.data = altered if result is None else result
        return reply

    return change


def at(path: str, **members: Any) -> Change:
    """Other members somewhere in the (first) object: ``at("evses/0", uid="E9")``; ... drops."""

    def alter(found: Any) -> None:
        one = found[0] if isinstance(found, list) else found
        for step in filter(None, path.split("/")):
            one = one[int(step) if step.isdigit() else step]
        for name, value in members.items():
            one.pop(name, None)
            one |= {} if value is ... else {name: value}

    return data(alter)


def either(first: Change, second: Change) -> Change:
    return lambda reply, request: second(first(reply, request), request)
