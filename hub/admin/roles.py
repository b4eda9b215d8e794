"""Roles, and the catalogue of what may be permitted."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from hub import audit
from hub.admin.auth import ACTOR, transaction
from hub.admin.errors import BadInput, Conflict, NotAllowed
from hub.admin.input import Input
from hub.admin.lockout import nobody_locked_out
from hub.admin.output import (
    PageQuery,
    Versioned,
    expect_version,
    find,
    page,
    page_of,
    path_id,
)
from hub.admin.routes import BODY, QUERY, Routes
from hub.models.tenants import Permission, Role, RolePermission
from hub.models.values import AuditAction, PermissionScope, RoleType

routes = Routes("Roles")
NAMED = ("role", "hub role list")

ADMINISTRATOR = "Administrator"
OPERATED = (
    *("partners", "agreements", "objects", "feed", "quarantine", "commands", "stations"),
    "cdrs",
)


class PermissionShown(Schema):
    name = fields.String()
    description = fields.String()
    scope = fields.String(validate=validate.OneOf(list(PermissionScope)))


class PermissionList(Schema):
    items = fields.List(fields.Nested(PermissionShown))


class RoleShown(Versioned):
    name = fields.String()
    description = fields.String(allow_none=True)
    role_type = fields.String(validate=validate.OneOf(list(RoleType)))
    permissions = fields.List(fields.String())


class RoleChange(Input):
    name = fields.String(validate=validate.Length(1, 100))
    description = fields.String(allow_none=True, validate=validate.Length(max=500))
    permissions = fields.List(fields.String(), metadata={"allowed": "names of GET /permissions"})


class NewRole(RoleChange):
    name = fields.String(required=True, validate=validate.Length(1, 100))
    permissions = fields.List(
        fields.String(), required=True, metadata={"allowed": "names of GET /permissions"}
    )


RolePage: type[Schema] = page_of(RoleShown)


async def seed_roles(db: AsyncSession, *, everything: bool = False) -> dict[str, UUID]:
    """The system roles of a new tenant, by name.

    ``everything`` is for the first tenant of a hub: its administrators also run the hub as a whole.
    """
    rows = await db.execute(select(Permission.name, Permission.scope))
    catalogue = [name for name, scope in rows if everything or scope != PermissionScope.GLOBAL]
    wanted = {
        ADMINISTRATOR: ("May do everything.", catalogue),
        "Operator": (
            "Runs the network: partners, agreements, deliveries, stations.",
            [
                name
                for name in catalogue
                if name.split(".")[0] in OPERATED or name.endswith(".read")
            ],
        ),
        "Viewer": ("Sees everything, changes nothing.", [n for n in catalogue if reads(n)]),
    }
    ids = {}
    for name, (description, permissions) in wanted.items():
        role = Role(name=name, description=description, role_type=RoleType.SYSTEM)
        db.add(role)
        await db.flush()
        await set_permissions(db, role.id, permissions)
        ids[name] = role.id
    return ids


def reads(permission: str) -> bool:
    return permission.endswith(".read")


@routes.get("/permissions", permission="roles.read", answer=PermissionList)
async def list_permissions(request: web.Request) -> Any:
    """The catalogue: everything a role or an API key may be given."""
    async with transaction(request) as db:
        return {"items": list(await db.scalars(select(Permission).order_by(Permission.name)))}


@routes.get("/roles", permission="roles.read", query=PageQuery, answer=RolePage)
async def list_roles(request: web.Request) -> Any:
    """The roles of the tenant, newest first."""
    async with transaction(request) as db:
        found = await page(db, select(Role), Role, request[QUERY])
        return found | {"items": await shown(db, found["items"])}


@routes.post("/roles", permission="roles.create", body=NewRole, answer=RoleShown, status=201)
async def create_role(request: web.Request) -> Any:
    """A role of your own making. You cannot give away what you do not have."""
    body = request[BODY]
    refuse_gift(request, body["permissions"])
    async with transaction(request) as db:
        role = Role(
            name=body["name"], description=body.get("description"), role_type=RoleType.CUSTOM
        )
        db.add(role)
        await db.flush()
        await set_permissions(db, role.id, body["permissions"])
        await db.refresh(role)
        [answer] = await shown(db, [role])
        await audit.record(db, AuditAction.CREATE, "role", role.id, after=answer, severity="MEDIUM")
    return answer


@routes.get("/roles/{id}", permission="roles.read", answer=RoleShown)
async def show_role(request: web.Request) -> Any:
    """One role with its permissions."""
    async with transaction(request) as db:
        [answer] = await shown(db, [await find(db, Role, path_id(request), *NAMED)])
    return answer


@routes.patch("/roles/{id}", permission="roles.update", body=RoleChange, answer=RoleShown)
async def change_role(request: web.Request) -> Any:
    """Change what is given; `permissions` replaces the whole list. System roles stay."""
    body = request[BODY]
    async with transaction(request) as db:
        role = await find(db, Role, path_id(request), *NAMED)
        expect_version(request, role)
        refuse_system(role)
        [before] = await shown(db, [role])
        if "permissions" in body:
            refuse_gift(request, set(body["permissions"]) - set(before["permissions"]))
            async with nobody_locked_out(db):
                await set_permissions(db, role.id, body["permissions"])
        role.name = body.get("name", role.name)
        role.description = body.get("description", role.description)
        # A new list of permissions is a change of the role, though another table keeps it.
        flag_modified(role, "name")
        await db.flush()
        await db.refresh(role)
        [answer] = await shown(db, [role])
        await audit.record(
            db,
            AuditAction.UPDATE,
            "role",
            role.id,
            before=before,
            after=answer,
            severity="MEDIUM",
        )
    return answer


@routes.delete("/roles/{id}", permission="roles.delete")
async def delete_role(request: web.Request) -> Any:
    """Delete a role; users who had it lose what it permitted."""
    async with transaction(request) as db:
        role = await find(db, Role, path_id(request), *NAMED)
        expect_version(request, role)
        refuse_system(role)
        [before] = await shown(db, [role])
        async with nobody_locked_out(db):
            await db.delete(role)
            await db.flush()
        await audit.record(
            db, AuditAction.DELETE, "role", role.id, before=before, severity="MEDIUM"
        )


async def set_permissions(db: AsyncSession, role_id: UUID, names: Iterable[str]) -> None:
    """Exactly these; BadInput names one that is not in the catalogue."""
    wanted = set(names)
    rows = await db.execute(
        select(Permission.name, Permission.id).where(Permission.name.in_(wanted))
    )
    known: dict[str, UUID] = dict(rows.all())
    if unknown := sorted(wanted - set(known)):
        raise BadInput(
            f"permissions: There is no permission {unknown[0]!r}.",
            field="permissions",
            allowed="names of GET /permissions",
        )
    await db.execute(delete(RolePermission).where(RolePermission.role_id == role_id))
    db.add_all(
        RolePermission(role_id=role_id, permission_id=permission_id)
        for permission_id in known.values()
    )
    await db.flush()


async def shown(db: AsyncSession, roles: list[Role]) -> list[dict[str, Any]]:
    """Roles as they are shown: with the names of their permissions."""
    rows = await db.execute(
        select(RolePermission.role_id, Permission.name)
        .join(Permission, Permission.id == RolePermission.permission_id)
        .where(RolePermission.role_id.in_([role.id for role in roles]))
        .order_by(Permission.name)
    )
    names: defaultdict[UUID, list[str]] = defaultdict(list)
    for role_id, name in rows:
        names[role_id].append(name)
    return [
        {**{name: getattr(role, name) for name in ROW}, "permissions": names[role.id]}
        for role in roles
    ]


ROW = [name for name in RoleShown().fields if name != "permissions"]


def refuse_gift(request: web.Request, permissions: Iterable[str]) -> None:
    """Nobody can give away what they do not have (T-37)."""
    if lacking := sorted(set(permissions) - request[ACTOR].permissions):
        raise NotAllowed(
            f"You cannot give {', '.join(lacking)}: you do not have it yourself.",
            field="permissions",
            allowed=sorted(request[ACTOR].permissions),
        )


def refuse_system(role: Role) -> None:
    if role.role_type == RoleType.SYSTEM:
        raise Conflict(
            f"{role.name} comes with the hub and stays as it is.",
            next_step="Make a role of your own: hub role create",
        )
