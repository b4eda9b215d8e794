"""The database may be killed under the hub: it is away, it comes back, nothing is lost."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from hub import db as hub_db
from hub import soundness
from hub.db import Database
from hub.embedded import EmbeddedPostgres
from hub.errors import Unavailable
from hub.migrate import migrate
from hub.models.tenants import Tenant
from hub.prepared import driver
from hub.soundness import DatabaseRefused
from tests.helpers.processes import PATIENCE, gone, wait_until_gone
from tests.helpers.waiting import until


@pytest.fixture(scope="module")
def victim() -> Iterator[EmbeddedPostgres]:
    """A migrated server that may be killed; it is expected to come back by itself."""
    with TemporaryDirectory(prefix="hub-tests-") as directory:
        server = EmbeddedPostgres.start(Path(directory))
        asyncio.run(migrate(server.admin_url))
        yield server
        server.stop()


@pytest.fixture
async def served(victim: EmbeddedPostgres) -> AsyncIterator[Database]:
    database = Database(victim.url)
    await healed(database)
    # The one that was killed is its pid until whoever started another in its place has seen that.
    await until(lambda: not gone(victim.pid))
    yield database
    await database.close()


async def add_tenant(database: Database) -> Tenant:
    tenant = Tenant(id=uuid4(), name="Kept")
    async with database.transaction(tenant.id) as db:
        db.add(tenant)
    return tenant


def kill(server: EmbeddedPostgres) -> None:
    """Kill the server; its backends end soon after it, and until then they would still answer."""
    backends = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
    pids = [server.pid, *map(int, server.run_sql("postgres", backends).split())]
    os.kill(server.pid, signal.SIGKILL)
    for pid in pids:
        wait_until_gone(pid)


async def healed(database: Database) -> list[Unavailable]:
    """Poll until the database answers; every other error than Unavailable fails the test."""
    refused = []
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            async with database.platform() as db:
                await db.execute(text("SELECT 1"))
        except Unavailable as error:
            refused.append(error)
            await asyncio.sleep(0.02)
        else:
            return refused
    pytest.fail("the database did not come back")


async def test_a_killed_postgres_is_unavailable_and_comes_back_with_its_data(victim, served):
    tenant = await add_tenant(served)
    before = victim.pid

    kill(victim)
    refused = await healed(served)

    assert {error.http_status for error in refused} == {503}
    assert all(error.headers["Retry-After"] for error in refused)
    # It serves a moment before who started it has seen that.
    await until(lambda: victim.pid != before)
    async with served.transaction(tenant.id) as db:
        assert await db.get(Tenant, tenant.id) is not None


async def test_a_transaction_whose_postgres_is_killed_is_unavailable_and_keeps_nothing(
    victim, served
):
    tenant = Tenant(id=uuid4(), name="Lost")

    async def add_and_kill() -> None:
        async with served.transaction(tenant.id) as db:
            db.add(tenant)
            await db.flush()
            kill(victim)

    with pytest.raises(Unavailable):
        await add_and_kill()
    await healed(served)

    async with served.transaction(tenant.id) as db:
        assert await db.get(Tenant, tenant.id) is None


async def test_a_killed_backend_is_unavailable_and_comes_back(victim, served):
    """PostgreSQL restarts all its processes when one is killed; the hub sees a short absence."""

    async def kill_own_backend() -> None:
        async with served.platform() as db:
            pid = await db.scalar(text("SELECT pg_backend_pid()"))
            os.kill(pid, signal.SIGKILL)
            wait_until_gone(pid)
            await db.execute(text("SELECT 1"))

    with pytest.raises(Unavailable):
        await kill_own_backend()
    await healed(served)


async def break_idle(victim, doors) -> None:
    """Have the pool open a connection for each door, and then the server end all of them."""
    for door in doors:
        await door.__aenter__()
    for door in doors:
        await door.__aexit__(None, None, None)
    victim.run_sql(
        "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hub'"
    )


async def test_connections_that_broke_while_idle_are_replaced_unnoticed(victim, served):
    """A restart of the database between two requests costs none of them."""
    await break_idle(victim, [served.platform() for _ in range(5)])

    for _ in range(10):
        async with served.platform() as db:
            await db.execute(text("SELECT 1"))


async def test_reading_from_connections_that_broke_while_idle_is_unnoticed(victim, served):
    tenant = await add_tenant(served)
    await break_idle(victim, [served.reading(tenant.id) for _ in range(5)])

    for _ in range(10):
        async with served.reading(tenant.id) as db:
            assert await db.fetchval("SELECT id FROM tenants") == tenant.id


async def test_reading_from_a_backend_that_is_killed_is_unavailable_and_comes_back(victim, served):
    tenant = await add_tenant(served)

    async def kill_own_backend() -> None:
        async with served.reading(tenant.id) as db:
            pid = await db.fetchval("SELECT pg_backend_pid()")
            os.kill(pid, signal.SIGKILL)
            wait_until_gone(pid)
            await db.fetchval("SELECT 1")

    with pytest.raises(Unavailable):
        await kill_own_backend()
    await healed(served)
    async with served.reading(tenant.id) as db:
        assert await db.fetchval("SELECT id FROM tenants") == tenant.id


async def test_who_fails_or_is_stopped_while_reading_leaves_nothing_behind(served):
    """The connection goes on in the next transaction, which knows nothing of the tenant."""
    one, other = await add_tenant(served), await add_tenant(served)

    async def fail(error: BaseException) -> None:
        async with served.reading(one.id) as db:
            assert await db.fetchval("SELECT id FROM tenants") == one.id
            raise error

    for error in (ValueError("ours"), asyncio.CancelledError()):
        with pytest.raises(type(error)):
            await fail(error)
        async with served.platform() as db:
            assert await db.scalar(text("SELECT current_setting('hub.tenant_id')")) == ""
        async with served.reading(other.id) as db:
            assert await db.fetch("SELECT id FROM tenants") == [(other.id,)]


async def test_who_is_stopped_while_it_begins_to_read_leaves_no_transaction_behind(postgres):
    """Wherever it is stopped: the pool knows nothing of a transaction that the driver began."""
    database = Database(postgres.url, pool_size=1)

    async def read() -> None:
        async with database.reading(uuid4()) as db:
            await db.fetchval("SELECT 1")

    for turns in range(40):
        reading = asyncio.create_task(read())
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        async with database.platform() as db:
            assert await db.scalar(text("SELECT current_setting('hub.tenant_id')")) == ""
    await database.close()


@pytest.mark.parametrize("way", ["transaction", "reading"])
async def test_what_is_being_stopped_gives_its_connection_back_before_all_are_closed(postgres, way):
    """Requests that take too long are stopped when the hub ends, and nobody waits for them."""
    database = Database(postgres.url)
    begun: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    work = asyncio.create_task(dawdle(database, way, begun))
    pid = await begun

    work.cancel()
    await database.close()

    assert work.done()
    assert work.cancelled()
    wait_until_gone(pid)


async def dawdle(database: Database, way: str, begun: "asyncio.Future[int]") -> None:
    pid, long = "select pg_backend_pid()", "select pg_sleep(20)"
    if way == "reading":
        async with database.reading(uuid4()) as raw:
            begun.set_result(await raw.fetchval(pid))
            await raw.execute(long)
    else:
        async with database.transaction(uuid4()) as db:
            begun.set_result(await db.scalar(text(pid)))
            await db.execute(text(long))


@pytest.mark.parametrize("way", ["transaction", "reading"])
async def test_a_driver_that_stumbles_means_the_database_is_away(postgres, way):
    """It does so over a connection whose server went away in the middle of a message."""
    database = Database(postgres.url, pool_size=1)

    with pytest.raises(Unavailable):
        await stumble(getattr(database, way)(uuid4()))
    async with database.platform() as db:
        assert await db.scalar(text("select 1")) == 1
    await database.close()


async def stumble(opened) -> None:
    async with opened as db:
        await driver(db)
        raise asyncpg.InternalClientError("unexpected state")


async def test_who_reads_cannot_write(served):
    """Nor is it told to try again."""
    tenant = await add_tenant(served)
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with served.reading(tenant.id) as db:
            await db.execute("UPDATE tenants SET name = 'Other'")


async def test_a_database_that_is_not_there_is_unavailable(own_dir):
    database = Database(f"postgresql+asyncpg://hub@/hub?host={own_dir}")

    with pytest.raises(Unavailable):
        await database.start()
    with pytest.raises(Unavailable):
        async with database.transaction(uuid4()):
            pass
    with pytest.raises(Unavailable):
        async with database.reading(uuid4()):
            pass
    await database.close()


async def test_no_free_connection_is_unavailable_after_a_while(postgres, monkeypatch):
    monkeypatch.setattr(hub_db, "POOL_TIMEOUT", 0.05)
    database = Database(postgres.url, pool_size=1)

    async with database.platform():
        with capture_logs() as logged, pytest.raises(Unavailable, match="too much to do"):
            async with database.platform():
                pass
    assert [e["event"] for e in logged] == ["all database connections were in use for too long"]
    async with database.platform():
        pass
    await database.close()


async def test_a_crowd_in_a_lane_waits_and_leaves_connections_for_others(postgres, monkeypatch):
    """Where it would be refused after a while, if it waited for a connection."""
    monkeypatch.setattr(hub_db, "POOL_TIMEOUT", 0.05)
    database = Database(postgres.url, pool_size=4)
    lane = database.lane()
    go, full, inside = asyncio.Event(), asyncio.Event(), []

    async def work(number):
        async with lane.platform() as db:
            inside.append(number)
            if len(inside) == 3:
                full.set()
            await go.wait()
            await db.execute(text("SELECT 1"))

    crowd = [asyncio.create_task(work(number)) for number in range(12)]
    easing = asyncio.create_task(lane.turns.ease(0))
    async with asyncio.timeout(PATIENCE):
        await full.wait()
        async with database.platform() as db:
            assert await db.scalar(text("SELECT 1")) == 1
    assert (len(inside), lane.turns.waiting, easing.done()) == (3, 9, False)
    go.set()
    await asyncio.gather(*crowd, easing)

    assert sorted(inside) == list(range(12))
    assert database.turns is None
    await database.close()


async def test_a_statement_that_takes_too_long_is_ended(postgres, monkeypatch):
    monkeypatch.setitem(hub_db.SERVER_SETTINGS, "statement_timeout", "50")
    database = Database(postgres.url)

    with pytest.raises(Unavailable):
        async with database.platform() as db:
            await db.execute(text("SELECT pg_sleep(60)"))
    await database.close()


async def test_only_one_is_alone(postgres):
    one, two = Database(postgres.url), Database(postgres.url)

    async with one.alone("a job") as first, two.alone("a job") as second:
        assert (first, second) == (True, False)
        async with two.alone("another job") as other:
            assert other
    async with two.alone("a job") as again:
        assert again
    await one.close()
    await two.close()


async def test_an_old_server_is_refused(postgres, monkeypatch):
    monkeypatch.setattr(soundness, "OLDEST_SERVER", 990000)
    database = Database(postgres.url)

    with pytest.raises(DatabaseRefused, match="15 or newer"):
        await database.start()
    await database.close()


async def test_a_server_that_does_not_wait_for_its_disk_is_warned_about(postgres, monkeypatch):
    monkeypatch.setitem(hub_db.SERVER_SETTINGS, "synchronous_commit", "off")
    database = Database(postgres.url)

    with capture_logs() as logged:
        await database.start()

    assert ["synchronous_commit is off" in line["event"] for line in logged] == [True]
    await database.close()


async def test_any_number_of_jobs_at_once_leave_connections_for_their_work(postgres):
    """All that begin in the same second hold a lock, and then need the database."""
    database = Database(postgres.url, pool_size=1)
    try:
        async with AsyncExitStack() as held:
            for number in range(12):
                assert await held.enter_async_context(database.alone(f"job {number}"))
            async with database.platform() as db:
                assert await db.scalar(text("SELECT 1")) == 1
            async with database.alone("job 3") as mine:
                assert mine is False
        async with database.alone("job 3") as mine:
            assert mine is True
    finally:
        await database.close()
