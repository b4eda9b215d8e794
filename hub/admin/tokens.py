"""Tokens of the operator's own drivers: who may charge, where, when, and how much.

Partners' tokens are objects that partners push; these are the hub's to decide about. What is not
valid any more is forgotten by the stations that have let it charge before, as far as they are
there to be told.
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.admin.auth import ACTOR, transaction
from hub.admin.errors import Conflict
from hub.admin.input import Input
from hub.admin.output import PageQuery, Versioned, expect_version, find, page, page_of, path_id
from hub.admin.routes import BODY, QUERY, Routes
from hub.admin.token_input import TYPES, NewToken, Restrictions, TokenChange, TokenMetadata
from hub.keys import CACHES
from hub.models.charging import AuthToken, ChargingSession
from hub.models.tenants import User
from hub.models.values import AuditAction
from hub.roaming.stations import caches

routes = Routes("Tokens")
NAMED = ("token", "hub token list")

STATES = ("VALID", "BLOCKED", "EXPIRED")
EXPIRED = AuthToken.expires_at <= func.now()
BLOCKED = or_(AuthToken.is_blocked, ~AuthToken.is_active)
# How the columns are called here: as OCPI calls them.
COLUMNS = {
    "user_id": "user_id",
    "group_id": "parent_id",
    "visual_number": "visual_id",
    "expires_at": "expires_at",
    "active": "is_active",
    "metadata": "token_metadata",
    "restrictions": "restrictions",
}


class TokenQuery(PageQuery):
    uid = fields.String(metadata={"description": "Exactly, but for its case."})
    state = fields.String(validate=validate.OneOf(STATES))
    type = fields.String(validate=validate.OneOf(TYPES))
    group_id = fields.String()
    user_id = fields.UUID()


class DriverTokenShown(Versioned):
    uid = fields.String(attribute="token_value")
    type = fields.String(attribute="token_type", validate=validate.OneOf(TYPES))
    state = fields.String(validate=validate.OneOf(STATES))
    block_reason = fields.String(allow_none=True)
    active = fields.Boolean(attribute="is_active")
    user_id = fields.UUID(allow_none=True)
    group_id = fields.String(attribute="parent_id", allow_none=True)
    visual_number = fields.String(attribute="visual_id", allow_none=True)
    expires_at = fields.AwareDateTime(allow_none=True)
    last_used_at = fields.AwareDateTime(allow_none=True)
    use_count = fields.Integer()
    metadata = fields.Nested(TokenMetadata, attribute="token_metadata", allow_none=True)
    restrictions = fields.Nested(Restrictions, allow_none=True)


class BlockReason(Input):
    reason = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=255))


DriverTokenPage: type[Schema] = page_of(DriverTokenShown)


@routes.get("/tokens", permission="tokens.read", query=TokenQuery, answer=DriverTokenPage)
async def list_tokens(request: web.Request) -> Any:
    """The tokens of the operator's own drivers, newest first."""
    query = request[QUERY]
    found = select(AuthToken)
    conditions: Mapping[str, Any] = {
        "uid": AuthToken.token_key == query.get("uid", "").upper(),
        "type": AuthToken.token_type == query.get("type"),
        "group_id": AuthToken.parent_id == query.get("group_id"),
        "user_id": AuthToken.user_id == query.get("user_id"),
        "state": state_is(query.get("state")),
    }
    for name, condition in conditions.items():
        if name in query:
            found = found.where(condition)
    async with transaction(request) as db:
        answer = await page(db, found, AuthToken, query)
        return answer | {"items": await shown(db, answer["items"])}


def state_is(state: str | None) -> Any:
    match state:
        case "BLOCKED":
            return BLOCKED
        case "EXPIRED":
            return EXPIRED & ~BLOCKED
    return ~BLOCKED & (AuthToken.expires_at.is_(None) | ~EXPIRED)


async def shown(db: AsyncSession, tokens: list[AuthToken]) -> list[AuthToken]:
    """Each with its state, by the database's clock."""
    now = await db.scalar(select(func.now()))
    for token in tokens:
        expired = token.expires_at is not None and now is not None and token.expires_at <= now
        blocked = token.is_blocked or not token.is_active
        token.state = "BLOCKED" if blocked else "EXPIRED" if expired else "VALID"  # type: ignore[attr-defined]
    return tokens


