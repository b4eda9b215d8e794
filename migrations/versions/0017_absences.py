"""What is in no page of a partner's list any more."""

import sqlalchemy as sa
from alembic import op
from columns import instant, row_id, stamps, tenant_id
from tenancy import isolate

revision = "0017"
down_revision = "0016"

LISTED = ("ocpi_locations", "tariffs", "ocpi_tokens")


def upgrade() -> None:
    for table in LISTED:
        op.add_column(table, instant("listed_at"))
    op.create_table(
        "absences",
        tenant_id(),
        row_id(),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("module", sa.String(length=50), nullable=False),
        sa.Column("object_ref", sa.String(length=200), nullable=False),
        sa.Column("missed", sa.Integer(), server_default="1", nullable=False),
        instant("first_missed_at", nullable=False, default="now()"),
        instant("missed_at", nullable=False, default="now()"),
        instant("withdrawn_at"),
        sa.Column("note", sa.String(length=300), nullable=True),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "partner_id"],
            ["ocpi_partners.tenant_id", "ocpi_partners.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "uq_absences_object",
        "absences",
        ["tenant_id", "partner_id", "module", "object_ref"],
        unique=True,
    )
    isolate("absences")


def downgrade() -> None:
    op.drop_table("absences")
    for table in reversed(LISTED):
        op.drop_column(table, "listed_at")
