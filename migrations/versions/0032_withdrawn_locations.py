"""Where in the feed locations were withdrawn, and how far partners were before being put back."""

import sqlalchemy as sa
from alembic import op
from columns import instant

from hub.models.base import TransactionId

revision = "0032"
down_revision = "0031"

WITHDRAWN = ("ocpi_locations", "ocpi_evses")


def upgrade() -> None:
    for table in WITHDRAWN:
        op.add_column(table, sa.Column("withdrawn_xid", TransactionId(), nullable=True))
        op.add_column(table, sa.Column("withdrawn_seq", sa.BigInteger(), nullable=True))
        op.create_index(
            f"ix_{table}_withdrawn",
            table,
            ["tenant_id", "withdrawn_xid", "withdrawn_seq"],
            postgresql_where=sa.text("withdrawn_xid IS NOT NULL"),
        )
    op.add_column(
        "feed_cursors",
        sa.Column("reached_xid", TransactionId(), server_default=sa.text("'0'"), nullable=False),
    )
    op.add_column(
        "feed_cursors",
        sa.Column("reached_seq", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.add_column("feed_cursors", instant("put_back_at"))


def downgrade() -> None:
    for column in ("put_back_at", "reached_seq", "reached_xid"):
        op.drop_column("feed_cursors", column)
    for table in reversed(WITHDRAWN):
        op.drop_index(f"ix_{table}_withdrawn", table)
        op.drop_column(table, "withdrawn_seq")
        op.drop_column(table, "withdrawn_xid")
