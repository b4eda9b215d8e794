"""Every way in which a valid object can break one rule of its class."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from marshmallow import fields

from hub.ocpi.schemas.enums import OneOf
from hub.ocpi.schemas.fields import Boolean, Integer, Number, String
from hub.ocpi.schemas.objects import Object, instance


@dataclass(frozen=True)
class Mutation:
    """``field`` is the path at which the rule is broken."""

    field: str
    what: str
    body: Any


def mutations(schema: type[Object], body: Any, *, partial: bool = False) -> Iterator[Mutation]:
    for name, field in instance(schema).fields.items():
        required = field.required and (not partial or name in schema.in_every_patch)
        if required and name in body:
            yield Mutation(name, "missing", {k: v for k, v in body.items() if k != name})
        if field.required and name in body:
            yield Mutation(name, "null", body | {name: None})
        if name in body and body[name] is not None:
            for mutation in of_value(field, body[name]):
                path = "/".join(part for part in (name, mutation.field) if part)
                yield Mutation(path, mutation.what, body | {name: mutation.body})


def of_value(field: fields.Field[Any], value: Any) -> Iterator[Mutation]:
    match field:
        case fields.List():
            yield from of_list(field, value)
        case fields.Nested():
            yield from wrong("not an object", "x", 1, [], True)
            yield from mutations(field.nested, value)
        case OneOf():
            yield from wrong("not a string", 1, True, [])
            if not field.enum.open:
                yield from wrong("unknown value", "NO_SUCH_VALUE", value.lower() + "x", "")
        case String():
            yield from wrong("not a string", 1, 1.5, True, {})
            yield from wrong("control character", f"{value[:1]}\x07")
            if field.maximum is not None:
                yield from wrong("too long", "1" * (field.maximum + 1))
        case _:
            yield from of_number(field)


def of_list(field: fields.List[Any], items: list[Any]) -> Iterator[Mutation]:
    yield from wrong("not a list", "x", 1, {}, True)
    if field.required:
        yield from wrong("empty", [])
    for index, item in enumerate(items):
        yield Mutation(str(index), "null", replaced(items, index, None))
        for mutation in of_value(field.inner, item):
            path = "/".join(part for part in (str(index), mutation.field) if part)
            yield Mutation(path, mutation.what, replaced(items, index, mutation.body))


def of_number(field: fields.Field[Any]) -> Iterator[Mutation]:
    match field:
        case Boolean():
            yield from wrong("not a boolean", "true", 1, 0, {})
        case Integer():
            yield from wrong("not a whole number", "1", 1.5, True, [])
            yield from wrong("too large", field.high + 1)
        case Number():
            yield from wrong("not a number", "1", "1.5", True, {})


def wrong(what: str, *values: Any) -> Iterator[Mutation]:
    for value in values:
        yield Mutation("", f"{what}: {value!r}", value)


def replaced(items: list[Any], index: int, item: Any) -> list[Any]:
    return [*items[:index], item, *items[index + 1 :]]
