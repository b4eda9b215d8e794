"""Locations and tariffs of the tenant's own CPO party: they come in by the same door as anybody's.

The EVSEs of connected stations are not written here: what a location has of them stays in it.
"""

from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from marshmallow import INCLUDE, Schema, fields, validate
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.admin.auth import transaction
from hub.admin.errors import BadInput, Conflict, WrongMethod
from hub.admin.input import Input
from hub.admin.objects import key_of, module_of
from hub.admin.routes import BODY, QUERY, Routes
from hub.admin.stations import passed_on
from hub.errors import HubError
from hub.keys import INTAKE
from hub.models.objects import EVSE, Tariff
from hub.models.ocpp import StationEVSE
from hub.models.stations import ChargingStation, Connector
from hub.models.values import Party
from hub.ocpi.endpoints.pushes import UNFINDABLE
from hub.ocpi.versions import VERSIONS
from hub.roaming.merging import MEMBER_OF_TIME, Document
from hub.roaming.modules import LOCATIONS, TARIFFS, Module
from hub.roaming.stations import placement
from hub.roaming.store import objects
from hub.roaming.store.rows import digest
from hub.roaming.store.writes import Outcome, Stored, Write, object_ref

routes = Routes("Objects")

OWN = (LOCATIONS, TARIFFS)
# 2.1.1 leaves out who owns an object, and much else.
WRITTEN_IN = ("2.3.0", "2.2.1")


class Anything(Schema):
    """An OCPI object; its version's own schema checks it."""

    class Meta:
        unknown = INCLUDE


class PutQuery(Input):
    ocpi_version = fields.String(
        load_default=WRITTEN_IN[0],
        validate=validate.OneOf(WRITTEN_IN),
        metadata={"description": "The version the object is written in."},
    )


class Put(Schema):
    module = fields.String(validate=validate.OneOf([module.name for module in OWN]))
    ref = fields.String()
    outcome = fields.String(validate=validate.OneOf(list(Outcome)))
    document = fields.Dict(metadata={"description": "The canonical object (OCPI 2.3.0)."})


@routes.put(
    "/objects/{module}/{country_code}/{party_id}/{id:.+}",
    permission="objects.update",
    body=Anything,
    query=PutQuery,
    answer=Put,
)
async def put_object(request: web.Request) -> Any:
    """Create or replace a location or tariff of the tenant's own CPO party.

    Owner, id and `last_updated` may be left out. A location keeps the EVSEs of stations that stand
    there, as the stations say; others may be in `evses`.
    """
    module, body = own_module(request), request[BODY]
    owner, object_id = owner_of(request), request.match_info["id"]
    intake = request.config_dict[INTAKE]
    async with transaction(request) as db:
        await refuse_others(db, owner)
        document = read(request, module, owner, object_id, body)
        if module is LOCATIONS:
            await put_stations_in(db, owner, object_id, document)
        write = Write(module, "PUT", owner, object_id, document)
        [stored] = await objects.apply(db, [write], same_since=intake.same_since)
        if isinstance(stored, HubError):
            raise stored
    passed_on(request, [stored])
    return answer_of(write, stored)


@routes.delete("/objects/{module}/{country_code}/{party_id}/{id:.+}", permission="objects.delete")
async def delete_object(request: web.Request) -> None:
    """Delete a tariff of the tenant's own CPO party. OCPI has no way to delete a location."""
    module = own_module(request)
    owner, object_id = owner_of(request), request.match_info["id"]
    if module is LOCATIONS:
        raise WrongMethod(
            "OCPI cannot delete a location, only hide it or say that its EVSEs are gone.",
            next_step='Put it with "publish": false, or withdraw what stands there: hub station'
            " withdraw",
        )
    async with transaction(request) as db:
        await refuse_others(db, owner)
        await refuse_in_use(db, owner, object_id)
        [stored] = await objects.apply(db, [Write(module, "DELETE", owner, object_id)])
        if isinstance(stored, HubError):
            raise stored
    passed_on(request, [stored])


def own_module(request: web.Request) -> Module:
    module = module_of(request)
    if module not in OWN:
        raise BadInput(
            f"module: {module.name} are not written by operators.",
            field="module",
            allowed=[module.name for module in OWN],
        )
    return module


def owner_of(request: web.Request) -> Party:
    key = key_of(request)
    return Party(key.country_code, key.party_id)


async def refuse_others(db: AsyncSession, owner: Party) -> None:
    """What partners own is theirs to change."""
    own = await placement.own_party(db)
    if owner != own:
        raise BadInput(
            f"party_id: {owner} is not the party of this tenant's own stations.",
            field="party_id",
            allowed=str(own),
        )


def read(
    request: web.Request, module: Module, owner: Party, object_id: str, body: Document
) -> Document:
    """The object in canonical form, with what the operator need not say."""
    if object_id in UNFINDABLE:
        raise BadInput(f"id: {object_id!r} cannot be part of a URL.", field="id")
    names = {"country_code": owner.country_code, "party_id": owner.party_id, "id": object_id}
    for member, expected in names.items():
        said = body.setdefault(member, expected)
        if not isinstance(said, str) or said.upper() != expected.upper():
            raise BadInput(f"{member}: The object says {said!r}.", field=member, allowed=expected)
    body.setdefault(MEMBER_OF_TIME, codec.instant(datetime.now(UTC)))
    return VERSIONS[request[QUERY]["ocpi_version"]].read(module.kind, body)


async def put_stations_in(
    db: AsyncSession, owner: Party, location_id: str, document: Document
) -> None:
    """What is kept of the EVSEs of stations goes into the location as it is."""
    rows = await db.execute(
        select(EVSE.object_key, EVSE.document, EVSE.last_updated_text)
        .join(StationEVSE, EVSE.object_id == StationEVSE.evse_uid)
        .where(
            EVSE.country_code == owner.country_code,
            EVSE.party_id == owner.party_id,
            EVSE.location_key == location_id.upper(),
            EVSE.deleted_at.is_(None),
        )
    )
    kept = {
        row.object_key: codec.read_stored(row.document) | {MEMBER_OF_TIME: row.last_updated_text}
        for row in rows
    }
    others = []
    for evse in document.get("evses") or []:
        ours = kept.get(evse["uid"].upper())
        if ours is None:
            others.append(evse)
        elif described(evse) != described(ours):
            raise BadInput(
                f"evses: {evse['uid']} is the EVSE of a station and is described there.",
                field="evses",
                next_step="hub station describe",
            )
    if evses := [*others, *kept.values()]:
        document["evses"] = evses


def described(evse: Document) -> bytes:
    """An EVSE but for what changes by itself: whoever puts back what they read says the same."""
    return digest({name: value for name, value in evse.items() if name != "status"})


async def refuse_in_use(db: AsyncSession, owner: Party, tariff_id: str) -> None:
    used = await db.scalar(
        select(ChargingStation.station_id)
        .join(Connector, Connector.charging_station_id == ChargingStation.id)
        .join(Tariff, Tariff.id == Connector.tariff_id)
        .where(
            Tariff.country_code == owner.country_code,
            Tariff.party_id == owner.party_id,
            Tariff.object_key == tariff_id.upper(),
        )
        .limit(1)
    )
    if used is not None:
        raise Conflict(
            f"A connector of {used} has this tariff.", next_step=f"hub station evses {used}"
        )


def answer_of(write: Write, stored: Stored) -> dict[str, Any]:
    return {
        "module": write.module.name,
        "ref": object_ref(write.key),
        "outcome": stored.outcome,
        "document": codec.read_stored(codec.write(write.document)),
    }
