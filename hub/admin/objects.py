"""Objects the hub keeps: what they say, and who has received them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.admin import losses
from hub.admin.auth import ACTOR, transaction
from hub.admin.errors import BadInput, Missing
from hub.admin.input import PartyField
from hub.admin.losses import LossShown
from hub.admin.output import PageQuery, PartyOf, cut, decode, page_of, unusable
from hub.admin.routes import QUERY, Routes
from hub.keys import DIRECTORY
from hub.models.feed import Cursor, Setback
from hub.models.values import ConnectionStatus, Party, Place
from hub.roaming.feed import withdrawals
from hub.roaming.feed.changes import Change, Source
from hub.roaming.feed.sources import SOURCES
from hub.roaming.modules import CDRS, LOCATIONS, MODULES, Module
from hub.roaming.network.audience import Audience
from hub.roaming.network.partners import Connection
from hub.roaming.store import listing
from hub.roaming.store.rows import Key
from hub.roaming.store.writes import object_ref

routes = Routes("Objects")


STATES = ("DELIVERED", "WITHDRAWN", "WAITING", "REFUSED", "HELD", "NOT_TAKEN")


class ObjectQuery(PageQuery):
    party = PartyField(metadata={"description": "The owner."})
    id = fields.String(
        validate=validate.Length(1, 80), metadata={"description": "As the owner spells it, or not."}
    )
    deleted = fields.Boolean(load_default=False, metadata={"description": "Deleted ones instead."})


class ObjectRow(Schema):
    module = fields.String(validate=validate.OneOf(list(MODULES)))
    ref = fields.String(metadata={"description": "Country code, party id and id with slashes."})
    party = PartyOf(metadata={"description": "The owner."})
    id = fields.String(attribute="object_id")
    partner_id = fields.UUID(
        allow_none=True, metadata={"description": "Who brought it; null for our own stations."}
    )
    last_updated = fields.String(attribute="last_updated_text")
    received_at = fields.AwareDateTime()
    deleted_at = fields.AwareDateTime(allow_none=True)


class Delivery(Schema):
    """How far one platform is with this object."""

    partner_id = fields.UUID()
    partner = fields.String()
    party = fields.String()
    ocpi_version = fields.String(allow_none=True)
    state = fields.String(
        validate=validate.OneOf(STATES),
        metadata={
            "description": "WITHDRAWN: it knows that the location is not published any more."
        },
    )
    reason = fields.String(allow_none=True)
    delivered_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When the platform last took anything."}
    )
    next_attempt_at = fields.AwareDateTime(allow_none=True)


class ObjectInFull(ObjectRow):
    document = fields.Dict(
        allow_none=True,
        metadata={"description": "The canonical object (OCPI 2.3.0); null when it is deleted."},
    )
    deliveries = fields.List(
        fields.Nested(Delivery),
        metadata={"description": "Everybody who is to have it, or to have it no longer."},
    )
    losses = fields.List(
        fields.Nested(LossShown),
        metadata={"description": "What other OCPI versions could not say of it."},
    )


ObjectPage: type[Schema] = page_of(ObjectRow)


@routes.get("/objects/{module}", permission="objects.read", query=ObjectQuery, answer=ObjectPage)
async def list_objects(request: web.Request) -> Any:
    """Objects of one module, the latest first."""
    module, query = module_of(request), request[QUERY]
    table: Any = module.table
    found = select(table).where(
        table.deleted_at.is_not(None) if query["deleted"] else table.deleted_at.is_(None)
    )
    if "party" in query:
        found = found.where(
            table.country_code == query["party"].country_code,
            table.party_id == query["party"].party_id,
        )
    if "id" in query:
        found = found.where(table.object_key.startswith(query["id"].upper(), autoescape=True))
    if "after" in query:
        place = decode(query["after"])
        if not (place.isascii() and place.isdigit()):
            raise unusable()
        found = found.where(table.page_seq < int(place))
    async with transaction(request) as db:
        found = found.order_by(table.page_seq.desc()).limit(query["limit"] + 1)
        rows = list(await db.scalars(found))
    for row in rows:
        row.module, row.ref = module.name, ref(row)
    return cut(rows, query["limit"], lambda row: str(row.page_seq))


@routes.get(
    "/objects/{module}/{country_code}/{party_id}/{id:.+}",
    permission="objects.read",
    answer=ObjectInFull,
)
async def show_object(request: web.Request) -> Any:
    """One object, its document, and for every platform that is to have it whether it has.

    A token is named with its type behind a slash, as in `DEADBEEF/RFID`.
    """
    module, key = module_of(request), key_of(request)
    audience = await request.config_dict[DIRECTORY].audience(request[ACTOR].tenant_id)
    async with transaction(request) as db:
        row = await read_row(db, module, key)
        kept = await listing.get(db, module, key)
        source = SOURCES[module.name]
        # None for an object that is gone where OCPI has no way to say so.
        changes = await source.find(db, [object_ref(key)])
        if module is LOCATIONS:
            taken_back = await withdrawals.of(db, [key])
            changes = [change for change in changes if not change.withdraws] + taken_back
        deliveries = await states(db, source, changes, audience)
        lost = await losses.of_object(db, module.name, object_ref(key))
    if module is CDRS and row.held_at is not None:
        deliveries = held(row, audience)
    row.module, row.ref = module.name, ref(row)
    row.document = codec.read(kept.text, max_nodes=10**6) if kept else None
    row.deliveries, row.losses = deliveries, lost
    return row


async def read_row(db: AsyncSession, module: Module, key: Key) -> Any:
    table: Any = module.table
    row = await db.scalar(
        select(table).where(
            table.country_code == key.country_code,
            table.party_id == key.party_id,
            table.object_key == key.object_key,
        )
    )
    if row is None:
        raise Missing(
            f"The hub keeps no {module.kind} {object_ref(key)}.",
            next_step=f"hub object list {module.name}",
        )
    db.expunge(row)
    return row


async def states(
    db: AsyncSession, source: Source, changes: Sequence[Change], audience: Audience
) -> list[dict[str, Any]]:
    """A cursor past the object's place has delivered it, unless the partner refused it.

    What takes an object back concerns those who may have had it; of its parts the one that stands
    out is shown.
    """
    cursors = {
        cursor.partner_id: cursor
        for cursor in await db.scalars(select(Cursor).where(Cursor.module == source.name))
    }
    refused = {
        (setback.partner_id, setback.party, setback.object_ref): setback
        for setback in await db.scalars(
            select(Setback).where(
                Setback.module == source.name,
                Setback.object_ref.in_({change.ref for change in changes}),
                Setback.settled_at.is_(None),
            )
        )
    }
    found: dict[tuple[UUID, Party], dict[str, Any]] = {}
    for change in changes:
        for connection, party in source.addressees(audience, change):
            cursor = cursors.get(connection.id)
            if change.withdraws and not may_have_had(cursor, change):
                continue
            shown = state(
                cursor,
                refused.get((connection.id, str(party), change.ref)),
                change,
                reached=source.reaches(connection),
                absence=absence(connection),
            )
            named = {
                "partner_id": connection.id,
                "partner": connection.name,
                "party": str(party),
                "ocpi_version": connection.version,
            }
            before = found.setdefault((connection.id, party), named | shown)
            if before["state"] == "WITHDRAWN":
                before |= shown
    return list(found.values())


def may_have_had(cursor: Cursor | None, withdrawal: Change) -> bool:
    return cursor is not None and withdrawal.place > Place(cursor.reached_xid, cursor.reached_seq)


def absence(connection: Connection) -> str | None:
    status = connection.connection_status
    return None if status == ConnectionStatus.CONNECTED else f"It is {status}."


def held(row: Any, audience: Audience) -> list[dict[str, Any]]:
    """Who is to have a CDR that is held."""
    owner = Party(row.country_code, row.party_id)
    receiver = Party(row.receiver_country_code, row.receiver_party_id)
    reason = f"It is held until it is released: hub cdr show {ref(row)}"
    return [
        {
            "partner_id": connection.id,
            "partner": connection.name,
            "party": str(party),
            "ocpi_version": connection.version,
            "state": "HELD",
            "reason": reason,
        }
        for connection, party in audience.receivers(CDRS, owner, receiver, row.partner_id)
    ]


def state(
    cursor: Cursor | None,
    setback: Setback | None,
    change: Change,
    *,
    reached: bool,
    absence: str | None,
) -> dict[str, Any]:
    """``absence`` is what the platform is where it is not connected."""
    if setback is not None:
        return {
            "state": "REFUSED",
            "reason": setback.reason,
            "next_attempt_at": setback.next_attempt_at,
        }
    if cursor is None:
        return {"state": "WAITING", "reason": "It is not registered, or does not take the module."}
    if Place(cursor.xid, cursor.seq) >= change.place:
        told = "WITHDRAWN" if change.withdraws else "DELIVERED"
        return {"state": told, "delivered_at": cursor.delivered_at}
    if not reached:
        return {"state": "NOT_TAKEN", "reason": "It has no receiver for this module."}
    return {
        "state": "WAITING",
        "reason": cursor.held_reason or cursor.last_error or absence,
        "delivered_at": cursor.delivered_at,
        "next_attempt_at": cursor.next_attempt_at,
    }


def module_of(request: web.Request) -> Module:
    name = request.match_info["module"]
    if name not in MODULES:
        raise BadInput(
            f"There is no module {name[:40]!r}.", field="module", allowed=sorted(MODULES)
        )
    return MODULES[name]


def key_of(request: web.Request) -> Key:
    owner = Party.of(request.match_info["country_code"], request.match_info["party_id"])
    uid, slash, kind = request.match_info["id"].upper().partition("/")
    if slash or request.match_info["module"] != "tokens":
        return Key(owner.country_code, owner.party_id, uid + slash + kind)
    return Key(owner.country_code, owner.party_id, f"{uid}/RFID")


def ref(row: Any) -> str:
    """With the id as its owner writes it, where nothing else belongs to the key."""
    same = row.object_id.upper() == row.object_key
    name = row.object_id if same else row.object_key
    return object_ref(Key(row.country_code, row.party_id, name))
