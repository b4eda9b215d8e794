"""Asking the party that issued a token whether it may charge at a station of our own (TOK-10).

Implements ``roaming.ports.Issuers`` with OCPI's real-time authorisation.
"""

import asyncio
from http import HTTPStatus
from uuid import UUID

import structlog

from hub import codec
from hub.db import Database
from hub.errors import HubError
from hub.models.tenants import Tenant
from hub.models.values import InterfaceRole, Party, Role
from hub.ocpi import translation
from hub.ocpi.client import Answer, Client, Refused, Unreachable, url_at
from hub.ocpi.envelope import unwrapped
from hub.ocpi.translation import Item
from hub.ocpi.versions import VERSIONS
from hub.ocpi.versions.base import Version
from hub.roaming.merging import Document
from hub.roaming.network import partners
from hub.roaming.network.partners import Connection

log = structlog.get_logger()

UNKNOWN_TOKEN, CLIENT_ERROR = 2004, 2000
# Whose the stations are while the tenant has no party for them.
NOBODY = Party("", "")


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
        asker = tenant.cpo_party or NOBODY
        for connection in found:
            endpoint = connection.endpoint("tokens", InterfaceRole.SENDER)
            version = VERSIONS.get(connection.version or "")
            if endpoint is None or version is None:
                continue
            body = await self._say(tenant_id, version, location, asker, issuer)
            try:
                async with asyncio.timeout(within):
                    answer = await self.client.call(
                        connection,
                        "POST",
                        url_at(connection, endpoint, token_uid, "authorize"),
                        body=body,
                        to=issuer,
                        from_=tenant.cpo_party,
                        timeout=self.timeout,
                        params=version.downgrade("Token", {"type": token_type}),
                    )
            except (Unreachable, Refused, TimeoutError) as error:
                log.info("issuer not reached", issuer=str(issuer), reason=str(error) or "too slow")
                return None
            if is_unknown(answer):
                return {"allowed": "NOT_ALLOWED"}
            return await self._understand(tenant_id, version, connection, asker, answer)
        return None

    async def _say(
        self,
        tenant_id: UUID,
        version: Version,
        location: Document | None,
        asker: Party,
        issuer: Party,
    ) -> bytes | None:
        """The body: where the driver is, as the issuer calls it; None where it cannot be said."""
        if location is None:
            return None
        item = Item("LocationReferences", location, asker)
        async with translation.looking_up(self.database, tenant_id, version) as db:
            [written] = await translation.write(db, version, [item], reader=issuer)
        return None if written.body is None else codec.write(written.body)

    async def _understand(
        self,
        tenant_id: UUID,
        version: Version,
        connection: Connection,
        asker: Party,
        answer: Answer,
    ) -> Document | None:
        data = unwrapped(answer.data)
        if not answer.ok or not isinstance(data, dict):
            return None
        kind = "AuthorizationInfo"
        try:
            async with translation.looking_up(self.database, tenant_id, version) as db:
                return await translation.read(
                    db, version, kind, data, partner=connection, owner=asker
                )
        except HubError as error:
            log.warning("answer of issuer not valid", party=connection.name, reason=str(error))
            return None


def is_unknown(answer: Answer) -> bool:
    """Whether the issuer says that it has not issued the token (TOK-20).

    In 2.1.1 only HTTP says so. 2000 is what a platform says of a path that it does not serve.
    """
    said, missing = answer.status_code, answer.http_status == HTTPStatus.NOT_FOUND
    return said == UNKNOWN_TOKEN or (missing and said is not None and said > CLIENT_ERROR)
