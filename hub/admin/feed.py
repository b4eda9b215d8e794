"""How the deliveries to each partner are going, module by module."""

from typing import Any
from uuid import UUID

from aiohttp import web
from marshmallow import Schema, ValidationError, fields, validate, validates_schema
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.admin.auth import ACTOR, transaction
from hub.admin.errors import Conflict
from hub.admin.input import Input
from hub.admin.output import find, path_id
from hub.admin.routes import BODY, QUERY, Routes
from hub.keys import CLIENT, DATABASE, DIRECTORY, SENDER
from hub.models.feed import Cursor, Setback
from hub.models.partners import Partner
from hub.models.values import AuditAction, ConnectionStatus
from hub.ocpi import presence
from hub.roaming import jumps
from hub.roaming.cursors import RECORDS
from hub.roaming.feed.backlog import Backlog, backlogs
from hub.roaming.feed.changes import Source
from hub.roaming.feed.sources import SOURCES
from hub.roaming.network import partners
from hub.roaming.network.partners import Connection

routes = Routes("Feed")

STATES = ("UP_TO_DATE", "BEHIND", "BACKING_OFF", "HELD", "OFFLINE", "NOT_TAKEN")

# A partner is OFFLINE until it answers, or calls.
ASKED = "It does not answer; every half minute it is asked whether it is there."


class FeedQuery(Input):
    partner_id = fields.UUID()


class Standing(Schema):
    partner_id = fields.UUID()
    partner = fields.String()
    module = fields.String()
    state = fields.String(validate=validate.OneOf(STATES))
    behind = fields.Integer(
        metadata={"description": "Objects that concern it and that it has not been told of."}
    )
    behind_since = fields.AwareDateTime(allow_none=True)
    delivered = fields.Integer(metadata={"description": "Requests it has answered well, ever."})
    delivered_at = fields.AwareDateTime(allow_none=True)
    setbacks = fields.Integer(metadata={"description": "Objects it refused and has not yet taken."})
    failures = fields.Integer()
    next_attempt_at = fields.AwareDateTime(allow_none=True)
    reason = fields.String(allow_none=True)


class FeedStatus(Schema):
    items = fields.List(fields.Nested(Standing))


class Retry(Input):
    restart = fields.Boolean(
        load_default=False, metadata={"description": "It may have lost what it had."}
    )
    module = fields.String(
        validate=validate.OneOf([name for name in SOURCES if name not in RECORDS]),
        metadata={"description": "With `restart`, only this one is told again."},
    )

    @validates_schema
    def refuse_module_alone(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("module") and not data.get("restart"):
            raise ValidationError("Only with restart: everything else is tried anyway.", "module")


@routes.get("/feed", permission="feed.read", query=FeedQuery, answer=FeedStatus)
async def feed_status(request: web.Request) -> Any:
    """One row for each partner and module: how far it is, and what stands in the way."""
    return {"items": await standings(request, request[QUERY].get("partner_id"))}


async def standings(request: web.Request, wanted: UUID | None) -> list[dict[str, Any]]:
    audience = await request.config_dict[DIRECTORY].audience(request[ACTOR].tenant_id)
    async with transaction(request) as db:
        cursors = {(row.partner_id, row.module): row for row in await db.scalars(select(Cursor))}
        lacking = {(one.partner_id, one.source): one for one in await backlogs(db, audience)}
        setbacks = await open_setbacks(db)
    found = []
    for connection in audience.connections:
        if not connection.registered or wanted not in {None, connection.id}:
            continue
        for source in SOURCES.values():
            key = (connection.id, source.name)
            shown = standing(connection, source, cursors.get(key), lacking.get(key))
            found.append(shown | {"setbacks": setbacks.get(key, 0)})
    return found


def standing(
    connection: Connection, source: Source, cursor: Cursor | None, backlog: Backlog | None
) -> dict[str, Any]:
    behind = backlog.objects if backlog else 0
    shown: dict[str, Any] = {
        "partner_id": connection.id,
        "partner": connection.name,
        "module": source.name,
        "state": "BEHIND" if behind else "UP_TO_DATE",
        "behind": behind,
        "behind_since": backlog.since if backlog else None,
        "delivered": cursor.delivered if cursor else 0,
        "delivered_at": cursor.delivered_at if cursor else None,
        "failures": cursor.failures if cursor else 0,
        "reason": None,
    }
    if not source.reaches(connection):
        return shown | {"state": "NOT_TAKEN", "reason": "It has no receiver for this module."}
    offline = connection.connection_status == ConnectionStatus.OFFLINE
    if offline and behind and not (cursor and cursor.held_reason):
        why = f" ({cursor.last_error})" if cursor and cursor.last_error else ""
        return shown | {"state": "OFFLINE", "reason": f"{ASKED}{why}"}
    if cursor is None or not (cursor.held_reason or cursor.failures):
        return shown
    return shown | {
        "state": "HELD" if cursor.held_reason else "BACKING_OFF",
        "reason": cursor.held_reason or cursor.last_error,
        "next_attempt_at": cursor.next_attempt_at,
    }


async def open_setbacks(db: AsyncSession) -> dict[tuple[Any, str], int]:
    rows = await db.execute(
        select(Setback.partner_id, Setback.module, func.count())
        .where(Setback.settled_at.is_(None))
        .group_by(Setback.partner_id, Setback.module)
    )
    return {(partner_id, module): count for partner_id, module, count in rows}


@routes.post("/feed/{id}/retry", permission="feed.execute", body=Retry, answer=FeedStatus)
async def retry(request: web.Request) -> Any:
    """Try a partner again now, whatever it waits for; with `restart` it gets all states again, or
    those of one module.

    CDRs and whatever else it has answered for good are not repeated. Who is OFFLINE is asked first
    whether it is there.
    """
    partner_id, tenant_id = path_id(request), request[ACTOR].tenant_id
    async with transaction(request) as db:
        partner = await find(db, Partner, partner_id, "partner", "hub partner list")
        if partner.token_to_send is None:
            raise Conflict(f"{partner.name} is not registered: there is nothing to send.")
        restart, module = request[BODY]["restart"], request[BODY].get("module")
        await jumps.mended(db, partner_id)
        if restart:
            await jumps.restart(db, partner_id, live_only=False, source=module)
        await audit.record(
            db,
            AuditAction.COMMAND_SENT,
            "ocpi_partner",
            partner_id,
            description=f"Told {module or 'everything'} again" if restart else "Tried again",
        )
        connection = await partners.connection(db, partner_id)
    if connection and connection.connection_status == ConnectionStatus.OFFLINE:
        await presence.check(request.config_dict[DATABASE], request.config_dict[CLIENT], connection)
        request.config_dict[DIRECTORY].forget(tenant_id)
    request.config_dict[SENDER].wake(tenant_id)
    return {"items": await standings(request, partner_id)}
