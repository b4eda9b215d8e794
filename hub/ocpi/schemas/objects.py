"""OCPI objects as marshmallow schemas, and how often a member may occur (cardinality)."""

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from marshmallow import INCLUDE, Schema, ValidationError, fields, validates_schema

from hub.ocpi.schemas.fields import MESSAGES, Value


class Object(Schema):
    """An OCPI object. Unknown members stay: they are not the hub's to drop (TRANSPORT-16, -17)."""

    class Meta:
        unknown = INCLUDE

    error_messages = {"type": "Must be an object."}

    # Who gives the first (and does not say false) must give the second as well.
    needs: ClassVar[Mapping[str, str]] = {}
    # At least one of these must be given.
    any_of: ClassVar[tuple[str, ...]] = ()
    # What even a PATCH must carry (TRANSPORT-11).
    in_every_patch: ClassVar[tuple[str, ...]] = ("last_updated",)

    @validates_schema(pass_original=True)
    def check_needs(
        self, data: Mapping[str, Any], original: Mapping[str, Any], *, partial: Any, **kwargs: Any
    ) -> None:
        """A PATCH is not asked: what it does not say may be there already."""
        if partial:
            return
        for given, needed in self.needs.items():
            if original.get(given) not in (None, False) and original.get(needed) is None:
                raise ValidationError(f"Required with {given}.", needed)
        if self.any_of and all(original.get(name) is None for name in self.any_of):
            raise ValidationError(f"Needs one of {', '.join(self.any_of)}.")


@cache
def instance(schema: type[Object]) -> Object:
    """Making one is slow, and one of each is enough: they keep nothing."""
    return schema()


def nested(field: fields.Nested) -> type[Object]:
    """The class of the objects that a field holds."""
    schema = field.nested
    assert isinstance(schema, type)
    assert issubclass(schema, Object)
    return schema


def one(item: type[Object], *, required: bool = False) -> fields.Nested:
    """An object: cardinality ``1`` when required, else ``?``."""
    return fields.Nested(item, required=required, allow_none=not required, error_messages=MESSAGES)


def many(item: type[Object] | Value) -> fields.List[Any]:
    """Cardinality ``*``: null, empty and absent are the same (TRANSPORT-98)."""
    return fields.List(member(item), allow_none=True, error_messages=MESSAGES)


def some(item: type[Object] | Value) -> fields.List[Any]:
    """Cardinality ``+``: at least one."""
    return fields.List(member(item), required=True, validate=at_least_one, error_messages=MESSAGES)


def member(item: type[Object] | Value) -> fields.Field[Any]:
    if isinstance(item, Value):
        item.allow_none = False
        return item
    return fields.Nested(item, error_messages=MESSAGES)


def at_least_one(items: list[Any]) -> None:
    if not items:
        raise ValidationError("Must have at least one element.")
