"""Setbacks: objects that a partner would not take. The deliveries went on without them."""

from typing import Any

from aiohttp import web
from marshmallow import Schema, fields, validate

from hub import audit
from hub.admin.auth import ACTOR, transaction
from hub.admin.errors import Conflict
from hub.admin.output import Shown, find, page, page_of, path_id
from hub.admin.refusals import RefusalQuery, matching
from hub.admin.routes import QUERY, Routes
from hub.keys import SENDER
from hub.models.feed import Setback
from hub.models.values import AuditAction
from hub.roaming.feed import setbacks
from hub.roaming.feed.sources import SOURCES

routes = Routes("Setbacks")
NAMED = ("setback", "hub setback list")


class SetbackQuery(RefusalQuery):
    module = fields.String(validate=validate.OneOf(list(SOURCES)))


class SetbackShown(Shown):
    partner_id = fields.UUID()
    party = fields.String(metadata={"description": "The party that would not take it."})
    module = fields.String()
    object_ref = fields.String()
    http_status = fields.Integer(allow_none=True)
    status_code = fields.Integer(allow_none=True)
    reason = fields.String()
    attempts = fields.Integer()
    next_attempt_at = fields.AwareDateTime(allow_none=True)
    settled_at = fields.AwareDateTime(allow_none=True)


SetbackPage: type[Schema] = page_of(SetbackShown)


@routes.get("/setbacks", permission="feed.read", query=SetbackQuery, answer=SetbackPage)
async def list_setbacks(request: web.Request) -> Any:
    """Objects that were refused and not taken since, newest first."""
    query = request[QUERY]
    async with transaction(request) as db:
        return await page(db, matching(Setback, query), Setback, query)


@routes.get("/setbacks/{id}", permission="feed.read", answer=SetbackShown)
async def show_setback(request: web.Request) -> Any:
    """One setback."""
    async with transaction(request) as db:
        return await find(db, Setback, path_id(request), *NAMED)


@routes.post("/setbacks/{id}/replay", permission="feed.execute", answer=SetbackShown)
async def replay_setback(request: web.Request) -> Any:
    """Send the object once more, as it is now. Safe to repeat."""
    async with transaction(request) as db:
        setback = await find(db, Setback, path_id(request), *NAMED)
        if setback.settled_at is not None:
            raise Conflict("It is settled: the partner has taken the object since.")
        await setbacks.replay(db, setback.id)
        await db.refresh(setback)
        await audit.record(
            db,
            AuditAction.COMMAND_SENT,
            "setback",
            setback.id,
            description=f"Replay of {setback.module} {setback.object_ref} to {setback.party}",
        )
    request.config_dict[SENDER].wake(request[ACTOR].tenant_id, setback.module)
    return setback
