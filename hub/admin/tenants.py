"""Tenants: isolated roaming networks on one hub. For those who run the hub as a whole."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.admin.agreements import EFFECTS
from hub.admin.auth import ACTOR, transaction
from hub.admin.disclosure import TOLD, TellQuery, tell, wake, with_told
from hub.admin.errors import BadInput, Conflict
from hub.admin.input import Input, Matching, PartyField, ZoneField
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
from hub.admin.roles import seed_roles
from hub.admin.routes import BODY, QUERY, Routes
from hub.keys import DATABASE
from hub.models.objects import CDR, Location, Session, Tariff
from hub.models.partners import PartnerRole
from hub.models.tenants import Tenant
from hub.models.values import AuditAction, Party, TenantStatus, TenantType
from hub.roaming.network import agreements

routes = Routes("Tenants")
NAMED = ("tenant", "hub tenant list")


class TenantFeatures(Input):
    default_agreement = fields.String(
        validate=validate.OneOf(EFFECTS),
        metadata={
            "description": "What holds between parties without an agreement: in an open network"
            " everything is allowed, in a closed one nothing."
        },
    )


class TenantSettings(Input):
    timezone = ZoneField()
    default_currency = fields.String(
        validate=Matching("[A-Z]{3}$"), metadata={"allowed": "a currency such as EUR"}
    )
    default_language = fields.String(
        validate=Matching("[a-z]{2}(-[A-Z]{2})?$"),
        metadata={"allowed": "a language such as nl or nl-BE"},
    )
    features = fields.Nested(TenantFeatures)
    custom_properties = fields.Dict(keys=fields.String())


class TenantShown(Versioned):
    name = fields.String()
    party = PartyOf(metadata={"description": "The hub's own party in this network."})
    cpo_party = PartyOf("cpo_", metadata={"description": "The party of its own stations."})
    domain = fields.String(allow_none=True)
    company_name = fields.String(allow_none=True)
    tenant_type = fields.String(validate=validate.OneOf(list(TenantType)))
    status = fields.String(validate=validate.OneOf(list(TenantStatus)))
    settings = fields.Dict(allow_none=True)


class TenantChanged(TenantShown):
    told = TOLD


class TenantChange(Input):
    name = fields.String(validate=validate.Length(1, 255))
    domain = fields.String(
        allow_none=True,
        validate=Matching(r"^[a-z0-9]([a-z0-9.-]{0,253}[a-z0-9])?$"),
        metadata={"allowed": "lower-case letters, digits, dots and hyphens"},
    )
    company_name = fields.String(allow_none=True, validate=validate.Length(max=500))
    party = PartyField(metadata={"description": "The hub's own party in this network."})
    cpo_party = PartyField(
        allow_none=True, metadata={"description": "The party of its own stations."}
    )
    status = fields.String(validate=validate.OneOf(list(TenantStatus)))
    settings = fields.Nested(TenantSettings)


class NewTenant(TenantChange):
    name = fields.String(required=True, validate=validate.Length(1, 255))
    party = PartyField(
        required=True, metadata={"description": "The hub's own party in this network."}
    )

    class Meta(TenantChange.Meta):
        exclude = ("status",)


TenantPage: type[Schema] = page_of(TenantShown)


@routes.get("/tenants", permission="tenants.read", query=PageQuery, answer=TenantPage)
async def list_tenants(request: web.Request) -> Any:
    """All tenants, newest first."""
    async with request.config_dict[DATABASE].platform() as db:
        return await page(db, select(Tenant), Tenant, request[QUERY])


@routes.post(
    "/tenants", permission="tenants.create", body=NewTenant, answer=TenantShown, status=201
)
async def create_tenant(request: web.Request) -> Any:
    """A new network, with the system roles and nothing else in it.

    Name it in the header `Hub-Tenant` to make its first user and key.
    """
    tenant_id = uuid4()
    async with transaction(request, tenant_id) as db:
        return await make_tenant(db, tenant_id, columns(request[BODY]))


async def make_tenant(
    db: AsyncSession, tenant_id: UUID, values: dict[str, Any], *, everything: bool = False
) -> Tenant:
    """In a transaction of the new tenant itself: nobody else may write its row."""
    if values.get("cpo_country_code") is not None:
        refuse_same_party(values)
    tenant = Tenant(id=tenant_id, **values)
    db.add(tenant)
    await db.flush()
    await db.refresh(tenant)
    await seed_roles(db, everything=everything)
    await audit.record(
        db,
        AuditAction.CREATE,
        "tenant",
        tenant_id,
        after=TenantShown().dump(tenant),
        severity="HIGH",
    )
    return tenant


@routes.get("/tenants/{id}", permission="tenants.read", answer=TenantShown)
async def show_tenant(request: web.Request) -> Any:
    """One tenant."""
    async with request.config_dict[DATABASE].platform() as db:
        return await find(db, Tenant, path_id(request), *NAMED)


@routes.patch(
    "/tenants/{id}",
    permission="tenants.update",
    body=TenantChange,
    query=TellQuery,
    answer=TenantChanged,
)
async def change_tenant(request: web.Request) -> Any:
    """Change what is given. A tenant that is not ACTIVE lets nobody in: no partner, no key.

    Partners that may see more in a network that was opened are told what there is.
    """
    tenant_id = path_id(request)
    async with transaction(request, tenant_id) as db:
        tenant = await find(db, Tenant, tenant_id, *NAMED)
        expect_version(request, tenant)
        refuse_own_end(request, tenant_id)
        seen_before, before = await agreements.audience(db), TenantShown().dump(tenant)
        for name, value in columns(request[BODY]).items():
            setattr(tenant, name, merged(tenant.settings, value) if name == "settings" else value)
        refuse_same_party(vars(tenant))
        await db.flush()
        await db.refresh(tenant)
        after = TenantShown().dump(tenant)
        if before["cpo_party"] != after["cpo_party"]:
            await refuse_to_rename(db, tenant, before["cpo_party"])
        await audit.record(
            db,
            AuditAction.UPDATE,
            "tenant",
            tenant_id,
            before=before,
            after=after,
            severity="HIGH",
        )
        told = await tell(request, db, seen_before)
    wake(request, tenant_id)
    return with_told(tenant, told)


def merged(kept: Mapping[str, Any] | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with those that are given; the others stay as they are, and null takes one back.

    What a custom property holds is replaced as a whole.
    """
    kept = kept or {}
    groups = {
        name: {
            key: value
            for key, value in {**(kept.get(name) or {}), **given[name]}.items()
            if value is not None
        }
        for name in ("features", "custom_properties")
        if isinstance(given.get(name), Mapping)
    }
    return {**kept, **given, **groups}


