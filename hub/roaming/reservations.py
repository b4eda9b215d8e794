"""Reservations at our own stations: their sessions, and how they end (SES-03)."""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.objects import EVSE, Location
from hub.models.ocpp import Reservation, StationEVSE
from hub.models.stations import ChargingStation
from hub.models.tenants import Tenant
from hub.models.values import Party
from hub.roaming import authorization, own_objects, projection
from hub.roaming.modules import SESSIONS
from hub.roaming.objects import Stored, Write
from hub.roaming.ports import StationRef
from hub.roaming.projection import NOT_ASSIGNED, SessionFacts


async def ended(db: AsyncSession, ref: StationRef, number: int, *, expired: bool) -> list[Stored]:
    """The station says that a reservation is over, unused."""
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
    if location_id is None or tenant.cpo_country_code is None or tenant.cpo_party_id is None:
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
        owner=Party(tenant.cpo_country_code, tenant.cpo_party_id),
        cdr_token=authorization.cdr_token(reservation.token),
        auth_method="COMMAND",
        status="RESERVATION" if reservation.state == "ACTIVE" else "COMPLETED",
        started_at=reservation.reserved_at or reservation.created_at,
        currency=(tenant.settings or {}).get("default_currency") or "EUR",
        location_id=location_id,
        evse_uid=evse_uid or NOT_ASSIGNED,
        connector_id=str(connector) if connector is not None and evse_uid else NOT_ASSIGNED,
        authorization_reference=reservation.authorization_reference,
        ended_at=reservation.ended_at,
    )
    document = own_objects.plain(projection.session(facts, at=datetime.now(UTC)))
    return await own_objects.apply(db, [Write(SESSIONS, "PUT", facts.owner, facts.id, document)])
