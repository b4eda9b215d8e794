"""Getting registered, renewing, and parting: both sides of OCPI's credentials module.

    accept, update, unregister   a partner calls us: POST, PUT, DELETE credentials
    join, renew, leave           we call a partner

The HTTP happens between two transactions, never inside one: first everything is found out and
checked, then one transaction makes it true. Nothing is taken away before its replacement is known
to work: a token that a renewal replaces stays valid until the new one is used (``registration``),
so whenever the hub or a partner dies in between, one token still works each way (T-17).
"""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from hub.db import Database
from hub.errors import HubError, InvalidRequest, MethodNotAllowed, NotFound, UnusableClient
from hub.keys import CLIENT, DATABASE, DIRECTORY, KEYRING, SETTINGS
from hub.models.values import ConnectionStatus, InterfaceRole
from hub.ocpi import introduction
from hub.ocpi.claims import Theirs, check_roles, judge_roles, read_credentials, vouched_origins
from hub.ocpi.client import Client
from hub.ocpi.directory import Directory
from hub.ocpi.discovery import Found, Visit, discover, token_forms
from hub.ocpi.exchange import (
    Unsent,
    deliver,
    goodbye,
    open_visit,
    read_answer,
    replace_token,
)
from hub.ocpi.introduction import Introduction
from hub.ocpi.trace import Trace, traced
from hub.ocpi.versions.base import Document, Version
from hub.roaming import invitations, partners, registration
from hub.roaming.partners import Connection, token_place
from hub.roaming.registration import Grant, Registration
from hub.security import TOKEN_CHARACTERS, Keyring
from hub.settings import Settings

# How long a token is good that we sent with our own POST, should we die before the answer.
JOINING = timedelta(minutes=15)
REGISTERED_ALREADY = frozenset({405, 409})
# From here on, and after a 401, nobody knows what the other side has done: a request whose answer
# was lost may have been sent twice, and then its first success has made the old token unknown.
SERVER_ERROR = 500


@dataclass(frozen=True)
class Parts:
    """What a handshake needs of the application."""

    database: Database
    client: Client
    keyring: Keyring
    directory: Directory
    settings: Settings

    @classmethod
    def of(cls, app: Any) -> "Parts":
        """``app`` is the application or a request's ``config_dict``."""
        return cls(app[DATABASE], app[CLIENT], app[KEYRING], app[DIRECTORY], app[SETTINGS])

    @property
    def overlap(self) -> timedelta:
        return timedelta(seconds=self.settings.renewal_overlap)


async def accept(parts: Parts, invited: Connection, version: Version, body: Any) -> Document:
    """POST credentials with token A: a platform registers. Returns our credentials (CRED-12)."""
    async with traced(parts.database, invited, "accept") as trace:
        return await take(parts, trace, invited, version, body, first=True)


async def update(parts: Parts, partner: Connection, version: Version, body: Any) -> Document:
    """PUT credentials: new tokens, endpoints, roles, or another version (CRED-19, CRED-21)."""
    async with traced(parts.database, partner, "update") as trace:
        return await take(parts, trace, partner, version, body, first=False)


async def take(
    parts: Parts, trace: Trace, partner: Connection, version: Version, body: Any, *, first: bool
) -> Document:
    trace.note("credentials received", method="POST" if first else "PUT", detail=body)
    allowed = await approved(parts, partner)
    theirs = read_credentials(version, body, own=partner.hub, approved=allowed)
    trace.hide(theirs.token)
    origins = await vouched_origins(parts.directory, parts.settings, trace, partner, theirs.url)
    await check_roles(parts.database, trace, partner, theirs.declared)
    known_form = partner.version == version.number and not first
    forms = token_forms(partner, known=known_form, form=version.token_form)
    attempts = [(theirs.token, form) for form in forms]
    visit = Visit(parts.client, trace, partner.id, origins, attempts, version.number)
    found = await discover(
        visit,
        theirs.url,
        version=version.number,
        required=partner.settings.required_modules,
        grants=frozenset(theirs.declared),
    )
    async with parts.database.transaction(partner.tenant_id) as db:
        await registration.lock(db, partner.id)
        assert partner.token_id is not None
        if not await registration.exists(db, partner.token_id):
            raise MethodNotAllowed("Another handshake with you was faster; this token is used up.")
        if not first:
            await registration.confirmed(db, partner.id, partner.token_id)
        token_id, token = await registration.mint(db, parts.keyring, partner.id, "C")
        ours = await introduction.introduce(db, partner, version, parts.settings.public_url, token)
        await registration.connected(
            db,
            partner.id,
            agreed(parts, partner, found, theirs, ours),
            token_id=token_id,
            overlap=None if first else parts.overlap,
        )
    parts.directory.forget(partner.tenant_id)
    trace.hide(token)
    trace.note("credentials answered", detail=ours.credentials)
    return ours.credentials


