"""Pulls from a partner: how fresh its data is, asking for one, watching it, stopping it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.admin.auth import ACTOR, transaction
from hub.admin.errors import BadInput, Conflict
from hub.admin.input import Input
from hub.admin.output import PageQuery, find, page, page_of, path_id
from hub.admin.routes import BODY, QUERY, Routes
from hub.keys import DIRECTORY, PULLER
from hub.models.partners import Partner
from hub.models.routing import Absence, SyncState
from hub.models.values import AuditAction
from hub.roaming.modules import MODULES
from hub.roaming.network.partners import Connection
from hub.roaming.pulls import freshness, sync_states
from hub.roaming.pulls.sync_terms import MODES, OVERLAP, PULLED, Terms, pullable, pushes, reachable

routes = Routes("Pulls")
NAMED = ("partner", "hub partner list")

STATES = ("FRESH", "STALE", "RUNNING", "WAITING", "BACKING_OFF", "NEVER", "NOT_OFFERED")


class RunShown(Schema):
    """A pull under way, or the last one that ended."""

    kind = fields.String(metadata={"description": "full, or delta: what changed since."})
    reason = fields.String(
        metadata={"description": "new, interval, full, gap, missed, or asked for."}
    )
    since = fields.String(allow_none=True)
    started_at = fields.String(allow_none=True)
    outcome = fields.String(allow_none=True)
    complete = fields.Boolean(
        metadata={"description": "Whether the list was seen whole, so that what is absent is gone."}
    )
    remarks = fields.List(
        fields.String(), metadata={"description": "What was odd about the paging."}
    )
    counts = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "Pages and objects, and what became of them."},
    )
    party = fields.String(allow_none=True)
    total = fields.Integer(allow_none=True, metadata={"description": "As the partner says."})


class SyncShown(Schema):
    module = fields.String()
    state = fields.String(validate=validate.OneOf(STATES))
    stale = fields.Boolean()
    reason = fields.String(allow_none=True, metadata={"description": "Why it is stale."})
    error = fields.String(allow_none=True, metadata={"description": "Why the last pull broke off."})
    mode = fields.String(validate=validate.OneOf(MODES))
    pushes = fields.Boolean(metadata={"description": "It has pushed within the last week."})
    asked = fields.Boolean(metadata={"description": "Somebody wants a pull that has not begun."})
    current_until = fields.AwareDateTime(
        allow_none=True, metadata={"description": "Up to when nothing can have been missed."}
    )
    arrived_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When something new came last."}
    )
    pushed_at = fields.AwareDateTime(allow_none=True)
    full_at = fields.AwareDateTime(allow_none=True)
    delta_at = fields.AwareDateTime(allow_none=True)
    failures = fields.Integer()
    next_attempt_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "Until then a pull that broke off waits."}
    )
    run = fields.Nested(RunShown, allow_none=True)
    result = fields.Nested(RunShown, allow_none=True)


class SyncStatus(Schema):
    items = fields.List(fields.Nested(SyncShown))


class AbsenceShown(Schema):
    id = fields.UUID()
    module = fields.String()
    object_ref = fields.String()
    missed = fields.Integer(metadata={"description": "Pulls of everything that did not find it."})
    first_missed_at = fields.AwareDateTime()
    missed_at = fields.AwareDateTime()
    withdrawn_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "Since then the others are told that it is gone."}
    )
    note = fields.String(allow_none=True, metadata={"description": "Why it was not withdrawn."})


AbsencePage: type[Schema] = page_of(AbsenceShown)


class PullModules(Input):
    modules = fields.List(
        fields.String(validate=validate.OneOf(PULLED)),
        validate=validate.Length(min=1),
        metadata={"description": "Left out: all that the partner offers."},
    )


class PullWanted(PullModules):
    full = fields.Boolean(load_default=False)
    since = fields.AwareDateTime(
        metadata={"description": "What changed since then. Left out: since the last pull."}
    )


@routes.get("/partners/{id}/sync", permission="partners.read", answer=SyncStatus)
async def show_sync(request: web.Request) -> Any:
    """One row for each module: how fresh its data is, and how the pulls are going."""
    return await status(request, path_id(request))


@routes.get(
    "/partners/{id}/absences", permission="partners.read", query=PageQuery, answer=AbsencePage
)
async def list_absences(request: web.Request) -> Any:
    """Objects that are in the partner's lists no longer, newest first."""
    partner_id = path_id(request)
    found = select(Absence).where(Absence.partner_id == partner_id)
    async with transaction(request) as db:
        await find(db, Partner, partner_id, *NAMED)
        return await page(db, found, Absence, request[QUERY])


@routes.post(
    "/partners/{id}/sync", permission="partners.execute", body=PullWanted, answer=SyncStatus
)
async def ask_for_sync(request: web.Request) -> Any:
    """Pull modules of a partner now, whatever is configured. Watch it with GET.

    Modules are pulled one after the other. A pull that is under way ends first.
    """
    partner_id, body = path_id(request), request[BODY]
    if body["full"] and "since" in body:
        raise BadInput("since: Everything is pulled: leave it out.", field="since")
    connection = await known(request, partner_id)
    modules = chosen(connection, body.get("modules"))
    async with transaction(request) as db:
        _, states = await sync_states.states(db, partner_id)
        present = {state.module: state for state in states}
        for module in modules:
            await ask_for(db, partner_id, module, present.get(module), body)
        what = "everything" if body["full"] else "changes"
        await audit.record(
            db,
            AuditAction.COMMAND_SENT,
            "ocpi_partner",
            partner_id,
            description=f"Asked for a pull of {what}: {', '.join(modules)}",
        )
    await request.config_dict[PULLER].look(request[ACTOR].tenant_id)
    return await status(request, partner_id)


