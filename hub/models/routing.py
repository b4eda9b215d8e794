"""What the hub remembers in order to find the way again, and how far it has pulled."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import Base, TenantOwned, one_of
from hub.models.partners import belongs_to_partner
from hub.models.values import RewrittenURL, RouteKind


class RouteHint(TenantOwned, Base):
    """Whose something is that went through the hub without being kept.

    ``owner_*`` is the party that pushed it, ``counterpart_*`` the one it was for.
    """

    __tablename__ = "route_hints"
    __table_args__ = (
        Index(
            "uq_route_hints_key",
            "tenant_id",
            "kind",
            "key",
            "owner_country_code",
            "owner_party_id",
            "counterpart_country_code",
            "counterpart_party_id",
            unique=True,
        ),
        Index(None, "tenant_id", "expires_at"),
        one_of("kind", RouteKind),
    )

    kind: Mapped[str] = mapped_column(String(20))
    # The id in upper case (CiString).
    key: Mapped[str] = mapped_column(String(80))
    owner_country_code: Mapped[str] = mapped_column(String(2))
    owner_party_id: Mapped[str] = mapped_column(String(3))
    counterpart_country_code: Mapped[str] = mapped_column(String(2))
    counterpart_party_id: Mapped[str] = mapped_column(String(3))
    expires_at: Mapped[datetime]


class ResponseRoute(TenantOwned, Base):
    """Where a URL of the hub leads that stands for one of a partner's (T-33).

    The partner sees a random id; its digest is kept here. Only ``from_partner_id`` may use it, the
    partner to whom the rewritten URL was given; ``to_partner_id`` is whose server ``target_url``
    is, encrypted and bound to this row.
    """

    __tablename__ = "response_routes"
    __table_args__ = (
        belongs_to_partner("from_partner_id", ondelete="CASCADE"),
        belongs_to_partner("to_partner_id", ondelete="CASCADE"),
        Index("uq_response_routes_digest", "digest", unique=True),
        Index(None, "tenant_id", "expires_at"),
        one_of("kind", RewrittenURL),
    )

    digest: Mapped[bytes] = mapped_column(LargeBinary)
    kind: Mapped[str] = mapped_column(String(20))
    module: Mapped[str] = mapped_column(String(50))
    target_url: Mapped[bytes] = mapped_column(LargeBinary)
    from_partner_id: Mapped[UUID]
    to_partner_id: Mapped[UUID]
    from_country_code: Mapped[str | None] = mapped_column(String(2))
    from_party_id: Mapped[str | None] = mapped_column(String(3))
    to_country_code: Mapped[str | None] = mapped_column(String(2))
    to_party_id: Mapped[str | None] = mapped_column(String(3))
    correlation_id: Mapped[str | None] = mapped_column(String(64))
    # What else is needed to pass the answer on, by kind.
    details: Mapped[dict[str, Any] | None]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


def url_place(route_id: UUID) -> str:
    """What the encryption of a ``target_url`` is bound to."""
    return f"response_routes:{route_id}"


class SyncState(TenantOwned, Base):
    """How far the hub has pulled a partner's module, and whether its data flows.

    While a run is under way, ``started_at`` is when it began, ``next_url`` what comes next and
    ``progress`` all else that is needed to go on with it elsewhere; ``result`` is the last run that
    ended. ``roaming.sync_states`` has the rules.
    """

    __tablename__ = "sync_states"
    __table_args__ = (
        belongs_to_partner(ondelete="CASCADE"),
        Index("uq_sync_states_module", "tenant_id", "partner_id", "module", unique=True),
    )

    partner_id: Mapped[UUID]
    module: Mapped[str] = mapped_column(String(50))
    # When the last complete pull of everything, or of what had changed, was begun.
    full_at: Mapped[datetime | None]
    delta_at: Mapped[datetime | None]
    # Up to when nothing can have been missed: pushes were taken in, or it was pulled since.
    covered_at: Mapped[datetime | None]
    # What somebody asked for besides: everything, or what changed since then; and from when on
    # something is known to be missing, because a PATCH spoke of it.
    wanted_full: Mapped[bool] = mapped_column(server_default=text("false"))
    wanted_from: Mapped[datetime | None]
    missed_from: Mapped[datetime | None]
    # A pull under way: when it began, which link comes next, how far it is.
    started_at: Mapped[datetime | None]
    next_url: Mapped[str | None] = mapped_column(Text)
    progress: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    cancelled: Mapped[bool] = mapped_column(server_default=text("false"))
    result: Mapped[dict[str, Any] | None]
    # When the partner last pushed something of this module; when anything new came, pushed or
    # pulled, how often that was, and after how long a silence at most, in seconds.
    pushed_at: Mapped[datetime | None]
    arrived_at: Mapped[datetime | None]
    arrivals: Mapped[int] = mapped_column(server_default="0")
    usual_gap: Mapped[float | None]
    stale_since: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(server_default="0")
    next_attempt_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
    leased_by: Mapped[str | None] = mapped_column(String(64))
    last_error: Mapped[str | None] = mapped_column(String(1000))
    last_error_at: Mapped[datetime | None]


class Absence(TenantOwned, Base):
    """An object of a partner's that is in no page of its list any more (TRANSPORT-64).

    ``missed`` counts the complete pulls in a row that did not find it, the first and the last at
    those times. The row goes when the object is listed again.
    """

    __tablename__ = "absences"
    __table_args__ = (
        belongs_to_partner(ondelete="CASCADE"),
        Index("uq_absences_object", "tenant_id", "partner_id", "module", "object_ref", unique=True),
    )

    partner_id: Mapped[UUID]
    module: Mapped[str] = mapped_column(String(50))
    # "CC/PID/KEY"; for a token the key is ``UID/TYPE``.
    object_ref: Mapped[str] = mapped_column(String(200))
    missed: Mapped[int] = mapped_column(server_default="1")
    first_missed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    missed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    withdrawn_at: Mapped[datetime | None]
    # Why it was not withdrawn, where it was not.
    note: Mapped[str | None] = mapped_column(String(300))
