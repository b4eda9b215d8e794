"""Partitions for what is still to come, made ahead by a job."""

from sqlalchemy import text

from hub.db import Database

MONTHS_AHEAD = 1
DAYS_AHEAD = 31


async def ensure_partitions(database: Database) -> int:
    """Make the partitions of the coming month that are missing; says how many were."""
    async with database.platform() as db:
        made = await db.scalar(
            text("SELECT hub_create_partitions(:months, :days)"),
            {"months": MONTHS_AHEAD, "days": DAYS_AHEAD},
        )
    return int(made or 0)


async def stray_rows(database: Database) -> dict[str, int]:
    """Rows that no partition was made for, by table: they are safe, but slow to search."""
    async with database.platform() as db:
        rows = await db.execute(text("SELECT parent, stray FROM hub_stray_rows()"))
        return dict(rows.all())
