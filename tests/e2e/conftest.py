"""A hub, a CPO and an eMSP, registered with each other through the hub."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from structlog.processors import format_exc_info
from structlog.testing import capture_logs

from hub.embedded import EmbeddedPostgres
from hub.models.tenants import Tenant
from tests.helpers.hub import RunningHub
from tests.helpers.network import Network
from tests.helpers.partner import FakePartner


@pytest.fixture
def hub_settings() -> dict[str, Any]:
    """What else the hub of a test is set to."""
    return {}


@pytest.fixture
async def hub(
    postgres: EmbeddedPostgres, data_dir: Path, tenant: Tenant, hub_settings: dict[str, Any]
) -> AsyncIterator[RunningHub]:
    """The hub is NL*HUB; see ``RunningHub`` for what can be done with it."""
    running = RunningHub(postgres.url, data_dir, tenant.id, **hub_settings)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def partners() -> AsyncIterator[AsyncExitStack]:
    """``await partners.enter_async_context(FakePartner(...))``: stopped when the test ends."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def cpo(hub: RunningHub, partners: AsyncExitStack) -> FakePartner:
    """NL*ONE, a CPO that speaks 2.2.1, registered."""
    partner = await partners.enter_async_context(FakePartner("NL*ONE CPO"))
    await hub.connect(partner)
    return partner


@pytest.fixture
async def emsp(hub: RunningHub, partners: AsyncExitStack) -> FakePartner:
    """DE*TWO, an eMSP that speaks 2.2.1, registered."""
    partner = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    await hub.connect(partner)
    return partner


@pytest.fixture
async def network(postgres: EmbeddedPostgres, tenant: Tenant) -> AsyncIterator[Network]:
    """The sending half of a hub alone, NL*HUB. Nothing in it may go wrong unseen."""
    with capture_logs(processors=[format_exc_info]) as logged:
        async with Network(postgres.url, tenant.id) as network:
            yield network
    assert [entry["exception"] for entry in logged if "exception" in entry] == []
