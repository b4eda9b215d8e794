"""A running hub, and operators of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from hub.embedded import EmbeddedPostgres
from hub.models.tenants import Tenant
from tests.helpers.hub import RunningHub
from tests.helpers.operator import Operator, api_key, every_permission
from tests.helpers.partner import FakePartner

MakeOperator = Callable[..., Awaitable[Operator]]


@pytest.fixture
async def hub(
    postgres: EmbeddedPostgres, data_dir: Path, tenant: Tenant
) -> AsyncIterator[RunningHub]:
    running = RunningHub(postgres.url, data_dir, tenant.id)
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def make_operator(hub: RunningHub, tenant: Tenant, stack: AsyncExitStack) -> MakeOperator:
    """Somebody with exactly these permissions, in this test's tenant unless told otherwise."""

    async def make(*permissions: str, of: Tenant = tenant, acting_in: str = "", **columns):
        key = await api_key(hub, set(permissions), of.id, **columns)
        return await stack.enter_async_context(Operator(hub, key, tenant=acting_in))

    return make


@pytest.fixture
async def operator(hub: RunningHub, make_operator: MakeOperator) -> Operator:
    """Somebody who may do everything there is to do in the tenant."""
    return await make_operator(*await every_permission(hub.database))


@pytest.fixture
async def cpo(hub: RunningHub, stack: AsyncExitStack) -> FakePartner:
    """NL*ONE, a CPO, registered."""
    partner = await stack.enter_async_context(FakePartner("NL*ONE CPO", name="One"))
    partner.id = str(await hub.connect(partner))
    return partner


@pytest.fixture
async def emsp(hub: RunningHub, stack: AsyncExitStack) -> FakePartner:
    """DE*TWO, an eMSP, registered."""
    partner = await stack.enter_async_context(FakePartner("DE*TWO EMSP", name="Two"))
    partner.id = str(await hub.connect(partner))
    return partner
