"""Tenants, users, roles, permissions and API keys."""

import sqlalchemy as sa
from alembic import op
from columns import edits, instant, one_of, row_id, stamps, tenant_id
from sqlalchemy.dialects.postgresql import JSONB
from tenancy import isolate

revision = "0001"
down_revision = None

# What there is to be allowed: for each resource its actions. A later release adds to it.
ACTIONS = {
    "tenants": ("create", "read", "update", "delete"),
    "users": ("create", "read", "update", "delete"),
    "roles": ("create", "read", "update", "delete"),
    "api_keys": ("create", "read", "delete"),
    "partners": ("create", "read", "update", "delete", "execute"),
    "agreements": ("create", "read", "update", "delete"),
    "objects": ("read", "delete"),
    "feed": ("read", "execute"),
    "quarantine": ("read", "execute"),
    "commands": ("read", "execute"),
    "stations": ("create", "read", "update", "delete", "execute"),
    "sessions": ("read", "execute"),
    "cdrs": ("read",),
    "tariffs": ("create", "read", "update", "delete"),
    "tokens": ("create", "read", "update", "delete"),
    "audit": ("read",),
    "system": ("read", "execute"),
}
# Tenants and the system as a whole are everybody's business; the rest stays within a tenant.
GLOBAL_RESOURCES = {"tenants", "system"}

CATALOGUE = sa.table(
    "permissions",
    sa.column("name"),
    sa.column("description"),
    sa.column("resource"),
    sa.column("action"),
    sa.column("scope"),
)


def permissions() -> list[dict[str, str]]:
    return [
        {
            "name": f"{resource}.{action}",
            "description": f"May {action} {resource.replace('_', ' ')}.",
            "resource": resource,
            "action": action,
            "scope": "GLOBAL" if resource in GLOBAL_RESOURCES else "TENANT",
        }
        for resource, actions in ACTIONS.items()
        for action in actions
    ]


