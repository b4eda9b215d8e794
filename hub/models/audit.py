"""Who did what, when, and what it was before and after."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import CURRENT_ACTOR, CURRENT_TENANT, Base, one_of
from hub.models.values import AuditAction, AuditSeverity


class AuditLog(Base):
    """One entry. Entries are only added: the hub's role may neither change nor delete them (T-56).

    ``old_values`` and ``new_values`` come through ``hub.audit.record``, which masks secrets and
    what identifies drivers.
    """

    __tablename__ = "audit_logs"
    __table_args__ = (
        Index(None, "tenant_id", "timestamp"),
        Index(None, "tenant_id", "entity_type", "entity_id"),
        Index(None, "tenant_id", "user_id"),
        Index(None, "tenant_id", "action"),
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
