"""Requests of platforms whose version knows two sides only (2.1.1): their URLs name no interface.

A platform there is one party in one role, and what it calls is the interface opposite to its own:
a CPO pushes locations to ``/2.1.1/locations`` and an eMSP lists them at the same URL (HUB-06,
VER-04). So which operation a URL means is known only when it is known who calls.
"""

import re
from urllib.parse import unquote

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Forbidden, MethodNotAllowed, NotFound
from hub.keys import DATABASE
from hub.models.values import InterfaceRole, Party
from hub.ocpi.operation import Operation
from hub.ocpi.operations import MODULE_NAMES, OPERATIONS
from hub.ocpi.request import OPERATION, OWNER, PARTNER, TOKEN_TYPE, VERSION
from hub.ocpi.versions import VERSIONS
from hub.ocpi.versions.ownership_2_1_1 import interface_of, opposite
from hub.roaming.modules import CDRS, TOKENS
from hub.roaming.store import aliases, lookups

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
    """The segments behind the module, each decoded by itself: an id may hold a slash.

    Clients that join URLs with a slash too many mean the same.
    """
    _, _, below = request.rel_url.raw_path.partition(f"/{request.match_info['module']}")
    return [unquote(segment) for segment in below.strip("/").split("/")]


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


async def read_names(request: web.Request) -> None:
    """Put the canonical ids of what the URL names into ``match_info``.

    Of what is somebody else's, the owner is on the request from then on (OWNER), of a token its
    type (TOKEN_TYPE).
    """
    given, operation = request.match_info, request[OPERATION]
    unnamed = "id" not in given or operation.module == CDRS.name
    if unnamed or not request[VERSION].peer_to_peer:
        return
    async with request.config_dict[DATABASE].transaction(request[PARTNER].tenant_id) as db:
        if operation.module == TOKENS.name:
            await read_token(db, request)
        elif operation.interface is InterfaceRole.SENDER:
            name = await aliases.meant(db, operation.module, given["id"])
            if name is not None:
                given["id"], request[OWNER] = name.object_id, name.owner
        else:
            await read_own_names(db, request)


async def read_token(db: AsyncSession, request: web.Request) -> None:
    """URLs name a token by its uid alone."""
    uid, owner = request.match_info["id"], None
    if "country_code" in request.match_info:
        owner = Party.of(request.match_info["country_code"], request.match_info["party_id"])
    elif (name := await aliases.meant(db, aliases.TOKENS, uid)) is not None:
        request[OWNER] = owner = name.owner
    types = await lookups.types_of_token(db, uid, owner)
    if len(types) == 1 and request.method != "PUT":
        request[TOKEN_TYPE] = types.pop()


async def read_own_names(db: AsyncSession, request: web.Request) -> None:
    given, module = request.match_info, request[OPERATION].module
    owner = Party.of(given["country_code"], given["party_id"])
    if owner not in request[PARTNER].parties:
        return
    kinds = {"id": module, "evse_uid": aliases.EVSES}
    named = {(kind, given[part]) for part, kind in kinds.items() if part in given}
    pushed = named if request.method == "PUT" else ()
    ids = await aliases.own_ids(db, owner, named, new=pushed)
    for part, kind in kinds.items():
        if part in given:
            given[part] = ids.get((kind, given[part]), given[part])
