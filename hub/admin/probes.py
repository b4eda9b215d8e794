"""Probing a partner: what it serves, how it wants to be spoken to, and where it deviates."""

from typing import Any
from uuid import UUID

from aiohttp import web
from marshmallow import Schema, fields
from sqlalchemy import select

from hub import audit
from hub.admin.auth import ACTOR, transaction
from hub.admin.errors import Conflict
from hub.admin.input import Input
from hub.admin.output import find, path_id
from hub.admin.routes import BODY, Routes
from hub.keys import DIRECTORY, PROBER
from hub.models.partners import Partner
from hub.models.values import AuditAction

routes = Routes("Probes")
NAMED = ("partner", "hub partner list")


class FindingShown(Schema):
    """A rule of OCPI that the partner breaks."""

    requirements = fields.List(fields.String())
    weight = fields.String(metadata={"description": "must, or should."})
    expected = fields.String()
    request = fields.String(allow_none=True)
    got = fields.String()
    mend = fields.String(metadata={"description": "What the partner can do about it."})
    times = fields.Integer()


class Supports(Schema):
    versions = fields.List(fields.String())
    modules = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "By module, the interfaces it serves."},
    )
    token_form = fields.String()
    lists = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "By module, how many objects it says it lists."},
    )
    page_limit = fields.Integer(allow_none=True)


class Profile(Schema):
    at = fields.String()
    whole = fields.Boolean(
        metadata={"description": "Whether all reading checks were made, or only a few."}
    )
    version = fields.String(allow_none=True)
    error = fields.String(allow_none=True, metadata={"description": "Why it ended early."})
    supports = fields.Nested(Supports, allow_none=True)
    quirks = fields.Dict(
        keys=fields.String(), metadata={"description": "What it wants said differently."}
    )
    used = fields.Dict(
        keys=fields.String(),
        metadata={"description": "How it is spoken to: what was found, unless it is configured."},
    )
    findings = fields.List(fields.Nested(FindingShown))
    passed = fields.Integer()
    not_checked = fields.Integer()


class ProbeWanted(Input):
    whole = fields.Boolean(
        load_default=True,
        metadata={
            "description": "All reading checks, some of which are wrong on purpose, such as a"
            " token that nobody knows; else only what is asked of every new partner."
        },
    )


@routes.get("/partners/{id}/profile", permission="partners.read", answer=Profile)
async def show_profile(request: web.Request) -> Any:
    """What the last probe found."""
    partner_id = path_id(request)
    async with transaction(request) as db:
        partner = await find(db, Partner, partner_id, *NAMED)
        profile = await db.scalar(select(Partner.profile).where(Partner.id == partner_id))
    if profile is None:
        raise Conflict(
            f"{partner.name} has not been probed.", next_step=f"hub partner probe {partner_id}"
        )
    return await shown(request, partner_id, profile)


@routes.post(
    "/partners/{id}/probe", permission="partners.execute", body=ProbeWanted, answer=Profile
)
async def probe(request: web.Request) -> Any:
    """Find out what the partner serves, how it wants to be spoken to, and where it deviates.

    Reads only. Takes a few seconds, at most a hundred seconds.
    """
    partner_id = path_id(request)
    async with transaction(request) as db:
        partner = await find(db, Partner, partner_id, *NAMED)
        await audit.record(
            db, AuditAction.COMMAND_SENT, "ocpi_partner", partner_id, description="Probed"
        )
    connections = await request.config_dict[DIRECTORY].connections(request[ACTOR].tenant_id)
    connection = next((one for one in connections if one.id == partner_id), None)
    if connection is None or not connection.registered or connection.shut_out:
        raise Conflict(
            f"{partner.name} cannot be probed: it is {partner.status}.",
            next_step=f"hub partner show {partner_id}",
        )
    profile = await request.config_dict[PROBER].probe(connection, whole=request[BODY]["whole"])
    return await shown(request, partner_id, profile)


async def shown(request: web.Request, partner_id: UUID, profile: dict[str, Any]) -> dict[str, Any]:
    connections = await request.config_dict[DIRECTORY].connections(request[ACTOR].tenant_id)
    used = next((vars(one.quirks) for one in connections if one.id == partner_id), {})
    nothing: dict[str, Any] = {"quirks": {}, "findings": [], "passed": 0, "not_checked": 0}
    return nothing | profile | {"used": used}
