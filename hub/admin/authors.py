"""Who did what the audit log tells of: a user with one of their keys, a key that is nobody's, or a
partner.

An entry keeps the user (or the key, where it is nobody's) in ``user_id``, the key in
``session_id``, and the partner who brought an object in its details.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.audit import AuditLog
from hub.models.partners import Partner
from hub.models.tenants import ApiKey, User


async def did(db: AsyncSession, author: UUID) -> ColumnElement[bool]:
    """The condition for entries of somebody."""
    key = await db.scalar(select(ApiKey).where(ApiKey.id == author))
    if key is not None and key.user_id is not None:
        return (AuditLog.user_id == key.user_id) & (AuditLog.session_id == str(author))
    if await db.scalar(select(Partner.id).where(Partner.id == author)) is not None:
        brought: ColumnElement[str] = AuditLog.details["partner_id"].as_string()
        return brought == str(author)
    return AuditLog.user_id == author


async def name_authors(db: AsyncSession, entries: Sequence[Any]) -> None:
    """Set what entries are shown with besides: ``key_id``, the name of that ``key``, and ``by``,
    the name of who did it; None where there is none.
    """
    keys = {entry.id: as_id(entry.session_id) for entry in entries}
    partners = {entry.id: as_id((entry.details or {}).get("partner_id")) for entry in entries}
    users = {entry.user_id for entry in entries}
    people = await names(db, User.id, User.email, users)
    called = await names(db, ApiKey.id, ApiKey.name, {*keys.values(), *users})
    platforms = await names(db, Partner.id, Partner.name, partners.values())
    for entry in entries:
        entry.key_id = keys[entry.id]
        entry.key = called.get(entry.key_id)
        entry.by = (
            people.get(entry.user_id)
            or called.get(entry.user_id)
            or platforms.get(partners[entry.id])
        )


async def writers(db: AsyncSession, who: Iterable[UUID | None]) -> dict[UUID | None, str]:
    """The names of users, and of keys that are nobody's."""
    wanted = set(who)
    called = await names(db, ApiKey.id, ApiKey.name, wanted)
    return called | await names(db, User.id, User.email, wanted)


async def names(
    db: AsyncSession, column: Any, name: Any, wanted: Iterable[UUID | None]
) -> dict[UUID | None, str]:
    ids = set(wanted) - {None}
    if not ids:
        return {}
    rows = await db.execute(select(column, name).where(column.in_(ids)))
    return {row[0]: row[1] for row in rows}


def as_id(text: Any) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