def columns(body: dict[str, Any]) -> dict[str, Any]:
    """A party is two columns."""
    values = dict(body)
    for name, prefix in (("party", ""), ("cpo_party", "cpo_")):
        if name in values:
            party = values.pop(name)
            values[f"{prefix}country_code"] = party.country_code if party else None
            values[f"{prefix}party_id"] = party.party_id if party else None
    return values


def refuse_same_party(tenant: dict[str, Any]) -> None:
    """The hub is no CPO: it cannot go by the name of its own stations (HUB-07)."""
    own = (tenant.get("country_code"), tenant.get("party_id"))
    if own == (tenant.get("cpo_country_code"), tenant.get("cpo_party_id")) != (None, None):
        raise BadInput("cpo_party: Must differ from party: the hub is no CPO.", field="cpo_party")


async def refuse_to_rename(db: AsyncSession, tenant: Tenant, before: str | None) -> None:
    """A party is its objects' owner, and a partner's alone: neither can be changed under them."""
    if before is not None:
        owner = Party.parse(before)
        for table in (Location, Tariff, Session, CDR):
            rows: Any = table
            owned = select(rows.id).where(
                rows.country_code == owner.country_code, rows.party_id == owner.party_id
            )
            if await db.scalar(owned.limit(1)) is not None:
                raise Conflict(
                    f"cpo_party: {before} owns {table.__tablename__} here: it stays.",
                    field="cpo_party",
                )
    theirs = select(PartnerRole.partner_id).where(
        PartnerRole.country_code == tenant.cpo_country_code,
        PartnerRole.party_id == tenant.cpo_party_id,
    )
    if await db.scalar(theirs.limit(1)) is not None:
        raise Conflict("cpo_party: A partner has this party.", field="cpo_party")


def refuse_own_end(request: web.Request, tenant_id: UUID) -> None:
    """Who suspends the tenant of their own key could not undo it."""
    ending = request[BODY].get("status", TenantStatus.ACTIVE) != TenantStatus.ACTIVE
    if ending and tenant_id == request[ACTOR].home:
        raise BadInput(
            "status: This is the tenant of your own key; you would lock yourself out.",
            field="status",
        )
