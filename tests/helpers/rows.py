"""A valid row for any table, made from what the table says about itself.

A column that must be given gets a value of its type that its CHECK constraints take; a row it must
refer to is made first. A new table needs nothing here, unless a rule of its own cannot be guessed:
then `KNOWN` says what to use.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Table,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.base import DocumentText

Row = dict[str, Any]

NUMBERS = count(1)
KNOWN: dict[str, Any] = {
    "country_code": "NL",
    "party_id": "ABC",
    "from_country_code": "NL",
    "to_country_code": "NL",
    "currency": "EUR",
    "ocpi_version": "2.2.1",
    "same_since": "2.2.1",
    "kind": "A",
    "xid": 1,
}
# Columns that may be null, but not with what else is in the row.
ALSO: dict[str, Row] = {"meter_values": {"value": Decimal(1)}}
ENUMERATED = re.compile(r"^(\w+) in \('([^']+)'", re.IGNORECASE)


async def add_row(db: AsyncSession, table: Table, **given: Any) -> Row:
    """Insert a row of the current tenant, and first those it must refer to; returns it.

    The catalogue of permissions is only to be read, so one of those there is must do.
    """
    if table.name == "permissions":
        return dict((await db.execute(table.select().limit(1))).mappings().one())
    values = ALSO.get(table.name, {}) | given
    for key in table.foreign_key_constraints:
        if needs_parent(key, values):
            parent = await add_row(db, key.referred_table)
            for local, remote in zip(key.columns, key.elements, strict=True):
                values.setdefault(local.name, parent[remote.column.name])
    values.pop("tenant_id", None)
    if "tenant_id" in given:
        values["tenant_id"] = given["tenant_id"]
    allowed = dict(enumerations(table))
    for column in table.columns:
        if must_be_given(column) and column.name not in values:
            values[column.name] = allowed.get(column.name) or value_for(column)
    returned = await db.execute(table.insert().values(values).returning(*table.columns))
    return dict(zip(table.columns.keys(), returned.one(), strict=True))


def needs_parent(key: ForeignKeyConstraint, values: Row) -> bool:
    """A key that cannot be null and is not given. Tenants are there already."""
    own = [column for column in key.columns if column.name != "tenant_id"]
    return bool(own) and all(not column.nullable and column.name not in values for column in own)


def must_be_given(column: Column[Any]) -> bool:
    return not (
        column.nullable
        or column.server_default is not None
        or column.computed is not None
        or column.name == "tenant_id"
    )


def enumerations(table: Table) -> list[tuple[str, str]]:
    checks = [c for c in table.constraints if isinstance(c, CheckConstraint)]
    found = [ENUMERATED.match(str(check.sqltext)) for check in checks]
    return [(match[1], match[2]) for match in found if match]


def value_for(column: Column[Any]) -> Any:
    if column.name in KNOWN:
        return KNOWN[column.name]
    for kind, make in MAKERS.items():
        if isinstance(column.type, kind):
            return make(column.type)
    raise AssertionError(f"No idea what {column} may hold: say it in KNOWN.")


def short_text(kind: String) -> str:
    return f"{next(NUMBERS):x}"[-(kind.length or 10) :]


MAKERS: dict[type, Callable[[Any], Any]] = {
    DocumentText: lambda _: "{}",
    JSONB: lambda _: {},
    String: short_text,
    LargeBinary: lambda _: uuid4().bytes,
    Uuid: lambda _: uuid4(),
    Boolean: lambda _: False,
    Integer: lambda _: next(NUMBERS),
    Numeric: lambda _: Decimal(1),
    DateTime: lambda _: datetime.now(UTC),
}