@routes.post(
    "/tokens", permission="tokens.create", body=NewToken, answer=DriverTokenShown, status=201
)
async def add_token(request: web.Request) -> Any:
    """Let a driver of the operator's own charge. It is good at once."""
    body = request[BODY]
    async with transaction(request) as db:
        await refuse_unknown_user(db, body)
        token = AuthToken(token_value=body["uid"], token_type=body["type"], **columns(body))
        db.add(token)
        await db.flush()
        await db.refresh(token)
        [answer] = await shown(db, [token])
        await record(db, AuditAction.CREATE, token, after=dump(answer))
    return answer


@routes.get("/tokens/{id}", permission="tokens.read", answer=DriverTokenShown)
async def show_token(request: web.Request) -> Any:
    """One token, and how often it was used."""
    async with transaction(request) as db:
        [answer] = await shown(db, [await one(db, request)])
    return answer


@routes.patch("/tokens/{id}", permission="tokens.update", body=TokenChange, answer=DriverTokenShown)
async def change_token(request: web.Request) -> Any:
    """Change what is given; stations forget what they remembered of it."""
    body = request[BODY]
    async with transaction(request) as db:
        await refuse_unknown_user(db, body)
        token = await one(db, request, lock=True)
        expect_version(request, token)
        answer = await changed(db, token, columns(body))
    forget(request)
    return answer


@routes.post(
    "/tokens/{id}/block", permission="tokens.update", body=BlockReason, answer=DriverTokenShown
)
async def block_token(request: web.Request) -> Any:
    """Let a token charge no more. What it is charging now goes on until it is stopped."""
    values = {"is_blocked": True, "block_reason": request[BODY]["reason"]}
    async with transaction(request) as db:
        answer = await changed(db, await one(db, request, lock=True), values)
    forget(request)
    return answer


@routes.post("/tokens/{id}/unblock", permission="tokens.update", answer=DriverTokenShown)
async def unblock_token(request: web.Request) -> Any:
    """Let a blocked token charge again."""
    values = {"is_blocked": False, "block_reason": None}
    async with transaction(request) as db:
        answer = await changed(db, await one(db, request, lock=True), values)
    forget(request)
    return answer


@routes.delete("/tokens/{id}", permission="tokens.delete")
async def remove_token(request: web.Request) -> Any:
    """Forget a token that was never used; one with sessions is blocked instead."""
    async with transaction(request) as db:
        token = await one(db, request, lock=True)
        expect_version(request, token)
        used = select(ChargingSession.id).where(ChargingSession.auth_token_id == token.id).limit(1)
        if await db.scalar(used) is not None:
            raise Conflict(
                "It has sessions in its history.", next_step=f"hub token block {token.id}"
            )
        [before] = await shown(db, [token])
        await record(db, AuditAction.DELETE, token, before=dump(before))
        await db.delete(token)
        await caches.own_token_changed(db)
    forget(request)


async def one(db: AsyncSession, request: web.Request, *, lock: bool = False) -> AuthToken:
    token = await find(db, AuthToken, path_id(request), *NAMED)
    if lock:
        await db.refresh(token, with_for_update=True)
    return token


async def changed(db: AsyncSession, token: AuthToken, values: dict[str, Any]) -> AuthToken:
    [before] = [dump(found) for found in await shown(db, [token])]
    for name, value in values.items():
        setattr(token, name, value)
    await db.flush()
    await db.refresh(token)
    [answer] = await shown(db, [token])
    await record(db, AuditAction.UPDATE, token, before=before, after=dump(answer))
    await caches.own_token_changed(db)
    return answer


def columns(body: Mapping[str, Any]) -> dict[str, Any]:
    return {column: body[name] for name, column in COLUMNS.items() if name in body}


async def refuse_unknown_user(db: AsyncSession, body: Mapping[str, Any]) -> None:
    if body.get("user_id") is not None:
        await find(db, User, body["user_id"], "user", "hub user list")


def dump(token: AuthToken) -> dict[str, Any]:
    found: dict[str, Any] = DriverTokenShown().dump(token)
    return found


async def record(db: AsyncSession, action: AuditAction, token: AuthToken, **more: Any) -> None:
    await audit.record(db, action, "auth_token", token.id, **more)


def forget(request: web.Request) -> None:
    """What stations remember of tokens is out of date."""
    request.config_dict[CACHES].tokens_changed(request[ACTOR].tenant_id)
