"""Who am I?"""

from typing import Any

from aiohttp import web
from marshmallow import Schema, fields

from hub.admin.auth import ACTOR, transaction
from hub.admin.output import PartyOf
from hub.admin.routes import ANY_KEY, Routes
from hub.models.tenants import Tenant
from hub.roaming.network.agreements import default_agreement

routes = Routes("Account")


class ActingTenant(Schema):
    id = fields.UUID()
    name = fields.String()
    party = PartyOf()
    cpo_party = PartyOf("cpo_", metadata={"description": "The party of its own stations."})
    default_agreement = fields.Function(
        default_agreement,
        metadata={"description": "ALLOW or BLOCK: what holds without an agreement."},
    )


class Me(Schema):
    id = fields.UUID(metadata={"description": "The user, or the key where it is nobody's."})
    key_id = fields.UUID()
    key_name = fields.String()
    tenant = fields.Nested(ActingTenant)
    permissions = fields.List(fields.String())


@routes.get("/me", permission=ANY_KEY, answer=Me)
async def show_me(request: web.Request) -> Any:
    """Who the key belongs to, which tenant it acts in and what it may do."""
    actor = request[ACTOR]
    async with transaction(request) as db:
        tenant = await db.get_one(Tenant, actor.tenant_id)
    return {
        "id": actor.id,
        "key_id": actor.key_id,
        "key_name": actor.key_name,
        "tenant": tenant,
        "permissions": sorted(actor.permissions),
    }
