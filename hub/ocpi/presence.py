"""Is a partner there, and where does it serve what? Asked by the hub, outside of handshakes."""

from dataclasses import replace
from uuid import UUID

import structlog
from sqlalchemy import func, literal, or_, select

from hub.db import Database
from hub.errors import HubError
from hub.models.partners import Partner
from hub.models.values import ConnectionStatus, InterfaceRole, PartnerStatus
from hub.ocpi.client import Answer, Client, Refused, Unreachable
from hub.ocpi.handshake.discovery import endpoint_entries, read_endpoint, read_versions
from hub.ocpi.versions import VERSIONS
from hub.roaming.network import partners, registration
from hub.roaming.network.partners import Connection, Endpoint

log = structlog.get_logger()

WATCHED = (ConnectionStatus.CONNECTED, ConnectionStatus.OFFLINE)


async def tenants(database: Database, *statuses: ConnectionStatus) -> list[UUID]:
    """The tenants with a partner in one of these statuses."""
    query = (
        select(Partner.tenant_id)
        .where(Partner.status == PartnerStatus.ACTIVE, Partner.connection_status.in_(statuses))
        .distinct()
    )
    async with database.platform() as db:
        return sorted(await db.scalars(query))


async def silent(database: Database, tenant_id: UUID, seconds: float) -> list[Connection]:
    """The partners that have not been heard of for so long (HCI-05)."""
    since = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, literal(seconds))
    query = select(Partner.id).where(
        Partner.status == PartnerStatus.ACTIVE,
        Partner.connection_status.in_(WATCHED),
        or_(Partner.last_seen_at.is_(None), Partner.last_seen_at < since),
    )
    async with database.transaction(tenant_id) as db:
        quiet = set(await db.scalars(query))
        if not quiet:
            return []
        return [c for c in await partners.connections(db) if c.id in quiet and c.registered]


async def check(database: Database, client: Client, partner: Connection) -> bool:
    """Ask a silent partner for its versions; returns whether its connection status changed.

    An answer ends OFFLINE and every back-off; none makes it OFFLINE to all others.
    """
    answer = await get(client, partner, partner.versions_url or "")
    async with database.transaction(partner.tenant_id) as db:
        if isinstance(answer, Answer) and answer.ok:
            await partners.seen(db, partner.id)
            return partner.connection_status == ConnectionStatus.OFFLINE
        if not await partners.connection_changed(db, partner.id, ConnectionStatus.OFFLINE):
            return False
    reason = answer.reason if isinstance(answer, Answer) else answer
    log.warning("partner is offline", partner=str(partner.id), reason=reason)
    return True


async def get(client: Client, partner: Connection, url: str) -> Answer | str:
    """The answer, or why there is none."""
    try:
        return await client.call(partner, "GET", url)
    except (Refused, Unreachable) as error:
        return error.reason


async def rediscover(
    database: Database,
    client: Client,
    partner: Connection,
    module: str,
    role: InterfaceRole = InterfaceRole.RECEIVER,
) -> bool:
    """A module's endpoint is gone: read the version details again. Returns whether it moved."""
    versions = await get(client, partner, partner.versions_url or "")
    if not isinstance(versions, Answer) or not versions.ok:
        return False
    try:
        url = read_versions(versions.data).get(partner.version or "")
    except HubError:
        return False
    details = await get(client, partner, url) if url else "not listed"
    if not isinstance(details, Answer) or not details.ok:
        return False
    found = endpoints(partner, details.data)
    if not found or set(found) == set(partner.endpoints):
        return False
    now = replace(partner, endpoints=tuple(found)).endpoint(module, role)
    async with database.transaction(partner.tenant_id) as db:
        await registration.replace_endpoints(db, partner.id, found)
        await partners.touch(db, partner.id)
    return now is not None and now != partner.endpoint(module, role)


def endpoints(partner: Connection, data: object) -> list[Endpoint]:
    """The endpoints in version details, each interface once."""
    version = VERSIONS[partner.version or ""]
    role = next((role for _, role in partner.roles), None)
    found = [read_endpoint(entry) for entry in endpoint_entries(data, version, role) or ()]
    unique = {(e.identifier.lower(), e.role): e for e in reversed(found) if e is not None}
    return list(unique.values())
