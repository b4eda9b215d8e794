"""What all tables have in common.

Every tenant-owned row carries the tenant it belongs to as the first part of its key. Code never
sets or compares it: the default takes it from the transaction (``Database.transaction``) and a
row-level security policy hides everything else.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, MetaData, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from sqlalchemy.types import UserDefinedType

CURRENT_TENANT = "nullif(current_setting('hub.tenant_id', true), '')::uuid"
CURRENT_ACTOR = "nullif(current_setting('hub.actor_id', true), '')::uuid"

# Nothing is null, not the JSON text `null`.
OBJECT = JSONB(none_as_null=True)
# Table option: room on each page for the next version of a row that changes often.
OFTEN_UPDATED = {"postgresql_with": {"fillfactor": 80}}


class DocumentText(UserDefinedType[str]):
    """A PostgreSQL ``json`` column whose value is the text itself.

    ``json`` keeps the text byte for byte and is half the price of ``jsonb`` to write; leaving it a
    string lets a page of documents go out without being parsed.
    """

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "JSON"


class TransactionId(UserDefinedType[int]):
    """PostgreSQL ``xid8``: the 64-bit transaction id that never wraps."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "XID8"


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: OBJECT,
        list[Any]: OBJECT,
        list[str]: OBJECT,
    }
    # What the database computes is read back with the statement that made it: a session that is
    # used asynchronously cannot fetch it later by itself.
    __mapper_args__: Any = {"eager_defaults": True}


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """The column holds one of the enumeration's values, or null where it may."""
    allowed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=column)


class Stamped:
    """When a row was made and last changed, by the database's clock, in UTC."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=90)
    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.now(), onupdate=func.now(), sort_order=91
    )


class TenantOwned(Stamped):
    """A row that belongs to one tenant and is invisible to all others."""

    @declared_attr.directive
    def tenant_id(cls) -> Mapped[UUID]:
        return mapped_column(
            ForeignKey("tenants.id"),
            primary_key=True,
            server_default=text(CURRENT_TENANT),
            sort_order=-30,
        )

    id: Mapped[UUID] = mapped_column(
        primary_key=True, server_default=text("gen_random_uuid()"), sort_order=-20
    )


class Versioned:
    """A row that people change: who made it, who changed it last, and how often.

    ``version`` makes concurrent edits fail instead of overwriting each other.
    """

    created_by: Mapped[UUID | None] = mapped_column(
        server_default=text(CURRENT_ACTOR), sort_order=92
    )
    last_modified_by: Mapped[UUID | None] = mapped_column(
        server_default=text(CURRENT_ACTOR), onupdate=text(CURRENT_ACTOR), sort_order=93
    )
    version: Mapped[int] = mapped_column(BigInteger, default=1, server_default="1", sort_order=94)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.version, "eager_defaults": True}


class Audited(Versioned, TenantOwned):
    """A row of a tenant that people change."""
