"""Operations of the admin API: a path, a permission, what goes in and what comes out.

A handler is registered with everything there is to know about it, so that the check of permissions,
the check of input and the OpenAPI document all come from one place. ``permission`` has no default:
a route without one cannot be written.

    @routes.post("/agreements", permission="agreements.create", body=NewAgreement, answer=Agreement)
    async def agree(request: web.Request) -> Any:
        \"\"\"Allow or block what one party gets of another.\"\"\"

A handler returns plain data; ``answer`` decides what of it is shown. What is not JSON it returns as
a response.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from marshmallow import Schema

from hub import codec
from hub.admin.auth import check_permission
from hub.admin.errors import BadInput
from hub.admin.input import load

Handler = Callable[[web.Request], Awaitable[Any]]

# For what whoever holds a valid key may do: ask who they are.
ANY_KEY: Final = ""

BODY: web.RequestKey[dict[str, Any]] = web.RequestKey("body")
QUERY: web.RequestKey[dict[str, Any]] = web.RequestKey("query")

LARGEST_BODY = 256 * 1024


@dataclass(frozen=True)
class Operation:
    """One route; ``serve`` is the aiohttp handler."""

    method: str
    path: str
    permission: str
    handler: Handler
    body: type[Schema] | None = None
    query: type[Schema] | None = None
    answer: type[Schema] | None = None
    status: int = 200
    # Bytes come in, or go out, instead of JSON; the handler sees to them.
    takes_bytes: bool = False
    gives_bytes: bool = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        await check_permission(request, self.permission)
        refuse_nul(request)
        if self.query:
            request[QUERY] = load(self.query, dict(request.query))
        elif request.query:
            raise BadInput(f"{next(iter(request.query))} is not a parameter here.")
        if self.body:
            request[BODY] = load(self.body, await read_json(request))
        result = await self.handler(request)
        return result if self.gives_bytes else self.respond(result)

    def respond(self, result: Any) -> web.Response:
        if isinstance(result, web.Response):
            return result
        if self.answer is None:
            return web.Response(status=204)
        shown = self.answer().dump(result)
        headers = {"Cache-Control": "no-store"}
        if isinstance(shown, dict) and isinstance(shown.get("version"), int):
            headers["ETag"] = f'"{shown["version"]}"'
        return web.Response(
            body=codec.write(shown),
            status=self.status,
            headers=headers,
            content_type="application/json",
        )


class Routes:
    """Collects operations, like ``web.RouteTableDef`` but never without a permission."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.operations: list[Operation] = []

    def add(
        self, method: str, path: str, permission: str, options: Mapping[str, Any]
    ) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            self.operations.append(Operation(method, path, permission, handler, **options))
            return handler

        return register

    def get(
        self,
        path: str,
        *,
        permission: str,
        answer: type[Schema] | None,
        query: type[Schema] | None = None,
        gives_bytes: bool = False,
    ) -> Callable[[Handler], Handler]:
        options = {"answer": answer, "query": query, "gives_bytes": gives_bytes}
        return self.add("GET", path, permission, options)

    def post(
        self,
        path: str,
        *,
        permission: str,
        answer: type[Schema] | None = None,
        body: type[Schema] | None = None,
        query: type[Schema] | None = None,
        status: int = 200,
        takes_bytes: bool = False,
    ) -> Callable[[Handler], Handler]:
        options = {"answer": answer, "body": body, "query": query, "status": status}
        options["takes_bytes"] = takes_bytes
        return self.add("POST", path, permission, options)

    def put(
        self,
        path: str,
        *,
        permission: str,
        body: type[Schema],
        answer: type[Schema],
        query: type[Schema] | None = None,
    ) -> Callable[[Handler], Handler]:
        options = {"body": body, "answer": answer, "query": query}
        return self.add("PUT", path, permission, options)

    def patch(
        self,
        path: str,
        *,
        permission: str,
        body: type[Schema],
        answer: type[Schema],
        query: type[Schema] | None = None,
    ) -> Callable[[Handler], Handler]:
        options = {"answer": answer, "body": body, "query": query}
        return self.add("PATCH", path, permission, options)

    def delete(
        self,
        path: str,
        *,
        permission: str,
        answer: type[Schema] | None = None,
        query: type[Schema] | None = None,
    ) -> Callable[[Handler], Handler]:
        return self.add("DELETE", path, permission, {"answer": answer, "query": query})


def refuse_nul(request: web.Request) -> None:
    """PostgreSQL has no text with it; in a body it is refused when that is read."""
    for name, value in [*request.query.items(), *request.match_info.items()]:
        if "\0" in name + value:
            raise BadInput(f"{name}: Contains NUL.", field=name, allowed="no NUL")


async def read_json(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body; nothing at all is an empty one."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise BadInput("Send the body uncompressed.")
    if request.content_length is not None and request.content_length > LARGEST_BODY:
        raise BadInput(f"The body is larger than {LARGEST_BODY} bytes.")
    text = await request.read()
    if not text.strip():
        return {}
    if request.content_type != "application/json":
        raise BadInput("Send the body as application/json.", field="Content-Type")
    try:
        value = codec.read(text, max_string=LARGEST_BODY)
    except codec.BadJSON as error:
        raise BadInput(f"The body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadInput("The body must be one JSON object.")
    return value
