"""Requests whose result comes later."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import Base, DocumentText, TenantOwned, one_of
from hub.models.objects import InFeed
from hub.models.partners import belongs_to_partner
from hub.models.values import CommandDirection, CommandState


class Command(InFeed, TenantOwned, Base):
    """A command on its way, from the caller's request to the result it gets.

    The receiver answers to a URL of the hub that ends in a random id: only its digest is kept, in
    ``callback_digest``. The caller's own ``response_url`` is encrypted and bound to this row, for
    it may carry a secret. Finishing the command moves it to the end of the feed; ``settled_at`` is
    when the caller took the result, or when that was given up.
    """

    __tablename__ = "commands"
    __table_args__ = (
        belongs_to_partner("from_partner_id", ondelete="CASCADE"),
        belongs_to_partner("to_partner_id", ondelete="CASCADE"),
        Index(
            "uq_commands_callback",
            "callback_digest",
            unique=True,
            postgresql_where=text("callback_digest IS NOT NULL"),
        ),
        Index("ix_commands_feed", "tenant_id", "changed_xid", "changed_seq"),
        Index(None, "tenant_id", "correlation_id"),
        # What is still open when its time is up.
        Index(
            "ix_commands_due",
            "tenant_id",
            "deadline_at",
            postgresql_where=text("state IN ('OPENED', 'ANSWERED')"),
        ),
        one_of("direction", CommandDirection),
        one_of("state", CommandState),
        CheckConstraint("type <> ''", name="type"),
    )

    direction: Mapped[str] = mapped_column(String(20))
    # One of ``values.CommandType``, or more: open, for 2.3.0 lets partners agree on more.
    type: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(20), server_default=CommandState.OPENED)
    from_partner_id: Mapped[UUID | None]
    to_partner_id: Mapped[UUID | None]
    from_country_code: Mapped[str | None] = mapped_column(String(2))
    from_party_id: Mapped[str | None] = mapped_column(String(3))
    to_country_code: Mapped[str | None] = mapped_column(String(2))
    to_party_id: Mapped[str | None] = mapped_column(String(3))
    # Canonical, without ``response_url``.
    request: Mapped[str] = mapped_column(DocumentText)
    response_url: Mapped[bytes | None] = mapped_column(LargeBinary)
    callback_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    correlation_id: Mapped[str | None] = mapped_column(String(64))
    deadline_at: Mapped[datetime]
    # The CommandResponse (canonical), and the result that came later.
    response: Mapped[dict[str, Any] | None]
    result: Mapped[dict[str, Any] | None]
    answered_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
