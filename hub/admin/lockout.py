"""Nobody locks everybody out: one who can undo what was done to others always remains."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.admin.errors import Conflict
from hub.models.tenants import Permission, RolePermission, User, UserRole
from hub.models.values import UserStatus

KEEPS_THE_TENANT = "users.update"


@asynccontextmanager
async def nobody_locked_out(db: AsyncSession) -> AsyncIterator[None]:
    """Around a change that is flushed inside: where somebody could change users before, somebody
    still can afterwards, or the change is refused.
    """
    kept = await somebody_keeps(db)
    yield
    if kept and not await somebody_keeps(db):
        raise Conflict(
            f"No active user would be left who may change users ({KEEPS_THE_TENANT}).",
            next_step="Give another user the role Administrator first.",
        )


async def somebody_keeps(db: AsyncSession) -> bool:
    """Whether an active user may change users."""
    return bool(
        await db.scalar(
            select(
                exists()
                .where(User.status == UserStatus.ACTIVE)
                .where(UserRole.user_id == User.id)
                .where(RolePermission.role_id == UserRole.role_id)
                .where(Permission.id == RolePermission.permission_id)
                .where(Permission.name == KEEPS_THE_TENANT)
            )
        )
    )
