"""JSON Schema (draft 2020-12) of the marshmallow schemas, for validation and for OpenAPI."""

from collections.abc import Iterable
from typing import Any

from marshmallow import fields

from hub.ocpi.schemas.enums import Enum, OneOf
from hub.ocpi.schemas.fields import JSON, Value
from hub.ocpi.schemas.objects import Object, instance, nested

DEFINITIONS = "#/$defs/"
COMPONENTS = "#/components/schemas/"


def whole(schema: type[Object], *, exact: bool, partial: bool = False) -> JSON:
    """One class and all that it is made of. ``partial`` is true of the class itself only."""
    found: dict[str, type[Object]] = {}
    collect(schema, found)
    definitions = {
        name: described(item, exact=exact, refer=DEFINITIONS) for name, item in found.items()
    }
    top = described(schema, exact=exact, refer=DEFINITIONS, partial=partial)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **top, "$defs": definitions}


def components(schemas: Iterable[type[Object]]) -> dict[str, JSON]:
    """Classes as components of OpenAPI, and the enumerations they use."""
    found: dict[str, type[Object]] = {}
    for schema in schemas:
        collect(schema, found)
    described_classes = {
        name: described(item, exact=True, refer=COMPONENTS, enums=True)
        for name, item in found.items()
    }
    return described_classes | {
        enum.name: enumeration(enum) for item in found.values() for enum in enums_of(item)
    }


def collect(schema: type[Object], found: dict[str, type[Object]]) -> None:
    """The class and every class nested in it; a name stands for one class only."""
    if found.setdefault(schema.__name__, schema) is not schema:
        raise TypeError(f"Two classes of one version are called {schema.__name__}.")
    for field in instance(schema).fields.values():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested) and found.get(nested(inner).__name__) is not nested(
            inner
        ):
            collect(nested(inner), found)


def described(
    schema: type[Object], *, exact: bool, refer: str, partial: bool = False, enums: bool = False
) -> JSON:
    members = instance(schema).fields
    required = [
        name for name, field in members.items() if is_required(field, exact=exact and not partial)
    ]
    if partial:
        required = [name for name in required if name in schema.in_every_patch]
    result: JSON = {
        "type": "object",
        "properties": {
            name: shape(field, exact=exact, refer=refer, enums=enums)
            for name, field in members.items()
        },
        "required": required,
    }
    if schema.__doc__ and schema.__doc__ != Object.__doc__ and enums:
        result["description"] = " ".join(schema.__doc__.split())
    return result if partial else result | needs(schema)


def is_required(field: fields.Field[Any], *, exact: bool) -> bool:
    return field.required or (exact and getattr(field, "assume", None) is not None)


def shape(field: fields.Field[Any], *, exact: bool, refer: str, enums: bool = False) -> JSON:
    match field:
        case fields.List():
            inner = shape(field.inner, exact=exact, refer=refer, enums=enums)
            schema: JSON = {"type": "array", "items": inner}
            if field.validators:
                schema["minItems"] = 1
        case fields.Nested():
            schema = {"$ref": refer + nested(field).__name__}
        case OneOf() if enums:
            schema = {"$ref": refer + field.enum.name}
        case Value():
            schema = field.json_schema(exact=exact)
        case _:
            raise TypeError(f"{type(field).__name__} has no JSON Schema.")
    return schema if exact or not field.allow_none else nullable(schema)


def nullable(schema: JSON) -> JSON:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    if "enum" in schema:
        return {"enum": [*schema["enum"], None]}
    return schema | {"type": [schema["type"], "null"]} if "type" in schema else schema


def needs(schema: type[Object]) -> JSON:
    """``Object.needs`` and ``Object.any_of``."""
    conditions: list[JSON] = [
        {"if": given(first), "then": given(second)} for first, second in schema.needs.items()
    ]
    if schema.any_of:
        conditions.append({"anyOf": [given(name) for name in schema.any_of]})
    return {"allOf": conditions} if conditions else {}


def given(name: str) -> JSON:
    return {"properties": {name: {"not": {"enum": [None, False]}}}, "required": [name]}


def enums_of(schema: type[Object]) -> Iterable[Enum]:
    for field in instance(schema).fields.values():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, OneOf):
            yield inner.enum


def enumeration(enum: Enum) -> JSON:
    if not enum.open:
        return {"type": "string", "enum": list(enum.values)}
    shape = OneOf(enum).json_schema(exact=True)
    return shape | {
        "examples": list(enum.values),
        "description": "An open enumeration: other values are allowed.",
    }
