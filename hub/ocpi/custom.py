"""Modules that the hub does not know: passed on untouched where an agreement names them (VER-05).

There is no schema for them, so nothing is checked, translated or kept, whatever versions both sides
speak. That is for the operator to allow: a module is there for a platform when an agreement that
names it lets one of its parties reach somebody. The open network does not do, nor does an agreement
for all modules: who wrote it could not know what else there would be.
"""

from urllib.parse import unquote

from aiohttp import web

from hub.errors import InvalidRequest, NotFound
from hub.models.values import InterfaceRole
from hub.ocpi.operation import Operation, custom
from hub.ocpi.operations import MODULE_NAMES
from hub.ocpi.request import AUDIENCE, OPERATION, PARTNER
from hub.roaming.network.audience import Audience
from hub.roaming.network.partners import Connection

# What OCPI and its extensions define: never forwarded unread, not even to who serves it otherwise.
STANDARD = frozenset(MODULE_NAMES) | {
    *("booking", "bookings", "cdrs", "chargingprofiles", "clientinfo", "commands", "credentials"),
    *("hubclientinfo", "invoicereconciliation", "locations", "payments", "sessions", "tariffs"),
    *("tokens", "versions"),
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# The version, the interface and the module's name come before what is passed on.
ROOT = "/{version}/{interface}/{module}"
PATH = ROOT + "{rest}"
ROUTE = (
    r"/{version}/{interface:sender|receiver}"
    rf"/{{module:(?!(?i:{'|'.join(sorted(STANDARD))})(?:/|$))[A-Za-z0-9][A-Za-z0-9_.-]{{0,49}}}}"
    r"{rest:(?:/.*)?}"
)
UNSAFE = frozenset({".", ".."})


def is_custom(module: str) -> bool:
    return module.lower() not in STANDARD


def operation_of(request: web.Request) -> Operation | None:
    """The request as an operation, if it is about a module that is none of OCPI's."""
    resource = request.match_info.route.resource
    if resource is None or resource.canonical.removeprefix("/ocpi") != PATH:
        return None
    match = request.match_info
    return custom(match["module"], InterfaceRole(match["interface"].upper()), request.method)


def modules_for(connection: Connection, audience: Audience) -> list[str]:
    """The modules to be found in a platform's version details besides those of OCPI."""
    named = audience.modules_named_for(connection.parties)
    return sorted(module for module in named if is_custom(module))


def check_agreed(request: web.Request) -> None:
    """What is not in the version details is not there."""
    named = {name.lower() for name in modules_for(request[PARTNER], request[AUDIENCE])}
    if request[OPERATION].module.lower() not in named:
        nowhere = NotFound("There is nothing at this URL.")
        nowhere.status_code = 2000
        raise nowhere


def segments(request: web.Request) -> list[str]:
    """What follows the module in the URL; an empty one at the end is a slash."""
    # Not from the match: there a slash within a segment looks like one between two.
    after = request.rel_url.raw_path.removeprefix("/ocpi").split("/")[ROOT.count("/") + 1 :]
    found = [unquote(segment) for segment in after]
    if UNSAFE & set(found):
        raise InvalidRequest("A path with . or .. in it is not passed on.")
    return found


async def refuse_unaddressed(request: web.Request) -> web.Response:
    """The hub cannot tell from a module that it does not know whom a request is for."""
    raise InvalidRequest(
        f"{request[OPERATION].module} is passed on to a party, not kept: name it in "
        "OCPI-to-country-code and OCPI-to-party-id."
    )
