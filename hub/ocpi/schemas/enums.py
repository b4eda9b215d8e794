"""Enumerations of OCPI, closed and open."""

import re
from dataclasses import dataclass
from typing import Any

from hub.ocpi.schemas.fields import JSON, PRINTABLE_ASCII, Value

# Open enumerations have no length in OCPI; the longest value known has 32 characters.
LONGEST_VALUE = 40


@dataclass(frozen=True)
class Enum:
    """An enumeration of OCPI. An open one may carry other values as well (TRANSPORT-97)."""

    name: str
    values: tuple[str, ...]
    open: bool = False

    def closed(self, *, without: tuple[str, ...] = (), plus: tuple[str, ...] = ()) -> "Enum":
        """The enumeration as an older version has it."""
        values = tuple(value for value in self.values if value not in without) + plus
        return Enum(self.name, values)


def closed(name: str, *values: str) -> Enum:
    return Enum(name, values)


def open_enum(name: str, *values: str) -> Enum:
    return Enum(name, values, open=True)


class OneOf(Value):
    """A value of an enumeration; compared with case (TRANSPORT-91)."""

    def __init__(self, enum: Enum, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.enum = enum

    def wrong(self, value: Any) -> str | None:
        if not isinstance(value, str):
            return "Must be a string."
        if not self.enum.open:
            allowed = ", ".join(self.enum.values)
            return None if value in self.enum.values else f"Must be one of {allowed}."
        if not value or len(value) > LONGEST_VALUE or not re.fullmatch(PRINTABLE_ASCII, value):
            return f"Must be 1 to {LONGEST_VALUE} printable ASCII characters."
        return None

    def json_schema(self, *, exact: bool) -> JSON:
        if not self.enum.open:
            return {"type": "string", "enum": list(self.enum.values)}
        return {
            "type": "string",
            "pattern": PRINTABLE_ASCII,
            "minLength": 1,
            "maxLength": LONGEST_VALUE,
        }
