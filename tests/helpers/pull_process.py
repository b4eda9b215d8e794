"""A process that does nothing but pull, to be killed: ``python -m … URL TENANT KEYS``."""

import asyncio
import sys
from uuid import UUID

from tests.helpers.network import Network


async def main(database_url: str, tenant_id: str, keys: str) -> None:
    async with Network(database_url, UUID(tenant_id), keys=keys) as network:
        await network.puller.look(network.tenant_id)
        await network.puller.idle()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
