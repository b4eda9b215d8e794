"""Passwords of stations: how a station gets another one without being locked out (T-45)."""

import secrets
from typing import Any

from aiohttp import web
from marshmallow import Schema, fields, validate

from hub import audit
from hub.admin.auth import transaction
from hub.admin.errors import Conflict
from hub.admin.input import Input
from hub.admin.output import expect_version, path_id
from hub.admin.routes import BODY, Routes
from hub.admin.stations import PASSWORD_BYTES, one, ref_of
from hub.keys import KEYRING
from hub.models.stations import ChargingStation
from hub.models.values import AuditAction
from hub.ocpp import relay
from hub.ocpp.service import STATIONS
from hub.ocpp.stations import change_password
from hub.roaming.ports import Outcome, StationRef
from hub.roaming.stations import stations

routes = Routes("Stations")

HOW = {
    "send": "The station is told its new password; nobody else is.",
    "show": "The new password is shown, to be set at the station; the old one is good until then.",
    "replace": "The new password is shown; the old one is worth nothing from now on.",
}


class NewPassword(Input):
    how = fields.String(
        load_default="send",
        validate=validate.OneOf(list(HOW)),
        metadata={"description": " ".join(f"`{how}`: {what}" for how, what in HOW.items())},
    )


class PasswordChanged(Schema):
    result = fields.String(
        metadata={
            "description": "ACCEPTED, or TIMEOUT when the station did not say whether it took it:"
            " then both passwords are good until one is used."
        }
    )
    password = fields.String(
        allow_none=True, metadata={"description": "It is not shown again; null if it was sent."}
    )


@routes.post(
    "/stations/{id}/password",
    permission="stations.update",
    body=NewPassword,
    answer=PasswordChanged,
)
async def change_station_password(request: web.Request) -> Any:
    """Give a station a new password; unless it is replaced, it is never locked out meanwhile."""
    how = request[BODY]["how"]
    password = secrets.token_hex(PASSWORD_BYTES)
    async with transaction(request) as db:
        station = await one(db, path_id(request), lock=True)
        expect_version(request, station)
        ref = ref_of(station)
        if how == "send" and station.connected_to is None:
            raise Conflict(
                f"{station.station_id} is not connected.",
                next_step=f"hub station password {station.station_id} --show",
            )
        if how != "send":
            digest = request.config_dict[KEYRING].digest(password)
            await stations.password_offered(db, ref, None if how == "replace" else digest)
            if how == "replace":
                await db.refresh(station)
                station.password_digest = digest
                await relay.hang_up(db, ref)
        await audit.record(
            db,
            AuditAction.CONFIGURATION_CHANGED,
            "charging_station",
            ref.id,
            description=f"A new password. {HOW[how]}",
            severity="HIGH",
        )
    if how != "send":
        return {"result": "ACCEPTED", "password": password}
    return {"result": await send(request, station, ref, password), "password": None}


async def send(
    request: web.Request, station: ChargingStation, ref: StationRef, password: str
) -> str:
    outcome: Outcome = await change_password(request.config_dict[STATIONS], ref, password)
    if outcome.result not in {"ACCEPTED", "TIMEOUT"}:
        raise Conflict(
            f"{station.station_id} did not take it and keeps the old one: {outcome.message}",
            next_step=f"hub station password {station.station_id} --show",
        )
    return outcome.result
