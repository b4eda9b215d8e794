"""Charging profiles with names, firmware and logs; when own drivers' tokens were changed."""

import sqlalchemy as sa
from alembic import op
from columns import edits, instant, one_of, row_id, stamps, tenant_id
from sqlalchemy.dialects.postgresql import JSONB
from tenancy import isolate

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.add_column("tenants", instant("tokens_changed_at"))
    op.execute("CREATE SEQUENCE ocpp_request_seq")
    op.create_table(
        "charging_profile_templates",
        tenant_id(),
        row_id(),
        sa.Column(
            "number",
            sa.Integer(),
            server_default=sa.text("nextval('ocpp_profile_seq')"),
            nullable=False,
        ),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=True),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("recurrency", sa.String(length=10), nullable=True),
        sa.Column("stack_level", sa.Integer(), server_default="0", nullable=False),
        sa.Column("charging_rate_unit", sa.String(length=1), nullable=False),
        instant("start_date_time"),
        sa.Column("duration", sa.Integer(), nullable=True),
        sa.Column("min_charging_rate", sa.Numeric(precision=12, scale=1), nullable=True),
        sa.Column("periods", JSONB(), nullable=False),
        instant("valid_from"),
        instant("valid_to"),
        *stamps(),
        *edits(),
        one_of("purpose", "STATION_MAX", "TX_DEFAULT"),
        one_of("kind", "ABSOLUTE", "RECURRING", "RELATIVE"),
        one_of("recurrency", "DAILY", "WEEKLY"),
        sa.CheckConstraint("name <> ''", name="name"),
        sa.CheckConstraint("charging_rate_unit IN ('W', 'A')", name="charging_rate_unit"),
        sa.CheckConstraint("stack_level >= 0", name="stack_level"),
        sa.CheckConstraint("(kind = 'RECURRING') = (recurrency IS NOT NULL)", name="recurring"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "name"),
        sa.UniqueConstraint("tenant_id", "number"),
    )
    op.create_table(
        "applied_charging_profiles",
        tenant_id(),
        row_id(),
        sa.Column("charging_station_id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("evse_number", sa.Integer(), nullable=False),
        instant("applied_at", nullable=False),
        sa.Column("template_version", sa.BigInteger(), nullable=False),
        *stamps(),
        of_station(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "template_id"],
            ["charging_profile_templates.tenant_id", "charging_profile_templates.id"],
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint(
            "tenant_id",
            "charging_station_id",
            "template_id",
            "evse_number",
            name="uq_applied_charging_profiles_place",
        ),
    )
    op.create_index(
        "ix_applied_charging_profiles_tenant_id_template_id",
        "applied_charging_profiles",
        ["tenant_id", "template_id"],
    )
    op.create_table(
        "station_files",
        tenant_id(),
        row_id(),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        *stamps(),
        one_of("kind", "FIRMWARE", "LOG"),
        sa.CheckConstraint("name <> ''", name="name"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_table(
        "station_file_parts",
        tenant_id(),
        row_id(),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        *stamps(),
        of_file(),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "file_id", "number"),
    )
    op.create_table(
        "station_jobs",
        tenant_id(),
        row_id(),
        sa.Column("charging_station_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column(
            "request_id",
            sa.Integer(),
            server_default=sa.text("nextval('ocpp_request_seq')"),
            nullable=False,
        ),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("url_digest", sa.LargeBinary(), nullable=False),
        instant("url_expires_at", nullable=False),
        instant("url_used_at"),
        sa.Column("result", sa.String(length=40), nullable=True),
        sa.Column("status", sa.String(length=40), nullable=True),
        instant("status_at"),
        sa.Column("finished", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        *stamps(),
        one_of("kind", "FIRMWARE", "LOG"),
        of_station(),
        of_file(),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("uq_station_jobs_url", "station_jobs", ["url_digest"], unique=True)
    op.create_index(
        "ix_station_jobs_tenant_id_charging_station_id_created_at",
        "station_jobs",
        ["tenant_id", "charging_station_id", "created_at"],
    )
    for table in (
        "charging_profile_templates",
        "applied_charging_profiles",
        "station_files",
        "station_file_parts",
        "station_jobs",
    ):
        isolate(table)


def of_station() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "charging_station_id"],
        ["charging_stations.tenant_id", "charging_stations.id"],
        ondelete="CASCADE",
    )


def of_file() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "file_id"],
        ["station_files.tenant_id", "station_files.id"],
        ondelete="CASCADE",
    )


def downgrade() -> None:
    op.drop_table("station_jobs")
    op.drop_table("station_file_parts")
    op.drop_table("station_files")
    op.drop_table("applied_charging_profiles")
    op.drop_table("charging_profile_templates")
    op.execute("DROP SEQUENCE ocpp_request_seq")
    op.drop_column("tenants", "tokens_changed_at")
