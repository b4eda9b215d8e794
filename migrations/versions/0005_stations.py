"""Charging stations, their connectors and settings."""

import sqlalchemy as sa
from alembic import op
from columns import edits, instant, one_of, row_id, stamps, tenant_id
from sqlalchemy.dialects.postgresql import JSONB
from tenancy import isolate

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "charging_stations",
        tenant_id(),
        row_id(),
        sa.Column("station_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("description", sa.String(length=1000), nullable=True),
        sa.Column("manufacturer", sa.String(length=100), nullable=True),
        sa.Column("model", sa.String(length=100), nullable=True),
        sa.Column("serial_number", sa.String(length=100), nullable=True),
        sa.Column("firmware_version", sa.String(length=50), nullable=True),
        sa.Column("ocpp_version", sa.String(length=20), nullable=False),
        sa.Column("ocpp_status", sa.String(length=20), nullable=True),
        sa.Column("ocpp_endpoint", sa.String(length=500), nullable=True),
        instant("last_heartbeat"),
        sa.Column("heartbeat_interval", sa.Integer(), nullable=True),
        sa.Column("location_id", sa.Uuid(), nullable=True),
        sa.Column("address", sa.String(length=500), nullable=True),
        sa.Column("latitude", sa.Numeric(precision=11, scale=8), nullable=True),
        sa.Column("longitude", sa.Numeric(precision=11, scale=8), nullable=True),
        sa.Column("status", sa.String(length=20), server_default="ACTIVE", nullable=False),
        sa.Column("availability", sa.String(length=20), nullable=True),
        sa.Column("error_code", sa.String(length=50), nullable=True),
        sa.Column("status_info", sa.String(length=255), nullable=True),
        sa.Column("configuration", JSONB(), nullable=True),
        sa.Column("capabilities", JSONB(), nullable=True),
        sa.Column("diagnostics", JSONB(), nullable=True),
        sa.Column("security_profile", sa.Integer(), server_default="1", nullable=False),
        sa.Column("password_digest", sa.LargeBinary(), nullable=True),
        sa.Column("password_key_id", sa.String(length=30), nullable=True),
        sa.Column("certificate_fingerprint", sa.String(length=128), nullable=True),
        instant("certificate_expires_at"),
        sa.Column("connected_to", sa.String(length=64), nullable=True),
        instant("connected_at"),
        *stamps(),
        *edits(),
        one_of("availability", "OPERATIVE", "INOPERATIVE", "SCHEDULED"),
        one_of(
            "ocpp_status",
            "AVAILABLE",
            "PREPARING",
            "CHARGING",
            "SUSPENDED_EVSE",
            "SUSPENDED_EV",
            "FINISHING",
            "RESERVED",
            "UNAVAILABLE",
            "FAULTED",
            "OFFLINE",
        ),
        one_of("ocpp_version", "OCPP_1_6", "OCPP_2_0_1", "OCPP_2_1"),
        sa.CheckConstraint("station_id <> ''", name="station_id"),
        one_of(
            "status", "ACTIVE", "INACTIVE", "MAINTENANCE", "FAULTY", "OFFLINE", "DECOMMISSIONED"
        ),
        sa.CheckConstraint("heartbeat_interval > 0", name="heartbeat_interval"),
        sa.CheckConstraint("latitude BETWEEN -90 AND 90", name="latitude"),
        sa.CheckConstraint("longitude BETWEEN -180 AND 180", name="longitude"),
        sa.CheckConstraint("security_profile BETWEEN 0 AND 3", name="security_profile"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "location_id"], ["ocpi_locations.tenant_id", "ocpi_locations.id"]
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "station_id"),
    )
    op.create_index("ix_charging_stations_station_id", "charging_stations", ["station_id"])
    op.create_index(
        "ix_charging_stations_tenant_id_location_id",
        "charging_stations",
        ["tenant_id", "location_id"],
    )
    op.create_index(
        "ix_charging_stations_tenant_id_ocpp_version_ocpp_status",
        "charging_stations",
        ["tenant_id", "ocpp_version", "ocpp_status"],
    )
    op.create_index(
        "ix_charging_stations_tenant_id_status", "charging_stations", ["tenant_id", "status"]
    )
    isolate("charging_stations", identify=True)

    op.create_table(
        "connectors",
        tenant_id(),
        row_id(),
        sa.Column("charging_station_id", sa.Uuid(), nullable=False),
        sa.Column("evse_number", sa.Integer(), nullable=False),
        sa.Column("connector_id", sa.Integer(), nullable=False),
        sa.Column("connector_type", sa.String(length=50), nullable=False),
        sa.Column("status", sa.String(length=20), server_default="UNAVAILABLE", nullable=False),
        sa.Column("error_code", sa.String(length=50), nullable=True),
        sa.Column("status_info", sa.String(length=255), nullable=True),
        sa.Column("vendor_error_code", sa.String(length=50), nullable=True),
        sa.Column("max_power", sa.Integer(), nullable=True),
        sa.Column("max_current", sa.Integer(), nullable=True),
        sa.Column("voltage", sa.Integer(), nullable=True),
        sa.Column("number_of_phases", sa.Integer(), nullable=True),
        sa.Column("tariff_id", sa.Uuid(), nullable=True),
        sa.Column("configuration", JSONB(), nullable=True),
        *stamps(),
        *edits(),
        one_of("status", "AVAILABLE", "OCCUPIED", "RESERVED", "UNAVAILABLE", "FAULTED"),
        sa.CheckConstraint("connector_id >= 1", name="connector_id"),
        sa.CheckConstraint("evse_number >= 1", name="evse_number"),
        sa.CheckConstraint("max_current >= 1", name="max_current"),
        sa.CheckConstraint("max_power >= 1", name="max_power"),
        sa.CheckConstraint("number_of_phases BETWEEN 1 AND 3", name="number_of_phases"),
        sa.CheckConstraint("voltage >= 1", name="voltage"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "charging_station_id"],
            ["charging_stations.tenant_id", "charging_stations.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id", "tariff_id"], ["tariffs.tenant_id", "tariffs.id"]),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint(
            "tenant_id",
            "charging_station_id",
            "evse_number",
            "connector_id",
            name="uq_connectors_number",
        ),
    )
    op.create_index(
        "ix_connectors_tenant_id_charging_station_id_status",
        "connectors",
        ["tenant_id", "charging_station_id", "status"],
    )
    op.create_index(
        "ix_connectors_tenant_id_connector_type", "connectors", ["tenant_id", "connector_type"]
    )
    isolate("connectors")

    op.create_table(
        "station_configuration_items",
        tenant_id(),
        row_id(),
        sa.Column("charging_station_id", sa.Uuid(), nullable=False),
        sa.Column("component", sa.String(length=255), server_default=sa.text("''"), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("readonly", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        instant("reported_at"),
        *stamps(),
        *edits(),
        sa.CheckConstraint("key <> ''", name="key"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "charging_station_id"],
            ["charging_stations.tenant_id", "charging_stations.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint(
            "tenant_id",
            "charging_station_id",
            "component",
            "key",
            name="uq_station_configuration_items_key",
        ),
    )
    isolate("station_configuration_items")


def downgrade() -> None:
    op.drop_table("station_configuration_items")
    op.drop_table("connectors")
    op.drop_table("charging_stations")
