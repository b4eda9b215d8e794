"""The audit log."""

import sqlalchemy as sa
from alembic import op
from columns import instant, one_of, row_id, tenant_id
from sqlalchemy.dialects.postgresql import JSONB
from tenancy import isolate

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "audit_logs",
        tenant_id(),
        row_id(),
        instant("timestamp", nullable=False, default="clock_timestamp()"),
        sa.Column(
            "user_id",
            sa.Uuid(),
            server_default=sa.text("nullif(current_setting('hub.actor_id', true), '')::uuid"),
            nullable=True,
        ),
        sa.Column("session_id", sa.String(length=100), nullable=True),
        sa.Column("ip_address", sa.String(length=45), nullable=True),
        sa.Column("user_agent", sa.String(length=500), nullable=True),
        sa.Column("action", sa.String(length=30), nullable=False),
        sa.Column("entity_type", sa.String(length=100), nullable=True),
        sa.Column("entity_id", sa.Uuid(), nullable=True),
        sa.Column("old_values", JSONB(), nullable=True),
        sa.Column("new_values", JSONB(), nullable=True),
        sa.Column("description", sa.String(length=1000), nullable=True),
        sa.Column("severity", sa.String(length=10), server_default="LOW", nullable=True),
        sa.Column("metadata", JSONB(), nullable=True),
        one_of(
            "action",
            "CREATE",
            "READ",
            "UPDATE",
            "DELETE",
            "LOGIN",
            "LOGOUT",
            "AUTHENTICATION_FAILED",
            "AUTHORIZATION_FAILED",
            "SESSION_START",
            "SESSION_STOP",
            "COMMAND_SENT",
            "CONFIGURATION_CHANGED",
            "SYSTEM_EVENT",
            "ERROR",
            "SECURITY_EVENT",
        ),
        one_of("severity", "LOW", "MEDIUM", "HIGH", "CRITICAL"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("ix_audit_logs_tenant_id_action", "audit_logs", ["tenant_id", "action"])
    op.create_index(
        "ix_audit_logs_tenant_id_entity_type_entity_id",
        "audit_logs",
        ["tenant_id", "entity_type", "entity_id"],
    )
    op.create_index("ix_audit_logs_tenant_id_timestamp", "audit_logs", ["tenant_id", "timestamp"])
    op.create_index("ix_audit_logs_tenant_id_user_id", "audit_logs", ["tenant_id", "user_id"])
    isolate("audit_logs")


def downgrade() -> None:
    op.drop_table("audit_logs")
