"""Charging stations of the tenant's own: their records, and how they prove who they are.

Nothing is created by a station that calls: an operator adds it, and hands its password over. What
else there is to do with stations stands in the modules beside this one.
"""

import secrets
from typing import Any
from uuid import UUID

from aiohttp import web
from marshmallow import fields, validate
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.admin.auth import ACTOR, transaction
from hub.admin.errors import BadInput, Conflict, Missing
from hub.admin.input import Fingerprint, Input, Matching
from hub.admin.output import PageQuery, expect_version, page, path_id
from hub.admin.routes import BODY, QUERY, Routes
from hub.admin.station_output import (
    STATUSES,
    TOLERANCES,
    VERSIONS,
    StationMade,
    StationPage,
    StationShown,
    parts,
    shown,
)
from hub.keys import INTAKE, KEYRING, SETTINGS
from hub.models.charging import ChargingSession
from hub.models.objects import Location
from hub.models.stations import ChargingStation
from hub.models.tenants import Tenant
from hub.models.transactions import StationTransaction
from hub.models.values import AuditAction, StationStatus
from hub.ocpp import identity, relay
from hub.ocpp.conversation.frames import OCPPVersion
from hub.ocpp.tls import certificates
from hub.roaming.ports import StationRef
from hub.roaming.stations import own_evses, placement
from hub.roaming.store.writes import Stored
from hub.settings import Settings

routes = Routes("Stations")

# 16 random bytes in hexadecimal: what 1.6 wants of an AuthorizationKey and 2.x of a password.
PASSWORD_BYTES = 16
PASSWORD = r"[A-Za-z0-9*\-_=:+|@.]{16,40}"  # noqa: S105 - what one looks like
CERTIFIED = identity.CERTIFICATE


class StationQuery(PageQuery):
    station_id = fields.String(metadata={"description": "The OCPP identity begins so."})
    status = fields.String(validate=validate.OneOf(list(StationStatus)))
    connected = fields.Boolean()
    location_id = fields.String(metadata={"description": "The OCPI location it stands at."})


class StationChange(Input):
    name = fields.String(allow_none=True, validate=validate.Length(max=255))
    description = fields.String(allow_none=True, validate=validate.Length(max=1000))
    status = fields.String(
        validate=validate.OneOf(STATUSES),
        metadata={
            "description": "INACTIVE stations are answered Pending, DECOMMISSIONED ones Rejected;"
            " the EVSEs of one in MAINTENANCE are shown as INOPERATIVE."
        },
    )
    ocpp_versions = fields.List(
        fields.String(validate=validate.OneOf(VERSIONS)), validate=validate.Length(1, len(VERSIONS))
    )
    security_profile = fields.Integer(validate=validate.Range(1, CERTIFIED))
    tolerance = fields.String(
        validate=validate.OneOf(TOLERANCES),
        metadata={"description": "Whether harmless faults in its messages are mended."},
    )
    answers_pings = fields.Boolean(
        metadata={"description": "False for the few stations that do not answer WebSocket pings."}
    )
    groups = fields.List(
        fields.String(validate=validate.Length(1, 100)), validate=validate.Length(max=50)
    )
    certificate_fingerprint = Fingerprint(
        allow_none=True,
        validate=Matching(r"[0-9a-f]{64}$"),
        metadata={
            "description": "Of its client certificate, for profile 3.",
            "allowed": "SHA-256 as 64 hexadecimal digits, with or without colons",
        },
    )
    location_id = fields.String(
        validate=validate.Length(1, 36),
        metadata={"description": "Moves it, with all its EVSEs, to this OCPI location."},
    )


class NewStation(StationChange):
    station_id = fields.String(
        required=True,
        validate=Matching(identity.IDENTITY.pattern + "$"),
        metadata={
            "description": "Its OCPP identity, the last part of the URL it connects to.",
            "allowed": "1 to 48 letters, digits and * - _ = | . @ +",
        },
    )
    password = fields.String(
        load_only=True,
        validate=Matching(PASSWORD + "$"),
        metadata={
            "description": "One is made and shown if you give none.",
            "allowed": "16 to 40 letters, digits and * - _ = : + | @ .",
        },
    )


