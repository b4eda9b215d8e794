"""Tenants, the people and programs that act for them, and what those may do."""

from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hub.models.base import (
    CURRENT_TENANT,
    OBJECT,
    Audited,
    Base,
    Stamped,
    Versioned,
    one_of,
)
from hub.models.values import (
    AuthProvider,
    Party,
    PermissionScope,
    RoleType,
    TenantStatus,
    TenantType,
    UserStatus,
    UserType,
)


class TenantSettings(TypedDict, total=False):
    timezone: str
    default_currency: str
    default_language: str
    features: dict[str, Any]
    custom_properties: dict[str, Any]


class BillingConfiguration(TypedDict, total=False):
    currency: str
    company_name: str
    billing_address: str
    vat_number: str
    payment_terms_days: int
    invoice_email: str
    custom_properties: dict[str, Any]


class BillingProfile(TypedDict, total=False):
    default_payment_method: str
    billing_address: str
    vat_number: str
    company_name: str
    payment_preferences: dict[str, Any]


class UserPreferences(TypedDict, total=False):
    language: str
    timezone: str
    currency: str
    notifications: dict[str, bool]
    custom_settings: dict[str, Any]


def party_check(prefix: str = "") -> CheckConstraint:
    """A party is named completely or not at all, and in upper case."""
    country, party = f"{prefix}country_code", f"{prefix}party_id"
    return CheckConstraint(
        f"({country} IS NULL) = ({party} IS NULL)"
        f" AND {country} ~ '^[A-Z]{{2}}$' AND {party} ~ '^[A-Z0-9]{{3}}$'",
        name=f"{prefix}party",
    )


class Tenant(Versioned, Stamped, Base):
    """One isolated roaming network.

    ``country_code`` and ``party_id`` are the hub's own party in it, ``cpo_*`` the party of its own
    charging stations: they must differ in what they do, for the hub is no CPO (HUB-07).
    """

    __tablename__ = "tenants"
    __table_args__ = (
        UniqueConstraint("domain"),
        one_of("tenant_type", TenantType),
        one_of("status", TenantStatus),
        party_check(),
        party_check("cpo_"),
        CheckConstraint("name <> ''", name="name"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    name: Mapped[str] = mapped_column(String(255))
    domain: Mapped[str | None] = mapped_column(String(255))
    company_name: Mapped[str | None] = mapped_column(String(500))
    tenant_type: Mapped[str] = mapped_column(String(20), server_default=TenantType.HUB)
    country_code: Mapped[str | None] = mapped_column(String(2))
    party_id: Mapped[str | None] = mapped_column(String(3))
    cpo_country_code: Mapped[str | None] = mapped_column(String(2))
    cpo_party_id: Mapped[str | None] = mapped_column(String(3))
    settings: Mapped[TenantSettings | None] = mapped_column(OBJECT)
    billing_config: Mapped[BillingConfiguration | None] = mapped_column(OBJECT)
    status: Mapped[str] = mapped_column(String(20), server_default=TenantStatus.ACTIVE)
    # When a token of its own drivers was last changed: what stations remember is older than that.
    tokens_changed_at: Mapped[datetime | None]

    @property
    def cpo_party(self) -> Party | None:
        """The party of its own stations, if it has one."""
        if self.cpo_country_code is None or self.cpo_party_id is None:
            return None
        return Party(self.cpo_country_code, self.cpo_party_id)

    @property
    def default_currency(self) -> str:
        """Of what its own stations sell without a tariff."""
        return (self.settings or {}).get("default_currency") or "EUR"


class User(Audited, Base):
    """A person or a program with a name. E-mail addresses are kept in lower case."""

    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("tenant_id", "email"),
        UniqueConstraint("tenant_id", "external_id", "auth_provider"),
        # Who logs in says an address before the tenant is known.
        Index(None, "email"),
        one_of("auth_provider", AuthProvider),
        one_of("user_type", UserType),
        one_of("status", UserStatus),
        CheckConstraint("email = lower(email) AND position('@' in email) > 1", name="email"),
    )

    email: Mapped[str | None] = mapped_column(String(255))
    first_name: Mapped[str | None] = mapped_column(String(255))
    last_name: Mapped[str | None] = mapped_column(String(255))
    phone: Mapped[str | None] = mapped_column(String(50))
    # ISO 639-1, with or without a country: "nl", "nl-BE".
    language: Mapped[str | None] = mapped_column(String(5))
    external_id: Mapped[str | None] = mapped_column(String(255))
    auth_provider: Mapped[str | None] = mapped_column(String(50), server_default=AuthProvider.LOCAL)
    auth_attributes: Mapped[dict[str, Any] | None]
    # Nobody logs in with a password yet: people come with API keys.
    password_hash: Mapped[str | None] = mapped_column(String(255))
    user_type: Mapped[str] = mapped_column(String(20))
    user_groups: Mapped[list[str] | None]
    billing_profile: Mapped[BillingProfile | None] = mapped_column(OBJECT)
    preferences: Mapped[UserPreferences | None] = mapped_column(OBJECT)
    status: Mapped[str] = mapped_column(String(30), server_default=UserStatus.PENDING_VERIFICATION)
    blocked_until: Mapped[datetime | None]
    last_login_at: Mapped[datetime | None]

    roles: Mapped[list["Role"]] = relationship(secondary="user_roles", lazy="raise")


class Role(Audited, Base):
    """A named set of permissions of one tenant."""

    __tablename__ = "roles"
    __table_args__ = (
        UniqueConstraint("tenant_id", "name"),
        one_of("role_type", RoleType),
        CheckConstraint("name <> ''", name="name"),
    )

    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str | None] = mapped_column(String(500))
    role_type: Mapped[str] = mapped_column(String(20), server_default=RoleType.CUSTOM)
    is_default: Mapped[bool] = mapped_column(server_default=text("false"))

    permissions: Mapped[list["Permission"]] = relationship(
        secondary="role_permissions", lazy="raise"
    )


