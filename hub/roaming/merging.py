"""How a pushed change meets what is already kept. Pure; any order of arrival gives the same object.

Pushes are late, repeated and out of order. The last writer wins *per top-level member*: a PATCH
that arrives after a newer PATCH of another member still counts. A PUT writes every member, those it
leaves out included (TRANSPORT-08, -09, -10); equal stamps: the later arrival wins (MOD-05).

A ``Merged`` object remembers the instant of the PUT it rests on and, for members patched
since, the instant of that patch. Most objects were last written by a PUT, and then there is nothing
to remember.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, cast

from hub import codec

Document = dict[str, Any]

MEMBER_OF_TIME = "last_updated"
PERIODS = "charging_periods"
NEVER: Mapping[str, datetime] = MappingProxyType({})


class Merged:
    """An object as it stands: its members (without ``last_updated``) and when they were written.

    A value. What was read as text is parsed when somebody looks into it, for most is only replaced;
    and what was parsed is written once.
    """

    __slots__ = ("_document", "_text", "last_updated", "last_updated_text", "patched_at", "put_at")

    def __init__(
        self,
        document: Document | str,
        put_at: datetime,
        last_updated: datetime,
        last_updated_text: str,
        patched_at: Mapping[str, datetime] = NEVER,
    ) -> None:
        read = isinstance(document, str)
        self._document: Document | None = None if read else cast(Document, document)
        self._text: str | None = cast(str, document) if read else None
        self.put_at = put_at
        self.last_updated = last_updated
        self.last_updated_text = last_updated_text
        self.patched_at = patched_at

    @property
    def document(self) -> Document:
        if self._document is None:
            assert self._text is not None
            self._document = codec.read_stored(self._text)
        return self._document

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = codec.write_text(self._document)
        return self._text

    def but(
        self,
        *,
        document: Document | None = None,
        put_at: datetime | None = None,
        last_updated: datetime | None = None,
        last_updated_text: str | None = None,
        patched_at: Mapping[str, datetime] | None = None,
    ) -> "Merged":
        """The same with some of it changed."""
        same = self.text if self._document is None else self._document
        return Merged(
            same if document is None else document,
            put_at or self.put_at,
            last_updated or self.last_updated,
            last_updated_text or self.last_updated_text,
            self.patched_at if patched_at is None else patched_at,
        )

    def written_at(self, member: str) -> datetime:
        return self.patched_at.get(member, self.put_at)


def put(kept: Merged | None, document: Document, at: datetime, text: str) -> Merged:
    """The object after a PUT; ``kept`` itself when the PUT is older than everything in it."""
    if kept is None or at >= kept.last_updated:
        return Merged(document, at, at, text)
    if at < kept.put_at:
        return kept
    # Between the last PUT and a patch: what was patched later than this stays.
    later = {member: when for member, when in kept.patched_at.items() if when > at}
    merged = {key: value for key, value in document.items() if key not in later}
    merged |= {key: kept.document[key] for key in later if key in kept.document}
    return kept.but(document=merged, put_at=at, patched_at=later)


def patch(kept: Merged, changes: Document, at: datetime, text: str) -> Merged:
    """The object after a PATCH; a null clears the member (TRANSPORT-10)."""
    timely = {key: value for key, value in changes.items() if at >= kept.written_at(key)}
    newer = at >= kept.last_updated
    if not timely and (changes or not newer):
        return kept
    document = kept.document | timely
    for key in [key for key, value in timely.items() if value is None]:
        del document[key]
    return Merged(
        document,
        kept.put_at,
        at if newer else kept.last_updated,
        text if newer else kept.last_updated_text,
        {**kept.patched_at, **dict.fromkeys(timely, at)},
    )


def put_child(
    children: list[Document],
    child_id: str,
    document: Document,
    *,
    partial: bool,
    order: Callable[[str], datetime],
) -> list[Document] | None:
    """A list of objects with one of them put or, ``partial``, patched; None: what is there is
    newer, by the ``order`` of stamps. Raises LookupError for a patch of what is not there.
    """
    wanted, changed = child_id.upper(), list(children)
    index = next((i for i, kept in enumerate(children) if kept["id"].upper() == wanted), None)
    if index is None:
        if partial:
            raise LookupError(child_id)
        return [*changed, document]
    kept = changed[index]
    if order(document[MEMBER_OF_TIME]) < order(kept[MEMBER_OF_TIME]):
        return None
    merged = {**kept, **document} if partial else document
    changed[index] = {key: value for key, value in merged.items() if value is not None}
    return changed


def append_periods(kept: Merged, more: list[Document], at: datetime) -> Merged:
    """The session after a PATCH that brought charging periods: they are appended (SES-14).

    A period that starts when a kept one starts is the same period told again: the newer telling
    wins, so a repeated PATCH bills nothing twice. Periods older than the PUT that replaced the list
    are gone with it (SES-12).
    """
    if at < kept.put_at:
        return kept
    periods = {instant(p["start_date_time"]): p for p in kept.document.get(PERIODS) or []}
    told = dict(kept.patched_at)
    for period in more:
        start = instant(period["start_date_time"])
        mark = f"{PERIODS}/{start.isoformat()}"
        if start not in periods or at >= told.get(mark, kept.put_at):
            periods[start] = period
            told[mark] = at
    in_order = [periods[start] for start in sorted(periods)]
    return kept.but(document=kept.document | {PERIODS: in_order}, patched_at=told)


def instant(text: str) -> datetime:
    """An OCPI DateTime as an aware instant; without a zone it is UTC (TRANSPORT-93)."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
