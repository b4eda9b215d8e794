"""How the hub introduces itself: its credentials object, in the form each version wants.

From 2.3.0 on the hub names itself in ``hub_party_id`` and lists the parties that can be reached
through it (CRED-04, CRED-05). Before, it lists itself with role HUB and nobody else; who can be
reached is told by HubClientInfo alone (CRED-03).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.partners import PartnerRole
from hub.models.tenants import Tenant
from hub.models.values import InterfaceRole, Party, Role
from hub.ocpi import custom
from hub.ocpi.handshake.logo import PATH as LOGO
from hub.ocpi.operations import IDENTIFIERS, MODULE_NAMES, endpoint_path, interfaces
from hub.ocpi.versions.base import Document, Version
from hub.roaming.network import agreements, partners
from hub.roaming.network.audience import Audience
from hub.roaming.network.invitations import approved
from hub.roaming.network.partners import Connection
from hub.roaming.network.registration import REACHABLE, Grant, spell


@dataclass(frozen=True)
class Introduction:
    """Our credentials, and the fingerprint of what they and the version details say to a partner:
    while that is the same, nobody must be told anew (CRED-06, VER-07).
    """

    credentials: Document = field(repr=False)
    fingerprint: bytes


async def introduce(
    db: AsyncSession, partner: Connection, version: Version, public_url: str, token: str
) -> Introduction:
    """How the hub introduces itself to this partner; ``token`` is the one it shall use here."""
    tenant = await partners.own_tenant(db)
    audience = await agreements.audience(db)
    mine = {party for party, _ in await approved(db, partner.id)}
    grants = roles_for(audience, tenant, partner, version, mine)
    own: Document = {"token": token, "url": f"{public_url}/ocpi/versions"}
    hub = partners.hub_party(tenant)
    if names_itself(version):
        own["hub_party_id"] = hub.country_code + hub.party_id
    said = await told_details(db)
    stations = tenant.cpo_party
    names = {
        (party, kind): other.name for other in audience.connections for party, kind in other.roles
    }
    for party, kind in grants:
        if party in {hub, stations}:
            details = business_details(tenant, public_url)
        else:
            details = said.get((party, kind)) or {"name": names[party, kind][:100]}
        own.setdefault("roles", []).append(role(party, kind, details))
    body = own if names_itself(version) else version.downgrade("Credentials", own)
    return Introduction(body, fingerprint(audience, partner, version, grants))


def names_itself(version: Version) -> bool:
    """Whether a hub has ``hub_party_id`` and the parties behind it as roles in this version."""
    return "hub_party_id" in version.schema("Credentials")().fields


def roles_for(
    audience: Audience, tenant: Tenant, partner: Connection, version: Version, mine: set[Party]
) -> list[Grant]:
    """The roles of everybody whom this partner's parties may deal with through the hub.

    ``mine`` are the parties that it may register as.
    """
    hub = partners.hub_party(tenant)
    if not names_itself(version):
        return [(hub, Role.HUB)]
    stations = tenant.cpo_party
    present = [(stations, Role.CPO)] if stations else []
    for other in audience.connections:
        if other.id != partner.id and other.connection_status in REACHABLE:
            present += sorted(grant for grant in other.roles if grant[1] != Role.HUB)
    found = [
        (party, kind)
        for party, kind in present
        if any(audience.knows(viewer, party) for viewer in mine)
    ]
    # There must be one, and a hub alone in its network plays no other role.
    return found or [(hub, Role.OTHER)]


def endpoints_for(
    partner: Connection, audience: Audience, version: Version
) -> list[tuple[str, InterfaceRole, str]]:
    """What a partner finds in the details of a version: module, interface, path below our root.

    Modules that the operator did not agree on with this partner are left out, those of their own
    that platforms may reach each other for are added (VER-05, VER-06).
    """
    agreed = partner.settings.supported_modules
    modules = [(name, interfaces(name, version)) for name in MODULE_NAMES]
    modules = [found for found in modules if agreed is None or found[0] in agreed]
    if not version.peer_to_peer:
        modules += [(name, list(InterfaceRole)) for name in custom.modules_for(partner, audience)]
    slash = "/" if version.peer_to_peer else ""
    called = {**IDENTIFIERS, **partner.settings.module_names}
    return [("credentials", InterfaceRole.SENDER, f"{version.number}/credentials{slash}")] + [
        (called.get(module, module), interface, endpoint_path(version, interface, module))
        for module, found in modules
        for interface in found
    ]


def fingerprint(
    audience: Audience, partner: Connection, version: Version, grants: Iterable[Grant]
) -> bytes:
    lines = sorted(map(spell, grants))
    lines += [" ".join(endpoint) for endpoint in endpoints_for(partner, audience, version)]
    return blake2b("\n".join([version.number, *lines]).encode(), digest_size=16).digest()


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
