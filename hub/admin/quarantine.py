"""Quarantine: objects that came with a fault, with the field and the rule that refused them."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit, codec
from hub.admin.auth import ACTOR, transaction
from hub.admin.errors import Conflict
from hub.admin.output import find, page, page_of, path_id
from hub.admin.refusals import RefusalQuery, matching
from hub.admin.routes import QUERY, Routes
from hub.errors import InvalidRequest, RoutingError
from hub.keys import INTAKE
from hub.models.feed import QuarantinedObject
from hub.models.values import AuditAction, Party
from hub.ocpi import translation
from hub.ocpi.versions import VERSIONS
from hub.roaming.modules import MODULES
from hub.roaming.network import partners
from hub.roaming.network.partners import Connection
from hub.roaming.store import quarantine, receivers
from hub.roaming.store.writes import Outcome, Write

routes = Routes("Quarantine")
NAMED = ("quarantined object", "hub quarantine list")


class QuarantineQuery(RefusalQuery):
    module = fields.String(validate=validate.OneOf(list(MODULES)))


class Fault(Schema):
    field = fields.String()
    rule = fields.String()


class QuarantinedShown(Schema):
    id = fields.UUID()
    created_at = fields.AwareDateTime()
    partner_id = fields.UUID()
    module = fields.String()
    kind = fields.String(metadata={"description": "OCPI class of the object."})
    ocpi_version = fields.String()
    object_ref = fields.String(allow_none=True)
    source = fields.String(metadata={"description": "The door it came in by: push or pull."})
    errors = fields.List(fields.Nested(Fault))
    settled_at = fields.AwareDateTime(allow_none=True)


class QuarantinedInFull(QuarantinedShown):
    body = fields.String(metadata={"description": "What the partner sent."})


class Replayed(Schema):
    outcome = fields.String(validate=validate.OneOf(list(Outcome)))
    object_ref = fields.String()


QuarantinePage: type[Schema] = page_of(QuarantinedShown)


@routes.get(
    "/quarantine", permission="quarantine.read", query=QuarantineQuery, answer=QuarantinePage
)
async def list_quarantine(request: web.Request) -> Any:
    """Objects that were refused and have not come in good shape since, newest first."""
    query = request[QUERY]
    async with transaction(request) as db:
        return await page(db, matching(QuarantinedObject, query), QuarantinedObject, query)


@routes.get("/quarantine/{id}", permission="quarantine.read", answer=QuarantinedInFull)
async def show_quarantined(request: web.Request) -> Any:
    """One of them, with everything the partner sent."""
    async with transaction(request) as db:
        return await find(db, QuarantinedObject, path_id(request), *NAMED)


@routes.post("/quarantine/{id}/replay", permission="quarantine.execute", answer=Replayed)
async def replay_quarantined(request: web.Request) -> Any:
    """Take the object in after all, as if it were sent again now.

    It is checked like any other: after an upgrade of the hub, or a change of the partner's roles,
    it may pass. What the hub keeps that is newer stays.
    """
    tenant_id = request[ACTOR].tenant_id
    async with transaction(request) as db:
        entry = await find(db, QuarantinedObject, path_id(request), *NAMED)
        partner = await partners.connection(db, entry.partner_id)
    if entry.settled_at is not None:
        raise Conflict(
            "It is settled: it has come in good shape since, or was taken in or dismissed."
        )
    assert partner is not None
    async with transaction(request) as db:
        write = await read_again(db, entry, partner)
    write = await addressed(request, write)
    stored = await request.config_dict[INTAKE].keep(tenant_id, write)
    await settle(request, entry.id, f"Replayed {entry.module} {entry.object_ref}")
    return {"outcome": stored.outcome, "object_ref": entry.object_ref}


@routes.post("/quarantine/{id}/dismiss", permission="quarantine.execute")
async def dismiss_quarantined(request: web.Request) -> Any:
    """Settle it without the object: nobody needs it any more."""
    async with transaction(request) as db:
        entry = await find(db, QuarantinedObject, path_id(request), *NAMED)
    if entry.settled_at is None:
        await settle(request, entry.id, f"Dismissed {entry.module} {entry.object_ref}")


async def settle(request: web.Request, entry_id: UUID, description: str) -> None:
    async with transaction(request) as db:
        await quarantine.dismiss(db, entry_id)
        await audit.record(
            db, AuditAction.UPDATE, "quarantined_object", entry_id, description=description
        )


async def read_again(db: AsyncSession, entry: QuarantinedObject, partner: Connection) -> Write:
    """The push that it was, or why it still is none."""
    country_code, party_id, object_id, *part = (entry.object_ref or "///").split("/")
    owner, module = Party(country_code, party_id), MODULES.get(entry.module)
    if module is None or not object_id or entry.kind not in {module.kind, "EVSE"}:
        raise Conflict("What it is cannot be told from it.", next_step=ASK_AGAIN)
    if not partner.roles_of(owner) & module.owner_roles:
        raise Conflict(
            f"{owner} has no role on {partner.name} that owns {module.name}.",
            next_step=f"hub partner show {partner.id}",
        )
    try:
        body = codec.read(entry.body)
        version = VERSIONS[entry.ocpi_version]
        document = await translation.read(
            db, version, entry.kind, body, partner=partner, owner=owner
        )
    except codec.BadJSON:
        raise Conflict("It was too long to be kept whole.", next_step=ASK_AGAIN) from None
    except InvalidRequest as error:
        raise Conflict(f"It is refused still: {error}", next_step=ASK_AGAIN) from None
    return Write(
        module,
        "POST" if module.record else "PUT",
        owner,
        str(document.get(module.id_field, object_id)) if not part else object_id,
        document=document,
        evse_uid=str(document["uid"]) if entry.kind == "EVSE" else None,
        token_type=str(document.get("type", "RFID")),
        partner_id=partner.id,
    )


async def addressed(request: web.Request, write: Write) -> Write:
    """The write with the party that a private object is for, where the object does not say."""
    module = write.module
    if not module.private or module.receiver_in is not None:
        return write
    try:
        async with transaction(request) as db:
            receiver = await receivers.find(db, module.kind, write.owner, write.document)
    except RoutingError as error:
        raise Conflict(f"It cannot be passed on: {error}", next_step=ASK_AGAIN) from None
    return replace(write, receiver=receiver)


ASK_AGAIN = "Ask the partner to send the object again."
