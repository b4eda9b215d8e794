"""What has gone from party to party and is kept as well, since what the hub lists follows from it.

A booking as the CPO answered it, a terminal as the CPO changed it at its provider's: both sides
know it, so nobody is told, but the hub must not list what is no longer true. What cannot be read is
left alone, for the request itself went well.
"""

from dataclasses import replace

import structlog
from aiohttp import web

from hub import codec
from hub.errors import HubError, InvalidRequest
from hub.keys import INTAKE
from hub.models.values import InterfaceRole
from hub.ocpi.client import Answer
from hub.ocpi.envelope import now, unwrapped
from hub.ocpi.request import OPERATION, PARTNER, VERSION
from hub.ocpi.routing import booked, ownership
from hub.ocpi.routing.parties import speaker
from hub.ocpi.routing.ways import Way
from hub.ocpi.versions.base import Document
from hub.roaming.modules import BOOKINGS, MODULES
from hub.roaming.store.writes import Write

log = structlog.get_logger()


async def keep(request: web.Request, way: Way, answer: Answer) -> None:
    """Keep what was sent, or what was answered, as both sides now have it."""
    try:
        write = await written(request, way, answer)
        await request.config_dict[INTAKE].keep(request[PARTNER].tenant_id, write)
    except HubError as error:
        log.warning("what was passed on is not kept", reason=str(error))


async def written(request: web.Request, way: Way, answer: Answer) -> Write:
    """The write; as it comes from the side that did not ask, nobody is told of it."""
    operation = request[OPERATION]
    module = MODULES[operation.kept_as]
    if operation.keeps == "answer":
        assert operation.answer is not None
        document = way.version.read(operation.answer, unwrapped(answer.data))
        object_id = str(document[module.id_field])
        method = "PUT"
    else:
        object_id, method, document = await sent(request)
    write = Write(
        module, method, way.party, object_id, document=document, partner_id=request[PARTNER].id
    )
    if operation.interface is InterfaceRole.RECEIVER:
        return replace(write, owner=ownership.url_owner(request), partner_id=way.connection.id)
    return replace(write, receiver=speaker(request))


async def sent(request: web.Request) -> tuple[str, str, Document]:
    """The id of what was sent, and as what it counts: a PUT that says only a part is a PATCH
    (PAY-02).
    """
    kind, version = request[OPERATION].body, request[VERSION]
    assert kind is not None
    object_id, body = request.match_info["id"], codec.read(await request.read())
    if request[OPERATION].kept_as == BOOKINGS.name and isinstance(body, dict):
        object_id, body = await booked.whole(request, body)
    if not request[OPERATION].partial:
        try:
            return object_id, "PUT", version.read(kind, body)
        except InvalidRequest:
            pass
    document = version.read(kind, body, partial=True)
    return object_id, "PATCH", {"last_updated": now()} | document
