"""Who calls the admin API, for which tenant, and what they may do.

A caller shows an API key: ``Authorization: Bearer hubk_…``. What the key may do is read with every
request, so that taking a permission away works at once. A key of a user never does more than the
user may; a key of its own does what its role and its list of permissions say.

The tenant is that of the key. Only who holds ``system.execute`` may act in another one, and who
holds ``system.read`` may look: they name it in the header ``Hub-Tenant``.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from sqlalchemy import func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.admin.errors import Missing, NotAllowed, NotAuthenticated
from hub.db import Caller
from hub.keys import DATABASE, KEYRING
from hub.models.tenants import ApiKey, Permission, RolePermission, Tenant, User, UserRole
from hub.models.values import AuditAction, TenantStatus, UserStatus

log = structlog.get_logger()

PREFIX = "hubk_"
TENANT_HEADER = "Hub-Tenant"
READING = {"GET", "HEAD"}


@dataclass(frozen=True)
class Actor:
    """Who acts. ``id`` is the user, or the key where it is nobody's; it stands in the audit log."""

    id: UUID
    key_id: UUID
    key_name: str
    home: UUID
    tenant_id: UUID
    permissions: frozenset[str]


ACTOR: web.RequestKey[Actor] = web.RequestKey("actor", Actor)


def transaction(
    request: web.Request, tenant_id: UUID | None = None
) -> AbstractAsyncContextManager[AsyncSession]:
    """A transaction in the caller's name, of the tenant the caller acts in unless another is said.

    The address is the one that the hub sees: behind a proxy, the proxy's.
    """
    actor = request[ACTOR]
    return request.config_dict[DATABASE].transaction(
        tenant_id or actor.tenant_id,
        actor_id=actor.id,
        caller=Caller(actor.key_id, request.remote, request.headers.get("User-Agent")),
    )


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nobody gets past here unknown, not even to learn that a path does not exist."""
    actor = await identify(request)
    request[ACTOR] = actor
    with structlog.contextvars.bound_contextvars(tenant=str(actor.tenant_id), actor=str(actor.id)):
        return await handler(request)


async def identify(request: web.Request) -> Actor:
    token = bearer(request)
    database = request.config_dict[DATABASE]
    digests = request.config_dict[KEYRING].digests(token)
    async with database.platform() as db:
        found = select(ApiKey, Tenant.id, Tenant.status, User.status).where(
            ApiKey.digest.in_(digests)
        )
        found = found.join(Tenant, Tenant.id == ApiKey.tenant_id).outerjoin(
            User, (User.tenant_id == ApiKey.tenant_id) & (User.id == ApiKey.user_id)
        )
        row = (await db.execute(found)).first()
    if row is None:
        raise refused("The API key is not known.")
    key: ApiKey = row[0]
    home, tenant_status, user_status = row[1:]
    check_key(key, request.remote)
    if key.user_id is not None and user_status != UserStatus.ACTIVE:
        raise refused("The user of this API key is not active.")
    if tenant_status != TenantStatus.ACTIVE:
        raise refused("The tenant of this API key is not active.")
    async with database.transaction(home, actor_id=key.id) as db:
        permissions = await permissions_of(db, key)
        await mark_used(db, key, digests[0])
    tenant_id = await acting_tenant(request, home, permissions)
    return Actor(key.user_id or key.id, key.id, key.name, home, tenant_id, frozenset(permissions))


def bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token.startswith(PREFIX) or len(token) > 100:  # noqa: PLR2004
        raise refused("Send an API key: Authorization: Bearer hubk_…")
    return token


def refused(message: str) -> NotAuthenticated:
    return NotAuthenticated(
        message, next_step="Use the key from admin.key in the hub's data directory, or ask for one."
    )


def check_key(key: ApiKey, remote: str | None) -> None:
    if key.revoked_at is not None:
        raise refused("The API key was revoked.")
    if key.expires_at is not None and key.expires_at <= datetime.now(UTC):
        raise refused("The API key has expired.")
    if not key.allowed_cidrs:
        return
    address = ip_address(remote) if remote else None
    if address is None or not any(address in ip_network(cidr) for cidr in key.allowed_cidrs):
        raise refused("The API key may not be used from this address.")


async def permissions_of(db: AsyncSession, key: ApiKey) -> set[str]:
    """What the key may do now."""
    own = set(key.permissions)
    if key.role_id is not None:
        own |= await role_permissions(db, [key.role_id])
    if key.user_id is None:
        return own
    users = await user_permissions(db, key.user_id)
    # A key of a user that names nothing is the user's own.
    return own & users if own else users


async def user_permissions(db: AsyncSession, user_id: UUID) -> set[str]:
    roles = await db.scalars(select(UserRole.role_id).where(UserRole.user_id == user_id))
    return await role_permissions(db, list(roles))


async def role_permissions(db: AsyncSession, role_ids: list[UUID]) -> set[str]:
    names = await db.scalars(
        select(Permission.name)
        .join(RolePermission, RolePermission.permission_id == Permission.id)
        .where(RolePermission.role_id.in_(role_ids))
    )
    return set(names)


async def mark_used(db: AsyncSession, key: ApiKey, digest: bytes) -> None:
    """When the key was last used, to the minute: not a write with every request.

    ``digest`` is that of the first secret key, so that the others can be taken out one day.
    """
    await db.execute(
        update(ApiKey)
        .where(
            ApiKey.id == key.id,
            or_(
                ApiKey.last_used_at.is_(None),
                ApiKey.last_used_at < func.now() - text("interval '1 minute'"),
                ApiKey.digest.is_distinct_from(digest),
            ),
        )
        .values(
            digest=digest,
            last_used_at=func.now(),
            # Being used is no change of the key.
            updated_at=ApiKey.updated_at,
            last_modified_by=ApiKey.last_modified_by,
        )
    )


async def acting_tenant(request: web.Request, home: UUID, permissions: set[str]) -> UUID:
    """The tenant named in the header, for those who may; else that of the key."""
    named = request.headers.get(TENANT_HEADER, "").strip()
    if not named:
        return home
    async with request.config_dict[DATABASE].platform() as db:
        found = await db.scalar(select(Tenant.id).where(names_tenant(named)))
    if found == home:
        return home
    wanted = {"system.execute"} | ({"system.read"} if request.method in READING else set())
    if not wanted & permissions:
        raise NotAllowed(
            f"This key may not act in another tenant: it lacks {' and '.join(sorted(wanted))}.",
            field=TENANT_HEADER,
        )
    if found is None:
        raise Missing(
            f"There is no tenant {named[:100]}.", field=TENANT_HEADER, next_step="hub tenant list"
        )
    return found


def names_tenant(name: str) -> Any:
    """A tenant by its id or its domain."""
    try:
        return Tenant.id == UUID(name)
    except ValueError:
        return Tenant.domain == name.lower()


async def check_permission(request: web.Request, permission: str) -> None:
    """Refuse who lacks it, and leave a trace of the attempt."""
    actor = request[ACTOR]
    if not permission or permission in actor.permissions:
        return
    async with transaction(request) as db:
        await audit.record(
            db,
            AuditAction.AUTHORIZATION_FAILED,
            "api_key",
            actor.key_id,
            description=f"{request.method} {request.path} needs {permission}",
            severity="MEDIUM",
        )
    raise NotAllowed(
        f"This needs the permission {permission}, which the key {actor.key_name!r} does not have.",
        allowed=sorted(actor.permissions),
        next_step=f"Ask an administrator to give your role {permission}.",
    )
