"""Charging stations as operators see them. No secret of a station is ever shown."""

from collections.abc import Sequence
from typing import Any

from marshmallow import Schema, fields, validate
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.admin.output import Versioned, page_of
from hub.models.objects import Location
from hub.models.stations import ChargingStation
from hub.models.values import OCPPStatus, StationStatus
from hub.ocpp import identity
from hub.roaming.stations.stations import registration

TOLERANCES = ("lenient", "strict")
VERSIONS = [version.value for version in identity.NAMES]
# What an operator may say: the others are for what stations and the hub find out.
STATUSES = (
    StationStatus.ACTIVE,
    StationStatus.INACTIVE,
    StationStatus.MAINTENANCE,
    StationStatus.DECOMMISSIONED,
)


class StationShown(Versioned):
    station_id = fields.String(metadata={"description": "Its OCPP identity."})
    name = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    status = fields.String(
        validate=validate.OneOf(list(StationStatus)),
        metadata={"description": "What the operator holds of it."},
    )
    registration = fields.String(
        metadata={"description": "What it is answered when it boots: Accepted, Pending, Rejected."}
    )
    connected = fields.Boolean()
    connected_at = fields.AwareDateTime(allow_none=True)
    connected_from = fields.String(attribute="remote_address", allow_none=True)
    booted_at = fields.AwareDateTime(allow_none=True)
    clock_offset = fields.Float(
        allow_none=True, metadata={"description": "Seconds that its clock is ahead of the hub's."}
    )
    ocpp_version = fields.String(
        allow_none=True, metadata={"description": "The version it spoke last."}
    )
    ocpp_versions = fields.List(
        fields.String(validate=validate.OneOf(VERSIONS)),
        metadata={"description": "The versions it may speak."},
    )
    ocpp_status = fields.String(
        allow_none=True,
        validate=validate.OneOf(list(OCPPStatus)),
        metadata={"description": "What it says of itself as a whole, or OFFLINE."},
    )
    error_code = fields.String(allow_none=True)
    status_info = fields.String(allow_none=True)
    last_heard = fields.AwareDateTime(attribute="last_heartbeat", allow_none=True)
    security_profile = fields.Integer()
    tolerance = fields.String(validate=validate.OneOf(TOLERANCES))
    answers_pings = fields.Boolean()
    groups = fields.List(
        fields.String(), metadata={"description": "Tokens may be limited to a group of stations."}
    )
    password_set = fields.Boolean()
    password_pending = fields.Boolean(
        metadata={"description": "A new password is out; the old one is good until it is used."}
    )
    certificate_fingerprint = fields.String(allow_none=True)
    certificate_expires_at = fields.AwareDateTime(allow_none=True)
    location_id = fields.String(
        attribute="location",
        allow_none=True,
        metadata={"description": "The OCPI location it stands at."},
    )
    manufacturer = fields.String(allow_none=True)
    model = fields.String(allow_none=True)
    serial_number = fields.String(allow_none=True)
    firmware_version = fields.String(allow_none=True)
    capabilities = fields.Dict(allow_none=True)
    diagnostics = fields.Dict(allow_none=True)


class StationMade(Schema):
    station = fields.Nested(StationShown)
    url = fields.String(metadata={"description": "Where it connects."})
    password = fields.String(
        allow_none=True, metadata={"description": "It is not shown again; null if you gave it."}
    )


StationPage: type[Schema] = page_of(StationShown)


async def shown(db: AsyncSession, stations: Sequence[ChargingStation]) -> list[dict[str, Any]]:
    wanted = {station.location_id for station in stations if station.location_id is not None}
    rows = await db.execute(select(Location.id, Location.object_id).where(Location.id.in_(wanted)))
    locations = {row.id: row.object_id for row in rows}
    return [told(station, locations.get(station.location_id)) for station in stations]


def told(station: ChargingStation, location: str | None) -> dict[str, Any]:
    record = identity.record_of(station)
    security, network = parts(station)
    return {
        **{name: getattr(station, name) for name in COLUMNS},
        "registration": registration(station.status),
        "connected": station.connected_to is not None,
        "ocpp_version": station.connected_version,
        "ocpp_versions": [allowed.value for allowed in record.versions],
        "tolerance": "strict" if record.strict else "lenient",
        "answers_pings": record.answers_pings,
        "groups": network.get("groups") or [],
        "password_set": station.password_digest is not None,
        "password_pending": "next_password_digest" in security,
        "location": location,
    }


def parts(station: ChargingStation) -> tuple[dict[str, Any], dict[str, Any]]:
    """The security and the network part of its configuration."""
    configuration: dict[str, Any] = dict(station.configuration or {})
    return dict(configuration.get("security") or {}), dict(configuration.get("network") or {})


COLUMNS = [
    field.attribute or name
    for name, field in StationShown().fields.items()
    if hasattr(ChargingStation, field.attribute or name) and name != "ocpp_version"
]
