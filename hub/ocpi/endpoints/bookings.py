"""Bookings of charging time ahead (Bookings extension 1.1 of OCPI 2.3.0).

CPOs publish booking locations with calendars, and eMSPs ask them for bookings. The answer to a
request is the booking; what becomes of it later comes as a push of the booking, so it needs no
URL to answer to (BOOK-02).
"""

from aiohttp import web

from hub import codec
from hub.errors import NotFound
from hub.ocpi.endpoints import objects, pushes
from hub.ocpi.envelope import read_object, success
from hub.ocpi.request import VERSION
from hub.ocpi.routing import booked, forward, kept_objects, ownership
from hub.ocpi.routing.owners import owner
from hub.ocpi.routing.parties import addressee
from hub.ocpi.versions.base import Document
from hub.roaming.modules import BOOKING_LOCATIONS
from hub.roaming.store.listing import Kept


async def find_calendar(request: web.Request) -> web.Response:
    """One calendar of a booking location whose URL names no owner."""
    kept = await kept_objects.find_visible(request, BOOKING_LOCATIONS, request.match_info["id"])
    return success(calendar_of(request, kept))


async def get_calendar(request: web.Request) -> web.Response:
    """One calendar, as the hub keeps it."""
    kept = await kept_objects.visible(request, BOOKING_LOCATIONS, ownership.url_owner(request))
    return success(calendar_of(request, kept))


def calendar_of(request: web.Request, kept: Kept) -> Document:
    wanted = request.match_info["calendar_id"]
    for calendar in codec.read_stored(kept.text).get("calendars") or []:
        if calendar["id"].upper() == wanted.upper():
            found: Document = calendar
            return found
    raise NotFound(f"Calendar {wanted} of booking location {kept.object_id} is unknown.")


async def request_booking(request: web.Request) -> web.Response:
    """Ask the CPO that owns the booking location, or is named, for a booking or a change of one."""
    to = addressee(request)
    if to is None:
        body = await read_object(request)
        document = request[VERSION].read("BookingRequest", body)
        to = await owner(request, BOOKING_LOCATIONS, document["booking_location_id"])
    return await forward.forward(request, to)


async def put_booking(request: web.Request) -> web.Response:
    """Keep what has become of a booking, and tell the eMSP that asked for it.

    Some name it in the URL by the id of the request (BOOK-12).
    """
    return await keep(request)


async def patch_booking(request: web.Request) -> web.Response:
    """Change a booking or a booking location, options and terms also in part."""
    return await keep(request)


async def keep(request: web.Request) -> web.Response:
    body = await read_object(request)
    assert body is not None
    request.match_info["id"], body = await booked.whole(request, body)
    return objects.kept_answer(request, await pushes.keep_push(request, body))
