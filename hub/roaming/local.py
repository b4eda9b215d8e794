"""Commands of eMSPs for our own stations.

Each is checked first, which gives the CommandResponse, and then carried out, which gives the result
that goes to the caller later. In between no transaction is open; the station is asked once.

    order = await local.start_session(database, stations, tenant_id, caller, request)
    order.response        the CommandResponseType to answer at once
    await order.carry_out()     the Outcome to report; only if the response is ACCEPTED
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.models.objects import Location
from hub.models.ocpp import (
    Reservation,
    StationEVSE,
    StationProfile,
    StationTransaction,
    TokenAlias,
)
from hub.models.stations import ChargingStation, Connector
from hub.models.values import Party
from hub.roaming import authorization, reservations
from hub.roaming.merging import Document
from hub.roaming.ports import Outcome, StationRef, Stations

START_HOLDS = timedelta(hours=24)


@dataclass(frozen=True)
class Order:
    """A command that was looked at. ``response`` is a CommandResponseType."""

    response: str
    message: str = ""
    work: Callable[[], Awaitable[Outcome]] | None = None

    async def carry_out(self) -> Outcome:
        assert self.work is not None
        return await self.work()


@dataclass(frozen=True)
class Spot:
    """Where a command leads: a station, one of its EVSEs, one of its connectors."""

    ref: StationRef
    evse_number: int | None
    connector_id: int | None


REJECTED_OFFLINE = Order("REJECTED", "The charging station is not connected.")


async def owns(db: AsyncSession, location_id: str) -> bool:
    """Whether the location has stations of our own."""
    found = await db.scalar(
        select(ChargingStation.id)
        .join(Location, Location.id == ChargingStation.location_id)
        .where(Location.object_key == location_id.upper(), Location.partner_id.is_(None))
        .limit(1)
    )
    return found is not None


async def spot(
    db: AsyncSession,
    tenant_id: UUID,
    location_id: str,
    evse_uid: str | None,
    connector_id: str | None = None,
) -> Spot | None:
    """None when there is no such EVSE here. Without an EVSE, any station of the location."""
    query = (
        select(ChargingStation.id, StationEVSE.evse_number)
        .join(Location, Location.id == ChargingStation.location_id)
        .join(StationEVSE, StationEVSE.charging_station_id == ChargingStation.id)
        .where(
            Location.object_key == location_id.upper(),
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
    return Spot(StationRef(tenant_id, row.id), row.evse_number if evse_uid else None, number)


async def start_session(
    database: Database,
    stations: Stations,
    tenant_id: UUID,
    request: Document,
    *,
    command_id: UUID | None = None,
) -> Order:
    """START_SESSION. The token comes along: it need not be known here."""
    async with database.transaction(tenant_id) as db:
        found = await spot(
            db,
            tenant_id,
            request["location_id"],
            request.get("evse_uid"),
            request.get("connector_id"),
        )
        if found is None:
            return Order("REJECTED", "There is no such EVSE or connector at this location.")
        if not await stations.connected(found.ref):
            return REJECTED_OFFLINE
        token = request["token"]
        alias = await authorization.lend_alias(
            db,
            found.ref,
            token,
            command_id=command_id,
            authorization_reference=request.get("authorization_reference"),
            expires_at=datetime.now(UTC) + START_HOLDS,
        )
    return Order("ACCEPTED", work=lambda: ask_start(stations, found, token, alias))


async def ask_start(stations: Stations, found: Spot, token: Document, alias: TokenAlias) -> Outcome:
    return await stations.start_session(
        found.ref,
        id_tag=authorization.id_tag_for(token, alias.alias),
        token=token,
        remote_start_id=alias.remote_start_id,
        evse_number=found.evse_number,
        connector_id=found.connector_id,
        group_id=token.get("group_id"),
    )


async def transaction_of(
    db: AsyncSession, session_id: str, caller: Party | None
) -> StationTransaction | None:
    """The running transaction of a session that is the caller's business."""
    transaction = await db.scalar(
        select(StationTransaction).where(
            StationTransaction.session_id == session_id.lower(), StationTransaction.state == "OPEN"
        )
    )
    if transaction is None or transaction.cdr_token is None:
        return None
    token = transaction.cdr_token
    issuer = Party.of(token["country_code"], token["party_id"])
    return transaction if caller is None or caller == issuer else None


