"""The settings that stations have reported. To change one is to call the station."""

from typing import Any

from aiohttp import web
from marshmallow import Schema, fields
from sqlalchemy import select

from hub.admin.auth import transaction
from hub.admin.output import path_id
from hub.admin.routes import Routes
from hub.admin.stations import one
from hub.models.stations import StationConfigurationItem

routes = Routes("Stations")


class Setting(Schema):
    name = fields.String(metadata={"description": "A key of 1.6, or Component.Variable of 2.x."})
    component = fields.String(metadata={"description": "Empty in OCPP 1.6."})
    key = fields.String()
    value = fields.String(allow_none=True, metadata={"description": "Null for what is secret."})
    readonly = fields.Boolean()
    reported_at = fields.AwareDateTime(allow_none=True)


class SettingList(Schema):
    items = fields.List(fields.Nested(Setting))


@routes.get("/stations/{id}/settings", permission="stations.read", answer=SettingList)
async def list_settings(request: web.Request) -> Any:
    """What a station has said of its settings, since it first booted here."""
    async with transaction(request) as db:
        station = await one(db, path_id(request))
        rows = await db.scalars(
            select(StationConfigurationItem)
            .where(StationConfigurationItem.charging_station_id == station.id)
            .order_by(StationConfigurationItem.component, StationConfigurationItem.key)
        )
        return {"items": [told(row) for row in rows]}


def told(row: StationConfigurationItem) -> dict[str, Any]:
    return {
        "name": f"{row.component}.{row.key}" if row.component else row.key,
        **{name: getattr(row, name) for name in Setting().fields if name != "name"},
    }
