"""Agreements: which party gets what of which other one."""

import re
from typing import Any

from aiohttp import web
from marshmallow import Schema, ValidationError, fields, validate, validates_schema
from sqlalchemy import select

from hub import audit
from hub.admin.auth import ACTOR, transaction
from hub.admin.disclosure import TOLD, TellQuery, tell, wake, with_told
from hub.admin.input import Input, Matching
from hub.admin.output import (
    PageQuery,
    PartyOf,
    Versioned,
    expect_version,
    find,
    page,
    page_of,
    path_id,
)
from hub.admin.routes import BODY, QUERY, Routes
from hub.models.partners import Agreement
from hub.models.values import AuditAction, Party
from hub.ocpi.custom import is_custom
from hub.roaming.network.agreements import audience

routes = Routes("Agreements")
NAMED = ("agreement", "hub agreement list")
EFFECTS = ("ALLOW", "BLOCK")


class Side(fields.Field[tuple[str | None, str | None]]):
    """One side of an agreement: a party, all parties of a country, or anybody."""

    default_error_messages = {"invalid": "Write a party as NL*TNM, or a country as NL."}

    def _deserialize(
        self, value: Any, attr: str | None, data: Any, **kwargs: Any
    ) -> tuple[str | None, str | None]:
        if isinstance(value, str) and re.fullmatch(r"[A-Za-z]{2}", value):
            return value.upper(), None
        try:
            party = Party.parse(value)
        except (ValueError, AttributeError):
            raise self.make_error("invalid") from None
        return party.country_code, party.party_id


class SideOf(PartyOf):
    """The same, of a row."""

    def get_value(self, obj: Any, attr: str, accessor: Any = None, default: Any = None) -> Any:
        country = getattr(obj, f"{self.prefix}country_code")
        return super().get_value(obj, attr, accessor, default) or country


SIDE = {"allowed": "a party such as NL*TNM, a country such as NL, or null for anybody"}


HOLD = {
    "description": "CDRs wait until they were checked, and those that are not right until somebody"
    " decides."
}


class AgreementShown(Versioned):
    from_ = SideOf("from_", data_key="from", metadata={"description": "Whose data it is."})
    to = SideOf("to_", metadata={"description": "Who would get it."})
    module = fields.String(allow_none=True, metadata={"description": "Null for every module."})
    custom = fields.Function(
        lambda row: row.module is not None and is_custom(row.module),
        metadata={"description": "The module is none of OCPI's: it is passed on as it is."},
    )
    effect = fields.String(validate=validate.OneOf(EFFECTS))
    hold = fields.Boolean(metadata=HOLD)
    note = fields.String(allow_none=True)


class NewAgreement(Input):
    from_ = Side(data_key="from", load_default=None, allow_none=True, metadata=SIDE)
    to = Side(load_default=None, allow_none=True, metadata=SIDE)
    module = fields.String(
        load_default=None,
        allow_none=True,
        validate=Matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,49}\Z"),
        metadata={
            "description": "Null for every module of OCPI. One of your own must be named.",
            "allowed": "a module of OCPI such as tariffs, or one of your own such as nltnm-tokens",
        },
    )
    effect = fields.String(required=True, validate=validate.OneOf(EFFECTS))
    hold = fields.Boolean(load_default=False, metadata=HOLD)
    note = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=500))

    @validates_schema
    def refuse_one_party(self, data: dict[str, Any], **_: Any) -> None:
        """What a party gives itself nobody decides."""
        if data.get("to") and data["to"][1] and data["to"] == data.get("from_"):
            raise ValidationError("Must be another party than from.", "to")


class AgreementMade(AgreementShown):
    told = TOLD


class AgreementEnded(Schema):
    told = TOLD


class AgreementChange(Input):
    effect = fields.String(validate=validate.OneOf(EFFECTS))
    hold = fields.Boolean(metadata=HOLD)
    note = fields.String(allow_none=True, validate=validate.Length(max=500))


AgreementPage: type[Schema] = page_of(AgreementShown)


@routes.get("/agreements", permission="agreements.read", query=PageQuery, answer=AgreementPage)
async def list_agreements(request: web.Request) -> Any:
    """The agreements of the tenant, newest first."""
    async with transaction(request) as db:
        return await page(db, select(Agreement), Agreement, request[QUERY])


@routes.post(
    "/agreements",
    permission="agreements.create",
    body=NewAgreement,
    query=TellQuery,
    answer=AgreementMade,
    status=201,
)
async def agree(request: web.Request) -> Any:
    """Allow or block what one side gets of the other.

    The most specific agreement decides; among equals a BLOCK wins. Who may see more by it is told
    what there is. Who may see less keeps what it has.
    """
    body = request[BODY]
    giver, taker = body["from_"] or (None, None), body["to"] or (None, None)
    async with transaction(request) as db:
        before = await audience(db)
        agreement = Agreement(
            from_country_code=giver[0],
            from_party_id=giver[1],
            to_country_code=taker[0],
            to_party_id=taker[1],
            module=spelled(body["module"]),
            effect=body["effect"],
            hold=body["hold"],
            note=body["note"],
        )
        db.add(agreement)
        await db.flush()
        await db.refresh(agreement)
        await audit.record(db, AuditAction.CREATE, "agreement", agreement.id, after=dump(agreement))
        told = await tell(request, db, before)
    wake(request, request[ACTOR].tenant_id)
    return with_told(agreement, told)


@routes.get("/agreements/{id}", permission="agreements.read", answer=AgreementShown)
async def show_agreement(request: web.Request) -> Any:
    """One agreement."""
    async with transaction(request) as db:
        return await find(db, Agreement, path_id(request), *NAMED)


@routes.patch(
    "/agreements/{id}",
    permission="agreements.update",
    body=AgreementChange,
    query=TellQuery,
    answer=AgreementMade,
)
async def change_agreement(request: web.Request) -> Any:
    """Change the effect or the note. Other parties are another agreement.

    Who may see more by it is told what there is.
    """
    async with transaction(request) as db:
        agreement = await find(db, Agreement, path_id(request), *NAMED)
        expect_version(request, agreement)
        seen_before, before = await audience(db), dump(agreement)
        for name, value in request[BODY].items():
            setattr(agreement, name, value)
        await db.flush()
        await db.refresh(agreement)
        await audit.record(
            db,
            AuditAction.UPDATE,
            "agreement",
            agreement.id,
            before=before,
            after=dump(agreement),
        )
        told = await tell(request, db, seen_before)
    wake(request, request[ACTOR].tenant_id)
    return with_told(agreement, told)


@routes.delete(
    "/agreements/{id}", permission="agreements.delete", query=TellQuery, answer=AgreementEnded
)
async def end_agreement(request: web.Request) -> Any:
    """End an agreement: the next less specific one decides, or the tenant's default.

    Who may see more by that is told what there is.
    """
    async with transaction(request) as db:
        agreement = await find(db, Agreement, path_id(request), *NAMED)
        expect_version(request, agreement)
        seen_before, before = await audience(db), dump(agreement)
        await db.delete(agreement)
        await audit.record(db, AuditAction.DELETE, "agreement", agreement.id, before=before)
        told = await tell(request, db, seen_before)
    wake(request, request[ACTOR].tenant_id)
    return {"told": told}


def spelled(module: str | None) -> str | None:
    """OCPI's modules have one spelling, others are as they come."""
    return module if module is None or is_custom(module) else module.lower()


def dump(agreement: Agreement) -> dict[str, Any]:
    shown: dict[str, Any] = AgreementShown().dump(agreement)
    return shown
