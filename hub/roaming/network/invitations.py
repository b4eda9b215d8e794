"""What the operator decides about partners: who may register, as whom, and who has to stay out.

A party plays a role on one platform only, and only the operator says on which. What a platform
says of itself in its credentials never adds to that (T-03, CRED-24).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit
from hub.errors import Forbidden, InvalidRequest
from hub.models.clientinfo import ClientInfo
from hub.models.partners import Partner, PartnerRole, PartnerToken
from hub.models.values import SHUT_OUT, AuditAction, ConnectionStatus, PartnerStatus, Party, Role
from hub.roaming.network.partners import own_tenant, roles_changed
from hub.roaming.network.registration import Grant, lock, mint, spell, summary
from hub.security import Keyring

INVITATION_VALID = timedelta(days=7)


@dataclass(frozen=True)
class Invitation:
    """To be handed to the partner over a secure channel; the token is shown this once (CRED-10)."""

    partner_id: UUID
    versions_url: str
    token: str = field(repr=False)


async def introduce(
    db: AsyncSession,
    name: str,
    roles: Collection[Grant],
    *,
    configuration: Mapping[str, Any] | None = None,
) -> UUID:
    """A new partner that may register in these roles, by invitation or by ``joining.join``."""
    if not roles:
        raise InvalidRequest("roles: a partner needs at least one role, such as NL*TNM CPO.")
    partner = Partner(name=name, configuration=dict(configuration or {}))
    db.add(partner)
    await db.flush()
    await grant(db, partner.id, roles)
    await audit.record(
        db,
        AuditAction.CREATE,
        "ocpi_partner",
        partner.id,
        after=summary(partner) | {"roles": sorted(map(spell, roles))},
        description="Partner introduced",
    )
    return partner.id


async def invite(
    db: AsyncSession,
    keyring: Keyring,
    public_url: str,
    name: str,
    roles: Collection[Grant],
    *,
    configuration: Mapping[str, Any] | None = None,
    valid_for: timedelta = INVITATION_VALID,
) -> Invitation:
    """Introduce a partner and let it register with a token A (CRED-10)."""
    partner_id = await introduce(db, name, roles, configuration=configuration)
    return await invite_again(db, keyring, public_url, partner_id, valid_for=valid_for)


async def invite_again(
    db: AsyncSession,
    keyring: Keyring,
    public_url: str,
    partner_id: UUID,
    *,
    valid_for: timedelta = INVITATION_VALID,
) -> Invitation:
    """A new token A; an older one that was not used is void.

    A partner that is registered stays so until it has registered with this token: that heals a
    connection whose tokens were lost on either side.
    """
    partner = await lock(db, partner_id)
    await db.execute(
        delete(PartnerToken).where(PartnerToken.partner_id == partner_id, PartnerToken.kind == "A")
    )
    _, token = await mint(db, keyring, partner_id, "A", valid_for=valid_for)
    if partner.status == PartnerStatus.INACTIVE:
        partner.status = PartnerStatus.PENDING_VERIFICATION
    await audit.record(
        db,
        AuditAction.UPDATE,
        "ocpi_partner",
        partner_id,
        description=f"Invited: token A {token[:4]}… is valid for {valid_for.days} days",
    )
    return Invitation(partner_id, f"{public_url}/ocpi/versions", token)


async def grant(db: AsyncSession, partner_id: UUID, roles: Collection[Grant]) -> None:
    """Approve roles. One that another partner has is refused, and so is the hub's own party."""
    tenant = await own_tenant(db)
    own = {
        (tenant.country_code, tenant.party_id),
        (tenant.cpo_country_code, tenant.cpo_party_id),
    }
    for party, role in roles:
        if (party.country_code, party.party_id) in own:
            raise InvalidRequest(f"roles: {party} is this hub's own party.")
        statement = insert(PartnerRole).values(
            partner_id=partner_id,
            country_code=party.country_code,
            party_id=party.party_id,
            role=role,
            approved=True,
        )
        holder = await db.scalar(
            statement.on_conflict_do_update(
                index_elements=["tenant_id", "country_code", "party_id", "role"],
                # Changes nothing, but returns who holds the role already.
                set_={"approved": PartnerRole.approved},
            ).returning(PartnerRole.partner_id)
        )
        if holder != partner_id:
            name = await db.scalar(select(Partner.name).where(Partner.id == holder))
            raise InvalidRequest(
                f"roles: {spell((party, role))} belongs to {name}; take it away there first."
            )


