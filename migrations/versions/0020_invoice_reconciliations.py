"""Which CDRs an invoice covers (OCPI InvoiceReconciliation)."""

from alembic import op
from object_tables import create_object_table

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    create_object_table("ocpi_invoice_reconciliations", "invoice_id", private=True)
    op.create_index("ix_ocpi_cdrs_key", "ocpi_cdrs", ["tenant_id", "object_key"])


def downgrade() -> None:
    op.drop_index("ix_ocpi_cdrs_key", "ocpi_cdrs")
    op.drop_table("ocpi_invoice_reconciliations")
