"""Active charging profiles of sessions at our own stations, as they are told; hints by receiver."""

import sqlalchemy as sa
from alembic import op
from columns import instant, row_id, stamps, tenant_id
from tenancy import isolate

from hub.models.base import DocumentText, TransactionId

revision = "0024"
down_revision = "0023"

KEY = ["tenant_id", "kind", "key", "owner_country_code", "owner_party_id"]
COUNTERPART = ["counterpart_country_code", "counterpart_party_id"]


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

    # Nothing has written hints before.
    op.drop_constraint(op.f("ck_route_hints_kind"), "route_hints")
    op.create_check_constraint(
        op.f("ck_route_hints_kind"), "route_hints", "kind IN ('SESSION', 'LOCATION')"
    )
    for column in COUNTERPART:
        op.alter_column("route_hints", column, nullable=False)
    op.drop_index("uq_route_hints_key", "route_hints")
    op.create_index("uq_route_hints_key", "route_hints", [*KEY, *COUNTERPART], unique=True)


def downgrade() -> None:
    op.execute("DELETE FROM route_hints")
    op.drop_index("uq_route_hints_key", "route_hints")
    op.create_index("uq_route_hints_key", "route_hints", KEY, unique=True)
    for column in COUNTERPART:
        op.alter_column("route_hints", column, nullable=True)
    op.drop_constraint(op.f("ck_route_hints_kind"), "route_hints")
    op.create_check_constraint(
        op.f("ck_route_hints_kind"),
        "route_hints",
        "kind IN ('SESSION', 'TOKEN', 'COMMAND', 'CDR', 'RESERVATION')",
    )
    op.drop_table("active_profiles")
