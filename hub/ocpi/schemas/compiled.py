"""Is it valid? A compiled validator decides, marshmallow finds the words.

Marshmallow takes a hundred times longer than a compiled JSON Schema, so an object that is as OCPI
has it passes one compiled validator and nothing else. One that is only tolerated (nulls, other
timestamps) passes a second one and is put right. Only what both refuse is shown to marshmallow,
which says why. Both JSON Schemas are derived from the marshmallow schemas at first use.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema_rs

from hub.errors import InvalidRequest
from hub.ocpi.schemas import jsonschema, v2_1_1, v2_2_1, v2_3_0
from hub.ocpi.schemas.fields import JSON
from hub.ocpi.schemas.objects import Object, instance
from hub.ocpi.schemas.tidying import tidied

Document = dict[str, Any]

SCHEMAS: Mapping[str, Mapping[str, type[Object]]] = {
    "2.3.0": v2_3_0.SCHEMAS,
    "2.2.1": v2_2_1.SCHEMAS,
    "2.1.1": v2_1_1.SCHEMAS,
}

# A refusal names this many errors at most; nobody reads more, and somebody else chose the number.
MOST_ERRORS = 50

# Lists of an object whose bad members can be left out without harm to the rest, and their class.
SEPARABLE = {"Location": ("evses", "EVSE")}


@dataclass(frozen=True)
class Removed:
    """A bad member of a list. ``path`` is where it was; the fields of ``errors`` begin with it."""

    path: str
    item: Any
    errors: Sequence[Mapping[str, str]]


def check(schema: type[Object], body: Any, *, partial: bool = False) -> Any:
    """The body in its exact form; the body itself when it has that form already.

    ``partial`` is for PATCH: required members may be missing, but nested objects must be complete,
    because they replace what is kept (TRANSPORT-10). Raises InvalidRequest naming field and rule.
    """
    if validator(schema, exact=True, partial=partial).is_valid(body):
        return body
    if validator(schema, exact=False, partial=partial).is_valid(body):
        return tidied(schema, body, partial=partial)
    errors = explain(schema, body, partial=partial)
    first = errors[0]
    at = f"{first['field']}: " if first["field"] else ""
    raise InvalidRequest(
        f"Not a valid {schema.__name__}. {at}{first['rule']}", data={"errors": errors}
    )


def is_valid(schema: type[Object], body: Any, *, partial: bool = False) -> bool:
    return validator(schema, exact=False, partial=partial).is_valid(body)


def split(number: str, kind: str, body: Any, *, partial: bool = False) -> tuple[Any, list[Removed]]:
    """The body without the bad members of its separable list, and these (TRANSPORT-14).

    What else may be wrong with the body is not looked at.
    """
    member, item_kind = SEPARABLE.get(kind, ("", ""))
    items = body.get(member) if member and isinstance(body, dict) else None
    if not isinstance(items, list) or is_valid(SCHEMAS[number][kind], body, partial=partial):
        return body, []
    schema = SCHEMAS[number][item_kind]
    good, removed = [], []
    for index, item in enumerate(items):
        if is_valid(schema, item):
            good.append(item)
            continue
        path = f"{member}/{index}"
        errors = explain(schema, item, at=path)
        removed.append(Removed(path, item, errors))
    return (body | {member: good} if removed else body), removed


def explain(
    schema: type[Object], body: Any, *, partial: bool = False, at: str = ""
) -> list[dict[str, str]]:
    """Every rule that a refused body breaks, with the path of its field."""
    told = instance(schema).validate(body, partial=optional_in_patch(schema) if partial else None)
    errors = flat(told, at)
    if not errors:  # the two disagree: a bug, but the partner is told something true
        compiled = validator(schema, exact=False, partial=partial)
        errors = [
            {"field": join(at, *error.instance_path), "rule": f"{error.message}."}
            for error in compiled.iter_errors(body)
        ]
    return errors[:MOST_ERRORS]


def flat(told: Any, at: str) -> list[dict[str, str]]:
    """Marshmallow's nested messages, one by one."""
    if not isinstance(told, dict):
        return [{"field": at, "rule": str(rule)} for rule in told]
    return [
        error
        for name, deeper in told.items()
        for error in flat(deeper, at if name == "_schema" else join(at, name))
    ]


def join(*parts: Any) -> str:
    return "/".join(str(part) for part in parts if part != "")


def optional_in_patch(schema: type[Object]) -> tuple[str, ...]:
    return tuple(name for name in instance(schema).fields if name not in schema.in_every_patch)


@cache
def validator(schema: type[Object], *, exact: bool, partial: bool) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft202012Validator(
        jsonschema.whole(schema, exact=exact, partial=partial),
        pattern_options=jsonschema_rs.RegexOptions(),
    )


def json_schema(version_number: str, kind: str) -> JSON:
    """The JSON Schema (draft 2020-12) of a class in its exact form, on its own."""
    return jsonschema.whole(SCHEMAS[version_number][kind], exact=True)


def components(version_number: str) -> dict[str, JSON]:
    """All classes and enumerations of a version as component schemas of OpenAPI 3.1."""
    return jsonschema.components(SCHEMAS[version_number].values())
