"""What stations report of themselves, in no version's words, and what OCPI is told of it.

A station's EVSEs are published when the operator has placed it at a location and described its
connectors. Whatever else turns up on the wire is kept, pending, and shown to nobody.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub import audit, codec
from hub.errors import HubError
from hub.models.objects import EVSE, Location, Tariff
from hub.models.ocpp import StationEVSE
from hub.models.stations import ChargingStation, Connector, StationConfigurationItem
from hub.models.tenants import Tenant
from hub.models.values import OCPPStatus, Party, StationStatus
from hub.roaming import objects, projection
from hub.roaming.merging import Document
from hub.roaming.modules import LOCATIONS
from hub.roaming.objects import Stored, Write
from hub.roaming.ports import StationRef
from hub.roaming.projection import ConnectorFacts, EVSEFacts

log = structlog.get_logger()

# What a station may do, by what the operator holds of it.
REGISTRATION = {
    StationStatus.INACTIVE: "Pending",
    StationStatus.DECOMMISSIONED: "Rejected",
}
MAINTAINED = frozenset({StationStatus.MAINTENANCE, StationStatus.INACTIVE})


@dataclass(frozen=True)
class Boot:
    """What a station says when it boots."""

    manufacturer: str
    model: str
    serial_number: str | None = None
    firmware_version: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class StatusReport:
    """What a connector says. ``status`` is one of ConnectorStatus; number 0 is the station."""

    evse_number: int
    connector_id: int
    status: str
    at: datetime
    word: str = ""
    error_code: str | None = None
    info: str | None = None
    vendor_error_code: str | None = None


async def booted(db: AsyncSession, ref: StationRef, boot: Boot, *, at: datetime) -> str:
    """Keep what it says and return its registration: Accepted, Pending or Rejected."""
    found = await db.execute(
        update(ChargingStation)
        .where(ChargingStation.id == ref.id)
        .values(
            manufacturer=boot.manufacturer[:100],
            model=boot.model[:100],
            serial_number=(boot.serial_number or "")[:100] or None,
            firmware_version=(boot.firmware_version or "")[:50] or None,
            last_heartbeat=at,
            booted_at=at,
        )
        .returning(ChargingStation.status)
    )
    return registration(found.scalar_one())


def registration(status: str) -> str:
    return REGISTRATION.get(StationStatus(status), "Accepted")


async def connected(
    db: AsyncSession, ref: StationRef, process: str, *, version: str, address: str
) -> None:
    """A socket of the station is open in ``process``: that is where its CALLs go."""
    await db.execute(
        update(ChargingStation)
        .where(ChargingStation.id == ref.id)
        .values(
            connected_to=process,
            connected_at=func.now(),
            connected_version=version,
            remote_address=address[:45] or None,
            last_heartbeat=func.now(),
            # Set anew when it told its own status; until then it is not away any more.
            ocpp_status=text(
                "CASE WHEN ocpp_status = 'OFFLINE' THEN 'AVAILABLE' ELSE ocpp_status END"
            ),
        )
    )


async def disconnected(db: AsyncSession, ref: StationRef, process: str) -> None:
    """Its last socket here is gone. Only after a grace period is it shown as UNKNOWN."""
    await db.execute(
        update(ChargingStation)
        .where(ChargingStation.id == ref.id, ChargingStation.connected_to == process)
        .values(connected_to=None, last_heartbeat=func.now())
    )


async def seen(db: AsyncSession, station_ids: Sequence[UUID], process: str) -> None:
    """These stations of the tenant were heard of lately; one statement for all of them."""
    await db.execute(
        update(ChargingStation)
        .where(ChargingStation.id.in_(station_ids), ChargingStation.connected_to == process)
        .values(last_heartbeat=func.now())
    )


async def password_changed(db: AsyncSession, ref: StationRef) -> None:
    """The station has used its new password: the old one is worth nothing any more."""
    await db.execute(
        text(
            "UPDATE charging_stations SET configuration = configuration #- "
            "'{security,next_password_digest}', password_digest = "
            "decode(configuration #>> '{security,next_password_digest}', 'hex') WHERE id = :id"
            " AND configuration #>> '{security,next_password_digest}' IS NOT NULL"
        ),
        {"id": ref.id},
    )
    await audit.record(db, "CONFIGURATION_CHANGED", "charging_station", ref.id,
                       description="The station uses its new password.")  # fmt: skip


async def password_offered(db: AsyncSession, ref: StationRef, digest: bytes | None) -> None:
    """A new password is on its way: both are good until it is first used. None takes it back."""
    if digest is None:
        statement = "configuration #- '{security,next_password_digest}'"
    else:
        statement = (
            "jsonb_set(jsonb_set(coalesce(configuration, '{}'), '{security}',"
            " coalesce(configuration -> 'security', '{}')),"
            " '{security,next_password_digest}', to_jsonb(cast(:digest as text)))"
        )
    await db.execute(
        text(f"UPDATE charging_stations SET configuration = {statement} WHERE id = :id"),  # noqa: S608
        {"id": ref.id} | ({"digest": digest.hex()} if digest is not None else {}),
    )


async def status_changed(db: AsyncSession, ref: StationRef, report: StatusReport) -> bool:
    """Keep a status; False when it is older than the one kept and therefore changes nothing."""
    if report.evse_number == 0:
        await station_status_changed(db, ref, report)
        return True
    await know_evse(db, ref, report.evse_number)
    connector_id = max(report.connector_id, 1)
    values = {
        "status": report.status,
        "error_code": report.error_code,
        "status_info": report.info,
        "vendor_error_code": report.vendor_error_code,
        "configuration": {"status_at": report.at.isoformat(), "ocpp_status": report.word},
    }
    # One statement: two first reports at the same time must not wait for each other.
    statement = insert(Connector).values(
        charging_station_id=ref.id,
        evse_number=report.evse_number,
        connector_id=connector_id,
        connector_type="UNKNOWN",
        **values,
    )
    kept = await db.execute(
        statement.on_conflict_do_update(
            constraint="uq_connectors_number",
            set_={
                **{name: statement.excluded[name] for name in values if name != "configuration"},
                "configuration": func.coalesce(Connector.configuration, text("'{}'::jsonb")).op(
                    "||"
                )(statement.excluded.configuration),
                "updated_at": func.now(),
            },
            where=text(
                "connectors.configuration ->> 'status_at' IS NULL OR"
                " (connectors.configuration ->> 'status_at')::timestamptz"
                " <= (excluded.configuration ->> 'status_at')::timestamptz"
            ),
        ).returning(Connector.id)
    )
    return kept.first() is not None


async def station_status_changed(db: AsyncSession, ref: StationRef, report: StatusReport) -> None:
    """What connector 0 says holds for the station as a whole."""
    status = OCPPStatus(report.status if report.status != "OCCUPIED" else "AVAILABLE")
    await db.execute(
        update(ChargingStation)
        .where(ChargingStation.id == ref.id)
        .values(ocpp_status=status, error_code=report.error_code, status_info=report.info)
    )


async def forget_status_times(db: AsyncSession, ref: StationRef) -> None:
    """After a boot the clock may have jumped back: what comes next counts, whatever its time."""
    await db.execute(
        update(Connector)
        .where(Connector.charging_station_id == ref.id)
        .values(configuration=Connector.configuration.op("-")("status_at"))
    )


async def know_evse(db: AsyncSession, ref: StationRef, evse_number: int) -> None:
    """Make the EVSE known, pending; its uid has nothing to do with the station (T-47, LOC-09)."""
    await db.execute(
        insert(StationEVSE)
        .values(charging_station_id=ref.id, evse_number=evse_number, evse_uid=str(uuid4()))
        .on_conflict_do_nothing(index_elements=["tenant_id", "charging_station_id", "evse_number"])
    )


@dataclass(frozen=True)
class Discovered:
    """A connector as the station describes it; None leaves what the operator said."""

    evse_number: int
    connector_id: int
    connector_type: str | None = None
    max_power: int | None = None
    phases: int | None = None


async def discovered(db: AsyncSession, ref: StationRef, found: Iterable[Discovered]) -> None:
    """Connectors a station reports. The operator's own description outranks it."""
    for one in found:
        await know_evse(db, ref, one.evse_number)
        statement = insert(Connector).values(
            charging_station_id=ref.id,
            evse_number=one.evse_number,
            connector_id=one.connector_id,
            connector_type=one.connector_type or "UNKNOWN",
            max_power=one.max_power,
            number_of_phases=one.phases,
        )
        await db.execute(
            statement.on_conflict_do_update(
                constraint="uq_connectors_number",
                set_={
                    "connector_type": text(
                        "CASE WHEN connectors.connector_type = 'UNKNOWN'"
                        " THEN excluded.connector_type ELSE connectors.connector_type END"
                    ),
                    "max_power": func.coalesce(Connector.max_power, statement.excluded.max_power),
                    "number_of_phases": func.coalesce(
                        Connector.number_of_phases, statement.excluded.number_of_phases
                    ),
                },
            )
        )