async def unregister(parts: Parts, partner: Connection) -> None:
    """DELETE credentials: the platform leaves (CRED-23)."""
    async with traced(parts.database, partner, "unregister") as trace:
        trace.note("unregistered", method="DELETE")
        await forget(parts, partner, "The partner unregistered")


async def join(
    parts: Parts,
    tenant_id: UUID,
    partner_id: UUID,
    versions_url: str,
    token: str,
    *,
    version: str | None = None,
) -> None:
    """Register with a platform that gave the operator its versions URL and a token A (CRED-11), in
    the newest version both know, or in the one that is wanted.

    Roles it declares without approval are not granted; the others are. Raises HubError that says
    what went wrong, in words for the operator.
    """
    if not TOKEN_CHARACTERS.fullmatch(token):
        raise InvalidRequest("token: must be 1 to 64 printable ASCII characters without blanks.")
    partner = await known(parts, tenant_id, partner_id)
    check_not_shut_out(partner)
    async with traced(parts.database, partner, "join") as trace:
        trace.hide(token)
        origins = await vouched_origins(
            parts.directory, parts.settings, trace, partner, versions_url
        )
        forms = token_forms(partner, known=False)
        visit = Visit(parts.client, trace, partner.id, origins, [(token, f) for f in forms])
        found = await discover(
            visit,
            versions_url,
            version=version,
            required=partner.settings.required_modules,
            grants=await approved(parts, partner),
        )
        token_id, ours = await introduce(parts, trace, partner, found, valid_for=JOINING)
        try:
            theirs = await register(parts, partner, visit, found, ours.credentials)
        except HubError:
            await withdraw(parts, partner, token_id)
            raise
        await adopt(parts, partner, found, theirs, ours, token_id=token_id, overlap=None)


async def register(
    parts: Parts, partner: Connection, visit: Visit, found: Found, body: Document
) -> Theirs:
    """POST our credentials, and have at least one role that is approved in the answer."""
    answer = await deliver(visit, "POST", found.credentials_url, body)
    if answer.http_status in REGISTERED_ALREADY:
        # Left over from an earlier registration that only they remember.
        answer = await deliver(visit, "PUT", found.credentials_url, body)
        if not answer.ok:
            raise UnusableClient(
                f"They say that this hub is registered already ({answer.reason}). Ask them to "
                "remove the registration and to give you a new token."
            )
    if not answer.ok:
        raise UnusableClient(f"POST credentials was refused: {answer.reason}.")
    grants = await approved(parts, partner)
    theirs = read_answer(visit.trace, partner, found.version, answer, grants)
    allowed, excess = await judge_roles(parts.database, visit.trace, partner, theirs.declared)
    if excess == frozenset(theirs.declared):
        await goodbye(replace_token(visit, theirs.token), found.credentials_url)
        raise UnusableClient(
            "None of the roles they declare is approved for this partner, so the registration was "
            "undone. Approve one, then join with a new token."
        )
    return theirs.only(allowed)


async def renew(
    parts: Parts,
    tenant_id: UUID,
    partner_id: UUID,
    *,
    kind: str = "renew",
    version: str | None = None,
) -> None:
    """New tokens for both sides, endpoints read again (CRED-20), in the newest version both know
    or in the one that is wanted.

    When the other side says no, everything is as before. When its answer does not come, both the
    old and the new token are valid until the new one is used.
    """
    partner = await known(parts, tenant_id, partner_id)
    check_not_shut_out(partner)
    async with traced(parts.database, partner, kind) as trace:
        visit, versions_url = open_visit(parts.client, parts.keyring, trace, partner)
        grants = await approved(parts, partner)
        found = await discover(
            visit,
            versions_url,
            version=version,
            required=partner.settings.required_modules,
            grants=grants,
        )
        token_id, ours = await introduce(parts, trace, partner, found)
        try:
            answer = await deliver(visit, "PUT", found.credentials_url, ours.credentials)
        except Unsent:
            await withdraw(parts, partner, token_id)
            raise
        if not answer.ok:
            if answer.http_status < SERVER_ERROR and answer.http_status != HTTPStatus.UNAUTHORIZED:
                await withdraw(parts, partner, token_id)
            raise UnusableClient(f"PUT credentials was refused: {answer.reason}.")
        theirs = read_answer(trace, partner, found.version, answer, grants)
        allowed, _ = await judge_roles(parts.database, trace, partner, theirs.declared)
        theirs = theirs.only(allowed)
        overlap = parts.overlap
        await adopt(parts, partner, found, theirs, ours, token_id=token_id, overlap=overlap)


