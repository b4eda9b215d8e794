"""Documents that nobody thought of, drawn by hypothesis from the schemas themselves."""

import string
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st
from marshmallow import fields

from hub.ocpi.schemas.credentials import HubPartyId
from hub.ocpi.schemas.enums import OneOf
from hub.ocpi.schemas.fields import (
    URL,
    Anything,
    Boolean,
    CiString,
    Date,
    Integer,
    Latitude,
    Longitude,
    Number,
    String,
    TimeOfDay,
    Timestamp,
    Visible,
)
from hub.ocpi.schemas.objects import Object, instance

Document = dict[str, Any]
Values = st.SearchStrategy[Any]

ASCII = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
PRINTABLE = st.characters(
    min_codepoint=0x20, exclude_categories=("Cc", "Cs"), include_characters="é漢"
)
VISIBLE = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
# Sums and differences of a few of these are still numbers that the schemas allow.
LARGEST_AMOUNT = 10**14
MOMENTS = st.datetimes().map(lambda moment: moment.isoformat(timespec="seconds"))

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=60),
    st.sampled_from(["", "2025-02-30T00:00:00Z", "2025-01-01", "52.1", "AVAILABLE", "YES", "1"]),
    st.lists(st.none() | st.integers(0, 3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.none() | st.booleans(), max_size=2),
)
# Members that no class of any version has.
UNKNOWN = st.dictionaries(
    st.text(string.ascii_lowercase, min_size=1, max_size=8).map(lambda name: f"x_{name}"),
    JUNK,
    max_size=2,
)


@st.composite
def degrees(draw: st.DrawFn, limit: int, *, least: int, most: int) -> str:
    decimals = draw(st.integers(least, most))
    value = draw(st.integers(-limit * 10**decimals, limit * 10**decimals))
    whole, fraction = divmod(abs(value), 10**decimals)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{fraction:0{decimals}}" if decimals else f"{sign}{whole}"


def scalar(field: fields.Field[Any], *, tolerated: bool = False) -> Values:
    """What a field allows; with ``tolerated`` also what the hub puts right."""
    made = next(MAKERS[kind] for kind in type(field).__mro__ if kind in MAKERS)
    return made(field, tolerated)


def enumerated(field: OneOf, tolerated: bool) -> Values:
    values = st.sampled_from(field.enum.values)
    return values | st.text(ASCII, min_size=1, max_size=40) if field.enum.open else values


def moments(field: Timestamp, tolerated: bool) -> Values:
    return MOMENTS.map(lambda moment: f"{moment}Z") | (timestamps() if tolerated else MOMENTS)


def texts(letters: Values) -> Callable[[Any, bool], Values]:
    def make(field: String, tolerated: bool) -> Values:
        return st.text(letters, min_size=field.minimum, max_size=min(field.maximum or 9, 9))

    return make


def numbers() -> Values:
    """Amounts as people write them, and any float."""
    return st.one_of(
        st.integers(-1_000_000, 1_000_000),
        st.decimals(-10_000, 10_000, places=4).map(float),
        st.floats(-LARGEST_AMOUNT, LARGEST_AMOUNT),
    )


@st.composite
def timestamps(draw: st.DrawFn) -> str:
    moment = draw(st.datetimes()).isoformat(timespec="seconds")
    fraction = draw(st.just("") | st.text(string.digits, min_size=1, max_size=9).map(".{}".format))
    zone = draw(st.sampled_from(["", "Z", "z", "+00:00", "-05:30", "+1400"]))
    return moment.replace("T", draw(st.sampled_from("Tt "))) + fraction + zone


@st.composite
def documents(
    draw: st.DrawFn,
    schema: type[Object],
    *,
    tolerated: bool = False,
    junk: bool = False,
    partial: bool = False,
    unknown: bool = True,
) -> Document:
    """A valid object; with ``tolerated`` one that needs tidying, with ``junk`` whatever."""
    document: Document = {}
    for name, field in instance(schema).fields.items():
        needed = field.required and (not partial or name in schema.in_every_patch)
        needed = needed or (getattr(field, "assume", None) is not None and not partial)
        if draw(st.integers(0, 9)) < (9 if junk else 10) and (needed or draw(st.booleans())):
            document[name] = draw(
                member(field, tolerated=tolerated, junk=junk and draw(st.integers(0, 9)) == 0)
            )
        elif tolerated and field.allow_none and draw(st.booleans()):
            document[name] = None
    if not junk and not partial:
        satisfy(draw, schema, document, tolerated=tolerated)
    if unknown:
        document |= draw(UNKNOWN)
    return document


def satisfy(draw: st.DrawFn, schema: type[Object], document: Document, *, tolerated: bool) -> None:
    """Add what the rules between members ask for."""
    members = instance(schema).fields
    if schema.any_of and all(document.get(name) is None for name in schema.any_of):
        name = draw(st.sampled_from(schema.any_of))
        document[name] = draw(scalar(members[name], tolerated=tolerated))
    for given, needed in schema.needs.items():
        if document.get(given) not in (None, False) and document.get(needed) is None:
            document[needed] = draw(scalar(members[needed], tolerated=tolerated))


def member(field: fields.Field[Any], *, tolerated: bool, junk: bool) -> Values:
    if junk:
        return JUNK
    match field:
        case fields.List():
            item = member(field.inner, tolerated=tolerated, junk=False)
            return st.lists(item, min_size=1 if field.required else 0, max_size=2)
        case fields.Nested():
            return documents(field.nested, tolerated=tolerated)
    return scalar(field, tolerated=tolerated)


MAKERS: Mapping[Any, Callable[[Any, bool], Values]] = {
    OneOf: enumerated,
    Timestamp: moments,
    Date: lambda field, tolerated: st.dates().map(str),
    TimeOfDay: lambda field, tolerated: st.times().map(lambda time: time.strftime("%H:%M")),
    Longitude: lambda field, tolerated: degrees(180, least=0 if tolerated else 5, most=6),
    Latitude: lambda field, tolerated: degrees(90, least=0 if tolerated else 5, most=6),
    URL: lambda field, tolerated: st.text(VISIBLE, max_size=30).map("https://x.example/{}".format),
    Boolean: lambda field, tolerated: st.booleans(),
    Integer: lambda field, tolerated: st.integers(field.low, field.high),
    Number: lambda field, tolerated: numbers(),
    Visible: texts(VISIBLE),
    HubPartyId: lambda field, tolerated: st.text(ASCII, min_size=5, max_size=5),
    CiString: texts(ASCII),
    String: texts(PRINTABLE),
    Anything: lambda field, tolerated: JUNK.filter(lambda value: value is not None),
}
