"""How things are found and shown, and lists of them a page at a time."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from aiohttp import web
from marshmallow import Schema, fields, validate
from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from hub.admin.errors import BadInput, ChangedMeanwhile, Missing
from hub.admin.input import Input

Row = TypeVar("Row")


class Shown(Schema):
    """What every kept thing shows."""

    id = fields.UUID()
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class Versioned(Shown):
    """``version`` counts the changes; it is the ETag, and If-Match guards against lost updates."""

    version = fields.Integer()


class PartyOf(fields.String):
    """A party kept in two columns, shown as ``NL*TNM``."""

    def __init__(self, prefix: str = "", **kwargs: Any) -> None:
        super().__init__(dump_only=True, **kwargs)
        self.prefix = prefix

    def get_value(self, obj: Any, attr: str, accessor: Any = None, default: Any = None) -> Any:
        country = getattr(obj, f"{self.prefix}country_code", None)
        party = getattr(obj, f"{self.prefix}party_id", None)
        return f"{country}*{party}" if country and party else None


class PageQuery(Input):
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 500))
    after = fields.String(metadata={"description": "`next` of the page before."})


def page_of(item: type[Schema]) -> type[Schema]:
    """The schema of a page of something."""
    members: dict[str, Any] = {
        "items": fields.List(fields.Nested(item)),
        "next": fields.String(
            allow_none=True, metadata={"description": "Give it as `after`; null on the last page."}
        ),
    }
    return type(f"{item.__name__}Page", (Schema,), members)


async def page(
    db: AsyncSession,
    found: Select[Any],
    table: Any,
    query: dict[str, Any],
    *,
    by: str = "created_at",
) -> dict[str, Any]:
    """A page of rows, newest first. ``by`` is the column that orders them."""
    moment = getattr(table, by)
    if query.get("after"):
        found = found.where(tuple_(moment, table.id) < place(query["after"]))
    found = found.order_by(moment.desc(), table.id.desc()).limit(query["limit"] + 1)
    rows = list((await db.scalars(found)).unique())
    return cut(rows, query["limit"], lambda row: f"{getattr(row, by).isoformat()}|{row.id}")


def cut(rows: Sequence[Any], limit: int, name: Any) -> dict[str, Any]:
    """The first ``limit`` rows, and the place of the last when there are more."""
    shown = rows[:limit]
    more = len(rows) > limit
    return {"items": shown, "next": encode(name(shown[-1])) if more else None}


def encode(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def decode(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        raise unusable() from None


def place(cursor: str) -> tuple[datetime, UUID]:
    moment, _, row_id = decode(cursor).partition("|")
    try:
        return datetime.fromisoformat(moment), UUID(row_id)
    except ValueError:
        raise unusable() from None


def unusable() -> BadInput:
    return BadInput("after: Not a place in this list.", field="after", allowed="`next` of a page")


def path_id(request: web.Request) -> UUID:
    """The id in the path; what is not even a UUID does not exist."""
    try:
        return UUID(request.match_info["id"])
    except ValueError:
        raise Missing(f"There is no {request.match_info['id'][:40]!r}: an id is a UUID.") from None


async def find(db: AsyncSession, table: type[Row], row_id: UUID, name: str, next_step: str) -> Row:
    """A row of the tenant; other tenants' rows do not exist here."""
    rows: Any = table
    row: Row | None = await db.scalar(select(rows).where(rows.id == row_id))
    if row is None:
        raise Missing(f"There is no {name} {row_id}.", next_step=next_step)
    return row


def expect_version(request: web.Request, row: Any) -> None:
    """With If-Match, the caller must have seen the latest version."""
    wanted = request.headers.get("If-Match", "").strip()
    if wanted and wanted not in {"*", f'"{row.version}"'}:
        raise ChangedMeanwhile(
            f"It is at version {row.version}, not {wanted}: somebody else changed it meanwhile.",
            next_step="Read it again and repeat the change.",
        )