async def ask_for(
    db: AsyncSession, partner_id: UUID, module: str, state: SyncState | None, body: dict[str, Any]
) -> None:
    """Everything, or what changed since; a pull that is under way will bring what is new."""
    since = body.get("since")
    if since is None and not body["full"] and state is not None:
        if state.started_at is not None:
            await sync_states.hurry(db, state.id)
            return
        last = state.delta_at or state.full_at
        since = last and last - OVERLAP
    await sync_states.ask(db, partner_id, [module], since=since)


@routes.post(
    "/partners/{id}/sync/cancel", permission="partners.execute", body=PullModules, answer=SyncStatus
)
async def cancel_sync(request: web.Request) -> Any:
    """Stop pulls that are under way or asked for. What was kept is kept."""
    partner_id = path_id(request)
    async with transaction(request) as db:
        await find(db, Partner, partner_id, *NAMED)
        modules = request[BODY].get("modules") or PULLED
        await sync_states.cancel(db, partner_id, modules)
        await audit.record(
            db,
            AuditAction.COMMAND_SENT,
            "ocpi_partner",
            partner_id,
            description=f"Cancelled pulls: {', '.join(modules)}",
        )
    return await status(request, partner_id)


async def known(request: web.Request, partner_id: UUID) -> Connection:
    async with transaction(request) as db:
        partner = await find(db, Partner, partner_id, *NAMED)
    connections = await request.config_dict[DIRECTORY].connections(request[ACTOR].tenant_id)
    connection = next((one for one in connections if one.id == partner_id), None)
    if connection is None or not reachable(connection):
        raise Conflict(
            f"{partner.name} cannot be asked now: it is {partner.status}, its connection"
            f" {partner.connection_status}.",
            next_step=f"hub partner show {partner_id}",
        )
    return connection


def chosen(connection: Connection, wanted: Sequence[str] | None) -> list[str]:
    offered = [module.name for module in pullable(connection)]
    if missing := [name for name in wanted or () if name not in offered]:
        raise Conflict(
            f"{connection.name} has no list of {', '.join(missing)}, or no party that owns any.",
            allowed=offered,
        )
    if not offered:
        raise Conflict(f"{connection.name} serves no list that could be pulled.")
    return [name for name in offered if wanted is None or name in wanted]


async def status(request: web.Request, partner_id: UUID) -> dict[str, Any]:
    connections = await request.config_dict[DIRECTORY].connections(request[ACTOR].tenant_id)
    async with transaction(request) as db:
        await find(db, Partner, partner_id, *NAMED)
        now, states = await sync_states.states(db, partner_id)
    connection = next((one for one in connections if one.id == partner_id), None)
    if connection is None:
        return {"items": []}
    rows = {state.module: state for state in states}
    offered = {module.name for module in pullable(connection)}
    names = [name for name in MODULES if name in rows or name in offered]
    return {
        "items": [
            shown(connection, name, rows.get(name), now, offered=name in offered) for name in names
        ]
    }


def shown(
    connection: Connection, name: str, state: SyncState | None, now: datetime, *, offered: bool
) -> dict[str, Any]:
    terms = Terms.of(connection, MODULES[name])
    if state is None:
        state = SyncState(module=name, failures=0, arrivals=0, wanted_full=False, created_at=now)
    found = freshness.judge(state, connection, now)
    asked = state.wanted_full or state.wanted_from is not None
    return {
        "module": name,
        "state": state_of(state, terms, now, stale=found.reason is not None, offered=offered),
        "stale": found.reason is not None,
        "reason": found.reason,
        "error": state.last_error,
        "mode": terms.mode,
        "pushes": pushes(state, now),
        "asked": asked,
        "current_until": freshness.newest(state.covered_at, state.delta_at, state.full_at),
        "next_attempt_at": state.next_attempt_at if waits(state, now) else None,
        "run": run_of(state),
        "result": state.result,
    } | {
        field: getattr(state, field)
        for field in ("arrived_at", "pushed_at", "full_at", "delta_at", "failures")
    }


def waits(state: SyncState, now: datetime) -> bool:
    return state.next_attempt_at is not None and state.next_attempt_at > now


def state_of(state: SyncState, terms: Terms, now: datetime, *, stale: bool, offered: bool) -> str:
    if state.leased_until is not None and state.leased_until > now:
        return "RUNNING"
    if stale:
        return "STALE"
    if state.started_at is not None:
        return "BACKING_OFF" if waits(state, now) else "WAITING"
    if state.pushed_at is not None or state.full_at is not None:
        return "FRESH"
    if not offered:
        return "NOT_OFFERED"
    return "NEVER" if terms.mode == "never" else "WAITING"


def run_of(state: SyncState) -> dict[str, Any] | None:
    if state.started_at is None:
        return None
    told = state.progress
    crawl = told.get("crawl") or {}
    return told | {
        "started_at": state.started_at.astimezone(UTC).isoformat(),
        "complete": crawl.get("complete", True),
        "remarks": crawl.get("remarks", []),
        "total": crawl.get("total"),
        "counts": told.get("counts", {}),
        "outcome": None,
    }
