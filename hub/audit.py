"""The audit log: who did what, in the same transaction as the deed.

An entry stands or falls with the change it tells of. What was there before and after is masked by
the class of each field (``hub.masking``): an entry cannot be changed afterwards, so no secret and
nothing that identifies a driver may get into it.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import CALLER, Caller
from hub.masking import HIDDEN, mask, mask_text
from hub.models.audit import AuditLog
from hub.models.values import AuditAction, AuditSeverity

# Characters of a text that are kept; documents belong in their own tables.
LONGEST_TEXT = 2000
LONGEST_DESCRIPTION = 1000


async def record(
    db: AsyncSession,
    action: AuditAction | str,
    entity_type: str,
    entity_id: UUID | None,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    description: str | None = None,
    severity: AuditSeverity | str = AuditSeverity.LOW,
    metadata: Mapping[str, Any] | None = None,
    user_id: UUID | None = None,
) -> None:
    """Add an entry to the log of the transaction's tenant.

    Of ``before`` and ``after`` only what differs is kept, where both are given. Who did it is the
    transaction's actor, unless ``user_id`` says otherwise; by which API key and from where, its
    caller (``Database.transaction``).
    """
    caller: Caller | None = db.info.get(CALLER)
    old, new = differences(before, after)
    values = {
        "action": AuditAction(action),
        "entity_type": entity_type,
        "entity_id": entity_id,
        "old_values": masked(old),
        "new_values": masked(new),
        "description": mask_text(description)[:LONGEST_DESCRIPTION] if description else None,
        "severity": AuditSeverity(severity),
        "details": masked(metadata),
    }
    if caller is not None:
        values |= {
            "session_id": str(caller.key_id),
            "ip_address": caller.address,
            "user_agent": caller.user_agent[:500] if caller.user_agent else None,
        }
    if user_id is not None:
        values["user_id"] = user_id
    await db.execute(insert(AuditLog).values(values))


def differences(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """Leave out what is the same in both."""
    if before is None or after is None:
        return before, after
    absent = object()
    changed = [
        name for name in {**before, **after} if before.get(name, absent) != after.get(name, absent)
    ]
    return (
        {name: before[name] for name in changed if name in before},
        {name: after[name] for name in changed if name in after},
    )


def masked(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if values is None:
        return None
    return {name: cut(mask(name, plain(value))) for name, value in values.items()}


def plain(value: Any) -> Any:
    """As JSON has it; bytes are digests or ciphertexts, and nobody's business."""
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(member) for member in value]
    if isinstance(value, datetime | Decimal | UUID):
        return str(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return HIDDEN


def cut(value: Any) -> Any:
    """Shorten long texts, at any depth."""
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return value[:LONGEST_TEXT] + "…"
    if isinstance(value, dict):
        return {name: cut(member) for name, member in value.items()}
    if isinstance(value, list):
        return [cut(member) for member in value]
    return value
