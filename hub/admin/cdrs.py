"""CDRs as the hub found them: verdicts, what led to them, disputes, and those that are held.

What a CDR itself says is shown with all other objects (``objects``).
"""

from decimal import Decimal
from typing import Any

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit, codec
from hub.admin import authors
from hub.admin.auth import ACTOR, transaction
from hub.admin.cdr_lists import (
    MONEY,
    Amount,
    CDRQuery,
    CDRRow,
    filtered,
    ordered,
    row_of,
    rows,
)
from hub.admin.errors import Conflict, Missing
from hub.admin.input import Input
from hub.admin.objects import read_row, ref
from hub.admin.output import cut, page_of
from hub.admin.routes import BODY, QUERY, Routes
from hub.keys import CHECKER, SENDER
from hub.models.cdr_checks import CDRCheck, CDRNote
from hub.models.objects import CDR
from hub.models.values import AuditAction, Dispute, Party
from hub.roaming.modules import CDRS
from hub.roaming.settlement import checking, disputes
from hub.roaming.store import holding
from hub.roaming.store.rows import Key

routes = Routes("CDRs")

PATH = "/cdrs/{country_code}/{party_id}/{id:.+}"


class NoteShown(Schema):
    created_at = fields.AwareDateTime()
    created_by = fields.UUID(allow_none=True, metadata={"description": "Null: the hub itself."})
    by = fields.String(
        allow_none=True, metadata={"description": "The user's e-mail address, or the key's name."}
    )
    dispute = fields.String(allow_none=True)
    note = fields.String()


class Credit(Schema):
    id = fields.String()
    claimed = Amount(allow_none=True, metadata=MONEY)
    verdict = fields.String(allow_none=True)


class CDRInFull(CDRRow):
    checked_at = fields.AwareDateTime(allow_none=True)
    awaits = fields.List(
        fields.String(),
        metadata={"description": "What the check lacked; it is repeated when this comes."},
    )
    report = fields.Dict(
        allow_none=True,
        metadata={
            "description": "Reasons, mismatches, faults, all totals and how they came about."
        },
    )
    credited_by = fields.List(fields.Nested(Credit))
    net = Amount(
        allow_none=True,
        metadata={"description": "What remains of the claimed total after all credits."},
    )
    notes = fields.List(fields.Nested(NoteShown))


class NewNote(Input):
    note = fields.String(required=True, validate=validate.Length(1, 1000))
    dispute = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf(list(Dispute)),
        metadata={"description": "The state to which this brings the dispute; null for none."},
    )


class Why(Input):
    note = fields.String(required=True, validate=validate.Length(1, 1000))


class Begun(Schema):
    checking = fields.String()


CDRPage: type[Schema] = page_of(CDRRow)


@routes.get("/cdrs", permission="cdrs.read", query=CDRQuery, answer=CDRPage)
async def list_cdrs(request: web.Request) -> Any:
    """CDRs with their verdicts, the latest or the largest difference first."""
    query = request[QUERY]
    found, name = ordered(filtered(rows(), query), query)
    async with transaction(request) as db:
        items = [row_of(row) for row in await db.execute(found.limit(query["limit"] + 1))]
    return cut(items, query["limit"], name)


@routes.get(PATH, permission="cdrs.read", answer=CDRInFull)
async def show_cdr(request: web.Request) -> Any:
    """One CDR: the verdict and how it came about, its credits, and what people wrote beside it."""
    async with transaction(request) as db:
        return await shown(db, key_of(request))


@routes.post(f"{PATH}/check", permission="cdrs.execute", answer=CDRInFull)
async def check_cdr(request: web.Request) -> Any:
    """Check it again, with what the hub knows now. Safe to repeat."""
    async with transaction(request) as db:
        row = await read_row(db, CDRS, key_of(request))
        done = await checking.check_these(db, [row.id])
        await note_down(db, row, "Checked again")
        found = await shown(db, key_of(request))
    pass_on(request, done.released)
    return found


@routes.post("/cdrs/check", permission="cdrs.execute", answer=Begun)
async def check_all(request: web.Request) -> Any:
    """Check all CDRs again, in the background."""
    async with transaction(request) as db:
        await checking.reset(db)
        await audit.record(
            db, AuditAction.COMMAND_SENT, "CDR", None, description="All are checked again"
        )
    request.config_dict[CHECKER].wake(request[ACTOR].tenant_id)
    return {"checking": "all"}


