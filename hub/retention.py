"""What is kept long enough goes: audit entries by sealed links, meter values by whole partitions.

The hub's own role may delete neither; functions of the owner's do it, and nothing that is younger
than they allow.
"""

from uuid import UUID

from sqlalchemy import text

from hub import audit
from hub.db import Database
from hub.models.values import AuditAction

PURGE = text("SELECT hub_purge_audit(:months)")
DROP = text("SELECT hub_drop_partitions(:months)")


async def purge_audit(database: Database, tenant_id: UUID, months: int) -> int:
    """Remove a tenant's entries in links that are older than so many months; says how many went."""
    gone = 0
    while True:
        async with database.transaction(tenant_id) as db:
            purged = int(await db.scalar(PURGE, {"months": months}) or 0)
            if purged:
                await audit.record(
                    db,
                    AuditAction.SYSTEM_EVENT,
                    "audit_log",
                    None,
                    description=f"{purged} entries older than {months} months were removed",
                )
        gone += purged
        if not purged:
            return gone


async def drop_partitions(database: Database, months: int) -> int:
    """Drop the days of meter values that are older than so many months; says how many."""
    async with database.platform() as db:
        return int(await db.scalar(DROP, {"months": months}) or 0)
