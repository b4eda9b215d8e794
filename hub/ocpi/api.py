"""The OCPI side of the hub: what every request passes through, and which function serves it.

answer_errors   errors become envelopes; message ids and routing headers go on every answer
identify        token → partner → tenant; version, operation and parties onto the request
forward_to_receiver   a request addressed to another party never reaches an endpoint (forward.py)
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

import structlog
from aiohttp import web

from hub.errors import (
    HubError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    ReceiverTimeout,
    RoutingError,
    Unauthorized,
)
from hub.keys import DIRECTORY, LIMITS, METRICS
from hub.ocpi import custom
from hub.ocpi.endpoints import (
    bookings,
    clientinfo,
    commands,
    credentials,
    locations,
    objects,
    payments,
    posted,
    results,
    sessions,
    tokens,
    versions,
)
from hub.ocpi.envelope import STATUS_CODE, failure
from hub.ocpi.operation import Operation
from hub.ocpi.operations import OPERATIONS
from hub.ocpi.request import AUDIENCE, CORRELATION_ID, OPERATION, PARTNER, REQUEST_ID, VERSION
from hub.ocpi.routing import forward, parties, peers
from hub.ocpi.routing.callbacks import RESULTS_PATH, OwnAnswer
from hub.ocpi.versions import VERSIONS, is_peer_to_peer

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CONFIGURATION = {
    "/versions": "versions",
    "/{version}": "versions",
    "/{version}/credentials": "credentials",
    "/{version}/link/{link_id}": "link",
    RESULTS_PATH: "results",
}

MESSAGE_ID = re.compile(r"[\x21-\x7e]{1,255}")

ENDPOINTS: Mapping[str, Handler] = {
    function.__name__: function
    for function in (
        objects.list_objects,
        objects.get_object,
        objects.find_object,
        objects.put_object,
        locations.get_evse,
        locations.find_evse,
        locations.put_evse,
        sessions.put_charging_preferences,
        posted.post_cdr,
        posted.post_invoice_reconciliation,
        posted.get_posted,
        bookings.find_calendar,
        bookings.get_calendar,
        bookings.request_booking,
        bookings.put_booking,
        bookings.patch_booking,
        payments.post_terminal,
        payments.put_terminal,
        payments.activate_terminal,
        payments.deactivate_terminal,
        payments.post_financial_advice_confirmation,
        tokens.authorize,
        commands.post_command,
        clientinfo.list_clients,
        clientinfo.get_client,
        clientinfo.put_client,
        commands.charging_profile,
        commands.put_active_profile,
    )
} | {
    "patch_object": objects.put_object,
    "delete_object": objects.put_object,
    "patch_evse": locations.put_evse,
}


def make_api() -> web.Application:
    """The sub-application that is mounted at /ocpi."""
    api = web.Application(middlewares=[answer_errors, identify, forward.forward_to_receiver])
    served: list[tuple[str, str, Any]] = [
        (route.method, route.path, route.handler)
        for table in (versions.routes, credentials.routes, forward.routes, results.routes)
        for route in table
        if isinstance(route, web.RouteDef)
    ]
    served += [
        (one.method, route_path(one), ENDPOINTS[one.endpoint])
        for one in OPERATIONS
        if not is_peer_to_peer(one.only)
    ]
    served.append(("*", peers.PATH, serve_peer))
    # Last: what is served otherwise is none of these.
    served += [(method, custom.ROUTE, custom.refuse_unaddressed) for method in custom.METHODS]
    for method, path, handler in served:
        api.router.add_route(method, path, handler, expect_handler=expect)
    return api


# Newer versions have no such answer: they tell of it with the result.
TIMED_OUT = {"result": "TIMEOUT"}


async def serve_peer(request: web.Request) -> web.StreamResponse:
    """What ``peers`` found the URL to mean.

    Where the module has a word for it, no caller hears of routing, which its version does not know.
    """
    operation = request[OPERATION]
    try:
        return await ENDPOINTS[operation.endpoint](request)
    except RoutingError as error:
        if operation.failed is None:
            raise
        log.info("request refused", status_code=error.status_code, reason=str(error))
        late = operation.calls_back is not None and isinstance(error, ReceiverTimeout)
        raise OwnAnswer(operation.failed | (TIMED_OUT if late else {})) from None


async def expect(request: web.Request) -> None:
    """``Expect: 100-continue`` is answered, anything else in that header is no business of ours.

    aiohttp's own answer to an unknown expectation fails on odd bytes, before any middleware runs.
    """
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def canonical_path(operation: Operation) -> str:
    """The route as aiohttp names it: variables without their patterns."""
    interface = operation.interface.lower()
    return f"/{{version}}/{interface}/{operation.module}{operation.path}{{slash}}"


def route_path(operation: Operation) -> str:
    """With and without a slash at the end (TRANSPORT-22); an id may hold anything but a slash."""
    variables = re.compile(r"\{(\w+)\}")
    pattern = variables.sub(r"{\1:[^/]+}", canonical_path(operation))
    return pattern.replace("{slash:[^/]+}", "{slash:/?}")


BY_ROUTE = {(operation.method, canonical_path(operation)): operation for operation in OPERATIONS}


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    began = time.monotonic()
    request[REQUEST_ID] = message_id(request, "X-Request-ID")
    request[CORRELATION_ID] = message_id(request, "X-Correlation-ID")
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        request_id=request[REQUEST_ID], correlation_id=request[CORRELATION_ID]
    )
    try:
        response = await handler(request)
    except HubError as error:
        log.info("request refused", status_code=error.status_code, reason=str(error))
        parties.answer_for_the_hub(request, error)
        response = failure(error, request.get(VERSION))
    except web.HTTPException as error:
        response = failure(http_error(error))
    except Exception:
        log.exception("request failed")
        response = failure(HubError("The hub failed to handle this request."))
    response.headers["X-Request-ID"] = request[REQUEST_ID]
    response.headers["X-Correlation-ID"] = request[CORRELATION_ID]
    if OPERATION in request and request[OPERATION].routed and PARTNER in request:
        response.headers.update(parties.answer_headers(request))
    count(request, response, time.monotonic() - began)
    return response


def count(request: web.Request, response: web.StreamResponse, seconds: float) -> None:
    """For the metrics: what was asked, as the route says it, and what was answered."""
    operation = request.get(OPERATION) or operation_of(request)
    partner = request.get(PARTNER)
    interface = str(operation.interface) if operation else "none"
    request.config_dict[METRICS].answered(
        label_of(request, operation),
        interface,
        request.method,
        status_code=response.get(STATUS_CODE, 0),
        seconds=seconds,
        partner=str(partner.id) if partner else None,
    )


def label_of(request: web.Request, operation: Operation | None) -> str:
    """The module; all that callers may make up are one, and what belongs to no module's interface
    is ``versions``, ``credentials``, ``link`` or ``other``.
    """
    if operation is not None:
        return "custom" if operation.custom else operation.module
    return CONFIGURATION.get(route_of(request).removesuffix("{slash}"), "other")


def message_id(request: web.Request, header: str) -> str:
    """The caller's id; a missing, oversized or unprintable one is replaced (TRANSPORT-49, T-27)."""
    given = request.headers.get(header, "")
    return given if MESSAGE_ID.fullmatch(given) else str(uuid4())


