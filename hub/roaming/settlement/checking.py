"""Every CDR that the hub keeps is checked once, and again when what it lacked has come.

    check_next    the next CDRs that nobody has checked yet, in the order of the feed
    check_again   those that waited for a tariff or location which is there now
    check_these   these, for whoever asks

The verdict lies in a row of its own beside the CDR. How far a tenant's CDRs have been checked is
a place in the feed, kept in the transaction that writes the verdicts: whoever dies in between
repeats a batch, and nothing is left out. One process at a time is at a tenant.

Nothing is written or locked before all of a batch is judged: a transaction that has written holds
the feed back until it ends.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, and_, bindparam, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import BigInteger, Numeric, String, Uuid

from hub import codec
from hub.models.cdr_checks import CheckCursor
from hub.models.values import CDRVerdict, Place
from hub.roaming import cursors
from hub.roaming.feed.changes import BETWEEN, IN_ORDER, between, place_of
from hub.roaming.pacing import Pace
from hub.roaming.pricing import answers, check
from hub.roaming.pricing.check import Outcome, Verdict
from hub.roaming.pricing.choosing import Note
from hub.roaming.pricing.quantities import to_places
from hub.roaming.settlement import disputes, rivals
from hub.roaming.settlement.evidence import Archive, Case, Evidence, Ref, spelled
from hub.roaming.store import holding

log = structlog.get_logger()

# CDRs of one transaction, and seconds after which it begins no other: it waits while it gives way,
# and one that waits for too long is ended by the server.
AT_ONCE = 50
LONGEST = 10.0
CANONICAL = "2.3.0"

# Unlike a lock on a row, this one gives the transaction no place in the feed.
ALONE = text(
    "select pg_try_advisory_xact_lock("
    "hashtextextended('cdr checks ' || current_setting('hub.tenant_id'), 0))"
)
COLUMNS = (
    "select id, country_code, party_id, object_key, document::text as document, page_seq,"
    " changed_xid, changed_seq from ocpi_cdrs"
)
NEXT = text(f"{COLUMNS} where {BETWEEN.format('')} {IN_ORDER.format('')}")
THESE = text(f"{COLUMNS} where id = any(:ids) order by page_seq").bindparams(
    bindparam("ids", type_=ARRAY(Uuid()))
)
LAST = text(
    "select changed_xid, changed_seq from ocpi_cdrs"
    " order by changed_xid desc, changed_seq desc limit 1"
)
# Where one of the things it lacked is there now.
ARRIVED = text(
    "select cdr_id from cdr_checks where awaits <> '[]' and exists ("
    " select from jsonb_array_elements_text(awaits) as wanted(ref),"
    " lateral (select split_part(ref, '/', 1) as module, split_part(ref, '/', 2) as country_code,"
    " split_part(ref, '/', 3) as party_id, substring(ref from '^(?:[^/]*/){3}(.*)$') as object_key)"
    " as key"
    " where case key.module when 'tariffs' then exists (select from tariffs as t"
    " where t.country_code = key.country_code and t.party_id = key.party_id"
    " and t.object_key = key.object_key)"
    " else exists (select from ocpi_locations as l where l.country_code = key.country_code"
    " and l.party_id = key.party_id and l.object_key = key.object_key) end) limit :limit"
)

# The columns of a verdict: how each is read from text, and its type.
WRITTEN: dict[str, tuple[str, Any]] = {
    "cdr_id": ("cdr_id", Uuid()),
    "page_seq": ("page_seq", BigInteger()),
    "verdict": ("verdict", String()),
    "currency": ("currency", String()),
    "claimed": ("claimed", Numeric()),
    "expected": ("expected", Numeric()),
    "flags": ("flags::jsonb", String()),
    "awaits": ("awaits::jsonb", String()),
    "report": ("report::json", String()),
    "session_ref": ("session_ref", String()),
    "token_ref": ("token_ref", String()),
    "evse_ref": ("evse_ref", String()),
    "starts_at": ("starts_at", TIMESTAMP(timezone=True)),
    "ends_at": ("ends_at", TIMESTAMP(timezone=True)),
}
# One statement for a batch. The state of a dispute stays as it is.
WRITE = text(
    f"insert into cdr_checks ({', '.join(WRITTEN)}, difference)"  # noqa: S608 - ours
    f" select {', '.join(cast for cast, _ in WRITTEN.values())}, claimed - expected"
    f" from unnest({', '.join(f':{name}' for name in WRITTEN)}) as given({', '.join(WRITTEN)})"
    " on conflict (tenant_id, cdr_id) do update set"
    f" {', '.join(f'{name} = excluded.{name}' for name in WRITTEN if name != 'cdr_id')},"
    " difference = excluded.difference, checked_at = clock_timestamp(), updated_at = now()"
).bindparams(*(bindparam(name, type_=ARRAY(type_)) for name, (_, type_) in WRITTEN.items()))

VERDICTS = {
    Outcome.OK: CDRVerdict.OK,
    Outcome.DIFFERS: CDRVerdict.DIFFERS,
    Outcome.CANNOT_TELL: CDRVerdict.CANNOT_TELL,
}


@dataclass
class Checked:
    """What came of a batch: the verdicts, and which CDRs need not wait any longer."""

    verdicts: list[CDRVerdict] = field(default_factory=list)
    released: list[UUID] = field(default_factory=list)

    def __add__(self, other: "Checked") -> "Checked":
        return Checked(self.verdicts + other.verdicts, self.released + other.released)


async def check_next(db: AsyncSession, *, seconds: float = LONGEST) -> Checked:
    """Check the next CDRs. None when there are none, or when another process is at it."""
    if not await db.scalar(ALONE):
        return Checked()
    since = await place_of_cursor(db)
    until = await cursors.settled(db)
    rows = (await db.execute(NEXT, between(since, until, AT_ONCE))).all()
    if not rows:
        return Checked(released=await holding.let_go(db))
    found = await judge(db, rows, seconds)
    await move_cursor(db, since, place_of(rows[len(found.verdicts) - 1]))
    return found


async def place_of_cursor(db: AsyncSession) -> Place:
    cursor = await db.scalar(select(CheckCursor))
    return Place(0) if cursor is None else Place(cursor.xid, cursor.seq)


async def move_cursor(db: AsyncSession, since: Place, last: Place) -> None:
    """Onwards, unless somebody has set it back meanwhile (``reset``)."""
    await db.execute(
        insert(CheckCursor)
        .values(xid=last.xid, seq=last.seq)
        .on_conflict_do_update(
            index_elements=["tenant_id"],
            set_={"xid": last.xid, "seq": last.seq},
            where=and_(CheckCursor.xid == since.xid, CheckCursor.seq == since.seq),
        )
    )


async def is_behind(db: AsyncSession) -> bool:
    """Whether there are CDRs to check, settled or not."""
    cursor = await db.scalar(select(CheckCursor))
    last = (await db.execute(LAST)).first()
    if cursor is None or last is None:
        return last is not None
    return place_of(last) > Place(cursor.xid, cursor.seq)


async def check_again(db: AsyncSession) -> Checked:
    """Check anew what lacked a tariff or location that is known by now."""
    rows = await these(db, list(await db.scalars(ARRIVED, {"limit": AT_ONCE})))
    return await judge(db, rows) if rows else Checked()


async def check_these(db: AsyncSession, cdr_ids: Sequence[UUID]) -> Checked:
    found, rows = Checked(), await these(db, cdr_ids)
    while waiting := rows[len(found.verdicts) :]:
        found += await judge(db, waiting)
    return found


async def these(db: AsyncSession, cdr_ids: Sequence[UUID]) -> Sequence[Row[Any]]:
    return (await db.execute(THESE, {"ids": list(cdr_ids)})).all() if cdr_ids else []


async def judge(db: AsyncSession, rows: Sequence[Row[Any]], seconds: float = LONGEST) -> Checked:
    """Judge CDRs, in their order and at least one of them, for so many seconds; write the verdicts
    down, and then what was held may be free to go.
    """
    started = time.monotonic()
    cases = [case_of(row) for row in rows]
    archive = await Archive(db, cases).read()
    earlier = await rivals.of(db, cases)
    found, pace = Checked(), Pace()
    taken_back: dict[Ref, str] = {}
    verdicts: list[dict[str, Any]] = []
    for case in cases:
        began = time.perf_counter()
        known = archive.of(case, earlier.of(case))
        values = written(case, known, judged(case, known))
        verdicts.append(values)
        found.verdicts.append(CDRVerdict(values["verdict"]))
        if case.credits and values["verdict"] == CDRVerdict.OK:
            taken_back[case.credits] = str(case.document["id"])
        await pace.give_way(time.perf_counter() - began)
        if time.monotonic() - started > seconds:
            break
    await db.execute(WRITE, {name: [row[name] for row in verdicts] for name in WRITTEN})
    await disputes.settle_credited(db, taken_back)
    found.released = await holding.let_go(db)
    return found


def case_of(row: Row[Any]) -> Case:
    return Case(
        cdr_id=row.id,
        page_seq=row.page_seq,
        owner=(row.country_code, row.party_id),
        key=row.object_key,
        document=codec.read_stored(row.document),
    )


def judged(case: Case, known: Evidence) -> Verdict:
    """The verdict. One CDR that the engine itself fails at must not hold up all others."""
    try:
        return with_doubt(
            check.check(
                case.document,
                known.tariffs,
                time_zone=known.time_zone,
                ocpi_version=CANONICAL,
                context=known.context,
            ),
            known,
        )
    except Exception:
        log.exception("CDR could not be checked", cdr=case.key)
        return Verdict(Outcome.CANNOT_TELL, reasons=("The check itself failed.",))


def with_doubt(verdict: Verdict, known: Evidence) -> Verdict:
    """A difference proves nothing against a tariff that was another one when it all began."""
    if not known.changed_since:
        return verdict
    said = "A tariff that the CDR does not carry has changed since its session started."
    note = Note("tariff_changed_since", said, doubtful=True)
    verdict = replace(verdict, notes=(*verdict.notes, note))
    if verdict.outcome is Outcome.DIFFERS:
        verdict = replace(verdict, outcome=Outcome.CANNOT_TELL, reasons=(*verdict.reasons, said))
    return verdict


def written(case: Case, known: Evidence, verdict: Verdict) -> dict[str, Any]:
    """The row of a verdict, as ``WRITE`` takes it."""
    claimed, expected = totals(verdict)
    return {
        "cdr_id": case.cdr_id,
        "page_seq": case.page_seq,
        "verdict": VERDICTS[verdict.outcome],
        "currency": str(case.document.get("currency") or "")[:10] or None,
        "claimed": claimed,
        "expected": expected,
        "flags": codec.write_text(verdict.flags),
        "awaits": codec.write_text(awaited(verdict, known)),
        "report": codec.write_text(answers.report(verdict)),
        "session_ref": spelled(case.session),
        "token_ref": spelled(case.driver),
        "evse_ref": spelled(case.evse),
        "starts_at": case.starts_at,
        "ends_at": case.ends_at,
    }


def totals(verdict: Verdict) -> tuple[Decimal | None, Decimal | None]:
    """The total cost before taxes, as claimed and as it should be."""
    claimed = None if verdict.claim is None else verdict.claim.before
    expected = None if verdict.total is None else verdict.total.before
    return claimed, None if expected is None else to_places(expected, 4)


def awaited(verdict: Verdict, known: Evidence) -> list[str]:
    """What may still come and change the verdict."""
    if verdict.outcome is not Outcome.CANNOT_TELL:
        return []
    found = list(known.tariffs_missing)
    if verdict.code == "unknown_time_zone":
        found += known.location_missing
    return found


async def reset(db: AsyncSession) -> None:
    """Begin anew: all CDRs are checked again, as after a change of the engine."""
    await db.execute(update(CheckCursor).values(xid=0, seq=0))
