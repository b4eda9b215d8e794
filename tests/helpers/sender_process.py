"""A process that does nothing but deliver, to be killed: ``python -m … URL TENANT KEYS``."""

import asyncio
import sys
from uuid import UUID

from tests.helpers.network import Network


async def main(database_url: str, tenant_id: str, keys: str) -> None:
    async with Network(database_url, UUID(tenant_id), keys=keys) as network:
        await network.sender.start()
        network.sender.wake(network.tenant_id)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
