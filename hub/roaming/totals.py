"""How many objects a list has in all, remembered for a moment: counting 100,000 rows is no page's
job.

What this process adds or removes is counted again at once; what another process did shows after
``MOMENT`` seconds.
"""

import time
from collections import OrderedDict
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.roaming import listing
from hub.roaming.listing import Filter
from hub.roaming.modules import Module

MOMENT = 2.0
REMEMBERED = 1000


class Totals:
    def __init__(self) -> None:
        self.kept: OrderedDict[tuple[Any, ...], tuple[float, int]] = OrderedDict()

    async def of(self, db: AsyncSession, tenant_id: UUID, module: Module, wanted: Filter) -> int:
        if wanted.date_from is not None or wanted.date_to is not None:
            return await listing.count(db, module, wanted)
        receivers = None if wanted.receivers is None else tuple(wanted.receivers)
        key = (tenant_id, module.name, tuple(wanted.owners), receivers, tuple(wanted.viewers))
        counted_at, total = self.kept.get(key, (0.0, 0))
        if time.monotonic() - counted_at > MOMENT:
            total = await listing.count(db, module, wanted)
            self.kept[key] = (time.monotonic(), total)
            if len(self.kept) > REMEMBERED:
                self.kept.popitem(last=False)
        return total

    def forget(self, tenant_id: UUID, module: str) -> None:
        for key in [key for key in self.kept if key[:2] == (tenant_id, module)]:
            del self.kept[key]
