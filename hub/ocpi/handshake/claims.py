"""What the other side says of itself in its credentials, and how much of it is believed.

A platform may say who it is, but not decide it: roles must be approved by the operator (T-03,
CRED-24), and its address must be neither the hub's own nor another partner's (T-08, T-32).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from hub import audit
from hub.db import Database
from hub.errors import InvalidRequest
from hub.models.values import AuditAction, AuditSeverity, Party, Role
from hub.ocpi.directory import Directory
from hub.ocpi.handshake.discovery import check_versions_url
from hub.ocpi.handshake.trace import Trace
from hub.ocpi.outbound import origin
from hub.ocpi.versions.base import Known, Version
from hub.roaming.network import invitations
from hub.roaming.network.partners import Connection
from hub.roaming.network.registration import Grant, only_role, spell
from hub.security import TOKEN_CHARACTERS
from hub.settings import Settings

log = structlog.get_logger()

HUB_PARTY_LENGTH = 5


@dataclass(frozen=True)
class Theirs:
    """The other side's credentials. ``declared`` are its roles, each with its business details."""

    token: str = field(repr=False)
    url: str
    declared: Mapping[Grant, dict[str, Any] | None]
    hub_party_id: str | None = None

    def only(self, allowed: frozenset[Grant]) -> "Theirs":
        """The same without the roles that are not allowed."""
        granted = {grant: said for grant, said in self.declared.items() if grant in allowed}
        return replace(self, declared=granted)


def read_credentials(
    version: Version, body: Any, *, own: Party, approved: frozenset[Grant]
) -> Theirs:
    """Raises InvalidRequest, which names the field. What is ``approved`` tells the role of a party
    where the version does not.
    """
    role = None
    if version.peer_to_peer:
        version.check("Credentials", body)
        role = only_role(approved, Party.of(body["country_code"], body["party_id"]))
    document = version.read("Credentials", body, known=Known(role=role))
    if not TOKEN_CHARACTERS.fullmatch(document["token"]):
        raise InvalidRequest("token: must be 1 to 64 printable ASCII characters without blanks.")
    declared: dict[Grant, dict[str, Any] | None] = {}
    # Canonical credentials keep the HUB roles of 2.2.1 beside the others.
    hubs = (document.get("hub_roles") or {}).values()
    for index, role in enumerate([*document["roles"], *hubs]):
        grant = (Party.of(role["country_code"], role["party_id"]), Role(role["role"]))
        if grant in declared:
            raise InvalidRequest(f"roles/{index}: {spell(grant)} is listed twice (CRED-01).")
        declared[grant] = role.get("business_details")
    hub_party = read_hub_party(document.get("hub_party_id"), own)
    if hub_party is None:
        return Theirs(document["token"], document["url"], declared)
    if hub_party not in {party for party, _ in declared}:
        declared[hub_party, Role.HUB] = None
    hub_party_id = hub_party.country_code + hub_party.party_id
    return Theirs(document["token"], document["url"], declared, hub_party_id)


def read_hub_party(text: str | None, own: Party) -> Party | None:
    """The party by which another hub is addressed (CRED-08); to claim it takes approval too."""
    if not text:
        return None
    if len(text) != HUB_PARTY_LENGTH or not text.isascii() or not text.isalnum():
        raise InvalidRequest("hub_party_id: must be a country code and a party id, 5 characters.")
    if Party.parse(text) == own:
        raise InvalidRequest(f"hub_party_id: {own} is this hub.")
    return Party.parse(text)


async def check_roles(
    database: Database, trace: Trace, partner: Connection, declared: Mapping[Grant, Any]
) -> None:
    """Refuse a platform that says it is somebody it was not approved to be."""
    allowed, excess = await judge_roles(database, trace, partner, declared)
    if excess:
        raise InvalidRequest(
            f"roles: {listing(excess)} is not approved for your platform. Approved: "
            f"{listing(allowed) or 'nothing'}. The operator of the hub can approve more."
        )


async def judge_roles(
    database: Database, trace: Trace, partner: Connection, declared: Mapping[Grant, Any]
) -> tuple[frozenset[Grant], frozenset[Grant]]:
    """The roles that are approved, and the declared ones that are not, which are put on record."""
    async with database.transaction(partner.tenant_id) as db:
        allowed = await invitations.approved(db, partner.id)
        excess = frozenset(declared) - allowed
        if excess:
            claim = f"The platform claims {listing(excess)}, which is not approved for it"
            await audit.record(
                db,
                AuditAction.SECURITY_EVENT,
                "ocpi_partner",
                partner.id,
                description=claim,
                severity=AuditSeverity.HIGH,
                metadata={"claimed": sorted(map(spell, excess))},
            )
    if excess:
        trace.note("roles", claim)
        log.warning("party claimed without approval", claimed=sorted(map(spell, excess)))
    return allowed, excess


def listing(grants: frozenset[Grant]) -> str:
    return ", ".join(sorted(map(spell, grants)))


async def vouched_origins(
    directory: Directory, settings: Settings, trace: Trace, partner: Connection, versions_url: str
) -> frozenset[str]:
    """Where a platform with this versions URL may be called. Addresses of others are refused,
    unless the operator said that both are registrations of one platform.
    """
    place = check_versions_url(versions_url, settings.public_url)
    allowed = partner.settings.allowed_origins
    for other in await directory.connections(partner.tenant_id):
        taken = other.registered and not other.is_beside(partner) and other.versions_url
        if taken and origin(taken) == place and place not in allowed:
            trace.note("origins", f"{place} is where {other.name} is; the operator can allow it")
            raise InvalidRequest(f"url: the operator of the hub must allow {place} first.")
    return frozenset({place}) | allowed
