"""Transactions at the operator's own stations: how they go, and what to do when one hangs."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.admin.auth import ACTOR, transaction
from hub.admin.errors import BadInput, Conflict
from hub.admin.input import Input
from hub.admin.output import PageQuery, Shown, find, page, page_of, path_id
from hub.admin.routes import BODY, QUERY, Routes
from hub.admin.stations import one, passed_on, ref_of
from hub.models.stations import ChargingStation
from hub.models.transactions import TRANSACTION_SEQUENCE, StationTransaction
from hub.models.values import AuditAction
from hub.ocpp.conversation.frames import OCPPVersion
from hub.ocpp.server import WIRE
from hub.ocpp.service import STATIONS
from hub.roaming.authorization import authorization
from hub.roaming.authorization.token_aliases import LONGEST_ID_TAG
from hub.roaming.charging import missing_stops
from hub.roaming.metering.progress import restore_progress
from hub.roaming.ports import StationRef

routes = Routes("Transactions")
NAMED = ("transaction", "hub transaction list")

STATES = {
    "OPEN": "it runs",
    "LOST": "taken for ended without a word from the station",
    "ENDED": "the station has reported the end",
    "ORPHAN": "the end of something the hub never heard of",
}


class TransactionQuery(PageQuery):
    station_id = fields.UUID(metadata={"description": "The id of the station's record."})
    id_tag = fields.String(metadata={"description": "As the station says it, but for its case."})
    open = fields.Boolean(metadata={"description": "Those that run, or those that do not."})
    state = fields.String(validate=validate.OneOf(list(STATES)))
    session_id = fields.String(metadata={"description": "The OCPI session."})


class TransactionShown(Shown):
    station_id = fields.String(attribute="station", metadata={"description": "Its identity."})
    transaction_id = fields.String(metadata={"description": "As the station knows it."})
    state = fields.String(
        validate=validate.OneOf(list(STATES)),
        metadata={"description": "; ".join(f"{state}: {what}" for state, what in STATES.items())},
    )
    evse = fields.Integer(attribute="evse_number", allow_none=True)
    connector = fields.Integer(attribute="connector_id", allow_none=True)
    session_id = fields.String(metadata={"description": "The OCPI session."})
    id_tag = fields.String(allow_none=True)
    auth_method = fields.String(allow_none=True)
    token = fields.Dict(
        attribute="cdr_token", allow_none=True, metadata={"description": "Who will pay."}
    )
    charging_state = fields.String(allow_none=True)
    kwh = fields.Decimal(places=3, as_string=True, allow_none=True)
    meter_start_wh = fields.Decimal(as_string=True, allow_none=True)
    meter_wh = fields.Decimal(as_string=True, allow_none=True)
    read_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When the meter was last heard of."}
    )
    started_at = fields.AwareDateTime(allow_none=True)
    ended_at = fields.AwareDateTime(allow_none=True)
    stop_reason = fields.String(allow_none=True)
    offline = fields.Boolean()
    notes = fields.List(fields.String())
    cdr_due_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When it is billed, if its end stays away."}
    )
    cdr_ids = fields.List(fields.String())


class Closing(Input):
    ended_at = fields.AwareDateTime(
        default_timezone=UTC,
        metadata={"description": "At its last reading, unless you know better; with a meter, now."},
    )
    meter_stop_wh = fields.Float(
        validate=validate.Range(0, 10**12),
        metadata={"description": "What the meter says, in Wh.", "allowed": "a number of Wh"},
    )


class Starting(Input):
    uid = fields.String(
        required=True,
        validate=validate.Length(1, 255),
        metadata={"description": "A token of one of the operator's own drivers."},
    )
    evse = fields.Integer(validate=validate.Range(1, 1000))


class Told(Schema):
    result = fields.String(
        metadata={
            "description": "ACCEPTED says that the station took it, not that it has happened."
        }
    )
    message = fields.String()


TransactionPage: type[Schema] = page_of(TransactionShown)


@routes.get(
    "/transactions", permission="sessions.read", query=TransactionQuery, answer=TransactionPage
)
async def list_transactions(request: web.Request) -> Any:
    """Transactions at own stations, newest first."""
    query = request[QUERY]
    found = select(StationTransaction)
    running = StationTransaction.state == "OPEN"
    conditions: dict[str, Any] = {
        "station_id": StationTransaction.charging_station_id == query.get("station_id"),
        "id_tag": func.upper(StationTransaction.id_tag) == query.get("id_tag", "").upper(),
        "open": running if query.get("open") else ~running,
        "state": StationTransaction.state == query.get("state"),
        "session_id": StationTransaction.session_id == query.get("session_id", "").lower(),
    }
    for name, condition in conditions.items():
        if name in query:
            found = found.where(condition)
    async with transaction(request) as db:
        answer = await page(db, found, StationTransaction, query)
        return answer | {"items": await shown(db, answer["items"])}


@routes.get("/transactions/{id}", permission="sessions.read", answer=TransactionShown)
async def show_transaction(request: web.Request) -> Any:
    """One transaction, with whatever was odd about it."""
    async with transaction(request) as db:
        row = await find(db, StationTransaction, path_id(request), *NAMED)
        [answer] = await shown(db, [row])
    return answer


@routes.post(
    "/transactions/{id}/close",
    permission="sessions.execute",
    body=Closing,
    answer=TransactionShown,
)
async def close_transaction(request: web.Request) -> Any:
    """End and bill a transaction whose station does not report the end.

    The station is not asked; `stop` does that. If it reports the end after all, what went out is
    credited and billed anew.
    """
    body = request[BODY]
    async with transaction(request) as db:
        row = await find(db, StationTransaction, path_id(request), *NAMED)
        await db.refresh(row, with_for_update=True)
        refuse_closed(row)
        refuse_impossible(row, body)
        moved = await missing_stops.close(
            db,
            row,
            request.config_dict[WIRE].policy,
            ended_at=body.get("ended_at"),
            meter_stop=meter_of(body),
        )
        await db.flush()
        await audit.record(
            db,
            AuditAction.SESSION_STOP,
            "station_transaction",
            row.id,
            description=f"Closed by the operator: {row.transaction_id}",
            metadata=dict(body),
            severity="MEDIUM",
        )
        [answer] = await shown(db, [row])
    passed_on(request, moved)
    return answer


def refuse_closed(row: StationTransaction) -> None:
    if row.state in {"ENDED", "ORPHAN"} or row.cdr_ids:
        raise Conflict(
            f"It is {STATES[row.state]}, and billed." if row.cdr_ids else f"{STATES[row.state]}.",
            next_step=f"hub transaction show {row.id}",
        )


def meter_of(body: dict[str, Any]) -> Decimal | None:
    said = body.get("meter_stop_wh")
    return None if said is None else Decimal(str(said))


def refuse_impossible(row: StationTransaction, body: dict[str, Any]) -> None:
    ended_at, meter_stop = body.get("ended_at"), meter_of(body)
    begun = row.started_at or datetime.min.replace(tzinfo=UTC)
    if ended_at is not None and not begun <= ended_at <= datetime.now(UTC):
        raise BadInput(
            "ended_at: It ended after it began, and before now.",
            field="ended_at",
            allowed={"min": begun.isoformat(), "max": "now"},
        )
    least = progress_of(row).get("meter_start_wh")
    if meter_stop is not None and least is not None and meter_stop < least:
        raise BadInput(
            "meter_stop_wh: The meter does not run backwards.",
            field="meter_stop_wh",
            allowed={"min": str(least)},
        )


@routes.post("/transactions/{id}/stop", permission="sessions.execute", answer=Told)
async def stop_transaction(request: web.Request) -> Any:
    """Have the station end a transaction; it then reports the end as it always does."""
    async with transaction(request) as db:
        row = await find(db, StationTransaction, path_id(request), *NAMED)
        if row.state != "OPEN":
            raise Conflict(f"It does not run: {STATES[row.state]}.")
        ref = StationRef(request[ACTOR].tenant_id, row.charging_station_id)
        await audit.record(
            db,
            AuditAction.COMMAND_SENT,
            "station_transaction",
            row.id,
            description=f"Stop of transaction {row.transaction_id}",
        )
    able = request.config_dict[STATIONS]
    return await able.stop_session(ref, transaction_id=row.transaction_id)


@routes.post("/stations/{id}/start", permission="sessions.execute", body=Starting, answer=Told)
async def start_transaction(request: web.Request) -> Any:
    """Have a station begin to charge with a token of one of the operator's own drivers."""
    body, able = request[BODY], request.config_dict[STATIONS]
    async with transaction(request) as db:
        station = await one(db, path_id(request))
        ref = ref_of(station)
        token = await allowed_token(db, ref, body["uid"])
        number = await db.scalar(TRANSACTION_SEQUENCE)
        await audit.record(
            db,
            AuditAction.COMMAND_SENT,
            "charging_station",
            ref.id,
            description=f"Start at {station.station_id}",
            metadata={"token_uid": body["uid"], "evse": body.get("evse")},
        )
    longest = LONGEST_ID_TAG
    if await able.version(ref) is OCPPVersion.V16 and len(body["uid"]) > longest:
        raise Conflict(f"OCPP 1.6 knows no tokens of more than {longest} characters.")
    return await able.start_session(
        ref,
        id_tag=body["uid"],
        token=token,
        remote_start_id=number,
        evse_number=body.get("evse"),
    )


