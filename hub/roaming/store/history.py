"""What the audit log says of OCPI objects: who changed what, the members that changed before and
after.

Members are masked by what they hold (driver identifiers, secrets); lists and nested objects are
told by their size, for the document itself is kept in full beside its row. One statement for a
group of changes, in the transaction that makes them.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec, masking
from hub.models.values import AuditAction
from hub.prepared import Prepared

Document = dict[str, Any]

INSERT = Prepared("""
    insert into audit_logs (action, entity_type, description, old_values, new_values, metadata)
    select action, kind, object, before::jsonb, after::jsonb, details::jsonb
    from unnest(:actions::text[], :kinds::text[], :objects::text[], :befores::text[],
                :afters::text[], :details::text[])
         as given(action, kind, object, before, after, details)
""")


class Change(NamedTuple):
    """One object before and after; None before: it is new, None after: it is gone."""

    kind: str
    object_ref: str
    partner_id: UUID | None
    before: Document | None
    after: Document | None

    @property
    def action(self) -> AuditAction:
        if self.after is None:
            return AuditAction.DELETE
        return AuditAction.CREATE if self.before is None else AuditAction.UPDATE


async def record(db: AsyncSession, changes: Sequence[Change]) -> None:
    pairs = [differing(change.before, change.after) for change in changes]
    await INSERT.run(
        db,
        {
            "actions": [change.action for change in changes],
            "kinds": [change.kind for change in changes],
            "objects": [shown_ref(change) for change in changes],
            "befores": [before for before, _ in pairs],
            "afters": [after for _, after in pairs],
            "details": [origin(change.partner_id) for change in changes],
        },
    )


def differing(before: Document | None, after: Document | None) -> tuple[str | None, str | None]:
    """The members that differ, as they may be shown, before and after."""
    if before is None or after is None:
        return None if before is None else shown(before), None if after is None else shown(after)
    old = {name: value for name, value in before.items() if after.get(name) != value}
    new = {name: value for name, value in after.items() if name in old or name not in before}
    return shown(old), shown(new)


def shown(members: Document) -> str:
    return codec.write_text({name: summary(name, value) for name, value in members.items()})


def summary(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return f"{len(value)} items"
    if isinstance(value, dict):
        return masking.mask(name, {key: summary(key, member) for key, member in value.items()})
    return masking.mask(name, value)


def shown_ref(change: Change) -> str:
    """A token's id is a driver's: only its owner is named."""
    if change.kind != "Token":
        return change.object_ref
    country, party, key = change.object_ref.split("/", 2)
    return f"{country}/{party}/{masking.mask('uid', key)}"


def origin(partner_id: UUID | None) -> str:
    return codec.write_text({"partner_id": None if partner_id is None else str(partner_id)})
