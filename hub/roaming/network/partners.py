"""Partners as the rules see them: who is connected, which parties they host, what they serve.

``Connection`` is what everybody else reads. How a partner gets connected, renewed and parted from
is in ``registration``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import HubError
from hub.models.base import CURRENT_TENANT
from hub.models.partners import Partner, PartnerEndpoint, PartnerRole, PartnerToken
from hub.models.tenants import Tenant
from hub.models.values import SHUT_OUT, ConnectionStatus, InterfaceRole, PartnerStatus, Party, Role
from hub.roaming import cursors, jumps
from hub.roaming.network.configuration import Configuration
from hub.roaming.network.quirks import Quirks

# How old "last seen" may be before a request writes it anew, so that not every request writes.
SEEN_PRECISION = "interval '30 seconds'"
# What a module is also called: the text of the extension says both (AMB-33).
SINGULARS = {"bookings": "booking"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    identifier: str
    role: InterfaceRole
    url: str


@dataclass(frozen=True)
class Connection:
    """One partner, as read at one moment; a value, safe to keep while no transaction is open.

    ``roles`` are those that are approved *and* declared; ``planned`` are parties that may be
    declared and are not. ``hub`` is the tenant's own party: the address of Broadcast Push and GET
    ALL. The last four are set on the connection of an incoming request: ``token_kind`` is "A" for
    an invitation, "C" for a registered partner; ``token_form`` how it was written;
    ``token_unproven`` says that this token was never used for more than reading versions.
    """

    id: UUID
    tenant_id: UUID
    name: str
    status: PartnerStatus
    connection_status: ConnectionStatus
    hub: Party
    version: str | None = None
    roles: frozenset[tuple[Party, Role]] = frozenset()
    planned: frozenset[Party] = frozenset()
    endpoints: tuple[Endpoint, ...] = ()
    versions_url: str | None = None
    token_to_send: bytes | None = field(default=None, repr=False)
    previous_token: bytes | None = field(default=None, repr=False)
    token_form_sent: str = "base64"  # noqa: S105 - the form, not the token
    token_form_seen: str | None = None
    hub_party: Party | None = None
    configuration: Mapping[str, Any] = field(default_factory=dict)
    found_quirks: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    sync_minutes: int | None = None
    token_kind: str = "C"  # noqa: S105 - the kind, not the token
    token_id: UUID | None = None
    token_form: str = "base64"  # noqa: S105 - the form, not the token
    token_unproven: bool = False

    @cached_property
    def parties(self) -> frozenset[Party]:
        return frozenset(party for party, _ in self.roles)

    @property
    def invited(self) -> bool:
        """Whether the request came with token A, which opens versions and credentials only."""
        return self.token_kind == "A"  # noqa: S105 - the kind, not the token

    @property
    def is_hub(self) -> bool:
        """A peer: the parties on it are reached through another hub (CRED-08)."""
        return self.hub_party is not None

    @property
    def shut_out(self) -> bool:
        return self.status in SHUT_OUT

    @property
    def registered(self) -> bool:
        return self.token_to_send is not None

    @cached_property
    def settings(self) -> Configuration:
        return Configuration.of(self.configuration)

    def is_beside(self, other: "Connection") -> bool:
        """Whether the operator said that both are the same platform, registered several times."""
        first, second = (one.settings.beside or str(one.id) for one in (self, other))
        return first == second

    @cached_property
    def quirks(self) -> Quirks:
        """What the partner wants said differently: the operator's word over what was found."""
        return Quirks.of(self.found_quirks, self.settings.quirks)

    def roles_of(self, party: Party) -> frozenset[Role]:
        return frozenset(role for host, role in self.roles if host == party)

    def endpoint(self, module: str, role: InterfaceRole) -> Endpoint | None:
        """Where the partner serves a module; module ids are compared without case (BOOK-14)."""
        names = {module.lower(), SINGULARS.get(module, "")}
        for endpoint in self.endpoints:
            if endpoint.identifier.lower() in names and endpoint.role == role:
                return endpoint
        return None


def token_place(partner_id: UUID) -> str:
    """What the encryption of a token to send is bound to: it opens nowhere else."""
    return f"ocpi_partners/{partner_id}/token_to_send"


async def connections(db: AsyncSession) -> list[Connection]:
    """All partners of the tenant, whatever their status, oldest first."""
    return await load(db)


async def connection(db: AsyncSession, partner_id: UUID) -> Connection | None:
    found = await load(db, Partner.id == partner_id)
    return found[0] if found else None


async def by_party(db: AsyncSession, party: Party, role: Role | None = None) -> list[Connection]:
    """The partners that host a party; more than one only where roles are split over platforms."""
    hosts = select(PartnerRole.partner_id).where(
        PartnerRole.country_code == party.country_code,
        PartnerRole.party_id == party.party_id,
        PartnerRole.approved,
        PartnerRole.declared,
    )
    if role is not None:
        hosts = hosts.where(PartnerRole.role == role)
    return await load(db, Partner.id.in_(hosts))


async def by_token(db: AsyncSession, digest: bytes) -> UUID | None:
    """The tenant in which this is the digest of a token; ``db`` is a platform transaction."""
    return await db.scalar(
        select(PartnerToken.tenant_id).where(
            PartnerToken.digest == digest,
            or_(PartnerToken.expires_at.is_(None), PartnerToken.expires_at > func.now()),
        )
    )


