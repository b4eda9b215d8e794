"""The database, and the only doors to it.

``transaction`` opens a transaction in which exactly one tenant exists: PostgreSQL's row-level
security reads the tenant from the setting ``hub.tenant_id`` and hides every other row; ``reading``
opens one like it that writes nothing. ``platform`` opens one in which no tenant exists: it sees
only what the policy ``identify`` shows, enough to find out who is calling. The setting is local to
the transaction, so a pooled connection carries nothing over.

A database that is away, restarting or out of connections is ``Unavailable`` (HTTP 503) to whoever
called: nothing was kept, and the caller is told to send it again. The pool heals itself.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, nullcontext, suppress
from copy import copy
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import asyncpg  # type: ignore[import-untyped]
import orjson
from sqlalchemy import event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

from hub import codec, soundness
from hub.outages import is_broken, is_passing, unavailable
from hub.prepared import DRIVER, DriverError

# Seconds: how long a request waits for a free connection, and for the server to accept a new one.
POOL_TIMEOUT = 5
CONNECT_TIMEOUT = 5
# How long it waits at its end for connections that are in use, and how often it looks.
CLOSE_WITHIN = 5.0
CLOSE_LOOK = 0.01

# What the hub asks of every connection. ``jit`` costs more than it saves on short statements; the
# timeouts (milliseconds) end what is stuck or forgotten, before the feed waits for it for long.
SERVER_SETTINGS = {
    "application_name": "hub",
    "jit": "off",
    "timezone": "UTC",
    "statement_timeout": "30000",
    "idle_in_transaction_session_timeout": "60000",
}

# Where a session keeps the ``Caller`` that its transaction was begun for.
CALLER = "caller"
SET_CONTEXT = text(
    "SELECT set_config('hub.tenant_id', :tenant_id, true),"
    " set_config('hub.actor_id', :actor_id, true)"
)
# Only an id is put into it. Both at once: each is a way to the database and back.
BEGIN_READING = "BEGIN READ ONLY; SELECT set_config('hub.tenant_id', '{tenant_id}', true)"


class Turns:
    """So many may be inside at a time; ``waiting`` are those who are not yet."""

    def __init__(self, limit: int) -> None:
        self._places = asyncio.Semaphore(limit)
        self._moved = asyncio.Event()
        self.waiting = 0

    async def ease(self, most: int) -> None:
        """Until no more than so many wait."""
        while self.waiting > most:
            self._moved.clear()
            await self._moved.wait()

    async def __aenter__(self) -> None:
        self.waiting += 1
        try:
            await self._places.acquire()
        finally:
            self.waiting -= 1
            self._moved.set()

    async def __aexit__(self, *_: object) -> None:
        self._places.release()


@dataclass(frozen=True)
class Caller:
    """By which API key an operator's request was made, and from where."""

    key_id: UUID
    address: str | None
    user_agent: str | None


