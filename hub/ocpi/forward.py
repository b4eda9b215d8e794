"""Addressed requests: found, checked, passed on, and the answer brought back.

A request whose OCPI-to headers name another party never reaches an endpoint. The same version on
both sides: the bytes go through untouched. Another version: body and answer are translated. No
transaction and no database connection is held while the hub waits.

Two things in an answer point back at the other side's server and are replaced by URLs of the hub:
the ``Link`` to a list's next page and the ``Location`` of a posted CDR (HUB-41). A ``response_url``
in a request is replaced likewise, and such a request is never sent twice (HUB-40, callbacks.py).
"""

from dataclasses import replace
from typing import Any

import structlog
from aiohttp import web
from yarl import URL

from hub import codec
from hub.errors import (
    HubError,
    InvalidRequest,
    MalformedRequest,
    ReceiverUnreachable,
    RoutingError,
    UnknownReceiver,
)
from hub.models.values import ConnectionStatus, PartnerStatus, Party
from hub.ocpi import callbacks, calls, custom, links, own
from hub.ocpi.callbacks import RESPONSE_URL, OwnAnswer, Question
from hub.ocpi.calls import NotSupported, Way
from hub.ocpi.client import Answer, url_at
from hub.ocpi.endpoints import pushes
from hub.ocpi.envelope import STATUS_CODE, read_bytes, success
from hub.ocpi.operations import Operation
from hub.ocpi.parties import speaker
from hub.ocpi.request import (
    ANSWERED_BY,
    AUDIENCE,
    FROM,
    OPERATION,
    PARTNER,
    TO,
    VERSION,
)
from hub.ocpi.versions import VERSIONS
from hub.ocpi.versions.base import NotExpressible, Version
from hub.roaming.audience import Audience
from hub.roaming.modules import MODULES
from hub.roaming.partners import Connection

log = structlog.get_logger()


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
        return success(in_version(request, answer.data))
    return response


def in_version(request: web.Request, data: Any) -> Any:
    """An answer of the hub's own, as the caller's version says it."""
    kind = request[OPERATION].answer
    return request[VERSION].downgrade(kind, data) if kind and isinstance(data, dict) else data


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
        way = find_way(request, to)
        if request[OPERATION].calls_back is not None:
            return await ask(request, way)
        body = await outgoing_body(request, way)
    except NotSupported:
        if request[OPERATION].unsupported is None:
            raise
        raise OwnAnswer(request[OPERATION].unsupported) from None
    request[ANSWERED_BY] = to
    return await relay(request, way, await calls.call(request, way, body))


async def ask(request: web.Request, way: Way) -> web.Response:
    """Pass a request on whose result comes later, at most once, to a URL of the hub."""
    question = await callbacks.read(request)
    asked = outgoing_question(request, way, question)
    begun = await callbacks.begin(request, question, way.party, way.connection, way.version)
    request[ANSWERED_BY] = way.party
    body = codec.write(asked | {RESPONSE_URL: begun.url}) if asked is not None else None
    if asked is None:
        query = request.rel_url.update_query({RESPONSE_URL: begun.url}).raw_query_string
        way = replace(way, url=f"{way.url.partition('?')[0]}?{query}")
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
    module = MODULES.get(operation.module)
    pushed = operation.interface == "RECEIVER" and not operation.reads
    if module is not None and pushed and "country_code" in request.match_info:
        pushes.check_owner(request, module)
    speaker(request)


def find_way(request: web.Request, to: Party) -> Way:
    operation, audience, sender = request[OPERATION], request[AUDIENCE], speaker(request)
    hosts = audience.hosts(to)
    if request[PARTNER].is_hub:
        # What a peer hub sent never goes back there (HUB-49).
        hosts = [host for host in hosts if host.id != request[PARTNER].id]
    if not hosts:
        raise UnknownReceiver(f"{to} is not known here.")
    check_agreed(audience, sender, to, operation)
    connected = [host for host in hosts if is_connected(host)]
    if not connected:
        raise ReceiverUnreachable(f"{to} is {hosts[0].connection_status}: not connected.")
    for host in connected:
        endpoint = host.endpoint(operation.module, operation.interface)
        known = host.version is not None and operation.is_in(host.version)
        if endpoint is not None and host.version is not None and known:
            segments = path_segments(request, operation)
            url = url_at(host, endpoint, *segments)
            return Way(host, to, VERSIONS[host.version], with_query(url, request))
    raise NotSupported(
        f"{to} does not support the {operation.interface} interface of {operation.module}."
    )


