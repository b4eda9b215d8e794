"""Verdicts on CDRs, disputes about them, and CDRs that wait until they were checked."""

import sqlalchemy as sa
from alembic import op
from columns import CURRENT_ACTOR, instant, one_of, row_id, stamps, tenant_id
from sqlalchemy.dialects.postgresql import JSONB
from tenancy import isolate, opened

from hub.models.base import DocumentText, TransactionId

revision = "0016"
down_revision = "0015"

# The system roles that may do everything with CDRs.
GRANT = """
    insert into role_permissions (tenant_id, role_id, permission_id)
    select role.tenant_id, role.id, permission.id
    from roles as role, permissions as permission
    where role.name in ('Administrator', 'Operator') and role.role_type = 'SYSTEM'
    and permission.name = 'cdrs.execute'
"""


def upgrade() -> None:
    op.add_column(
        "agreements",
        sa.Column("hold", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("ocpi_cdrs", instant("held_at"))
    op.create_index(
        "ix_ocpi_cdrs_held",
        "ocpi_cdrs",
        ["tenant_id", "page_seq"],
        postgresql_where=sa.text("held_at IS NOT NULL"),
    )
    op.create_index(
        "ix_ocpi_cdrs_credits",
        "ocpi_cdrs",
        ["tenant_id", "country_code", "party_id", sa.text("upper(credit_reference_id)")],
        postgresql_where=sa.text("credit_reference_id IS NOT NULL"),
    )
    make_checks()
    make_notes()
    op.create_table(
        "cdr_check_cursors",
        tenant_id(),
        row_id(),
        sa.Column("xid", TransactionId(), server_default=sa.text("'0'"), nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default="0", nullable=False),
        *stamps(),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index("uq_cdr_check_cursors_tenant", "cdr_check_cursors", ["tenant_id"], unique=True)
    isolate("cdr_check_cursors")
    op.execute(
        "insert into permissions (name, description, resource, action, scope)"
        " values ('cdrs.execute', 'May check and release CDRs, and settle disputes about them.',"
        " 'cdrs', 'execute', 'TENANT')"
    )
    with opened("roles", "role_permissions"):
        op.execute(GRANT)


def make_checks() -> None:
    op.create_table(
        "cdr_checks",
        tenant_id(),
        row_id(),
        sa.Column("cdr_id", sa.Uuid(), nullable=False),
        sa.Column("page_seq", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("currency", sa.String(length=10), nullable=True),
        sa.Column("claimed", sa.Numeric(), nullable=True),
        sa.Column("expected", sa.Numeric(), nullable=True),
        sa.Column("difference", sa.Numeric(), nullable=True),
        sa.Column("flags", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("awaits", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("report", DocumentText(), nullable=False),
        instant("checked_at", nullable=False, default="clock_timestamp()"),
        sa.Column("dispute", sa.String(length=20), nullable=True),
        sa.Column("session_ref", sa.String(length=80), nullable=True),
        sa.Column("token_ref", sa.String(length=80), nullable=True),
        sa.Column("evse_ref", sa.String(length=80), nullable=True),
        instant("starts_at"),
        instant("ends_at"),
        *stamps(),
        one_of("verdict", "OK", "DIFFERS", "CANNOT_TELL"),
        one_of("dispute", "OPEN", "ACCEPTED", "REJECTED", "SETTLED"),
        of_cdr(),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        postgresql_with={"fillfactor": 80},
    )
    op.create_index("uq_cdr_checks_cdr", "cdr_checks", ["tenant_id", "cdr_id"], unique=True)
    op.create_index("ix_cdr_checks_verdict", "cdr_checks", ["tenant_id", "verdict", "page_seq"])
    op.create_index("ix_cdr_checks_session", "cdr_checks", ["tenant_id", "session_ref"])
    op.create_index("ix_cdr_checks_token", "cdr_checks", ["tenant_id", "token_ref", "ends_at"])
    op.create_index("ix_cdr_checks_evse", "cdr_checks", ["tenant_id", "evse_ref", "ends_at"])
    op.create_index(
        "ix_cdr_checks_awaiting",
        "cdr_checks",
        ["tenant_id"],
        postgresql_where=sa.text("awaits <> '[]'"),
    )
    op.create_index(
        "ix_cdr_checks_dispute",
        "cdr_checks",
        ["tenant_id", "dispute", "page_seq"],
        postgresql_where=sa.text("dispute IS NOT NULL"),
    )
    isolate("cdr_checks")


def make_notes() -> None:
    op.create_table(
        "cdr_notes",
        tenant_id(),
        row_id(),
        sa.Column("cdr_id", sa.Uuid(), nullable=False),
        sa.Column("dispute", sa.String(length=20), nullable=True),
        sa.Column("note", sa.String(length=1000), nullable=False),
        sa.Column("created_by", sa.Uuid(), server_default=sa.text(CURRENT_ACTOR), nullable=True),
        *stamps(),
        one_of("dispute", "OPEN", "ACCEPTED", "REJECTED", "SETTLED"),
        of_cdr(),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index("ix_cdr_notes_cdr", "cdr_notes", ["tenant_id", "cdr_id", "created_at"])
    isolate("cdr_notes")


def of_cdr() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "cdr_id"], ["ocpi_cdrs.tenant_id", "ocpi_cdrs.id"], ondelete="CASCADE"
    )


def downgrade() -> None:
    with opened("role_permissions"):
        op.execute(
            "delete from role_permissions where permission_id in"
            " (select id from permissions where name = 'cdrs.execute')"
        )
    op.execute("delete from permissions where name = 'cdrs.execute'")
    op.drop_table("cdr_check_cursors")
    op.drop_table("cdr_notes")
    op.drop_table("cdr_checks")
    op.drop_index("ix_ocpi_cdrs_credits", table_name="ocpi_cdrs")
    op.drop_index("ix_ocpi_cdrs_held", table_name="ocpi_cdrs")
    op.drop_column("ocpi_cdrs", "held_at")
    op.drop_column("agreements", "hold")
