"""Tenants cannot see, touch or fill each other's tables, whatever the code forgets (T-36)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Table, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from hub.db import Database
from hub.embedded import EmbeddedPostgres
from hub.migrate import migrate
from hub.models.all import METADATA
from hub.models.objects import EVSE
from hub.models.tenants import Tenant
from hub.soundness import DatabaseRefused
from tests.helpers.rows import add_row

# They say who is calling, so they may be read before the tenant is known.
IDENTIFYING = {
    "tenants",
    "users",
    "api_keys",
    "ocpi_partners",
    "ocpi_partner_tokens",
    "charging_stations",
}
# The same for all tenants.
SHARED = {"permissions", "alembic_version"}

OWNED = [table for table in METADATA.sorted_tables if "tenant_id" in table.columns]
REFUSED = "42501"  # insufficient_privilege: what a violated policy and a missing grant raise

each_table = pytest.mark.parametrize("table", OWNED, ids=lambda table: table.name)


@pytest.fixture
async def superuser(postgres: EmbeddedPostgres) -> AsyncIterator[AsyncEngine]:
    """Sees through everything: to look at what is really there."""
    engine = create_async_engine(postgres.url_of("postgres", "hub"), poolclass=NullPool)
    yield engine
    await engine.dispose()


@pytest.fixture
async def other(make_tenant) -> Tenant:
    return await make_tenant(name="Another network")


def sqlstate(error: DBAPIError) -> str:
    return error.orig.sqlstate


def this_row(table: Table, row: dict[str, Any]) -> Any:
    return table.primary_key.columns.values()[1] == row[table.primary_key.columns.keys()[1]]


async def attempt(database: Database, tenant_id: UUID | None, statement: Any) -> int:
    """How many rows a change reached; a refusal counts as none."""
    door = database.platform() if tenant_id is None else database.transaction(tenant_id)
    try:
        async with door as db:
            return (await db.execute(statement)).rowcount
    except DBAPIError as error:
        if sqlstate(error) != REFUSED:
            raise
        return 0


def test_every_table_belongs_to_tenants_or_is_known_to_be_shared():
    without = {table.name for table in METADATA.sorted_tables} - {t.name for t in OWNED}

    assert without == {"tenants"} | SHARED - {"alembic_version"}


@each_table
async def test_another_tenants_row_can_be_neither_seen_nor_touched(
    database, superuser, tenant, other, table
):
    async with database.transaction(tenant.id) as db:
        row = await add_row(db, table)
    mine = this_row(table, row)

    async with database.transaction(other.id) as db:
        assert await db.scalar(select(func.count()).select_from(table).where(mine)) == 0
    assert await attempt(database, other.id, table.delete().where(mine)) == 0
    # To the same value: what counts is whether the row is reached at all.
    column = table.primary_key.columns.values()[1]
    assert (
        await attempt(database, other.id, table.update().where(mine).values({column: column})) == 0
    )

    there = select(func.count()).select_from(table).where(mine, table.c.tenant_id == tenant.id)
    async with superuser.connect() as everything:
        assert await everything.scalar(there) == 1


@each_table
async def test_a_row_cannot_be_put_into_another_tenant(database, tenant, other, table):
    async with database.transaction(tenant.id) as db:
        row = await add_row(db, table)

    with pytest.raises(DBAPIError) as refused:
        async with database.transaction(other.id) as db:
            await add_row(db, table, tenant_id=tenant.id)
    assert sqlstate(refused.value) == REFUSED

    moved = table.update().where(this_row(table, row)).values(tenant_id=other.id)
    with pytest.raises(DBAPIError) as refused:
        async with database.transaction(tenant.id) as db:
            await db.execute(moved)
    assert sqlstate(refused.value) == REFUSED


@each_table
async def test_without_a_tenant_nothing_is_there_and_nothing_can_be_changed(
    database, tenant, table
):
    async with database.transaction(tenant.id) as db:
        row = await add_row(db, table)
    mine = this_row(table, row)

    async with database.platform() as db:
        seen = await db.scalar(select(func.count()).select_from(table).where(mine))
    assert seen == (1 if table.name in IDENTIFYING else 0)
    column = table.primary_key.columns.values()[1]
    assert await attempt(database, None, table.update().where(mine).values({column: column})) == 0
    assert await attempt(database, None, table.delete().where(mine)) == 0
    with pytest.raises(DBAPIError):
        async with database.platform() as db:
            await add_row(db, table)
    with pytest.raises(DBAPIError) as refused:
        async with database.platform() as db:
            await add_row(db, table, tenant_id=tenant.id)
    assert sqlstate(refused.value) == REFUSED


@pytest.mark.parametrize(
    ("table", "key"),
    [
        (table, key)
        for table in OWNED
        for key in sorted(table.foreign_key_constraints, key=lambda key: key.name)
        if key.referred_table.name not in {"tenants", "permissions"}
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_a_row_cannot_refer_to_another_tenants(database, tenant, other, table, key):
    async with database.transaction(tenant.id) as db:
        theirs = await add_row(db, key.referred_table)
    pointing = {
        local.name: theirs[remote.column.name]
        for local, remote in zip(key.columns, key.elements, strict=True)
        if local.name != "tenant_id"
    }
    assert "tenant_id" in key.columns, "a key without the tenant can point anywhere"

    with pytest.raises(IntegrityError):
        async with database.transaction(other.id) as db:
            await add_row(db, table, **pointing)


async def test_the_tenants_table_shows_a_tenant_itself_only(database, tenant, other):
    async with database.transaction(tenant.id) as db:
        assert list(await db.scalars(select(Tenant.id))) == [tenant.id]
        assert (await db.execute(Tenant.__table__.update().values(name="Taken"))).rowcount == 1

    async with database.transaction(other.id) as db:
        assert await db.scalar(select(Tenant.name)) == "Another network"

    with pytest.raises(DBAPIError) as refused:
        async with database.transaction(tenant.id) as db:
            db.add(Tenant(id=uuid4(), name="Not mine"))
    assert sqlstate(refused.value) == REFUSED


async def test_the_view_of_connectors_shows_one_tenants_connectors(database, tenant, other):
    document = '{"connectors": [{"id": "1", "standard": "MCS", "max_voltage": 1250}]}'
    async with database.transaction(tenant.id) as db:
        await add_row(db, EVSE.__table__, document=document)
    connectors = text("SELECT connector_id, standard, max_voltage FROM ocpi_connectors")

    async with database.transaction(tenant.id) as db:
        assert (await db.execute(connectors)).all() == [("1", "MCS", 1250)]
    async with database.transaction(other.id) as db:
        assert (await db.execute(connectors)).all() == []
    async with database.platform() as db:
        assert (await db.execute(connectors)).all() == []


async def test_audit_entries_can_be_added_but_not_changed_or_deleted(database, tenant):
    """T-56: not even the tenant whose entries they are may do that."""
    for name, column in (("audit_logs", "description"), ("audit_segments", "key_id")):
        table = METADATA.tables[name]
        async with database.transaction(tenant.id) as db:
            await add_row(db, table)
        for change in (table.update().values({column: "never happened"}), table.delete()):
            with pytest.raises(DBAPIError) as refused:
                async with database.transaction(tenant.id) as db:
                    await db.execute(change)
            assert sqlstate(refused.value) == REFUSED


async def test_the_catalogue_of_permissions_is_there_and_only_to_be_read(database, tenant):
    async with database.transaction(tenant.id) as db:
        names = set(await db.scalars(text("SELECT name FROM permissions")))
    assert {"partners.create", "feed.read", "audit.read", "system.execute"} <= names

    with pytest.raises(DBAPIError) as refused:
        async with database.transaction(tenant.id) as db:
            await db.execute(text("UPDATE permissions SET scope = 'GLOBAL'"))
    assert sqlstate(refused.value) == REFUSED


async def test_every_table_in_the_database_is_isolated_in_the_same_way(superuser):
    rows = """
        SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relispartition,
            array(SELECT polname::text FROM pg_policy WHERE polrelid = c.oid ORDER BY polname)
        FROM pg_class c
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
    """
    async with superuser.connect() as everything:
        tables = (await everything.execute(text(rows))).all()

    expected = {
        name: (True, True, False, ["identify", "tenant"] if name in IDENTIFYING else ["tenant"])
        for name in (table.name for table in METADATA.sorted_tables)
        if name not in SHARED
    }
    for name, *security in tables:
        if name in SHARED:
            continue
        assert security == list(expected.get(name, (True, False, True, ["tenant"]))), name
    assert set(expected) <= {name for name, *_ in tables}


async def test_the_policy_identify_allows_reading_only(superuser):
    kinds = text("SELECT DISTINCT polcmd::text FROM pg_policy WHERE polname = 'identify'")
    async with superuser.connect() as everything:
        assert list(await everything.scalars(kinds)) == ["r"]


async def test_the_hubs_role_is_granted_nothing_on_partitions(superuser, database, tenant):
    grants = """
        SELECT c.relname, c.relkind::text FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT',
            'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege
        WHERE c.relispartition AND c.relkind = 'r' AND has_table_privilege('hub', c.oid, privilege)
    """
    async with superuser.connect() as everything:
        assert (await everything.execute(text(grants))).all() == []

    with pytest.raises(DBAPIError) as refused:
        async with database.transaction(tenant.id) as db:
            await db.execute(text("SELECT * FROM meter_values_default"))
    assert sqlstate(refused.value) == REFUSED


async def test_the_hubs_role_can_change_no_schema_and_truncate_nothing(database, tenant):
    for statement in (
        "CREATE TABLE mine (id int)",
        "ALTER TABLE tenants DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON users",
        "TRUNCATE users CASCADE",
        "SELECT hub_close_partition('tenants')",
        "SET ROLE hub_owner",
    ):
        with pytest.raises(DBAPIError) as refused:
            async with database.transaction(tenant.id) as db:
                await db.execute(text(statement))
        assert sqlstate(refused.value) == REFUSED, statement


async def test_a_connection_carries_no_tenant_from_one_transaction_to_the_next(
    postgres, tenant, other
):
    """With one connection in the pool, a forgotten tenant must show nothing, not the last one's."""
    database = Database(postgres.url, pool_size=1)
    names = select(Tenant.__table__.c.name)
    hidden = select(func.count()).select_from(METADATA.tables["feed_cursors"])
    for owner in (tenant, other):
        async with database.transaction(owner.id) as db:
            await add_row(db, METADATA.tables["feed_cursors"])

    async def look(owner: Tenant | None) -> None:
        door = database.platform() if owner is None else database.transaction(owner.id)
        async with door as db:
            assert await db.scalar(hidden) == (0 if owner is None else 1)
            await asyncio.sleep(0)
            if owner is not None:
                assert list(await db.scalars(names)) == [owner.name]

    await asyncio.gather(*(look(owner) for owner in (tenant, None, other) * 10))
    async with database.engine.connect() as bare:
        assert await bare.scalar(hidden) == 0
        setting = await bare.scalar(text("SELECT current_setting('hub.tenant_id', true)"))
        assert not setting
    await database.close()


