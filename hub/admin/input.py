"""Reading what operators send: the first thing wrong is named, with what is allowed there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from hub.admin.errors import BadInput
from hub.models.values import Party

YEARS = range(1900, 9000)


class Input(Schema):
    """What comes in is complete or refused: a misspelt field is an error, not silence."""

    class Meta:
        unknown = RAISE

    @validates_schema
    def refuse_the_ends_of_time(self, data: dict[str, Any], **_: Any) -> None:
        """In another zone it would be another year, which no database can tell."""
        for name, value in data.items():
            if isinstance(value, datetime) and value.year not in YEARS:
                raise ValidationError("No time that anything has.", name)


class PartyField(fields.Field[Party]):
    """A party, written ``NL*TNM``."""

    default_error_messages = {"invalid": "Write a party as NL*TNM: country code, star, party id."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Party:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        try:
            return Party.parse(value)
        except ValueError:
            raise self.make_error("invalid") from None

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else str(value)


class Matching(validate.Regexp):
    """The whole of a text: ``$`` alone would let a line end pass behind it."""

    def __call__(self, value: Any) -> Any:
        if self.regex.fullmatch(value) is None:
            raise ValidationError(self._format_error(value))
        return value


class Fingerprint(fields.String):
    """Hexadecimal digits; also as OpenSSL writes them, with colons and capitals."""

    def _deserialize(self, *arguments: Any, **more: Any) -> str:
        return super()._deserialize(*arguments, **more).replace(":", "").lower()


def is_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValidationError("Not a time zone.") from None


class ZoneField(fields.String):
    """The name of a time zone."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=is_zone, **kwargs)


def load(schema: type[Schema], given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, as the schema reads it; BadInput names the first field that is wrong."""
    instance = schema()
    try:
        loaded: dict[str, Any] = instance.load(given)
    except ValidationError as error:
        raise explain(instance, error) from None
    return loaded


def explain(schema: Schema, error: ValidationError) -> BadInput:
    path, message = first(error.messages)
    path = without_markers(schema, path)
    field = find(schema, path)
    if message == "Unknown field.":
        parent = find(schema, path[:-1])
        known = sorted(fields_of(parent if path[:-1] else schema))
        return BadInput(
            f"{path[-1]} is not a field here.", field=".".join(path), allowed=known or None
        )
    if not path or path == ("_schema",):
        return BadInput(message)
    path = tuple(part for part in path if part != "_schema")
    # What a list says of its items is said of the list.
    items = find(schema, path[:-1]) if path[-1].isdigit() else None
    rule = allowed(field) or allowed(items)
    return BadInput(f"{'.'.join(path)}: {message}", field=".".join(path), allowed=rule)


def first(messages: Any, path: tuple[str, ...] = ()) -> tuple[tuple[str, ...], str]:
    """Marshmallow's nested messages as one path and one sentence."""
    if isinstance(messages, Mapping):
        name, inner = next(iter(messages.items()))
        return first(inner, (*path, str(name)))
    if isinstance(messages, list):
        return first(messages[0], path)
    return path, str(messages)


def without_markers(schema: Schema, path: tuple[str, ...]) -> tuple[str, ...]:
    """The path as people write it: marshmallow says of a Dict whether key or value is wrong."""
    kept: tuple[str, ...] = ()
    for name in path:
        of_dict = bool(kept) and isinstance(find(schema, kept[:-1]), fields.Dict)
        if not (of_dict and name in {"key", "value"}):
            kept += (name,)
    return kept


def find(schema: Schema | None, path: tuple[str, ...]) -> Any:
    """The field a path of names and list positions leads to, None when there is none."""
    found: Any = schema
    for name in path:
        if isinstance(found, fields.List):
            found = found.inner
            if name.isdigit():
                continue
        found = found.value_field if isinstance(found, fields.Dict) else fields_of(found).get(name)
    return found


def fields_of(holder: Any) -> Mapping[str, Any]:
    if isinstance(holder, fields.List):
        holder = holder.inner
    if isinstance(holder, fields.Nested):
        holder = holder.schema
    if not isinstance(holder, Schema):
        return {}
    return {field.data_key or name: field for name, field in holder.fields.items()}


def allowed(field: Any) -> Any:
    """What may stand in a field: its choices or limits, or what its author wrote about it."""
    if not isinstance(field, fields.Field):
        return None
    if "allowed" in field.metadata:
        return field.metadata["allowed"]
    if isinstance(field, fields.List):
        return allowed(field.inner) or "a list"
    return next(filter(None, map(limits, field.validators)), KINDS.get(type(field)))


def limits(validator: Any) -> Any:
    match validator:
        case validate.OneOf():
            return list(validator.choices)
        case validate.Range():
            return {"min": validator.min, "max": validator.max}
        case validate.Length():
            return {"min_length": validator.min, "max_length": validator.max or validator.equal}
    return None


KINDS: Mapping[type[Any], str] = {
    PartyField: "a party such as NL*TNM",
    ZoneField: "an IANA time zone such as Europe/Amsterdam",
    fields.UUID: "a UUID",
    fields.AwareDateTime: "a time with zone such as 2025-01-31T12:00:00Z",
    fields.Boolean: "true or false",
    fields.Integer: "a whole number",
    fields.Email: "an e-mail address",
    fields.Dict: "an object",
    fields.Nested: "an object",
}
