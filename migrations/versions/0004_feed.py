"""How far each partner has seen the feed, and what was not taken."""

import sqlalchemy as sa
from alembic import op
from columns import instant, row_id, stamps, tenant_id
from sqlalchemy.dialects.postgresql import JSONB
from tenancy import isolate

from hub.models.base import TransactionId

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "feed_cursors",
        tenant_id(),
        row_id(),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("module", sa.String(length=50), nullable=False),
        sa.Column("xid", TransactionId(), server_default=sa.text("'0'"), nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        instant("next_attempt_at"),
        instant("leased_until"),
        sa.Column("leased_by", sa.String(length=64), nullable=True),
        instant("delivered_at"),
        sa.Column("delivered", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("held_reason", sa.String(length=500), nullable=True),
        sa.Column("last_error", sa.String(length=1000), nullable=True),
        instant("last_error_at"),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "partner_id"],
            ["ocpi_partners.tenant_id", "ocpi_partners.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index(
        "uq_feed_cursors_module", "feed_cursors", ["tenant_id", "partner_id", "module"], unique=True
    )
    isolate("feed_cursors")

    op.create_table(
        "setbacks",
        tenant_id(),
        row_id(),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("party", sa.String(length=8), nullable=False),
        sa.Column("module", sa.String(length=50), nullable=False),
        sa.Column("object_ref", sa.String(length=200), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="1", nullable=False),
        instant("next_attempt_at"),
        instant("settled_at"),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "partner_id"],
            ["ocpi_partners.tenant_id", "ocpi_partners.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("ix_setbacks_open", "setbacks", ["tenant_id", "settled_at"])
    op.create_index(
        "uq_setbacks_object",
        "setbacks",
        ["tenant_id", "partner_id", "party", "module", "object_ref"],
        unique=True,
    )
    isolate("setbacks")

    op.create_table(
        "quarantined_objects",
        tenant_id(),
        row_id(),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("module", sa.String(length=50), nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("ocpi_version", sa.String(length=10), nullable=False),
        sa.Column("object_ref", sa.String(length=200), nullable=True),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("errors", JSONB(), nullable=False),
        instant("settled_at"),
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
        "ix_quarantined_objects_partner",
        "quarantined_objects",
        ["tenant_id", "partner_id", "created_at"],
    )
    isolate("quarantined_objects")

    op.create_table(
        "losses",
        tenant_id(),
        row_id(),
        sa.Column("module", sa.String(length=50), nullable=False),
        sa.Column("object_ref", sa.String(length=200), nullable=False),
        sa.Column("ocpi_version", sa.String(length=10), nullable=False),
        sa.Column("losses", JSONB(), nullable=False),
        *stamps(),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "uq_losses_object",
        "losses",
        ["tenant_id", "module", "object_ref", "ocpi_version"],
        unique=True,
    )
    isolate("losses")


def downgrade() -> None:
    op.drop_table("losses")
    op.drop_table("quarantined_objects")
    op.drop_table("setbacks")
    op.drop_table("feed_cursors")
