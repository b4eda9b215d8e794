"""Charging preferences of drivers who charge at our own stations (SES-09 to SES-11).

A station that can put a session before the others is asked to, or not to any more. Cheap and green
charging are nothing that a station could be asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.models.objects import Tariff
from hub.models.stations import ChargingStation, Connector
from hub.models.transactions import StationTransaction
from hub.roaming.commands.orders import Errand, running
from hub.roaming.ports import StationRef

# Among the features of a station: OCPP's name of the purpose that such charging profiles have.
PRIORITY = "PriorityCharging"

# Profile types, and whether they come before others.
BEFORE_OTHERS: Mapping[str, bool] = {"FAST": True, "REGULAR": False}
TARIFF_TYPES: Mapping[str, str] = {"FAST": "PROFILE_FAST", "REGULAR": "REGULAR"}


async def prefer(errand: Errand, session_id: str) -> str | None:
    """The ChargingPreferencesResponse; None where there is no such session of the caller's, or its
    EVSE takes no preferences.
    """
    wanted = errand.request["profile_type"]
    async with errand.transaction() as db:
        transaction = await running(db, session_id, errand.caller)
        if transaction is None or not taken_by(await capabilities(db, transaction)):
            return None
        types = await tariff_types(db, transaction)
    if wanted not in BEFORE_OTHERS or not {None, TARIFF_TYPES[wanted]} & {*types}:
        return "PROFILE_TYPE_NOT_SUPPORTED"
    ref = StationRef(errand.tenant_id, transaction.charging_station_id)
    outcome = await errand.stations.use_priority(
        ref, transaction_id=transaction.transaction_id, activate=BEFORE_OTHERS[wanted]
    )
    return "ACCEPTED" if outcome.accepted else "NOT_POSSIBLE"


def taken_by(told: Mapping[str, Any] | None) -> bool:
    """Whether a station with these capabilities takes preferences."""
    return PRIORITY in ((told or {}).get("supported_feature_profiles") or [])


async def capabilities(
    db: AsyncSession, transaction: StationTransaction
) -> Mapping[str, Any] | None:
    return await db.scalar(
        select(ChargingStation.capabilities).where(
            ChargingStation.id == transaction.charging_station_id
        )
    )


async def tariff_types(db: AsyncSession, transaction: StationTransaction) -> Sequence[str | None]:
    """Of the tariffs at the connector; a tariff without one is for all sessions."""
    query = (
        select(Tariff.document)
        .join(Connector, Connector.tariff_id == Tariff.id)
        .where(
            Connector.charging_station_id == transaction.charging_station_id,
            Connector.evse_number == transaction.evse_number,
        )
    )
    if transaction.connector_id is not None:
        query = query.where(Connector.connector_id == transaction.connector_id)
    documents = await db.scalars(query)
    return [codec.read_stored(document).get("type") for document in documents]
