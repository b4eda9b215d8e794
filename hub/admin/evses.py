"""EVSEs and connectors of stations: what stations told of them, and what OCPI is to see.

Stations report what they have; the operator says where it is, what the plugs are, what it costs.
"""

from typing import Any

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import flag_modified

from hub import audit
from hub.admin.auth import transaction
from hub.admin.errors import BadInput, Missing
from hub.admin.input import Input, Matching
from hub.admin.output import expect_version, path_id
from hub.admin.routes import BODY, Routes
from hub.admin.stations import one, passed_on, ref_of
from hub.models.ocpp import StationEVSE
from hub.models.stations import Connector
from hub.models.values import AuditAction, ConnectorStatus
from hub.roaming.ports import StationRef
from hub.roaming.projection.evses import shown_status
from hub.roaming.stations import connectors, own_evses, placement

routes = Routes("Stations")

# What an operator may want shown instead of what the station says.
SHOWN_AS = ("PLANNED", "INOPERATIVE", "BLOCKED", "REMOVED")
FORMATS = ("SOCKET", "CABLE")
MOST_EVSES = 1000


class ConnectorShown(Schema):
    id = fields.Integer(attribute="connector_id")
    standard = fields.String(
        attribute="connector_type", metadata={"description": "UNKNOWN until somebody says it."}
    )
    format = fields.String(allow_none=True, validate=validate.OneOf(FORMATS))
    max_voltage = fields.Integer(attribute="voltage", allow_none=True)
    max_amperage = fields.Integer(attribute="max_current", allow_none=True)
    max_electric_power = fields.Integer(attribute="max_power", allow_none=True)
    phases = fields.Integer(attribute="number_of_phases", allow_none=True)
    tariff_id = fields.String(
        attribute="tariff", allow_none=True, metadata={"description": "The OCPI tariff."}
    )
    status = fields.String(validate=validate.OneOf(list(ConnectorStatus)))
    error_code = fields.String(allow_none=True)
    described = fields.Boolean(
        metadata={"description": "Whether enough is known about it to be published."}
    )


class EVSEShown(Schema):
    number = fields.Integer(attribute="evse_number")
    uid = fields.String(attribute="evse_uid", metadata={"description": "Its OCPI uid."})
    evse_id = fields.String(allow_none=True)
    physical_reference = fields.String(allow_none=True)
    location_id = fields.String(allow_none=True)
    published = fields.Boolean()
    status = fields.String(metadata={"description": "As OCPI sees it, or would."})
    shown_as = fields.String(allow_none=True, validate=validate.OneOf(SHOWN_AS))
    power_group = fields.String(allow_none=True)
    connectors = fields.List(fields.Nested(ConnectorShown))
    version = fields.Integer(metadata={"description": "Of the station's record."})


class EVSEList(Schema):
    items = fields.List(fields.Nested(EVSEShown))


class ConnectorChange(Input):
    id = fields.Integer(required=True, validate=validate.Range(1, MOST_EVSES))
    standard = fields.String(
        validate=validate.Length(1, 50), metadata={"allowed": "a ConnectorType of OCPI"}
    )
    format = fields.String(validate=validate.OneOf(FORMATS))
    max_voltage = fields.Integer(validate=validate.Range(1, 10_000))
    max_amperage = fields.Integer(validate=validate.Range(1, 10_000))
    max_electric_power = fields.Integer(
        allow_none=True, validate=validate.Range(1, 10_000_000), metadata={"description": "Watts."}
    )
    phases = fields.Integer(validate=validate.Range(1, 3))
    tariff_id = fields.String(allow_none=True, validate=validate.Length(1, 36))


class EVSEChange(Input):
    location_id = fields.String(
        validate=validate.Length(1, 36),
        metadata={"description": "Where the station stands; all its EVSEs go with it."},
    )
    published = fields.Boolean(metadata={"description": "Whether OCPI is to see it."})
    evse_id = fields.String(
        allow_none=True,
        validate=Matching(r"[A-Za-z]{2}\*?[A-Za-z0-9]{3}\*?E[A-Za-z0-9*]{1,30}$"),
        metadata={"description": "The eMI3 id.", "allowed": "an eMI3 id such as NL*OWN*E1001*1"},
    )
    physical_reference = fields.String(allow_none=True, validate=validate.Length(1, 16))
    shown_as = fields.String(
        allow_none=True,
        validate=validate.OneOf(SHOWN_AS),
        metadata={"description": "A status that outranks what the station says; null for none."},
    )
    power_group = fields.String(
        allow_none=True,
        validate=validate.Length(1, 36),
        metadata={"description": "EVSEs of one group share their power: one is used at a time."},
    )
    connectors = fields.List(fields.Nested(ConnectorChange), validate=validate.Length(max=20))


@routes.get("/stations/{id}/evses", permission="stations.read", answer=EVSEList)
async def list_evses(request: web.Request) -> Any:
    """What a station has: reported by itself, or described before it ever called."""
    async with transaction(request) as db:
        station = await one(db, path_id(request))
        return {"items": shown(await own_evses.view(db, ref_of(station)))}


