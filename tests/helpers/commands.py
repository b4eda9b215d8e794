"""Commands as an eMSP sends them, and what the hub keeps of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from hub.models.commands import Command, CommandResult
from tests.helpers import documents_2_1_1
from tests.helpers.documents import token
from tests.helpers.hub import RunningHub
from tests.helpers.partner import FakePartner

COMMANDS = (
    *("START_SESSION", "STOP_SESSION", "RESERVE_NOW", "CANCEL_RESERVATION"),
    "UNLOCK_CONNECTOR",
)


def iso(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).strftime("%Y-%m-%dT%H:%M:%SZ")


def command(name: str, emsp: FakePartner, **changes: Any) -> dict[str, Any]:
    """The body of a command; it is about location L1, session S1 or reservation R1 of NL*ONE."""
    country_code, party_id, _ = emsp.roles[0]
    owned = (
        documents_2_1_1.token()
        if emsp.version == "2.1.1"
        else token(version=emsp.version or "", country_code=country_code, party_id=party_id)
    )
    bodies: dict[str, dict[str, Any]] = {
        "START_SESSION": {"token": owned, "location_id": "L1"},
        "STOP_SESSION": {"session_id": "S1"},
        "RESERVE_NOW": {
            "token": owned,
            "expiry_date": iso(hours=2),
            "reservation_id": "R1",
            "location_id": "L1",
        },
        "CANCEL_RESERVATION": {"reservation_id": "R1"},
        "UNLOCK_CONNECTOR": {"location_id": "L1", "evse_uid": "E1", "connector_id": "1"},
    }
    return {"response_url": emsp.response_url(name)} | bodies[name] | changes


def parties(headers: Any) -> dict[str, Any]:
    """Who is named in the routing headers."""
    return {
        direction: (
            headers.get(f"OCPI-{direction}-country-code"),
            headers.get(f"OCPI-{direction}-party-id"),
        )
        for direction in ("to", "from")
    }


async def kept(hub: RunningHub) -> list[Command]:
    """The commands the hub knows of, oldest first."""
    async with hub.database.transaction(hub.tenant_id) as db:
        return list(await db.scalars(select(Command).order_by(Command.created_at)))


async def kept_results(hub: RunningHub) -> list[CommandResult]:
    async with hub.database.transaction(hub.tenant_id) as db:
        found = select(CommandResult).order_by(CommandResult.created_at, CommandResult.changed_seq)
        return list(await db.scalars(found))


async def let_pass(hub: RunningHub, **time: float) -> None:
    """As if so much time had passed since the commands were sent."""
    passed = timedelta(**time)
    async with hub.database.transaction(hub.tenant_id) as db:
        for row in await db.scalars(select(Command)):
            row.deadline_at -= passed
            row.expires_at -= passed
        for row in await db.scalars(select(CommandResult)):
            row.expires_at -= passed


async def told(hub: RunningHub, emsp: FakePartner) -> list[str]:
    """The results that have reached the eMSP, when everything due is delivered."""
    await hub.deliver()
    return [push.body["result"] for push in emsp.results]
