"""CALLs for stations as rows in ``station_calls``: kept, taken, finished, each in one statement.

A row shows what was sent as far as an operator may see it. What must not be seen (a new password,
a driver's token) is beside it, encrypted, until the call is finished.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.models.ocpp import StationCall
from hub.models.stations import ChargingStation
from hub.ocpp.conversation.frames import Payload
from hub.ocpp.conversation.redaction import redact
from hub.roaming.ports import StationRef
from hub.security import Keyring


@dataclass(frozen=True)
class Answered:
    """What became of a CALL: ANSWERED, REFUSED (their CALLERROR), SILENT, OFFLINE or BROKEN."""

    state: str
    payload: Payload | None = None
    error_code: str = ""
    description: str = ""


@dataclass(frozen=True)
class Taken:
    """A CALL that is ours to send, and nobody else's."""

    station_id: UUID
    action: str
    payload: Payload
    deadline_at: datetime


async def process_of(db: AsyncSession, station: StationRef) -> str | None:
    """The process that holds the station's socket; None when none does."""
    process: str | None = await db.scalar(
        select(ChargingStation.connected_to).where(ChargingStation.id == station.id)
    )
    return process


async def keep(
    db: AsyncSession,
    keyring: Keyring,
    station: StationRef,
    action: str,
    payload: Payload,
    *,
    seconds: float,
    reachable: bool,
) -> UUID:
    """A call to be sent; OFFLINE and finished at once when no process holds the socket."""
    call_id, now, shown = uuid4(), datetime.now(UTC), redact(payload)
    sealed = None
    if reachable and shown != payload:
        sealed = keyring.encrypt(codec.write_text(payload), context=context(call_id))
    db.add(
        StationCall(
            id=call_id,
            charging_station_id=station.id,
            action=action,
            payload=shown,
            sealed=sealed,
            state="WAITING" if reachable else "OFFLINE",
            deadline_at=now + timedelta(seconds=seconds),
            finished_at=None if reachable else now,
        )
    )
    await db.flush()
    return call_id


def context(call_id: UUID) -> str:
    return f"station_calls.sealed.{call_id}"


async def find(db: AsyncSession, station: StationRef, call_id: UUID) -> StationCall:
    row = await db.scalar(
        select(StationCall).where(
            StationCall.id == call_id, StationCall.charging_station_id == station.id
        )
    )
    if row is None:
        raise LookupError("There is no such call.")
    return row


async def take(db: AsyncSession, keyring: Keyring, call_id: UUID) -> Taken | None:
    """Mark a waiting call as sent; None when another process, or its asker, was faster."""
    found = await db.execute(
        update(StationCall)
        .where(StationCall.id == call_id, StationCall.state == "WAITING")
        .values(state="SENT", sent_at=datetime.now(UTC))
        .returning(
            StationCall.charging_station_id,
            StationCall.action,
            StationCall.payload,
            StationCall.sealed,
            StationCall.deadline_at,
        )
    )
    row = found.first()
    if row is None:
        return None
    payload: Payload = row.payload
    if row.sealed is not None:
        payload = codec.read_stored(keyring.decrypt(row.sealed, context=context(call_id)))
    return Taken(row.charging_station_id, row.action, payload, row.deadline_at)


async def finish(db: AsyncSession, call_id: UUID, answered: Answered) -> None:
    values: dict[str, Any] = {
        "state": answered.state,
        "answer": answered.payload,
        "error_code": answered.error_code or None,
        "error_description": answered.description or None,
    }
    await db.execute(
        update(StationCall)
        .where(StationCall.id == call_id)
        .values(finished_at=datetime.now(UTC), sealed=None, **values)
    )


async def take_back(db: AsyncSession, call_id: UUID) -> None:
    """Finish a call that no process has taken up; one that was taken is left alone."""
    await db.execute(
        update(StationCall)
        .where(StationCall.id == call_id, StationCall.state == "WAITING")
        .values(state="OFFLINE", finished_at=datetime.now(UTC), sealed=None)
    )


async def forget(db: AsyncSession, call_id: UUID) -> None:
    await db.execute(delete(StationCall).where(StationCall.id == call_id))


async def give_up_overdue(db: AsyncSession) -> None:
    """Finish what a process that is gone has left open. One tenant's calls."""
    overdue = StationCall.deadline_at < datetime.now(UTC) - timedelta(seconds=30)
    for state, end in (("WAITING", "OFFLINE"), ("SENT", "SILENT")):
        await db.execute(
            update(StationCall)
            .where(StationCall.state == state, overdue)
            .values(state=end, finished_at=datetime.now(UTC), sealed=None)
        )
