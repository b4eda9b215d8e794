"""Payment terminals and what was captured at them (OCPI Payments)."""

import sqlalchemy as sa
from alembic import op
from object_tables import create_object_table

revision = "0025"
down_revision = "0024"

REFERENCE = "document ->> 'authorization_reference'"


def upgrade() -> None:
    create_object_table("ocpi_terminals", private=True)
    create_object_table(
        "ocpi_financial_advice_confirmations", "authorization_reference", private=True
    )
    for table in ("ocpi_sessions", "ocpi_cdrs"):
        op.create_index(
            f"ix_{table}_authorization",
            table,
            ["tenant_id", sa.text(f"({REFERENCE})")],
            postgresql_where=sa.text(f"({REFERENCE}) IS NOT NULL"),
        )


def downgrade() -> None:
    for table in ("ocpi_sessions", "ocpi_cdrs"):
        op.drop_index(f"ix_{table}_authorization", table)
    op.drop_table("ocpi_financial_advice_confirmations")
    op.drop_table("ocpi_terminals")
