"""What almost every table begins and ends with. To change it is to change history: add instead."""

import sqlalchemy as sa
from tenancy import CURRENT_TENANT

CURRENT_ACTOR = "nullif(current_setting('hub.actor_id', true), '')::uuid"


def tenant_id() -> sa.Column:
    return sa.Column("tenant_id", sa.Uuid(), server_default=sa.text(CURRENT_TENANT), nullable=False)


def row_id() -> sa.Column:
    return sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)


def instant(name: str, *, nullable: bool = True, default: str | None = None) -> sa.Column:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        server_default=sa.text(default) if default else None,
        nullable=nullable,
    )


def stamps() -> tuple[sa.Column, ...]:
    return (
        instant("created_at", nullable=False, default="now()"),
        instant("updated_at", nullable=False, default="now()"),
    )


def edits() -> tuple[sa.Column, ...]:
    """Who made and changed a row that people change, and how often they did."""
    actor = sa.text(CURRENT_ACTOR)
    return (
        sa.Column("created_by", sa.Uuid(), server_default=actor, nullable=True),
        sa.Column("last_modified_by", sa.Uuid(), server_default=actor, nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
    )


def one_of(column: str, *values: str) -> sa.CheckConstraint:
    allowed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({allowed})", name=column)
