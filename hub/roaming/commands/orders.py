"""Commands for our own stations: what is asked, where it leads, and what is to be done about it.

    order = await local.carry_out(errand)   checked: the immediate answer
    order.response                          what the caller is told at once
    await order.work()                      the Outcome to report; only if that was ACCEPTED

In between no transaction is open; a station is asked once.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.models.objects import Location
from hub.models.ocpp import StationEVSE
from hub.models.stations import ChargingStation, Connector
from hub.models.transactions import StationTransaction
from hub.models.values import Party
from hub.roaming.merging import Document
from hub.roaming.ports import Outcome, StationRef, Stations

# How long a token that came with a command is known to the station by its alias.
START_HOLDS = timedelta(hours=24)


@dataclass(frozen=True)
class Errand:
    """A command that a party sent, and what it takes to carry it out.

    ``request`` is canonical. ``trusted``: a help desk, which may unlock what it does not use.
    """

    database: Database
    stations: Stations
    tenant_id: UUID
    caller: Party
    request: Document
    command_id: UUID | None = None
    trusted: bool = False

    def transaction(self) -> AbstractAsyncContextManager[AsyncSession]:
        return self.database.transaction(self.tenant_id)


@dataclass(frozen=True)
class Order:
    """A command that was looked at. ``response`` is what the module answers at once; where that is
    ACCEPTED, ``work`` is what is to be done.
    """

    response: str
    message: str = ""
    work: Callable[[], Awaitable[Outcome]] | None = None


OFFLINE = Order("REJECTED", "The charging station is not connected.")
UNKNOWN_SESSION = Order("UNKNOWN_SESSION", "There is no such session running.")


@dataclass(frozen=True)
class Spot:
    """Where a command leads: a station, one of its EVSEs, one of its connectors."""

    ref: StationRef
    evse_number: int | None
    connector_id: int | None


async def spot(db: AsyncSession, errand: Errand) -> Spot | None:
    """None when there is no such EVSE here. Without an EVSE, any station of the location."""
    request = errand.request
    evse_uid, connector_id = request.get("evse_uid"), request.get("connector_id")
    query = (
        select(ChargingStation.id, StationEVSE.evse_number)
        .join(Location, Location.id == ChargingStation.location_id)
        .join(StationEVSE, StationEVSE.charging_station_id == ChargingStation.id)
        .where(
            Location.object_key == request["location_id"].upper(),
            Location.partner_id.is_(None),
            StationEVSE.published,
        )
        .order_by(ChargingStation.connected_to.is_(None), StationEVSE.evse_number)
        .limit(1)
    )
    if evse_uid is not None:
        query = query.where(StationEVSE.evse_uid == evse_uid.lower())
    row = (await db.execute(query)).first()
    if row is None:
        return None
    number = int(connector_id) if connector_id and connector_id.isdigit() else None
    if connector_id is not None:
        known = await db.scalar(
            select(Connector.id).where(
                Connector.charging_station_id == row.id,
                Connector.evse_number == row.evse_number,
                Connector.connector_id == number,
            )
        )
        if known is None:
            return None
    return Spot(StationRef(errand.tenant_id, row.id), row.evse_number if evse_uid else None, number)


@dataclass(frozen=True)
class Running:
    """The transaction of a session that runs, and the station where it does."""

    transaction: StationTransaction
    ref: StationRef


async def at_its_station(errand: Errand) -> Running | Order:
    """The session that the caller means, if it is theirs; else, and where its station is away, the
    order that says so.
    """
    async with errand.transaction() as db:
        transaction = await running(db, errand.request["session_id"], errand.caller)
    if transaction is None:
        return UNKNOWN_SESSION
    ref = StationRef(errand.tenant_id, transaction.charging_station_id)
    if not await errand.stations.connected(ref):
        return OFFLINE
    return Running(transaction, ref)


async def running(db: AsyncSession, session_id: str, caller: Party) -> StationTransaction | None:
    """The transaction of a session, while it runs and is the caller's business."""
    transaction = await db.scalar(
        select(StationTransaction).where(
            StationTransaction.session_id == session_id.lower(), StationTransaction.state == "OPEN"
        )
    )
    if transaction is None or transaction.cdr_token is None:
        return None
    token = transaction.cdr_token
    issuer = Party.of(token["country_code"], token["party_id"])
    return transaction if caller == issuer else None
