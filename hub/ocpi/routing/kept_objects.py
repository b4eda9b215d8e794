"""What the hub keeps, as far as the caller may see it."""

from aiohttp import web

from hub.errors import RoutingError
from hub.keys import DATABASE
from hub.models.values import Party
from hub.ocpi.request import ANSWERED_BY, AUDIENCE, OWNER, PARTNER
from hub.ocpi.routing import ownership
from hub.ocpi.routing.parties import addressee
from hub.roaming.modules import Module
from hub.roaming.store import listing
from hub.roaming.store.listing import Kept
from hub.roaming.store.writes import object_key


async def visible(request: web.Request, module: Module, owner: Party) -> Kept:
    partner = request[PARTNER]
    object_id = request.match_info["id"]
    key = object_key(module, owner, object_id, ownership.token_type(request))
    async with request.config_dict[DATABASE].reading(partner.tenant_id) as db:
        kept = await listing.get(db, module, key, viewers=partner.parties)
    if kept is None or not may_see(request, module, kept):
        raise module.unknown(f"{module.kind} {object_id} of {owner} is unknown.")
    return kept


async def find_visible(request: web.Request, module: Module, object_id: str) -> Kept:
    partner, named = request[PARTNER], addressee(request) or request.get(OWNER)
    async with request.config_dict[DATABASE].reading(partner.tenant_id) as db:
        found = await listing.find(db, module, object_id.upper(), viewers=partner.parties)
    candidates = [
        kept
        for kept in found
        if may_see(request, module, kept)
        and named in {None, Party(kept.key.country_code, kept.key.party_id)}
    ]
    if not candidates:
        raise module.unknown(f"{module.kind} {object_id} is unknown.")
    if len(candidates) > 1:
        raise ambiguous(len(candidates), module, object_id)
    kept = candidates[0]
    request[ANSWERED_BY] = Party(kept.key.country_code, kept.key.party_id)
    return kept


def ambiguous(owners: int, module: Module, object_id: str) -> RoutingError:
    return RoutingError(
        f"{owners} parties have a {module.kind} {object_id}. "
        "Name the one you mean in OCPI-to-country-code and OCPI-to-party-id."
    )


def may_see(request: web.Request, module: Module, kept: Kept) -> bool:
    owner = Party(kept.key.country_code, kept.key.party_id)
    return request[AUDIENCE].may_see(request[PARTNER], module, owner, kept.receiver)