async def approve(db: AsyncSession, partner_id: UUID, roles: Collection[Grant]) -> None:
    """Let a known partner play further roles; it declares them with its next credentials."""
    await lock(db, partner_id)
    await grant(db, partner_id, roles)
    await roles_changed(db, partner_id)
    await audit.record(
        db,
        AuditAction.UPDATE,
        "ocpi_partner",
        partner_id,
        after={"roles": sorted(map(spell, roles))},
        description="Roles approved",
    )


async def withdraw(db: AsyncSession, partner_id: UUID, roles: Collection[Grant]) -> None:
    """Take roles away: from now on the partner speaks no more for these parties."""
    await lock(db, partner_id)
    for party, role in roles:
        await db.execute(
            delete(PartnerRole).where(
                PartnerRole.partner_id == partner_id,
                PartnerRole.country_code == party.country_code,
                PartnerRole.party_id == party.party_id,
                PartnerRole.role == role,
            )
        )
    await roles_changed(db, partner_id)
    await audit.record(
        db,
        AuditAction.UPDATE,
        "ocpi_partner",
        partner_id,
        before={"roles": sorted(map(spell, roles))},
        description="Roles withdrawn",
    )


async def approved(db: AsyncSession, partner_id: UUID) -> frozenset[Grant]:
    rows = await db.scalars(
        select(PartnerRole).where(PartnerRole.partner_id == partner_id, PartnerRole.approved)
    )
    return frozenset((Party(r.country_code, r.party_id), Role(r.role)) for r in rows)


async def remove(db: AsyncSession, partner_id: UUID) -> None:
    """Forget a partner that has never registered, so that its parties are free for another."""
    partner = await lock(db, partner_id)
    if partner.connected_at is not None:
        raise Forbidden(
            f"{partner.name} has been registered: what it brought stays, and so does it."
        )
    roles = await approved(db, partner_id)
    told = ClientInfo.partner_id == partner_id
    await db.execute(update(ClientInfo).where(told).values(partner_id=None))
    await db.delete(partner)
    await db.flush()
    await audit.record(
        db,
        AuditAction.DELETE,
        "ocpi_partner",
        partner_id,
        before=summary(partner) | {"roles": sorted(map(spell, roles))},
        severity="MEDIUM",
    )


async def suspend(db: AsyncSession, partner_id: UUID, *, reason: str = "") -> None:
    """Stop all traffic both ways; tokens and data stay, so that ``resume`` needs no handshake."""
    await change_status(
        db, partner_id, PartnerStatus.SUSPENDED, ConnectionStatus.SUSPENDED, reason or "Suspended"
    )


async def resume(db: AsyncSession, partner_id: UUID) -> None:
    partner = await lock(db, partner_id)
    if partner.status not in SHUT_OUT:
        raise InvalidRequest(f"{partner.name} is not suspended.")
    if partner.token_to_send is None:
        status, connection = PartnerStatus.PENDING_VERIFICATION, ConnectionStatus.PLANNED
    else:
        status, connection = PartnerStatus.ACTIVE, ConnectionStatus.CONNECTED
    await change_status(db, partner_id, status, connection, "Resumed")


async def change_status(
    db: AsyncSession,
    partner_id: UUID,
    status: PartnerStatus,
    connection: ConnectionStatus,
    description: str,
) -> None:
    partner = await lock(db, partner_id)
    before = summary(partner)
    partner.status = status
    partner.connection_status = connection
    partner.connection_changed_at = func.now()
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
