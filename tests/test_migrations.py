"""Migrations make what the models say, once, whoever else is at it."""

import asyncio
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from hub import migrate as migration
from hub.db import Database
from hub.embedded import EmbeddedPostgres
from hub.migrate import MigrationRefused, alembic_config, migrate
from hub.models.all import METADATA


@pytest.fixture
def fresh(postgres: EmbeddedPostgres) -> str:
    """Name of an empty database on the server of the tests."""
    name = f"test_{uuid4().hex}"
    postgres.make_database(name)
    return name


async def test_migrating_twice_changes_nothing(postgres, fresh):
    url = postgres.url_of("hub_owner", fresh)
    await migrate(url)
    before = postgres.run_sql(fresh, CATALOGUE)
    await migrate(url)

    assert postgres.run_sql(fresh, CATALOGUE) == before


async def test_several_hubs_may_migrate_at_once(postgres, fresh):
    url = postgres.url_of("hub_owner", fresh)

    await asyncio.gather(*(migrate(url) for _ in range(4)))

    newest = postgres.run_sql(fresh, "SELECT version_num FROM alembic_version")
    assert newest == postgres.run_sql("hub", "SELECT version_num FROM alembic_version")
    database = Database(postgres.url_of("hub", fresh))
    await database.start()
    await database.close()


async def test_migrations_can_be_taken_back_and_done_again(postgres, fresh):
    url = postgres.url_of("hub_owner", fresh)
    await migrate(url)
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(lambda plain: command.downgrade(alembic_config(plain), "base"))
        await connection.commit()
    await engine.dispose()
    left = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    assert postgres.run_sql(fresh, left).split() == ["alembic_version", "alembic_version_pkc"]
    assert postgres.run_sql(fresh, "SELECT proname FROM pg_proc WHERE proname LIKE 'hub%'") == ""

    await migrate(url)


async def test_meter_values_of_a_tenant_that_is_gone_stop_no_way_back(postgres, fresh):
    url = postgres.url_of("hub_owner", fresh)
    await migrate(url)
    postgres.run_sql(
        fresh,
        "INSERT INTO meter_values (tenant_id, charging_session_id, timestamp, value)"
        " VALUES (gen_random_uuid(), gen_random_uuid(), now(), 1)",
    )
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(lambda plain: command.downgrade(alembic_config(plain), "0029"))
        await connection.commit()
    await engine.dispose()

    assert postgres.run_sql(fresh, "SELECT count(*) FROM meter_values").strip() == "1"


async def test_alembic_sees_no_pending_change(postgres):
    engine = create_async_engine(postgres.admin_url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(lambda plain: command.check(alembic_config(plain)))
    await engine.dispose()


# Everything about tables but partitions and policies: columns with type, default and expression,
# constraints, indexes, options.
CATALOGUE = """
WITH ours AS (
    SELECT oid, relname, relkind, reloptions FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    AND relname <> 'alembic_version'
)
SELECT 'table ' || relname || ' ' || relkind::text || ' ' || coalesce(reloptions::text, '')
    || coalesce(pg_get_partkeydef(oid), '') FROM ours
UNION ALL
SELECT 'column ' || relname || '.' || attname || ' ' || format_type(atttypid, atttypmod)
    || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END || ' ' || attgenerated::text
    || coalesce(' ' || pg_get_expr(adbin, adrelid), '')
    FROM ours JOIN pg_attribute ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = ours.oid AND adnum = attnum
UNION ALL
SELECT 'constraint ' || relname || ' ' || conname || ' ' || pg_get_constraintdef(con.oid)
    FROM ours JOIN pg_constraint con ON conrelid = ours.oid
UNION ALL
SELECT 'index ' || replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ')
    FROM ours JOIN pg_index ON indrelid = ours.oid
UNION ALL
SELECT 'sequence ' || relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
ORDER BY 1
"""


async def test_the_migrations_make_exactly_what_the_models_say(postgres, fresh):
    """Alembic compares neither checks nor options nor generated columns; PostgreSQL shows all."""
    engine = create_async_engine(postgres.url_of("hub_owner", fresh), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    await engine.dispose()

    migrated = postgres.run_sql("hub", CATALOGUE).splitlines()
    modelled = postgres.run_sql(fresh, CATALOGUE).splitlines()

    assert sorted(migrated) == sorted(modelled)


async def test_comparing_would_notice_a_missing_table(postgres, fresh):
    """The check above is worth something: an empty database has everything pending."""
    engine = create_async_engine(postgres.url_of("hub_owner", fresh), poolclass=NullPool)
    async with engine.connect() as connection:
        pending = await connection.run_sync(
            lambda plain: compare_metadata(MigrationContext.configure(plain), METADATA)
        )
    await engine.dispose()

    assert len(pending) >= len(METADATA.tables)


async def test_a_role_that_does_not_exist_or_sees_all_is_refused(postgres, fresh):
    url = postgres.url_of("hub_owner", fresh)

    with pytest.raises(MigrationRefused, match="CREATE ROLE nobody_known"):
        await migrate(url, role="nobody_known")
    with pytest.raises(MigrationRefused, match="postgres ignores row-level security"):
        await migrate(url, role="postgres")

    assert postgres.run_sql(fresh, "SELECT count(*) FROM pg_class WHERE relname = 'tenants'") == "0"


async def test_whoever_may_not_migrate_is_told_so(postgres, fresh):
    with pytest.raises(MigrationRefused, match="permission denied"):
        await migrate(postgres.url_of("hub", fresh))


async def test_a_database_that_cannot_be_reached_is_told_so(own_dir):
    with pytest.raises(MigrationRefused, match="cannot be reached"):
        await migrate(f"postgresql+asyncpg://hub_owner@/hub?host={own_dir}")


async def test_a_migration_waits_for_no_lock_for_long(postgres, fresh):
    """What waits for a table's lock makes everybody behind it wait."""
    url = postgres.url_of("hub_owner", fresh)
    await migrate(url)
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as holder:
        await holder.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))

        with pytest.raises(MigrationRefused, match="lock timeout"):
            await migrate(url, lock_timeout="50ms")
    await engine.dispose()


def test_the_migrations_are_found():
    assert (migration.directory() / "env.py").exists()
