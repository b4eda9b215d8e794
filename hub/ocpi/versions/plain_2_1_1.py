"""How 2.1.1 writes: ASCII letters only, and moments in whole seconds (BRIDGE-09, TRANSPORT-94)."""

import unicodedata
from typing import Any

from marshmallow import fields

from hub.ocpi.schemas.fields import String, Timestamp
from hub.ocpi.schemas.objects import Object, instance, nested
from hub.ocpi.versions.base import Document, Trail, Translate
from hub.ocpi.versions.rewriting import put

# What decomposing does not turn into ASCII.
LETTERS = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "Æ": "Ae",
        "œ": "oe",
        "Œ": "Oe",
        "ø": "o",
        "Ø": "O",
        "ð": "d",
        "Ð": "D",
        "þ": "th",
        "Þ": "Th",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "Đ": "D",
        "\u0131": "i",
        "\u2013": "-",
        "\u2014": "-",
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "€": "EUR",
    }
)


def plain(schema: type[Object]) -> Translate:
    def translate(document: Document, trail: Trail) -> Document:
        return plain_object(schema, document, trail)

    return translate


def plain_object(schema: type[Object], document: Document, trail: Trail) -> Document:
    members = instance(schema).fields
    return put(
        document,
        {
            name: plain_value(members[name], value, trail.at(name))
            for name, value in document.items()
            if name in members
        },
    )


def plain_value(field: fields.Field[Any], value: Any, trail: Trail) -> Any:
    match field:
        case fields.List() if isinstance(value, list):
            items = [plain_value(field.inner, v, trail.at(i)) for i, v in enumerate(value)]
            same = all(new is old for new, old in zip(items, value, strict=True))
            return value if same else items
        case fields.Nested() if isinstance(value, dict):
            return plain_object(nested(field), value, trail)
        case Timestamp() if isinstance(value, str):
            return whole_seconds(value)
        case String() if isinstance(value, str) and not value.isascii():
            trail.lose("written in ASCII letters")
            return ascii_letters(value, field.maximum)
    return value


def whole_seconds(text: str) -> str:
    if text.endswith("Z") and "." not in text:
        return text
    return text.removesuffix("Z").partition(".")[0] + "Z"


def ascii_letters(text: str, maximum: int | None) -> str:
    """``ö`` becomes ``o``, what has no likeness becomes a question mark."""
    decomposed = unicodedata.normalize("NFKD", text.translate(LETTERS))
    letters = "".join(char for char in decomposed if not unicodedata.combining(char))
    return letters.encode("ascii", "replace").decode()[:maximum]
