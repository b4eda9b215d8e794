"""Reading the rows that a group of writes touches, and writing back those that changed.

One statement per table whatever the number of objects, so that requests which arrive together share
the price of a commit.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.models.values import Party
from hub.roaming.merging import MEMBER_OF_TIME, Document, Merged, instant
from hub.roaming.modules import MODULES, Module
from hub.roaming.store import history
from hub.roaming.store.row_statements import (
    SELECT,
    SELECT_EVSES,
    SELECT_EVSES_OF,
    TABLES,
    TOUCH,
    UPSERT,
)

SameSince = Callable[[str, Document], str]


def newest_only(kind: str, document: Document) -> str:
    return "2.3.0"


class Key(NamedTuple):
    country_code: str
    party_id: str
    object_key: str


class Origin(NamedTuple):
    """Where an object came from; ``for_us`` when it was for our own stations alone."""

    partner_id: UUID | None
    broadcast: bool
    for_us: bool = False


@dataclass(slots=True)
class Row:
    """One object as it is about to be; ``moved`` rows get a new place in the feed.

    ``before`` is the document as it was, for the audit log; ``receiver`` whom a private object is
    for.
    """

    kind: str
    key: Key
    location_key: str | None
    object_id: str
    merged: Merged
    digest: bytes
    origin: Origin
    receiver: Party | None = None
    deleted: bool = False
    moved: bool = False
    touched: bool = False
    before: Document | None = None
    held_at: datetime | None = None

    def replace(self, after: Merged, origin: Origin, receiver: Party | None) -> bool:
        """Take the merged object; True when it differs in more than its ``last_updated``."""
        for_all = self.origin.for_us and not origin.for_us
        print_ = self.digest if after.text == self.merged.text else digest(after.document)
        if print_ == self.digest and not self.deleted and not for_all:
            self.touched = self.touched or after.last_updated != self.merged.last_updated
            self.merged = after
            return False
        self.before = self.before or (None if self.deleted else self.merged.document)
        self.merged, self.digest, self.origin = after, print_, origin
        self.receiver = receiver or self.receiver
        self.deleted, self.moved = False, True
        return True

    def delete(self, origin: Origin) -> None:
        self.before = self.before or self.merged.document
        self.origin = origin._replace(for_us=self.origin.for_us)
        self.deleted = self.moved = True

    def raise_to(self, children: Iterable["Row"]) -> None:
        """A location is never older than its EVSEs (LOC-10, LOC-12); that alone moves nothing."""
        for child in children:
            if child.merged.last_updated > self.merged.last_updated:
                self.merged = self.merged.but(
                    last_updated=child.merged.last_updated,
                    last_updated_text=child.merged.last_updated_text,
                )
                self.touched = True


@dataclass
class Shelf:
    """The rows in hand."""

    rows: dict[tuple[str, Key], Row] = field(default_factory=dict)
    evses: dict[Key, dict[str, Row]] = field(default_factory=dict)

    def find(self, module: Module, key: Key) -> Row | None:
        return self.rows.get((module.name, key))

    def find_evse(self, location: Key, evse_key: str) -> Row | None:
        return self.evses.get(location, {}).get(evse_key)

    def evses_of(self, location: Key) -> list[Row]:
        return list(self.evses.get(location, {}).values())

    def add(
        self,
        module: Module,
        key: Key,
        *,
        evse_uid: str | None,
        object_id: str,
        merged: Merged,
        origin: Origin,
        receiver: Party | None,
    ) -> None:
        if evse_uid is None:
            self.rows[module.name, key] = Row(
                module.kind,
                key,
                None,
                object_id,
                merged,
                digest(merged.document),
                origin,
                receiver,
                moved=True,
            )
            return
        evse = Key(key.country_code, key.party_id, evse_uid.upper())
        self.evses.setdefault(key, {})[evse.object_key] = Row(
            "EVSE",
            evse,
            key.object_key,
            evse_uid,
            merged,
            digest(merged.document),
            origin,
            moved=True,
        )


def digest(document: Document) -> bytes:
    """Tells whether a document changed; ``last_updated`` alone, at any depth of a location, is no
    change.
    """
    plain = {key: value for key, value in document.items() if key != MEMBER_OF_TIME}
    if connectors := plain.get("connectors"):
        plain["connectors"] = [
            {key: value for key, value in connector.items() if key != MEMBER_OF_TIME}
            for connector in connectors
        ]
    return blake2b(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


async def fetch(
    db: AsyncSession,
    wanted: Sequence[tuple[Module, Key]],
    *,
    evses_of: Sequence[Key] = (),
    evses: Sequence[tuple[Key, str]] = (),
) -> Shelf:
    """Read and lock rows, always in the order of their keys: no two groups can deadlock."""
    shelf = Shelf()
    for name, module in MODULES.items():
        keys = sorted({key for of, key in wanted if of is module})
        if not keys:
            continue
        for found in await SELECT[name].run(db, columns(keys)):
            row = read_row(module.kind, found)
            shelf.rows[name, row.key] = row
    if evses_of:
        add_evses(shelf, await SELECT_EVSES_OF.run(db, columns(sorted(set(evses_of)))))
    if parts := sorted(set(evses) - {(key, evse) for key, evse in evses if key in set(evses_of)}):
        values = columns([key for key, _ in parts]) | {"evses": [evse for _, evse in parts]}
        add_evses(shelf, await SELECT_EVSES.run(db, values))
    return shelf


def columns(keys: Sequence[Key]) -> dict[str, Any]:
    return {
        "countries": [key.country_code for key in keys],
        "parties": [key.party_id for key in keys],
        "keys": [key.object_key for key in keys],
    }


def add_evses(shelf: Shelf, found: Iterable[Any]) -> None:
    for values in found:
        row = read_row("EVSE", values)
        location = Key(row.key.country_code, row.key.party_id, values[-1])
        shelf.evses.setdefault(location, {})[row.key.object_key] = row


def read_row(kind: str, values: Any) -> Row:
    (
        partner_id,
        country,
        party,
        key,
        object_id,
        document,
        print_,
        at_text,
        at,
        stamps,
        broadcast,
        for_us,
        deleted,
        receiver_country,
        receiver_party,
        location_key,
    ) = values
    return Row(
        kind,
        Key(country, party, key),
        location_key,
        object_id,
        as_kept(document, at, at_text, stamps),
        bytes(print_),
        Origin(partner_id, broadcast, for_us),
        Party(receiver_country, receiver_party) if receiver_country else None,
        deleted=deleted,
    )


def as_kept(document: str, at: datetime, at_text: str, stamps: str | None) -> Merged:
    if stamps is None:
        return Merged(document, at, at, at_text)
    told = codec.read_stored(stamps)
    patched_at = {member: instant(when) for member, when in told["patched_at"].items()}
    return Merged(document, instant(told["put_at"]), at, at_text, patched_at)


async def flush(db: AsyncSession, shelf: Shelf, same_since: SameSince) -> None:
    """Write what changed: locations first, for their EVSEs to follow them in the feed."""
    everything = [
        *shelf.rows.values(),
        *(row for part in shelf.evses.values() for row in part.values()),
    ]
    moved = [row for row in everything if row.moved]
    for kind in TABLES:
        if rows := [row for row in moved if row.kind == kind]:
            values = [written(row, same_since) for row in rows]
            await UPSERT[kind].run(db, {name: [v[name] for v in values] for name in values[0]})
        if rows := [
            row for row in everything if row.touched and not row.moved and row.kind == kind
        ]:
            await TOUCH[kind].run(db, touched(rows))
    if moved:
        await history.record(db, [change(row) for row in moved])


def written(row: Row, same_since: SameSince) -> dict[str, Any]:
    merged = row.merged
    values: dict[str, Any] = {
        "partner_id": row.origin.partner_id,
        **row.key._asdict(),
        "object_id": row.object_id,
        "document": merged.text,
        "digest": row.digest,
        "last_updated_text": merged.last_updated_text,
        "last_updated": merged.last_updated,
        "stamps": stamps(merged),
        "same_since": same_since(row.kind, merged.document),
        "broadcast": row.origin.broadcast,
        "for_us": row.origin.for_us,
        "deleted_at": datetime.now(UTC) if row.deleted else None,
    }
    if row.kind == "EVSE":
        values["location_key"] = row.location_key
    elif row.receiver is not None:
        values["receiver_country_code"] = row.receiver.country_code
        values["receiver_party_id"] = row.receiver.party_id
        if row.kind == "CDR":
            values["held_at"] = row.held_at
    elif row.kind == "Tariff":
        for column, member in (("valid_from", "start_date_time"), ("valid_to", "end_date_time")):
            told = merged.document.get(member)
            values[column] = instant(told) if told else None
    return values


def stamps(merged: Merged) -> str | None:
    if not merged.patched_at and merged.put_at == merged.last_updated:
        return None
    patched_at = {member: when.isoformat() for member, when in merged.patched_at.items()}
    return codec.write_text({"put_at": merged.put_at.isoformat(), "patched_at": patched_at})


def touched(rows: Sequence[Row]) -> dict[str, Any]:
    values = columns([row.key for row in rows]) | {
        "ats": [row.merged.last_updated for row in rows],
        "tolds": [row.merged.last_updated_text for row in rows],
        "stamps": [stamps(row.merged) for row in rows],
    }
    if rows[0].kind == "EVSE":
        values["location_key"] = [row.location_key for row in rows]
    return values


def change(row: Row) -> history.Change:
    """What the audit log says of it: the members that changed, before and after."""
    after = None if row.deleted else row.merged.document
    return history.Change(
        kind=row.kind,
        object_ref="/".join(filter(None, (*row.key[:2], row.location_key, row.key[2]))),
        partner_id=row.origin.partner_id,
        before=row.before,
        after=after,
    )
