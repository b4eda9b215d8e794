"""Statements that go straight to the driver, for what is asked very often.

Through SQLAlchemy such a statement costs four times as much: to look up what was built, or to build
it anew, takes longer than PostgreSQL does to answer.
"""

import re
from collections.abc import Mapping
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.ext.asyncio import AsyncSession

ASYNCPG: Any = dialect()  # type: ignore[no-untyped-call]
DRIVER = "driver"
# What the driver raises where it is spoken to directly. The last one is its own stumbling over a
# connection whose server has just gone away.
DriverError = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
# As ``Database.transaction`` gives it, or ``Database.reading``: that is the driver's own.
Transaction = AsyncSession | Any


class Prepared:
    """A statement that is made once; its parameters are ``:name`` with a cast: ``:keys::text[]``.

    What the session holds of ORM objects is not flushed before it.
    """

    NAME = re.compile(r"(?<!:):([a-z_]+)")

    def __init__(self, sql: str) -> None:
        self.names = tuple(dict.fromkeys(self.NAME.findall(sql)))
        self.sql = self.NAME.sub(lambda found: f"${self.names.index(found[1]) + 1}", sql)
        self.given: Mapping[str, Any] = {}

    @classmethod
    def of(cls, query: ClauseElement) -> "Prepared":
        """One of SQLAlchemy's, which may have values in it."""
        compiled: Any = query.compile(dialect=ASYNCPG)
        made = cls("")
        made.sql, made.names = str(compiled), tuple(compiled.positiontup or ())
        made.given = compiled.params
        return made

    async def run(self, db: Transaction, values: Mapping[str, Any] | None = None) -> list[Any]:
        """The rows that come back, as the driver makes them."""
        told = {**self.given, **(values or {})}
        connection = await driver(db)
        rows: list[Any] = await connection.fetch(self.sql, *(told[name] for name in self.names))
        return rows


async def driver(db: Transaction) -> asyncpg.Connection:
    if not isinstance(db, AsyncSession):
        return db
    if DRIVER not in db.info:
        raw = await (await db.connection()).get_raw_connection()
        db.info[DRIVER] = raw.driver_connection
    return db.info[DRIVER]
