"""Losses on the way in as well as on the way out."""

import sqlalchemy as sa
from alembic import op
from tenancy import opened

revision = "0026"
down_revision = "0025"

KEY = ["tenant_id", "module", "object_ref", "ocpi_version"]


def upgrade() -> None:
    op.add_column(
        "losses",
        sa.Column("direction", sa.String(length=10), server_default="WRITTEN", nullable=False),
    )
    op.create_check_constraint("direction", "losses", "direction IN ('READ', 'WRITTEN')")
    op.drop_index("uq_losses_object", "losses")
    op.create_index("uq_losses_object", "losses", [*KEY, "direction"], unique=True)


def downgrade() -> None:
    with opened("losses"):
        op.execute("delete from losses where direction = 'READ'")
    op.drop_index("uq_losses_object", "losses")
    op.create_index("uq_losses_object", "losses", KEY, unique=True)
    op.drop_column("losses", "direction")
