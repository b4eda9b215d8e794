"""The chain over the audit log: an entry that is changed, removed or added later shows (T-56).

    seal     every few minutes what is new becomes one more link of the tenant's chain
    examine  the links and the entries are compared, in order; the first fault is named

An entry cannot point at the one before when it is written: then all writers of a tenant would wait
for each other. So entries are chained afterwards, in the order of the feed, as soon as no earlier
one can appear any more. Until then they are protected by the grants alone.

A link holds the digest of the link before, and is sealed with the hub's secret key: the database's
owner can remove entries, but not make a chain without them. What would not be noticed is that the
newest links are missing, unless somebody remembers how far the chain went: ``examine`` is told.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.models.audit import AuditSegment
from hub.models.values import Place
from hub.security import Keyring

# A link is made of so many entries, or of fewer when the oldest of them has waited this long.
LONGEST = 1000
PATIENCE = timedelta(minutes=5)

# No entry that is younger goes by age; see the function of the migration that removes them.
KEPT = timedelta(days=180)

BEGINNING = bytes(32)
MARK = 16 + 32

# Computed by PostgreSQL, of the very values that lie there; the same whenever it is asked.
DIGEST = (
    "sha256(convert_to(jsonb_build_array(tenant_id, id,"
    " (extract(epoch from timestamp) * 1000000)::bigint, user_id, session_id, ip_address,"
    " user_agent, action, entity_type, entity_id, old_values, new_values, description, severity,"
    " metadata)::text, 'UTF8'))"
)
AFTER = "(changed_xid, changed_seq) > (cast(:xid as xid8), cast(:seq as bigint))"
UP_TO = "(changed_xid, changed_seq) <= (cast(:end_xid as xid8), cast(:end_seq as bigint))"
IN_ORDER = "order by changed_xid, changed_seq"
NEW = text(
    f"select id, {DIGEST} as digest, timestamp, changed_xid, changed_seq from audit_logs"  # noqa: S608 - ours
    f" where {AFTER} and changed_xid < pg_snapshot_xmin(pg_current_snapshot())"
    f" {IN_ORDER} limit :limit"
)
OLD = text(f"select id, {DIGEST} as digest from audit_logs where {AFTER} and {UP_TO} {IN_ORDER}")  # noqa: S608 - ours
WAITING = text(f"select count(*) from audit_logs where {AFTER}")  # noqa: S608 - ours


@dataclass(frozen=True)
class Fault:
    """The first thing that is wrong: in which link, with which entry, and what."""

    segment: int
    entry: UUID | None
    what: str


@dataclass
class Proof:
    """How far seals prove the chain. One that holds proves every link before it as well.

    ``sealed`` says that one held; ``unknown`` are the keys of the links behind it that could not be
    checked because the keyring does not have them any more.
    """

    sealed: bool = False
    unknown: set[str] = field(default_factory=set)

    def broken(self, segment: AuditSegment, keyring: Keyring) -> Fault | None:
        sealed = keyring.is_sealed(segment.digest, segment.key_id, segment.seal)
        if sealed is None:
            self.unknown.add(segment.key_id)
        elif sealed:
            self.sealed = True
            self.unknown.clear()
        else:
            return Fault(segment.number, None, "the link was not sealed by this hub")
        return None


@dataclass(frozen=True)
class Finding:
    """What came of examining some links. ``after`` is where to go on, None at the end of the chain.

    ``digest`` is that of the last link that was found right.
    """

    segments: int = 0
    entries: int = 0
    purged: int = 0
    fault: Fault | None = None
    after: int | None = None
    digest: bytes = BEGINNING
    unsealed: int = 0
    proof: Proof = field(default_factory=Proof)


async def last_link(db: AsyncSession) -> AuditSegment | None:
    return await db.scalar(select(AuditSegment).order_by(AuditSegment.number.desc()).limit(1))


async def seal(db: AsyncSession, keyring: Keyring, *, patience: timedelta = PATIENCE) -> int:
    """Make one more link of what is new; returns of how many entries, 0: it can wait."""
    last = await last_link(db)
    place = Place(last.xid, last.seq) if last else Place(0, -1)
    values = {"xid": place.xid, "seq": place.seq, "limit": LONGEST}
    rows = (await db.execute(NEW, values)).all()
    if not rows:
        return 0
    now = await db.scalar(select(func.clock_timestamp()))
    if len(rows) < LONGEST and now is not None and rows[0].timestamp > now - patience:
        return 0
    marks = b"".join(row.id.bytes + bytes(row.digest) for row in rows)
    number, previous = (last.number + 1, last.digest) if last else (1, BEGINNING)
    content = sha256(marks).digest()
    last_at = max(row.timestamp for row in rows)
    digest = chained(previous, number, len(rows), last_at, content)
    await db.execute(
        insert(AuditSegment).values(
            number=number,
            entries=len(rows),
            first_at=min(row.timestamp for row in rows),
            last_at=last_at,
            xid=rows[-1].changed_xid,
            seq=rows[-1].changed_seq,
            marks=marks,
            content=content,
            previous=previous,
            digest=digest,
            seal=keyring.seal(digest),
            key_id=keyring.key_id,
        )
    )
    return len(rows)


def chained(previous: bytes, number: int, entries: int, last_at: datetime, content: bytes) -> bytes:
    facts = f"hub audit 1 {number} {entries} {last_at.astimezone(UTC).isoformat()} "
    return sha256(facts.encode() + previous + content).digest()


async def seal_all(
    database: Database, tenant_id: UUID, keyring: Keyring, *, patience: timedelta = PATIENCE
) -> None:
    """Seal what a tenant has, in a transaction for each link."""
    sealed = LONGEST
    while sealed == LONGEST:
        async with database.transaction(tenant_id) as db:
            sealed = await seal(db, keyring, patience=patience)


async def examine(
    db: AsyncSession, keyring: Keyring, *, after: int = 0, limit: int = 20
) -> Finding:
    """Compare the links behind a number with the entries, and stop at the first fault."""
    before = await db.scalar(select(AuditSegment).where(AuditSegment.number == after))
    if before is None and after:
        return Finding(fault=Fault(after, None, "the link is missing"))
    place = Place(before.xid, before.seq) if before else Place(0, -1)
    digest = before.digest if before else BEGINNING
    found = await db.scalars(
        select(AuditSegment)
        .where(AuditSegment.number > after)
        .order_by(AuditSegment.number)
        .limit(limit)
    )
    segments, entries, purged, proof = list(found), 0, 0, Proof()
    for count, segment in enumerate(segments):
        fault = broken(segment, after + count + 1, digest) or proof.broken(segment, keyring)
        fault = fault or await unlike(db, segment, place)
        if fault is not None:
            return Finding(count, entries, purged, fault=fault, digest=digest, proof=proof)
        entries += 0 if segment.purged_at else segment.entries
        purged += segment.entries if segment.purged_at else 0
        place, digest = Place(segment.xid, segment.seq), segment.digest
    more = len(segments) == limit
    unsealed = await db.scalar(WAITING, {"xid": place.xid, "seq": place.seq}) or 0
    return Finding(
        len(segments),
        entries,
        purged,
        after=after + len(segments) if more else None,
        digest=digest,
        unsealed=0 if more else unsealed,
        proof=proof,
    )


def broken(segment: AuditSegment, number: int, previous: bytes) -> Fault | None:
    """What is wrong with a link itself."""
    if segment.number != number:
        return Fault(number, None, "the link is missing")
    digest = chained(previous, number, segment.entries, segment.last_at, segment.content)
    if segment.previous != previous or digest != segment.digest:
        return Fault(number, None, "the link was changed")
    if segment.marks is None and segment.last_at > datetime.now(UTC) - KEPT:
        return Fault(number, None, "its entries were removed before their time")
    if segment.marks is not None and sha256(segment.marks).digest() != segment.content:
        return Fault(number, None, "the marks of its entries were changed")
    return None


async def unlike(db: AsyncSession, segment: AuditSegment, place: Place) -> Fault | None:
    """What is wrong with a link's entries, unless they were kept long enough a moment ago."""
    fault = await differing(db, segment, place)
    if fault is None:
        return None
    await db.refresh(segment)
    return broken(segment, segment.number, segment.previous) or await differing(db, segment, place)


async def differing(db: AsyncSession, segment: AuditSegment, place: Place) -> Fault | None:
    """The first entry of a link that is not as it was sealed."""
    values = {"xid": place.xid, "seq": place.seq, "end_xid": segment.xid, "end_seq": segment.seq}
    there = {row.id: bytes(row.digest) for row in await db.execute(OLD, values)}
    for entry, digest in marks_of(segment):
        if entry not in there:
            return Fault(segment.number, entry, "the entry is missing")
        if there.pop(entry) != digest:
            return Fault(segment.number, entry, "the entry was changed")
    for entry in there:
        return Fault(segment.number, entry, "the entry was added later")
    return None


def marks_of(segment: AuditSegment) -> Iterator[tuple[UUID, bytes]]:
    marks = segment.marks or b""
    for start in range(0, len(marks), MARK):
        yield UUID(bytes=marks[start : start + 16]), marks[start + 16 : start + MARK]
