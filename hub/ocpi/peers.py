"""Requests of platforms whose version knows two sides only (2.1.1): their URLs name no interface.

A platform there is one party in one role, and what it calls is the interface opposite to its own:
a CPO pushes locations to ``/2.1.1/locations`` and an eMSP lists them at the same URL (HUB-06,
VER-04). So which operation a URL means is known only when it is known who calls.
"""

import re
from urllib.parse import unquote

from aiohttp import web

from hub.errors import Forbidden, MethodNotAllowed, NotFound
from hub.models.values import InterfaceRole
from hub.ocpi.operations import MODULE_NAMES, OPERATIONS, Operation
from hub.ocpi.request import PARTNER, VERSION
from hub.ocpi.versions import VERSIONS
from hub.ocpi.versions.ownership_2_1_1 import interface_of, opposite

NUMBERS = "|".join(re.escape(one.number) for one in VERSIONS.values() if one.peer_to_peer)
PATH = f"/{{version:{NUMBERS}}}/{{module:{'|'.join(MODULE_NAMES)}}}{{rest:(?:/.*)?}}"
CANONICAL = "/{version}/{module}{rest}"


def operation_of(request: web.Request) -> Operation:
    """What the URL means to who calls it; the variables of its path are added to ``match_info``."""
    segments = path_below(request)
    rows = [
        operation
        for operation in OPERATIONS
        if operation.module == request.match_info["module"]
        and operation.interface is called(request)
        and operation.is_in(request[VERSION].number)
        and matches(operation, segments)
    ]
    for operation in rows:
        if operation.method == request.method:
            request.match_info.update(variables(operation, segments))
            return operation
    if not rows:
        nothing = NotFound("There is nothing at this URL for a platform in your role.")
        nothing.status_code = 2000
        raise nothing
    allowed = ", ".join(sorted({operation.method for operation in rows}))
    raise MethodNotAllowed(f"Allowed here: {allowed}.", headers={"Allow": allowed})


def called(request: web.Request) -> InterfaceRole:
    partner, version = request[PARTNER], request[VERSION].number
    if partner.version != version or len(partner.roles) != 1:
        raise Forbidden(
            f"Your platform is registered with OCPI {partner.version}. To speak {version}, PUT "
            "your credentials at its URL."
        )
    [(_, role)] = partner.roles
    return opposite(interface_of(request.match_info["module"], role))


def path_below(request: web.Request) -> list[str]:
    """The segments behind the module, each decoded by itself: an id may hold a slash."""
    _, _, below = request.rel_url.raw_path.partition(f"/{request.match_info['module']}")
    return [unquote(segment) for segment in below.removeprefix("/").removesuffix("/").split("/")]


def matches(operation: Operation, segments: list[str]) -> bool:
    wanted = operation.path.removeprefix("/").split("/")
    return len(wanted) == len(segments) and all(
        bool(given) if part.startswith("{") else part == given
        for part, given in zip(wanted, segments, strict=True)
    )


def variables(operation: Operation, segments: list[str]) -> dict[str, str]:
    wanted = operation.path.removeprefix("/").split("/")
    return {
        part[1:-1]: given
        for part, given in zip(wanted, segments, strict=True)
        if part.startswith("{")
    }