async def leave(parts: Parts, tenant_id: UUID, partner_id: UUID) -> bool:
    """Unregister at the partner, and here in any case. Returns whether the partner agreed."""
    partner = await known(parts, tenant_id, partner_id)
    async with traced(parts.database, partner, "leave") as trace:
        endpoint = partner.endpoint("credentials", InterfaceRole.SENDER)
        told = False
        if partner.registered and endpoint is not None:
            try:
                visit, _ = open_visit(parts.client, parts.keyring, trace, partner)
                told = await goodbye(visit, endpoint.url)
            except UnusableClient as error:
                trace.note("goodbye", str(error))
        await forget(parts, partner, "The hub unregistered")
        trace.note("unregistered here")
    return told


async def known(parts: Parts, tenant_id: UUID, partner_id: UUID) -> Connection:
    async with parts.database.transaction(tenant_id) as db:
        partner = await partners.connection(db, partner_id)
    if partner is None:
        raise NotFound("There is no such partner.")
    return partner


async def approved(parts: Parts, partner: Connection) -> frozenset[Grant]:
    async with parts.database.transaction(partner.tenant_id) as db:
        return await invitations.approved(db, partner.id)


def check_not_shut_out(partner: Connection) -> None:
    if partner.shut_out:
        raise InvalidRequest(f"{partner.name} is suspended: resume it first.")


async def introduce(
    parts: Parts,
    trace: Trace,
    partner: Connection,
    found: Found,
    *,
    valid_for: timedelta | None = None,
) -> tuple[UUID, Introduction]:
    """A new token for them, committed before they can call us back with it, and our credentials."""
    async with parts.database.transaction(partner.tenant_id) as db:
        token_id, token = await registration.mint(
            db, parts.keyring, partner.id, "C", valid_for=valid_for
        )
        ours = await introduction.introduce(
            db, partner, found.version, parts.settings.public_url, token
        )
    parts.directory.forget(partner.tenant_id)
    trace.hide(token)
    return token_id, ours


async def adopt(
    parts: Parts,
    partner: Connection,
    found: Found,
    theirs: Theirs,
    ours: Introduction,
    *,
    token_id: UUID,
    overlap: timedelta | None,
) -> None:
    async with parts.database.transaction(partner.tenant_id) as db:
        await registration.connected(
            db,
            partner.id,
            agreed(parts, partner, found, theirs, ours),
            token_id=token_id,
            overlap=overlap,
        )
    parts.directory.forget(partner.tenant_id)


async def withdraw(parts: Parts, partner: Connection, token_id: UUID) -> None:
    """The handshake failed: the token that was minted for it is worth nothing."""
    async with parts.database.transaction(partner.tenant_id) as db:
        await registration.discard(db, partner.id, token_id)
    parts.directory.forget(partner.tenant_id)


async def forget(parts: Parts, partner: Connection, description: str) -> None:
    async with parts.database.transaction(partner.tenant_id) as db:
        await registration.unregistered(
            db, partner.id, status=ConnectionStatus.SUSPENDED, description=description
        )
    parts.directory.forget(partner.tenant_id)


def agreed(
    parts: Parts, partner: Connection, found: Found, theirs: Theirs, ours: Introduction
) -> Registration:
    return Registration(
        version=found.version.number,
        versions_url=found.versions_url,
        endpoints=found.endpoints,
        declared=theirs.declared,
        token_to_send=parts.keyring.encrypt(theirs.token, context=token_place(partner.id)),
        token_form_sent=found.form,
        hub_party_id=theirs.hub_party_id,
        introduced=ours.fingerprint,
    )