async def allowed_token(db: AsyncSession, ref: StationRef, uid: str) -> dict[str, Any]:
    """The token as OCPI has it, if it may charge there now."""
    decision = await authorization.own_token(db, ref, uid)
    if decision is None or decision.cdr_token is None:
        raise BadInput(
            "uid: None of your drivers has this token.",
            field="uid",
            next_step="hub token list",
        )
    if not decision.accepted:
        raise Conflict(f"The token may not charge there now: {decision.allowed}.")
    return decision.cdr_token


async def shown(db: AsyncSession, rows: list[StationTransaction]) -> list[dict[str, Any]]:
    wanted = {row.charging_station_id for row in rows}
    found = await db.execute(
        select(ChargingStation.id, ChargingStation.station_id).where(ChargingStation.id.in_(wanted))
    )
    names = {row.id: row.station_id for row in found}
    return [
        {name: getattr(row, name) for name in COLUMNS}
        | progress_of(row)
        | {"station": names.get(row.charging_station_id)}
        for row in rows
    ]


COLUMNS = [
    field.attribute or name
    for name, field in TransactionShown().fields.items()
    if hasattr(StationTransaction, field.attribute or name)
]


def progress_of(row: StationTransaction) -> dict[str, Any]:
    """What was measured so far."""
    if row.progress is None:
        return {}
    progress = restore_progress(row.progress)
    return {
        "kwh": progress.energy / Decimal(1000),
        "meter_start_wh": progress.told_start,
        "meter_wh": progress.register,
        "read_at": progress.read_at,
    }
