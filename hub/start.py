"""From settings to a hub that can serve: the database, and at the first start somebody to run it.

There is no default password anywhere. The first start makes a tenant, an administrator and an API
key; the key is shown once and kept in a file that only its owner can read.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.admin.keys import make_key
from hub.admin.roles import ADMINISTRATOR
from hub.admin.tenants import make_tenant
from hub.db import Database
from hub.embedded import EmbeddedPostgres
from hub.migrate import migrate
from hub.models.tenants import ApiKey, Role, Tenant, User, UserRole
from hub.models.values import AuditAction, Party, UserStatus, UserType
from hub.postmaster import MAX_CONNECTIONS
from hub.security import Keyring, make_private_file
from hub.settings import Settings

# Connections of a process besides its pool, to hear of what others do.
LISTENING = 3
# For commands, backups, and whoever looks at the database.
RESERVED = 10
KEY_FILE = "admin.key"
KEY_NAME = "first administrator"
ADMINISTRATOR_EMAIL = "admin@localhost"


class StartRefused(Exception):
    """The hub cannot start like this; the message says what to do."""


@dataclass(frozen=True)
class First:
    """What the first tenant is to be called."""

    name: str = "Roaming hub"
    party: str = "NL*HUB"


@asynccontextmanager
async def database_url(settings: Settings) -> AsyncIterator[str]:
    """The database to serve from: the configured one, or one that lives and ends with the hub.

    The embedded one is migrated here; a configured one is migrated by ``hub migrate``, as the role
    that owns it.
    """
    if settings.database_url is not None:
        yield settings.database_url
        return
    wanted = settings.workers * (settings.database_pool + LISTENING)
    if wanted > MAX_CONNECTIONS - RESERVED:
        raise StartRefused(
            f"{settings.workers} workers need {wanted} connections, and the embedded PostgreSQL has"
            f" {MAX_CONNECTIONS - RESERVED} for them. Use fewer workers, a smaller"
            " HUB_DATABASE_POOL, or a PostgreSQL of your own (HUB_DATABASE_URL)."
        )
    server = await asyncio.to_thread(EmbeddedPostgres.start, settings.data_dir)
    try:
        await migrate(server.admin_url)
        yield server.url
    finally:
        await asyncio.to_thread(server.stop)


async def first_start(url: str, settings: Settings, first: First) -> str | None:
    """Make the first tenant, administrator and API key; None when there is a tenant already."""
    keyring = await asyncio.to_thread(Keyring.load, settings)
    database = Database(url, pool_size=2)
    try:
        await database.start()
        async with database.alone("first start") as mine:
            if not mine or await any_tenant(database):
                return None
            return await make_first(database, keyring, settings.data_dir, first)
    finally:
        await database.close()


async def any_tenant(database: Database) -> bool:
    async with database.platform() as db:
        return bool(await db.scalar(select(exists().where(Tenant.id.is_not(None)))))


async def make_first(database: Database, keyring: Keyring, data_dir: Path, first: First) -> str:
    tenant_id, party = uuid4(), Party.parse(first.party)
    async with database.transaction(tenant_id) as db:
        await make_tenant(
            db,
            tenant_id,
            {
                "name": first.name,
                "country_code": party.country_code,
                "party_id": party.party_id,
            },
            everything=True,
        )
        user = User(email=ADMINISTRATOR_EMAIL, user_type=UserType.ADMIN, status=UserStatus.ACTIVE)
        db.add(user)
        await db.flush()
        role_id = await db.scalar(select(Role.id).where(Role.name == ADMINISTRATOR))
        assert role_id is not None
        db.add(UserRole(user_id=user.id, role_id=role_id))
        return await give_key(db, keyring, data_dir, user.id)


async def new_key(url: str, settings: Settings) -> str:
    """Another key for the first administrator, for whoever lost it; the old one ends."""
    keyring = await asyncio.to_thread(Keyring.load, settings)
    database = Database(url, pool_size=2)
    try:
        async with database.platform() as db:
            found = await db.execute(
                select(User.tenant_id, User.id)
                .where(User.email == ADMINISTRATOR_EMAIL, User.status == UserStatus.ACTIVE)
                .order_by(User.created_at)
            )
            row: Any = found.first()
        if row is None:
            raise StartRefused(
                f"There is no active user {ADMINISTRATOR_EMAIL} to make a key for. Start without"
                " --new-admin-key and use the key of another administrator."
            )
        async with database.transaction(row[0], actor_id=row[1]) as db:
            now = datetime.now(UTC)
            for key in await db.scalars(select(ApiKey).where(ApiKey.name == KEY_NAME)):
                key.revoked_at = key.revoked_at or now
                key.name = f"{KEY_NAME} until {now:%Y-%m-%d %H:%M:%S}"
                await audit.record(
                    db,
                    AuditAction.UPDATE,
                    "api_key",
                    key.id,
                    description="Revoked: another one was made by `hub serve --new-admin-key`",
                    severity="HIGH",
                )
            await db.flush()
            return await give_key(db, keyring, settings.data_dir, row[1])
    finally:
        await database.close()


async def give_key(db: AsyncSession, keyring: Keyring, data_dir: Path, user_id: UUID) -> str:
    """A key that may do what the user may. The file is there before the key is valid: a crash in
    between leaves a useless file, never a key that nobody knows.
    """
    key, secret = make_key(keyring, name=KEY_NAME, user_id=user_id)
    db.add(key)
    await db.flush()
    await audit.record(
        db,
        AuditAction.CREATE,
        "api_key",
        key.id,
        after={"name": key.name, "hint": key.hint},
        severity="HIGH",
    )
    await asyncio.to_thread(keep_secret, data_dir / KEY_FILE, secret)
    return secret


def keep_secret(path: Path, secret: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    make_private_file(path, secret + "\n")