def check_agreed(audience: Audience, sender: Party, to: Party, operation: Operation) -> None:
    allows = audience.allows_by_name if operation.custom else audience.allows
    if not allows(sender, to, operation.module):
        raise RoutingError(f"No agreement lets {sender} reach {to} for {operation.module}.")


def is_connected(connection: Connection) -> bool:
    return (
        connection.status == PartnerStatus.ACTIVE
        and connection.connection_status == ConnectionStatus.CONNECTED
    )


def path_segments(request: web.Request, operation: Operation) -> list[str]:
    if operation.custom:
        return custom.segments(request)
    return [
        request.match_info[part[1:-1]] if part.startswith("{") else part
        for part in operation.path.split("/")
        if part
    ]


def with_query(url: str, request: web.Request) -> str:
    query = request.rel_url.raw_query_string
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{query}"


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
    if isinstance(value, dict):
        check_named_party(request, value)
    if way.version is version or operation.body is None or not value:
        return body
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be one JSON object.")
    document = version.read(operation.body, value, partial=operation.partial)
    try:
        return codec.write(way.version.downgrade(operation.body, document))
    except NotExpressible as error:
        raise RoutingError(
            f"{way.party} speaks OCPI {way.version.number}, which cannot express this: {error}"
        ) from None


def outgoing_question(request: web.Request, way: Way, question: Question) -> dict[str, Any] | None:
    """The body for the other side, what the caller wrote in it or its translation."""
    operation = request[OPERATION]
    if question.body is None or way.version is request[VERSION]:
        return question.body
    if operation.body is None:
        raise NotSupported(f"What it would mean in OCPI {way.version.number} is not known.")
    document = request[VERSION].read(operation.body, question.body)
    try:
        return way.version.downgrade(operation.body, document)
    except NotExpressible as error:
        raise NotSupported(f"OCPI {way.version.number} cannot express this: {error}") from None


def check_named_party(request: web.Request, body: dict[str, Any]) -> None:
    """The owner in the body is the one in the URL, or for a CDR the one who speaks (T-02, T-04)."""
    operation = request[OPERATION]
    module = MODULES.get(operation.module)
    if module is None or operation.interface != "RECEIVER":
        return
    if "country_code" in request.match_info:
        pushes.check_body(pushes.url_owner(request), body, {})
    elif "country_code" in body and "party_id" in body:
        sender = request[FROM]
        assert sender is not None
        pushes.check_body(sender, body, {})


async def relay(request: web.Request, way: Way, answer: Answer) -> web.Response:
    """The partner's answer, as the caller's version says it."""
    if answer.http_status in {401, 403}:
        raise ReceiverUnreachable(f"{way.party} refused the hub's own token.")
    if answer.status_code is None:
        raise RoutingError(
            f"{way.party} answered HTTP {answer.http_status} without an OCPI envelope."
        )
    headers = await answer_headers(request, way, answer)
    if way.version is request[VERSION] or answer.data is None or request[OPERATION].answer is None:
        response = web.Response(
            body=answer.content,
            status=answer.http_status,
            content_type="application/json",
            headers=headers,
        )
        response[STATUS_CODE] = answer.status_code
        return response
    data = translated(request, way, callbacks.completed(request[OPERATION], answer.data))
    return success(data, http_status=answer.http_status, headers=headers)


def translated(request: web.Request, way: Way, data: Any) -> Any:
    """Answer data in the caller's version; what it cannot say of a list is left out, and logged."""
    operation = request[OPERATION]
    assert operation.answer is not None
    if not operation.many:
        return translate(request[VERSION], way.version, operation.answer, data)
    items = []
    for item in data if isinstance(data, list) else [data]:
        try:
            items.append(translate(request[VERSION], way.version, operation.answer, item))
        except HubError as error:
            log.warning(
                "object left out of a forwarded list", party=str(way.party), reason=str(error)
            )
    return items


def translate(to: Version, from_: Version, kind: str, data: Any) -> Any:
    if not isinstance(data, dict):
        return data
    try:
        return to.downgrade(kind, from_.read(kind, data))
    except NotExpressible as error:
        raise RoutingError(f"OCPI {to.number} cannot express the answer: {error}") from None
    except InvalidRequest as error:
        raise RoutingError(f"The answer is not a valid {kind}: {error}") from None


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
