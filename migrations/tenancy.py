"""How a table is closed to all tenants but the current one.

Every table with a ``tenant_id`` is isolated in the migration that makes it. The policy is forced,
so that it holds for the owner as well; no tenant set means no rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op

CURRENT_TENANT = "nullif(current_setting('hub.tenant_id', true), '')::uuid"


def isolate(table: str, *, column: str = "tenant_id", identify: bool = False) -> None:
    """Show only the current tenant's rows, for reading and for writing.

    ``identify`` is for the few tables that say who is calling: they may be read, and only read,
    while no tenant is set yet.
    """
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON {table} USING ({column} = {CURRENT_TENANT})")
    if identify:
        op.execute(f"CREATE POLICY identify ON {table} FOR SELECT USING ({CURRENT_TENANT} IS NULL)")


@contextmanager
def opened(*tables: str) -> Iterator[None]:
    """Let the migration, which runs as the owner and for no tenant, see the rows of all tenants."""
    for table in tables:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    yield
    for table in tables:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