@routes.get("/stations", permission="stations.read", query=StationQuery, answer=StationPage)
async def list_stations(request: web.Request) -> Any:
    """The stations of the tenant, newest first."""
    query = request[QUERY]
    found = select(ChargingStation)
    if "station_id" in query:
        found = found.where(
            ChargingStation.station_id.startswith(query["station_id"], autoescape=True)
        )
    if "status" in query:
        found = found.where(ChargingStation.status == query["status"])
    if "connected" in query:
        away = ChargingStation.connected_to.is_(None)
        found = found.where(~away if query["connected"] else away)
    if "location_id" in query:
        at = Location.object_key == query["location_id"].upper()
        found = found.join(Location, Location.id == ChargingStation.location_id).where(at)
    async with transaction(request) as db:
        answer = await page(db, found, ChargingStation, query)
        return answer | {"items": await shown(db, answer["items"])}


@routes.post(
    "/stations", permission="stations.create", body=NewStation, answer=StationMade, status=201
)
async def add_station(request: web.Request) -> Any:
    """Make a station known, with a password that is shown this once.

    It may connect at once. What it has to offer is published when it is placed at a location.
    """
    body = request[BODY]
    if not identity.readable(body["station_id"]):
        raise BadInput("station_id: Could not be part of a URL.", field="station_id")
    given: str | None = body.pop("password", None)
    password = given or secrets.token_hex(PASSWORD_BYTES)
    keyring = request.config_dict[KEYRING]
    async with transaction(request) as db:
        station = ChargingStation(
            station_id=body.pop("station_id"),
            ocpp_version=identity.NAMES[OCPPVersion.V21],
            password_digest=keyring.digest(password),
            password_key_id=keyring.key_id,
            configuration={"network": {"ocpp_versions": VERSIONS}},
        )
        change(station, body)
        if "location_id" in body:
            station.location_id = (await placement.own_location(db, body["location_id"])).id
        db.add(station)
        await db.flush()
        await db.refresh(station)
        [answer] = await shown(db, [station])
        tenant = await db.get_one(Tenant, request[ACTOR].tenant_id)
        await record(db, AuditAction.CREATE, station.id, after=kept(answer))
    return {
        "station": answer,
        "url": url_of(request.config_dict[SETTINGS], tenant, answer),
        "password": None if given else password,
    }


def url_of(settings: Settings, tenant: Tenant, station: dict[str, Any]) -> str:
    """Where a station connects. The domain tells tenants apart that use the same identity."""
    encrypted = station["security_profile"] >= identity.ENCRYPTED
    # http becomes ws, https becomes wss.
    base = f"ws{settings.public_url.removeprefix('http')}/ocpp"
    if encrypted and settings.ocpp_tls_url is not None:
        base = settings.ocpp_tls_url
    domain = f"{tenant.domain}/" if tenant.domain else ""
    return f"{base}/{domain}{station['station_id']}"


@routes.get("/stations/{id}", permission="stations.read", answer=StationShown)
async def show_station(request: web.Request) -> Any:
    """One station: how it is connected, what it says of itself, what it can do."""
    async with transaction(request) as db:
        [answer] = await shown(db, [await one(db, path_id(request))])
    return answer


@routes.patch(
    "/stations/{id}", permission="stations.update", body=StationChange, answer=StationShown
)
async def change_station(request: web.Request) -> Any:
    """Change what is given. A change of how it may connect ends its connection: it comes back."""
    body = request[BODY]
    async with transaction(request) as db:
        station = await one(db, path_id(request), lock=True)
        expect_version(request, station)
        ref = ref_of(station)
        [before] = await shown(db, [station])
        change(station, body)
        if body.get("security_profile") == CERTIFIED:
            await refuse_to_lock_out(db, station)
        await db.flush()
        moved: list[Stored] = []
        if "location_id" in body:
            location = await placement.own_location(db, body["location_id"])
            moved += await placement.move(db, ref, location)
        if body.get("status") == StationStatus.DECOMMISSIONED:
            moved += await placement.withdraw_all(db, ref)
        moved += await own_evses.publish(db, ref)
        await db.refresh(station)
        [answer] = await shown(db, [station])
        await record(db, AuditAction.UPDATE, ref.id, before=kept(before), after=kept(answer))
        if any(before[name] != answer[name] for name in CONNECTING):
            await relay.hang_up(db, ref)
    passed_on(request, moved)
    return answer


