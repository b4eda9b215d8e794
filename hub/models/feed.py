"""How far each partner has seen the feed, and what it or we would not take."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import OFTEN_UPDATED, Base, TenantOwned, TransactionId
from hub.models.partners import belongs_to_partner


class Cursor(TenantOwned, Base):
    """One partner's place in one module's feed, and how the deliveries are going.

    ``reached`` is how far it was when it was put back last, or began: what was taken back before
    that it has heard, or never had.
    """

    __tablename__ = "feed_cursors"
    __table_args__ = (
        belongs_to_partner(ondelete="CASCADE"),
        Index("uq_feed_cursors_module", "tenant_id", "partner_id", "module", unique=True),
        OFTEN_UPDATED,
    )

    partner_id: Mapped[UUID]
    module: Mapped[str] = mapped_column(String(50))
    xid: Mapped[int] = mapped_column(TransactionId, server_default=text("'0'"))
    seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    reached_xid: Mapped[int] = mapped_column(TransactionId, server_default=text("'0'"))
    reached_seq: Mapped[int] = mapped_column(BigInteger, server_default="0")
    put_back_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
    leased_by: Mapped[str | None] = mapped_column(String(64))
    delivered_at: Mapped[datetime | None]
    delivered: Mapped[int] = mapped_column(BigInteger, server_default="0")
    held_reason: Mapped[str | None] = mapped_column(String(500))
    last_error: Mapped[str | None] = mapped_column(String(1000))
    last_error_at: Mapped[datetime | None]


class Setback(TenantOwned, Base):
    """An object one partner would not take; the cursor went on without it.

    ``party`` is the receiving party (``NL*TNM``). It is settled when a later attempt succeeds, or
    by an operator's replay.
    """

    __tablename__ = "setbacks"
    __table_args__ = (
        belongs_to_partner(ondelete="CASCADE"),
        Index(
            "uq_setbacks_object",
            "tenant_id",
            "partner_id",
            "party",
            "module",
            "object_ref",
            unique=True,
        ),
        Index("ix_setbacks_open", "tenant_id", "settled_at"),
    )

    partner_id: Mapped[UUID]
    party: Mapped[str] = mapped_column(String(8))
    module: Mapped[str] = mapped_column(String(50))
    # "CC/PID/KEY", for an EVSE "CC/PID/LOCATION/EVSE".
    object_ref: Mapped[str] = mapped_column(String(200))
    http_status: Mapped[int | None]
    status_code: Mapped[int | None]
    reason: Mapped[str] = mapped_column(String(1000))
    attempts: Mapped[int] = mapped_column(server_default="1")
    next_attempt_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]


class QuarantinedObject(TenantOwned, Base):
    """An object that came with good ones and was not good: kept with the reason (TRANSPORT-14)."""

    __tablename__ = "quarantined_objects"
    __table_args__ = (
        belongs_to_partner(ondelete="CASCADE"),
        Index("ix_quarantined_objects_partner", "tenant_id", "partner_id", "created_at"),
    )

    partner_id: Mapped[UUID]
    module: Mapped[str] = mapped_column(String(50))
    kind: Mapped[str] = mapped_column(String(50))
    ocpi_version: Mapped[str] = mapped_column(String(10))
    object_ref: Mapped[str | None] = mapped_column(String(200))
    # Which door it came in by: "push", "pull" or "part of a push".
    source: Mapped[str] = mapped_column(String(20))
    # What the partner sent, as text: it need not even be JSON that we could keep otherwise.
    body: Mapped[str] = mapped_column(Text)
    # A list of {"field": "evses/2/status", "rule": "Must be one of: ..."}.
    errors: Mapped[list[Any]]
    settled_at: Mapped[datetime | None]
