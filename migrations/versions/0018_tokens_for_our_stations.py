"""What was pushed to the party of our own stations alone; when stations forgot their caches."""

import sqlalchemy as sa
from alembic import op
from columns import instant

revision = "0018"
down_revision = "0017"

TABLES = (
    *("ocpi_locations", "ocpi_evses", "tariffs", "ocpi_sessions", "ocpi_cdrs", "ocpi_tokens"),
    "ocpi_clientinfo",
)


def upgrade() -> None:
    for table in TABLES:
        op.add_column(
            table,
            sa.Column("for_us", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        )
    op.add_column("charging_stations", instant("cache_cleared_at", nullable=False, default="now()"))


def downgrade() -> None:
    op.drop_column("charging_stations", "cache_cleared_at")
    for table in TABLES:
        op.drop_column(table, "for_us")
