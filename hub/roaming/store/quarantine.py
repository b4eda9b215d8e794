"""Objects that came with a fault: kept with field, rule and sender until a good one arrives.

One bad object never costs the good ones (TRANSPORT-14). A partner's open entries are bounded; an
entry for the same object replaces the one before.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.feed import QuarantinedObject
from hub.roaming.modules import MODULES, TOKENS

MOST_PER_PARTNER = 5000
LONGEST_BODY = 64 * 1024


async def note(db: AsyncSession, **told: Any) -> None:
    """Keep one refused object; see ``entry`` for what is told of it."""
    await note_all(db, [entry(**told)])


def entry(
    *,
    partner_id: UUID,
    module: str,
    kind: str,
    ocpi_version: str,
    source: str,
    body: str,
    errors: Sequence[Mapping[str, Any]],
    object_ref: str | None = None,
) -> QuarantinedObject:
    """A refused object. ``errors`` are ``{"field", "rule"}``; long bodies are cut."""
    return QuarantinedObject(
        partner_id=partner_id,
        module=module,
        kind=kind,
        ocpi_version=ocpi_version,
        object_ref=object_ref[:200] if object_ref else None,
        source=source,
        body=body.replace("\x00", "\\u0000")[:LONGEST_BODY],
        errors=[dict(error) for error in errors[:50]],
    )


async def note_all(db: AsyncSession, entries: Sequence[QuarantinedObject]) -> None:
    """Keep refused objects of one partner, in place of older entries for the same objects."""
    if not entries:
        return
    partner_id = entries[0].partner_id
    latest = {(one.module, one.object_ref or number): one for number, one in enumerate(entries)}
    named = [key for key, one in latest.items() if one.object_ref is not None]
    await db.execute(
        delete(QuarantinedObject).where(
            QuarantinedObject.partner_id == partner_id,
            tuple_(QuarantinedObject.module, QuarantinedObject.object_ref).in_(named),
            QuarantinedObject.settled_at.is_(None),
        )
    )
    db.add_all(latest.values())
    await db.flush()
    await db.execute(
        delete(QuarantinedObject).where(
            QuarantinedObject.id.in_(
                select(QuarantinedObject.id)
                .where(QuarantinedObject.partner_id == partner_id)
                .order_by(QuarantinedObject.created_at.desc())
                .offset(MOST_PER_PARTNER)
            )
        )
    )


async def settle(db: AsyncSession) -> None:
    """Close the entries of objects that have arrived in good shape since."""
    for name, module in MODULES.items():
        key = "upper(kept.object_id)" if module is TOKENS else "kept.object_key"
        await db.execute(
            text(f"""
                update quarantined_objects as bad set settled_at = now()
                from {module.table_name} as kept
                where bad.settled_at is null and bad.module = :module
                  and bad.object_ref = kept.country_code || '/' || kept.party_id || '/' || {key}
                  and kept.received_at > bad.created_at
            """),  # noqa: S608 - table names are ours
            {"module": name},
        )
    await db.execute(
        text("""
            update quarantined_objects as bad set settled_at = now()
            from ocpi_evses as kept
            where bad.settled_at is null and bad.kind = 'EVSE'
              and bad.object_ref = kept.country_code || '/' || kept.party_id || '/'
                                   || kept.location_key || '/' || kept.object_key
              and kept.received_at > bad.created_at
        """)
    )


async def dismiss(db: AsyncSession, entry_id: UUID) -> None:
    await db.execute(
        update(QuarantinedObject)
        .where(QuarantinedObject.id == entry_id)
        .values(settled_at=text("now()"))
    )
