"""HubClientInfo: who can be reached through the hub, and what a peer hub says of those behind it.

A Configuration Module: no routing headers, never forwarded (HUB-12). What changes is pushed by the
feed; the list is for a client that starts or is in doubt (HCI-04).
"""

from typing import Any

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.errors import Forbidden, InvalidRequest, NotFound
from hub.keys import DATABASE, DIRECTORY, SENDER, TOTALS
from hub.models.values import ConnectionStatus, Party, Role
from hub.ocpi import paging
from hub.ocpi.endpoints import objects
from hub.ocpi.envelope import read_object, success
from hub.ocpi.request import AUDIENCE, PARTNER, VERSION
from hub.ocpi.routing import ownership
from hub.roaming.modules import HUBCLIENTINFO
from hub.roaming.network import clientinfo, registration
from hub.roaming.store import listing
from hub.roaming.store.filters import Filter
from hub.roaming.store.listing import Kept


async def list_clients(request: web.Request) -> web.Response:
    """Every party that the caller may know of, with its role and how it is connected."""
    partner, audience, page = request[PARTNER], request[AUDIENCE], paging.requested(request)
    async with request.config_dict[DATABASE].transaction(partner.tenant_id) as db:
        if page.after is None:
            await refresh(request, db)
        known = [
            owner
            for owner in await listing.owners(db, HUBCLIENTINFO)
            if owner not in partner.parties
            and any(audience.knows(party, owner) for party in partner.parties)
        ]
        wanted = Filter(tuple(known), date_from=page.date_from, date_to=page.date_to)
        found = await objects.read_page(request, db, HUBCLIENTINFO, page, wanted)
    return await objects.answer_page(request, HUBCLIENTINFO, page, found)


async def get_client(request: web.Request) -> web.Response:
    """What the hub holds of a party behind the calling peer hub; of several roles the best one
    (HCI-07).
    """
    owner, partner = ownership.url_owner(request), request[PARTNER]
    if owner not in partner.parties:
        raise NotFound(f"{owner} is not on your platform.")
    async with request.config_dict[DATABASE].transaction(partner.tenant_id) as db:
        await refresh(request, db)
        found = await listing.page(db, HUBCLIENTINFO, Filter((owner,)), limit=len(Role))
    if not found:
        raise NotFound(f"{owner} is known as a hub only.")
    return await objects.answer(request, HUBCLIENTINFO, min(found, key=rank))


async def refresh(request: web.Request, db: AsyncSession) -> None:
    """What is read here is true now, not as of the last time that somebody was to be told."""
    if await clientinfo.refresh(db):
        request.config_dict[TOTALS].forget(request[PARTNER].tenant_id, HUBCLIENTINFO.name)


def rank(kept: Kept) -> int:
    order = list(ConnectionStatus)
    return order.index(codec.read_stored(kept.text)["status"])


async def put_client(request: web.Request) -> web.Response:
    """A peer hub announces a party behind it, or that it cannot be reached any more (HCI-09).

    Nothing comes of a party that the operator did not approve for the peer (T-03).
    """
    partner, owner = request[PARTNER], ownership.url_owner(request)
    if not partner.is_hub:
        raise Forbidden("Only a hub tells of other parties.")
    body = await read_object(request)
    assert body is not None
    told = False
    for said in each_role(body):
        document = request[VERSION].read("ClientInfo", said)
        ownership.check_body(owner, document, {})
        told |= await announced(request, owner, document)
    if not told:
        return success(message=f"Success: {owner} is not approved for your platform, so not used")
    return success()


def each_role(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Some send all roles of a party as a list (tolerance 11)."""
    roles = body.get("role")
    if not isinstance(roles, list):
        return [body]
    if not roles:
        raise InvalidRequest("role: Must not be empty.")
    return [body | {"role": role} for role in roles]


async def announced(request: web.Request, owner: Party, document: dict[str, Any]) -> bool:
    tenant_id, partner_id = request[PARTNER].tenant_id, request[PARTNER].id
    role, status = Role(document["role"]), ConnectionStatus(document["status"])
    async with request.config_dict[DATABASE].transaction(tenant_id) as db:
        used = await registration.announced(db, partner_id, owner, role, status)
    request.config_dict[DIRECTORY].forget(tenant_id)
    request.config_dict[SENDER].wake(tenant_id)
    return used
