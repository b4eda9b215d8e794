"""What the hub refuses to serve from: databases in which tenants would not be kept apart."""

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

log = structlog.get_logger()

OLDEST_SERVER = 150000


class DatabaseRefused(Exception):
    """The hub will not serve from this database; the message says what to do."""


async def check(db: AsyncSession) -> None:
    """Raises DatabaseRefused (T-55)."""
    await refuse_old_server(db)
    await refuse_powerful_role(db)
    await refuse_open_tables(db)
    if await db.scalar(text("SHOW synchronous_commit")) == "off":
        log.warning("synchronous_commit is off: a crash can lose what was acknowledged")


async def refuse_old_server(db: AsyncSession) -> None:
    version = int(await db.scalar(text("SHOW server_version_num")) or 0)
    if version < OLDEST_SERVER:
        raise DatabaseRefused(
            f"The database is PostgreSQL {version // 10000}; the hub needs 15 or newer."
        )


async def refuse_powerful_role(db: AsyncSession) -> None:
    """A superuser or BYPASSRLS role sees every tenant's rows, whatever the policies say."""
    role, powerful = (
        await db.execute(
            text(
                "SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles"
                " WHERE rolname = current_user"
            )
        )
    ).one()
    if powerful:
        raise DatabaseRefused(
            f"The role {role} ignores row-level security, so tenants would see each other. Serve"
            f" as a plain one: CREATE ROLE hub LOGIN NOSUPERUSER NOBYPASSRLS; then run"
            f" `hub migrate` as the owner and put the role hub into HUB_DATABASE_URL."
        )
    owned = await db.scalar(
        text(
            "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p')"
            " AND relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)"
        )
    )
    if owned:
        raise DatabaseRefused(
            f"The role {role} owns tables and could switch their isolation off. Let another role"
            f" own them: run `hub migrate` as that one, and serve as a role that owns nothing."
        )


async def refuse_open_tables(db: AsyncSession) -> None:
    """Every table with a tenant must be isolated; none at all means nobody migrated."""
    rows = await db.execute(
        text(
            "SELECT c.relname, c.relrowsecurity AND (c.relforcerowsecurity OR c.relispartition)"
            " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
            " WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace"
        )
    )
    isolated = {name: bool(closed) for name, closed in rows}
    if not isolated:
        raise DatabaseRefused("The database has no tables yet: run `hub migrate` first.")
    if exposed := sorted(name for name, closed in isolated.items() if not closed):
        raise DatabaseRefused(
            f"Row-level security is not enabled and forced on {', '.join(exposed)};"
            f" run `hub migrate`."
        )
