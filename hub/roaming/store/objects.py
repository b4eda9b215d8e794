"""The one door through which objects enter the hub.

Partners pushing over OCPI, stations reporting over OCPP and scheduled pulls all end in ``apply()``.
Keeping an object gives it its place in the feed, so an object that is kept is an object that will
be passed on. A write that changes nothing - late, repeated, echoed, or only a newer
``last_updated`` - moves nothing in the feed.

A location's EVSEs are rows of their own: a status change is one EVSE in the feed, not a location
with a hundred of them. ``rows.py`` reads and writes them; ``merging.py`` says what a push does to
an object.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import HubError, InvalidRequest, UnknownLocation
from hub.models.values import Party
from hub.roaming import merging
from hub.roaming.merging import MEMBER_OF_TIME, PERIODS, Document, Merged, instant
from hub.roaming.modules import CDRS, LOCATIONS, SESSIONS
from hub.roaming.store import hiding, holding, rows
from hub.roaming.store.rows import Row, SameSince, newest_only
from hub.roaming.store.writes import Outcome, Stored, Write

# A partner whose clock is this far ahead is stored as sent but ordered by when it arrived.
CLOCK_TOLERANCE = timedelta(minutes=5)


async def apply(
    db: AsyncSession, writes: Sequence[Write], *, same_since: SameSince = newest_only
) -> list[Stored | HubError]:
    """Apply writes in order, in the caller's transaction; a refused one does not stop the others.

    Writes nothing per partner. ``same_since`` tells for a document the oldest version in which it
    reads the same. Errors are returned, not raised, in the place of their write: UnknownLocation
    and NotFound for parts and patches of what does not exist, InvalidRequest for a CDR that
    contradicts the one kept (CDR-04).
    """
    shelf = await rows.fetch(
        db,
        [(write.module, write.key) for write in writes],
        evses_of=[write.key for write in writes if whole_location(write)],
        evses=[
            (write.key, write.evse_uid.upper()) for write in writes if write.evse_uid is not None
        ],
    )
    results: list[Stored | HubError] = []
    for write in writes:
        try:
            results.append(apply_one(shelf, write))
        except HubError as error:
            results.append(error)
    await holding.mark(db, shelf)
    await hiding.mark(db, shelf)
    await rows.flush(db, shelf, same_since)
    return results


def whole_location(write: Write) -> bool:
    return write.module is LOCATIONS and write.evse_uid is None


def apply_one(shelf: rows.Shelf, write: Write) -> Stored:
    if write.method == "PATCH" and MEMBER_OF_TIME not in write.document:
        write = stamped(shelf, write)
    if write.evse_uid is not None:
        outcome = write_evse(shelf, write, write.evse_uid)
    elif write.calendar_id is not None:
        outcome = write_calendar(shelf, write, write.calendar_id)
    elif write.method == "DELETE":
        outcome = delete(shelf, write)
    elif write.method == "POST" and not write.module.reposted:
        outcome = add_object(shelf, write)
    elif write.method == "PATCH":
        outcome = patch_object(shelf, write)
    else:
        outcome = put_object(shelf, write)
    kept = shelf.find(write.module, write.key)
    receiver = kept.receiver if kept else None
    return Stored(outcome, write.module, write.owner, write.object_id, receiver)


def stamped(shelf: rows.Shelf, write: Write) -> Write:
    """A PATCH that does not say when (2.1.1): now, but later than what it changes (AMB-10)."""
    kept = shelf.find(write.module, write.key)
    if write.evse_uid is not None:
        kept = shelf.find_evse(write.key, write.evse_uid.upper())
    now = datetime.now(UTC).replace(microsecond=0)
    text = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    if kept is not None and kept.merged.last_updated > now:
        text = kept.merged.last_updated_text
    return replace(write, document=write.document | {MEMBER_OF_TIME: text})


def put_object(shelf: rows.Shelf, write: Write) -> Outcome:
    document = dict(write.document)
    text = document.pop(MEMBER_OF_TIME)
    evses = document.pop("evses", None) or [] if write.module is LOCATIONS else []
    kept = shelf.find(write.module, write.key)
    outcome = keep(
        shelf, write, kept, lambda merged: merging.put(merged, document, ordered(text), text)
    )
    if write.module is not LOCATIONS or outcome is Outcome.STALE:
        return outcome
    return of_whole_location(outcome, put_evses(shelf, write, evses, ordered(text)))


def put_evses(shelf: rows.Shelf, write: Write, evses: list[Document], at: datetime) -> Outcome:
    """The EVSEs of a location that was put whole: those left out of it are gone (TRANSPORT-08)."""
    outcome, named = Outcome.UNCHANGED, set()
    for evse in evses:
        named.add(evse["uid"].upper())
        if put_evse(shelf, write, evse["uid"], evse) is not Outcome.UNCHANGED:
            outcome = Outcome.CHANGED
    kept = shelf.evses_of(write.key)
    for row in kept:
        if row.key.object_key not in named and row.merged.last_updated <= at and not row.deleted:
            row.delete(origin(write))
            outcome = Outcome.CHANGED
    if location := shelf.find(LOCATIONS, write.key):
        location.raise_to(kept)
    return outcome


def put_evse(shelf: rows.Shelf, write: Write, uid: str, evse: Document) -> Outcome:
    document = dict(evse)
    text = document.pop(MEMBER_OF_TIME)
    return keep(
        shelf,
        write,
        shelf.find_evse(write.key, uid.upper()),
        lambda merged: merging.put(merged, document, ordered(text), text),
        evse_uid=uid,
    )


def existing(shelf: rows.Shelf, write: Write) -> Row:
    """What a write changes or deletes; the error of its module where it is not there."""
    kept = shelf.find(write.module, write.key)
    if kept is None or kept.deleted:
        raise write.module.unknown(
            f"{write.module.kind} {write.object_id} of {write.owner} is unknown."
        )
    return kept


def patch_object(shelf: rows.Shelf, write: Write) -> Outcome:
    kept = existing(shelf, write)
    changes, put_at = dict(write.document), kept.merged.put_at
    text = changes.pop(MEMBER_OF_TIME)
    evses = changes.pop("evses", None) if write.module is LOCATIONS else None
    more = changes.pop(PERIODS, None) if write.module is SESSIONS else None
    if more and write.all_periods and not follow(kept, more):
        changes, more = changes | {PERIODS: more}, None
    outcome = keep(shelf, write, kept, lambda merged: patched(merged, changes, text, more))
    if evses is None or ordered(text) < put_at:
        return outcome
    return of_whole_location(outcome, put_evses(shelf, write, evses, ordered(text)))


def follow(kept: Row, periods: list[Document]) -> bool:
    """Whether all these charging periods come after those that are kept."""
    starts = [instant(period["start_date_time"]) for period in periods]
    known = [instant(period["start_date_time"]) for period in kept.merged.document.get(PERIODS, ())]
    return not known or min(starts) > max(known)


def patched(
    merged: Merged | None, changes: Document, text: str, periods: list[Document] | None = None
) -> Merged:
    assert merged is not None
    at = ordered(text)
    after = merging.patch(merged, changes, at, text)
    return merging.append_periods(after, periods, at) if periods else after


def add_object(shelf: rows.Shelf, write: Write) -> Outcome:
    """The same again is fine, another under its id is not (CDR-02, CDR-04, INV-05)."""
    kept = shelf.find(write.module, write.key)
    if kept is None or (kept.deleted and not write.module.record):
        return put_object(shelf, write)
    if told(write, write.document) != told(write, kept.merged.document):
        instead = "Send changes by PUT."
        if write.module.record:
            credit = ": send a credit CDR and a new one" if write.module is CDRS else ""
            instead = f"It cannot be changed{credit}."
        raise InvalidRequest(
            f"{write.module.kind} {write.object_id} of {write.owner} is already stored with other "
            f"content. {instead}"
        )
    return Outcome.UNCHANGED


def told(write: Write, document: Document) -> bytes:
    """What its sender said in a record, which may be told again; its own names without case.

    What was looked up may have become known since, and says nothing about the record.
    """
    names = {"country_code", "party_id", "id"} & document.keys()
    said = document | {name: str(document[name]).upper() for name in names}
    if write.by_contract:
        del said["cdr_token"]
        said["contract_id"] = document["cdr_token"]["contract_id"]
        said.pop("session_id", None)
    return rows.digest(said)


def delete(shelf: rows.Shelf, write: Write) -> Outcome:
    kept = existing(shelf, write)
    kept.delete(origin(write))
    return Outcome.DELETED


def write_evse(shelf: rows.Shelf, write: Write, uid: str) -> Outcome:
    location = shelf.find(LOCATIONS, write.key)
    if location is None or location.deleted:
        raise UnknownLocation(f"Location {write.object_id} of {write.owner} is unknown.")
    kept = shelf.find_evse(write.key, uid.upper())
    if write.connector_id is not None:
        outcome = write_connector(shelf, write, kept, write.connector_id)
    elif write.method == "PATCH":
        if kept is None or kept.deleted:
            raise UnknownLocation(f"EVSE {uid} of location {write.object_id} is unknown.")
        changes = dict(write.document)
        text = changes.pop(MEMBER_OF_TIME)
        outcome = keep(
            shelf, write, kept, lambda merged: patched(merged, changes, text), evse_uid=uid
        )
    else:
        outcome = put_evse(shelf, write, uid, write.document)
    if evse := shelf.find_evse(write.key, uid.upper()):
        location.raise_to([evse])
    return outcome


def write_connector(
    shelf: rows.Shelf, write: Write, evse: Row | None, connector_id: str
) -> Outcome:
    """A connector lives in its EVSE's document; the EVSE is never older than it (LOC-10)."""
    if evse is None or evse.deleted:
        raise UnknownLocation(f"EVSE {write.evse_uid} of location {write.object_id} is unknown.")
    return write_child(shelf, write, evse, "connectors", connector_id)


