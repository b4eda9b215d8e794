"""Addressed requests: found, checked, passed on, and the answer brought back.

A request whose OCPI-to headers name another party never reaches an endpoint. The same version on
both sides: the bytes go through untouched. Another version: body and answer are translated. No
transaction and no database connection is held while the hub waits.

Two things in an answer point back at the other side's server and are replaced by URLs of the hub:
the ``Link`` to a list's next page and the ``Location`` of a posted CDR (HUB-41). A ``response_url``
in a request is replaced likewise, and such a request is never sent twice (HUB-40, callbacks.py).
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from aiohttp import web
from yarl import URL

from hub import codec
from hub.errors import (
    InvalidRequest,
    MalformedRequest,
    ReceiverUnreachable,
    RoutingError,
)
from hub.keys import HINTS
from hub.models.values import Party
from hub.ocpi.client import Answer
from hub.ocpi.envelope import STATUS_CODE, envelope, read_bytes, success
from hub.ocpi.operation import OWNED
from hub.ocpi.request import (
    ANSWERED_BY,
    AUDIENCE,
    FROM,
    OPERATION,
    PARTNER,
    TO,
    VERSION,
)
from hub.ocpi.routing import bodies, callbacks, calls, links, own, ownership, passed
from hub.ocpi.routing.callbacks import RESPONSE_URL, OwnAnswer, Question
from hub.ocpi.routing.parties import speaker
from hub.ocpi.routing.ways import NotSupported, Way, check_agreed, find_way, is_connected
from hub.ocpi.versions import VERSIONS
from hub.ocpi.versions.base import NotExpressible
from hub.roaming.modules import MODULES


@web.middleware
async def forward_to_receiver(request: web.Request, handler: Any) -> web.StreamResponse:
    to = request.get(TO)
    try:
        if to is not None and to not in {request[PARTNER].hub, request[AUDIENCE].own}:
            return await forward(request, to)
        if to is not None and to == request[AUDIENCE].own:
            check_agreed(request[AUDIENCE], speaker(request), to, request[OPERATION])
            own.check_served(request[OPERATION])
        response: web.StreamResponse = await handler(request)
    except OwnAnswer as answer:
        return success(await in_version(request, answer.data))
    return response


async def in_version(request: web.Request, data: Any) -> Any:
    """An answer of the hub's own, as the caller's version says it."""
    kind, caller = request[OPERATION].answer, request[FROM]
    if not kind or not isinstance(data, dict) or caller is None:
        return data
    return await bodies.say(request, request[VERSION], kind, data, owner=caller, reader=caller)


async def forward(request: web.Request, to: Party) -> web.Response:
    """Pass the request on to a party and bring its answer back.

    UnknownReceiver (4001): nobody here, or without this module. ReceiverUnreachable (4003): known
    but not connected. ReceiverTimeout (4002): no answer in time. RoutingError (4000): not agreed,
    or an answer that is none (HUB-45, HUB-47). OwnAnswer where the module itself has a word for
    what the receiver cannot do (HUB-50, HUB-54).
    """
    check_sender(request)
    try:
        if to == request[AUDIENCE].own:
            check_agreed(request[AUDIENCE], speaker(request), to, request[OPERATION])
            return await own.answer(request)
        way = await find_way(request, to)
        if request[OPERATION].calls_back is not None:
            return await ask(request, way)
        body = await outgoing_body(request, way)
    except NotSupported:
        if request[OPERATION].unsupported is None:
            raise
        raise OwnAnswer(request[OPERATION].unsupported) from None
    request[ANSWERED_BY] = to
    answer = await calls.call(request, way, body)
    if answer.ok:
        remember(request, to)
    response = await relay(request, way, answer)
    if request[OPERATION].keeps is not None and answer.ok:
        await passed.keep(request, way, answer)
    return response


def remember(request: web.Request, to: Party) -> None:
    """Whose object it was, for requests that will speak of it and name nobody (HUB-35)."""
    operation, match = request[OPERATION], request.match_info
    if operation.method == "PUT" and operation.path == OWNED and operation.interface == "RECEIVER":
        request.config_dict[HINTS].note(
            request[PARTNER].tenant_id,
            operation.module,
            match["id"],
            owner=ownership.url_owner(request),
            counterpart=to,
        )


async def ask(request: web.Request, way: Way) -> web.Response:
    """Pass a request on whose result comes later, at most once, to a URL of the hub."""
    question = await callbacks.read(request)
    asked = await outgoing_question(request, way, question)
    begun = await callbacks.begin(request, question, way.party, way.connection, way.version)
    request[ANSWERED_BY] = way.party
    body = codec.write(asked | {RESPONSE_URL: begun.url}) if asked is not None else None
    if asked is None:
        url = way.url.removesuffix(request.rel_url.raw_query_string)
        query = request.rel_url.update_query({RESPONSE_URL: begun.url}).raw_query_string
        way = replace(way, url=f"{url}{query}")
    try:
        answer = await calls.call(request, way, body)
    except RoutingError as error:
        await callbacks.answered(request, begun, error, way.version)
        raise
    await callbacks.answered(request, begun, answer, way.version)
    return await relay(request, way, answer)


def check_sender(request: web.Request) -> None:
    """Nobody pushes for somebody else: the URL's party is one of the sender's (T-02)."""
    operation = request[OPERATION]
    module = MODULES.get(operation.kept_as)
    pushed = operation.interface == "RECEIVER" and not operation.reads
    if module is not None and pushed and "country_code" in request.match_info:
        ownership.check_owner(request, module)
    speaker(request)


async def outgoing_body(request: web.Request, way: Way) -> bytes | None:
    """The body for the other side: the same bytes, or their translation."""
    operation, version = request[OPERATION], request[VERSION]
    body = await read_bytes(request)
    if operation.custom:
        return body or None
    if not body.strip():
        if operation.body is not None and not operation.body_optional:
            raise MalformedRequest("The body is empty.")
        return None
    try:
        value = codec.read(body)
    except codec.BadJSON as error:
        raise MalformedRequest(f"The body is not valid JSON: {error}") from None
    if not value and operation.body_optional:
        return None  # empty in one more way (TOK-15)
    if isinstance(value, dict):
        check_named_party(request, value)
    if way.version is version or operation.body is None or not value:
        return body
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be one JSON object.")
    document = await bodies.read(request, operation.body, value)
    try:
        return codec.write(await bodies.say_to(request, way, operation.body, document))
    except NotExpressible as error:
        raise RoutingError(
            f"{way.party} speaks OCPI {way.version.number}, which cannot express this: {error}"
        ) from None


async def outgoing_question(
    request: web.Request, way: Way, question: Question
) -> dict[str, Any] | None:
    """The body for the other side, what the caller wrote in it or its translation."""
    operation = request[OPERATION]
    if question.body is None or way.version is request[VERSION]:
        return question.body
    if operation.body is None:
        raise NotSupported(f"What it would mean in OCPI {way.version.number} is not known.")
    document = {
        name: value for name, value in question.document.items() if name not in request.match_info
    }
    document[RESPONSE_URL] = question.response_url
    try:
        return await bodies.say_to(request, way, operation.body, document)
    except NotExpressible as error:
        raise NotSupported(f"OCPI {way.version.number} cannot express this: {error}") from None


def check_named_party(request: web.Request, body: dict[str, Any]) -> None:
    """The owner in the body is the one in the URL, or for a CDR the one who speaks (T-02, T-04);
    whoever asks an owner for something speaks for itself.
    """
    operation = request[OPERATION]
    module = MODULES.get(operation.kept_as)
    if module is None or (operation.interface == "RECEIVER" and not module.names_owner):
        return
    if "country_code" in request.match_info:
        ownership.check_body(ownership.url_owner(request), body, {})
    elif "country_code" in body and "party_id" in body:
        sender = request[FROM]
        assert sender is not None
        ownership.check_body(sender, body, {}, known_by="whoever sends it is")


async def relay(request: web.Request, way: Way, answer: Answer) -> web.Response:
    """The partner's answer, as the caller's version says it."""
    if answer.http_status in {401, 403}:
        raise ReceiverUnreachable(f"{way.party} refused the hub's own token.")
    if answer.status_code is None:
        raise RoutingError(
            f"{way.party} answered HTTP {answer.http_status} without an OCPI envelope."
        )
    headers = await answer_headers(request, way, answer)
    operation = request[OPERATION]
    if way.version is request[VERSION] or operation.custom:
        response = web.Response(
            body=answer.content,
            status=answer.http_status,
            content_type="application/json",
            headers=headers,
        )
        response[STATUS_CODE] = answer.status_code
        return response
    said = operation.answer or operation.words
    data = callbacks.completed(operation, answer.data) if said else None
    if data is not None:
        data = await bodies.answered(request, way, data)
    text = None if data is None else codec.write_text(data)
    code = code_of(request, way, answer)
    return envelope(code, answer.status_message, text, answer.http_status, headers)


def code_of(request: web.Request, way: Way, answer: Answer) -> int:
    """The answer's status code, as the caller's version has it (BRIDGE-07)."""
    assert answer.status_code is not None
    module = MODULES.get(request[OPERATION].module)
    code = answer.status_code
    if way.version.peer_to_peer and answer.http_status == HTTPStatus.NOT_FOUND and module:
        # What is unknown only HTTP says there.
        code = module.unknown.status_code
    return request[VERSION].code(code)


async def answer_headers(request: web.Request, way: Way, answer: Answer) -> dict[str, str]:
    headers = {
        name: answer.headers[name]
        for name in ("X-Total-Count", "X-Limit")
        if name in answer.headers
    }
    if url := links.next_link(answer.headers):
        ours = await links.keep(
            request, way.connection, way.party, "LINK", str(URL(way.url).join(URL(url)))
        )
        headers["Link"] = f'<{ours}>; rel="next"'
    if location := answer.headers.get("Location"):
        target = str(URL(way.url).join(URL(location)))
        headers["Location"] = await links.keep(
            request, way.connection, way.party, "LOCATION", target
        )
    return headers


routes = web.RouteTableDef()


@routes.get(r"/{version}/link/{link_id}{slash:/?}")
async def follow(request: web.Request) -> web.Response:
    """A URL the hub gave out in place of a partner's: only whom it was given to may follow it."""
    link = await links.find(request)
    request[OPERATION] = link.operation
    request[AUDIENCE] = await links.audience(request)
    request[FROM], request[TO] = link.caller, link.party
    check_agreed(request[AUDIENCE], link.caller, link.party, link.operation)
    hosts = [host for host in request[AUDIENCE].hosts(link.party) if host.id == link.partner_id]
    if not hosts or not is_connected(hosts[0]):
        raise ReceiverUnreachable(f"{link.party} is not connected.")
    assert hosts[0].version is not None
    way = Way(hosts[0], link.party, VERSIONS[hosts[0].version], link.url)
    request[ANSWERED_BY] = link.party
    return await relay(request, way, await calls.call(request, way, None))
