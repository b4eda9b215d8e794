"""The admin API: the sub-application that is mounted at /admin/v1."""

from collections.abc import Iterator

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from hub.admin import (
    agreements,
    audit,
    cdrs,
    certificates,
    charging_profiles,
    commands,
    evses,
    feed,
    keys,
    local_lists,
    losses,
    me,
    objects,
    own_objects,
    partners,
    probes,
    quarantine,
    reservations,
    roles,
    setbacks,
    settlements,
    station_calls,
    station_jobs,
    station_passwords,
    station_settings,
    stations,
    syncs,
    tenants,
    tokens,
    transactions,
    users,
)
from hub.admin.auth import authenticate
from hub.admin.errors import (
    AdminError,
    BadInput,
    ChangedMeanwhile,
    Missing,
    NotAuthenticated,
    WrongMethod,
    answer,
    taken,
)
from hub.admin.routes import Operation, Routes
from hub.errors import HubError, TooManyRequests
from hub.keys import LIMITS

log = structlog.get_logger()

ROOT = "/admin/v1"

RESOURCES: tuple[Routes, ...] = (
    me.routes,
    tenants.routes,
    users.routes,
    roles.routes,
    keys.routes,
    partners.routes,
    syncs.routes,
    probes.routes,
    agreements.routes,
    objects.routes,
    own_objects.routes,
    losses.routes,
    cdrs.routes,
    settlements.routes,
    feed.routes,
    setbacks.routes,
    commands.routes,
    quarantine.routes,
    stations.routes,
    station_passwords.routes,
    evses.routes,
    station_settings.routes,
    station_calls.routes,
    local_lists.routes,
    charging_profiles.routes,
    station_jobs.routes,
    certificates.routes,
    tokens.routes,
    transactions.routes,
    reservations.routes,
    audit.routes,
)


def operations() -> Iterator[tuple[str, Operation]]:
    """Every operation with the name of the resource it belongs to."""
    for routes in RESOURCES:
        yield from ((routes.tag, operation) for operation in routes.operations)


def make_admin() -> web.Application:
    admin = web.Application(middlewares=[answer_errors, authenticate])
    for _, operation in operations():
        admin.router.add_route(operation.method, operation.path, operation.serve)
    return admin


REFUSALS = (AdminError, HubError, StaleDataError, IntegrityError, web.HTTPException)


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except NotAuthenticated as error:
        return answer(guessed(request) or error)
    except REFUSALS as error:
        return answer(refusal(request, error))
    except Exception:
        log.exception("admin request failed", method=request.method, path=request.path)
        return answer(AdminError("The hub failed to do this; its log has the details."))


def guessed(request: web.Request) -> HubError | None:
    """Who shows wrong keys is slowed down; whoever has a right one is not concerned."""
    limits = request.config_dict[LIMITS]
    try:
        limits.check_login(request.remote or "")
    except TooManyRequests as error:
        return error
    limits.failed_login(request.remote or "")
    return None


def refusal(request: web.Request, error: Exception) -> AdminError | HubError:
    """The error in the words of this API."""
    match error:
        case AdminError() | HubError():
            return error
        case StaleDataError():
            return ChangedMeanwhile("Somebody else changed it meanwhile: read it again.")
        case IntegrityError():
            return taken(error)
        case web.HTTPMethodNotAllowed():
            allowed = sorted(error.allowed_methods)
            return WrongMethod(f"{request.method} is not possible here.", allowed=allowed)
        case web.HTTPNotFound():
            return Missing("There is nothing at this URL.", next_step="See /docs.")
    return BadInput(str(error))
