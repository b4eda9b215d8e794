"""Charging stations of our own, their connectors and their settings."""

from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    Numeric,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import OBJECT, Audited, Base, one_of
from hub.models.values import (
    ConnectorStatus,
    OCPPStatus,
    OCPPVersion,
    StationAvailability,
    StationStatus,
)


class StationConfiguration(TypedDict, total=False):
    ocpp_parameters: dict[str, str]
    network: dict[str, Any]
    security: dict[str, Any]
    display: dict[str, Any]
    manufacturer_specific: dict[str, Any]


class StationCapabilities(TypedDict, total=False):
    supported_feature_profiles: list[str]
    supported_connector_types: list[str]
    max_power: int
    number_of_connectors: int
    supports_reservation: bool
    supports_smart_charging: bool
    supports_remote_start: bool
    supported_payment_methods: list[str]


class StationDiagnostics(TypedDict, total=False):
    last_diagnostics_run: str
    system_health: dict[str, Any]
    active_errors: list[str]
    warnings: list[str]
    performance_metrics: dict[str, Any]


class ConnectorConfiguration(TypedDict, total=False):
    is_enabled: bool
    # For load balancing: a smaller number is served first.
    priority: int
    custom_parameters: dict[str, str]
    reservation: dict[str, Any]
    load_balancing: dict[str, Any]


def belongs_to_station(**options: Any) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["tenant_id", "charging_station_id"],
        ["charging_stations.tenant_id", "charging_stations.id"],
        **options,
    )


