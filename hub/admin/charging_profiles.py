"""Charging profiles with names: made once, given to stations, kept under one number for ever."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aiohttp import web
from marshmallow import Schema, ValidationError, fields, validate, validates_schema
from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.admin.auth import ACTOR, transaction
from hub.admin.errors import Conflict
from hub.admin.input import Input
from hub.admin.output import (
    PageQuery,
    Versioned,
    expect_version,
    find,
    page,
    page_of,
    path_id,
)
from hub.admin.routes import BODY, QUERY, Routes
from hub.admin.stations import one
from hub.models.operating import AppliedProfile, ChargingProfileTemplate
from hub.models.stations import ChargingStation
from hub.models.values import AuditAction, ProfileKind, ProfilePurpose, Recurrency
from hub.ocpp import templates
from hub.ocpp.service import STATIONS
from hub.roaming.ports import Outcome, StationRef

routes = Routes("Charging profiles")
NAMED = ("charging profile", "hub profile list")
UNITS = ("W", "A")


class ProfilePeriod(Input):
    start_period = fields.Integer(
        required=True,
        validate=validate.Range(0, 10**8),
        metadata={"description": "Seconds from the start of the schedule."},
    )
    limit = fields.Float(
        required=True,
        validate=validate.Range(0, 10**7),
        metadata={"description": "In the unit of the profile, with one decimal."},
    )
    number_phases = fields.Integer(validate=validate.Range(1, 3))


class ProfileChange(Input):
    name = fields.String(validate=validate.Length(1, 100))
    description = fields.String(allow_none=True, validate=validate.Length(max=500))
    stack_level = fields.Integer(
        validate=validate.Range(0, 100),
        metadata={"description": "Among profiles of one purpose the highest decides."},
    )
    start_date_time = fields.AwareDateTime(
        allow_none=True,
        default_timezone=UTC,
        metadata={
            "description": "Of the schedule. Left out: when it is given, or charging starts."
        },
    )
    duration = fields.Integer(allow_none=True, validate=validate.Range(1, 10**8))
    min_charging_rate = fields.Float(allow_none=True, validate=validate.Range(0, 10**7))
    periods = fields.List(fields.Nested(ProfilePeriod), validate=validate.Length(1, 100))
    valid_from = fields.AwareDateTime(allow_none=True, default_timezone=UTC)
    valid_to = fields.AwareDateTime(allow_none=True, default_timezone=UTC)

    @validates_schema
    def check(self, data: dict[str, Any], **_: Any) -> None:
        starts = [period["start_period"] for period in data.get("periods", [])]
        if starts and (starts[0] != 0 or sorted(set(starts)) != starts):
            raise ValidationError("They begin at 0, each after the one before.", "periods")


class NewProfile(ProfileChange):
    name = fields.String(required=True, validate=validate.Length(1, 100))
    purpose = fields.String(
        load_default=ProfilePurpose.TX_DEFAULT.value,
        validate=validate.OneOf(list(ProfilePurpose)),
        metadata={"description": "Limits the station as a whole, or whatever charges there."},
    )
    charging_rate_unit = fields.String(required=True, validate=validate.OneOf(UNITS))
    recurrency = fields.String(
        allow_none=True, load_default=None, validate=validate.OneOf(list(Recurrency))
    )
    periods = fields.List(
        fields.Nested(ProfilePeriod), required=True, validate=validate.Length(1, 100)
    )

    @validates_schema
    def check_start(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("recurrency") and not data.get("start_date_time"):
            raise ValidationError("What recurs has a start.", "start_date_time")


class Applied(Schema):
    station_id = fields.String(metadata={"description": "Its identity."})
    evse = fields.Integer(metadata={"description": "0 for the station as a whole."})
    applied_at = fields.AwareDateTime()
    current = fields.Boolean(
        metadata={"description": "False: the profile was changed since; give it again."}
    )


class ProfileShown(Versioned):
    number = fields.Integer(metadata={"description": "OCPP's id of it; it never changes."})
    name = fields.String()
    description = fields.String(allow_none=True)
    purpose = fields.String(validate=validate.OneOf(list(ProfilePurpose)))
    kind = fields.String(validate=validate.OneOf(list(ProfileKind)))
    recurrency = fields.String(allow_none=True)
    stack_level = fields.Integer()
    charging_rate_unit = fields.String(validate=validate.OneOf(UNITS))
    start_date_time = fields.AwareDateTime(allow_none=True)
    duration = fields.Integer(allow_none=True)
    min_charging_rate = fields.Float(allow_none=True)
    periods = fields.List(fields.Nested(ProfilePeriod))
    valid_from = fields.AwareDateTime(allow_none=True)
    valid_to = fields.AwareDateTime(allow_none=True)
    applied = fields.List(fields.Nested(Applied))


class ProfilePlace(Input):
    station_id = fields.UUID(
        required=True, metadata={"description": "The id of the station's record."}
    )
    evse = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 1000),
        metadata={"description": "0 for the station as a whole."},
    )


ProfilePage: type[Schema] = page_of(ProfileShown)


@routes.get("/charging-profiles", permission="stations.read", query=PageQuery, answer=ProfilePage)
async def list_charging_profiles(request: web.Request) -> Any:
    """The charging profiles of the tenant, newest first, and who has them."""
    async with transaction(request) as db:
        answer = await page(
            db, select(ChargingProfileTemplate), ChargingProfileTemplate, request[QUERY]
        )
        return answer | {"items": await shown(db, answer["items"])}


@routes.post(
    "/charging-profiles",
    permission="stations.update",
    body=NewProfile,
    answer=ProfileShown,
    status=201,
)
async def add_charging_profile(request: web.Request) -> Any:
    """A charging profile to be given to stations."""
    body = request[BODY]
    if body["recurrency"]:
        kind = ProfileKind.RECURRING
    else:
        kind = ProfileKind.ABSOLUTE if body.get("start_date_time") else ProfileKind.RELATIVE
    if kind is ProfileKind.RELATIVE and body["purpose"] == ProfilePurpose.STATION_MAX:
        # What limits a station is not relative to anybody's charging.
        kind, body = ProfileKind.ABSOLUTE, {**body, "start_date_time": datetime.now(UTC)}
    async with transaction(request) as db:
        template = ChargingProfileTemplate(kind=kind, **body)
        db.add(template)
        await db.flush()
        await db.refresh(template)
        [answer] = await shown(db, [template])
        await record(db, AuditAction.CREATE, template.id, after=kept(answer))
    return answer


@routes.get("/charging-profiles/{id}", permission="stations.read", answer=ProfileShown)
async def show_charging_profile(request: web.Request) -> Any:
    """One charging profile, and who has it."""
    async with transaction(request) as db:
        [answer] = await shown(db, [await template_of(db, request)])
    return answer


@routes.patch(
    "/charging-profiles/{id}",
    permission="stations.update",
    body=ProfileChange,
    answer=ProfileShown,
)
async def change_charging_profile(request: web.Request) -> Any:
    """Change what is given. Stations that have it keep the old one until it is given again."""
    async with transaction(request) as db:
        template = await template_of(db, request)
        expect_version(request, template)
        [before] = await shown(db, [template])
        for name, value in request[BODY].items():
            setattr(template, name, value)
        await db.flush()
        await db.refresh(template)
        [answer] = await shown(db, [template])
        await record(db, AuditAction.UPDATE, template.id, before=kept(before), after=kept(answer))
    return answer


@routes.delete("/charging-profiles/{id}", permission="stations.update")
async def remove_charging_profile(request: web.Request) -> Any:
    """Remove a charging profile that no station has."""
    async with transaction(request) as db:
        template = await template_of(db, request)
        expect_version(request, template)
        [before] = await shown(db, [template])
        if before["applied"]:
            raise Conflict(
                f"{before['applied'][0]['station_id']} has it.",
                next_step=f"hub profile clear {template.name!r} STATION",
            )
        await db.delete(template)
        await record(db, AuditAction.DELETE, template.id, before=kept(before))


@routes.post(
    "/charging-profiles/{id}/apply",
    permission="stations.execute",
    body=ProfilePlace,
    answer=ProfileShown,
)
async def apply_charging_profile(request: web.Request) -> Any:
    """Give a charging profile to a station or one of its EVSEs; again replaces it there."""
    body, able = request[BODY], request.config_dict[STATIONS]
    template, ref = await order(request, "Charging profile")
    outcome = await templates.apply(able, ref, template, body["evse"])
    refuse(outcome)
    values = {"applied_at": datetime.now(UTC), "template_version": template.version}
    async with transaction(request) as db:
        place = {"template_id": template.id, "charging_station_id": ref.id}
        statement = insert(AppliedProfile).values(**place, evse_number=body["evse"], **values)
        await db.execute(
            statement.on_conflict_do_update(
                constraint="uq_applied_charging_profiles_place", set_=values
            )
        )
        [answer] = await shown(db, [await template_of(db, request)])
    return answer


@routes.post(
    "/charging-profiles/{id}/clear",
    permission="stations.execute",
    body=ProfilePlace,
    answer=ProfileShown,
)
async def clear_charging_profile(request: web.Request) -> Any:
    """Take a charging profile back from a station, with all its EVSEs."""
    template, ref = await order(request, "Clearing of charging profile")
    outcome = await request.config_dict[STATIONS].clear_charging_profile(
        ref, number=template.number
    )
    if outcome.result != "UNKNOWN":
        refuse(outcome)
    async with transaction(request) as db:
        await db.execute(
            delete(AppliedProfile).where(
                AppliedProfile.template_id == template.id,
                AppliedProfile.charging_station_id == ref.id,
            )
        )
        [answer] = await shown(db, [await template_of(db, request)])
    return answer


async def order(request: web.Request, what: str) -> tuple[ChargingProfileTemplate, StationRef]:
    """The profile and the station it is about, with an entry that says who wants it."""
    async with transaction(request) as db:
        template = await template_of(db, request)
        station = await one(db, request[BODY]["station_id"])
        await audit.record(
            db,
            AuditAction.COMMAND_SENT,
            "charging_station",
            station.id,
            description=f"{what} {template.name!r}: {station.station_id}",
        )
        db.expunge(template)
    return template, StationRef(request[ACTOR].tenant_id, station.id)


def refuse(outcome: Outcome) -> None:
    if not outcome.accepted:
        raise Conflict(f"The station did not take it: {outcome.result} {outcome.message}".strip())


async def template_of(db: AsyncSession, request: web.Request) -> ChargingProfileTemplate:
    return await find(db, ChargingProfileTemplate, path_id(request), *NAMED)


async def shown(db: AsyncSession, templates: list[ChargingProfileTemplate]) -> list[dict[str, Any]]:
    rows = await db.execute(
        select(AppliedProfile, ChargingStation.station_id)
        .join(ChargingStation, ChargingStation.id == AppliedProfile.charging_station_id)
        .where(AppliedProfile.template_id.in_([template.id for template in templates]))
        .order_by(ChargingStation.station_id, AppliedProfile.evse_number)
    )
    versions = {template.id: template.version for template in templates}
    places: dict[UUID, list[dict[str, Any]]] = {template.id: [] for template in templates}
    for applied, station_id in rows:
        places[applied.template_id].append(
            {
                "station_id": station_id,
                "evse": applied.evse_number,
                "applied_at": applied.applied_at,
                "current": applied.template_version == versions[applied.template_id],
            }
        )
    return [
        {name: getattr(template, name) for name in COLUMNS} | {"applied": places[template.id]}
        for template in templates
    ]


COLUMNS = [name for name in ProfileShown().fields if hasattr(ChargingProfileTemplate, name)]


def kept(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "applied"}


async def record(db: AsyncSession, action: AuditAction, row_id: UUID, **more: Any) -> None:
    await audit.record(db, action, "charging_profile_template", row_id, **more)
