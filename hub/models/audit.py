"""Who did what, when, and what it was before and after; and what proves that nobody changed it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import CURRENT_ACTOR, CURRENT_TENANT, Base, TransactionId, one_of
from hub.models.objects import InFeed
from hub.models.values import AuditAction, AuditSeverity


class AuditLog(InFeed, Base):
    """One entry. Entries are only added: the hub's role may neither change nor delete them (T-56).

    ``old_values`` and ``new_values`` come through ``hub.audit.record``, which masks secrets and
    what identifies drivers. Their place in the feed is the order in which they are sealed.
    """

    __tablename__ = "audit_logs"
    __table_args__ = (
        Index(None, "tenant_id", "timestamp"),
        Index(None, "tenant_id", "entity_type", "entity_id"),
        Index(None, "tenant_id", "user_id"),
        Index(None, "tenant_id", "action"),
        Index("ix_audit_logs_feed", "tenant_id", "changed_xid", "changed_seq"),
        one_of("action", AuditAction),
        one_of("severity", AuditSeverity),
    )

    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("tenants.id"), primary_key=True, server_default=text(CURRENT_TENANT)
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    timestamp: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    user_id: Mapped[UUID | None] = mapped_column(server_default=text(CURRENT_ACTOR))
    session_id: Mapped[str | None] = mapped_column(String(100))
    ip_address: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str | None] = mapped_column(String(500))
    action: Mapped[str] = mapped_column(String(30))
    entity_type: Mapped[str | None] = mapped_column(String(100))
    entity_id: Mapped[UUID | None]
    old_values: Mapped[dict[str, Any] | None]
    new_values: Mapped[dict[str, Any] | None]
    description: Mapped[str | None] = mapped_column(String(1000))
    severity: Mapped[str | None] = mapped_column(String(10), server_default=AuditSeverity.LOW)
    # The column is called ``metadata``; SQLAlchemy keeps that name for itself.
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata")


class AuditSegment(Base):
    """A stretch of the audit log, sealed: the links of a chain, one after the other (T-56).

    ``marks`` are the id and the digest of every entry, ``content`` is the digest of these. ``xid``
    and ``seq`` are where the stretch ends. ``digest`` chains it to the one before, ``seal`` is
    that, keyed: who can write the table but has not the key cannot make another chain. Entries
    that were kept long enough go and take their marks with them; the links stay.
    """

    __tablename__ = "audit_segments"

    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("tenants.id"), primary_key=True, server_default=text(CURRENT_TENANT)
    )
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entries: Mapped[int]
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    xid: Mapped[int] = mapped_column(TransactionId)
    seq: Mapped[int] = mapped_column(BigInteger)
    marks: Mapped[bytes | None] = mapped_column(LargeBinary)
    content: Mapped[bytes] = mapped_column(LargeBinary)
    previous: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    seal: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(30))
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    purged_at: Mapped[datetime | None]
