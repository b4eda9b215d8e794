"""Is an object as OCPI has it, to the letter? And if not, which rule does it break?

The hub itself is lenient with what partners send; here the exact form counts, because the next
platform may not be lenient.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from marshmallow import fields

from hub.conformance.caller import Exchange
from hub.conformance.checks import Fault
from hub.conformance.subject import KNOWN
from hub.ocpi.schemas.compiled import explain, is_valid
from hub.ocpi.schemas.fields import String, Timestamp
from hub.ocpi.schemas.objects import Object, instance, nested

# Which requirement a broken rule belongs to, by the beginning of its words; and what to do.
RULES = (
    ("Must be a timestamp", "TRANSPORT-93", "Write timestamps in UTC, as 2025-06-29T20:39:09Z."),
    ("Must be a number", "TRANSPORT-95", "Write numbers as JSON numbers, not as strings."),
    ("Must be a whole number", "TRANSPORT-95", "Write a whole number, not a string."),
    ("Must be one of", "TRANSPORT-97", "Use a value that this version knows, in capitals."),
    ("Must be an http", "TRANSPORT-92", "Write an absolute URL of at most 255 characters."),
    ("Must contain printable ASCII", "TRANSPORT-90", "Ids hold printable ASCII only."),
    ("Must not be longer", "TRANSPORT-91", "Shorten it; others have no room for more."),
    ("Must not contain", "TRANSPORT-91", "Leave control characters and line breaks out."),
)
OTHERWISE = "TRANSPORT-98", "Send what is required, in the type that OCPI gives it."
# Members with a rule of their own.
MEMBERS = (
    (r"(^|/)tax_included$", "TAR-07", "Say YES, NO or N/A: 2.3.0 does not assume anything."),
    (r"(^|/)publish_allowed_to(/|$)", "LOC-06", "Complete the entry, or leave it out."),
    (r"(^|/)time_zone$", "LOC-16", "Name the time zone, such as Europe/Amsterdam."),
    (r"(^|/)credit_reference_id$", "CDR-06", "Name the CDR that the credit is for."),
)


@dataclass(frozen=True)
class Complaint:
    """One broken rule. ``path`` is where in the object."""

    path: str
    rule: str
    id: str
    mend: str

    def at(self, exchange: Exchange, *ids: str, name: str = "") -> Fault:
        """A fault of an exchange; ``ids`` instead of the rule's own, ``name`` the object's."""
        place = " ".join(part for part in (name, self.path) if part)
        got = f"{place}: {self.rule}" if place else self.rule
        return Fault(exchange, self.mend, got, ids or (self.id,))


def complaints(version: str, kind: str, body: Any) -> list[Complaint]:
    """Every rule that the body breaks, each told once."""
    schema = KNOWN[version].schema(kind)
    told = []
    if not is_valid(schema, body):
        told = [(one["field"], one["rule"]) for one in explain(schema, body)]
    told += [found for found in inexact(schema, body) if found not in told]
    return [complaint(path, rule) for path, rule in told]


def complaint(path: str, rule: str) -> Complaint:
    for pattern, name, mend in MEMBERS:
        if re.search(pattern, path):
            return Complaint(path, rule, name, mend)
    for words, name, mend in RULES:
        if rule.startswith(words):
            return Complaint(path, rule, name, mend)
    return Complaint(path, rule, *OTHERWISE)


def inexact(
    schema: type[Object], body: Any, at: str = "", *, partial: bool = False
) -> Iterator[tuple[str, str]]:
    """What the hub would forgive: other spellings of a value, a required one that is assumed."""
    if not isinstance(body, dict):
        return
    for name, field in instance(schema).fields.items():
        path = f"{at}/{name}" if at else name
        if name in body and body[name] is not None:
            yield from inexact_value(field, body[name], path)
        elif getattr(field, "assume", None) is not None and not partial:
            yield path, "Missing data for required field."


def inexact_value(field: fields.Field[Any], value: Any, path: str) -> Iterator[tuple[str, str]]:
    match field:
        case fields.List():
            for index, item in enumerate(value if isinstance(value, list) else []):
                yield from inexact_value(field.inner, item, f"{path}/{index}")
        case fields.Nested():
            yield from inexact(nested(field), value, path)
        case String(exact_pattern=str(exact)):
            if isinstance(value, str) and not re.fullmatch(exact, value):
                yield path, field.rule


def is_moment(value: Any) -> bool:
    """Whether it is a timestamp in the exact form."""
    return isinstance(value, str) and bool(re.fullmatch(Timestamp.exact_pattern or "", value))
