"""Why a transaction may have ended without a word."""

import sqlalchemy as sa
from alembic import op
from columns import instant

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("station_transactions", sa.Column("doubt", sa.String(length=100)))
    op.add_column("station_transactions", instant("doubted_at"))
    op.add_column("station_transactions", instant("doubt_due_at"))
    op.create_index(
        "ix_station_transactions_doubt",
        "station_transactions",
        ["tenant_id", "doubt_due_at"],
        postgresql_where=sa.text("doubt_due_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_station_transactions_doubt", "station_transactions")
    op.drop_column("station_transactions", "doubt_due_at")
    op.drop_column("station_transactions", "doubted_at")
    op.drop_column("station_transactions", "doubt")