class ChargingStation(Audited, Base):
    """A charging station. ``station_id`` is its OCPP identity: a secret towards partners (T-47)."""

    __tablename__ = "charging_stations"
    __table_args__ = (
        UniqueConstraint("tenant_id", "station_id"),
        ForeignKeyConstraint(
            ["tenant_id", "location_id"], ["ocpi_locations.tenant_id", "ocpi_locations.id"]
        ),
        # A station says its identity before the tenant is known.
        Index(None, "station_id"),
        Index(None, "tenant_id", "status"),
        Index(None, "tenant_id", "location_id"),
        Index(None, "tenant_id", "ocpp_version", "ocpp_status"),
        one_of("ocpp_version", OCPPVersion),
        one_of("ocpp_status", OCPPStatus),
        one_of("status", StationStatus),
        one_of("availability", StationAvailability),
        CheckConstraint("station_id <> ''", name="station_id"),
        CheckConstraint("latitude BETWEEN -90 AND 90", name="latitude"),
        CheckConstraint("longitude BETWEEN -180 AND 180", name="longitude"),
        CheckConstraint("heartbeat_interval > 0", name="heartbeat_interval"),
        CheckConstraint("security_profile BETWEEN 0 AND 3", name="security_profile"),
    )

    station_id: Mapped[str] = mapped_column(String(255))
    name: Mapped[str | None] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(String(1000))
    manufacturer: Mapped[str | None] = mapped_column(String(100))
    model: Mapped[str | None] = mapped_column(String(100))
    serial_number: Mapped[str | None] = mapped_column(String(100))
    firmware_version: Mapped[str | None] = mapped_column(String(50))
    ocpp_version: Mapped[str] = mapped_column(String(20))
    ocpp_status: Mapped[str | None] = mapped_column(String(20))
    ocpp_endpoint: Mapped[str | None] = mapped_column(String(500))
    last_heartbeat: Mapped[datetime | None]
    # Seconds.
    heartbeat_interval: Mapped[int | None]
    location_id: Mapped[UUID | None]
    address: Mapped[str | None] = mapped_column(String(500))
    latitude: Mapped[Decimal | None] = mapped_column(Numeric(11, 8))
    longitude: Mapped[Decimal | None] = mapped_column(Numeric(11, 8))
    status: Mapped[str] = mapped_column(String(20), server_default=StationStatus.ACTIVE)
    availability: Mapped[str | None] = mapped_column(String(20))
    error_code: Mapped[str | None] = mapped_column(String(50))
    status_info: Mapped[str | None] = mapped_column(String(255))
    configuration: Mapped[StationConfiguration | None] = mapped_column(OBJECT)
    capabilities: Mapped[StationCapabilities | None] = mapped_column(OBJECT)
    diagnostics: Mapped[StationDiagnostics | None] = mapped_column(OBJECT)
    # OCPP security profile it must use at least (T-48), and its password as a keyed digest (T-45).
    security_profile: Mapped[int] = mapped_column(server_default="1")
    password_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    password_key_id: Mapped[str | None] = mapped_column(String(30))
    certificate_fingerprint: Mapped[str | None] = mapped_column(String(128))
    certificate_expires_at: Mapped[datetime | None]
    # Where its socket is: the process that holds it, and since when. Null while it is away.
    connected_to: Mapped[str | None] = mapped_column(String(64))
    connected_at: Mapped[datetime | None]
    # Of the last connection: the version it speaks ("1.6", "2.0.1", "2.1") and where it came from.
    connected_version: Mapped[str | None] = mapped_column(String(10))
    remote_address: Mapped[str | None] = mapped_column(String(45))
    booted_at: Mapped[datetime | None]
    # Seconds that its clock is ahead of ours, by its last live messages.
    clock_offset: Mapped[float | None]
    # Up to when tokens that were blocked are not in its cache any more.
    cache_cleared_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Connector(Audited, Base):
    """A connector. OCPP 1.6 has no EVSEs: there every connector is an EVSE of the same number."""

    __tablename__ = "connectors"
    __table_args__ = (
        belongs_to_station(ondelete="CASCADE"),
        ForeignKeyConstraint(["tenant_id", "tariff_id"], ["tariffs.tenant_id", "tariffs.id"]),
        UniqueConstraint(
            "tenant_id",
            "charging_station_id",
            "evse_number",
            "connector_id",
            name="uq_connectors_number",
        ),
        Index(None, "tenant_id", "charging_station_id", "status"),
        Index(None, "tenant_id", "connector_type"),
        one_of("status", ConnectorStatus),
        CheckConstraint("connector_id >= 1", name="connector_id"),
        CheckConstraint("evse_number >= 1", name="evse_number"),
        CheckConstraint("max_power >= 1", name="max_power"),
        CheckConstraint("max_current >= 1", name="max_current"),
        CheckConstraint("voltage >= 1", name="voltage"),
        CheckConstraint("number_of_phases BETWEEN 1 AND 3", name="number_of_phases"),
    )

    charging_station_id: Mapped[UUID]
    evse_number: Mapped[int]
    connector_id: Mapped[int]
    # OCPI's ConnectorType, an open enumeration since 2.3.0.
    connector_type: Mapped[str] = mapped_column(String(50))
    status: Mapped[str] = mapped_column(String(20), server_default=ConnectorStatus.UNAVAILABLE)
    error_code: Mapped[str | None] = mapped_column(String(50))
    status_info: Mapped[str | None] = mapped_column(String(255))
    vendor_error_code: Mapped[str | None] = mapped_column(String(50))
    # Watts, amperes, volts.
    max_power: Mapped[int | None]
    max_current: Mapped[int | None]
    voltage: Mapped[int | None]
    number_of_phases: Mapped[int | None]
    tariff_id: Mapped[UUID | None]
    configuration: Mapped[ConnectorConfiguration | None] = mapped_column(OBJECT)


class StationConfigurationItem(Audited, Base):
    """One setting of a station: a key of OCPP 1.6, or a variable of a component of OCPP 2."""

    __tablename__ = "station_configuration_items"
    __table_args__ = (
        belongs_to_station(ondelete="CASCADE"),
        UniqueConstraint(
            "tenant_id",
            "charging_station_id",
            "component",
            "key",
            name="uq_station_configuration_items_key",
        ),
        CheckConstraint("key <> ''", name="key"),
    )

    charging_station_id: Mapped[UUID]
    # "Name", "Name/instance", "Name@evse" …; empty for OCPP 1.6, which knows keys only.
    component: Mapped[str] = mapped_column(String(255), server_default=text("''"))
    key: Mapped[str] = mapped_column(String(255))
    value: Mapped[str | None] = mapped_column(Text)
    readonly: Mapped[bool] = mapped_column(server_default=text("false"))
    reported_at: Mapped[datetime | None]
