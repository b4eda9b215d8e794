"""What a handshake leaves in the database: tokens, endpoints, roles and places in the feed.

Tokens a partner sends us overlap: minting a new one leaves the old one valid until the new one is
used for more than reading versions (``confirmed``). The same moment ends the life of the token
before the one we send. So whichever side did not get the other's last answer keeps a token that
works (CRED-21, T-17). The times are the database's.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.errors import Forbidden, InvalidRequest, NotFound
from hub.models.partners import Partner, PartnerEndpoint, PartnerRole, PartnerToken
from hub.models.values import SHUT_OUT, AuditAction, ConnectionStatus, PartnerStatus, Party, Role
from hub.roaming import cursors, jumps
from hub.roaming.modules import MODULES
from hub.roaming.network.configuration import Configuration
from hub.roaming.network.partners import Endpoint, touch
from hub.security import Keyring, new_token

Grant = tuple[Party, Role]

# As of this version a hub lists the parties behind it in its credentials (CRED-05).
ROLES_OF_HUBS = "2.3.0"
# Parties of whom there is something to be sent, or will be.
REACHABLE = frozenset({ConnectionStatus.CONNECTED, ConnectionStatus.OFFLINE})


@dataclass(frozen=True)
class Registration:
    """What two platforms agreed on. ``token_to_send`` is encrypted; ``declared`` are the roles the
    other side named in its credentials, each with its business details. ``introduced`` is the
    fingerprint of what the hub said of itself.
    """

    version: str
    versions_url: str
    endpoints: tuple[Endpoint, ...]
    declared: Mapping[Grant, dict[str, Any] | None]
    token_to_send: bytes = field(repr=False)
    token_form_sent: str
    hub_party_id: str | None = None
    introduced: bytes | None = None

    @property
    def credentials_url(self) -> str | None:
        urls = [e.url for e in self.endpoints if e.identifier.lower() == "credentials"]
        return urls[0] if urls else None


async def lock(db: AsyncSession, partner_id: UUID) -> Partner:
    """The partner's row, for this transaction alone: handshakes with one partner end one by one."""
    partner = await db.scalar(
        select(Partner)
        .where(Partner.id == partner_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if partner is None:
        raise NotFound("There is no such partner.")
    return partner


async def mint(
    db: AsyncSession,
    keyring: Keyring,
    partner_id: UUID,
    kind: str,
    *,
    valid_for: timedelta | None = None,
) -> tuple[UUID, str]:
    """A new token for a partner to send us, and its row's id; only a digest of it is kept."""
    token = new_token()
    row = PartnerToken(
        partner_id=partner_id,
        digest=keyring.digest(token),
        key_id=keyring.key_id,
        kind=kind,
        hint=token[:4],
        expires_at=func.now() + valid_for if valid_for else None,
    )
    db.add(row)
    await db.flush()
    await touch(db, partner_id)
    return row.id, token


async def discard(db: AsyncSession, partner_id: UUID, token_id: UUID) -> None:
    """Drop a token that was minted for a handshake that failed, unless it is in use already."""
    await db.execute(
        delete(PartnerToken).where(
            PartnerToken.id == token_id, PartnerToken.first_used_at.is_(None)
        )
    )
    await touch(db, partner_id)


async def exists(db: AsyncSession, token_id: UUID) -> bool:
    return await db.scalar(select(PartnerToken.id).where(PartnerToken.id == token_id)) is not None


async def confirmed(db: AsyncSession, partner_id: UUID, token_id: UUID) -> None:
    """The partner used a token for more than reading versions: it has it, so older ones end."""
    made_at = await db.scalar(
        update(PartnerToken)
        .where(PartnerToken.id == token_id, PartnerToken.first_used_at.is_(None))
        .values(first_used_at=func.now(), expires_at=None)
        .returning(PartnerToken.created_at)
    )
    if made_at is None:
        return
    await db.execute(
        delete(PartnerToken).where(
            PartnerToken.partner_id == partner_id,
            PartnerToken.kind == "C",
            PartnerToken.created_at < made_at,
        )
    )
    await db.execute(
        update(Partner).where(Partner.id == partner_id).values(previous_token_to_send=None)
    )
    await touch(db, partner_id)


async def connected(
    db: AsyncSession,
    partner_id: UUID,
    registration: Registration,
    *,
    token_id: UUID,
    overlap: timedelta | None = None,
) -> None:
    """Both sides agreed. ``token_id`` is the token the partner shall use from now on.

    ``overlap`` is None for a first registration, which ends every other token at once. Else it is
    how long tokens remain that were minted for earlier renewals and never used.
    """
    partner = await lock(db, partner_id)
    if partner.status in SHUT_OUT:
        raise Forbidden("This platform was suspended meanwhile; ask the operator of the hub.")
    before = summary(partner)
    first = overlap is None
    moved = partner.ocpi_version != registration.version
    if first or moved:
        # It may be another platform by now, and is looked at again.
        partner.probed_at = None
    note_agreed(partner, registration, first=first)
    was = partner.connection_status
    partner.connection_status = ConnectionStatus.CONNECTED
    partner.connected_at = partner.last_seen_at = func.now()
    changed = await declare(db, partner_id, registration.declared, registration.version)
    if changed or was != ConnectionStatus.CONNECTED:
        partner.connection_changed_at = func.now()
    await replace_endpoints(db, partner_id, registration.endpoints)
    await retire(db, partner_id, token_id, overlap)
    live_only = Configuration.of(partner.configuration).delivery == "live_only"
    # A party that is new on the platform has missed everything, too.
    await enrol(db, partner_id, restart=first or moved or changed, live_only=live_only)
    await db.flush()
    await audit.record(
        db,
        AuditAction.UPDATE,
        "ocpi_partner",
        partner_id,
        before=before,
        after=summary(partner) | {"roles": [spell(grant) for grant in registration.declared]},
        description="Registered" if first else "Credentials renewed",
    )


def note_agreed(partner: Partner, registration: Registration, *, first: bool) -> None:
    """What both sides agreed on, in the partner's row."""
    partner.previous_token_to_send = (
        None if first else partner.previous_token_to_send or partner.token_to_send
    )
    partner.token_to_send = registration.token_to_send
    partner.token_form_sent = registration.token_form_sent
    partner.ocpi_version = registration.version
    partner.versions_url = registration.versions_url
    partner.credentials_url = registration.credentials_url
    partner.hub_party_id = registration.hub_party_id
    partner.introduced = registration.introduced
    partner.status = PartnerStatus.ACTIVE
    details = [details for details in registration.declared.values() if details]
    partner.business_details = details[0] if details else partner.business_details


async def declare(
    db: AsyncSession,
    partner_id: UUID,
    declared: Mapping[Grant, dict[str, Any] | None],
    version: str | None,
) -> bool:
    """Keep which of its approved roles a platform plays; returns whether that changed (CRED-24).

    Before OCPI 2.3.0 a hub declares itself only: the parties behind it are as it announced them.
    """
    changed = False
    announces = version is not None and version < ROLES_OF_HUBS and Role.HUB in roles_in(declared)
    for row in await db.scalars(select(PartnerRole).where(PartnerRole.partner_id == partner_id)):
        grant = (Party(row.country_code, row.party_id), Role(row.role))
        if announces and grant not in declared and row.announced_status is not None:
            continue
        changed |= row.declared != (grant in declared)
        row.declared, row.announced_status = grant in declared, None
        row.business_details = declared.get(grant) or row.business_details
    return changed


def roles_in(declared: Iterable[Grant]) -> set[Role]:
    return {role for _, role in declared}


async def announced(
    db: AsyncSession, partner_id: UUID, party: Party, role: Role, status: ConnectionStatus
) -> bool:
    """A peer hub tells how a party behind it is connected (HCI-09). False: it is not approved."""
    partner = await lock(db, partner_id)
    row = await db.scalar(
        select(PartnerRole).where(
            PartnerRole.partner_id == partner_id,
            PartnerRole.approved,
            PartnerRole.country_code == party.country_code,
            PartnerRole.party_id == party.party_id,
            PartnerRole.role == role,
        )
    )
    if row is None:
        return False
    reachable, new = status in REACHABLE, not row.declared
    if (row.declared, row.announced_status) == (reachable, status):
        return True
    row.declared, row.announced_status = reachable, status
    partner.connection_changed_at = func.now()
    if reachable and new:
        live_only = Configuration.of(partner.configuration).delivery == "live_only"
        await enrol(db, partner_id, restart=True, live_only=live_only)
    return True


async def replace_endpoints(
    db: AsyncSession, partner_id: UUID, endpoints: Iterable[Endpoint]
) -> None:
    await db.execute(delete(PartnerEndpoint).where(PartnerEndpoint.partner_id == partner_id))
    db.add_all(
        PartnerEndpoint(partner_id=partner_id, identifier=e.identifier, role=e.role, url=e.url)
        for e in endpoints
    )


async def retire(
    db: AsyncSession, partner_id: UUID, token_id: UUID, overlap: timedelta | None
) -> None:
    """End the tokens that a handshake replaces, ``token_id`` being the new one."""
    others = (PartnerToken.partner_id == partner_id, PartnerToken.id != token_id)
    if overlap is None:
        await db.execute(delete(PartnerToken).where(*others))
        await db.execute(
            update(PartnerToken).where(PartnerToken.id == token_id).values(expires_at=None)
        )
        return
    await db.execute(
        update(PartnerToken)
        .where(
            *others,
            PartnerToken.kind == "C",
            PartnerToken.first_used_at.is_(None),
            PartnerToken.expires_at.is_(None),
        )
        .values(expires_at=func.now() + overlap)
    )


async def enrol(db: AsyncSession, partner_id: UUID, *, restart: bool, live_only: bool) -> None:
    """Give the partner its places in the feed.

    A new partner starts at the beginning, or at the end where it wants only what is new. One that
    registers anew or changed its version may have lost what it had: it gets all states again.
    Records stay where they were, for what was answered is settled.
    """
    await cursors.enrol(db, {(partner_id, name): live_only for name in MODULES})
    await jumps.mended(db, partner_id)
    if restart:
        await jumps.restart(db, partner_id, live_only=live_only)


async def unregistered(
    db: AsyncSession, partner_id: UUID, *, status: ConnectionStatus, description: str
) -> None:
    """The connection is over: no token is valid any more, what it brought stays (CRED-23)."""
    partner = await lock(db, partner_id)
    before = summary(partner)
    partner.token_to_send = partner.previous_token_to_send = None
    partner.status = PartnerStatus.INACTIVE
    partner.connection_status = status
    partner.connection_changed_at = func.now()
    await declare(db, partner_id, {}, None)
    await replace_endpoints(db, partner_id, ())
    await db.execute(delete(PartnerToken).where(PartnerToken.partner_id == partner_id))
    await db.flush()
    await audit.record(
        db,
        AuditAction.UPDATE,
        "ocpi_partner",
        partner_id,
        before=before,
        after=summary(partner),
        description=description,
    )


def summary(partner: Partner) -> dict[str, Any]:
    """What an audit entry says of a partner."""
    return {
        "name": partner.name,
        "status": partner.status,
        "connection_status": partner.connection_status,
        "ocpi_version": partner.ocpi_version,
        "versions_url": partner.versions_url,
    }


def spell(grant: Grant) -> str:
    party, role = grant
    return f"{party} {role}"


def only_role(approved: frozenset[Grant], party: Party | None = None) -> Role:
    """The role of a platform whose version has one for each registration (HUB-06).

    ``party`` is whom it says to be, if it did yet. A stranger is given the role that was approved
    for somebody, so that it is refused as a stranger.
    """
    fitting = [(one, role) for one, role in approved if party in {None, one}] or list(approved)
    roles = {role for _, role in fitting}
    if len(roles) == 1 and (party is not None or len(fitting) == 1):
        return roles.pop()
    told = ", ".join(sorted(map(spell, fitting))) or "nothing"
    raise InvalidRequest(
        "This OCPI version has one party in one role for each registration, but approved is "
        f"{told}. The operator of the hub can invite your platform once for each."
    )
