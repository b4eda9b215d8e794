"""What the hub told a partner of itself, and what a peer hub tells of the parties behind it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

STATUSES = "'CONNECTED', 'OFFLINE', 'PLANNED', 'SUSPENDED'"


def upgrade() -> None:
    op.add_column("ocpi_partners", sa.Column("introduced", sa.LargeBinary()))
    op.add_column("ocpi_partner_roles", sa.Column("announced_status", sa.String(length=20)))
    op.create_check_constraint(
        "announced_status", "ocpi_partner_roles", f"announced_status IN ({STATUSES})"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_ocpi_partner_roles_announced_status"), "ocpi_partner_roles")
    op.drop_column("ocpi_partner_roles", "announced_status")
    op.drop_column("ocpi_partners", "introduced")
