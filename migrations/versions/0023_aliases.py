"""Other names of objects for 2.1.1, and finding tokens by the contract it names."""

import sqlalchemy as sa
from alembic import op
from columns import one_of, row_id, stamps, tenant_id
from tenancy import isolate

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.create_table(
        "id_aliases",
        tenant_id(),
        row_id(),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("reader", sa.String(length=10), nullable=False),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("object_key", sa.String(length=80), nullable=False),
        sa.Column("object_id", sa.String(length=80), nullable=False),
        sa.Column("written", sa.String(length=39), nullable=False),
        sa.Column("written_key", sa.String(length=50), nullable=False),
        *stamps(),
        one_of("reader", "OWNER", "OTHERS"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    op.create_index(
        "uq_id_aliases_object",
        "id_aliases",
        ["tenant_id", "kind", "reader", "country_code", "party_id", "object_key"],
        unique=True,
    )
    op.create_index(
        "uq_id_aliases_written",
        "id_aliases",
        ["tenant_id", "kind", "reader", "written_key"],
        unique=True,
    )
    isolate("id_aliases")
    op.create_index("ix_ocpi_tokens_contract", "ocpi_tokens", ["tenant_id", "contract_id"])


def downgrade() -> None:
    op.drop_index("ix_ocpi_tokens_contract", "ocpi_tokens")
    op.drop_table("id_aliases")
