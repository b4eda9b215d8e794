"""How many objects a list has in all, remembered for a moment: counting 100,000 rows is no page's
job.

What this process adds or removes is counted again at once; what another process did shows after
``MOMENT`` seconds, or later where counting takes long.
"""

import time
from collections import OrderedDict
from uuid import UUID

from hub.prepared import Transaction
from hub.roaming.modules import Module
from hub.roaming.store import listing
from hub.roaming.store.filters import Filter

MOMENT = 2.0
# What takes long to count is remembered for longer: so many times what it took.
PATIENCE = 50
REMEMBERED = 1000


class Totals:
    def __init__(self) -> None:
        # Until when a total is good, and the total.
        self.kept: OrderedDict[tuple[UUID, str, Filter], tuple[float, int]] = OrderedDict()

    async def of(self, db: Transaction, tenant_id: UUID, module: Module, wanted: Filter) -> int:
        if wanted.dates:
            return await listing.count(db, module, wanted)
        key = (tenant_id, module.name, wanted)
        good_until, total = self.kept.get(key, (0.0, 0))
        began = time.monotonic()
        if began > good_until:
            total = await listing.count(db, module, wanted)
            now = time.monotonic()
            self.kept[key] = (now + max(MOMENT, PATIENCE * (now - began)), total)
            if len(self.kept) > REMEMBERED:
                self.kept.popitem(last=False)
        return total

    def forget(self, tenant_id: UUID, module: str) -> None:
        for key in [key for key in self.kept if key[:2] == (tenant_id, module)]:
            del self.kept[key]
