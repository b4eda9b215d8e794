"""Keeping what older OCPI versions could not carry, for those who ask why something is missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.losses import Loss


@dataclass(frozen=True, slots=True)
class Lost:
    """What was left out of one object: ``[{"path": …, "reason": …}]``."""

    source: str
    ref: str
    version: str
    losses: tuple[tuple[str, str], ...]


async def record(db: AsyncSession, lost: Sequence[Lost]) -> None:
    """One row per object and version; writing the same again is left to the caller to avoid."""
    for item in lost:
        key: dict[str, Any] = {
            "module": item.source,
            "object_ref": item.ref,
            "ocpi_version": item.version,
        }
        losses = [{"path": path, "reason": reason} for path, reason in item.losses]
        await db.execute(
            insert(Loss)
            .values(**key, losses=losses)
            .on_conflict_do_update(
                index_elements=["tenant_id", *key],
                set_={"losses": losses, "updated_at": func.now()},
                where=Loss.losses.is_distinct_from(losses),
            )
        )
