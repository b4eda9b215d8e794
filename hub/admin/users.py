"""Users: the people and programs of a tenant, and the roles they have."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from hub import audit
from hub.admin.auth import ACTOR, role_permissions, transaction, user_permissions
from hub.admin.errors import BadInput, Conflict
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
from hub.admin.roles import refuse_gift
from hub.admin.routes import BODY, QUERY, Routes
from hub.models.tenants import Role, User, UserRole
from hub.models.values import AuditAction, UserStatus, UserType

routes = Routes("Users")
NAMED = ("user", "hub user list")
ADDRESS = {"allowed": "an e-mail address of 255 characters at most"}


class UserShown(Versioned):
    email = fields.String(allow_none=True)
    first_name = fields.String(allow_none=True)
    last_name = fields.String(allow_none=True)
    user_type = fields.String(validate=validate.OneOf(list(UserType)))
    status = fields.String(validate=validate.OneOf(list(UserStatus)))
    roles = fields.List(fields.String(), metadata={"description": "Names of roles."})
    last_login_at = fields.AwareDateTime(allow_none=True)


class UserChange(Input):
    email = fields.Email(validate=validate.Length(max=255), metadata=ADDRESS)
    first_name = fields.String(allow_none=True, validate=validate.Length(max=255))
    last_name = fields.String(allow_none=True, validate=validate.Length(max=255))
    user_type = fields.String(validate=validate.OneOf(list(UserType)))
    status = fields.String(validate=validate.OneOf(list(UserStatus)))
    roles = fields.List(fields.String(), metadata={"allowed": "names of GET /roles"})


class NewUser(UserChange):
    email = fields.Email(required=True, validate=validate.Length(max=255), metadata=ADDRESS)
    user_type = fields.String(load_default=UserType.ADMIN, validate=validate.OneOf(list(UserType)))
    status = fields.String(
        load_default=UserStatus.ACTIVE, validate=validate.OneOf(list(UserStatus))
    )
    roles = fields.List(
        fields.String(), load_default=list, metadata={"allowed": "names of GET /roles"}
    )


class UserQuery(PageQuery):
    email = fields.String(metadata={"description": "Exactly, but for its case."})


UserPage: type[Schema] = page_of(UserShown)


@routes.get("/users", permission="users.read", query=UserQuery, answer=UserPage)
async def list_users(request: web.Request) -> Any:
    """The users of the tenant, newest first."""
    query, wanted = request[QUERY], select(User)
    if "email" in query:
        wanted = wanted.where(User.email == query["email"].lower())
    async with transaction(request) as db:
        found = await page(db, wanted, User, query)
        return found | {"items": await shown(db, found["items"])}


@routes.post("/users", permission="users.create", body=NewUser, answer=UserShown, status=201)
async def create_user(request: web.Request) -> Any:
    """A user with roles; what those permit you must have yourself."""
    body = request[BODY].copy()
    roles = body.pop("roles")
    async with transaction(request) as db:
        user = User(**body | {"email": body["email"].lower()})
        db.add(user)
        await db.flush()
        await set_roles(db, request, user.id, roles)
        await db.refresh(user)
        [answer] = await shown(db, [user])
        await audit.record(db, AuditAction.CREATE, "user", user.id, after=answer, severity="MEDIUM")
    return answer


@routes.get("/users/{id}", permission="users.read", answer=UserShown)
async def show_user(request: web.Request) -> Any:
    """One user."""
    async with transaction(request) as db:
        [answer] = await shown(db, [await find(db, User, path_id(request), *NAMED)])
    return answer


@routes.patch("/users/{id}", permission="users.update", body=UserChange, answer=UserShown)
async def change_user(request: web.Request) -> Any:
    """Change what is given; `roles` replaces the whole list."""
    body = request[BODY].copy()
    roles = body.pop("roles", None)
    async with transaction(request) as db:
        user = await find(db, User, path_id(request), *NAMED)
        expect_version(request, user)
        [before] = await shown(db, [user])
        # Whoever is changed must not be able to do more than the one who changes them.
        refuse_gift(request, await user_permissions(db, user.id))
        async with nobody_locked_out(db):
            for name, value in body.items():
                setattr(user, name, value.lower() if name == "email" else value)
            if roles is not None:
                await set_roles(db, request, user.id, roles)
                flag_modified(user, "user_type")
            await db.flush()
        await db.refresh(user)
        [answer] = await shown(db, [user])
        await audit.record(
            db,
            AuditAction.UPDATE,
            "user",
            user.id,
            before=before,
            after=answer,
            severity="MEDIUM",
        )
    return answer


@routes.delete("/users/{id}", permission="users.delete")
async def delete_user(request: web.Request) -> Any:
    """Delete a user; API keys made for that user end at once."""
    async with transaction(request) as db:
        user = await find(db, User, path_id(request), *NAMED)
        expect_version(request, user)
        if user.id == request[ACTOR].id:
            raise Conflict("You cannot delete yourself.", next_step="Let another user do it.")
        refuse_gift(request, await user_permissions(db, user.id))
        [before] = await shown(db, [user])
        async with nobody_locked_out(db):
            await db.delete(user)
            await db.flush()
        await audit.record(db, AuditAction.DELETE, "user", user.id, before=before, severity="HIGH")


async def set_roles(
    db: AsyncSession, request: web.Request, user_id: UUID, names: list[str]
) -> None:
    rows = await db.execute(select(Role.name, Role.id).where(Role.name.in_(names)))
    known: dict[str, UUID] = dict(rows.all())
    if unknown := sorted(set(names) - set(known)):
        raise BadInput(
            f"roles: There is no role {unknown[0]!r}.",
            field="roles",
            allowed=sorted(await db.scalars(select(Role.name))),
        )
    refuse_gift(request, await role_permissions(db, list(known.values())))
    await db.execute(delete(UserRole).where(UserRole.user_id == user_id))
    db.add_all(UserRole(user_id=user_id, role_id=role_id) for role_id in known.values())
    await db.flush()


async def shown(db: AsyncSession, users: list[User]) -> list[dict[str, Any]]:
    """Users as they are shown: with the names of their roles."""
    rows = await db.execute(
        select(UserRole.user_id, Role.name)
        .join(Role, Role.id == UserRole.role_id)
        .where(UserRole.user_id.in_([user.id for user in users]))
        .order_by(Role.name)
    )
    names: defaultdict[UUID, list[str]] = defaultdict(list)
    for user_id, name in rows:
        names[user_id].append(name)
    return [
        {**{name: getattr(user, name) for name in ROW}, "roles": names[user.id]} for user in users
    ]


ROW = [name for name in UserShown().fields if name != "roles"]
