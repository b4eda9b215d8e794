"""What stations have reported: settings, and whatever else no session follows from.

To change a setting is to call the station.
"""

from typing import Any

from aiohttp import web
from marshmallow import Schema, fields
from sqlalchemy import select

from hub.admin.auth import transaction
from hub.admin.output import PageQuery, page, page_of, path_id
from hub.admin.routes import QUERY, Routes
from hub.admin.stations import one
from hub.models.ocpp import StationReport
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


class ReportShown(Schema):
    id = fields.UUID()
    at = fields.AwareDateTime(metadata={"description": "By the station's clock."})
    action = fields.String(metadata={"description": "The message it came in."})
    request_id = fields.Integer(
        allow_none=True, metadata={"description": "Joins the parts of one answer."}
    )
    severity = fields.Integer(
        allow_none=True, metadata={"description": "OCPP's: 0 is danger, 9 is debugging."}
    )
    payload = fields.Dict(metadata={"description": "Without secrets and drivers."})


ReportPage: type[Schema] = page_of(ReportShown)


@routes.get(
    "/stations/{id}/reports", permission="stations.read", query=PageQuery, answer=ReportPage
)
async def list_reports(request: web.Request) -> Any:
    """Events, limits and other things that a station has reported, newest first."""
    async with transaction(request) as db:
        station = await one(db, path_id(request))
        found = select(StationReport).where(StationReport.charging_station_id == station.id)
        return await page(db, found, StationReport, request[QUERY])