async def stop_session(
    database: Database,
    stations: Stations,
    tenant_id: UUID,
    request: Document,
    *,
    caller: Party | None = None,
) -> Order:
    """STOP_SESSION: of the caller's own sessions only; of an unknown one nothing is sent."""
    async with database.transaction(tenant_id) as db:
        transaction = await transaction_of(db, request["session_id"], caller)
    if transaction is None:
        return Order("UNKNOWN_SESSION", "There is no such session running.")
    ref = StationRef(tenant_id, transaction.charging_station_id)
    if not await stations.connected(ref):
        return REJECTED_OFFLINE
    transaction_id = transaction.transaction_id
    return Order("ACCEPTED", work=lambda: stations.stop_session(ref, transaction_id=transaction_id))


async def unlock_connector(
    database: Database,
    stations: Stations,
    tenant_id: UUID,
    request: Document,
    *,
    caller: Party | None = None,
) -> Order:
    """UNLOCK_CONNECTOR: only for who has a session running there (T-52)."""
    async with database.transaction(tenant_id) as db:
        found = await spot(
            db, tenant_id, request["location_id"], request["evse_uid"], request["connector_id"]
        )
        if found is None or found.evse_number is None or found.connector_id is None:
            return Order("REJECTED", "There is no such connector at this location.")
        session_id = await db.scalar(
            select(StationTransaction.session_id).where(
                StationTransaction.charging_station_id == found.ref.id,
                StationTransaction.evse_number == found.evse_number,
                StationTransaction.state == "OPEN",
            )
        )
        theirs = session_id and await transaction_of(db, session_id, caller)
    if caller is not None and not theirs:
        return Order("REJECTED", "You have no session running at this connector.")
    if not await stations.connected(found.ref):
        return REJECTED_OFFLINE
    evse, connector = found.evse_number, found.connector_id
    return Order(
        "ACCEPTED",
        work=lambda: stations.unlock(found.ref, evse_number=evse, connector_id=connector),
    )


async def reserve_now(
    database: Database,
    stations: Stations,
    tenant_id: UUID,
    request: Document,
    *,
    caller: Party,
    command_id: UUID | None = None,
) -> Order:
    """RESERVE_NOW; one that exists already under this id is changed (CMD)."""
    async with database.transaction(tenant_id) as db:
        found = await spot(db, tenant_id, request["location_id"], request.get("evse_uid"))
        if found is None:
            return Order("REJECTED", "There is no such EVSE at this location.")
        if not await stations.connected(found.ref):
            return REJECTED_OFFLINE
        token = request["token"]
        reservation = await kept_reservation(db, caller, request["reservation_id"])
        alias = await authorization.lend_alias(
            db,
            found.ref,
            token,
            command_id=command_id,
            authorization_reference=request.get("authorization_reference"),
            expires_at=datetime.now(UTC) + START_HOLDS,
        )
        if reservation is None:
            reservation = Reservation(
                country_code=caller.country_code,
                party_id=caller.party_id,
                reservation_id=request["reservation_id"],
                reservation_key=str(request["reservation_id"]).upper(),
                session_id=str(uuid4()),
            )
            db.add(reservation)
        reservation.charging_station_id = found.ref.id
        reservation.evse_number = found.evse_number
        reservation.connector_id = found.connector_id
        reservation.token = token
        reservation.id_tag = authorization.id_tag_for(token, alias.alias)
        reservation.state = "REQUESTED"
        reservation.authorization_reference = request.get("authorization_reference")
        reservation.command_id = command_id
        reservation.expires_at = datetime.fromisoformat(request["expiry_date"]).astimezone(UTC)
        await db.flush()
    kept = reservation
    return Order("ACCEPTED", work=lambda: ask_reserve(database, stations, found, kept))


async def kept_reservation(
    db: AsyncSession, caller: Party, reservation_id: str
) -> Reservation | None:
    return await db.scalar(
        select(Reservation)
        .where(
            Reservation.country_code == caller.country_code,
            Reservation.party_id == caller.party_id,
            Reservation.reservation_key == reservation_id.upper(),
        )
        .with_for_update()
    )


