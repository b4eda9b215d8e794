"""What a partner says of a booking, or of a place for them, as the hub has it.

The URL may name a booking by the id of the request for it (BOOK-12), and a PATCH may say a part of
options and terms, or where the EVSE is as version 1.0 did (BOOK-17).
"""

from typing import Any

from aiohttp import web
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.keys import DATABASE
from hub.models.extensions import Booking
from hub.models.values import Party
from hub.ocpi.request import OPERATION, PARTNER
from hub.ocpi.routing import ownership
from hub.ocpi.versions.base import Document
from hub.roaming.modules import BOOKINGS, MODULES
from hub.roaming.store import listing
from hub.roaming.store.writes import object_key

# Members of which a PATCH may say a part.
MERGED = ("booking_option", "booking_terms")


async def whole(request: web.Request, body: Document) -> tuple[str, Document]:
    """The id of what the URL names, and the body with what it leaves out."""
    given, owner = request.match_info["id"], ownership.url_owner(request)
    module = MODULES[request[OPERATION].kept_as]
    if not request[OPERATION].partial:
        by_request = given.upper() == str(body.get("request_id", "")).upper()
        return str(body.get("id", "")) if by_request else given, body
    database, tenant_id = request.config_dict[DATABASE], request[PARTNER].tenant_id
    if module is BOOKINGS:
        async with database.transaction(tenant_id) as db:
            given = await booking_id(db, owner, given)
    async with database.reading(tenant_id) as db:
        kept = await listing.get(db, module, object_key(module, owner, given))
    return given, completed(body, codec.read_stored(kept.text) if kept else {})


async def booking_id(db: AsyncSession, owner: Party, given: str) -> str:
    """The id of the booking, where a request for it has the given one, and no booking."""
    own = (Booking.country_code == owner.country_code, Booking.party_id == owner.party_id)
    if await db.scalar(select(Booking.id).where(*own, Booking.object_key == given.upper())):
        return given
    by_request = await db.scalars(
        select(Booking.object_id).where(*own, func.upper(Booking.request_id) == given.upper())
    )
    found = list(by_request)
    return found[0] if len(found) == 1 else given


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
