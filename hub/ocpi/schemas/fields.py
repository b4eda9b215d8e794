"""The types of OCPI as marshmallow fields: what the schemas of the modules are made of.

A field says of a JSON value what is wrong with it in words, and the same as JSON Schema, in two
forms:

    exact     as OCPI has it
    tolerant  as real partners send it: null for an optional member, other spellings of a timestamp

``tidy`` turns the second into the first. Words and both forms come from the same constants, so that
the compiled validator and marshmallow cannot disagree; a property test makes sure of it.
"""

import re
from decimal import Decimal
from math import isfinite
from typing import Any, ClassVar

from marshmallow import ValidationError, fields

from hub.ocpi.schemas import timestamps

JSON = dict[str, Any]

PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f]*$"
PRINTABLE_LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
PRINTABLE_ASCII = r"^[ -~]*$"
ABSOLUTE_URL = r"^[hH][tT][tT][pP][sS]?://[^\x00-\x20\x7f/?#]+[^\x00-\x20\x7f]*$"
TIME_OF_DAY = r"^(?:[01][0-9]|2[0-3]):[0-5][0-9]$"

# The largest numbers that every partner's database can be expected to hold.
LARGEST_INTEGER = 2**31 - 1
LARGEST_NUMBER = 10**15

MESSAGES: dict[str, Any] = {
    "required": "Missing data for required field.",
    "null": "Must not be null.",
    "invalid": "Must be a list.",
}


class Value(fields.Field[Any]):
    """A JSON value that is not an object. ``assume`` is what a missing required one stands for."""

    # What the tables of the specification call it.
    spec_type: ClassVar[str]

    def __init__(self, *, required: bool = False, assume: Any = None) -> None:
        super().__init__(
            required=required and assume is None,
            allow_none=not required or assume is not None,
            error_messages=MESSAGES,
        )
        self.assume = assume

    def wrong(self, value: Any) -> str | None:
        """The rule that the value breaks, or None."""
        raise NotImplementedError

    def json_schema(self, *, exact: bool) -> JSON:
        raise NotImplementedError

    @property
    def may_need_tidying(self) -> bool:
        """Whether something is tolerated that is not exact."""
        return False

    def tidy(self, value: Any) -> Any:
        """The exact form of a tolerated value."""
        return value

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if rule := self.wrong(value):
            raise ValidationError(rule)
        return value


class Anything(Value):
    spec_type = "any"

    def wrong(self, value: Any) -> str | None:
        return None

    def json_schema(self, *, exact: bool) -> JSON:
        return {}


class String(Value):
    """``string(maximum)``: printable Unicode in one line (TRANSPORT-91)."""

    spec_type = "string"
    pattern: ClassVar[str] = PRINTABLE
    exact_pattern: ClassVar[str | None] = None
    rule: ClassVar[str] = "Must not contain line breaks, tabs or other control characters."

    def __init__(self, maximum: int | None = None, *, key: bool = False, **kwargs: Any) -> None:
        """``key``: part of what an object is found by, so it must not be empty."""
        super().__init__(**kwargs)
        self.maximum = maximum
        self.minimum = 1 if key else 0

    def wrong(self, value: Any) -> str | None:
        if not isinstance(value, str):
            return "Must be a string."
        if self.maximum is not None and len(value) > self.maximum:
            return f"Must not be longer than {self.maximum} characters."
        if len(value) < self.minimum:
            return "Must not be empty."
        return None if re.fullmatch(self.pattern, value) else self.rule

    @property
    def may_need_tidying(self) -> bool:
        return self.exact_pattern is not None

    def tidy(self, value: Any) -> Any:
        if self.exact_pattern is None or re.fullmatch(self.exact_pattern, value):
            return value
        return self.repaired(value)

    def repaired(self, value: str) -> str:
        raise NotImplementedError

    def json_schema(self, *, exact: bool) -> JSON:
        pattern = self.exact_pattern if exact and self.exact_pattern else self.pattern
        schema: JSON = {"type": "string", "pattern": pattern}
        if self.maximum is not None:
            schema["maxLength"] = self.maximum
        if self.minimum:
            schema["minLength"] = self.minimum
        return schema


