"""Under what a session began: its place, its EVSE, its tariff, in whose name.

They are noted with the transaction, for its session and its CDR name them as they were then
(CDR-08), whatever becomes of them.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.models.objects import Location, Tariff
from hub.models.ocpp import StationEVSE
from hub.models.stations import ChargingStation, Connector
from hub.models.tenants import Tenant
from hub.models.transactions import StationTransaction
from hub.roaming.merging import Document
from hub.roaming.ports import StationRef
from hub.roaming.projection.sessions import NOT_ASSIGNED
from hub.roaming.stations import own_evses


async def as_of_now(
    db: AsyncSession, ref: StationRef, transaction: StationTransaction
) -> Document | None:
    """Place, EVSE and tariff as they are now; None at a station that is placed nowhere (CDR-08)."""
    station = await db.get_one(ChargingStation, (ref.tenant_id, ref.id))
    tenant = await db.get_one(Tenant, ref.tenant_id)
    location = (
        await db.execute(
            select(Location.document, Location.last_updated_text, Location.time_zone).where(
                Location.id == station.location_id
            )
        )
    ).first()
    if location is None or tenant.cpo_party is None or transaction.evse_number is None:
        return None
    evse_uid = await db.scalar(
        select(StationEVSE.evse_uid).where(
            StationEVSE.charging_station_id == ref.id,
            StationEVSE.evse_number == transaction.evse_number,
        )
    )
    evse = await own_evses.shown_evse(db, evse_uid) if evse_uid else None
    if evse is None:
        return None
    return {
        "owner": [tenant.cpo_country_code, tenant.cpo_party_id],
        "location": codec.read_stored(location.document)
        | {"last_updated": location.last_updated_text},
        "zone": location.time_zone or "UTC",
        "evse": evse,
        "connector_id": only_connector(evse, transaction.connector_id),
        "tariffs": await tariffs_of(db, ref, transaction),
        "currency": tenant.default_currency,
    }


def only_connector(evse: Document, number: int | None) -> str:
    """The connector in use; never guessed where there are several."""
    if number is not None:
        return str(number)
    connectors = evse["connectors"]
    return str(connectors[0]["id"]) if len(connectors) == 1 else NOT_ASSIGNED


async def tariffs_of(
    db: AsyncSession, ref: StationRef, transaction: StationTransaction
) -> list[Document]:
    query = (
        select(Tariff.document, Tariff.last_updated_text)
        .join(Connector, Connector.tariff_id == Tariff.id)
        .where(
            Connector.charging_station_id == ref.id,
            Connector.evse_number == transaction.evse_number,
            Tariff.deleted_at.is_(None),
        )
    )
    if transaction.connector_id is not None:
        query = query.where(Connector.connector_id == transaction.connector_id)
    rows = await db.execute(query.limit(1))
    return [
        codec.read_stored(row.document) | {"last_updated": row.last_updated_text} for row in rows
    ]
