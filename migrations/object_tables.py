"""Tables of OCPI objects, as migrations after the first make them."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from columns import instant, row_id, stamps, tenant_id
from tenancy import isolate

from hub.models.base import DocumentText, TransactionId


def create_object_table(name: str, *more: str, private: bool = False) -> None:
    """``more`` are members of the document that become columns, ``private`` is for one party."""
    op.create_table(
        name,
        tenant_id(),
        row_id(),
        *(from_document(member) for member in more),
        *(receiver() if private else ()),
        sa.Column("partner_id", sa.Uuid(), nullable=True),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("party_id", sa.String(length=3), nullable=False),
        sa.Column("object_key", sa.String(length=80), nullable=False),
        sa.Column("object_id", sa.String(length=39), nullable=False),
        sa.Column("document", DocumentText(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("last_updated_text", sa.String(length=40), nullable=False),
        instant("last_updated", nullable=False),
        instant("received_at", nullable=False, default="clock_timestamp()"),
        sa.Column("stamps", DocumentText(), nullable=True),
        sa.Column("same_since", sa.String(length=5), server_default="2.3.0", nullable=False),
        sa.Column("broadcast", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("for_us", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        instant("deleted_at"),
        from_sequence("page_seq", "page_seq"),
        sa.Column(
            "changed_xid",
            TransactionId(),
            server_default=sa.text("pg_current_xact_id()"),
            nullable=False,
        ),
        from_sequence("changed_seq", "feed_seq"),
        *stamps(),
        sa.ForeignKeyConstraint(
            ["tenant_id", "partner_id"], ["ocpi_partners.tenant_id", "ocpi_partners.id"]
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
    )
    create_indexes(name, private=private)
    isolate(name)


def create_indexes(name: str, *, private: bool) -> None:
    key = ["tenant_id", "country_code", "party_id", "object_key"]
    op.create_index(f"uq_{name}_object", name, key, unique=True)
    op.create_index(f"ix_{name}_feed", name, ["tenant_id", "changed_xid", "changed_seq"])
    op.create_index(f"ix_{name}_page", name, ["tenant_id", "page_seq"])
    op.create_index(f"ix_{name}_updated", name, ["tenant_id", "last_updated"])
    if private:
        found_by = ["tenant_id", "receiver_country_code", "receiver_party_id", "page_seq"]
        op.create_index(f"ix_{name}_receiver", name, found_by)


def from_document(member: str) -> sa.Column[Any]:
    computed = sa.Computed(f"document ->> '{member}'", persisted=True)
    return sa.Column(member, sa.Text(), computed, nullable=True)


def from_sequence(column: str, sequence: str) -> sa.Column[Any]:
    default = sa.text(f"nextval('{sequence}')")
    return sa.Column(column, sa.BigInteger(), server_default=default, nullable=False)


def receiver() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("receiver_country_code", sa.String(length=2), nullable=False),
        sa.Column("receiver_party_id", sa.String(length=3), nullable=False),
    )