@routes.post(f"{PATH}/release", permission="cdrs.execute", body=Why, answer=CDRInFull)
async def release_cdr(request: web.Request) -> Any:
    """Let a CDR that is held go to its receiver, whatever the verdict."""
    async with transaction(request) as db:
        row = await read_row(db, CDRS, key_of(request))
        check = await check_of(db, row.id)
        if not await holding.release(db, [row.id]):
            raise Conflict("It is not held: its receiver has it, or will get it in its turn.")
        await disputes.write(db, check, request[BODY]["note"])
        await note_down(db, row, f"Released: {request[BODY]['note']}")
        released = await holding.let_go(db)
        found = await shown(db, key_of(request))
    pass_on(request, [row.id, *released])
    return found


@routes.post(f"{PATH}/notes", permission="cdrs.execute", body=NewNote, answer=CDRInFull)
async def write_note(request: web.Request) -> Any:
    """Write something beside a CDR; with `dispute`, open a dispute about it or move it on.

    OPEN, then ACCEPTED (its owner owes a credit), REJECTED (it is right after all) or SETTLED. A
    credit CDR that takes it back settles the dispute by itself. When a dispute has ended, a CDR
    that is held goes on.
    """
    body = request[BODY]
    state = None if body["dispute"] is None else Dispute(body["dispute"])
    async with transaction(request) as db:
        row = await read_row(db, CDRS, key_of(request))
        check = await check_of(db, row.id)
        try:
            await disputes.write(db, check, body["note"], state)
        except disputes.NotPossible as error:
            raise Conflict(str(error), field="dispute") from None
        about = "Note" if state is None else f"Dispute {state}"
        await note_down(db, row, f"{about}: {body['note']}")
        released = await holding.let_go(db)
        found = await shown(db, key_of(request))
    pass_on(request, released)
    return found


async def shown(db: AsyncSession, key: Key) -> dict[str, Any]:
    row = (
        await db.execute(
            rows()
            .add_columns(CDRCheck.report)
            .where(
                CDR.country_code == key.country_code,
                CDR.party_id == key.party_id,
                CDR.object_key == key.object_key,
            )
        )
    ).first()
    if row is None:
        name = f"{key.country_code}/{key.party_id}/{key.object_key}"
        raise Missing(f"The hub keeps no CDR {name}.", next_step="hub cdr list")
    credit = await db.execute(
        select(CDR.object_id.label("id"), CDRCheck.claimed, CDRCheck.verdict)
        .outerjoin(CDRCheck, CDRCheck.cdr_id == CDR.id)
        .where(
            CDR.country_code == key.country_code,
            CDR.party_id == key.party_id,
            func.upper(CDR.credit_reference_id) == key.object_key,
        )
        .order_by(CDR.page_seq)
    )
    credited_by = [dict(one._mapping) for one in credit]  # noqa: SLF001 - a row is read so
    notes = await db.scalars(
        select(CDRNote).where(CDRNote.cdr_id == row.id).order_by(CDRNote.created_at, CDRNote.id)
    )
    claims = [row.claimed, *(one["claimed"] for one in credited_by)]
    return row_of(row) | {
        "report": codec.read_stored(row.report) if row.report else None,
        "credited_by": credited_by,
        "net": None if None in claims else sum(claims, Decimal(0)),
        "notes": await with_names(db, list(notes)),
    }


async def with_names(db: AsyncSession, notes: list[CDRNote]) -> list[dict[str, Any]]:
    who = await authors.writers(db, {note.created_by for note in notes})
    members = ("created_at", "created_by", "dispute", "note")
    return [
        {name: getattr(note, name) for name in members} | {"by": who.get(note.created_by)}
        for note in notes
    ]


async def check_of(db: AsyncSession, cdr_id: Any) -> CDRCheck:
    """The check of a CDR, made now if nobody was there yet."""
    wanted = select(CDRCheck).where(CDRCheck.cdr_id == cdr_id).with_for_update()
    check = await db.scalar(wanted)
    if check is None:
        await checking.check_these(db, [cdr_id])
        check = await db.scalar(wanted)
    assert check is not None
    return check


async def note_down(db: AsyncSession, row: Any, description: str) -> None:
    await audit.record(
        db, AuditAction.UPDATE, "CDR", row.id, description=f"{ref(row)}: {description}"
    )


def pass_on(request: web.Request, released: list[Any]) -> None:
    if released:
        request.config_dict[SENDER].wake(request[ACTOR].tenant_id, CDRS.name)


def key_of(request: web.Request) -> Key:
    owner = Party.of(request.match_info["country_code"], request.match_info["party_id"])
    return Key(owner.country_code, owner.party_id, request.match_info["id"].upper())
