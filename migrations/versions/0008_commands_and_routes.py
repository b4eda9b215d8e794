"""Commands, the ways back of answers, and how far has been pulled."""

import sqlalchemy as sa
from alembic import op
from columns import instant, one_of, row_id, stamps, tenant_id
from sqlalchemy.dialects.postgresql import JSONB
from tenancy import isolate

from hub.models.base import DocumentText, TransactionId

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "commands",
        tenant_id(),
        row_id(),
        sa.Column("direction", sa.String(length=20), nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="OPENED", nullable=False),
        sa.Column("from_partner_id", sa.Uuid(), nullable=True),
        sa.Column("to_partner_id", sa.Uuid(), nullable=True),
        sa.Column("from_country_code", sa.String(length=2), nullable=True),
        sa.Column("from_party_id", sa.String(length=3), nullable=True),
        sa.Column("to_country_code", sa.String(length=2), nullable=True),
        sa.Column("to_party_id", sa.String(length=3), nullable=True),
        sa.Column("request", DocumentText(), nullable=False),
        sa.Column("response_url", sa.LargeBinary(), nullable=True),
        sa.Column("callback_digest", sa.LargeBinary(), nullable=True),
        sa.Column("correlation_id", sa.String(length=64), nullable=True),
        instant("deadline_at", nullable=False),
        sa.Column("response", JSONB(), nullable=True),
        sa.Column("result", JSONB(), nullable=True),
        instant("answered_at"),
        instant("finished_at"),
        instant("settled_at"),
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
        one_of("direction", "FORWARDED", "LOCAL", "ISSUED"),
        one_of("state", "OPENED", "ANSWERED", "FINISHED", "EXPIRED"),
        sa.CheckConstraint("type <> ''", name="type"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "from_partner_id"],
            ["ocpi_partners.tenant_id", "ocpi_partners.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "to_partner_id"],
            ["ocpi_partners.tenant_id", "ocpi_partners.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "ix_commands_due",
        "commands",
        ["tenant_id", "deadline_at"],
        postgresql_where=sa.text("state IN ('OPENED', 'ANSWERED')"),
    )
    op.create_index("ix_commands_feed", "commands", ["tenant_id", "changed_xid", "changed_seq"])
    op.create_index(
        "ix_commands_tenant_id_correlation_id", "commands", ["tenant_id", "correlation_id"]
    )
    op.create_index(
        "uq_commands_callback",
        "commands",
        ["callback_digest"],
        unique=True,
        postgresql_where=sa.text("callback_digest IS NOT NULL"),
    )
    isolate("commands")

    op.create_table(
        "route_hints",
        tenant_id(),
        row_id(),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=80), nullable=False),
        sa.Column("owner_country_code", sa.String(length=2), nullable=False),
        sa.Column("owner_party_id", sa.String(length=3), nullable=False),
        sa.Column("counterpart_country_code", sa.String(length=2), nullable=True),
        sa.Column("counterpart_party_id", sa.String(length=3), nullable=True),
        instant("expires_at", nullable=False),
        *stamps(),
        one_of("kind", "SESSION", "TOKEN", "COMMAND", "CDR", "RESERVATION"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "ix_route_hints_tenant_id_expires_at", "route_hints", ["tenant_id", "expires_at"]
    )
    op.create_index(
        "uq_route_hints_key",
        "route_hints",
        ["tenant_id", "kind", "key", "owner_country_code", "owner_party_id"],
        unique=True,
    )
    isolate("route_hints")

    op.create_table(
        "response_routes",
        tenant_id(),
        row_id(),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("module", sa.String(length=50), nullable=False),
        sa.Column("target_url", sa.LargeBinary(), nullable=False),
        sa.Column("from_partner_id", sa.Uuid(), nullable=False),
        sa.Column("to_partner_id", sa.Uuid(), nullable=False),
        sa.Column("from_country_code", sa.String(length=2), nullable=True),
        sa.Column("from_party_id", sa.String(length=3), nullable=True),
        sa.Column("to_country_code", sa.String(length=2), nullable=True),
        sa.Column("to_party_id", sa.String(length=3), nullable=True),
        sa.Column("correlation_id", sa.String(length=64), nullable=True),
        sa.Column("details", JSONB(), nullable=True),
        instant("expires_at", nullable=False),
        instant("used_at"),
        *stamps(),
        one_of("kind", "RESPONSE_URL", "LINK", "LOCATION"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "from_partner_id"],
            ["ocpi_partners.tenant_id", "ocpi_partners.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "to_partner_id"],
            ["ocpi_partners.tenant_id", "ocpi_partners.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "ix_response_routes_tenant_id_expires_at", "response_routes", ["tenant_id", "expires_at"]
    )
    op.create_index("uq_response_routes_digest", "response_routes", ["digest"], unique=True)
    isolate("response_routes")

    op.create_table(
        "sync_states",
        tenant_id(),
        row_id(),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("module", sa.String(length=50), nullable=False),
        instant("full_at"),
        instant("delta_at"),
        instant("started_at"),
        sa.Column("next_url", sa.Text(), nullable=True),
        sa.Column("progress", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        instant("next_attempt_at"),
        instant("leased_until"),
        sa.Column("leased_by", sa.String(length=64), nullable=True),
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
    )
    op.create_index(
        "uq_sync_states_module", "sync_states", ["tenant_id", "partner_id", "module"], unique=True
    )
    isolate("sync_states")


def downgrade() -> None:
    op.drop_table("sync_states")
    op.drop_table("response_routes")
    op.drop_table("route_hints")
    op.drop_table("commands")