@routes.patch(
    "/stations/{id}/evses/{number}",
    permission="stations.update",
    body=EVSEChange,
    answer=EVSEShown,
)
async def change_evse(request: web.Request) -> Any:
    """Describe an EVSE, place it, publish it or take it back. One not reported yet is made known.

    Connectors that are not named stay as they are.
    """
    body, number = request[BODY], number_of(request)
    async with transaction(request) as db:
        station = await one(db, path_id(request), lock=True)
        expect_version(request, station)
        ref = ref_of(station)
        before = find(shown(await own_evses.view(db, ref)), number)
        await connectors.know_evse(db, ref, number)
        moved = []
        if "location_id" in body:
            location = await placement.own_location(db, body["location_id"])
            moved += await placement.move(db, ref, location)
        for connector in body.get("connectors", []):
            await describe(db, ref, number, connector)
        evse = await row_of(db, ref, number)
        for name in ("evse_id", "physical_reference", "shown_as", "power_group"):
            if name in body:
                setattr(evse, name, body[name])
        if body.get("published") is False:
            moved += await placement.withdraw(db, ref, evse)
        elif body.get("published"):
            evse.published = True
        # It is part of the station: whoever changes the station must have seen this.
        flag_modified(station, "name")
        await db.flush()
        answer = find(shown(await own_evses.view(db, ref)), number)
        assert answer is not None
        if answer["published"]:
            refuse_unready(answer)
        moved += await own_evses.publish(db, ref)
        await audit.record(
            db,
            AuditAction.UPDATE,
            "charging_station",
            ref.id,
            before=before and kept(before),
            after=kept(answer),
            description=f"EVSE {number}",
        )
    passed_on(request, moved)
    return answer


def number_of(request: web.Request) -> int:
    text = request.match_info["number"]
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_EVSES):
        raise Missing(f"There is no EVSE {text[:20]!r}: EVSEs are numbered from 1 to {MOST_EVSES}.")
    return int(text)


async def row_of(db: AsyncSession, ref: StationRef, number: int) -> StationEVSE:
    return (
        await db.scalars(
            select(StationEVSE).where(
                StationEVSE.charging_station_id == ref.id, StationEVSE.evse_number == number
            )
        )
    ).one()


COLUMNS = {
    "standard": "connector_type",
    "max_voltage": "voltage",
    "max_amperage": "max_current",
    "max_electric_power": "max_power",
    "phases": "number_of_phases",
}


async def describe(db: AsyncSession, ref: StationRef, number: int, told: dict[str, Any]) -> None:
    """Write down what the operator says of a connector."""
    await db.execute(
        insert(Connector)
        .values(
            charging_station_id=ref.id,
            evse_number=number,
            connector_id=told["id"],
            connector_type="UNKNOWN",
        )
        .on_conflict_do_nothing(constraint="uq_connectors_number")
    )
    connector = (
        await db.scalars(
            select(Connector)
            .where(
                Connector.charging_station_id == ref.id,
                Connector.evse_number == number,
                Connector.connector_id == told["id"],
            )
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ).one()
    for name, column in COLUMNS.items():
        if name in told:
            setattr(connector, column, told[name])
    if "tariff_id" in told:
        tariff_id = told["tariff_id"]
        tariff = await placement.own_tariff(db, tariff_id) if tariff_id is not None else None
        connector.tariff_id = tariff.id if tariff is not None else None
    if "format" in told:
        configuration: dict[str, Any] = dict(connector.configuration or {})
        custom = configuration.get("custom_parameters") or {}
        configuration["custom_parameters"] = {**custom, "format": told["format"]}
        connector.configuration = configuration  # type: ignore[assignment]
    await db.flush()


def refuse_unready(answer: dict[str, Any]) -> None:
    """What is published must have a place and a plug."""
    if answer["location_id"] is None:
        raise BadInput(
            "location_id: It stands nowhere yet.",
            field="location_id",
            allowed="the id of a location of your own",
            next_step="hub object put locations FILE",
        )
    if not any(connector["described"] for connector in answer["connectors"]):
        raise BadInput(
            "connectors: None of them is described: OCPI wants its standard, max_voltage and"
            " max_amperage.",
            field="connectors",
            allowed="at least one with id, standard, max_voltage and max_amperage",
        )


def shown(seen_as: own_evses.View) -> list[dict[str, Any]]:
    return [told_evse(seen_as, evse) for evse in seen_as.evses]


def told_evse(seen_as: own_evses.View, evse: StationEVSE) -> dict[str, Any]:
    facts = own_evses.evse_facts(seen_as, evse)
    return {
        **{name: getattr(evse, name) for name in EVSE_COLUMNS},
        "location_id": seen_as.location_id,
        "status": shown_status(facts),
        "version": seen_as.station.version,
        "connectors": [
            {
                **{name: getattr(connector, name) for name in CONNECTOR_COLUMNS},
                "format": fact.format,
                "tariff": fact.tariff_ids[0] if fact.tariff_ids else None,
                "described": fact.described,
            }
            for connector, fact in zip(connectors_of(seen_as, evse), facts.connectors, strict=True)
        ],
    }


def connectors_of(seen_as: own_evses.View, evse: StationEVSE) -> list[Connector]:
    return [c for c in seen_as.connectors if c.evse_number == evse.evse_number]


def find(evses: list[dict[str, Any]], number: int) -> dict[str, Any] | None:
    return next((evse for evse in evses if evse["evse_number"] == number), None)


def columns(schema: type[Schema], table: Any) -> list[str]:
    names = [field.attribute or name for name, field in schema().fields.items()]
    return [name for name in names if hasattr(table, name) and name != "version"]


EVSE_COLUMNS = columns(EVSEShown, StationEVSE)
CONNECTOR_COLUMNS = columns(ConnectorShown, Connector)


def kept(answer: dict[str, Any]) -> dict[str, Any]:
    """For the audit log: what the operator says, not what the station does meanwhile."""
    return {name: value for name, value in answer.items() if name not in {"status", "version"}}
