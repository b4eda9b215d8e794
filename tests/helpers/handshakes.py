"""What tests of handshakes look at: traces, connections, and whether both sides can still talk."""

import json
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from hub.keys import CLIENT, DIRECTORY
from hub.models.partners import HandshakeTrace
from hub.ocpi.handshake import handshake, joining
from hub.roaming.network import partners
from hub.roaming.network.partners import Connection
from tests.helpers.hub import RunningHub
from tests.helpers.partner import FakePartner


async def connection(hub: RunningHub, partner_id: UUID) -> Connection:
    async with hub.database.transaction(hub.tenant_id) as db:
        found = await partners.connection(db, partner_id)
    assert found is not None
    return found


async def renew(hub: RunningHub, partner_id: UUID) -> None:
    await joining.renew(handshake.Parts.of(hub.app), hub.tenant_id, partner_id)


async def leave(hub: RunningHub, partner_id: UUID) -> bool:
    return await joining.leave(handshake.Parts.of(hub.app), hub.tenant_id, partner_id)


async def traces(hub: RunningHub, partner_id: UUID) -> list[HandshakeTrace]:
    """Of one partner, oldest first."""
    async with hub.database.transaction(hub.tenant_id) as db:
        found = await db.scalars(
            select(HandshakeTrace)
            .where(HandshakeTrace.partner_id == partner_id)
            .order_by(HandshakeTrace.created_at)
        )
        return list(found)


async def rows(hub: RunningHub, query: str, **values: Any) -> list[Any]:
    async with hub.database.transaction(hub.tenant_id) as db:
        return list(await db.execute(text(query), values))


async def everything_kept(hub: RunningHub) -> str:
    """Traces, audit log and partners as one text, to search for what must not be in it."""
    tables = "handshake_traces", "audit_logs", "ocpi_partners", "ocpi_partner_tokens"
    kept = [
        row[0]
        for table in tables
        for row in await rows(hub, f"select to_jsonb(t)::text from {table} t")
    ]
    return json.dumps(kept)


async def hub_can_call(hub: RunningHub, partner: FakePartner, partner_id: UUID) -> bool:
    """Ask for the partner's tariffs: nothing that token A would open."""
    hub.app[DIRECTORY].forget(hub.tenant_id)
    there = await connection(hub, partner_id)
    path = "tariffs/NL/X/1" if there.version == "2.1.1" else "sender/tariffs"
    url = f"{partner.base_url}/{there.version}/{path}"
    answer = await hub.app[CLIENT].call(there, "GET", url)
    return answer.http_status != 401


async def partner_can_call(partner: FakePartner) -> bool:
    """A request of a functional module, for which token A is not enough."""
    [url, *_] = [url for (module, _), url in partner.endpoints.items() if module == "locations"]
    return (await partner.call("GET", url)).http_status != 401


async def assert_both_can_call(hub: RunningHub, partner: FakePartner, partner_id: UUID) -> None:
    assert await partner_can_call(partner), "the partner is locked out of the hub"
    # What was noted of that request is written beside it.
    await hub.app[DIRECTORY].close()
    assert await hub_can_call(hub, partner, partner_id), "the hub is locked out of the partner"
