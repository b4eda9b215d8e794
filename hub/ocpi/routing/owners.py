"""Whom a request is for that names no receiver: the owner of what it speaks of (HUB-35)."""

from aiohttp import web

from hub.errors import NotFound, RoutingError, UnknownLocation
from hub.keys import DATABASE, HINTS
from hub.models.values import Party
from hub.ocpi.operations import REJECTED
from hub.ocpi.request import OPERATION, PARTNER, VERSION
from hub.ocpi.routing import kept_objects
from hub.ocpi.routing.callbacks import OwnAnswer
from hub.ocpi.routing.parties import addressee, speaker
from hub.ocpi.versions.base import Document
from hub.roaming.commands import earlier_commands
from hub.roaming.modules import LOCATIONS, SESSIONS, Module

# Answers in the words of the modules that have them.
UNKNOWN_SESSION = {"result": "UNKNOWN_SESSION", "timeout": 0}


async def owner_of(request: web.Request, document: Document) -> Party:
    """The party named in the headers, or the owner of the location, session or reservation.

    UnknownLocation says so with the answer in its data (CMD-05); OwnAnswer for a session or
    reservation that nobody has. RoutingError where two have the same id: never a guess (AMB-18).
    """
    if (named := addressee(request)) is not None:
        return named
    match document:
        case {"location_id": location_id}:
            return await owner_of_location(request, str(location_id))
        case {"session_id": session_id}:
            return await owner_of_session(request, str(session_id))
        case {"reservation_id": reservation_id}:
            return await owner_of_reservation(request, str(reservation_id))
    if (answer := request[OPERATION].unsupported) is not None:
        raise OwnAnswer(answer)
    raise RoutingError("Name the party that it is for: OCPI-to-country-code and -party-id.")


async def owner_of_location(request: web.Request, location_id: str) -> Party:
    try:
        return await owner(request, LOCATIONS, location_id)
    except UnknownLocation as error:
        operation = request[OPERATION]
        if operation.answer is None:
            raise
        answer = request[VERSION].downgrade(operation.answer, REJECTED)
        unknown = UnknownLocation(str(error), data=answer)
        # It is the location in the body that is unknown, not the URL.
        unknown.http_status = 200
        raise unknown from None


async def owner_of_session(request: web.Request, session_id: str) -> Party:
    try:
        return await owner(request, SESSIONS, session_id)
    except NotFound:
        raise OwnAnswer(UNKNOWN_SESSION) from None


async def owner_of_reservation(request: web.Request, reservation_id: str) -> Party:
    async with request.config_dict[DATABASE].transaction(request[PARTNER].tenant_id) as db:
        found = await earlier_commands.receiver_of_reservation(db, speaker(request), reservation_id)
    if found is None:
        text = "You have asked nobody here for this reservation."
        raise OwnAnswer(REJECTED | {"message": [{"language": "en", "text": text}]})
    return found


async def owner(request: web.Request, module: Module, object_id: str) -> Party:
    """Whose object is in the store, or went through the hub to one of the caller's parties."""
    try:
        kept = await kept_objects.find_visible(request, module, object_id)
    except NotFound:
        partner = request[PARTNER]
        found = await request.config_dict[HINTS].owners(
            partner.tenant_id, module.name, object_id, partner.parties
        )
        if len(found) > 1:
            raise kept_objects.ambiguous(len(found), module, object_id) from None
        if not found:
            raise
        return found[0]
    return Party(kept.key.country_code, kept.key.party_id)