class Text(String):
    """``string(maximum)`` for people or machines to read as it is.

    Line breaks and tabs are tolerated and kept: real tariffs describe themselves in several lines,
    and signed meter data must stay as it was signed (CDR-21).
    """

    pattern = PRINTABLE_LINES
    rule = "Must not contain control characters."


class CiString(String):
    """``CiString(maximum)``: printable ASCII, compared without case, kept as written."""

    spec_type = "CiString"
    pattern = PRINTABLE_ASCII
    rule = "Must contain printable ASCII characters only."


class Visible(String):
    """A string of visible ASCII characters: what a credentials token is made of."""

    pattern = r"^[!-~]*$"
    rule = "Must contain visible ASCII characters only."


class URL(String):
    spec_type = "URL"
    pattern = ABSOLUTE_URL
    rule = "Must be an http or https URL."

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(255, **kwargs)


class Timestamp(String):
    """``DateTime`` (TRANSPORT-93). Tolerated: see ``timestamps``."""

    spec_type = "DateTime"
    pattern = timestamps.TOLERANT
    exact_pattern = timestamps.EXACT
    rule = "Must be a timestamp in UTC such as 2025-06-29T20:39:09Z."

    def repaired(self, value: str) -> str:
        return timestamps.in_utc(value)


class Date(String):
    pattern = timestamps.ONLY_DATE
    rule = "Must be a date such as 2025-06-29."

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(10, **kwargs)


class TimeOfDay(String):
    pattern = TIME_OF_DAY
    rule = "Must be a time of day such as 08:30."

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(5, **kwargs)


class Latitude(String):
    """Degrees as a string with five to seven decimals; others are tolerated, as far as they fit."""

    pattern = r"^-?(?:90(?:\.0+)?|[0-8]?[0-9](?:\.[0-9]+)?)$"
    exact_pattern = r"^-?(?:90\.0{5,7}|[0-8]?[0-9]\.[0-9]{5,7})$"
    rule = "Must be degrees with five to seven decimals, as a string such as 52.090700."
    longest = 10

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(self.longest, **kwargs)

    def repaired(self, value: str) -> str:
        decimals = min(max(len(value.partition(".")[2]), 5), 7)
        return f"{Decimal(value):.{decimals}f}"


class Longitude(Latitude):
    pattern = r"^-?(?:180(?:\.0+)?|(?:1[0-7]|0?[0-9])?[0-9](?:\.[0-9]+)?)$"
    exact_pattern = r"^-?(?:180\.0{5,7}|(?:1[0-7]|0?[0-9])?[0-9]\.[0-9]{5,7})$"
    longest = 11


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


class Number(Value):
    """``number``: a JSON number, never a string (TRANSPORT-95)."""

    spec_type = "number"

    def wrong(self, value: Any) -> str | None:
        if not is_number(value):
            return "Must be a number."
        if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
            return "Must not be beyond 10 to the 15th."
        return None

    def json_schema(self, *, exact: bool) -> JSON:
        return {"type": "number", "minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER}


class Integer(Value):
    """``int``: a whole number. JSON does not tell 16 from 16.0, and neither does this."""

    spec_type = "int"

    def __init__(
        self,
        *,
        low: int = -LARGEST_INTEGER,
        high: int = LARGEST_INTEGER,
        digits: int | None = None,
        **kwargs: Any,
    ) -> None:
        """``digits`` is the length that some tables give to an int."""
        super().__init__(**kwargs)
        self.digits = digits
        self.low = low if digits is None else max(low, 0)
        self.high = high if digits is None else min(high, int("9" * digits))

    def wrong(self, value: Any) -> str | None:
        if not is_number(value) or not isfinite(value) or value != int(value):
            return "Must be a whole number."
        if not self.low <= value <= self.high:
            return f"Must be from {self.low} to {self.high}."
        return None

    def json_schema(self, *, exact: bool) -> JSON:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


class Boolean(Value):
    spec_type = "boolean"

    def wrong(self, value: Any) -> str | None:
        return None if isinstance(value, bool) else "Must be true or false."

    def json_schema(self, *, exact: bool) -> JSON:
        return {"type": "boolean"}
