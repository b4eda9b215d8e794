"""Messages to stations in OCPP's own words, and the log of what went over their sockets."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.admin.auth import ACTOR, transaction
from hub.admin.errors import BadInput, Missing
from hub.admin.input import Input
from hub.admin.output import PageQuery, page, page_of, path_id
from hub.admin.routes import BODY, QUERY, Routes
from hub.admin.stations import one, ref_of
from hub.models.ocpp import StationCall
from hub.models.stations import ChargingStation
from hub.models.values import AuditAction
from hub.ocpp import call_rows, calls, frame_log
from hub.ocpp.conversation.frames import CallRefused, ErrorCode, Payload
from hub.ocpp.conversation.redaction import names_a_secret, redact
from hub.ocpp.service import STATIONS
from hub.roaming.ports import StationRef

routes = Routes("Stations")

STATES = {
    "WAITING": "not sent yet",
    "SENT": "not answered yet; it is never sent again",
    "ANSWERED": "`result` is what the station says",
    "REFUSED": "with an OCPP error",
    "BROKEN": "the answer breaks the schema",
    "SILENT": "no answer in time",
    "OFFLINE": "the station was not connected; nothing was sent",
}


class NewCall(Input):
    action = fields.String(
        required=True,
        validate=validate.Length(1, 64),
        metadata={"description": "As OCPP names it.", "allowed": "such as Reset"},
    )
    payload = fields.Dict(
        keys=fields.String(),
        load_default=dict,
        metadata={"description": "In the version the station speaks, checked against its schema."},
    )
    timeout_s = fields.Float(load_default=30.0, validate=validate.Range(1, calls.LONGEST_WAIT))


class CallQuery(Input):
    wait = fields.Boolean(
        load_default=False,
        metadata={"description": "Answer when the station has, or its time is up."},
    )


class CallError(Schema):
    code = fields.String(allow_none=True)
    description = fields.String(allow_none=True)


class CallShown(Schema):
    call_id = fields.UUID(attribute="id")
    station_id = fields.String(metadata={"description": "The station's identity."})
    action = fields.String()
    payload = fields.Dict(metadata={"description": "Without secrets and drivers."})
    state = fields.String(
        validate=validate.OneOf(list(STATES)),
        metadata={"description": "; ".join(f"{state}: {what}" for state, what in STATES.items())},
    )
    result = fields.Dict(allow_none=True)
    error = fields.Nested(CallError, allow_none=True)
    created_at = fields.AwareDateTime()
    sent_at = fields.AwareDateTime(allow_none=True)
    finished_at = fields.AwareDateTime(allow_none=True)
    deadline_at = fields.AwareDateTime()


class FrameQuery(Input):
    after = fields.Float(
        load_default=0.0, metadata={"description": "`next` of an earlier answer: only later ones."}
    )
    limit = fields.Integer(load_default=100, validate=validate.Range(1, frame_log.MOST))


class Frame(Schema):
    at = fields.AwareDateTime()
    direction = fields.String(
        validate=validate.OneOf(("in", "out")), metadata={"description": "in: the station says it."}
    )
    frame = fields.String(metadata={"description": "Without secrets and drivers."})


class FrameLog(Schema):
    items = fields.List(fields.Nested(Frame))
    next = fields.Float(metadata={"description": "Give it as `after` to read on."})
    connected = fields.Boolean()


CallPage: type[Schema] = page_of(CallShown)


@routes.post(
    "/stations/{id}/calls",
    permission="stations.execute",
    body=NewCall,
    query=CallQuery,
    answer=CallShown,
    status=202,
)
async def call_station(request: web.Request) -> Any:
    """Send a station any message that its version has for it. It is sent once, or not at all.

    Without `wait` the answer comes at once; look at the call for what became of it.
    """
    body = request[BODY]
    async with transaction(request) as db:
        station = await one(db, path_id(request))
    refuse_password(station, body["payload"])
    ref = ref_of(station)

    async def note(db: AsyncSession, call_id: UUID) -> None:
        await audit.record(
            db,
            AuditAction.COMMAND_SENT,
            "charging_station",
            ref.id,
            description=f"{body['action']} to {station.station_id}",
            metadata={"call_id": call_id, "payload": redact(body["payload"])},
            user_id=request[ACTOR].id,
        )

    try:
        call_id = await calls.begin(
            request.config_dict[STATIONS],
            ref,
            body["action"],
            body["payload"],
            timeout=body["timeout_s"],
            note=note,
        )
    except CallRefused as refusal:
        raise await explained(request, ref, refusal) from None
    if request[QUERY]["wait"]:
        await calls.outcome(request.config_dict[STATIONS], ref, call_id)
    async with transaction(request) as db:
        return told(station, await call_rows.find(db, ref, call_id))


def refuse_password(station: ChargingStation, payload: Payload) -> None:
    """A password that the hub does not know of would lock the station out."""
    settings = payload.get("setVariableData")
    for setting in [payload, *(settings if isinstance(settings, list) else [])]:
        if isinstance(setting, dict) and names_a_secret(setting) and len(setting) > 1:
            raise BadInput(
                "payload: A new password must be known to the hub, or the station is locked out.",
                field="payload",
                next_step=f"hub station password {station.station_id}",
            )


async def explained(request: web.Request, ref: StationRef, refusal: CallRefused) -> BadInput:
    if refusal.code != ErrorCode.NOT_IMPLEMENTED:
        return BadInput(f"payload: {refusal.description}", field="payload")
    version = await request.config_dict[STATIONS].version(ref)
    return BadInput(
        f"action: {refusal.description}",
        field="action",
        allowed=sorted(calls.SENT_BY_THE_HUB[version]),
    )


@routes.get("/stations/{id}/calls", permission="stations.read", query=PageQuery, answer=CallPage)
async def list_calls(request: web.Request) -> Any:
    """What was asked of a station, newest first."""
    async with transaction(request) as db:
        station = await one(db, path_id(request))
        found = select(StationCall).where(
            StationCall.charging_station_id == station.id, StationCall.action != frame_log.READ
        )
        answer = await page(db, found, StationCall, request[QUERY])
    return answer | {"items": [told(station, row) for row in answer["items"]]}


@routes.get("/stations/{id}/calls/{call_id}", permission="stations.read", answer=CallShown)
async def show_call(request: web.Request) -> Any:
    """One call, and what became of it."""
    try:
        call_id = UUID(request.match_info["call_id"])
        async with transaction(request) as db:
            station = await one(db, path_id(request))
            return told(station, await call_rows.find(db, ref_of(station), call_id))
    except (ValueError, LookupError):
        raise Missing("There is no such call to this station.") from None


def told(station: ChargingStation, row: StationCall) -> dict[str, Any]:
    failed = row.error_code or row.error_description
    error = {"code": row.error_code, "description": row.error_description}
    return {
        **{name: getattr(row, name) for name in COLUMNS},
        "station_id": station.station_id,
        "result": row.answer and redact(row.answer),
        "error": error if failed else None,
    }


COLUMNS = [
    field.attribute or name
    for name, field in CallShown().fields.items()
    if hasattr(StationCall, field.attribute or name)
]


@routes.get("/stations/{id}/frames", permission="stations.read", query=FrameQuery, answer=FrameLog)
async def read_frames(request: web.Request) -> Any:
    """The last frames to and from a station, oldest first, for as long as memory keeps them."""
    query = request[QUERY]
    async with transaction(request) as db:
        station = await one(db, path_id(request))
    found = await request.config_dict[STATIONS].relay.frames(
        ref_of(station), after=query["after"], limit=query["limit"]
    )
    return {
        "items": [{**frame, "at": datetime.fromtimestamp(frame["at"], UTC)} for frame in found],
        "next": found[-1]["at"] if found else query["after"],
        "connected": station.connected_to is not None,
    }
