"""What OCPI is told of the EVSEs of our own stations.

They are published when the operator has placed the station at a location and described its
connectors. Whatever else turns up on the wire is kept, pending, and shown to nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.models.objects import EVSE, Location, Tariff
from hub.models.ocpp import StationEVSE
from hub.models.stations import ChargingStation, Connector
from hub.models.tenants import Tenant
from hub.models.values import OCPPStatus, Party, StationStatus
from hub.roaming.commands import preferences
from hub.roaming.merging import Document
from hub.roaming.modules import LOCATIONS
from hub.roaming.ports import StationRef
from hub.roaming.projection.evses import (
    DIRECT_CURRENT,
    ConnectorFacts,
    EVSEFacts,
    evse_document,
)
from hub.roaming.store import own_objects
from hub.roaming.store.writes import Stored, Write

log = structlog.get_logger()


MAINTAINED = frozenset({StationStatus.MAINTENANCE, StationStatus.INACTIVE})


@dataclass(frozen=True)
class View:
    """A station with everything that bears on what OCPI sees of it."""

    station: ChargingStation
    owner: Party | None
    location_id: str | None
    evses: Sequence[StationEVSE]
    connectors: Sequence[Connector]
    tariff_ids: dict[UUID, str] = field(default_factory=dict)


async def view(db: AsyncSession, ref: StationRef) -> View:
    """A station as the database has it now, whatever this session has read of it before."""
    station = await db.get_one(ChargingStation, (ref.tenant_id, ref.id), populate_existing=True)
    tenant = await db.get_one(Tenant, ref.tenant_id)
    location_id = await db.scalar(
        select(Location.object_id).where(Location.id == station.location_id)
    )
    evses = await db.scalars(
        select(StationEVSE)
        .where(StationEVSE.charging_station_id == ref.id)
        .order_by(StationEVSE.evse_number)
        .execution_options(populate_existing=True)
    )
    connectors = await db.scalars(
        select(Connector)
        .where(Connector.charging_station_id == ref.id)
        .order_by(Connector.evse_number, Connector.connector_id)
        .execution_options(populate_existing=True)
    )
    found = connectors.all()
    wanted = {connector.tariff_id for connector in found if connector.tariff_id is not None}
    tariffs = await db.execute(select(Tariff.id, Tariff.object_id).where(Tariff.id.in_(wanted)))
    return View(
        station,
        tenant.cpo_party,
        location_id,
        evses.all(),
        found,
        {row.id: row.object_id for row in tariffs},
    )


def evse_facts(seen_as: View, evse: StationEVSE) -> EVSEFacts:
    station = seen_as.station
    connectors = [c for c in seen_as.connectors if c.evse_number == evse.evse_number]
    siblings = {
        other.evse_number
        for other in seen_as.evses
        if evse.power_group and other.power_group == evse.power_group and other is not evse
    }
    return EVSEFacts(
        uid=evse.evse_uid,
        connectors=[connector_facts(seen_as, connector) for connector in connectors],
        evse_id=evse.evse_id,
        physical_reference=evse.physical_reference,
        shown_as=evse.shown_as,
        maintained=station.status in MAINTAINED,
        station_status=station.ocpp_status,
        offline=station.ocpp_status == OCPPStatus.OFFLINE,
        ever_seen=station.last_heartbeat is not None,
        sibling_in_use=any(
            c.status == "OCCUPIED" for c in seen_as.connectors if c.evse_number in siblings
        ),
        capabilities=capabilities(seen_as, connectors),
    )


def connector_facts(seen_as: View, connector: Connector) -> ConnectorFacts:
    configuration: dict[str, Any] = dict(connector.configuration or {})
    custom = configuration.get("custom_parameters") or {}
    tariff_id = seen_as.tariff_ids.get(connector.tariff_id) if connector.tariff_id else None
    return ConnectorFacts(
        number=connector.connector_id,
        standard=connector.connector_type,
        status=connector.status,
        max_power=connector.max_power,
        max_current=connector.max_current,
        voltage=connector.voltage,
        phases=connector.number_of_phases,
        format=custom.get("format"),
        tariff_ids=(tariff_id,) if tariff_id else (),
    )


def capabilities(seen_as: View, connectors: Sequence[Connector]) -> tuple[str, ...]:
    told = seen_as.station.capabilities or {}
    able = {
        "REMOTE_START_STOP_CAPABLE": told.get("supports_remote_start", True),
        "RESERVABLE": told.get("supports_reservation", False),
        "CHARGING_PROFILE_CAPABLE": told.get("supports_smart_charging", False),
        "CHARGING_PREFERENCES_CAPABLE": preferences.taken_by(told),
        "RFID_READER": "RFID" in (told.get("supported_payment_methods") or ["RFID"]),
        "UNLOCK_CAPABLE": any(
            connector.connector_type not in DIRECT_CURRENT for connector in connectors
        ),
        "TOKEN_GROUP_CAPABLE": True,
    }
    return tuple(name for name, holds in able.items() if holds)


async def publish(db: AsyncSession, ref: StationRef) -> list[Stored]:
    """Tell OCPI of the station's EVSEs as they are now; what says nothing new moves nothing."""
    seen_as = await view(db, ref)
    if seen_as.location_id is None or seen_as.owner is None:
        return []
    at = datetime.now(UTC)
    writes = []
    for evse in seen_as.evses:
        if not evse.published:
            continue
        document = evse_document(evse_facts(seen_as, evse), at=at)
        if document is None:
            log.info("evse not described", station=str(ref.id), evse=evse.evse_number)
            continue
        writes.append(
            Write(
                LOCATIONS,
                "PUT",
                seen_as.owner,
                seen_as.location_id,
                document,
                evse_uid=evse.evse_uid,
            )
        )
    return await own_objects.apply(db, writes)


async def shown_evse(db: AsyncSession, evse_uid: str) -> Document | None:
    """The EVSE as OCPI has it now."""
    found = await db.scalar(
        select(EVSE.document).where(EVSE.object_key == evse_uid.upper(), EVSE.partner_id.is_(None))
    )
    if found is None:
        return None
    document: Document = codec.read_stored(found)
    return document
