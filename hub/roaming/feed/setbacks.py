"""Objects that one partner would not take while it took others: set aside, with the reason.

The cursor goes on without them. What is tried again is the object as it is then, never an old
message; when the object changes, the feed tells of it anyway and a success settles the setback. A
state is tried again by itself only where the answer spoke of the receiver's own trouble. A record
that is refused gets two more tries within the hour, then somebody must look at it: it is owed, but
not in this form.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import String, Uuid

from hub.errors import NotFound
from hub.models.feed import Setback
from hub.models.values import Party
from hub.roaming import cursors

# Seconds after the first and the second refusal of a record.
RECORD_RETRIES = (20 * 60.0, 40 * 60.0)
# How often a state is tried that the receiver cannot digest, while it digests others.
STATE_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a party's platform said to one object. ``passing``: it may well say otherwise later;
    ``alone``: it took nothing else at the time, so perhaps it was not about this object.
    """

    partner_id: UUID
    party: Party
    source: str
    ref: str
    reason: str
    http_status: int | None = None
    status_code: int | None = None
    passing: bool = False
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """A setback that is not settled. ``due``: it is time to try again."""

    id: UUID
    partner_id: UUID
    party: Party
    ref: str
    attempts: int
    due: bool


def next_attempt(refusal: Refusal, attempts: int) -> float | None:
    """Seconds until it is tried again, after so many attempts; None: not by itself."""
    record = refusal.source in cursors.RECORDS
    if refusal.passing:
        again = record or refusal.alone or attempts < STATE_ATTEMPTS
        return cursors.delay(attempts) if again else None
    if record and attempts <= len(RECORD_RETRIES):
        return RECORD_RETRIES[attempts - 1]
    return None


async def set_aside(db: AsyncSession, refusal: Refusal, *, attempts: int) -> bool:
    """Keep the reason; ``attempts`` with this one. Says whether the object is given up for now."""
    seconds = next_attempt(refusal, attempts)
    values: dict[str, Any] = {
        "http_status": refusal.http_status,
        "status_code": refusal.status_code,
        "reason": refusal.reason[:1000],
        "attempts": attempts,
        "next_attempt_at": None
        if seconds is None
        else func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, literal(seconds)),
        "settled_at": None,
    }
    key = {
        "partner_id": refusal.partner_id,
        "party": str(refusal.party),
        "module": refusal.source,
        "object_ref": refusal.ref,
    }
    await db.execute(
        insert(Setback)
        .values(**key, **values)
        .on_conflict_do_update(
            index_elements=["tenant_id", *key], set_=values | {"updated_at": func.now()}
        )
    )
    return seconds is None


OPEN = text(
    "select id, partner_id, party, object_ref, attempts,"
    " coalesce(next_attempt_at <= clock_timestamp(), false) as due from setbacks"
    " where partner_id = any(:partners) and module = :source and settled_at is null"
    " and (object_ref = any(:refs) or next_attempt_at <= clock_timestamp())"
    " order by next_attempt_at nulls last limit :limit"
).bindparams(bindparam("partners", type_=ARRAY(Uuid())), bindparam("refs", type_=ARRAY(String())))
MOST_AT_ONCE = 1000


async def open_for(
    db: AsyncSession, source: str, partners: Collection[UUID], refs: Iterable[str]
) -> list[Open]:
    """What of these objects is set aside for these partners, and whatever else of theirs is due."""
    if not partners:
        return []
    rows = await db.execute(
        OPEN,
        {
            "source": source,
            "partners": sorted(partners),
            "refs": sorted(set(refs)),
            "limit": MOST_AT_ONCE,
        },
    )
    return [
        Open(row.id, row.partner_id, Party.parse(row.party), row.object_ref, row.attempts, row.due)
        for row in rows
    ]


async def due(db: AsyncSession) -> dict[str, set[UUID]]:
    """By source, the partners for whom something is to be tried again."""
    found: dict[str, set[UUID]] = {}
    rows = await db.execute(
        select(Setback.module, Setback.partner_id)
        .where(Setback.settled_at.is_(None), Setback.next_attempt_at <= func.clock_timestamp())
        .distinct()
    )
    for source, partner_id in rows:
        found.setdefault(source, set()).add(partner_id)
    return found


async def settle(db: AsyncSession, setback_ids: Sequence[UUID]) -> None:
    """The partner took the object after all, or it is no more."""
    if setback_ids:
        await db.execute(
            update(Setback)
            .where(Setback.id.in_(setback_ids), Setback.settled_at.is_(None))
            .values(settled_at=func.now(), next_attempt_at=None)
        )


async def postpone(db: AsyncSession, setback_ids: Sequence[UUID]) -> None:
    """It is owed, but the partner may not have it now: look again in a while."""
    if setback_ids:
        await db.execute(
            update(Setback)
            .where(Setback.id.in_(setback_ids))
            .values(next_attempt_at=func.clock_timestamp() + timedelta(seconds=cursors.HELD_FOR))
        )


HASTEN = text(
    "update setbacks set next_attempt_at = clock_timestamp(), updated_at = now()"
    " where module = :source"
    " and (partner_id, party) in (select * from unnest(:partners, :parties))"
    " and settled_at is null and next_attempt_at is not null returning partner_id"
).bindparams(
    bindparam("partners", type_=ARRAY(Uuid())), bindparam("parties", type_=ARRAY(String()))
)


async def hasten(
    db: AsyncSession, source: str, parties: Mapping[UUID, Collection[Party]]
) -> Counter[UUID]:
    """What is set aside for these parties, by partner, and to be tried again is tried at once; how
    much is, by partner.
    """
    pairs = [(partner_id, str(party)) for partner_id, of in parties.items() for party in of]
    if not pairs:
        return Counter()
    partners, named = zip(*pairs, strict=True)
    found = await db.scalars(
        HASTEN, {"source": source, "partners": list(partners), "parties": list(named)}
    )
    return Counter(found)


async def replay(db: AsyncSession, setback_id: UUID) -> Setback:
    """An operator wants the object tried again now, as it is now. Wake the sender afterwards.

    Safe to repeat: the receiver gets the same object under the same id. Raises NotFound for a
    setback that does not exist or is settled.
    """
    found = await db.scalars(
        update(Setback)
        .where(Setback.id == setback_id, Setback.settled_at.is_(None))
        .values(attempts=0, next_attempt_at=func.clock_timestamp())
        .returning(Setback)
    )
    setback = found.first()
    if setback is None:
        raise NotFound("There is no such setback, or it is settled.")
    return setback
