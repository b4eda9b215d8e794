"""API keys: what programs show. A key is shown once, when it is made; only its digest is kept."""

from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

from aiohttp import web
from marshmallow import Schema, ValidationError, fields, validate
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.admin.auth import ACTOR, PREFIX, permissions_of, role_permissions, transaction
from hub.admin.errors import BadInput, Conflict
from hub.admin.input import Input
from hub.admin.output import PageQuery, Versioned, find, page, page_of, path_id
from hub.admin.roles import refuse_gift
from hub.admin.routes import BODY, QUERY, Routes
from hub.keys import KEYRING
from hub.models.tenants import ApiKey, Permission, Role, User
from hub.models.values import AuditAction
from hub.security import Keyring, new_token

routes = Routes("API keys")
NAMED = ("API key", "hub key list")


class KeyShown(Versioned):
    name = fields.String()
    hint = fields.String(metadata={"description": "The last characters, to tell keys apart."})
    user_id = fields.UUID(allow_none=True)
    role_id = fields.UUID(allow_none=True)
    permissions = fields.List(fields.String())
    allowed_cidrs = fields.List(fields.String())
    expires_at = fields.AwareDateTime(allow_none=True)
    revoked_at = fields.AwareDateTime(allow_none=True)
    last_used_at = fields.AwareDateTime(allow_none=True)


class KeyMade(KeyShown):
    key = fields.String(metadata={"description": "The key itself. It is not shown again."})


class Network(fields.String):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        try:
            return str(ip_network(super()._deserialize(value, attr, data, **kwargs)))
        except ValueError as error:
            raise ValidationError(f"{error}.") from None


class NewKey(Input):
    name = fields.String(required=True, validate=validate.Length(1, 255))
    role = fields.String(metadata={"allowed": "the name of a role (GET /roles)"})
    permissions = fields.List(
        fields.String(), load_default=list, metadata={"allowed": "names of GET /permissions"}
    )
    user_id = fields.UUID(
        metadata={"description": "Whose key it is: it never does more than that user may."}
    )
    allowed_cidrs = fields.List(
        Network(), load_default=list, metadata={"allowed": "networks such as 10.20.0.0/16"}
    )
    expires_at = fields.AwareDateTime(default_timezone=UTC)


KeyPage: type[Schema] = page_of(KeyShown)


@routes.get("/keys", permission="api_keys.read", query=PageQuery, answer=KeyPage)
async def list_keys(request: web.Request) -> Any:
    """The keys of the tenant, newest first; none of them can be read again."""
    async with transaction(request) as db:
        return await page(db, select(ApiKey), ApiKey, request[QUERY])


@routes.post("/keys", permission="api_keys.create", body=NewKey, answer=KeyMade, status=201)
async def create_key(request: web.Request) -> Any:
    """Make a key. It can do what its role and permissions say, and nothing that you cannot."""
    body = request[BODY].copy()
    if body.get("expires_at") and body["expires_at"] <= datetime.now(UTC):
        raise BadInput("expires_at: Lies in the past.", field="expires_at", allowed="a later time")
    async with transaction(request) as db:
        role = await named_role(db, body.pop("role", None))
        if body.get("user_id"):
            await find(db, User, body["user_id"], "user", "hub user list")
        if not (role or body["permissions"] or body.get("user_id")):
            raise BadInput(
                "The key could do nothing: give it a role, permissions or a user.", field="role"
            )
        await refuse_unknown(db, body["permissions"])
        key, secret = make_key(request.config_dict[KEYRING], role_id=role and role.id, **body)
        refuse_gift(request, await granted(db, key))
        db.add(key)
        await db.flush()
        await db.refresh(key)
        shown = KeyShown().dump(key)
        await audit.record(db, AuditAction.CREATE, "api_key", key.id, after=shown, severity="HIGH")
    return {**{name: getattr(key, name) for name in KeyShown().fields}, "key": secret}


@routes.get("/keys/{id}", permission="api_keys.read", answer=KeyShown)
async def show_key(request: web.Request) -> Any:
    """One key, without the key itself."""
    async with transaction(request) as db:
        return await find(db, ApiKey, path_id(request), *NAMED)


@routes.delete("/keys/{id}", permission="api_keys.delete")
async def revoke_key(request: web.Request) -> Any:
    """Revoke a key: from now on it is refused. It stays in the list."""
    async with transaction(request) as db:
        key = await find(db, ApiKey, path_id(request), *NAMED)
        if key.id == request[ACTOR].key_id:
            raise Conflict(
                "This is the key you are using.", next_step="Revoke it with another key."
            )
        refuse_gift(request, await granted(db, key))
        if key.revoked_at is None:
            before = KeyShown().dump(key)
            key.revoked_at = datetime.now(UTC)
            await db.flush()
            await db.refresh(key)
            await audit.record(
                db,
                AuditAction.UPDATE,
                "api_key",
                key.id,
                before=before,
                after=KeyShown().dump(key),
                severity="HIGH",
            )


def make_key(keyring: Keyring, **values: Any) -> tuple[ApiKey, str]:
    """A row, and the key that opens it: kept by nobody but who asked for it."""
    secret = PREFIX + new_token()
    key = ApiKey(digest=keyring.digest(secret), key_id=keyring.key_id, hint=secret[-4:], **values)
    return key, secret


async def granted(db: AsyncSession, key: ApiKey) -> set[str]:
    """What a key can do; for one of a user also what its own list says, should the user get it."""
    own = set(key.permissions)
    if key.role_id:
        own |= await role_permissions(db, [key.role_id])
    return own | await permissions_of(db, key)


async def named_role(db: AsyncSession, name: str | None) -> Role | None:
    if name is None:
        return None
    role = await db.scalar(select(Role).where(Role.name == name))
    if role is None:
        raise BadInput(
            f"role: There is no role {name!r}.",
            field="role",
            allowed=sorted(await db.scalars(select(Role.name))),
        )
    return role


async def refuse_unknown(db: AsyncSession, permissions: list[str]) -> None:
    known = set(await db.scalars(select(Permission.name)))
    if unknown := sorted(set(permissions) - known):
        raise BadInput(
            f"permissions: There is no permission {unknown[0]!r}.",
            field="permissions",
            allowed=sorted(known),
        )