class Permission(Base):
    """Something one may be allowed to do: one catalogue for all tenants, filled by migrations."""

    __tablename__ = "permissions"
    __table_args__ = (
        UniqueConstraint("name"),
        one_of("scope", PermissionScope),
        CheckConstraint("name <> '' AND resource <> '' AND action <> ''", name="name"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    # "stations.read", "sessions.update"
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str | None] = mapped_column(String(500))
    resource: Mapped[str] = mapped_column(String(50))
    # create, read, update, delete, execute
    action: Mapped[str] = mapped_column(String(50))
    scope: Mapped[str] = mapped_column(String(20), server_default=PermissionScope.TENANT)


class Membership:
    """A row that only connects two others of one tenant."""

    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("tenants.id"),
        primary_key=True,
        server_default=text(CURRENT_TENANT),
        sort_order=-30,
    )


class UserRole(Membership, Base):
    __tablename__ = "user_roles"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["tenant_id", "role_id"], ["roles.tenant_id", "roles.id"], ondelete="CASCADE"
        ),
        Index(None, "tenant_id", "role_id"),
    )

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    role_id: Mapped[UUID] = mapped_column(primary_key=True)


class RolePermission(Membership, Base):
    __tablename__ = "role_permissions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "role_id"], ["roles.tenant_id", "roles.id"], ondelete="CASCADE"
        ),
        Index(None, "permission_id"),
    )

    role_id: Mapped[UUID] = mapped_column(primary_key=True)
    permission_id: Mapped[UUID] = mapped_column(ForeignKey("permissions.id"), primary_key=True)


class ApiKey(Audited, Base):
    """What a program shows to the admin API. Kept as a keyed digest only (T-42).

    It may do what its ``permissions`` name and what its role may do, for its user or for itself.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        UniqueConstraint("tenant_id", "name"),
        Index("uq_api_keys_digest", "digest", unique=True),
        ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(["tenant_id", "role_id"], ["roles.tenant_id", "roles.id"]),
        CheckConstraint("name <> ''", name="name"),
    )

    name: Mapped[str] = mapped_column(String(255))
    user_id: Mapped[UUID | None]
    role_id: Mapped[UUID | None]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(30))
    hint: Mapped[str] = mapped_column(String(8))
    # Names from the catalogue: ["partners.read", "feed.read"]
    permissions: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    # Networks it may be used from; empty for any: ["10.20.0.0/16"]
    allowed_cidrs: Mapped[list[str]] = mapped_column(server_default=text("'[]'"))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
