"""Requests whose result comes later."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import Base, DocumentText, TenantOwned, one_of
from hub.models.objects import InFeed
from hub.models.partners import belongs_to_partner
from hub.models.values import CommandDirection, CommandState


class Command(TenantOwned, Base):
    """A command or a request for a charging profile, from the caller's request to its result.

    The receiver answers to a URL of the hub that ends in a random id: only its digest is kept, in
    ``callback_digest``. The caller's own ``response_url`` is encrypted and bound to this row, for
    it may carry a secret. The row is there before anything is sent, so whatever dies when, nothing
    is sent twice and a result finds its way.
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
        # The same request once more, while the first is under way.
        Index(
            "uq_commands_under_way",
            "tenant_id",
            "request_digest",
            unique=True,
            postgresql_where=text("state IN ('OPENED', 'ANSWERED')"),
        ),
        Index(None, "tenant_id", "request_digest"),
        # What is still open when its time is up.
        Index(
            "ix_commands_due",
            "tenant_id",
            "deadline_at",
            postgresql_where=text("state IN ('OPENED', 'ANSWERED')"),
        ),
        Index(None, "tenant_id", "subject"),
        Index(None, "tenant_id", "correlation_id"),
        Index(None, "tenant_id", "created_at"),
        one_of("direction", CommandDirection),
        one_of("state", CommandState),
        CheckConstraint("type <> ''", name="type"),
    )

    direction: Mapped[str] = mapped_column(String(20))
    module: Mapped[str] = mapped_column(String(50))
    # As OCPI names commands, or SET_, CLEAR_CHARGING_PROFILE, GET_ACTIVE_CHARGING_PROFILE: open,
    # for partners may agree on more.
    type: Mapped[str] = mapped_column(String(40))
    # The OCPI class of its result.
    result_kind: Mapped[str] = mapped_column(String(50))
    state: Mapped[str] = mapped_column(String(20), server_default=CommandState.OPENED)
    # What it is about, to be found by: "SESSION/ID", "RESERVATION/ID", "LOCATION/ID", in capitals.
    subject: Mapped[str | None] = mapped_column(String(100))
    from_partner_id: Mapped[UUID | None]
    to_partner_id: Mapped[UUID | None]
    from_country_code: Mapped[str | None] = mapped_column(String(2))
    from_party_id: Mapped[str | None] = mapped_column(String(3))
    to_country_code: Mapped[str | None] = mapped_column(String(2))
    to_party_id: Mapped[str | None] = mapped_column(String(3))
    # Canonical, without ``response_url``; what the URL says is a member as well.
    request: Mapped[str] = mapped_column(DocumentText)
    # Of everything the caller sent, ``response_url`` included; and the caller's X-Request-ID.
    request_digest: Mapped[bytes] = mapped_column(LargeBinary)
    request_id: Mapped[str | None] = mapped_column(String(64))
    response_url: Mapped[bytes | None] = mapped_column(LargeBinary)
    callback_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    correlation_id: Mapped[str | None] = mapped_column(String(64))
    # When the result is due, and until when one is still taken.
    deadline_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    # The immediate answer (canonical), or why there was none.
    response: Mapped[dict[str, Any] | None]
    error: Mapped[str | None] = mapped_column(String(500))
    answered_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class ActiveProfile(InFeed, TenantOwned, Base):
    """The charging profile that a session at our own stations is under now (CHP-04).

    It is told to ``receiver_*``, who set one before, as a state: only the latest, and only while it
    means anything.
    """

    __tablename__ = "active_profiles"
    __table_args__ = (
        UniqueConstraint("tenant_id", "session_id"),
        Index("ix_active_profiles_feed", "tenant_id", "changed_xid", "changed_seq"),
    )

    session_id: Mapped[str] = mapped_column(String(36))
    country_code: Mapped[str] = mapped_column(String(2))
    party_id: Mapped[str] = mapped_column(String(3))
    receiver_country_code: Mapped[str] = mapped_column(String(2))
    receiver_party_id: Mapped[str] = mapped_column(String(3))
    # Canonical.
    profile: Mapped[str] = mapped_column(DocumentText)
    expires_at: Mapped[datetime]


class CommandResult(InFeed, TenantOwned, Base):
    """A result of a command, in the feed of its caller.

    There may be a second one: a reservation that was made can be canceled later. ``late``: it came
    after its time. Only one that is ``told`` is passed on, until ``expires_at``; ``settled_at`` is
    when the caller had taken it.
    """

    __tablename__ = "command_results"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "command_id"], ["commands.tenant_id", "commands.id"], ondelete="CASCADE"
        ),
        Index("ix_command_results_feed", "tenant_id", "changed_xid", "changed_seq"),
        Index(None, "tenant_id", "command_id"),
    )

    command_id: Mapped[UUID]
    # Canonical.
    result: Mapped[str] = mapped_column(DocumentText)
    late: Mapped[bool] = mapped_column(server_default=text("false"))
    told: Mapped[bool] = mapped_column(server_default=text("true"))
    # The hub's own word: nothing had come in time.
    by_hub: Mapped[bool] = mapped_column(server_default=text("false"))
    expires_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