async def load(db: AsyncSession, *conditions: ColumnElement[bool]) -> list[Connection]:
    rows = (await db.scalars(select(Partner).where(*conditions).order_by(Partner.created_at))).all()
    if not rows:
        return []
    ids = [row.id for row in rows] if conditions else None
    roles, endpoints = await load_roles(db, ids), await load_endpoints(db, ids)
    tenant = await own_tenant(db)
    hub = hub_party(tenant)
    return [
        Connection(
            id=row.id,
            tenant_id=tenant.id,
            name=row.name,
            status=PartnerStatus(row.status),
            connection_status=ConnectionStatus(row.connection_status),
            hub=hub,
            version=row.ocpi_version,
            roles=declared(roles.get(row.id, ())),
            planned=planned(roles.get(row.id, ())),
            endpoints=tuple(endpoints.get(row.id, ())),
            versions_url=row.versions_url,
            token_to_send=row.token_to_send,
            previous_token=row.previous_token_to_send,
            token_form_sent=row.token_form_sent or "base64",
            token_form_seen=row.token_form_seen,
            hub_party=Party.parse(row.hub_party_id) if row.hub_party_id else None,
            configuration=row.configuration,
            found_quirks=row.quirks,
            created_at=row.created_at,
            sync_minutes=row.sync_frequency_minutes,
        )
        for row in rows
    ]


async def load_roles(db: AsyncSession, ids: Iterable[UUID] | None) -> dict[UUID, list[PartnerRole]]:
    """The roles that were approved, declared or not."""
    query = select(PartnerRole).where(PartnerRole.approved)
    if ids is not None:
        query = query.where(PartnerRole.partner_id.in_(ids))
    roles: dict[UUID, list[PartnerRole]] = {}
    for row in await db.scalars(query):
        roles.setdefault(row.partner_id, []).append(row)
    return roles


def declared(roles: Iterable[PartnerRole]) -> frozenset[tuple[Party, Role]]:
    return frozenset((party_of(role), Role(role.role)) for role in roles if role.declared)


def planned(roles: Iterable[PartnerRole]) -> frozenset[Party]:
    here = {party_of(role) for role in roles if role.declared}
    return frozenset(party_of(role) for role in roles) - here


def party_of(role: PartnerRole) -> Party:
    return Party(role.country_code, role.party_id)


async def load_endpoints(
    db: AsyncSession, ids: Iterable[UUID] | None
) -> dict[UUID, list[Endpoint]]:
    query = select(PartnerEndpoint).order_by(PartnerEndpoint.identifier)
    if ids is not None:
        query = query.where(PartnerEndpoint.partner_id.in_(ids))
    endpoints: dict[UUID, list[Endpoint]] = {}
    for row in await db.scalars(query):
        endpoint = Endpoint(row.identifier, InterfaceRole(row.role), row.url)
        endpoints.setdefault(row.partner_id, []).append(endpoint)
    return endpoints


async def own_tenant(db: AsyncSession) -> Tenant:
    """The tenant of this transaction."""
    return (await db.scalars(select(Tenant).where(Tenant.id == text(CURRENT_TENANT)))).one()


def hub_party(tenant: Tenant) -> Party:
    if tenant.country_code is None or tenant.party_id is None:
        raise HubError(f"The tenant {tenant.name} has no country code and party id of its own.")
    return Party.of(tenant.country_code, tenant.party_id)


async def seen(db: AsyncSession, partner_id: UUID, *, form: str | None = None) -> bool:
    """The partner called, or answered: it is there. Returns whether deliveries had waited for it.

    ``form`` is how it wrote its token. Its back-off is forgotten, and OFFLINE ends (HCI-06).
    """
    await db.execute(
        update(Partner)
        .where(
            Partner.id == partner_id,
            or_(
                Partner.last_seen_at.is_(None),
                Partner.last_seen_at < func.now() - text(SEEN_PRECISION),
            ),
        )
        # Being seen is no change of the partner: everything that is cached of it stays true.
        .values(last_seen_at=func.now(), updated_at=Partner.updated_at)
    )
    if form is not None:
        await db.execute(
            update(Partner)
            .where(Partner.id == partner_id, Partner.token_form_seen.is_distinct_from(form))
            .values(token_form_seen=form)
        )
    waited = await cursors.clear_back_off(db, partner_id)
    returned = await db.scalars(
        update(Partner)
        .where(
            Partner.id == partner_id,
            Partner.connection_status == ConnectionStatus.OFFLINE,
            Partner.status == PartnerStatus.ACTIVE,
        )
        .values(connection_status=ConnectionStatus.CONNECTED, connection_changed_at=func.now())
        .returning(Partner.configuration)
    )
    configuration = returned.first()
    if configuration is None:
        return waited
    live_only = Configuration.of(configuration).delivery == "live_only"
    await jumps.catch_up(db, partner_id, live_only=live_only)
    return True


async def connection_changed(db: AsyncSession, partner_id: UUID, status: ConnectionStatus) -> bool:
    """Keep a partner's new connection status, if it is one; the others are told from it (HCI-03).

    ClientInfo is derived from ``connection_status`` and the roles; ``connection_changed_at`` is its
    ``last_updated``, so a change of roles counts as well: see ``roles_changed``.
    """
    changed = await db.scalars(
        update(Partner)
        .where(Partner.id == partner_id, Partner.connection_status != status)
        .values(connection_status=status, connection_changed_at=func.now())
        .returning(Partner.id)
    )
    return changed.first() is not None


async def roles_changed(db: AsyncSession, partner_id: UUID) -> None:
    """The parties on a platform changed, so there is something to tell the others (HCI-03)."""
    await db.execute(
        update(Partner)
        .where(Partner.id == partner_id)
        .values(connection_changed_at=func.now(), version=Partner.version + 1)
    )


async def touch(db: AsyncSession, partner_id: UUID) -> None:
    """Something that belongs to the partner changed: what is cached of it is stale."""
    await db.execute(
        update(Partner).where(Partner.id == partner_id).values(version=Partner.version + 1)
    )
