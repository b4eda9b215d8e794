"""What the hub puts right in a valid object, so that it goes out as OCPI has it.

Null for an optional member is the same as absence (TRANSPORT-98), timestamps become UTC with a Z
where they were something else (TRANSPORT-94), coordinates get five decimals, and a required member
that may be assumed is filled in (AMB-30). All the rest stays as it was sent: unknown members, order
and spelling.
"""

from typing import Any

from marshmallow import fields

from hub.ocpi.schemas.types import Object, Value, instance

Document = dict[str, Any]


def tidied(schema: type[Object], body: Document, *, partial: bool = False) -> Document:
    """In a PATCH a null clears a member and so it stays, and nothing is assumed (TRANSPORT-10)."""
    return tidy_object(instance(schema).fields, body, partial=partial)


def tidy_object(
    members: dict[str, fields.Field[Any]], body: Document, *, partial: bool = False
) -> Document:
    document: Document = {}
    for name, value in body.items():
        field = members.get(name)
        if field is None:
            document[name] = value
        elif value is not None:
            document[name] = tidy_value(field, value)
        elif partial:
            document[name] = None
    if not partial:
        for name, field in members.items():
            if isinstance(field, Value) and field.assume is not None:
                document.setdefault(name, field.assume)
    return document


def tidy_value(field: fields.Field[Any], value: Any) -> Any:
    match field:
        case fields.List():
            return [tidy_value(field.inner, item) for item in value]
        case fields.Nested():
            return tidy_object(field.schema.fields, value)
        case Value():
            return field.tidy(value)
    return value
