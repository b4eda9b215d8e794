"""What a station calls a token that comes with a command and does not fit into OCPP."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.transactions import TokenAlias
from hub.roaming.merging import Document
from hub.roaming.ports import StationRef

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
LENGTH = 20
# The longest token that OCPP 1.6 can carry.
LONGEST_ID_TAG = 20


def new_alias() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


async def lend(
    db: AsyncSession,
    ref: StationRef,
    token: Document,
    *,
    command_id: UUID | None = None,
    authorization_reference: str | None = None,
    expires_at: datetime | None = None,
) -> TokenAlias:
    """Note down a token that a command brings along, with something for the station to call it."""
    alias = TokenAlias(
        alias=new_alias(),
        charging_station_id=ref.id,
        token=token,
        token_key=str(token["uid"]).upper(),
        command_id=command_id,
        authorization_reference=authorization_reference,
        expires_at=expires_at or datetime.now(UTC) + timedelta(hours=24),
    )
    db.add(alias)
    await db.flush()
    return alias


def id_tag_for(token: Document, alias: str) -> str:
    """How a 1.6 station gets to know the token: an RFID uid as it is, anything else by alias."""
    uid = str(token["uid"])
    return uid if token.get("type") == "RFID" and len(uid) <= LONGEST_ID_TAG else alias
