"""The local lists of stations: what they let charge when they cannot ask."""

from typing import Any

from aiohttp import web
from marshmallow import Schema, fields

from hub import audit
from hub.admin.auth import transaction
from hub.admin.errors import Conflict
from hub.admin.input import Input
from hub.admin.output import path_id
from hub.admin.routes import BODY, Routes
from hub.admin.stations import one, ref_of
from hub.models.values import AuditAction
from hub.ocpp import local_lists as wire
from hub.ocpp.service import STATIONS
from hub.roaming.stations import local_lists

routes = Routes("Stations")


class LocalListShown(Schema):
    list_version = fields.Integer(
        allow_none=True, metadata={"description": "That the station holds; null if it has none."}
    )
    entries = fields.Integer(metadata={"description": "Tokens in it."})
    sent_at = fields.AwareDateTime(allow_none=True)
    longest = fields.Integer(metadata={"description": "Tokens that the station can hold."})


class SyncWanted(Input):
    full = fields.Boolean(
        load_default=False, metadata={"description": "Replace it as a whole, not what changed."}
    )


class ListSynced(Schema):
    list_version = fields.Integer()
    entries = fields.Integer()
    sent = fields.Integer(metadata={"description": "Messages; none when it was up to date."})


@routes.get("/stations/{id}/local-list", permission="stations.read", answer=LocalListShown)
async def show_local_list(request: web.Request) -> Any:
    """What the station holds, as far as the hub knows."""
    async with transaction(request) as db:
        ref = ref_of(await one(db, path_id(request)))
        row = await local_lists.kept(db, ref)
        limits = await local_lists.limits(db, ref)
    return {
        "list_version": row and row.list_version,
        "entries": len(row.entries) if row else 0,
        "sent_at": row and row.sent_at,
        "longest": limits.longest,
    }


@routes.post(
    "/stations/{id}/local-list",
    permission="stations.execute",
    body=SyncWanted,
    answer=ListSynced,
)
async def sync_local_list(request: web.Request) -> Any:
    """Bring the list of a station up to date.

    In it are own tokens that are good there at any time, and partners' that may charge unasked.
    """
    async with transaction(request) as db:
        station = await one(db, path_id(request))
        ref = ref_of(station)
        await audit.record(
            db,
            AuditAction.COMMAND_SENT,
            "charging_station",
            ref.id,
            description=f"Local list to {station.station_id}",
        )
    synced = await wire.sync(request.config_dict[STATIONS], ref, full=request[BODY]["full"])
    if synced.result != "ACCEPTED":
        raise Conflict(
            f"{station.station_id} did not take it: {synced.result} {synced.message}".strip(),
            next_step=f"hub station log {station.station_id}",
        )
    return synced
