"""Partners: inviting and joining platforms, seeing how they are, shutting them out, parting."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.admin.auth import ACTOR, transaction
from hub.admin.errors import BadInput, Conflict
from hub.admin.input import Input, PartyField
from hub.admin.output import PageQuery, expect_version, find, page, page_of, path_id
from hub.admin.partner_output import (
    HandshakeShown,
    Invited,
    Left,
    PartnerPage,
    PartnerShown,
    shown,
)
from hub.admin.routes import BODY, QUERY, Routes
from hub.keys import CLIENT, DATABASE, DIRECTORY, KEYRING, SENDER, SETTINGS
from hub.models.partners import HandshakeTrace, Partner
from hub.models.values import SHUT_OUT, AuditAction, PartnerStatus, Role
from hub.ocpi import handshake
from hub.ocpi.operations import MODULE_NAMES
from hub.ocpi.versions import VERSIONS
from hub.roaming import invitations
from hub.roaming.quirks import DATE_FORMS, LISTS, ROUTING, SLASHES
from hub.roaming.registration import Grant, lock
from hub.roaming.sync_terms import MODES, PULLED

routes = Routes("Partners")
NAMED = ("partner", "hub partner list")

ORIGIN = r"https?://[^/?#@\s]+"


class RoleGranted(Input):
    party = PartyField(required=True)
    role = fields.String(required=True, validate=validate.OneOf(list(Role)))


class SyncTerms(Input):
    """How one module is pulled; what is left out is as usual."""

    mode = fields.String(
        validate=validate.OneOf(MODES),
        metadata={
            "description": "auto: only what the partner does not push; always: at the interval in"
            " any case; never: only when somebody asks."
        },
    )
    interval_minutes = fields.Integer(validate=validate.Range(5, 100_000))
    full_days = fields.Integer(
        validate=validate.Range(1, 365), metadata={"description": "Everything is pulled so often."}
    )
    fresh_hours = fields.Integer(
        validate=validate.Range(1, 10_000),
        metadata={
            "description": "Nothing new for so long is a reason to look. Left out: it is learned."
        },
    )

    absent = fields.String(
        validate=validate.OneOf(("withdraw", "keep")),
        metadata={
            "description": "What becomes of a tariff or location that is listed no longer: by"
            " default it is withdrawn once a second pull a day later has not found it either."
        },
    )


class QuirksSet(Input):
    """How the partner is spoken to; what is set here goes before what a probe found."""

    slash = fields.String(
        allow_none=True,
        validate=validate.OneOf(SLASHES),
        metadata={"description": "What URLs below its endpoints end with."},
    )
    date_form = fields.String(
        allow_none=True,
        validate=validate.OneOf(DATE_FORMS),
        metadata={"description": "How dates in queries are written."},
    )
    page_limit = fields.Integer(
        allow_none=True,
        validate=validate.Range(0, 10_000),
        metadata={"description": "The largest page to ask for; 0: name none."},
    )
    routing = fields.String(
        allow_none=True,
        validate=validate.OneOf(ROUTING),
        metadata={"description": "Whether its lists are asked for with routing headers."},
    )
    lists = fields.String(
        allow_none=True,
        validate=validate.OneOf(LISTS),
        metadata={"description": "Whether each of its parties is asked for a list of its own."},
    )
    short_addresses = fields.Boolean(
        allow_none=True,
        metadata={
            "description": "It takes 45 characters of an address and 20 of a state, as older"
            " editions of OCPI have it: longer ones are cut (AMB-28)."
        },
    )


class Configuration(Input):
    """What is agreed with one partner."""

    delivery = fields.String(
        validate=validate.OneOf(("catch_up", "live_only")),
        metadata={
            "description": "What a partner gets that was away: what it missed, or only what is new."
        },
    )
    supported_modules = fields.List(
        fields.String(validate=validate.OneOf(MODULE_NAMES)),
        allow_none=True,
        metadata={"description": "The modules agreed on; null for all."},
    )
    required_modules = fields.List(
        fields.String(), metadata={"description": "Without these a registration is refused."}
    )
    allowed_origins = fields.List(
        fields.String(validate=validate.Regexp(ORIGIN + "$")),
        metadata={
            "description": "Where its endpoints may be besides its versions URL.",
            "allowed": "origins such as https://ocpi.example.com",
        },
    )
    token_form = fields.String(validate=validate.OneOf(("auto", "base64", "raw")))
    beside = fields.String(
        allow_none=True,
        validate=validate.Regexp(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
        metadata={
            "description": "The partner of which this is one more registration, at one address: "
            "OCPI 2.1.1 has one party in one role for each.",
            "allowed": "the id of a partner",
        },
    )
    credentials_update_minutes = fields.Integer(
        validate=validate.Range(0, 44_640),
        metadata={
            "description": "How often at most, in minutes, new credentials are put to a partner of"
            " OCPI 2.3.0 when the parties it can reach have changed; 0 for never."
        },
    )
    auto_sync_enabled = fields.Boolean(
        metadata={"description": "Whether anything is pulled that nobody asked for."}
    )
    sync = fields.Dict(
        keys=fields.String(validate=validate.OneOf(PULLED)),
        values=fields.Nested(SyncTerms),
        metadata={
            "description": "By module: how its lists are pulled. Replaces what was set before."
        },
    )
    quirks = fields.Nested(QuirksSet)
    probe = fields.Boolean(metadata={"description": "Whether it is probed when it has registered."})
    custom_settings = fields.Dict(keys=fields.String())


class Introduction(Input):
    name = fields.String(required=True, validate=validate.Length(1, 255))
    roles = fields.List(
        fields.Nested(RoleGranted),
        required=True,
        validate=validate.Length(1, 1000),
        metadata={"description": "What it may register as. It can never add to this itself."},
    )
    configuration = fields.Nested(Configuration, load_default=dict)


class NewInvitation(Introduction):
    valid_days = fields.Integer(load_default=7, validate=validate.Range(1, 90))


class InvitationAgain(Input):
    valid_days = fields.Integer(load_default=7, validate=validate.Range(1, 90))


class VersionWanted(Input):
    version = fields.String(
        validate=validate.OneOf(list(VERSIONS)),
        metadata={"description": "The OCPI version to speak; by default the newest both know."},
    )


class JoiningAgain(VersionWanted):
    versions_url = fields.String(
        required=True,
        validate=[validate.Regexp(ORIGIN + r"(/[^\s?#]*)?$"), validate.Length(max=500)],
        metadata={"allowed": "an http or https URL without query", "description": "Theirs."},
    )
    token = fields.String(
        required=True,
        validate=validate.Regexp(r"[\x21-\x7e]{1,64}$"),
        load_only=True,
        metadata={"allowed": "their token A", "description": "Their token A."},
    )


class Joining(Introduction, JoiningAgain):
    pass


class PartnerChange(Input):
    name = fields.String(validate=validate.Length(1, 255))
    configuration = fields.Nested(Configuration)
    sync_frequency_minutes = fields.Integer(
        allow_none=True,
        validate=validate.Range(5, 100_000),
        metadata={"description": "How often its lists are pulled, where `sync` does not say."},
    )
    roles = fields.List(
        fields.Nested(RoleGranted),
        validate=validate.Length(1, 1000),
        metadata={"description": "Replaces what it may register as."},
    )


class Reason(Input):
    reason = fields.String(load_default="", validate=validate.Length(max=500))


class PartnerQuery(PageQuery):
    status = fields.String(validate=validate.OneOf(list(PartnerStatus)))


HandshakePage: type[Schema] = page_of(HandshakeShown)


@routes.get("/partners", permission="partners.read", query=PartnerQuery, answer=PartnerPage)
async def list_partners(request: web.Request) -> Any:
    """The platforms of the network, newest first."""
    found = select(Partner)
    if "status" in request[QUERY]:
        found = found.where(Partner.status == request[QUERY]["status"])
    async with transaction(request) as db:
        answer = await page(db, found, Partner, request[QUERY])
        return answer | {"items": await shown(db, answer["items"])}


@routes.post(
    "/partners/invite",
    permission="partners.create",
    body=NewInvitation,
    answer=Invited,
    status=201,
)
async def invite(request: web.Request) -> Any:
    """Introduce a platform and make the token A with which it registers.

    The token is shown this once. Hand it over on a safe way, with the versions URL.
    """
    body = request[BODY]
    valid_for = timedelta(days=body["valid_days"])
    async with transaction(request) as db:
        made = await invitations.invite(
            db,
            request.config_dict[KEYRING],
            request.config_dict[SETTINGS].public_url,
            body["name"],
            grants(body),
            configuration=body["configuration"],
            valid_for=valid_for,
        )
        answer = await invited(db, made, valid_for)
    forget(request)
    return answer


@routes.post(
    "/partners/{id}/invite",
    permission="partners.update",
    body=InvitationAgain,
    answer=Invited,
    status=201,
)
async def invite_again(request: web.Request) -> Any:
    """A new token A for a platform that lost its tokens or let the invitation expire."""
    partner_id = path_id(request)
    valid_for = timedelta(days=request[BODY]["valid_days"])
    async with transaction(request) as db:
        await find(db, Partner, partner_id, *NAMED)
        made = await invitations.invite_again(
            db,
            request.config_dict[KEYRING],
            request.config_dict[SETTINGS].public_url,
            partner_id,
            valid_for=valid_for,
        )
        answer = await invited(db, made, valid_for)
    forget(request)
    return answer


async def invited(
    db: AsyncSession, made: invitations.Invitation, valid_for: timedelta
) -> dict[str, Any]:
    [partner] = await shown(db, [await find(db, Partner, made.partner_id, *NAMED)])
    expires_at = await db.scalar(select(func.now() + valid_for))
    return {
        "partner": partner,
        "versions_url": made.versions_url,
        "token": made.token,
        "expires_at": expires_at,
    }


@routes.post(
    "/partners/join", permission="partners.create", body=Joining, answer=PartnerShown, status=201
)
async def join(request: web.Request) -> Any:
    """Register the hub with a platform that gave us its versions URL and a token A.

    When the other side refuses, the partner stays PENDING_VERIFICATION with a trace of every step,
    and the registration can be tried again.
    """
    body = request[BODY]
    async with transaction(request) as db:
        partner_id = await invitations.introduce(
            db, body["name"], grants(body), configuration=body["configuration"]
        )
    return await register(request, partner_id)


@routes.post(
    "/partners/{id}/join",
    permission="partners.execute",
    body=JoiningAgain,
    answer=PartnerShown,
)
async def join_again(request: web.Request) -> Any:
    """Try again to register with a platform that is not registered yet, or no more."""
    partner_id = path_id(request)
    async with transaction(request) as db:
        partner = await find(db, Partner, partner_id, *NAMED)
        if partner.token_to_send is not None:
            raise Conflict(
                f"{partner.name} is registered.",
                next_step=f"hub partner renew {partner_id}",
            )
    return await register(request, partner_id)


async def register(request: web.Request, partner_id: UUID) -> dict[str, Any]:
    body = request[BODY]
    forget(request)
    await handshake.join(
        parts(request),
        request[ACTOR].tenant_id,
        partner_id,
        body["versions_url"],
        body["token"],
        version=body.get("version"),
    )
    request.config_dict[SENDER].wake(request[ACTOR].tenant_id)
    return await one(request, partner_id)


@routes.get("/partners/{id}", permission="partners.read", answer=PartnerShown)
async def show_partner(request: web.Request) -> Any:
    """One platform: its parties, where it serves what, when it was last seen."""
    return await one(request, path_id(request))


async def one(request: web.Request, partner_id: UUID) -> dict[str, Any]:
    async with transaction(request) as db:
        [answer] = await shown(db, [await find(db, Partner, partner_id, *NAMED)])
    return answer


@routes.patch(
    "/partners/{id}", permission="partners.update", body=PartnerChange, answer=PartnerShown
)
async def change_partner(request: web.Request) -> Any:
    """Change what is given. Members of `configuration` that are not given stay as they are."""
    partner_id, body = path_id(request), request[BODY]
    async with transaction(request) as db:
        partner = await find(db, Partner, partner_id, *NAMED)
        expect_version(request, partner)
        await lock(db, partner_id)
        before = told(partner)
        partner.name = body.get("name", partner.name)
        partner.sync_frequency_minutes = body.get(
            "sync_frequency_minutes", partner.sync_frequency_minutes
        )
        partner.configuration = {**partner.configuration, **body.get("configuration", {})}
        await db.flush()
        after = told(partner)
        if after != before:
            await audit.record(
                db, AuditAction.UPDATE, "ocpi_partner", partner_id, before=before, after=after
            )
        if "roles" in body:
            await change_roles(db, partner_id, grants(body))
        await db.refresh(partner)
        [answer] = await shown(db, [partner])
    forget(request)
    return answer


def told(partner: Partner) -> dict[str, Any]:
    names = ("name", "configuration", "sync_frequency_minutes")
    return {name: getattr(partner, name) for name in names}


async def change_roles(db: AsyncSession, partner_id: UUID, wanted: set[Grant]) -> None:
    had = await invitations.approved(db, partner_id)
    if added := wanted - had:
        await invitations.approve(db, partner_id, added)
    if gone := had - wanted:
        await invitations.withdraw(db, partner_id, gone)


@routes.get(
    "/partners/{id}/traces", permission="partners.read", query=PageQuery, answer=HandshakePage
)
async def list_traces(request: web.Request) -> Any:
    """The handshakes with this platform, newest first: every step, and why it failed."""
    partner_id = path_id(request)
    found = select(HandshakeTrace).where(HandshakeTrace.partner_id == partner_id)
    async with transaction(request) as db:
        await find(db, Partner, partner_id, *NAMED)
        return await page(db, found, HandshakeTrace, request[QUERY])


@routes.post(
    "/partners/{id}/suspend", permission="partners.execute", body=Reason, answer=PartnerShown
)
async def suspend(request: web.Request) -> Any:
    """Stop all traffic both ways at once. Tokens and data stay; `resume` needs no handshake."""
    partner_id = path_id(request)
    async with transaction(request) as db:
        partner = await find(db, Partner, partner_id, *NAMED)
        expect_version(request, partner)
        if partner.status in SHUT_OUT:
            raise Conflict(
                f"{partner.name} is suspended already.",
                next_step=f"hub partner resume {partner_id}",
            )
        await invitations.suspend(db, partner_id, reason=request[BODY]["reason"])
    forget(request)
    return await one(request, partner_id)


@routes.post("/partners/{id}/resume", permission="partners.execute", answer=PartnerShown)
async def resume(request: web.Request) -> Any:
    """Let a suspended platform back in; it gets what it missed."""
    partner_id = path_id(request)
    async with transaction(request) as db:
        partner = await find(db, Partner, partner_id, *NAMED)
        expect_version(request, partner)
        if partner.status not in SHUT_OUT:
            raise Conflict(f"{partner.name} is not suspended: it is {partner.status}.")
        await invitations.resume(db, partner_id)
    forget(request)
    request.config_dict[SENDER].wake(request[ACTOR].tenant_id)
    return await one(request, partner_id)


@routes.post(
    "/partners/{id}/renew",
    permission="partners.execute",
    body=VersionWanted,
    answer=PartnerShown,
)
async def renew(request: web.Request) -> Any:
    """New tokens for both sides, and the newest version both know or the one that is wanted.

    Old and new tokens overlap until the new ones are used; when the other side refuses, everything
    stays as it was.
    """
    partner_id = path_id(request)
    async with transaction(request) as db:
        refuse_unregistered(await find(db, Partner, partner_id, *NAMED))
    await handshake.renew(
        parts(request),
        request[ACTOR].tenant_id,
        partner_id,
        version=request[BODY].get("version"),
    )
    return await one(request, partner_id)


@routes.post("/partners/{id}/leave", permission="partners.delete", answer=Left)
async def leave(request: web.Request) -> Any:
    """Unregister: there, if the platform answers, and here in any case. What it brought stays."""
    partner_id = path_id(request)
    async with transaction(request) as db:
        refuse_unregistered(await find(db, Partner, partner_id, *NAMED))
    told = await handshake.leave(parts(request), request[ACTOR].tenant_id, partner_id)
    return {"partner": await one(request, partner_id), "told": told}


def refuse_unregistered(partner: Partner) -> None:
    if partner.token_to_send is None:
        raise Conflict(
            f"{partner.name} is not registered: it is {partner.status}.",
            next_step=f"hub partner trace {partner.id}",
        )


def grants(body: dict[str, Any]) -> set[Grant]:
    wanted = [(one["party"], Role(one["role"])) for one in body["roles"]]
    if len(set(wanted)) < len(wanted):
        raise BadInput("roles: A party and role is named twice.", field="roles")
    return set(wanted)


def parts(request: web.Request) -> handshake.Parts:
    app = request.config_dict
    return handshake.Parts(app[DATABASE], app[CLIENT], app[KEYRING], app[DIRECTORY], app[SETTINGS])


def forget(request: web.Request) -> None:
    """Who may do what is read anew with the next request."""
    request.config_dict[DIRECTORY].forget(request[ACTOR].tenant_id)
