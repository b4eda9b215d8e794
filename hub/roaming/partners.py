"""Partners as the rules see them: who is connected, which parties they host, where they serve what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from hub.models.values import ConnectionStatus, InterfaceRole, PartnerStatus, Party, Role


@dataclass(frozen=True, slots=True)
class Endpoint:
    identifier: str
    role: InterfaceRole
    url: str


@dataclass(frozen=True)
class Connection:
    """One partner, as read at one moment; a value, safe to keep while no transaction is open.

    ``roles`` are those that are approved *and* declared. ``hub`` is the tenant's own party: the
    address of Broadcast Push and GET ALL. ``token_kind`` is set on the connection of an incoming
    request: "A" for an invitation, "C" for a registered partner.
    """

    id: UUID
    tenant_id: UUID
    name: str
    status: PartnerStatus
    connection_status: ConnectionStatus
    hub: Party
    version: str | None = None
    roles: frozenset[tuple[Party, Role]] = frozenset()
    endpoints: tuple[Endpoint, ...] = ()
    versions_url: str | None = None
    token_to_send: bytes | None = field(default=None, repr=False)
    token_form_sent: str = "base64"
    hub_party: Party | None = None
    token_kind: str = "C"
    configuration: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parties(self) -> frozenset[Party]:
        return frozenset(party for party, _ in self.roles)

    def roles_of(self, party: Party) -> frozenset[Role]:
        return frozenset(role for host, role in self.roles if host == party)

    def endpoint(self, module: str, role: InterfaceRole) -> Endpoint | None:
        """Where the partner serves a module; module ids are compared without case (BOOK-14)."""
        for endpoint in self.endpoints:
            if endpoint.identifier.lower() == module.lower() and endpoint.role == role:
                return endpoint
        return None
