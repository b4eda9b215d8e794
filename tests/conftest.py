"""A real PostgreSQL for all tests, and tenants that nobody else has.

One embedded server per test process, migrated once. Nothing is ever cleaned up: each test works in
tenants of its own, and whatever it sees of another's is a fault in the isolation. Only the partners
of a tenant are suspended when its test ends: their servers are gone, and a hub that a later test
starts would call them. And a tenant without a party gets one, or later jobs would stumble over it.
"""

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
import structlog
from sqlalchemy import update

from hub import log
from hub.db import Database
from hub.embedded import EmbeddedPostgres
from hub.migrate import migrate
from hub.models.partners import Partner
from hub.models.tenants import Tenant
from hub.models.values import PartnerStatus
from hub.settings import Settings
from tests.requirements.hook import pytest_runtest_makereport  # noqa: F401

MakeTenant = Callable[..., Awaitable[Tenant]]


@pytest.fixture(scope="session", autouse=True)
def plain_log() -> None:
    """One line per event, as in production: tracebacks that show every variable cost seconds."""
    log.configure(Settings(log_level="WARNING"))


@pytest.fixture
def own_log() -> Iterator[io.StringIO]:
    """A stream to configure the log for. What a test makes of the log ends with the test."""
    root = logging.getLogger()
    handlers, level, configured = root.handlers[:], root.level, structlog.get_config()
    yield io.StringIO()
    structlog.configure(**configured)
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def data_dir() -> Iterator[Path]:
    """Not below pytest's own directory: that is closed to the account which runs PostgreSQL."""
    with TemporaryDirectory(prefix="hub-tests-") as directory:
        yield Path(directory)


@pytest.fixture
def own_dir() -> Iterator[Path]:
    """Like `data_dir`, for a test that starts a server of its own."""
    with TemporaryDirectory(prefix="hub-tests-") as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def postgres(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """A running server whose database `hub` is migrated. Do not stop it: others use it."""
    server = EmbeddedPostgres.start(data_dir)
    # What a crash of the machine would lose, no test looks at.
    server.configure("fsync", "off")
    asyncio.run(migrate(server.admin_url))
    yield server
    server.stop()


@pytest.fixture
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """The doors to the database, as the plain role that the hub serves as."""
    database = Database(postgres.url)
    yield database
    await database.close()


@pytest.fixture
async def make_tenant(database: Database) -> AsyncIterator[MakeTenant]:
    """Make one more tenant; `**columns` as in `Tenant`."""
    made: list[Tenant] = []

    async def make(**columns: object) -> Tenant:
        tenant = Tenant(
            **{
                "id": uuid4(),
                "name": "Test network",
                "country_code": "NL",
                "party_id": "HUB",
                "cpo_country_code": "NL",
                "cpo_party_id": "OWN",
            }
            | columns
        )
        async with database.transaction(tenant.id) as db:
            db.add(tenant)
        made.append(tenant)
        return tenant

    yield make
    for tenant in made:
        async with database.transaction(tenant.id) as db:
            await db.execute(update(Partner).values(status=PartnerStatus.SUSPENDED))
            nameless = update(Tenant).where(Tenant.id == tenant.id, Tenant.party_id.is_(None))
            await db.execute(nameless.values(country_code="NL", party_id="HUB"))


@pytest.fixture
async def tenant(make_tenant: MakeTenant) -> Tenant:
    """A tenant of this test alone. The hub's party in it is NL*HUB, its stations' NL*OWN."""
    return await make_tenant()
