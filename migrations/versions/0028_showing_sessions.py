"""When OCPI is to be told of a running session."""

import sqlalchemy as sa
from alembic import op
from columns import instant

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.add_column("station_transactions", instant("shown_at"))
    op.add_column("station_transactions", instant("show_due_at"))
    op.create_index(
        "ix_station_transactions_show",
        "station_transactions",
        ["tenant_id", "show_due_at"],
        postgresql_where=sa.text("show_due_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_station_transactions_show", "station_transactions")
    op.drop_column("station_transactions", "show_due_at")
    op.drop_column("station_transactions", "shown_at")
