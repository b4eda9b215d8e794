"""Bring the database to the schema of this release, and let the hub's role into it.

Runs as the role that owns the database. Several at once are safe: an advisory lock lets one work
and the others find nothing left to do. A migration that cannot get its lock on a table soon gives
up, for whoever waits behind it waits too; it is run again when the database is quieter.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

# Any number will do, as long as it stays.
LOCK = 4_271_960_431
WAIT_FOR_OTHERS = "5min"
LOCK_TIMEOUT = "10s"
STATEMENT_TIMEOUT = "15min"

# What the hub's role may do where it is not everything: entries of the audit log are never touched
# again (T-56), and the catalogue of permissions is the migrations' own.
GRANTS = {
    "audit_logs": "SELECT, INSERT",
    "audit_segments": "SELECT, INSERT",
    "permissions": "SELECT",
    "alembic_version": "SELECT",
}
FUNCTIONS = (
    "hub_create_partitions(integer, integer)",
    "hub_stray_rows()",
    "hub_purge_audit(integer)",
    "hub_drop_partitions(integer)",
)


class MigrationRefused(Exception):
    """The database could not be migrated; nothing is half done. The message says what to do."""


def directory() -> Path:
    """Where the migrations are: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parent
    for candidate in (here / "migrations", here.parent / "migrations"):
        if (candidate / "env.py").exists():
            return candidate
    raise MigrationRefused("The migrations were not installed with the hub; install it again.")


def alembic_config(connection: Connection) -> Config:
    place = str(directory()).replace("%", "%%")
    config = Config()
    config.set_main_option("script_location", place)
    config.set_main_option("prepend_sys_path", place)
    config.set_main_option("path_separator", "newline")
    config.attributes["connection"] = connection
    return config


async def migrate(admin_url: str, *, role: str = "hub", lock_timeout: str = LOCK_TIMEOUT) -> None:
    """Upgrade to the newest schema and grant ``role`` what serving needs; idempotent.

    ``lock_timeout`` is how long it may wait for a table that others use, as PostgreSQL writes it.
    """
    engine = create_async_engine(admin_url, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await refuse_missing_role(connection, role)
            await take_turn(connection, lock_timeout)
            await connection.run_sync(upgrade)
            await grant(connection, role)
            await connection.execute(text("SELECT hub_create_partitions(1, 31)"))
            await connection.commit()
    except DBAPIError as error:
        raise MigrationRefused(f"The database refused: {error.orig}") from error
    except OSError as error:
        raise MigrationRefused(f"The database cannot be reached: {error}") from error
    finally:
        await engine.dispose()


async def refuse_missing_role(connection: AsyncConnection, role: str) -> None:
    found = await connection.scalar(
        text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = :role"), {"role": role}
    )
    if found is None:
        raise MigrationRefused(
            f"The role {role} that the hub shall serve as does not exist. Make it:"
            f" CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '…';"
        )
    if found:
        raise MigrationRefused(
            f"The role {role} ignores row-level security; the hub will not serve as it. Choose"
            f" another, or: ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS;"
        )


async def take_turn(connection: AsyncConnection, lock_timeout: str) -> None:
    """Wait for other migrations; the lock is held until the connection is closed."""
    await connection.execute(text(f"SET lock_timeout = '{WAIT_FOR_OTHERS}'"))
    await connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
    await connection.execute(text(f"SET lock_timeout = '{lock_timeout}'"))
    await connection.execute(text(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'"))
    await connection.commit()


def upgrade(connection: Connection) -> None:
    command.upgrade(alembic_config(connection), "head")
    connection.commit()


async def grant(connection: AsyncConnection, role: str) -> None:
    """Tables, sequences, functions, but no partition: those are reached through their parents."""
    name = await connection.scalar(text("SELECT quote_ident(:role)"), {"role": role})
    rows = await connection.execute(
        text(
            "SELECT relname, relkind::text FROM pg_class"
            " WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p', 'v', 'S') AND NOT relispartition ORDER BY relname"
        )
    )
    statements = [f"GRANT USAGE ON SCHEMA public TO {name}"]
    for relation, kind in rows:
        if kind == "S":
            statements.append(f"GRANT USAGE ON SEQUENCE {relation} TO {name}")
            continue
        allowed = "SELECT" if kind == "v" else "SELECT, INSERT, UPDATE, DELETE"
        statements.append(f"REVOKE ALL ON {relation} FROM {name}")
        statements.append(f"GRANT {GRANTS.get(relation, allowed)} ON {relation} TO {name}")
    statements += [f"GRANT EXECUTE ON FUNCTION {function} TO {name}" for function in FUNCTIONS]
    for statement in statements:
        await connection.execute(text(statement))
