"""Bookings of charging time ahead (Bookings extension 1.1 of OCPI 2.3.0).

CPOs publish booking locations with calendars, and eMSPs ask them for bookings. The answer to a
request is the booking; what becomes of it later comes as a push of the booking, so it needs no
URL to answer to (BOOK-02).
"""

from typing import Any

from aiohttp import web
from sqlalchemy import func, select

from hub import codec
from hub.errors import NotFound
from hub.keys import DATABASE
from hub.models.extensions import Booking
from hub.models.values import Party
from hub.ocpi.endpoints import objects, pushes
from hub.ocpi.envelope import read_object, success
from hub.ocpi.request import OPERATION, PARTNER, VERSION
from hub.ocpi.routing import forward, kept_objects, ownership
from hub.ocpi.routing.owners import owner
from hub.ocpi.routing.parties import addressee
from hub.ocpi.versions.base import Document
from hub.roaming.modules import BOOKING_LOCATIONS, BOOKINGS, MODULES
from hub.roaming.store import listing
from hub.roaming.store.listing import Kept
from hub.roaming.store.writes import object_key

# Members of which a PATCH may say a part (BOOK-17).
MERGED = ("booking_option", "booking_terms")


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
    body = await read_object(request)
    assert body is not None
    if request.match_info["id"].upper() == str(body.get("request_id", "")).upper():
        request.match_info["id"] = str(body.get("id", ""))
    return objects.kept_answer(request, await pushes.keep_push(request, body))


async def patch_booking(request: web.Request) -> web.Response:
    """Change a booking or a booking location, options and terms also in part."""
    body = await read_object(request)
    assert body is not None
    owner = ownership.url_owner(request)
    module = MODULES[request[OPERATION].kept_as]
    if module is BOOKINGS:
        request.match_info["id"] = await booking_id(request, owner)
    async with request.config_dict[DATABASE].reading(request[PARTNER].tenant_id) as db:
        kept = await listing.get(db, module, object_key(module, owner, request.match_info["id"]))
    body = completed(body, codec.read_stored(kept.text) if kept else {})
    return objects.kept_answer(request, await pushes.keep_push(request, body))


async def booking_id(request: web.Request, owner: Party) -> str:
    """The id of the booking in the URL, which may be that of the request for it (BOOK-12)."""
    given = request.match_info["id"].upper()
    own = (Booking.country_code == owner.country_code, Booking.party_id == owner.party_id)
    async with request.config_dict[DATABASE].transaction(request[PARTNER].tenant_id) as db:
        if await db.scalar(select(Booking.id).where(*own, Booking.object_key == given)):
            return request.match_info["id"]
        by_request = await db.scalars(
            select(Booking.object_id).where(*own, func.upper(Booking.request_id) == given)
        )
        found = list(by_request)
    return found[0] if len(found) == 1 else request.match_info["id"]


def completed(body: Document, kept: Document) -> Document:
    """The body of a PATCH with what it leaves out of options and terms as it is kept."""
    changes = dict(body)
    if "evse_uid" in changes:
        # Version 1.0 had it there.
        option: Any = changes.get("booking_option")
        more = option if isinstance(option, dict) else {}
        changes["booking_option"] = {"evse_uid": changes.pop("evse_uid")} | more
    for member in MERGED:
        given, known = changes.get(member), kept.get(member)
        if isinstance(given, dict) and isinstance(known, dict):
            merged = known | given
            changes[member] = {name: v for name, v in merged.items() if v is not None}
    return changes
