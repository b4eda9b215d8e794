"""Partners: the platforms that connect, their parties, endpoints and tokens."""

import sqlalchemy as sa
from alembic import op
from columns import edits, instant, one_of, row_id, stamps, tenant_id
from sqlalchemy.dialects.postgresql import JSONB
from tenancy import isolate

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "ocpi_partners",
        tenant_id(),
        row_id(),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column(
            "status", sa.String(length=30), server_default="PENDING_VERIFICATION", nullable=False
        ),
        sa.Column(
            "connection_status", sa.String(length=20), server_default="PLANNED", nullable=False
        ),
        instant("connection_changed_at", nullable=False, default="now()"),
        sa.Column("business_details", JSONB(), nullable=True),
        sa.Column("versions_url", sa.String(length=500), nullable=True),
        sa.Column("credentials_url", sa.String(length=500), nullable=True),
        sa.Column("ocpi_version", sa.String(length=10), nullable=True),
        sa.Column("hub_party_id", sa.String(length=5), nullable=True),
        sa.Column("token_to_send", sa.LargeBinary(), nullable=True),
        sa.Column("previous_token_to_send", sa.LargeBinary(), nullable=True),
        sa.Column("token_form_sent", sa.String(length=10), nullable=True),
        sa.Column("token_form_seen", sa.String(length=10), nullable=True),
        instant("last_seen_at"),
        instant("connected_at"),
        instant("last_synced_at"),
        sa.Column("sync_frequency_minutes", sa.Integer(), nullable=True),
        sa.Column("configuration", JSONB(), server_default=sa.text("'{}'"), nullable=False),
        *stamps(),
        *edits(),
        one_of("connection_status", "CONNECTED", "OFFLINE", "PLANNED", "SUSPENDED"),
        sa.CheckConstraint("name <> ''", name="name"),
        one_of("status", "PENDING_VERIFICATION", "ACTIVE", "INACTIVE", "SUSPENDED", "BLOCKED"),
        sa.CheckConstraint("sync_frequency_minutes > 0", name="sync_frequency_minutes"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("ix_ocpi_partners_status", "ocpi_partners", ["tenant_id", "status"])
    isolate("ocpi_partners", identify=True)

    op.create_table(
        "ocpi_partner_roles",
        tenant_id(),
        row_id(),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("business_details", JSONB(), nullable=True),
        sa.Column("approved", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("declared", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        *stamps(),
        *edits(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "partner_id"],
            ["ocpi_partners.tenant_id", "ocpi_partners.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "ix_ocpi_partner_roles_partner", "ocpi_partner_roles", ["tenant_id", "partner_id"]
    )
    op.create_index(
        "uq_ocpi_partner_roles_party",
        "ocpi_partner_roles",
        ["tenant_id", "country_code", "party_id", "role"],
        unique=True,
    )
    isolate("ocpi_partner_roles")

    op.create_table(
        "ocpi_partner_endpoints",
        tenant_id(),
        row_id(),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("identifier", sa.String(length=50), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        *stamps(),
        one_of("role", "SENDER", "RECEIVER"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "partner_id"],
            ["ocpi_partners.tenant_id", "ocpi_partners.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "uq_ocpi_partner_endpoints_identifier",
        "ocpi_partner_endpoints",
        ["tenant_id", "partner_id", "identifier", "role"],
        unique=True,
    )
    isolate("ocpi_partner_endpoints")

    op.create_table(
        "ocpi_partner_tokens",
        tenant_id(),
        row_id(),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=30), nullable=False),
        sa.Column("kind", sa.String(length=1), nullable=False),
        sa.Column("hint", sa.String(length=8), nullable=False),
        instant("first_used_at"),
        instant("expires_at"),
        *stamps(),
        sa.CheckConstraint("kind in ('A', 'C')", name="kind"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "partner_id"],
            ["ocpi_partners.tenant_id", "ocpi_partners.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "ix_ocpi_partner_tokens_partner", "ocpi_partner_tokens", ["tenant_id", "partner_id"]
    )
    op.create_index("uq_ocpi_partner_tokens_digest", "ocpi_partner_tokens", ["digest"], unique=True)
    isolate("ocpi_partner_tokens", identify=True)

    op.create_table(
        "handshake_traces",
        tenant_id(),
        row_id(),
        sa.Column("partner_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=True),
        sa.Column("steps", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        instant("finished_at"),
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
        "ix_handshake_traces_partner", "handshake_traces", ["tenant_id", "partner_id", "created_at"]
    )
    isolate("handshake_traces")

    op.create_table(
        "agreements",
        tenant_id(),
        row_id(),
        sa.Column("from_country_code", sa.String(length=2), nullable=True),
        sa.Column("from_party_id", sa.String(length=3), nullable=True),
        sa.Column("to_country_code", sa.String(length=2), nullable=True),
        sa.Column("to_party_id", sa.String(length=3), nullable=True),
        sa.Column("module", sa.String(length=50), nullable=True),
        sa.Column("effect", sa.String(length=10), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=True),
        *stamps(),
        *edits(),
        sa.CheckConstraint("effect in ('ALLOW', 'BLOCK')", name="effect"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "uq_agreements_parties",
        "agreements",
        [
            "tenant_id",
            "from_country_code",
            "from_party_id",
            "to_country_code",
            "to_party_id",
            "module",
        ],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    isolate("agreements")


def downgrade() -> None:
    op.drop_table("agreements")
    op.drop_table("handshake_traces")
    op.drop_table("ocpi_partner_tokens")
    op.drop_table("ocpi_partner_endpoints")
    op.drop_table("ocpi_partner_roles")
    op.drop_table("ocpi_partners")