def write_calendar(shelf: rows.Shelf, write: Write, calendar_id: str) -> Outcome:
    """A calendar lives in its booking location, which is never older than it (BOOK-05)."""
    return write_child(shelf, write, existing(shelf, write), "calendars", calendar_id)


def write_child(
    shelf: rows.Shelf, write: Write, parent: Row, member: str, child_id: str
) -> Outcome:
    children: list[Document] = list(parent.merged.document.get(member) or [])
    text, partial = write.document[MEMBER_OF_TIME], write.method == "PATCH"
    try:
        changed = merging.put_child(
            children, child_id, write.document, partial=partial, order=ordered
        )
    except LookupError:
        raise write.module.unknown(
            f"{child_id} is none of the {member} of {parent.object_id}."
        ) from None
    if changed is None:
        return Outcome.STALE
    return keep(shelf, write, parent, lambda merged: with_child(merged, member, changed, text))


def with_child(merged: Merged | None, member: str, children: list[Document], text: str) -> Merged:
    """The parent with one of its children changed: no older than the child, whatever else of it is
    newer (LOC-12).
    """
    assert merged is not None
    at = ordered(text)
    newer = at > merged.last_updated
    return merged.but(
        document=merged.document | {member: children},
        last_updated=at if newer else merged.last_updated,
        last_updated_text=text if newer else merged.last_updated_text,
        patched_at={**merged.patched_at, member: max(at, merged.written_at(member))},
    )


