"""Getting registered, renewing, and parting, when a partner calls us.

    accept, update, unregister   POST, PUT, DELETE credentials; for when we call, see ``joining``

The HTTP happens between two transactions, never inside one: first everything is found out and
checked, then one transaction makes it true. Nothing is taken away before its replacement is known
to work: a token that a renewal replaces stays valid until the new one is used (``registration``),
so whenever the hub or a partner dies in between, one token still works each way (T-17).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hub.db import Database
from hub.errors import MethodNotAllowed
from hub.keys import CLIENT, DATABASE, DIRECTORY, KEYRING, SETTINGS
from hub.models.values import ConnectionStatus
from hub.ocpi.client import Client
from hub.ocpi.directory import Directory
from hub.ocpi.handshake import introduction
from hub.ocpi.handshake.claims import Theirs, check_roles, read_credentials, vouched_origins
from hub.ocpi.handshake.discovery import Found, Visit, discover, token_forms
from hub.ocpi.handshake.introduction import Introduction
from hub.ocpi.handshake.trace import Trace, traced
from hub.ocpi.versions.base import Document, Version
from hub.roaming.network import invitations, registration
from hub.roaming.network.partners import Connection, token_place
from hub.roaming.network.registration import Grant, Registration
from hub.security import Keyring
from hub.settings import Settings


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
    """Check a platform's credentials, look at what it serves, keep both, and answer with ours.

    ``first``: it registers; else it renews, and its old token stays good for a while. Nothing is
    kept where anything fails, which is raised with the code that OCPI has for it; MethodNotAllowed
    where another handshake with it was faster.
    """
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


async def approved(parts: Parts, partner: Connection) -> frozenset[Grant]:
    async with parts.database.transaction(partner.tenant_id) as db:
        return await invitations.approved(db, partner.id)


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