def upgrade() -> None:
    op.create_table(
        "tenants",
        row_id(),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=True),
        sa.Column("company_name", sa.String(length=500), nullable=True),
        sa.Column("tenant_type", sa.String(length=20), server_default="HUB", nullable=False),
        sa.Column("country_code", sa.String(length=2), nullable=True),
        sa.Column("party_id", sa.String(length=3), nullable=True),
        sa.Column("cpo_country_code", sa.String(length=2), nullable=True),
        sa.Column("cpo_party_id", sa.String(length=3), nullable=True),
        sa.Column("settings", JSONB(), nullable=True),
        sa.Column("billing_config", JSONB(), nullable=True),
        sa.Column("status", sa.String(length=20), server_default="ACTIVE", nullable=False),
        *stamps(),
        *edits(),
        sa.CheckConstraint(
            "(country_code IS NULL) = (party_id IS NULL) AND country_code ~ '^[A-Z]{2}$' AND "
            "party_id ~ '^[A-Z0-9]{3}$'",
            name="party",
        ),
        sa.CheckConstraint(
            "(cpo_country_code IS NULL) = (cpo_party_id IS NULL) AND cpo_country_code ~ "
            "'^[A-Z]{2}$' AND cpo_party_id ~ '^[A-Z0-9]{3}$'",
            name="cpo_party",
        ),
        sa.CheckConstraint("name <> ''", name="name"),
        one_of("status", "ACTIVE", "SUSPENDED", "TERMINATED", "PENDING_ACTIVATION"),
        one_of("tenant_type", "CPO", "EMSP", "HUB", "SAAS_PROVIDER", "HYBRID"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("domain"),
    )
    isolate("tenants", column="id", identify=True)

    op.create_table(
        "users",
        tenant_id(),
        row_id(),
        sa.Column("email", sa.String(length=255), nullable=True),
        sa.Column("first_name", sa.String(length=255), nullable=True),
        sa.Column("last_name", sa.String(length=255), nullable=True),
        sa.Column("phone", sa.String(length=50), nullable=True),
        sa.Column("language", sa.String(length=5), nullable=True),
        sa.Column("external_id", sa.String(length=255), nullable=True),
        sa.Column("auth_provider", sa.String(length=50), server_default="LOCAL", nullable=True),
        sa.Column("auth_attributes", JSONB(), nullable=True),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("user_type", sa.String(length=20), nullable=False),
        sa.Column("user_groups", JSONB(), nullable=True),
        sa.Column("billing_profile", JSONB(), nullable=True),
        sa.Column("preferences", JSONB(), nullable=True),
        sa.Column(
            "status", sa.String(length=30), server_default="PENDING_VERIFICATION", nullable=False
        ),
        instant("blocked_until"),
        instant("last_login_at"),
        *stamps(),
        *edits(),
        one_of(
            "auth_provider",
            "LOCAL",
            "OIDC",
            "SAML",
            "LDAP",
            "OAUTH2_GOOGLE",
            "OAUTH2_AZURE",
            "OAUTH2_CUSTOM",
        ),
        sa.CheckConstraint("email = lower(email) AND position('@' in email) > 1", name="email"),
        one_of("status", "ACTIVE", "SUSPENDED", "BLOCKED", "PENDING_VERIFICATION", "DELETED"),
        one_of("user_type", "INDIVIDUAL", "BUSINESS", "FLEET", "ADMIN", "SERVICE_ACCOUNT"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "email"),
        sa.UniqueConstraint("tenant_id", "external_id", "auth_provider"),
    )
    op.create_index("ix_users_email", "users", ["email"])
    isolate("users", identify=True)

    op.create_table(
        "roles",
        tenant_id(),
        row_id(),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=True),
        sa.Column("role_type", sa.String(length=20), server_default="CUSTOM", nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        *stamps(),
        *edits(),
        sa.CheckConstraint("name <> ''", name="name"),
        one_of("role_type", "SYSTEM", "TENANT", "CUSTOM"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "name"),
    )
    isolate("roles")

    op.create_table(
        "permissions",
        row_id(),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=True),
        sa.Column("resource", sa.String(length=50), nullable=False),
        sa.Column("action", sa.String(length=50), nullable=False),
        sa.Column("scope", sa.String(length=20), server_default="TENANT", nullable=False),
        sa.CheckConstraint("name <> '' AND resource <> '' AND action <> ''", name="name"),
        one_of("scope", "GLOBAL", "TENANT", "OWNED"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.bulk_insert(CATALOGUE, permissions())

    op.create_table(
        "user_roles",
        tenant_id(),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "role_id"], ["roles.tenant_id", "roles.id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "role_id"),
    )
    op.create_index("ix_user_roles_tenant_id_role_id", "user_roles", ["tenant_id", "role_id"])
    isolate("user_roles")

    op.create_table(
        "role_permissions",
        tenant_id(),
        sa.Column("role_id", sa.Uuid(), nullable=False),
        sa.Column("permission_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["permission_id"], ["permissions.id"]),
        sa.ForeignKeyConstraint(
            ["tenant_id", "role_id"], ["roles.tenant_id", "roles.id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "role_id", "permission_id"),
    )
    op.create_index("ix_role_permissions_permission_id", "role_permissions", ["permission_id"])
    isolate("role_permissions")

    op.create_table(
        "api_keys",
        tenant_id(),
        row_id(),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("role_id", sa.Uuid(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(length=30), nullable=False),
        sa.Column("hint", sa.String(length=8), nullable=False),
        sa.Column("permissions", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("allowed_cidrs", JSONB(), server_default=sa.text("'[]'"), nullable=False),
        instant("expires_at"),
        instant("revoked_at"),
        instant("last_used_at"),
        *stamps(),
        *edits(),
        sa.CheckConstraint("name <> ''", name="name"),
        sa.ForeignKeyConstraint(["tenant_id", "role_id"], ["roles.tenant_id", "roles.id"]),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"], ["users.tenant_id", "users.id"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.PrimaryKeyConstraint("tenant_id", "id"),
        sa.UniqueConstraint("tenant_id", "name"),
    )
    op.create_index("uq_api_keys_digest", "api_keys", ["digest"], unique=True)
    isolate("api_keys", identify=True)


def downgrade() -> None:
    op.drop_table("api_keys")
    op.drop_table("role_permissions")
    op.drop_table("user_roles")
    op.drop_table("permissions")
    op.drop_table("roles")
    op.drop_table("users")
    op.drop_table("tenants")
