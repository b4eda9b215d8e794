"""Sessions lie in months and meter values in days, whenever they were made."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from hub import partitions, retention
from hub.models.charging import ChargingSession, MeterValue
from tests.helpers.rows import add_row


async def partition_of(db, table: str, row_id) -> str:
    found = f"SELECT tableoid::regclass::text FROM {table} WHERE id = :id"
    return await db.scalar(text(found), {"id": row_id})


async def test_partitions_are_there_for_a_month_ahead(database):
    assert await partitions.ensure_partitions(database) == 0

    now = datetime.now(UTC)
    async with database.platform() as db:
        names = set(await db.scalars(text("SELECT relname FROM pg_class WHERE relispartition")))
    for days in range(partitions.DAYS_AHEAD + 1):
        assert f"{now + timedelta(days=days):meter_values_%Y_%m_%d}" in names
    assert f"{now:charging_sessions_%Y_%m}" in names
    assert f"{now.replace(day=28) + timedelta(days=4):charging_sessions_%Y_%m}" in names


async def test_rows_land_in_the_partition_of_their_time(database, tenant):
    now = datetime.now(UTC)
    async with database.transaction(tenant.id) as db:
        session = await add_row(db, ChargingSession.__table__)
        value = await add_row(db, MeterValue.__table__, timestamp=now)

        assert await partition_of(db, "charging_sessions", session["id"]) == (
            f"{now:charging_sessions_%Y_%m}"
        )
        assert await partition_of(db, "meter_values", value["id"]) == f"{now:meter_values_%Y_%m_%d}"


async def test_rows_of_other_times_are_caught_and_counted(database, tenant):
    before = await partitions.stray_rows(database)
    async with database.transaction(tenant.id) as db:
        # What a station says whose clock was never set.
        value = await add_row(db, MeterValue.__table__, timestamp=datetime(1970, 1, 1, tzinfo=UTC))

        assert await partition_of(db, "meter_values", value["id"]) == "meter_values_default"

    after = await partitions.stray_rows(database)
    assert after["meter_values"] == before["meter_values"] + 1
    assert after["charging_sessions"] == before["charging_sessions"]


async def test_a_late_partition_takes_over_what_the_default_had_caught(
    database, tenant, make_tenant
):
    """Rows of every tenant, although whoever asks for the partition sees none of them."""
    another = await make_tenant()
    day = datetime.now(UTC) + timedelta(days=40)
    rows = {}
    for owner in (tenant, another):
        async with database.transaction(owner.id) as db:
            row = await add_row(db, MeterValue.__table__, timestamp=day)
            rows[owner.id] = row["id"]
            assert await partition_of(db, "meter_values", row["id"]) == "meter_values_default"

    async with database.platform() as db:
        assert await db.scalar(text("SELECT hub_create_partitions(1, 40)")) > 0

    for owner_id, row_id in rows.items():
        async with database.transaction(owner_id) as db:
            landed = await partition_of(db, "meter_values", row_id)
            assert landed == f"{day:meter_values_%Y_%m_%d}"


async def test_days_of_meter_values_that_were_kept_long_enough_go(database, tenant, postgres):
    """And nothing that is younger than 3 months, whatever the hub's role asks for."""
    async with database.transaction(tenant.id) as db:
        young = await add_row(db, MeterValue.__table__, timestamp=datetime.now(UTC))
    engine = create_async_engine(postgres.url_of("postgres", "hub"), poolclass=NullPool)
    async with engine.begin() as owner:
        for day in ("2001-02-03", "2001-02-04"):
            name = f"meter_values_{day.replace('-', '_')}"
            span = f"FROM ('{day} 00:00+00') TO ('{day} 24:00+00')"
            await owner.execute(
                text(f"CREATE TABLE {name} PARTITION OF meter_values FOR VALUES {span}")
            )
    await engine.dispose()

    with pytest.raises(DBAPIError, match="kept for 3 months at least"):
        await retention.drop_partitions(database, 2)
    assert await retention.drop_partitions(database, 13) == 2
    assert await retention.drop_partitions(database, 13) == 0

    async with database.transaction(tenant.id) as db:
        assert await db.get(
            MeterValue, tuple(young[c.name] for c in inspect(MeterValue).primary_key)
        )


async def test_partitions_may_be_asked_for_by_many_at_once_but_not_without_end(database):
    async def ask(days: int) -> int:
        async with database.platform() as db:
            return await db.scalar(text(f"SELECT hub_create_partitions(2, {days})"))

    made = await asyncio.gather(*(ask(45) for _ in range(4)))
    assert sum(1 for count in made if count) <= 1

    with pytest.raises(DBAPIError, match="at most 24 months and 366 days"):
        await ask(100_000)


async def test_a_query_for_a_day_reads_that_day_only(database, tenant):
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    span = f"'{today.isoformat()}' AND timestamp < '{(today + timedelta(days=1)).isoformat()}'"
    async with database.transaction(tenant.id) as db:
        plan = "\n".join(
            await db.scalars(text(f"EXPLAIN SELECT * FROM meter_values WHERE timestamp >= {span}"))
        )

    assert f"{today:meter_values_%Y_%m_%d}" in plan
    assert plan.count(" on meter_values_") == 1


async def test_the_feed_is_read_by_its_index_in_spite_of_the_policy(database, tenant):
    """A comparison that PostgreSQL thought could leak would not get below the policy's barrier."""
    async with database.transaction(tenant.id) as db:
        await db.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(
            await db.scalars(
                text(
                    "EXPLAIN SELECT id FROM ocpi_locations WHERE (changed_xid, changed_seq) >"
                    " ('1', 1) AND changed_xid < pg_snapshot_xmin(pg_current_snapshot())"
                    " ORDER BY changed_xid, changed_seq LIMIT 10"
                )
            )
        )

    assert "ix_ocpi_locations_feed" in plan
    assert "ROW(changed_xid, changed_seq)" in plan.split("Index Cond")[1].split("Filter")[0]
