"""Reading a push: what it says, whose it is, and what to keep of it when part of it is bad.

Whatever is refused is quarantined with field and rule before the partner
is told, so that nothing a partner sent is lost without trace.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from hub import codec
from hub.errors import InvalidRequest, NotFound
from hub.keys import ARRIVALS, DATABASE, INTAKE, LOSSES
from hub.models.losses import Direction
from hub.models.values import Party
from hub.ocpi import translation
from hub.ocpi.envelope import read_object
from hub.ocpi.request import AUDIENCE, OPERATION, PARTNER, TO, VERSION
from hub.ocpi.routing import bodies, ownership
from hub.ocpi.schemas.compiled import Removed, split
from hub.ocpi.versions.base import Document, Loss
from hub.roaming.merging import MEMBER_OF_TIME, instant
from hub.roaming.modules import MODULES, TOKENS, Module
from hub.roaming.pulls import sync_states
from hub.roaming.pulls.sync_terms import IN_ORDER
from hub.roaming.store import quarantine, receivers
from hub.roaming.store.losses import Lost, Place
from hub.roaming.store.writes import Stored, Write

# Path segments that every client resolves away: such an object could never be addressed again.
UNFINDABLE = frozenset({"", ".", ".."})


async def keep_push(request: web.Request, body: Document | None = None) -> Stored:
    """Read, check and commit a push; parts that are bad are quarantined, the rest is kept.

    ``body`` is given by who has read it already.
    """
    operation, partner = request[OPERATION], request[PARTNER]
    module = MODULES[operation.kept_as]
    owner = ownership.check_owner(request, module)
    write = Write(
        module,
        request.method,
        owner,
        request.match_info["id"],
        evse_uid=request.match_info.get("evse_uid"),
        connector_id=request.match_info.get("connector_id"),
        calendar_id=request.match_info.get("calendar_id"),
        partner_id=partner.id,
        broadcast=request[TO] == partner.hub,
        for_us=request[TO] is not None and request[TO] == request[AUDIENCE].own,
    )
    if operation.body is None:
        return await keep(request, write)
    body = await read_object(request) if body is None else body
    assert body is not None
    return await keep_body(request, write, operation.body, body)


async def keep_body(request: web.Request, write: Write, kind: str, body: Document) -> Stored:
    if write.object_id in UNFINDABLE:
        name = write.module.id_field
        raise InvalidRequest(f"{name}: {write.object_id!r} cannot be part of a URL.")
    partial = request[OPERATION].partial
    losses: list[Loss] = []
    sound, removed = split(request[VERSION].number, kind, body, partial=partial)
    try:
        document = await read_document(request, write, kind, sound, losses)
    except InvalidRequest as error:
        await quarantined(request, write, kind, body, error.data)
        raise
    # 2.1.1 does not say what a PATCH of periods means (SES-14), nor which token it was.
    silent = request[VERSION].peer_to_peer
    write = replace(write, document=document, all_periods=silent, by_contract=silent)
    if write.module is TOKENS:
        write = replace(write, token_type=ownership.token_type(request, document))
    if write.module.private:
        write = await addressed(request, write)
    stored = await keep(request, write)
    if losses or not partial:
        await note(request, write, losses)
    if removed:
        raise await partly(request, write, removed)
    return stored


async def note(request: web.Request, write: Write, losses: Sequence[Loss]) -> None:
    """Put on record what of the object has no place in the canonical form."""
    tenant_id = request[PARTNER].tenant_id
    place = Place(write.module.name, ref(write), request[VERSION].number, Direction.READ)
    lost = Lost(place, translation.parts_of(losses))
    if news := request.config_dict[LOSSES].news(tenant_id, [lost]):
        async with request.config_dict[DATABASE].transaction(tenant_id) as db:
            await request.config_dict[LOSSES].note(db, tenant_id, news)


async def keep(request: web.Request, write: Write) -> Stored:
    """Commit it, and note that data flows; a PATCH of what is not here has it pulled."""
    partner = request[PARTNER]
    try:
        stored = await request.config_dict[INTAKE].keep(partner.tenant_id, write)
    except NotFound:
        if request[OPERATION].partial and write.module in IN_ORDER:
            told = write.document.get(MEMBER_OF_TIME)
            since = instant(told) if told else datetime.now(UTC)
            async with request.config_dict[DATABASE].transaction(partner.tenant_id) as db:
                await sync_states.miss(db, partner.id, write.module.name, since)
        raise
    if write.module in IN_ORDER:
        request.config_dict[ARRIVALS].pushed(partner.tenant_id, partner.id, write.module.name)
    return stored


async def read_document(
    request: web.Request, write: Write, kind: str, body: Document, losses: list[Loss]
) -> Document:
    needed = request[OPERATION].partial and request[VERSION].schema(kind).in_every_patch
    if needed and "last_updated" not in body:
        rule = "Missing data for required field."
        raise InvalidRequest(
            f"last_updated: {rule} A PATCH says when the object changed.",
            data={"errors": [{"field": "last_updated", "rule": rule}]},
        )
    document = await bodies.read(request, kind, body, losses)
    ids = {
        "EVSE": {"uid": str(write.evse_uid)},
        "Connector": {"id": str(write.connector_id)},
        "Calendar": {"id": str(write.calendar_id)},
    }.get(kind, {write.module.id_field: write.object_id})
    ownership.check_body(write.owner if write.module.names_owner else None, document, ids)
    whole = kind == write.module.kind and not request[OPERATION].partial
    if whole and write.module.names_owner:
        # Kept as the party and the id are known in the feed; the spelling stays the owner's.
        document.setdefault("country_code", write.owner.country_code)
        document.setdefault("party_id", write.owner.party_id)
    return document


async def addressed(request: web.Request, write: Write) -> Write:
    """The write with the party that it is for, which must be here, able to have it, and allowed.

    A PATCH that does not touch that needs no such check.
    """
    module, own = write.module, request[AUDIENCE].own
    receiver: Party | None
    if own is not None and request[TO] == own:
        receiver = own
    elif module.receiver_in is None:
        async with request.config_dict[DATABASE].transaction(request[PARTNER].tenant_id) as db:
            receiver = await receivers.find(db, module.kind, write.owner, write.document)
    elif request[OPERATION].partial and not says_receiver(module, write.document):
        return write
    else:
        receiver = module.receiver_in(write.document)
    receivers.check(request[AUDIENCE], module, write.owner, receiver)
    return replace(write, receiver=receiver)


def says_receiver(module: Module, document: Document) -> bool:
    assert module.receiver_in is not None
    try:
        module.receiver_in(document)
    except (KeyError, IndexError):
        return False
    return True


async def quarantined(request: web.Request, write: Write, kind: str, body: Any, data: Any) -> None:
    errors = data.get("errors", []) if isinstance(data, dict) else []
    async with request.config_dict[DATABASE].transaction(request[PARTNER].tenant_id) as db:
        await quarantine.note(
            db,
            partner_id=request[PARTNER].id,
            module=write.module.name,
            kind=kind,
            ocpi_version=request[VERSION].number,
            source="push",
            body=codec.write_text(body),
            errors=errors,
            object_ref=ref(write),
        )


async def partly(request: web.Request, write: Write, removed: Sequence[Removed]) -> InvalidRequest:
    """Quarantine the bad parts; returns the error that says so and that the rest is kept."""
    async with request.config_dict[DATABASE].transaction(request[PARTNER].tenant_id) as db:
        for part in removed:
            uid = part.item.get("uid") if isinstance(part.item, dict) else None
            await quarantine.note(
                db,
                partner_id=request[PARTNER].id,
                module=write.module.name,
                kind="EVSE",
                ocpi_version=request[VERSION].number,
                source="part of a push",
                body=codec.write_text(part.item),
                errors=part.errors,
                object_ref=f"{ref(write)}/{str(uid).upper()}" if uid else None,
            )
    errors = [error for part in removed for error in part.errors]
    first = errors[0]
    return InvalidRequest(
        f"{first['field']}: {first['rule']} Left out: {len(removed)} EVSE(s); the rest is kept.",
        data={"errors": errors},
    )


def ref(write: Write) -> str:
    parts = [write.owner.country_code, write.owner.party_id, write.object_id.upper()]
    if write.evse_uid is not None:
        parts.append(write.evse_uid.upper())
    return "/".join(parts)