async def remember_settings(
    db: AsyncSession, ref: StationRef, settings: Iterable[tuple[str, str, str | None, bool]]
) -> None:
    """Settings a station told: (component, key, value, read-only), component empty in 1.6."""
    rows = [
        {
            "charging_station_id": ref.id,
            "component": component[:255],
            "key": key[:255],
            "value": value,
            "readonly": readonly,
            "reported_at": datetime.now(UTC),
        }
        for component, key, value, readonly in settings
        if key
    ]
    for start in range(0, len(rows), 500):
        statement = insert(StationConfigurationItem).values(rows[start : start + 500])
        await db.execute(
            statement.on_conflict_do_update(
                constraint="uq_station_configuration_items_key",
                set_={
                    name: statement.excluded[name] for name in ("value", "readonly", "reported_at")
                },
            )
        )


async def remember_capabilities(
    db: AsyncSession, ref: StationRef, capabilities: dict[str, Any]
) -> None:
    await db.execute(
        update(ChargingStation)
        .where(ChargingStation.id == ref.id)
        .values(
            capabilities=func.coalesce(ChargingStation.capabilities, text("'{}'::jsonb")).op("||")(
                bindparam("told", capabilities, type_=JSONB)
            )
        )
    )


async def diagnosed(db: AsyncSession, ref: StationRef, told: dict[str, Any]) -> None:
    """What a station says of its health, of updates and of uploads."""
    await db.execute(
        update(ChargingStation)
        .where(ChargingStation.id == ref.id)
        .values(
            diagnostics=func.coalesce(ChargingStation.diagnostics, text("'{}'::jsonb")).op("||")(
                bindparam("told", {"performance_metrics": told}, type_=JSONB)
            )
        )
    )


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
    station = await db.get_one(ChargingStation, (ref.tenant_id, ref.id), populate_existing=True)
    tenant = await db.get_one(Tenant, ref.tenant_id)
    owner = None
    if tenant.cpo_country_code and tenant.cpo_party_id:
        owner = Party(tenant.cpo_country_code, tenant.cpo_party_id)
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
        station, owner, location_id, evses.all(), found, {row.id: row.object_id for row in tariffs}
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
        "RFID_READER": "RFID" in (told.get("supported_payment_methods") or ["RFID"]),
        "UNLOCK_CAPABLE": any(
            connector.connector_type not in projection.DIRECT_CURRENT for connector in connectors
        ),
        "TOKEN_GROUP_CAPABLE": True,
    }
    return tuple(name for name, holds in able.items() if holds)