class Database:
    """A pool of connections as the plain role, and the doors to it."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        connect_args = {
            "timeout": CONNECT_TIMEOUT,
            "server_settings": SERVER_SETTINGS,
            # A filter of many parties is long, and worth keeping all the more.
            "max_cacheable_statement_size": 0,
        }
        # Whoever holds a lock needs connections for what it is about: were they of the same pool,
        # a handful of jobs that begin in the same second could take them all, and wait for more.
        self.locking = create_async_engine(url, poolclass=NullPool, connect_args=connect_args)
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT,
            connect_args=connect_args,
            # What a statement is about may be a driver or a secret, and an error is logged.
            hide_parameters=True,
            json_serializer=codec.write_text,
            json_deserializer=orjson.loads,
        )
        event.listen(self.engine.sync_engine, "connect", leave_documents_alone)
        self._pool_size = pool_size
        self.turns: Turns | None = None

    async def start(self) -> None:
        """Refuse a database in which tenants would not be kept apart (T-55)."""
        async with self.platform() as db:
            await soundness.check(db)

    def lane(self) -> "Database":
        """The same database for callers who may be thousands at once.

        Together they use three quarters of the connections, so that others find some left; who has
        no turn waits for it as long as it takes, where it would be refused a connection after a
        while. Nobody may begin one transaction inside another here: all turns could be taken by
        those who wait for more.
        """
        lane = copy(self)
        lane.turns = Turns(max(1, self._pool_size * 3 // 4))
        return lane

    @asynccontextmanager
    async def transaction(
        self, tenant_id: UUID, *, actor_id: UUID | None = None, caller: Caller | None = None
    ) -> AsyncIterator[AsyncSession]:
        """A transaction of one tenant: commits at the end, rolls back on any exception.

        ``actor_id`` is who acts (a user or an API key): it fills ``created_by``,
        ``last_modified_by`` and the audit log. ``caller`` is what the audit log tells besides.
        """
        async with self._begin(str(tenant_id), str(actor_id or "")) as db:
            if caller is not None:
                db.info[CALLER] = caller
            yield db

    @asynccontextmanager
    async def reading(self, tenant_id: UUID) -> AsyncIterator[asyncpg.Connection]:
        """A transaction of one tenant that may only read, with the driver's own connection: a
        quarter of the price of a session, for what is asked very often.
        """
        async with self.turns or nullcontext():
            try:
                async with self._open_reading(tenant_id) as raw:
                    try:
                        yield raw
                        await raw.execute("COMMIT")
                    except BaseException:
                        await give_up(raw)
                        raise
            except (DBAPIError, PoolTimeout, *DriverError) as error:
                # To write here is a mistake of ours, which will not pass.
                if is_passing(error) and not isinstance(error, asyncpg.ReadOnlySQLTransactionError):
                    raise unavailable(error) from error
                raise

    @asynccontextmanager
    async def platform(self) -> AsyncIterator[AsyncSession]:
        """A transaction before the tenant is known: it reads what identifies a caller."""
        async with self._begin("", "") as db:
            yield db

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[bool]:
        """True for the one caller of all processes that is at ``name`` now; the others get False.

        Held by a connection of its own, not by a transaction: whoever has it may take its time.
        """
        key = {"key": zlib.crc32(name.encode())}
        async with self.locking.connect() as plain:
            connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
            got = await connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), key)
            try:
                yield bool(got)
            finally:
                if got:
                    await connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)

    async def close(self) -> None:
        """Those who were stopped give their connections back first, or these would stay open until
        somebody clears them away as garbage.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                while cast("QueuePool", self.engine.pool).checkedout():  # noqa: ASYNC110
                    await asyncio.sleep(CLOSE_LOOK)
        await self.locking.dispose()
        await self.engine.dispose()

    @asynccontextmanager
    async def _begin(self, tenant_id: str, actor_id: str) -> AsyncIterator[AsyncSession]:
        async with self.turns or nullcontext():
            db = await self._open(tenant_id, actor_id)
            try:
                async with db:
                    try:
                        yield db
                    except DriverError as error:
                        if DRIVER in db.info and is_broken(db.info[DRIVER], error):
                            await db.invalidate()
                        raise
                    await db.commit()
            except (DBAPIError, PoolTimeout, *DriverError) as error:
                if is_passing(error):
                    raise unavailable(error) from error
                raise

    async def _open(self, tenant_id: str, actor_id: str) -> AsyncSession:
        """A session whose transaction has begun and knows its tenant.

        A connection that broke while it lay in the pool shows here, before anything was done: the
        whole pool is then replaced, and one more try gets a fresh connection.
        """
        for last_try in (False, True):
            db = AsyncSession(self.engine, expire_on_commit=False)
            try:
                await db.execute(SET_CONTEXT, {"tenant_id": tenant_id, "actor_id": actor_id})
            except (DBAPIError, PoolTimeout, OSError, *DriverError) as error:
                await db.close()
                broke_in_pool = isinstance(error, DBAPIError) and error.connection_invalidated
                if last_try or not broke_in_pool:
                    raise unavailable(error) from error
            except BaseException:
                await db.close()
                raise
            else:
                return db
        raise AssertionError("the loop returns or raises")

    @asynccontextmanager
    async def _open_reading(self, tenant_id: UUID) -> AsyncIterator[asyncpg.Connection]:
        """A connection whose transaction has begun. Those that broke in the pool are thrown away,
        one after the other.
        """
        begin = BEGIN_READING.format(tenant_id=UUID(str(tenant_id)))
        try:
            connection = await self.engine.connect()
        except (DBAPIError, PoolTimeout, OSError, *DriverError) as error:
            raise unavailable(error) from error
        async with aclosing(connection):
            for tries_left in range(self._pool_size, -1, -1):
                try:
                    raw: Any = (await connection.get_raw_connection()).driver_connection
                except (DBAPIError, PoolTimeout, OSError, *DriverError) as error:
                    raise unavailable(error) from error
                try:
                    await raw.execute(begin)
                    break
                except (OSError, *DriverError) as error:
                    await connection.invalidate()
                    if not tries_left:
                        raise unavailable(error) from error
                except BaseException:
                    # Stopped: the pool knows of no transaction that it would have to end.
                    raw.terminate()
                    raise
            yield raw


async def give_up(raw: asyncpg.Connection) -> None:
    """End a transaction; a connection that this cannot be said to is good for nothing else."""
    ended = False
    try:
        await raw.execute("ROLLBACK")
        ended = True
    except (OSError, *DriverError):
        pass
    finally:
        if not ended:
            raw.terminate()


def leave_documents_alone(connection: DBAPIConnection, _: object) -> None:
    """Columns of type ``json`` hold documents, which stay the text they are; ``jsonb`` is parsed.

    The driver would parse both, before any column type has a say.
    """

    async def replace_codec(driver: asyncpg.Connection) -> None:
        await driver.set_type_codec(
            "json", schema="pg_catalog", encoder=str.encode, decoder=bytes.decode, format="binary"
        )

    connection.run_async(replace_codec)
