"""Active charging profiles of sessions at our own stations, as they are told."""

import sqlalchemy as sa
from alembic import op
from columns import instant, row_id, stamps, tenant_id
from tenancy import isolate

from hub.models.base import DocumentText, TransactionId

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.create_table(
        "active_profiles",
        tenant_id(),
        row_id(),
        sa.Column("session_id", sa.String(length=36), nullable=False),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("receiver_country_code", sa.String(length=2), nullable=False),
        sa.Column("receiver_party_id", sa.String(length=3), nullable=False),
        sa.Column("profile", DocumentText(), nullable=False),
        instant("expires_at", nullable=False),
        sa.Column(
            "changed_xid",
            TransactionId(),
            server_default=sa.text("pg_current_xact_id()"),
            nullable=False,
        ),
        sa.Column(
            "changed_seq",
            sa.BigInteger(),
            server_default=sa.text("nextval('feed_seq')"),
            nullable=False,
        ),
        *stamps(),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "session_id"),
    )
    op.create_index(
        "ix_active_profiles_feed", "active_profiles", ["tenant_id", "changed_xid", "changed_seq"]
    )
    isolate("active_profiles")


def downgrade() -> None:
    op.drop_table("active_profiles")
