"""Where stations of our own stand, and which of their EVSEs OCPI sees.

A station stands at one location of the tenant's own CPO party. An EVSE is published when the
operator says so and has described its connectors; what merely turned up on the wire stays pending.
OCPI cannot take an EVSE back, only say that it is REMOVED.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.errors import InvalidRequest
from hub.models.objects import Location, Tariff
from hub.models.ocpp import StationEVSE
from hub.models.stations import ChargingStation
from hub.models.tenants import Tenant
from hub.models.values import Party
from hub.roaming.merging import MEMBER_OF_TIME
from hub.roaming.modules import LOCATIONS
from hub.roaming.ports import StationRef
from hub.roaming.stations import own_evses
from hub.roaming.store import own_objects
from hub.roaming.store.writes import Stored, Write

REMOVED = "REMOVED"

Own = TypeVar("Own", Location, Tariff)


async def own_party(db: AsyncSession) -> Party:
    """The CPO party of the tenant's own stations; InvalidRequest while it has none."""
    tenant = (await db.scalars(select(Tenant))).one()
    if tenant.cpo_party is None:
        raise InvalidRequest(
            "This tenant has no party for stations of its own yet: give it one, other than the"
            f" hub's: hub tenant change {tenant.id} --cpo-party NL*OWN"
        )
    return tenant.cpo_party


async def own_location(db: AsyncSession, location_id: str) -> Location:
    """One of the own party's locations; InvalidRequest for any other."""
    return await own_object(db, Location, location_id)


async def own_tariff(db: AsyncSession, tariff_id: str) -> Tariff:
    return await own_object(db, Tariff, tariff_id)


async def own_object(db: AsyncSession, table: type[Own], object_id: str) -> Own:
    owner, kind = await own_party(db), table.__name__.lower()
    found: Own | None = await db.scalar(
        select(table).where(
            table.country_code == owner.country_code,
            table.party_id == owner.party_id,
            table.object_key == object_id.upper(),
            table.deleted_at.is_(None),
        )
    )
    if found is None:
        raise unknown(f"{kind}_id", f"{owner} has no {kind} {object_id!r}.")
    return found


def unknown(field: str, rule: str) -> InvalidRequest:
    return InvalidRequest(f"{field}: {rule}", data={"errors": [{"field": field, "rule": rule}]})


async def move(db: AsyncSession, ref: StationRef, location: Location) -> list[Stored]:
    """Take a station and all its EVSEs to a location. At another place an EVSE is another one."""
    station = await db.get_one(ChargingStation, (ref.tenant_id, ref.id))
    if station.location_id == location.id:
        return []
    moved = []
    if station.location_id is not None:
        published = [evse for evse in (await own_evses.view(db, ref)).evses if evse.published]
        moved = await told_removed(db, ref, published)
        for evse in published:
            evse.evse_uid = str(uuid4())
    station.location_id = location.id
    await db.flush()
    return moved


async def withdraw(db: AsyncSession, ref: StationRef, evse: StationEVSE) -> list[Stored]:
    """Publish an EVSE no longer."""
    if not evse.published:
        return []
    moved = await told_removed(db, ref, [evse])
    evse.published = False
    await db.flush()
    return moved


async def withdraw_all(db: AsyncSession, ref: StationRef) -> list[Stored]:
    moved = []
    for evse in (await own_evses.view(db, ref)).evses:
        moved += await withdraw(db, ref, evse)
    return moved


async def told_removed(
    db: AsyncSession, ref: StationRef, evses: Iterable[StationEVSE]
) -> list[Stored]:
    seen_as = await own_evses.view(db, ref)
    if seen_as.location_id is None or seen_as.owner is None:
        return []
    at = codec.instant(datetime.now(UTC))
    writes = [
        Write(
            LOCATIONS,
            "PATCH",
            seen_as.owner,
            seen_as.location_id,
            {"status": REMOVED, MEMBER_OF_TIME: at},
            evse_uid=evse.evse_uid,
        )
        for evse in evses
        if await own_evses.shown_evse(db, evse.evse_uid) is not None
    ]
    return await own_objects.apply(db, writes)
