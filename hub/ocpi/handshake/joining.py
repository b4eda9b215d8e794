"""Getting registered, renewing, and parting, when we call a partner.

    join, renew, leave   POST, PUT, DELETE credentials there; for when it calls, see ``handshake``

When the other side says no, everything is as before. When its answer does not come, nobody knows
what it has done, and both tokens are good until the new one is used (T-17).
"""

from datetime import timedelta
from http import HTTPStatus
from uuid import UUID

from hub.errors import HubError, InvalidRequest, NotFound, UnusableClient
from hub.models.values import InterfaceRole
from hub.ocpi.handshake import handshake, introduction
from hub.ocpi.handshake.claims import Theirs, judge_roles, vouched_origins
from hub.ocpi.handshake.discovery import Found, Visit, discover, token_forms
from hub.ocpi.handshake.exchange import (
    Unsent,
    deliver,
    goodbye,
    open_visit,
    read_answer,
    replace_token,
)
from hub.ocpi.handshake.handshake import Parts
from hub.ocpi.handshake.introduction import Introduction
from hub.ocpi.handshake.trace import Trace, traced
from hub.ocpi.versions.base import Document
from hub.roaming.network import partners, registration
from hub.roaming.network.partners import Connection
from hub.security import TOKEN_CHARACTERS

# How long a token is good that we sent with our own POST, should we die before the answer.
JOINING = timedelta(minutes=15)
REGISTERED_ALREADY = frozenset({405, 409})
# From here on, and after a 401, nobody knows what the other side has done: a request whose answer
# was lost may have been sent twice, and then its first success has made the old token unknown.
SERVER_ERROR = 500


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
            grants=await handshake.approved(parts, partner),
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
    grants = await handshake.approved(parts, partner)
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
        grants = await handshake.approved(parts, partner)
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
        await handshake.forget(parts, partner, "The hub unregistered")
        trace.note("unregistered here")
    return told


async def known(parts: Parts, tenant_id: UUID, partner_id: UUID) -> Connection:
    async with parts.database.transaction(tenant_id) as db:
        partner = await partners.connection(db, partner_id)
    if partner is None:
        raise NotFound("There is no such partner.")
    return partner


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
            handshake.agreed(parts, partner, found, theirs, ours),
            token_id=token_id,
            overlap=overlap,
        )
    parts.directory.forget(partner.tenant_id)


async def withdraw(parts: Parts, partner: Connection, token_id: UUID) -> None:
    """The handshake failed: the token that was minted for it is worth nothing."""
    async with parts.database.transaction(partner.tenant_id) as db:
        await registration.discard(db, partner.id, token_id)
    parts.directory.forget(partner.tenant_id)
