"""What the hub puts right in a valid object, so that it goes out as OCPI has it.

Null for an optional member is the same as absence (TRANSPORT-98), timestamps become UTC with a Z
where they were something else (TRANSPORT-94), coordinates get five decimals, and a required member
that may be assumed is filled in (AMB-30). All the rest stays as it was sent: unknown members, order
and spelling.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from marshmallow import fields

from hub.ocpi.schemas.fields import Value
from hub.ocpi.schemas.objects import Object, instance, nested

Document = dict[str, Any]
Tidy = Callable[[Any], Any]


def tidied(schema: type[Object], body: Document, *, partial: bool = False) -> Document:
    """In a PATCH a null clears a member and so it stays, and nothing is assumed (TRANSPORT-10)."""
    members, assumed = plan(schema)
    document: Document = {}
    for name, value in body.items():
        if name not in members:
            document[name] = value
        elif value is not None:
            tidy = members[name]
            document[name] = tidy(value) if tidy else value
        elif partial:
            document[name] = None
    if not partial:
        for name, value in assumed.items():
            document.setdefault(name, value)
    return document


@cache
def plan(schema: type[Object]) -> tuple[dict[str, Tidy | None], dict[str, Any]]:
    """How each member is put right, None where it cannot be wrong; and what may be assumed."""
    members = instance(schema).fields
    assumed = {
        name: field.assume
        for name, field in members.items()
        if isinstance(field, Value) and field.assume is not None
    }
    return {name: tidy_of(field) for name, field in members.items()}, assumed


def tidy_of(field: fields.Field[Any]) -> Tidy | None:
    match field:
        case fields.List():
            inner = tidy_of(field.inner)
            return None if inner is None else lambda items: [inner(item) for item in items]
        case fields.Nested():
            schema = nested(field)
            return lambda item: tidied(schema, item)
        case Value() if field.may_need_tidying:
            return field.tidy
    return None
