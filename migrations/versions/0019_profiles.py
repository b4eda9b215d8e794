"""How partners want to be spoken to, and what was found when they were probed."""

import sqlalchemy as sa
from alembic import op
from columns import instant
from sqlalchemy.dialects.postgresql import JSONB

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column(
        "ocpi_partners",
        sa.Column("quirks", JSONB(), server_default=sa.text("'{}'"), nullable=False),
    )
    op.add_column("ocpi_partners", sa.Column("profile", JSONB(), nullable=True))
    op.add_column("ocpi_partners", instant("probed_at"))


def downgrade() -> None:
    for column in ("probed_at", "profile", "quirks"):
        op.drop_column("ocpi_partners", column)
