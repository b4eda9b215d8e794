"""What the hub found out about CDRs: verdicts, and what people wrote beside them.

Never part of a CDR, which is final: these rows lie beside it.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, Numeric, String, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import (
    CURRENT_ACTOR,
    OFTEN_UPDATED,
    Base,
    DocumentText,
    TenantOwned,
    TransactionId,
    one_of,
)
from hub.models.values import CDRVerdict, Dispute


def of_cdr() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["tenant_id", "cdr_id"], ["ocpi_cdrs.tenant_id", "ocpi_cdrs.id"], ondelete="CASCADE"
    )


class CDRCheck(TenantOwned, Base):
    """The verdict on one CDR, with everything that led to it.

    ``claimed`` and ``expected`` are the total cost before taxes, null where it is not known.
    ``awaits`` names what was missing, as "tariffs/NL/ONE/12": when it comes, the CDR is checked
    again. The ``*_ref`` and times are what other CDRs are compared by: "CC/PID/KEY", in capitals.
    """

    __tablename__ = "cdr_checks"
    __table_args__ = (
        of_cdr(),
        Index("uq_cdr_checks_cdr", "tenant_id", "cdr_id", unique=True),
        Index("ix_cdr_checks_verdict", "tenant_id", "verdict", "page_seq"),
        Index("ix_cdr_checks_session", "tenant_id", "session_ref"),
        Index("ix_cdr_checks_token", "tenant_id", "token_ref", "ends_at"),
        Index("ix_cdr_checks_evse", "tenant_id", "evse_ref", "ends_at"),
        Index("ix_cdr_checks_awaiting", "tenant_id", postgresql_where=text("awaits <> '[]'")),
        Index(
            "ix_cdr_checks_dispute",
            "tenant_id",
            "dispute",
            "page_seq",
            postgresql_where=text("dispute IS NOT NULL"),
        ),
        one_of("verdict", CDRVerdict),
        one_of("dispute", Dispute),
        OFTEN_UPDATED,
    )

    cdr_id: Mapped[UUID]
    # The CDR's own, so that lists by verdict have its order.
    page_seq: Mapped[int] = mapped_column(BigInteger)
    verdict: Mapped[str] = mapped_column(String(20))
    currency: Mapped[str | None] = mapped_column(String(10))
    claimed: Mapped[Decimal | None] = mapped_column(Numeric)
    expected: Mapped[Decimal | None] = mapped_column(Numeric)
    difference: Mapped[Decimal | None] = mapped_column(Numeric)
    flags: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    awaits: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    report: Mapped[str] = mapped_column(DocumentText)
    checked_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    dispute: Mapped[str | None] = mapped_column(String(20))
    session_ref: Mapped[str | None] = mapped_column(String(80))
    token_ref: Mapped[str | None] = mapped_column(String(80))
    evse_ref: Mapped[str | None] = mapped_column(String(80))
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]


class CDRNote(TenantOwned, Base):
    """What somebody wrote beside a CDR; with a ``dispute``, the state it brought the dispute to.

    Notes are only added. ``created_by`` is null where the hub itself wrote.
    """

    __tablename__ = "cdr_notes"
    __table_args__ = (
        of_cdr(),
        Index("ix_cdr_notes_cdr", "tenant_id", "cdr_id", "created_at"),
        one_of("dispute", Dispute),
    )

    cdr_id: Mapped[UUID]
    dispute: Mapped[str | None] = mapped_column(String(20))
    note: Mapped[str] = mapped_column(String(1000))
    created_by: Mapped[UUID | None] = mapped_column(server_default=text(CURRENT_ACTOR))


class CheckCursor(TenantOwned, Base):
    """The place in the feed up to which a tenant's CDRs have been checked: one row a tenant."""

    __tablename__ = "cdr_check_cursors"
    __table_args__: Any = (
        Index("uq_cdr_check_cursors_tenant", "tenant_id", unique=True),
        OFTEN_UPDATED,
    )

    xid: Mapped[int] = mapped_column(TransactionId, server_default=text("'0'"))
    seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
