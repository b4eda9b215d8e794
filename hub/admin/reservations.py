"""Reservations at the operator's own stations, whoever made them."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.admin.auth import ACTOR, transaction
from hub.admin.errors import BadInput, Conflict
from hub.admin.input import Input
from hub.admin.output import PageQuery, PartyOf, Shown, find, page, page_of, path_id
from hub.admin.routes import BODY, QUERY, Routes
from hub.admin.stations import one, ref_of
from hub.admin.transactions import Told, allowed_token
from hub.codec import instant
from hub.keys import DATABASE
from hub.models.stations import ChargingStation
from hub.models.transactions import Reservation
from hub.models.values import AuditAction
from hub.ocpp.service import STATIONS
from hub.roaming.commands import reservations
from hub.roaming.commands.orders import Errand
from hub.roaming.ports import Outcome, StationRef
from hub.roaming.stations import own_evses, placement

routes = Routes("Reservations")
NAMED = ("reservation", "hub reservation list")

STATES = ("REQUESTED", "ACTIVE", "USED", "CANCELED", "EXPIRED", "REFUSED")


class ReservationQuery(PageQuery):
    station_id = fields.UUID(metadata={"description": "The id of the station's record."})
    state = fields.String(validate=validate.OneOf(STATES))


class ReservationShown(Shown):
    station_id = fields.String(attribute="station", metadata={"description": "Its identity."})
    number = fields.Integer(metadata={"description": "As the station knows it."})
    reservation_id = fields.String(metadata={"description": "As whoever made it knows it."})
    party = PartyOf(metadata={"description": "Who made it."})
    state = fields.String(validate=validate.OneOf(STATES))
    evse = fields.Integer(attribute="evse_number", allow_none=True)
    token = fields.Dict()
    session_id = fields.String()
    reserved_at = fields.AwareDateTime(allow_none=True)
    expires_at = fields.AwareDateTime()
    ended_at = fields.AwareDateTime(allow_none=True)


class NewReservation(Input):
    station_id = fields.UUID(
        required=True, metadata={"description": "The id of the station's record."}
    )
    evse = fields.Integer(
        validate=validate.Range(1, 1000), metadata={"description": "Any of the station, if absent."}
    )
    uid = fields.String(
        required=True,
        validate=validate.Length(1, 36),
        metadata={"description": "A token of one of the operator's own drivers."},
    )
    expires_at = fields.AwareDateTime(required=True, default_timezone=UTC)


ReservationPage: type[Schema] = page_of(ReservationShown)


@routes.get(
    "/reservations", permission="sessions.read", query=ReservationQuery, answer=ReservationPage
)
async def list_reservations(request: web.Request) -> Any:
    """Reservations at own stations, newest first."""
    query = request[QUERY]
    found = select(Reservation)
    if "station_id" in query:
        found = found.where(Reservation.charging_station_id == query["station_id"])
    if "state" in query:
        found = found.where(Reservation.state == query["state"])
    async with transaction(request) as db:
        answer = await page(db, found, Reservation, query)
        return answer | {"items": await shown(db, answer["items"])}


@routes.post(
    "/reservations",
    permission="sessions.execute",
    body=NewReservation,
    answer=ReservationShown,
    status=201,
)
async def reserve(request: web.Request) -> Any:
    """Have a station keep a place for one of the operator's own drivers."""
    body, tenant_id = request[BODY], request[ACTOR].tenant_id
    if body["expires_at"] <= datetime.now(UTC):
        raise BadInput("expires_at: Lies in the past.", field="expires_at", allowed="a later time")
    async with transaction(request) as db:
        owner = await placement.own_party(db)
        station = await one(db, body["station_id"])
        wanted = await wish(db, ref_of(station), body)
        await audit.record(
            db,
            AuditAction.COMMAND_SENT,
            "charging_station",
            station.id,
            description=f"Reservation at {station.station_id}",
            metadata={"token_uid": body["uid"], "expires_at": body["expires_at"]},
        )
    errand = Errand(
        request.config_dict[DATABASE], request.config_dict[STATIONS], tenant_id, owner, wanted
    )
    order = await reservations.reserve_now(errand)
    refuse(order.response, order.message)
    assert order.work is not None
    outcome = await order.work()
    refuse(outcome.result, outcome.message)
    async with transaction(request) as db:
        made = Reservation.reservation_id == wanted["reservation_id"]
        [answer] = await shown(db, list(await db.scalars(select(Reservation).where(made))))
    return answer


async def wish(db: AsyncSession, ref: StationRef, body: dict[str, Any]) -> dict[str, Any]:
    """The same as an eMSP would put it."""
    seen_as = await own_evses.view(db, ref)
    if seen_as.location_id is None:
        raise Conflict("The station is not placed at a location.", next_step="hub station place")
    wanted = {
        "reservation_id": str(uuid4()),
        "token": await allowed_token(db, ref, body["uid"]),
        "location_id": seen_as.location_id,
        "expiry_date": instant(body["expires_at"]),
    }
    published = {evse.evse_number: evse.evse_uid for evse in seen_as.evses if evse.published}
    if "evse" in body and body["evse"] not in published:
        raise BadInput(
            f"evse: EVSE {body['evse']} is not published.", field="evse", allowed=sorted(published)
        )
    # Without an EVSE a station of the location is chosen: it must be this one.
    number = body.get("evse", min(published, default=None))
    if number is None:
        raise Conflict("No EVSE of it is published.", next_step="hub station place")
    return wanted | {"evse_uid": published[number]}


def refuse(result: str, message: str) -> None:
    if result != "ACCEPTED":
        raise Conflict(f"It was not reserved: {result}. {message}".strip())


@routes.get("/reservations/{id}", permission="sessions.read", answer=ReservationShown)
async def show_reservation(request: web.Request) -> Any:
    """One reservation."""
    async with transaction(request) as db:
        row = await find(db, Reservation, path_id(request), *NAMED)
        [answer] = await shown(db, [row])
    return answer


@routes.post("/reservations/{id}/cancel", permission="sessions.execute", answer=Told)
async def cancel_reservation(request: web.Request) -> Any:
    """Take a reservation back, also an eMSP's, which is told of it."""
    async with transaction(request) as db:
        row = await find(db, Reservation, path_id(request), *NAMED)
        if row.state != "ACTIVE":
            raise Conflict(f"It is {row.state}.")
        ref = StationRef(request[ACTOR].tenant_id, row.charging_station_id)
        await audit.record(
            db,
            AuditAction.COMMAND_SENT,
            "reservation",
            row.id,
            description=f"Cancellation of reservation {row.number}",
        )
    outcome: Outcome = await reservations.take_back(
        request.config_dict[DATABASE], request.config_dict[STATIONS], ref, row.number
    )
    return outcome


async def shown(db: AsyncSession, rows: list[Reservation]) -> list[Reservation]:
    wanted = {row.charging_station_id for row in rows}
    found = await db.execute(
        select(ChargingStation.id, ChargingStation.station_id).where(ChargingStation.id.in_(wanted))
    )
    names = {row.id: row.station_id for row in found}
    for row in rows:
        row.station = names.get(row.charging_station_id)  # type: ignore[attr-defined]
    return rows
