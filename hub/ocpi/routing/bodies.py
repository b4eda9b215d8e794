"""What a request and its answer say, between the versions of both sides.

Versions that say everything need nothing but themselves. Where one of them does not (2.1.1), what
it leaves out is looked up first, in a transaction that ends before anybody is waited for.
"""

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import structlog
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.errors import InvalidRequest, RoutingError
from hub.keys import DATABASE
from hub.models.values import Party
from hub.ocpi import translation
from hub.ocpi.envelope import unwrapped
from hub.ocpi.operations import owner_named
from hub.ocpi.request import OPERATION, OWNER, PARTNER, VERSION
from hub.ocpi.routing.parties import speaker
from hub.ocpi.routing.ways import Way
from hub.ocpi.translation import Item
from hub.ocpi.versions.base import Document, Loss, NotExpressible, Version
from hub.roaming.modules import TOKENS
from hub.roaming.store import listing
from hub.roaming.store.writes import object_key

log = structlog.get_logger()


def looking_up(
    request: web.Request, *versions: Version
) -> AbstractAsyncContextManager[AsyncSession | None]:
    database, tenant_id = request.config_dict[DATABASE], request[PARTNER].tenant_id
    return translation.looking_up(database, tenant_id, *versions)


async def read(
    request: web.Request, kind: str, body: Any, losses: list[Loss] | None = None
) -> Document:
    """What the caller sent, in canonical form; ``losses`` gets what has no place there.

    Where it names a location or session of somebody else's, that party is on the request from then
    on (OWNER).
    """
    version, partner = request[VERSION], request[PARTNER]
    partial = request[OPERATION].partial
    if not version.peer_to_peer:
        return version.read(kind, body, losses, partial=partial)
    async with looking_up(request, version) as db:
        assert db is not None
        owner = await translation.owner_meant(db, kind, body, partner)
        if owner is not None:
            request[OWNER] = owner
        return await translation.read(
            db,
            version,
            kind,
            body,
            partner=partner,
            owner=owner or speaker(request),
            partial=partial,
            losses=losses,
        )


async def say(
    request: web.Request,
    version: Version,
    kind: str,
    document: Document,
    *,
    owner: Party,
    reader: Party | None,
    partial: bool = False,
) -> Document:
    """A canonical document as a version says it to a reader. Raises NotExpressible."""
    async with looking_up(request, version) as db:
        item = Item(kind, document, owner, partial=partial)
        [written] = await translation.write(db, version, [item], reader=reader)
    told = written.get()
    if written.losses:
        log.info("left out in translation", kind=kind, version=version.number, parts=written.parts)
    return told


async def say_to(request: web.Request, way: Way, kind: str, document: Document) -> Document:
    """The caller's document in the receiver's version. Raises NotExpressible."""
    operation = request[OPERATION]
    owner = owner_named(operation, speaker(request), way.party)
    return await say(
        request,
        way.version,
        kind,
        document,
        owner=owner,
        reader=way.party,
        partial=operation.partial,
    )


async def answered(request: web.Request, way: Way, data: Any) -> Any:
    """What a receiver answered, in the caller's version. Of a list, what cannot be said is left
    out, and logged. RoutingError for one object that is not valid or cannot be said.
    """
    operation = request[OPERATION]
    data = data if operation.many else unwrapped(data)
    if not operation.many and not isinstance(data, dict):
        return data
    found = []
    async with looking_up(request, way.version, request[VERSION]) as db:
        for item in data if operation.many and isinstance(data, list) else [data]:
            try:
                found.append(await translated(request, way, db, item))
            except RoutingError as error:
                if not operation.many:
                    raise
                log.warning(
                    "object left out of a forwarded list", party=str(way.party), reason=str(error)
                )
    return found if operation.many else found[0]


async def translated(
    request: web.Request, way: Way, db: AsyncSession | None, data: Any
) -> Document:
    kind, caller = request[OPERATION].answer, speaker(request)
    assert kind is not None
    owner = owner_named(request[OPERATION], caller, way.party)
    token = None
    if db is not None and kind == "AuthorizationInfo" and isinstance(data, dict):
        token = await token_of(db, request, way, data)
    try:
        document = await translation.read(
            db, way.version, kind, data, partner=way.connection, owner=owner, token=token
        )
    except InvalidRequest as error:
        raise RoutingError(f"The answer is not a valid {kind}: {error}") from None
    item = Item(kind, document, owner)
    [written] = await translation.write(db, request[VERSION], [item], reader=caller)
    try:
        return written.get()
    except NotExpressible as error:
        number = request[VERSION].number
        raise RoutingError(f"OCPI {number} cannot express the answer: {error}") from None


async def token_of(db: AsyncSession, request: web.Request, way: Way, info: Document) -> Document:
    """The token that an authorization is about, which newer versions tell in full: as it is known,
    or what can be said of one that is not (BRIDGE, Token).
    """
    uid = request.match_info["id"]
    type_ = request.query.get("type") or request.query.get("token_type") or "RFID"
    kept = await listing.get(db, TOKENS, object_key(TOKENS, way.party, uid, type_))
    if kept is not None:
        known: Document = codec.read_stored(kept.text)
        return known
    return {
        "country_code": way.party.country_code,
        "party_id": way.party.party_id,
        "uid": uid,
        "type": type_,
        "contract_id": "#NA",
        "issuer": way.connection.name[:64],
        "valid": info.get("allowed") == "ALLOWED",
        "whitelist": "NEVER",
        "last_updated": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
