"""EVSEs and connectors: parts of a location that have URLs of their own."""

from typing import Any

from aiohttp import web

from hub import codec
from hub.errors import UnknownLocation
from hub.models.values import Party
from hub.ocpi.endpoints import objects, pushes
from hub.ocpi.envelope import success
from hub.ocpi.routing import kept_objects, ownership
from hub.ocpi.translation import Item
from hub.roaming.modules import LOCATIONS
from hub.roaming.store.listing import Kept


async def get_evse(request: web.Request) -> web.Response:
    return await part_of(
        request, await kept_objects.visible(request, LOCATIONS, ownership.url_owner(request))
    )


async def find_evse(request: web.Request) -> web.Response:
    location_id = request.match_info["id"]
    return await part_of(request, await kept_objects.find_visible(request, LOCATIONS, location_id))


async def part_of(request: web.Request, kept: Kept) -> web.Response:
    """The EVSE or connector of a location, in the caller's version."""
    location = codec.read_stored(kept.text)
    uid, connector_id = request.match_info["evse_uid"], request.match_info.get("connector_id")
    part, kind = one(location.get("evses") or [], "uid", uid), "EVSE"
    if connector_id is not None:
        part, kind = one((part or {}).get("connectors") or [], "id", connector_id), "Connector"
    what = f"EVSE {uid}" if connector_id is None else f"Connector {connector_id} of EVSE {uid}"
    if part is None:
        raise UnknownLocation(f"{what} of location {kept.object_id} is unknown.")
    item = Item(kind, part, Party(kept.key.country_code, kept.key.party_id))
    return success(await objects.said(request, item, what))


def one(parts: list[dict[str, Any]], member: str, wanted: str) -> dict[str, Any] | None:
    return next((part for part in parts if part[member].upper() == wanted.upper()), None)


async def put_evse(request: web.Request) -> web.Response:
    """PUT or PATCH of an EVSE or a connector: one EVSE moves in the feed, not its location."""
    return objects.kept_answer(request, await pushes.keep_push(request))
