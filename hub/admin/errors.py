"""What can go wrong at the admin API, and how it is said.

Every error is answered as ``{"error": {"code", "message", "field", "allowed", "next"}}``: what is
wrong, with which field, what is allowed there, and what to do next. Members that do not apply are
left out. Operators write programs against ``code``; it does not change.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from sqlalchemy.exc import IntegrityError

from hub import codec
from hub.errors import (
    Forbidden,
    HubError,
    InvalidRequest,
    MissingEndpoints,
    NotFound,
    RoutingError,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnsupportedVersion,
    UnusableClient,
)


class AdminError(Exception):
    """Base class; the class attributes are the HTTP status and the ``code``."""

    http_status = 500
    code = "failed"

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        allowed: Any = None,
        next_step: str | None = None,
    ) -> None:
        super().__init__(message)
        self.field = field
        self.allowed = allowed
        self.next_step = next_step


class BadInput(AdminError):
    http_status = 400
    code = "bad_input"


class NotAuthenticated(AdminError):
    http_status = 401
    code = "not_authenticated"


class NotAllowed(AdminError):
    http_status = 403
    code = "not_allowed"


class Missing(AdminError):
    http_status = 404
    code = "not_found"


class WrongMethod(AdminError):
    http_status = 405
    code = "method_not_allowed"


class Conflict(AdminError):
    """The state of things does not allow it, or somebody else has it already."""

    http_status = 409
    code = "conflict"


class ChangedMeanwhile(AdminError):
    http_status = 412
    code = "changed_meanwhile"


PARTNER_FAILED = 502
# What the rules and the handshake raise, in the words of this API.
TRANSLATED: dict[type[HubError], tuple[int, str]] = {
    InvalidRequest: (400, "bad_input"),
    NotFound: (404, "not_found"),
    TooManyRequests: (429, "too_many_requests"),
    Forbidden: (409, "conflict"),
    Unauthorized: (PARTNER_FAILED, "partner_refused"),
    Unavailable: (503, "unavailable"),
    UnusableClient: (PARTNER_FAILED, "partner_failed"),
    UnsupportedVersion: (PARTNER_FAILED, "partner_failed"),
    MissingEndpoints: (PARTNER_FAILED, "partner_failed"),
    RoutingError: (PARTNER_FAILED, "partner_failed"),
}


def answer(error: AdminError | HubError) -> web.Response:
    said: dict[str, Any] = {"message": str(error)}
    headers = None
    if isinstance(error, AdminError):
        status, code = error.http_status, error.code
        said |= {"field": error.field, "allowed": error.allowed, "next": error.next_step}
    else:
        status, code = translation(error)
        headers = error.headers
        said["field"] = field_of(error)
    shown = {name: value for name, value in said.items() if value is not None}
    return web.Response(
        body=codec.write({"error": {"code": code} | shown}),
        status=status,
        headers=headers,
        content_type="application/json",
    )


@contextmanager
def telling_what_next(next_step: str) -> Iterator[None]:
    """Around what asks a partner: where it fails there, what the operator can do."""
    try:
        yield
    except HubError as error:
        status, code = translation(error)
        if status != PARTNER_FAILED:
            raise
        failed = AdminError(str(error), next_step=next_step)
        failed.http_status, failed.code = status, code
        raise failed from error


def field_of(error: HubError) -> str | None:
    """The first field that the check of an object found wrong."""
    match error.data:
        case {"errors": [{"field": str(field)}, *_]}:
            return field
    return None


def translation(error: HubError) -> tuple[int, str]:
    for kind in type(error).__mro__:
        if kind in TRANSLATED:
            return TRANSLATED[kind]
    return Conflict.http_status, Conflict.code


# Which field is at fault when the database finds a duplicate.
UNIQUE = {
    "uq_tenants_domain": ("domain", "Another tenant has this domain."),
    "uq_users_tenant_id_email": ("email", "A user with this e-mail address exists already."),
    "uq_roles_tenant_id_name": ("name", "A role of this name exists already."),
    "uq_api_keys_tenant_id_name": ("name", "An API key of this name exists already."),
    "uq_agreements_parties": (
        "from",
        "These parties have an agreement on this module already: hub agreement change ID.",
    ),
    "uq_auth_tokens_value": ("uid", "There is a token of this uid and type already."),
    "uq_charging_profile_templates_tenant_id_name": (
        "name",
        "A charging profile of this name exists already.",
    ),
    "uq_charging_stations_tenant_id_station_id": (
        "station_id",
        "A station of this identity exists already.",
    ),
    "uq_ocpi_partner_roles_party": (
        "roles",
        "Another partner has this party in this role already: a party plays a role in one place.",
    ),
}


def taken(error: IntegrityError) -> AdminError:
    """A duplicate or a broken rule that only the database could see."""
    cause = getattr(error.orig, "__cause__", None)
    name = str(getattr(cause, "constraint_name", "") or "")
    if name in UNIQUE:
        field, message = UNIQUE[name]
        return Conflict(message, field=field)
    if getattr(error.orig, "sqlstate", "") == "23503":
        return Conflict("It is still in use, or refers to something that does not exist.")
    return Conflict(f"The database refused: {name or 'a rule of the data model was broken'}.")
