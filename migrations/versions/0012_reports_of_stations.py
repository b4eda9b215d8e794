"""What stations report to their operators."""

import sqlalchemy as sa
from alembic import op
from columns import instant, row_id, stamps, tenant_id
from sqlalchemy.dialects.postgresql import JSONB
from tenancy import isolate

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "station_reports",
        tenant_id(),
        row_id(),
        sa.Column("charging_station_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        instant("at", nullable=False),
        sa.Column("request_id", sa.BigInteger(), nullable=True),
        sa.Column("severity", sa.Integer(), nullable=True),
        sa.Column("payload", JSONB(), nullable=False),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "charging_station_id"],
            ["charging_stations.tenant_id", "charging_stations.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "ix_station_reports_tenant_id_charging_station_id_created_at",
        "station_reports",
        ["tenant_id", "charging_station_id", "created_at"],
    )
    isolate("station_reports")


def downgrade() -> None:
    op.drop_table("station_reports")