@routes.delete("/stations/{id}", permission="stations.delete")
async def remove_station(request: web.Request) -> Any:
    """Forget a station that has never charged anybody; its EVSEs are shown as REMOVED.

    One with sessions stays for their sake: decommission it instead.
    """
    async with transaction(request) as db:
        station = await one(db, path_id(request), lock=True)
        expect_version(request, station)
        await refuse_with_history(db, station)
        ref = ref_of(station)
        [before] = await shown(db, [station])
        moved = await placement.withdraw_all(db, ref)
        await db.delete(station)
        await record(db, AuditAction.DELETE, ref.id, before=kept(before))
        await relay.hang_up(db, ref)
    passed_on(request, moved)


async def refuse_with_history(db: AsyncSession, station: ChargingStation) -> None:
    for table in (ChargingSession, StationTransaction):
        rows: Any = table
        found = select(rows.id).where(rows.charging_station_id == station.id).limit(1)
        if await db.scalar(found) is not None:
            raise Conflict(
                f"{station.station_id} has sessions in its history: they would lose their place.",
                next_step=f"hub station edit {station.station_id} --status decommissioned",
            )


async def refuse_to_lock_out(db: AsyncSession, station: ChargingStation) -> None:
    if not await certificates.are_there(db, station):
        raise Conflict(
            f"{station.station_id} has no certificate: with profile 3 nothing would let it in.",
            next_step=f"hub certificate renew {station.station_id}",
        )


# What a connection is bound to: with another of these it must be made anew.
CONNECTING = (
    "registration",
    "ocpp_versions",
    "security_profile",
    "tolerance",
    "answers_pings",
    "certificate_fingerprint",
)
PLAIN = ("name", "description", "status", "security_profile", "certificate_fingerprint")


def change(station: ChargingStation, body: dict[str, Any]) -> None:
    """Write what was given into the record; where it stands is not among it."""
    for name in PLAIN:
        if name in body:
            setattr(station, name, body[name])
    security, network = parts(station)
    if "certificate_fingerprint" in body:
        # The operator's word, instead of whatever was on its way.
        security.pop(identity.NEXT_CERTIFICATES, None)
        station.certificate_expires_at = None
    if "tolerance" in body:
        security["strict"] = body["tolerance"] == "strict"
    for name in ("answers_pings", "groups"):
        if name in body:
            network[name] = body[name]
    if "ocpp_versions" in body:
        allowed = sorted(set(body["ocpp_versions"]), key=VERSIONS.index)
        network["ocpp_versions"] = allowed
        station.ocpp_version = identity.NAMES[OCPPVersion(allowed[-1])]
    station.configuration = {
        **(station.configuration or {}),
        "security": security,
        "network": network,
    }


async def one(db: AsyncSession, row_id: UUID, *, lock: bool = False) -> ChargingStation:
    """A station of the tenant. Locked, what stations themselves write waits."""
    found = select(ChargingStation).where(ChargingStation.id == row_id)
    station = await db.scalar(found.with_for_update() if lock else found)
    if station is None:
        raise Missing(f"There is no station {row_id}.", next_step="hub station list")
    return station


def ref_of(station: ChargingStation) -> StationRef:
    return StationRef(UUID(str(station.tenant_id)), station.id)


# What a station does itself is not what an operator changed.
LIVE = frozenset(
    {
        "connected", "connected_at", "remote_address", "booted_at", "clock_offset", "diagnostics",
        "last_heartbeat", "updated_at",
    }
)  # fmt: skip


def kept(answer: dict[str, Any]) -> dict[str, Any]:
    """A station's record as the audit log shows it."""
    return {name: value for name, value in answer.items() if name not in LIVE}


async def record(db: AsyncSession, action: AuditAction, row_id: UUID, **more: Any) -> None:
    await audit.record(db, action, "charging_station", row_id, **{"severity": "MEDIUM"} | more)


def passed_on(request: web.Request, moved: list[Stored]) -> None:
    """After the commit: whoever delivers is told what moved in the feed."""
    if found := [stored for stored in moved if stored.passed_on]:
        request.config_dict[INTAKE].on_change(request[ACTOR].tenant_id, found)
