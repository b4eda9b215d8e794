"""What one partner pushes, the others get: the requests as they arrive."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from hub.embedded import EmbeddedPostgres
from hub.models.tenants import Tenant
from tests.helpers.documents import tariff
from tests.helpers.network import Network, paths
from tests.helpers.partner import FakePartner

V = "2.2.1"


@pytest.fixture
async def network(postgres: EmbeddedPostgres, tenant: Tenant) -> AsyncIterator[Network]:
    async with Network(postgres.url, tenant.id) as network:
        yield network


async def test_a_tariff_reaches_the_emsp(network, partners):
    emsp = await partners.enter_async_context(FakePartner("DE*TWO EMSP"))
    await network.connect(emsp)
    await network.put("tariffs", tariff())
    await network.deliver()

    [push] = emsp.received
    assert (push.method, push.path) == ("PUT", "tariffs/NL/ONE/T1")
    assert push.body == tariff(version=V)
