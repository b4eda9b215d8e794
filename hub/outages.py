"""Which errors of the database say that it is away for a moment, and what callers hear then."""

import asyncpg  # type: ignore[import-untyped]
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hub.errors import Unavailable

log = structlog.get_logger()

# The database could not do it now, and did nothing: connection exceptions, operator intervention,
# insufficient resources, deadlock, serialization failure, lock not available.
PASSING = ("08", "53", "57", "40001", "40P01", "55P03", "25P03", "25006")


def is_broken(raw: asyncpg.Connection, error: BaseException) -> bool:
    """Whether a connection is good for nothing any more."""
    return raw.is_closed() or isinstance(error, asyncpg.InternalClientError)


def is_passing(error: BaseException) -> bool:
    """Whether the same request may well succeed in a moment."""
    if isinstance(error, PoolTimeout | asyncpg.InternalClientError):
        return True
    if isinstance(error, asyncpg.InterfaceError):
        return "connection is closed" in str(error)
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    sqlstate = getattr(getattr(error, "orig", error), "sqlstate", None)
    return sqlstate is not None and sqlstate.startswith(PASSING)


def unavailable(error: BaseException) -> Unavailable:
    """What the caller is told, and a line in the log: the error itself stays here."""
    if isinstance(error, PoolTimeout):
        log.warning("all database connections were in use for too long")
        return Unavailable(
            "The hub has too much to do just now; send the request again.",
            headers={"Retry-After": "1"},
        )
    log.warning("database unavailable", error=type(getattr(error, "orig", error)).__name__)
    return Unavailable(
        "The hub cannot reach its database; send the request again.", headers={"Retry-After": "1"}
    )
