"""What Alembic runs: the migrations, on the connection that ``hub.migrate`` opened.

Each migration is a transaction of its own, so that one that fails leaves the earlier ones done.
"""

import asyncio
import re

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from hub.models.all import METADATA
from hub.models.base import TransactionId
from hub.settings import Settings, SettingsError

# A type that SQLAlchemy does not know when it meets it in a database.
ischema_names["xid8"] = TransactionId

PARTITION = re.compile(r"(charging_sessions|meter_values)_(default|\d{4}_\d{2}(_\d{2})?)")


def is_ours(name: str | None, kind: str, parents: dict[str, str | None]) -> bool:
    """Partitions come and go without migrations."""
    return kind != "table" or name is None or not PARTITION.fullmatch(name)


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        include_name=is_ours,
        compare_type=True,
        compare_server_default=False,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_run() -> None:
    url = Settings.from_env().database_url
    if url is None:
        raise SettingsError("HUB_DATABASE_URL is not set: name the database, as its owner.")
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()


if (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    asyncio.run(connect_and_run())
