"""Pulling partners' lists: what is asked for, what came of it, and whether data flows."""

import sqlalchemy as sa
from alembic import op
from columns import instant
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"


def columns() -> tuple[sa.Column, ...]:
    return (
        instant("covered_at"),
        sa.Column("wanted_full", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        instant("wanted_from"),
        instant("missed_from"),
        sa.Column("cancelled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("result", JSONB(), nullable=True),
        instant("pushed_at"),
        instant("arrived_at"),
        sa.Column("arrivals", sa.Integer(), server_default="0", nullable=False),
        sa.Column("usual_gap", sa.Float(), nullable=True),
        instant("stale_since"),
    )


def upgrade() -> None:
    for column in columns():
        op.add_column("sync_states", column)


def downgrade() -> None:
    for column in columns():
        op.drop_column("sync_states", column.name)