async def ask_reserve(
    database: Database, stations: Stations, found: Spot, reservation: Reservation
) -> Outcome:
    outcome = await stations.reserve(
        found.ref,
        number=reservation.number,
        id_tag=reservation.id_tag,
        token=reservation.token,
        expires_at=reservation.expires_at,
        evse_number=found.evse_number,
        connector_id=found.connector_id,
        group_id=reservation.token.get("group_id"),
    )
    async with database.transaction(found.ref.tenant_id) as db:
        kept = await db.get_one(
            Reservation, (found.ref.tenant_id, reservation.id), with_for_update=True
        )
        kept.state = "ACTIVE" if outcome.accepted else "REFUSED"
        kept.reserved_at = datetime.now(UTC) if outcome.accepted else None
        await reservations.show(db, found.ref, kept)
    return outcome


async def cancel_reservation(
    database: Database,
    stations: Stations,
    tenant_id: UUID,
    request: Document,
    *,
    caller: Party,
) -> Order:
    async with database.transaction(tenant_id) as db:
        reservation = await kept_reservation(db, caller, request["reservation_id"])
    if reservation is None or reservation.state != "ACTIVE":
        return Order("UNKNOWN_RESERVATION", "There is no such reservation.")
    ref = StationRef(tenant_id, reservation.charging_station_id)
    if not await stations.connected(ref):
        return REJECTED_OFFLINE
    number = reservation.number
    return Order("ACCEPTED", work=lambda: ask_cancel(database, stations, ref, number))


async def ask_cancel(
    database: Database, stations: Stations, ref: StationRef, number: int
) -> Outcome:
    outcome = await stations.cancel_reservation(ref, number=number)
    if outcome.accepted:
        async with database.transaction(ref.tenant_id) as db:
            await reservations.ended(db, ref, number, expired=False)
    return outcome


async def set_charging_profile(
    database: Database,
    stations: Stations,
    tenant_id: UUID,
    session_id: str,
    profile: Document,
    *,
    caller: Party | None = None,
) -> Order:
    """A profile for a running session; the one it had before is replaced at the station."""
    async with database.transaction(tenant_id) as db:
        transaction = await transaction_of(db, session_id, caller)
        if transaction is None or transaction.evse_number is None:
            return Order("UNKNOWN_SESSION", "There is no such session running.")
        ref = StationRef(tenant_id, transaction.charging_station_id)
        kept = await profile_of(db, transaction.session_id)
        if kept is None:
            kept = StationProfile(
                charging_station_id=ref.id, session_id=transaction.session_id, profile=profile
            )
            db.add(kept)
        kept.profile = profile
        await db.flush()
    if not await stations.connected(ref):
        return REJECTED_OFFLINE
    number, running, evse = kept.number, transaction.transaction_id, transaction.evse_number
    return Order(
        "ACCEPTED",
        work=lambda: stations.set_charging_profile(
            ref, number=number, transaction_id=running, evse_number=evse, profile=profile
        ),
    )


async def profile_of(db: AsyncSession, session_id: str) -> StationProfile | None:
    return await db.scalar(
        select(StationProfile)
        .where(StationProfile.session_id == session_id, StationProfile.cleared_at.is_(None))
        .limit(1)
    )


async def clear_charging_profile(
    database: Database,
    stations: Stations,
    tenant_id: UUID,
    session_id: str,
    *,
    caller: Party | None = None,
) -> Order:
    async with database.transaction(tenant_id) as db:
        transaction = await transaction_of(db, session_id, caller)
        if transaction is None:
            return Order("UNKNOWN_SESSION", "There is no such session running.")
        kept = await profile_of(db, transaction.session_id)
        if kept is None:
            return Order("REJECTED", "The session has no charging profile.")
        kept.cleared_at = datetime.now(UTC)
        number = kept.number
    ref = StationRef(tenant_id, transaction.charging_station_id)
    if not await stations.connected(ref):
        return REJECTED_OFFLINE
    return Order("ACCEPTED", work=lambda: stations.clear_charging_profile(ref, number=number))


async def active_charging_profile(
    database: Database,
    stations: Stations,
    tenant_id: UUID,
    session_id: str,
    duration: int,
    *,
    caller: Party | None = None,
) -> Order:
    async with database.transaction(tenant_id) as db:
        transaction = await transaction_of(db, session_id, caller)
    if transaction is None or transaction.evse_number is None:
        return Order("UNKNOWN_SESSION", "There is no such session running.")
    ref = StationRef(tenant_id, transaction.charging_station_id)
    if not await stations.connected(ref):
        return REJECTED_OFFLINE
    evse = transaction.evse_number
    return Order(
        "ACCEPTED",
        work=lambda: stations.active_charging_profile(ref, evse_number=evse, duration=duration),
    )
