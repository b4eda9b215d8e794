"""Charging at stations of our own: who may, what happened, what was measured, what it cost.

Partners' tokens, sessions and CDRs are documents in ``objects.py``; what happens here becomes one
of them through ``roaming/projection/``.

Sessions are partitioned by month of ``created_at`` and meter values by day of ``timestamp``. Their
keys contain that column, so nothing refers to them by a foreign key.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKeyConstraint,
    Index,
    Numeric,
    PrimaryKeyConstraint,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import CURRENT_TENANT, OBJECT, Audited, Base, TenantOwned, one_of
from hub.models.partners import belongs_to_partner
from hub.models.stations import belongs_to_station
from hub.models.values import (
    AuthTokenType,
    ChargingAuthMethod,
    ChargingStatus,
    Measurand,
    MeasurementLocation,
    ReadingContext,
    StopReason,
    ValueFormat,
)


class TokenMetadata(TypedDict, total=False):
    issuer: str
    card_type: str
    manufacturer_data: str
    custom_fields: dict[str, str]
    description: str


class TimeRestriction(TypedDict, total=False):
    # "MONDAY" …
    allowed_days: list[str]
    # "HH:MM" in ``timezone``
    start_time: str
    end_time: str
    timezone: str


class GeographicRestriction(TypedDict, total=False):
    allowed_countries: list[str]
    allowed_regions: list[str]
    latitude: float
    longitude: float
    radius_km: float


class UsageRestriction(TypedDict, total=False):
    max_sessions_per_day: int
    max_sessions_per_month: int
    # Amounts are decimals written as text: money is never a float.
    max_amount_per_session: str
    max_amount_per_month: str
    max_duration_minutes: int


class TokenRestrictions(TypedDict, total=False):
    allowed_stations: list[str]
    allowed_groups: list[str]
    time_restriction: TimeRestriction
    geographic: GeographicRestriction
    usage: UsageRestriction


class BillingDetails(TypedDict, total=False):
    items: list[dict[str, Any]]
    tax_breakdown: dict[str, str]
    billing_reference: str
    billing_timestamp: str
    billing_status: str


class OCPISessionData(TypedDict, total=False):
    cdr_id: str
    location_id: str
    evse_uid: str
    connector_id: str
    authorization_reference: str
    additional_data: dict[str, Any]


class SessionMetadata(TypedDict, total=False):
    vehicle_id: str
    vehicle_type: str
    battery_capacity: int
    initial_soc: int
    final_soc: int
    custom_fields: dict[str, Any]


class SessionDiagnostics(TypedDict, total=False):
    warnings: list[str]
    errors: list[str]
    performance_metrics: dict[str, Any]
    network_events: list[dict[str, Any]]
    quality_metrics: dict[str, Any]


class AuthToken(Audited, Base):
    """What a driver of our own shows at a station.

    ``token_value`` is what the reader reads. It must be found and forwarded, so it is kept as it
    is, but for API keys, of which ``token_hash`` keeps a keyed digest and ``token_value`` a hint.
    ``token_key`` compares without case, as OCPP's idTag and OCPI's uid do.
    """

    __tablename__ = "auth_tokens"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"]),
        Index(
            "uq_auth_tokens_value",
            "tenant_id",
            "token_key",
            "token_type",
            unique=True,
        ),
        Index(None, "tenant_id", "user_id"),
        Index(None, "tenant_id", "is_active", "expires_at"),
        Index(
            "ix_auth_tokens_active",
            "tenant_id",
            "token_key",
            "token_type",
            postgresql_where=text("is_active"),
        ),
        one_of("token_type", AuthTokenType),
        CheckConstraint("token_value <> ''", name="token_value"),
        CheckConstraint("use_count >= 0", name="use_count"),
        CheckConstraint(
            "token_type <> 'API_KEY' OR token_hash IS NOT NULL", name="api_key_is_hashed"
        ),
    )

    user_id: Mapped[UUID | None]
    token_type: Mapped[str] = mapped_column(String(30))
    token_value: Mapped[str] = mapped_column(String(500))
    token_key: Mapped[str] = mapped_column(Text, Computed("upper(token_value)", persisted=True))
    token_hash: Mapped[str | None] = mapped_column(String(128))
    # Tokens of one card or contract share it.
    parent_id: Mapped[str | None] = mapped_column(String(50))
    visual_id: Mapped[str | None] = mapped_column(String(50))
    expires_at: Mapped[datetime | None]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    is_blocked: Mapped[bool] = mapped_column(server_default=text("false"))
    block_reason: Mapped[str | None] = mapped_column(String(255))
    last_used_at: Mapped[datetime | None]
    use_count: Mapped[int] = mapped_column(BigInteger, server_default="0")
    token_metadata: Mapped[TokenMetadata | None] = mapped_column(OBJECT)
    restrictions: Mapped[TokenRestrictions | None] = mapped_column(OBJECT)


ACTIVE_STATUSES = text("status IN ('CHARGING', 'PREPARING', 'AUTHORIZED')")


class ChargingSession(Audited, Base):
    """A charging session at a station of our own; an index finds the active one of a connector."""

    __tablename__ = "charging_sessions"
    __table_args__ = (
        belongs_to_station(),
        ForeignKeyConstraint(
            ["tenant_id", "connector_id"], ["connectors.tenant_id", "connectors.id"]
        ),
        ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "auth_token_id"], ["auth_tokens.tenant_id", "auth_tokens.id"]
        ),
        ForeignKeyConstraint(["tenant_id", "tariff_id"], ["tariffs.tenant_id", "tariffs.id"]),
        belongs_to_partner("ocpi_partner_id"),
        Index(None, "tenant_id", "charging_station_id", "status"),
        Index(None, "tenant_id", "user_id"),
        Index(None, "tenant_id", "status"),
        Index(None, "tenant_id", "start_timestamp", "end_timestamp"),
        Index(None, "tenant_id", "session_id"),
        Index(None, "tenant_id", "transaction_id"),
        Index(
            "ix_charging_sessions_active",
            "tenant_id",
            "charging_station_id",
            "connector_id",
            postgresql_where=ACTIVE_STATUSES,
        ),
        one_of("status", ChargingStatus),
        one_of("stop_reason", StopReason),
        one_of("auth_method", ChargingAuthMethod),
        CheckConstraint("session_id <> ''", name="session_id"),
        CheckConstraint("end_timestamp >= start_timestamp", name="end_timestamp"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        {"postgresql_partition_by": "RANGE (created_at)"},
    )

    created_at: Mapped[datetime] = mapped_column(
        primary_key=True, server_default=func.now(), sort_order=-10
    )
    charging_station_id: Mapped[UUID]
    connector_id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    auth_token_id: Mapped[UUID | None]
    session_id: Mapped[str] = mapped_column(String(255))
    transaction_id: Mapped[str | None] = mapped_column(String(100))
    external_session_id: Mapped[str | None] = mapped_column(String(255))
    start_timestamp: Mapped[datetime | None]
    end_timestamp: Mapped[datetime | None]
    authorization_timestamp: Mapped[datetime | None]
    plug_in_timestamp: Mapped[datetime | None]
    plug_out_timestamp: Mapped[datetime | None]
    # Meter readings and energy in kWh, power in kW.
    start_value: Mapped[Decimal | None] = mapped_column(Numeric(13, 3))
    end_value: Mapped[Decimal | None] = mapped_column(Numeric(13, 3))
    total_energy: Mapped[Decimal | None] = mapped_column(Numeric(10, 3))
    max_power: Mapped[Decimal | None] = mapped_column(Numeric(8, 3))
    avg_power: Mapped[Decimal | None] = mapped_column(Numeric(8, 3))
    status: Mapped[str] = mapped_column(String(20), server_default=ChargingStatus.INITIATED)
    stop_reason: Mapped[str | None] = mapped_column(String(30))
    error_code: Mapped[str | None] = mapped_column(String(50))
    error_description: Mapped[str | None] = mapped_column(String(500))
    auth_method: Mapped[str | None] = mapped_column(String(20))
    id_tag: Mapped[str | None] = mapped_column(String(255))
    tariff_id: Mapped[UUID | None]
    # Four decimals, as OCPI prices have.
    total_cost: Mapped[Decimal | None] = mapped_column(Numeric(14, 4))
    currency: Mapped[str | None] = mapped_column(String(3))
    billing_details: Mapped[BillingDetails | None] = mapped_column(OBJECT)
    ocpi_partner_id: Mapped[UUID | None]
    ocpi_data: Mapped[OCPISessionData | None] = mapped_column(OBJECT)
    session_metadata: Mapped[SessionMetadata | None] = mapped_column(OBJECT)
    diagnostics: Mapped[SessionDiagnostics | None] = mapped_column(OBJECT)


class SessionEvent(TenantOwned, Base):
    """Something that happened in a session, as the station or the hub reported it."""

    __tablename__ = "session_events"
    __table_args__ = (
        Index(None, "tenant_id", "charging_session_id", "timestamp"),
        CheckConstraint("event_type <> ''", name="event_type"),
    )

    charging_session_id: Mapped[UUID]
    timestamp: Mapped[datetime] = mapped_column(server_default=func.now())
    # "AUTHORIZED", "STATUS", "LIMIT_SET" …: a short word, by the rules in ``roaming/charging/``.
    event_type: Mapped[str] = mapped_column(String(50))
    # OCPP's number of the message in its transaction: repeated messages are known by it.
    sequence_number: Mapped[int | None] = mapped_column(BigInteger)
    description: Mapped[str | None] = mapped_column(String(1000))
    details: Mapped[dict[str, Any] | None]


class MeterValue(Base):
    """One sampled value. There are many: no stamps, no versions, one row each."""

    __tablename__ = "meter_values"
    __table_args__ = (
        # Also what the values of a session are found by.
        PrimaryKeyConstraint("tenant_id", "charging_session_id", "timestamp", "id"),
        Index(None, "tenant_id", "measurand", "timestamp"),
        one_of("measurand", Measurand),
        one_of("context", ReadingContext),
        one_of("format", ValueFormat),
        one_of("location", MeasurementLocation),
        CheckConstraint("value IS NOT NULL OR signed_data IS NOT NULL", name="value"),
        {"postgresql_partition_by": "RANGE (timestamp)"},
    )

    # No foreign key: to look the tenant up costs as much as all the rest of a row, and row-level
    # security lets nobody write for another.
    tenant_id: Mapped[UUID] = mapped_column(server_default=text(CURRENT_TENANT))
    id: Mapped[UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    timestamp: Mapped[datetime]
    charging_session_id: Mapped[UUID]
    measurand: Mapped[str] = mapped_column(
        String(50), server_default=Measurand.ENERGY_ACTIVE_IMPORT_REGISTER
    )
    value: Mapped[Decimal | None] = mapped_column(Numeric(15, 6))
    unit: Mapped[str | None] = mapped_column(String(20))
    context: Mapped[str | None] = mapped_column(String(30))
    format: Mapped[str | None] = mapped_column(String(20))
    location: Mapped[str | None] = mapped_column(String(20))
    phase: Mapped[str | None] = mapped_column(String(10))
    # Byte for byte as the meter signed it: it may not even be trimmed.
    signed_data: Mapped[str | None] = mapped_column(Text)


class ChargeDetailRecord(TenantOwned, Base):
    """What a finished session came to: the ground of the CDR that goes out. Written once."""

    __tablename__ = "charge_detail_records"
    __table_args__ = (
        UniqueConstraint("tenant_id", "cdr_id"),
        UniqueConstraint("tenant_id", "charging_session_id"),
        Index(None, "tenant_id", "end_timestamp"),
        CheckConstraint("cdr_id <> ''", name="cdr_id"),
        CheckConstraint("end_timestamp >= start_timestamp", name="end_timestamp"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    )

    charging_session_id: Mapped[UUID]
    # The id of the document in ``ocpi_cdrs``.
    cdr_id: Mapped[str] = mapped_column(String(39))
    start_timestamp: Mapped[datetime]
    end_timestamp: Mapped[datetime]
    total_energy: Mapped[Decimal] = mapped_column(Numeric(10, 3))
    # Hours, as OCPI counts time.
    total_time: Mapped[Decimal] = mapped_column(Numeric(12, 4))
    total_parking_time: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    currency: Mapped[str] = mapped_column(String(3))
    total_cost_before_taxes: Mapped[Decimal] = mapped_column(Numeric(14, 4))
    total_taxes: Mapped[Decimal | None] = mapped_column(Numeric(14, 4))
    # How the price came about, step by step: what ``roaming/pricing`` explained.
    explanation: Mapped[dict[str, Any] | None]
