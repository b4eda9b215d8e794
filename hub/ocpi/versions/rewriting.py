"""Changing parts of a document: the original stays, and what is unchanged is not copied."""

from collections.abc import Collection, Mapping
from typing import Any

from marshmallow import ValidationError

from hub.ocpi.schemas.objects import Object, instance
from hub.ocpi.schemas.tidying import tidy_of
from hub.ocpi.versions.base import Document, NotExpressible, Trail, Translate

ABSENT: Any = object()


def put(document: Document, changes: Document) -> Document:
    """With these members changed, or left out where the new value is ``ABSENT``."""
    for name, value in changes.items():
        if document.get(name, ABSENT) is not value:
            break
    else:
        return document
    return {name: value for name, value in (document | changes).items() if value is not ABSENT}


def renamed(names: Mapping[str, str], *, checked: bool = False) -> Translate:
    """Call these members by their other names; a stranger who has such a name already must go.

    ``checked``: the stranger was found to mean the same (``early``), so it goes only if both are
    there.
    """

    def translate(document: Document, trail: Trail) -> Document:
        told = names.keys() & document.keys()
        taken = {names[name] for name in (told if checked else names)} & document.keys()
        if not told and not taken:
            return document
        for name in taken:
            trail.at(name).lose("means something else in this version")
        return {names.get(n, n): value for n, value in document.items() if n not in taken}

    return translate


def within(*names: str, change: Translate) -> Translate:
    """Apply ``change`` to the objects that these members hold."""

    def translate(document: Document, trail: Trail) -> Document:
        for name in names:
            item = document.get(name)
            if isinstance(item, dict):
                changed = change(item, trail.at(name))
                document = document if changed is item else document | {name: changed}
        return document

    return translate


def each(name: str, *, change: Translate) -> Translate:
    """Apply ``change`` to every object in a list; what is not expressible is left out."""

    def translate(document: Document, trail: Trail) -> Document:
        items = document.get(name)
        if not items or not isinstance(items, list):
            return document
        changed = each_of(items, trail.at(name), change)
        return document if changed is items else document | {name: changed}

    return translate


def some(name: str, *, change: Translate) -> Translate:
    """Like ``each``, but an object that loses all of these cannot be expressed."""
    translate_each = each(name, change=change)

    def translate(document: Document, trail: Trail) -> Document:
        result = translate_each(document, trail)
        if document.get(name) and not result[name]:
            raise NotExpressible(f"nothing is left of {name}")
        return result

    return translate


def each_of(items: list[Any], trail: Trail, change: Translate) -> list[Any]:
    kept = []
    same = True
    for index, item in enumerate(items):
        here = trail.at(index)
        try:
            changed = change(item, here) if isinstance(item, dict) else item
        except NotExpressible as error:
            here.lose(error.reason)
            same = False
            continue
        same = same and changed is item
        kept.append(changed)
    return items if same else kept


def known(name: str, values: Collection[str], *, instead: Any = ABSENT) -> Translate:
    """Keep a member if the older version knows its value; else say ``instead``, if anything."""

    def translate(document: Document, trail: Trail) -> Document:
        value = document.get(name)
        if value is None or value in values:
            return document
        trail.at(name).lose(f"{value} is unknown in this version")
        return put(document, {name: instead})

    return translate


def only_known(name: str, values: Collection[str]) -> Translate:
    """Leave out the elements of a list that the older version does not know."""

    def translate(document: Document, trail: Trail) -> Document:
        items = document.get(name) or ()
        unknown = [value for value in items if value not in values]
        for value in unknown:
            trail.at(name).lose(f"{value} is unknown in this version")
        return put(document, {name: [v for v in items if v in values]}) if unknown else document

    return translate


def required(name: str, values: Collection[str]) -> Translate:
    """An object cannot be expressed without this member: not even with another value in it."""

    def translate(document: Document, trail: Trail) -> Document:
        value = document.get(name)
        if value is not None and value not in values:
            raise NotExpressible(f"{name} {value} is unknown in this version")
        return document

    return translate


def early(schema: type[Object], *names: str) -> Translate:
    """Members that only the newer version defines, sent by somebody ahead of his version.

    They stay if they are what the newer version means by them; else they must go, because nobody
    would check them again.
    """

    def translate(document: Document, trail: Trail) -> Document:
        changes = {}
        for name in names:
            if name in document:
                changes[name] = as_defined(schema, name, document[name])
                if changes[name] is ABSENT and document[name] is not None:
                    trail.at(name).lose("means something else in the newer version")
        return put(document, changes)

    return translate


def as_defined(schema: type[Object], name: str, value: Any) -> Any:
    field = instance(schema).fields[name]
    try:
        field.deserialize(value)
    except ValidationError:
        return ABSENT
    tidy = tidy_of(field)
    return ABSENT if value is None else tidy(value) if tidy else value


def without(*names: str) -> Translate:
    """Leave out members that came with the newer version."""

    def translate(document: Document, trail: Trail) -> Document:
        for name in names:
            if name in document:
                trail.at(name).lose("unknown in this version")
        return put(document, {name: ABSENT for name in names if name in document})

    return translate


def drop(*names: str) -> Translate:
    """Leave out members that the older version does without: nothing is lost."""

    def translate(document: Document, trail: Trail) -> Document:
        return put(document, {name: ABSENT for name in names if name in document})

    return translate


def added(newer: type[Object], older: type[Object]) -> tuple[str, ...]:
    """The members that the newer of two classes has and the older has not."""
    return tuple(name for name in instance(newer).fields if name not in instance(older).fields)


def in_turn(*translators: Translate) -> Translate:
    def translate(document: Document, trail: Trail) -> Document:
        for change in translators:
            document = change(document, trail)
        return document

    return translate
