"""Reservations at our own stations: made, canceled, their sessions, and how they end (SES-03).

``reserve_now`` and ``cancel_reservation`` are commands; the rest is what stations and time do.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.models.objects import EVSE, Location
from hub.models.ocpp import StationEVSE
from hub.models.stations import ChargingStation
from hub.models.tenants import Tenant
from hub.models.transactions import Reservation
from hub.models.values import Party
from hub.roaming.authorization import authorization, token_aliases
from hub.roaming.commands import commands
from hub.roaming.commands.orders import OFFLINE, START_HOLDS, Errand, Order, Spot, spot
from hub.roaming.merging import instant
from hub.roaming.modules import SESSIONS
from hub.roaming.ports import Outcome, StationRef, Stations
from hub.roaming.projection.sessions import NOT_ASSIGNED, SessionFacts, session_document
from hub.roaming.store import own_objects
from hub.roaming.store.writes import Stored, Write

# A station that knows when a reservation ends is given a while to say so itself.
SLACK = timedelta(minutes=1)


async def reserve_now(errand: Errand) -> Order:
    """RESERVE_NOW; one that exists already under this id is changed (CMD-09)."""
    request = errand.request
    async with errand.transaction() as db:
        found = await spot(db, errand)
    if found is None:
        return Order("REJECTED", "There is no such EVSE at this location.")
    if not await errand.stations.connected(found.ref):
        return OFFLINE
    token = request["token"]
    async with errand.transaction() as db:
        reservation = await known(db, errand.caller, request["reservation_id"])
        alias = await token_aliases.lend(
            db,
            found.ref,
            token,
            command_id=errand.command_id,
            authorization_reference=request.get("authorization_reference"),
            expires_at=datetime.now(UTC) + START_HOLDS,
        )
        if reservation is None:
            reservation = Reservation(
                country_code=errand.caller.country_code,
                party_id=errand.caller.party_id,
                reservation_id=request["reservation_id"],
                reservation_key=str(request["reservation_id"]).upper(),
                session_id=str(uuid4()),
            )
            db.add(reservation)
        reservation.charging_station_id = found.ref.id
        reservation.evse_number = found.evse_number
        reservation.connector_id = found.connector_id
        reservation.token = token
        reservation.id_tag = token_aliases.id_tag_for(token, alias.alias)
        reservation.state = "REQUESTED"
        reservation.authorization_reference = request.get("authorization_reference")
        reservation.command_id = errand.command_id
        reservation.expires_at = instant(request["expiry_date"])
        await db.flush()
    kept = reservation
    return Order("ACCEPTED", work=lambda: ask_reserve(errand, found, kept))


async def known(db: AsyncSession, caller: Party, reservation_id: str) -> Reservation | None:
    return await db.scalar(
        select(Reservation)
        .where(
            Reservation.country_code == caller.country_code,
            Reservation.party_id == caller.party_id,
            Reservation.reservation_key == reservation_id.upper(),
        )
        .with_for_update()
    )


async def ask_reserve(errand: Errand, found: Spot, reservation: Reservation) -> Outcome:
    outcome = await errand.stations.reserve(
        found.ref,
        number=reservation.number,
        id_tag=reservation.id_tag,
        token=reservation.token,
        expires_at=reservation.expires_at,
        evse_number=found.evse_number,
        group_id=reservation.token.get("group_id"),
    )
    async with errand.transaction() as db:
        kept = await db.get_one(
            Reservation, (errand.tenant_id, reservation.id), with_for_update=True
        )
        kept.state = "ACTIVE" if outcome.accepted else "REFUSED"
        kept.reserved_at = datetime.now(UTC) if outcome.accepted else None
        await show(db, found.ref, kept)
    return outcome


async def cancel_reservation(errand: Errand) -> Order:
    async with errand.transaction() as db:
        reservation = await known(db, errand.caller, errand.request["reservation_id"])
    if reservation is None or reservation.state != "ACTIVE":
        return Order("REJECTED", "There is no such reservation.")
    ref = StationRef(errand.tenant_id, reservation.charging_station_id)
    if not await errand.stations.connected(ref):
        return OFFLINE
    number = reservation.number
    return Order(
        "ACCEPTED",
        work=lambda: take_back(errand.database, errand.stations, ref, number, asked_for=True),
    )


async def take_back(
    database: Database, stations: Stations, ref: StationRef, number: int, *, asked_for: bool = False
) -> Outcome:
    """Have the station forget it; ``asked_for`` when its eMSP wants that."""
    outcome = await stations.cancel_reservation(ref, number=number)
    if outcome.accepted:
        async with database.transaction(ref.tenant_id) as db:
            await ended(db, ref, number, expired=False, asked_for=asked_for)
    return outcome


async def expire(db: AsyncSession, tenant_id: UUID) -> list[Stored]:
    """End what a station that is away, or speaks 1.6, will never say the end of."""
    overdue = await db.scalars(
        select(Reservation)
        .where(Reservation.state == "ACTIVE", Reservation.expires_at < func.now() - SLACK)
        .order_by(Reservation.id)
        .with_for_update(skip_locked=True)
    )
    stored: list[Stored] = []
    for one in list(overdue):
        ref = StationRef(tenant_id, one.charging_station_id)
        stored += await ended(db, ref, one.number, expired=True)
    return stored


async def ended(
    db: AsyncSession, ref: StationRef, number: int, *, expired: bool, asked_for: bool = False
) -> list[Stored]:
    """A reservation is over, unused. Unless its eMSP asked for that, it is told (CMD-11)."""
    reservation = await db.scalar(
        select(Reservation)
        .where(
            Reservation.charging_station_id == ref.id,
            Reservation.number == number,
            Reservation.state == "ACTIVE",
        )
        .with_for_update()
    )
    if reservation is None:
        return []
    reservation.state = "EXPIRED" if expired else "CANCELED"
    reservation.ended_at = datetime.now(UTC)
    if reservation.command_id is not None and not asked_for:
        await commands.finish_own(db, reservation.command_id, {"result": commands.CANCELED})
    return await show(db, ref, reservation)


async def show(db: AsyncSession, ref: StationRef, reservation: Reservation) -> list[Stored]:
    """The session of a reservation as OCPI sees it: RESERVATION, then COMPLETED if unused."""
    if reservation.state in {"USED", "REQUESTED", "REFUSED"}:
        return []
    tenant = await db.get_one(Tenant, ref.tenant_id)
    station = await db.get_one(ChargingStation, (ref.tenant_id, ref.id))
    location_id = await db.scalar(
        select(Location.object_id).where(Location.id == station.location_id)
    )
    if location_id is None or tenant.cpo_party is None:
        return []
    evse_uid = await db.scalar(
        select(StationEVSE.evse_uid)
        .join(EVSE, EVSE.object_id == StationEVSE.evse_uid)
        .where(
            StationEVSE.charging_station_id == ref.id,
            StationEVSE.evse_number == reservation.evse_number,
        )
    )
    connector = reservation.connector_id
    facts = SessionFacts(
        id=reservation.session_id,
        owner=tenant.cpo_party,
        cdr_token=authorization.cdr_token(reservation.token),
        auth_method="COMMAND",
        status="RESERVATION" if reservation.state == "ACTIVE" else "COMPLETED",
        started_at=reservation.reserved_at or reservation.created_at,
        currency=tenant.default_currency,
        location_id=location_id,
        evse_uid=evse_uid or NOT_ASSIGNED,
        connector_id=str(connector) if connector is not None and evse_uid else NOT_ASSIGNED,
        authorization_reference=reservation.authorization_reference,
        ended_at=reservation.ended_at,
    )
    document = own_objects.plain(session_document(facts, at=datetime.now(UTC)))
    return await own_objects.apply(db, [Write(SESSIONS, "PUT", facts.owner, facts.id, document)])
