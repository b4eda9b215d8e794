"""Who is told to be connected: HubClientInfo follows from the partners and their roles.

``refresh`` compares what follows with what was last told and writes the difference, which gives it
its place in the feed. So nobody who changes a partner must remember to tell the others, and a party
that is gone is told to be SUSPENDED, for there is no other way to say it (HCI-03).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from uuid import UUID

from sqlalchemy import func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.models.base import CURRENT_TENANT
from hub.models.clientinfo import ClientInfo
from hub.models.objects import FEED_SEQUENCE
from hub.models.partners import Partner, PartnerRole
from hub.models.tenants import Tenant
from hub.models.values import SHUT_OUT, ConnectionStatus, PartnerStatus, Party, Role

# The oldest version that has HubClientInfo; it reads the same in all that have it, but for roles
# that came later.
SAME_SINCE = "2.2.1"
LATER_ROLES = {Role.PTP: "2.3.0"}

NEVER_AGAIN = SHUT_OUT | {PartnerStatus.INACTIVE}


@dataclass(frozen=True, slots=True)
class Client:
    """A party in one role (HCI-07), as others are to see it."""

    party: Party
    role: Role
    status: ConnectionStatus
    partner_id: UUID | None
    since: datetime


async def refresh(db: AsyncSession) -> bool:
    """Write what is new about the tenant's parties; says whether anything was."""
    kept = {(row.country_code, row.party_id, row.object_key): row for row in await told(db)}
    present = {
        (client.party.country_code, client.party.party_id, client.role.value): client
        for client in await clients(db)
    }
    changed = False
    for key, client in present.items():
        row = kept.get(key)
        if row is None or (row.status, row.partner_id) != (client.status, client.partner_id):
            await tell(db, client, row)
            changed = True
    for key in kept.keys() - present.keys():
        row = kept[key]
        if row.status != ConnectionStatus.SUSPENDED:
            party, role = Party(row.country_code, row.party_id), Role(row.object_key)
            gone = Client(party, role, ConnectionStatus.SUSPENDED, row.partner_id, row.last_updated)
            await tell(db, gone, row)
            changed = True
    return changed


async def told(db: AsyncSession) -> list[ClientInfo]:
    return list(await db.scalars(select(ClientInfo)))


async def clients(db: AsyncSession) -> list[Client]:
    """All parties of the tenant's partners, and the party of its own charging stations (HCI-08)."""
    rows = await db.execute(
        select(PartnerRole, Partner)
        .join(Partner, Partner.id == PartnerRole.partner_id)
        .where(PartnerRole.approved, PartnerRole.role != Role.HUB)
    )
    found = [
        Client(
            Party(role.country_code, role.party_id),
            Role(role.role),
            status_of(partner, role),
            partner.id,
            partner.connection_changed_at,
        )
        for role, partner in rows
    ]
    tenant = (await db.scalars(select(Tenant).where(Tenant.id == text(CURRENT_TENANT)))).one()
    if (own := tenant.cpo_party) is not None:
        found.append(Client(own, Role.CPO, ConnectionStatus.CONNECTED, None, tenant.created_at))
    return found


def status_of(partner: Partner, role: PartnerRole) -> ConnectionStatus:
    if partner.status in NEVER_AGAIN:
        return ConnectionStatus.SUSPENDED
    # A peer hub's word counts where it knows of something worse than we do.
    announced = ConnectionStatus(role.announced_status or ConnectionStatus.CONNECTED)
    if announced == ConnectionStatus.SUSPENDED:
        return announced
    if partner.status != PartnerStatus.ACTIVE or not role.declared:
        return ConnectionStatus.PLANNED
    connected = partner.connection_status == ConnectionStatus.CONNECTED
    return announced if connected else ConnectionStatus(partner.connection_status)


async def tell(db: AsyncSession, client: Client, before: ClientInfo | None) -> None:
    """Keep the new status, at the end of the feed. Its time never goes back."""
    at = client.since.astimezone(UTC)
    if before is not None and at <= before.last_updated:
        at = datetime.now(UTC)
    document = codec.write_text(
        {
            "country_code": client.party.country_code,
            "party_id": client.party.party_id,
            "role": client.role,
            "status": client.status,
        }
    )
    values = {
        "partner_id": client.partner_id,
        "country_code": client.party.country_code,
        "party_id": client.party.party_id,
        "object_key": client.role,
        "object_id": client.role,
        "document": document,
        "digest": blake2b(document.encode(), digest_size=16).digest(),
        "last_updated_text": codec.instant(at),
        "last_updated": at,
        "same_since": LATER_ROLES.get(client.role, SAME_SINCE),
    }
    key = ("tenant_id", "country_code", "party_id", "object_key")
    moved = {
        "changed_xid": func.pg_current_xact_id(),
        "changed_seq": FEED_SEQUENCE.next_value(),
        "updated_at": func.now(),
    }
    # Another process may have told it a moment ago: then it is no news.
    await db.execute(
        insert(ClientInfo)
        .values(values)
        .on_conflict_do_update(
            index_elements=key,
            set_={name: value for name, value in values.items() if name not in key} | moved,
            where=or_(
                ClientInfo.digest != values["digest"],
                ClientInfo.partner_id.is_distinct_from(client.partner_id),
            ),
        )
    )
