"""Charging sessions by month, meter values by day, and what belongs to them."""

import sqlalchemy as sa
from alembic import op
from columns import edits, instant, one_of, row_id, stamps, tenant_id
from partitions import create_default_partition, create_functions, drop_functions
from sqlalchemy.dialects.postgresql import JSONB
from tenancy import isolate

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    create_functions()
    op.create_table(
        "auth_tokens",
        tenant_id(),
        row_id(),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("token_type", sa.String(length=30), nullable=False),
        sa.Column("token_value", sa.String(length=500), nullable=False),
        sa.Column(
            "token_key",
            sa.Text(),
            sa.Computed("upper(token_value)", persisted=True),
            nullable=False,
        ),
        sa.Column("token_hash", sa.String(length=128), nullable=True),
        sa.Column("parent_id", sa.String(length=50), nullable=True),
        sa.Column("visual_id", sa.String(length=50), nullable=True),
        instant("expires_at"),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("is_blocked", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("block_reason", sa.String(length=255), nullable=True),
        instant("last_used_at"),
        sa.Column("use_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("token_metadata", JSONB(), nullable=True),
        sa.Column("restrictions", JSONB(), nullable=True),
        *stamps(),
        *edits(),
        sa.CheckConstraint(
            "token_type <> 'API_KEY' OR token_hash IS NOT NULL", name="api_key_is_hashed"
        ),
        one_of(
            "token_type",
            "RFID_ISO14443",
            "RFID_MIFARE",
            "NFC_SMARTPHONE",
            "QR_CODE_DYNAMIC",
            "ISO15118_CONTRACT",
            "AUTOCHARGE_VIN",
            "API_KEY",
            "ROAMING_TOKEN",
            "TEMPORARY",
            "TEST_TOKEN",
        ),
        sa.CheckConstraint("token_value <> ''", name="token_value"),
        sa.CheckConstraint("use_count >= 0", name="use_count"),
        sa.ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"]),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "ix_auth_tokens_active",
        "auth_tokens",
        ["tenant_id", "token_key", "token_type"],
        postgresql_where=sa.text("is_active"),
    )
    op.create_index(
        "ix_auth_tokens_tenant_id_is_active_expires_at",
        "auth_tokens",
        ["tenant_id", "is_active", "expires_at"],
    )
    op.create_index("ix_auth_tokens_tenant_id_user_id", "auth_tokens", ["tenant_id", "user_id"])
    op.create_index(
        "uq_auth_tokens_value", "auth_tokens", ["tenant_id", "token_key", "token_type"], unique=True
    )
    isolate("auth_tokens")

    op.create_table(
        "charging_sessions",
        tenant_id(),
        row_id(),
        instant("created_at", nullable=False, default="now()"),
        sa.Column("charging_station_id", sa.Uuid(), nullable=False),
        sa.Column("connector_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("auth_token_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.String(length=255), nullable=False),
        sa.Column("transaction_id", sa.String(length=100), nullable=True),
        sa.Column("external_session_id", sa.String(length=255), nullable=True),
        instant("start_timestamp"),
        instant("end_timestamp"),
        instant("authorization_timestamp"),
        instant("plug_in_timestamp"),
        instant("plug_out_timestamp"),
        sa.Column("start_value", sa.Numeric(precision=13, scale=3), nullable=True),
        sa.Column("end_value", sa.Numeric(precision=13, scale=3), nullable=True),
        sa.Column("total_energy", sa.Numeric(precision=10, scale=3), nullable=True),
        sa.Column("max_power", sa.Numeric(precision=8, scale=3), nullable=True),
        sa.Column("avg_power", sa.Numeric(precision=8, scale=3), nullable=True),
        sa.Column("status", sa.String(length=20), server_default="INITIATED", nullable=False),
        sa.Column("stop_reason", sa.String(length=30), nullable=True),
        sa.Column("error_code", sa.String(length=50), nullable=True),
        sa.Column("error_description", sa.String(length=500), nullable=True),
        sa.Column("auth_method", sa.String(length=20), nullable=True),
        sa.Column("id_tag", sa.String(length=255), nullable=True),
        sa.Column("tariff_id", sa.Uuid(), nullable=True),
        sa.Column("total_cost", sa.Numeric(precision=14, scale=4), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("billing_details", JSONB(), nullable=True),
        sa.Column("ocpi_partner_id", sa.Uuid(), nullable=True),
        sa.Column("ocpi_data", JSONB(), nullable=True),
        sa.Column("session_metadata", JSONB(), nullable=True),
        sa.Column("diagnostics", JSONB(), nullable=True),
        instant("updated_at", nullable=False, default="now()"),
        *edits(),
        one_of(
            "auth_method",
            "RFID",
            "NFC",
            "QR_CODE",
            "ISO15118",
            "AUTOCHARGE",
            "API",
            "ROAMING",
            "MANUAL",
            "RESERVED",
        ),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        sa.CheckConstraint("session_id <> ''", name="session_id"),
        one_of(
            "status",
            "INITIATED",
            "AUTHORIZED",
            "PREPARING",
            "CHARGING",
            "SUSPENDED_EV",
            "SUSPENDED_EVSE",
            "FINISHING",
            "COMPLETED",
            "INTERRUPTED",
            "CANCELLED",
            "FAILED",
            "RESERVED",
        ),
        one_of(
            "stop_reason",
            "EMERGENCY_STOP",
            "EV_DISCONNECTED",
            "HARD_RESET",
            "LOCAL",
            "OTHER",
            "POWER_LOSS",
            "REBOOT",
            "REMOTE",
            "SOFT_RESET",
            "UNLOCK_COMMAND",
            "DE_AUTHORIZED",
            "ENERGY_LIMIT_REACHED",
            "GROUND_FAULT",
            "IMMEDIATE_RESET",
            "LOCAL_OUT_OF_CREDIT",
            "MASTER_PASS",
            "OVERCURRENT_FAULT",
            "POWER_QUALITY",
            "SOC_LIMIT_REACHED",
            "STOPPED_BY_EV",
            "TIME_LIMIT_REACHED",
            "TIMEOUT",
        ),
        sa.CheckConstraint("end_timestamp >= start_timestamp", name="end_timestamp"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "auth_token_id"], ["auth_tokens.tenant_id", "auth_tokens.id"]
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "charging_station_id"],
            ["charging_stations.tenant_id", "charging_stations.id"],
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "connector_id"], ["connectors.tenant_id", "connectors.id"]
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "ocpi_partner_id"], ["ocpi_partners.tenant_id", "ocpi_partners.id"]
        ),
        sa.ForeignKeyConstraint(["tenant_id", "tariff_id"], ["tariffs.tenant_id", "tariffs.id"]),
        sa.ForeignKeyConstraint(["tenant_id", "user_id"], ["users.tenant_id", "users.id"]),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id", "created_at"),
        postgresql_partition_by="RANGE (created_at)",
    )
    op.create_index(
        "ix_charging_sessions_active",
        "charging_sessions",
        ["tenant_id", "charging_station_id", "connector_id"],
        postgresql_where=sa.text("status IN ('CHARGING', 'PREPARING', 'AUTHORIZED')"),
    )
    op.create_index(
        "ix_charging_sessions_tenant_id_charging_station_id_status",
        "charging_sessions",
        ["tenant_id", "charging_station_id", "status"],
    )
    op.create_index(
        "ix_charging_sessions_tenant_id_session_id",
        "charging_sessions",
        ["tenant_id", "session_id"],
    )
    op.create_index(
        "ix_charging_sessions_tenant_id_start_timestamp_end_timestamp",
        "charging_sessions",
        ["tenant_id", "start_timestamp", "end_timestamp"],
    )
    op.create_index(
        "ix_charging_sessions_tenant_id_status", "charging_sessions", ["tenant_id", "status"]
    )
    op.create_index(
        "ix_charging_sessions_tenant_id_transaction_id",
        "charging_sessions",
        ["tenant_id", "transaction_id"],
    )
    op.create_index(
        "ix_charging_sessions_tenant_id_user_id", "charging_sessions", ["tenant_id", "user_id"]
    )
    isolate("charging_sessions")
    create_default_partition("charging_sessions")

    op.create_table(
        "session_events",
        tenant_id(),
        row_id(),
        sa.Column("charging_session_id", sa.Uuid(), nullable=False),
        instant("timestamp", nullable=False, default="now()"),
        sa.Column("event_type", sa.String(length=50), nullable=False),
        sa.Column("sequence_number", sa.BigInteger(), nullable=True),
        sa.Column("description", sa.String(length=1000), nullable=True),
        sa.Column("details", JSONB(), nullable=True),
        *stamps(),
        sa.CheckConstraint("event_type <> ''", name="event_type"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "ix_session_events_tenant_id_charging_session_id_timestamp",
        "session_events",
        ["tenant_id", "charging_session_id", "timestamp"],
    )
    isolate("session_events")

    op.create_table(
        "meter_values",
        tenant_id(),
        row_id(),
        instant("timestamp", nullable=False),
        sa.Column("charging_session_id", sa.Uuid(), nullable=False),
        sa.Column(
            "measurand",
            sa.String(length=50),
            server_default="ENERGY_ACTIVE_IMPORT_REGISTER",
            nullable=False,
        ),
        sa.Column("value", sa.Numeric(precision=15, scale=6), nullable=True),
        sa.Column("unit", sa.String(length=20), nullable=True),
        sa.Column("context", sa.String(length=30), nullable=True),
        sa.Column("format", sa.String(length=20), nullable=True),
        sa.Column("location", sa.String(length=20), nullable=True),
        sa.Column("phase", sa.String(length=10), nullable=True),
        sa.Column("signed_data", sa.Text(), nullable=True),
        one_of(
            "context",
            "INTERRUPTION_BEGIN",
            "INTERRUPTION_END",
            "OTHER",
            "SAMPLE_CLOCK",
            "SAMPLE_PERIODIC",
            "TRANSACTION_BEGIN",
            "TRANSACTION_END",
            "TRIGGER",
        ),
        one_of("format", "RAW", "SIGNED_DATA"),
        one_of("location", "BODY", "CABLE", "EV", "INLET", "OUTLET"),
        one_of(
            "measurand",
            "CURRENT_EXPORT",
            "CURRENT_IMPORT",
            "CURRENT_OFFERED",
            "ENERGY_ACTIVE_EXPORT_REGISTER",
            "ENERGY_ACTIVE_IMPORT_REGISTER",
            "ENERGY_REACTIVE_EXPORT_REGISTER",
            "ENERGY_REACTIVE_IMPORT_REGISTER",
            "ENERGY_ACTIVE_EXPORT_INTERVAL",
            "ENERGY_ACTIVE_IMPORT_INTERVAL",
            "ENERGY_REACTIVE_EXPORT_INTERVAL",
            "ENERGY_REACTIVE_IMPORT_INTERVAL",
            "FREQUENCY",
            "POWER_ACTIVE_EXPORT",
            "POWER_ACTIVE_IMPORT",
            "POWER_FACTOR",
            "POWER_OFFERED",
            "POWER_REACTIVE_EXPORT",
            "POWER_REACTIVE_IMPORT",
            "RPM",
            "SOC",
            "TEMPERATURE",
            "VOLTAGE",
        ),
        sa.CheckConstraint("value IS NOT NULL OR signed_data IS NOT NULL", name="value"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id", "timestamp"),
        postgresql_partition_by="RANGE (timestamp)",
    )
    op.create_index(
        "ix_meter_values_tenant_id_charging_session_id_timestamp",
        "meter_values",
        ["tenant_id", "charging_session_id", "timestamp"],
    )
    op.create_index(
        "ix_meter_values_tenant_id_measurand_timestamp",
        "meter_values",
        ["tenant_id", "measurand", "timestamp"],
    )
    isolate("meter_values")
    create_default_partition("meter_values")

    op.create_table(
        "charge_detail_records",
        tenant_id(),
        row_id(),
        sa.Column("charging_session_id", sa.Uuid(), nullable=False),
        sa.Column("cdr_id", sa.String(length=39), nullable=False),
        instant("start_timestamp", nullable=False),
        instant("end_timestamp", nullable=False),
        sa.Column("total_energy", sa.Numeric(precision=10, scale=3), nullable=False),
        sa.Column("total_time", sa.Numeric(precision=12, scale=4), nullable=False),
        sa.Column("total_parking_time", sa.Numeric(precision=12, scale=4), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total_cost_before_taxes", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("total_taxes", sa.Numeric(precision=14, scale=4), nullable=True),
        sa.Column("explanation", JSONB(), nullable=True),
        *stamps(),
        sa.CheckConstraint("cdr_id <> ''", name="cdr_id"),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
        sa.CheckConstraint("end_timestamp >= start_timestamp", name="end_timestamp"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "cdr_id"),
        sa.UniqueConstraint("tenant_id", "charging_session_id"),
    )
    op.create_index(
        "ix_charge_detail_records_tenant_id_end_timestamp",
        "charge_detail_records",
        ["tenant_id", "end_timestamp"],
    )
    isolate("charge_detail_records")


def downgrade() -> None:
    op.drop_table("charge_detail_records")
    op.drop_table("meter_values")
    op.drop_table("session_events")
    op.drop_table("charging_sessions")
    op.drop_table("auth_tokens")
    drop_functions()
