"""How the hub introduces itself: its credentials object, in the form each version wants.

From 2.3.0 on the hub names itself in ``hub_party_id`` and lists the parties that can be reached
through it (CRED-04, CRED-05). Before, it lists itself with role HUB and nobody else; who can be
reached is told by HubClientInfo alone (CRED-03).
"""

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.partners import PartnerRole
from hub.models.tenants import Tenant
from hub.models.values import ConnectionStatus, Party, Role
from hub.ocpi.logo import PATH as LOGO
from hub.ocpi.versions.base import Document, Version
from hub.roaming import agreements, partners
from hub.roaming.audience import Audience
from hub.roaming.invitations import approved
from hub.roaming.modules import MODULES
from hub.roaming.partners import Connection

REACHABLE = frozenset({ConnectionStatus.CONNECTED, ConnectionStatus.OFFLINE})


async def credentials(
    db: AsyncSession, partner: Connection, version: Version, public_url: str, token: str
) -> Document:
    """Our credentials for this partner; ``token`` is the one it shall use here."""
    tenant = await partners.own_tenant(db)
    hub = partners.hub_party(tenant)
    own = {"token": token, "url": f"{public_url}/ocpi/versions"}
    if "hub_party_id" not in version.schema("Credentials")().fields:
        alone = own | {"roles": [role(hub, Role.HUB, business_details(tenant, public_url))]}
        return version.downgrade("Credentials", alone)
    return own | {
        "hub_party_id": hub.country_code + hub.party_id,
        "roles": await reachable(db, partner, tenant, public_url)
        # There must be one, and a hub alone in its network plays no other role.
        or [role(hub, Role.OTHER, business_details(tenant, public_url))],
    }


async def reachable(
    db: AsyncSession, partner: Connection, tenant: Tenant, public_url: str
) -> list[Document]:
    """The roles of everybody whom this partner's parties may deal with through the hub."""
    audience = await agreements.audience(db)
    mine = {party for party, _ in await approved(db, partner.id)}
    details = await told_details(db)
    roles = []
    if tenant.cpo_country_code and tenant.cpo_party_id:
        stations = Party.of(tenant.cpo_country_code, tenant.cpo_party_id)
        if may_meet(audience, mine, stations):
            roles.append(role(stations, Role.CPO, business_details(tenant, public_url)))
    for other in audience.connections:
        if other.id == partner.id or other.connection_status not in REACHABLE:
            continue
        for party, kind in sorted(other.roles):
            if kind != Role.HUB and may_meet(audience, mine, party):
                said = details.get((party, kind)) or {"name": other.name[:100]}
                roles.append(role(party, kind, said))
    return roles


def may_meet(audience: Audience, mine: set[Party], other: Party) -> bool:
    """Whether any agreement, in any module and direction, lets something pass between them."""
    return any(
        audience.allows(party, other, module) or audience.allows(other, party, module)
        for party in mine
        for module in MODULES
    )


async def told_details(db: AsyncSession) -> dict[tuple[Party, Role], Any]:
    rows = await db.scalars(select(PartnerRole).where(PartnerRole.declared))
    return {
        (Party(row.country_code, row.party_id), Role(row.role)): row.business_details
        for row in rows
    }


def role(party: Party, kind: Role, details: Document) -> Document:
    return {
        "role": kind.value,
        "business_details": details,
        "party_id": party.party_id,
        "country_code": party.country_code,
    }


def business_details(tenant: Tenant, public_url: str) -> Document:
    """Always with website and logo: there are platforms that refuse credentials without them.

    The tenant's custom properties ``website`` and ``logo`` say which.
    """
    custom = (tenant.settings or {}).get("custom_properties") or {}
    logo = custom.get("logo") or public_url + LOGO
    return {
        "name": (tenant.company_name or tenant.name)[:100],
        "website": custom.get("website") or public_url,
        "logo": {"url": logo, "category": "OPERATOR", "type": file_type(logo)},
    }


def file_type(url: str) -> str:
    """What an image's URL ends with, as OCPI wants it: at most four letters."""
    return PurePosixPath(urlsplit(url).path).suffix[1:5].lower() or "png"
