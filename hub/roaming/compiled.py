"""Statements of SQLAlchemy's that are built once and then run by the driver itself.

For what is asked very often: building the statement anew, and looking up what was built, costs more
than PostgreSQL takes to answer it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from hub.db import Connection, driver

ASYNCPG: Any = dialect()  # type: ignore[no-untyped-call]


class Compiled(NamedTuple):
    """``names`` are those of the parameters in their order; ``given`` has values for some."""

    sql: str
    names: tuple[str, ...]
    given: Mapping[str, Any]

    @classmethod
    def of(cls, query: ClauseElement) -> "Compiled":
        compiled: Any = query.compile(dialect=ASYNCPG)
        return cls(str(compiled), tuple(compiled.positiontup or ()), compiled.params)

    async def run(self, db: Connection, values: Mapping[str, Any] | None = None) -> list[Any]:
        """The rows, as the driver makes them."""
        all_values = {**self.given, **(values or {})}
        connection = await driver(db)
        rows: list[Any] = await connection.fetch(
            self.sql, *(all_values[name] for name in self.names)
        )
        return rows