async def publish(
    db: AsyncSession, ref: StationRef, *, evse_numbers: Iterable[int] | None = None
) -> list[Stored]:
    """Tell OCPI of the station's EVSEs as they are now; what says nothing new moves nothing."""
    seen_as = await view(db, ref)
    if seen_as.location_id is None or seen_as.owner is None:
        return []
    at = datetime.now(UTC)
    wanted = None if evse_numbers is None else set(evse_numbers)
    writes = []
    for evse in seen_as.evses:
        # A change of one may change what is shown of those that share its power.
        if not evse.published or (
            wanted is not None and evse.evse_number not in wanted and not evse.power_group
        ):
            continue
        document = projection.evse(evse_facts(seen_as, evse), at=at)
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
    return await apply(db, writes)


async def apply(db: AsyncSession, writes: Sequence[Write]) -> list[Stored]:
    """Through the one door. Our own documents are refused only by mistake: that is an error."""
    if not writes:
        return []
    done = []
    for result in await objects.apply(db, writes):
        if isinstance(result, HubError):
            log.error("own object refused", reason=str(result))
        else:
            done.append(result)
    return done


def plain(document: Document) -> Document:
    """With plain JSON numbers: what is compared and kept."""
    read: Document = codec.read_stored(codec.write(document))
    return read


async def gone_quiet(db: AsyncSession, grace: timedelta) -> list[StationRef]:
    """Stations that have had no socket for longer than the grace. Platform transaction."""
    since = datetime.now(UTC) - grace
    # A process that was killed could not say that its stations are gone; it had to confirm them.
    abandoned = since - timedelta(minutes=2)
    rows = await db.execute(
        select(ChargingStation.tenant_id, ChargingStation.id).where(
            ChargingStation.ocpp_status.is_distinct_from(OCPPStatus.OFFLINE),
            ChargingStation.last_heartbeat.is_not(None),
            ((ChargingStation.connected_to.is_(None)) & (ChargingStation.last_heartbeat < since))
            | (ChargingStation.last_heartbeat < abandoned),
        )
    )
    return [StationRef(row.tenant_id, row.id) for row in rows]


async def offline(db: AsyncSession, ref: StationRef, grace: timedelta) -> list[Stored]:
    """Show the station's EVSEs as UNKNOWN; its sessions stay what they are."""
    since = datetime.now(UTC) - grace
    found = await db.execute(
        update(ChargingStation)
        .where(ChargingStation.id == ref.id, ChargingStation.last_heartbeat < since)
        .values(ocpp_status=OCPPStatus.OFFLINE, connected_to=None)
        .returning(ChargingStation.id)
    )
    return await publish(db, ref) if found.first() is not None else []


async def evse_document(db: AsyncSession, evse_uid: str) -> Document | None:
    """The EVSE as OCPI has it now."""
    found = await db.scalar(
        select(EVSE.document).where(EVSE.object_key == evse_uid.upper(), EVSE.partner_id.is_(None))
    )
    if found is None:
        return None
    document: Document = codec.read_stored(found)
    return document
