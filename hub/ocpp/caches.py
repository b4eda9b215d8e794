"""What stations remember of tokens, and having them forget it.

A station may keep an authorization cache and let a token charge that it has let charge before. When
a token is not what it was, all connected stations of the tenant are told to clear it; one that is
away asks again, or goes by its local list.
"""

import asyncio
from uuid import UUID

import structlog
from sqlalchemy import select

from hub.errors import Unavailable
from hub.models.stations import ChargingStation
from hub.ocpp.stations import Stations
from hub.roaming.ports import StationRef

log = structlog.get_logger()

# Stations that are asked at the same time.
AT_ONCE = 20


def clear_soon(stations: Stations, tenant_id: UUID) -> None:
    """Have all connected stations of a tenant clear their caches, while nobody waits for it."""
    stations.wire.spawn(clear(stations, tenant_id))


async def clear(stations: Stations, tenant_id: UUID) -> None:
    connected = ChargingStation.connected_to.is_not(None)
    try:
        async with stations.wire.database.transaction(tenant_id) as db:
            ids = list(await db.scalars(select(ChargingStation.id).where(connected)))
    except Unavailable:
        log.warning("caches of stations not cleared", tenant=str(tenant_id))
        return
    turn = asyncio.Semaphore(AT_ONCE)

    async def clear_one(ref: StationRef) -> None:
        async with turn:
            outcome = await stations.clear_cache(ref)
        if not outcome.accepted:
            log.info("cache not cleared", station=str(ref.id), result=outcome.result)

    await asyncio.gather(
        *(clear_one(StationRef(tenant_id, station_id)) for station_id in ids),
        return_exceptions=True,
    )
