"""Commands that are carried out: what they are about, and every result they had."""

import sqlalchemy as sa
from alembic import op
from columns import instant, row_id, stamps, tenant_id
from sqlalchemy.dialects.postgresql import JSONB
from tenancy import isolate

from hub.models.base import DocumentText, TransactionId

revision = "0013"
down_revision = "0012"

STATES = "state IN ('OPENED', 'ANSWERED', 'REFUSED', 'UNKNOWN', 'FINISHED', 'EXPIRED')"
FORMER_STATES = "state IN ('OPENED', 'ANSWERED', 'FINISHED', 'EXPIRED')"
URLS = "kind IN ('LINK', 'LOCATION')"
FORMER_URLS = "kind IN ('RESPONSE_URL', 'LINK', 'LOCATION')"
INDEXED = ("subject", "created_at", "request_digest")
COLUMNS = (
    *("module", "result_kind", "subject", "request_digest", "request_id"),
    *("expires_at", "error"),
)


def upgrade() -> None:
    # Nothing has written commands before, so what is required needs no default.
    op.drop_index("ix_commands_feed", "commands")
    for name in ("result", "settled_at", "changed_xid", "changed_seq"):
        op.drop_column("commands", name)
    for column in (
        sa.Column("module", sa.String(length=50), nullable=False),
        sa.Column("result_kind", sa.String(length=50), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=True),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        instant("expires_at", nullable=False),
        sa.Column("error", sa.String(length=500), nullable=True),
    ):
        op.add_column("commands", column)
    replace("commands", "state", STATES)
    replace("response_routes", "kind", URLS)
    op.create_index(
        "uq_commands_under_way",
        "commands",
        ["tenant_id", "request_digest"],
        unique=True,
        postgresql_where=sa.text("state IN ('OPENED', 'ANSWERED')"),
    )
    for column in INDEXED:
        op.create_index(f"ix_commands_tenant_id_{column}", "commands", ["tenant_id", column])

    op.create_table(
        "command_results",
        tenant_id(),
        row_id(),
        sa.Column("command_id", sa.Uuid(), nullable=False),
        sa.Column("result", DocumentText(), nullable=False),
        sa.Column("late", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("told", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("by_hub", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        instant("expires_at", nullable=False),
        instant("settled_at"),
        *feed_place(),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "command_id"], ["commands.tenant_id", "commands.id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "ix_command_results_feed", "command_results", ["tenant_id", "changed_xid", "changed_seq"]
    )
    op.create_index(
        "ix_command_results_tenant_id_command_id", "command_results", ["tenant_id", "command_id"]
    )
    isolate("command_results")


def downgrade() -> None:
    op.drop_table("command_results")
    for column in INDEXED:
        op.drop_index(f"ix_commands_tenant_id_{column}", "commands")
    op.drop_index("uq_commands_under_way", "commands")
    replace("response_routes", "kind", FORMER_URLS)
    replace("commands", "state", FORMER_STATES)
    for name in COLUMNS:
        op.drop_column("commands", name)
    for column in (
        sa.Column("result", JSONB(), nullable=True),
        instant("settled_at"),
        *feed_place(),
    ):
        op.add_column("commands", column)
    op.create_index("ix_commands_feed", "commands", ["tenant_id", "changed_xid", "changed_seq"])


def feed_place() -> tuple[sa.Column, ...]:
    return (
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
    )


def replace(table: str, column: str, rule: str) -> None:
    name = op.f(f"ck_{table}_{column}")
    op.drop_constraint(name, table)
    op.create_check_constraint(name, table, rule)
