"""Operators may be allowed to write objects of the tenant's own."""

from alembic import op
from tenancy import opened

revision = "0011"
down_revision = "0010"

# The system roles that may do everything with objects.
GRANT = """
    insert into role_permissions (tenant_id, role_id, permission_id)
    select role.tenant_id, role.id, permission.id
    from roles as role, permissions as permission
    where role.name in ('Administrator', 'Operator') and role.role_type = 'SYSTEM'
    and permission.name = 'objects.update'
"""


def upgrade() -> None:
    op.execute(
        "insert into permissions (name, description, resource, action, scope)"
        " values ('objects.update', 'May update objects.', 'objects', 'update', 'TENANT')"
    )
    with opened("roles", "role_permissions"):
        op.execute(GRANT)


def downgrade() -> None:
    with opened("role_permissions"):
        op.execute(
            "delete from role_permissions where permission_id in"
            " (select id from permissions where name = 'objects.update')"
        )
    op.execute("delete from permissions where name = 'objects.update'")