def http_error(error: web.HTTPException) -> HubError:
    """What aiohttp itself refused, in OCPI's words."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return MethodNotAllowed(f"Allowed here: {allowed}.", headers={"Allow": allowed})
    if error.status == NotFound.http_status:
        nowhere = NotFound("There is nothing at this URL.")
        nowhere.status_code = 2000
        return nowhere
    refused = HubError(error.reason)
    refused.status_code, refused.http_status = 2000, error.status
    return refused


@web.middleware
async def identify(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whose request it is. Before this nothing of the request is believed, after it everything is
    checked.
    """
    limits, directory = request.config_dict[LIMITS], request.config_dict[DIRECTORY]
    header = request.headers.get("Authorization", "")
    if not header and results.identifies(request):
        read_version(request)
        return await handler(request)
    try:
        partner = await directory.authenticate(
            header, guessing=lambda: limits.check_login(request.remote)
        )
    except Unauthorized:
        limits.failed_login(request.remote)
        raise
    request[PARTNER] = partner
    limits.check_partner(partner.id, agreed=partner.settings.rate_limits)
    structlog.contextvars.bind_contextvars(tenant=str(partner.tenant_id), partner=str(partner.id))
    read_version(request)
    if "%00" in request.rel_url.raw_path_qs:
        raise InvalidRequest("The URL contains NUL.")
    operation = functional(request)
    if operation is None:
        return await handler(request)
    request[OPERATION] = operation
    request[AUDIENCE] = await directory.audience(partner.tenant_id)
    if operation.custom:
        custom.check_agreed(request)
    parties.read_parties(request)
    await peers.read_names(request)
    noting = directory.seen(partner)
    if noting is not None and partner.token_unproven:
        # From its first use on the new token is the only one (CRED-21).
        await asyncio.shield(noting)
    if operation.many:
        with limits.list_under_way(partner.id):
            return await handler(request)
    return await handler(request)


def functional(request: web.Request) -> Operation | None:
    """The request of a functional module that this is, if it is one; refused where it may not be
    made with this token or in this version.
    """
    operation = operation_of(request)
    of_peer = route_of(request) == peers.CANONICAL
    if operation is None and not of_peer:
        return None
    if request[PARTNER].invited:
        raise Unauthorized("This token is for registering only: POST your credentials first.")
    version = request[VERSION]
    operation = operation or peers.operation_of(request)
    if not operation.is_in(version.number) or version.peer_to_peer is not of_peer:
        raise NotFound(f"OCPI {version.number} has no such request.")
    return operation


def read_version(request: web.Request) -> None:
    if (number := request.match_info.get("version")) is None:
        return
    if number not in VERSIONS:
        raise NotFound(f"OCPI {number[:20]} is not served here. Served: {', '.join(VERSIONS)}.")
    request[VERSION] = VERSIONS[number]


def operation_of(request: web.Request) -> Operation | None:
    return BY_ROUTE.get((request.method, route_of(request))) or custom.operation_of(request)


def route_of(request: web.Request) -> str:
    """The path as the route has it, empty where there is none."""
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical.removeprefix("/ocpi")
