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
from hub.admin.errors import BadInput, Conflict, telling_what_next
from hub.admin.output import PageQuery, expect_version, find, page, page_of, path_id
from hub.admin.partner_input import (
    InvitationAgain,
    Joining,
    JoiningAgain,
    NewInvitation,
    PartnerChange,
    Reason,
    VersionWanted,
)
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
from hub.ocpi.handshake import handshake, joining
from hub.roaming.network import invitations
from hub.roaming.network.registration import Grant, lock

routes = Routes("Partners")
NAMED = ("partner", "hub partner list")


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
        await order(db, partner_id, "Registration tried again")
    return await register(request, partner_id)


async def register(request: web.Request, partner_id: UUID) -> dict[str, Any]:
    body = request[BODY]
    forget(request)
    with telling_what_next(f"hub partner trace {partner_id}, then hub partner join … --again"):
        await joining.join(
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
        agreed = {**partner.configuration, **body.get("configuration", {})}
        partner.configuration = {name: value for name, value in agreed.items() if value is not None}
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


@routes.delete("/partners/{id}", permission="partners.delete")
async def remove_partner(request: web.Request) -> None:
    """Remove a platform that has never registered, with its invitation; its parties are free then.

    `leave` parts from one that is registered.
    """
    partner_id = path_id(request)
    async with transaction(request) as db:
        expect_version(request, await find(db, Partner, partner_id, *NAMED))
        await invitations.remove(db, partner_id)
    forget(request)


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
        await order(db, partner_id, "Renewal")
    with telling_what_next(f"hub partner trace {partner_id}"):
        await joining.renew(
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
        await order(db, partner_id, "Unregistering")
    told = await joining.leave(parts(request), request[ACTOR].tenant_id, partner_id)
    return {"partner": await one(request, partner_id), "told": told}


async def order(db: AsyncSession, partner_id: UUID, what: str) -> None:
    """Who wanted a handshake; what came of it is told by the handshake, and is nobody's deed."""
    await audit.record(
        db, AuditAction.COMMAND_SENT, "ocpi_partner", partner_id, description=f"Asked for: {what}"
    )


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