def keep(
    shelf: rows.Shelf,
    write: Write,
    kept: Row | None,
    change: Callable[[Merged | None], Merged],
    *,
    evse_uid: str | None = None,
) -> Outcome:
    """Put the merged object, or an EVSE of it, on the shelf and say what became of it."""
    before = None if kept is None or kept.deleted else kept.merged
    after = change(before)
    if after is before:
        return Outcome.STALE
    if kept is None:
        shelf.add(
            write.module,
            write.key,
            evse_uid=evse_uid,
            object_id=write.object_id,
            merged=after,
            origin=origin(write),
            receiver=receiver_of(write, after.document),
        )
        return Outcome.CREATED
    was_deleted = kept.deleted
    moved = kept.replace(after, origin(write), receiver_of(write, after.document))
    if was_deleted:
        return Outcome.CREATED
    return Outcome.CHANGED if moved else Outcome.UNCHANGED


def origin(write: Write) -> rows.Origin:
    return rows.Origin(write.partner_id, write.broadcast, write.for_us)


def of_whole_location(location: Outcome, evses: Outcome) -> Outcome:
    """What became of a location and the EVSEs that came with it: one outcome for both."""
    changed = evses is Outcome.CHANGED and location is not Outcome.CREATED
    return evses if changed else location


def ordered(text: str) -> datetime:
    """The instant to order a push by: its own, unless the sender's clock is plainly ahead."""
    at, now = instant(text), datetime.now(UTC)
    return now if at > now + CLOCK_TOLERANCE else at


def receiver_of(write: Write, document: Document) -> Party | None:
    """Whom a private object is for; None for what is not private."""
    find = write.module.receiver_in
    return write.receiver or (find(document) if find else None)
