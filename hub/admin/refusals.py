"""What setbacks and quarantine have in common: objects that were refused, settled since or not."""

from typing import Any

from marshmallow import fields
from sqlalchemy import Select, select

from hub.admin.output import PageQuery


class RefusalQuery(PageQuery):
    partner_id = fields.UUID()
    settled = fields.Boolean(
        load_default=False, metadata={"description": "Those that are settled instead."}
    )


def matching(table: Any, query: dict[str, Any]) -> Select[Any]:
    """The rows of a table that a query asks for."""
    settled = table.settled_at.is_not(None)
    found = select(table).where(settled if query["settled"] else ~settled)
    for name in ("partner_id", "module"):
        if name in query:
            found = found.where(getattr(table, name) == query[name])
    return found
