"""Asking the party that issued a token whether it may charge at a station of our own (TOK-10).

Implements ``roaming.ports.Issuers`` with OCPI's real-time authorisation.
"""

import asyncio
from uuid import UUID

import structlog

from hub import codec
from hub.db import Database
from hub.errors import HubError
from hub.models.tenants import Tenant
from hub.models.values import InterfaceRole, Party, Role
from hub.ocpi.client import Client, Refused, Unreachable, url_at
from hub.ocpi.versions import VERSIONS
from hub.roaming import partners
from hub.roaming.merging import Document

log = structlog.get_logger()

UNKNOWN_TOKEN = 2004


class Issuers:
    """``timeout`` is in seconds: a driver stands at the station, and the station gives up soon."""

    def __init__(self, database: Database, client: Client, *, timeout: float = 3.0) -> None:
        self.database = database
        self.client = client
        self.timeout = timeout

    async def authorize(
        self,
        tenant_id: UUID,
        issuer: Party,
        token_uid: str,
        token_type: str,
        *,
        location: Document | None,
        within: float | None = None,
    ) -> Document | None:
        """The AuthorizationInfo (canonical), or None when the issuer cannot be asked.

        ``within`` is the limit for all of the call, however slowly its parts come.
        """
        async with self.database.transaction(tenant_id) as db:
            found = await partners.by_party(db, issuer, Role.EMSP)
            tenant = await db.get_one(Tenant, tenant_id)
        sender = None
        if tenant.cpo_country_code and tenant.cpo_party_id:
            sender = Party(tenant.cpo_country_code, tenant.cpo_party_id)
        for connection in found:
            endpoint = connection.endpoint("tokens", InterfaceRole.SENDER)
            version = VERSIONS.get(connection.version or "")
            if endpoint is None or version is None:
                continue
            body = None
            if location is not None:
                body = codec.write(version.downgrade("LocationReferences", location))
            try:
                async with asyncio.timeout(within):
                    answer = await self.client.call(
                        connection,
                        "POST",
                        url_at(connection, endpoint, token_uid, "authorize"),
                        body=body,
                        to=issuer,
                        from_=sender,
                        timeout=self.timeout,
                        params={"type": token_type},
                    )
            except (Unreachable, Refused, TimeoutError) as error:
                log.info("issuer not reached", issuer=str(issuer), reason=str(error) or "too slow")
                return None
            if answer.status_code == UNKNOWN_TOKEN:
                return {"allowed": "NOT_ALLOWED"}
            if not answer.ok or not isinstance(answer.data, dict):
                return None
            try:
                return version.read("AuthorizationInfo", answer.data)
            except HubError as error:
                log.warning("answer of issuer not valid", issuer=str(issuer), reason=str(error))
                return None
        return None
