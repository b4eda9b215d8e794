"""Partners: the platforms that connect over OCPI, the parties they host, and what is agreed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.models.base import Audited, Base, TenantOwned, one_of
from hub.models.values import ConnectionStatus, InterfaceRole, PartnerStatus


def belongs_to_partner(column: str = "partner_id", **options: Any) -> ForeignKeyConstraint:
    """The composite key to a partner: tenant first, as everywhere."""
    return ForeignKeyConstraint(
        ["tenant_id", column], ["ocpi_partners.tenant_id", "ocpi_partners.id"], **options
    )


class Partner(Audited, Base):
    """One connected platform. It speaks one version and hosts one or more parties."""

    __tablename__ = "ocpi_partners"
    __table_args__ = (
        Index("ix_ocpi_partners_status", "tenant_id", "status"),
        one_of("status", PartnerStatus),
        one_of("connection_status", ConnectionStatus),
        CheckConstraint("name <> ''", name="name"),
        CheckConstraint("sync_frequency_minutes > 0", name="sync_frequency_minutes"),
    )

    name: Mapped[str] = mapped_column(String(255))
    status: Mapped[str] = mapped_column(
        String(30), server_default=PartnerStatus.PENDING_VERIFICATION
    )
    connection_status: Mapped[str] = mapped_column(
        String(20), server_default=ConnectionStatus.PLANNED
    )
    connection_changed_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    business_details: Mapped[dict[str, Any] | None]
    versions_url: Mapped[str | None] = mapped_column(String(500))
    credentials_url: Mapped[str | None] = mapped_column(String(500))
    ocpi_version: Mapped[str | None] = mapped_column(String(10))
    hub_party_id: Mapped[str | None] = mapped_column(String(5))
    # The token we send to them: encrypted and bound to this row.
    token_to_send: Mapped[bytes | None] = mapped_column(LargeBinary)
    # The one before it, until a renewal is known to have reached the other side (CRED-21).
    previous_token_to_send: Mapped[bytes | None] = mapped_column(LargeBinary)
    # How they want it written ("base64" or "raw"), and how they write theirs (TRANSPORT-34, -35).
    token_form_sent: Mapped[str | None] = mapped_column(String(10))
    token_form_seen: Mapped[str | None] = mapped_column(String(10))
    last_seen_at: Mapped[datetime | None]
    # The last exchange of credentials, and the fingerprint of what we said of ourselves in it.
    connected_at: Mapped[datetime | None]
    introduced: Mapped[bytes | None] = mapped_column(LargeBinary)
    last_synced_at: Mapped[datetime | None]
    # How it wants to be spoken to, as a probe found (``roaming.quirks``); the probe's whole report
    # and when it began. The report is long and read for people only.
    quirks: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    profile: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    probed_at: Mapped[datetime | None]
    sync_frequency_minutes: Mapped[int | None]
    # What is agreed: auto_sync_enabled, supported_modules, rate_limits, allowed_origins,
    # custom_settings, credentials_update_minutes, and delivery, which is "catch_up" or "live_only".
    configuration: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class PartnerRole(Audited, Base):
    """A party on a partner's platform, in one role.

    ``approved`` is what the operator bound to the invitation; ``declared`` is what the platform
    itself said in its credentials. Only a role that is both may speak. ``announced_status`` is what
    a peer hub said of a party behind it, in HubClientInfo.
    """

    __tablename__ = "ocpi_partner_roles"
    __table_args__ = (
        belongs_to_partner(ondelete="CASCADE"),
        # A party plays a role in one place only: nobody can take over somebody else's (CRED-24).
        Index(
            "uq_ocpi_partner_roles_party",
            "tenant_id",
            "country_code",
            "party_id",
            "role",
            unique=True,
        ),
        Index("ix_ocpi_partner_roles_partner", "tenant_id", "partner_id"),
        one_of("announced_status", ConnectionStatus),
    )

    partner_id: Mapped[UUID]
    country_code: Mapped[str] = mapped_column(String(2))
    party_id: Mapped[str] = mapped_column(String(3))
    role: Mapped[str] = mapped_column(String(10))
    business_details: Mapped[dict[str, Any] | None]
    approved: Mapped[bool] = mapped_column(server_default=text("false"))
    declared: Mapped[bool] = mapped_column(server_default=text("false"))
    announced_status: Mapped[str | None] = mapped_column(String(20))


class PartnerEndpoint(TenantOwned, Base):
    """Where a partner serves a module, as its version details said."""

    __tablename__ = "ocpi_partner_endpoints"
    __table_args__ = (
        belongs_to_partner(ondelete="CASCADE"),
        Index(
            "uq_ocpi_partner_endpoints_identifier",
            "tenant_id",
            "partner_id",
            "identifier",
            "role",
            unique=True,
        ),
        one_of("role", InterfaceRole),
    )

    partner_id: Mapped[UUID]
    identifier: Mapped[str] = mapped_column(String(50))
    role: Mapped[str] = mapped_column(String(10))
    url: Mapped[str] = mapped_column(String(500))


class PartnerToken(TenantOwned, Base):
    """A token a partner sends to us, kept as a keyed digest only.

    ``kind`` is ``A`` for an invitation and ``C`` for a registered partner. During a renewal two C
    tokens are valid: the old one until the new one is first seen, or ``expires_at`` (CRED-21).
    """

    __tablename__ = "ocpi_partner_tokens"
    __table_args__ = (
        belongs_to_partner(ondelete="CASCADE"),
        Index("uq_ocpi_partner_tokens_digest", "digest", unique=True),
        Index("ix_ocpi_partner_tokens_partner", "tenant_id", "partner_id"),
        CheckConstraint("kind in ('A', 'C')", name="kind"),
    )

    partner_id: Mapped[UUID]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(30))
    kind: Mapped[str] = mapped_column(String(1))
    hint: Mapped[str] = mapped_column(String(8))
    first_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


class HandshakeTrace(TenantOwned, Base):
    """Every step of one handshake: what was asked, what was answered, why it failed.

    ``steps`` is a list of ``{"at", "step", "method", "url", "http_status", "status_code",
    "message", "detail"}``; tokens never appear in it.
    """

    __tablename__ = "handshake_traces"
    __table_args__ = (
        belongs_to_partner(ondelete="CASCADE"),
        Index("ix_handshake_traces_partner", "tenant_id", "partner_id", "created_at"),
    )

    partner_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(20))
    outcome: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(1000))
    steps: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    finished_at: Mapped[datetime | None]


class Agreement(Audited, Base):
    """Who may see and reach whom. Null stands for "any"; the most specific row decides (HUB-52).

    ``from_*`` is the party whose data or request it is, ``to_*`` the party that would get it.
    """

    __tablename__ = "agreements"
    __table_args__ = (
        CheckConstraint("effect in ('ALLOW', 'BLOCK')", name="effect"),
        Index(
            "uq_agreements_parties",
            "tenant_id",
            "from_country_code",
            "from_party_id",
            "to_country_code",
            "to_party_id",
            "module",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )

    from_country_code: Mapped[str | None] = mapped_column(String(2))
    from_party_id: Mapped[str | None] = mapped_column(String(3))
    to_country_code: Mapped[str | None] = mapped_column(String(2))
    to_party_id: Mapped[str | None] = mapped_column(String(3))
    module: Mapped[str | None] = mapped_column(String(50))
    effect: Mapped[str] = mapped_column(String(10))
    # CDRs wait until the hub has checked them, and those that are not right until somebody decides.
    hold: Mapped[bool] = mapped_column(server_default=text("false"))
    note: Mapped[str | None] = mapped_column(String(500))