async def test_a_tenant_is_forgotten_after_a_failure_too(postgres, tenant):
    database = Database(postgres.url, pool_size=1)
    with pytest.raises(RuntimeError):
        async with database.transaction(tenant.id):
            raise RuntimeError
    with pytest.raises(DBAPIError):
        async with database.transaction(tenant.id) as db:
            await db.execute(text("SELECT 1 / 0"))

    async with database.engine.connect() as bare:
        assert not await bare.scalar(text("SELECT current_setting('hub.tenant_id', true)"))
    await database.close()


async def test_the_hub_refuses_to_serve_as_superuser(postgres):
    database = Database(postgres.url_of("postgres", "hub"))

    with pytest.raises(DatabaseRefused, match="postgres ignores row-level security"):
        await database.start()
    await database.close()


async def test_the_hub_refuses_to_serve_as_a_role_with_bypassrls(postgres, superuser):
    async with superuser.begin() as everything:
        await everything.execute(text("CREATE ROLE bypassing LOGIN BYPASSRLS"))
        await everything.execute(text("GRANT CONNECT ON DATABASE hub TO bypassing"))
    database = Database(postgres.url_of("bypassing", "hub"))

    with pytest.raises(DatabaseRefused, match="NOBYPASSRLS"):
        await database.start()
    await database.close()


async def test_the_hub_refuses_to_serve_as_the_owner(postgres):
    database = Database(postgres.admin_url)

    with pytest.raises(DatabaseRefused, match="owns tables"):
        await database.start()
    await database.close()


async def test_the_hub_refuses_a_database_without_tables(postgres):
    postgres.make_database("bare")
    database = Database(postgres.url_of("hub", "bare"))

    with pytest.raises(DatabaseRefused, match="hub migrate"):
        await database.start()
    await database.close()


async def test_the_hub_refuses_a_database_in_which_a_table_is_open(postgres):
    postgres.make_database("open")
    await migrate(postgres.url_of("hub_owner", "open"))
    owner = create_async_engine(postgres.url_of("hub_owner", "open"), poolclass=NullPool)
    async with owner.begin() as connection:
        await connection.execute(text("ALTER TABLE ocpi_tokens NO FORCE ROW LEVEL SECURITY"))
    await owner.dispose()
    database = Database(postgres.url_of("hub", "open"))

    with pytest.raises(DatabaseRefused, match="ocpi_tokens"):
        await database.start()
    await database.close()


async def test_the_hub_serves_from_a_migrated_database_as_the_plain_role(database):
    await database.start()
