"""Bringing the local list of a station up to date, in as many messages as it takes.

Only what has changed is sent, unless the station holds another version than we believe. What it has
taken is written down message by message: whatever breaks in the middle is not sent twice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy.dialects.postgresql import insert

from hub.models.ocpp import StationLocalList
from hub.ocpp.conversation.frames import OCPPVersion, Payload
from hub.ocpp.stations import ID_TOKEN_TYPES, Stations, outcome_of
from hub.roaming.authorization.token_aliases import LONGEST_ID_TAG
from hub.roaming.ports import Outcome, StationRef
from hub.roaming.stations import local_lists
from hub.roaming.stations.local_lists import Entry, Limits

# A list that is beyond this is a station's fault, or an attempt to wear it out.
MOST_MESSAGES = 200
LONGEST_UID_2X = 36
FULL, DIFFERENTIAL = "Full", "Differential"


@dataclass(frozen=True)
class Synced:
    """``result`` is ACCEPTED, also where nothing was to be sent."""

    result: str
    message: str
    list_version: int
    entries: int
    sent: int


@dataclass(frozen=True)
class Step:
    """One message: its kind, entries to be there, uids to be gone."""

    kind: str
    put: Sequence[Entry]
    gone: Sequence[dict[str, Any]] = ()


async def sync(stations: Stations, ref: StationRef, *, full: bool = False) -> Synced:
    """Have the station hold what it should."""
    version = await stations.version(ref)
    longest = LONGEST_ID_TAG if version is OCPPVersion.V16 else LONGEST_UID_2X
    async with stations.wire.database.transaction(ref.tenant_id) as db:
        limits = await local_lists.limits(db, ref)
        wanted = await local_lists.wanted(db, ref, longest_uid=longest, most=limits.longest)
        row = await local_lists.kept(db, ref)
    held: dict[str, Any] = dict(row.entries) if row is not None else {}
    number = row.list_version if row is not None else 0
    steps = list(plan(wanted, held, limits, full=full or row is None))[:MOST_MESSAGES]
    if full or row is None:
        held = {}
    sent = 0
    for step in steps:
        number += 1
        answered = await stations.relay.call(ref, "SendLocalList", message(version, number, step))
        outcome = outcome_of("SendLocalList", answered)
        if not outcome.accepted:
            if outcome.message == "VersionMismatch" and not full:
                return await sync(stations, ref, full=True)
            return told(outcome, number - 1, held, sent)
        sent += 1
        held = after(held, step)
        await keep(stations, ref, number, held)
    return told(Outcome("ACCEPTED"), number, held, sent)


def told(outcome: Outcome, number: int, held: dict[str, Any], sent: int) -> Synced:
    return Synced(outcome.result, outcome.message, number, len(held), sent)


def plan(
    wanted: Sequence[Entry], held: dict[str, Any], limits: Limits, *, full: bool
) -> Iterator[Step]:
    """The messages that make the one out of the other."""
    if full:
        first, *rest = list(chunks(wanted, limits.at_once)) or [[]]
        yield Step(FULL, first)
        for chunk in rest:
            yield Step(DIFFERENTIAL, chunk)
        return
    there = {entry.uid.upper() for entry in wanted}
    changed = [entry for entry in wanted if held.get(entry.uid.upper()) != entry.kept()]
    gone = [entry for uid, entry in held.items() if uid not in there]
    for chunk in chunks(gone, limits.at_once):
        yield Step(DIFFERENTIAL, (), chunk)
    for chunk in chunks(changed, limits.at_once):
        yield Step(DIFFERENTIAL, chunk)


def chunks(entries: Sequence[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(entries)
    while chunk := list(islice(rest, size)):
        yield chunk


def after(held: dict[str, Any], step: Step) -> dict[str, Any]:
    held = {} if step.kind == FULL else dict(held)
    for entry in step.gone:
        held.pop(entry["uid"].upper(), None)
    return held | {entry.uid.upper(): entry.kept() for entry in step.put}


def message(version: OCPPVersion, number: int, step: Step) -> Payload:
    """In the order of members that one client is known to insist on: the list after its version."""
    if version is OCPPVersion.V16:
        entries = [entry_16(entry) for entry in step.put]
        entries += [{"idTag": entry["uid"]} for entry in step.gone]
        return {
            "listVersion": number,
            "localAuthorizationList": entries,
            "updateType": step.kind,
        }
    entries = [entry_2x(entry) for entry in step.put]
    entries += [{"idToken": id_token(entry["uid"], entry["type"])} for entry in step.gone]
    payload: Payload = {"versionNumber": number}
    if entries:
        payload["localAuthorizationList"] = entries
    return payload | {"updateType": step.kind}


def entry_16(entry: Entry) -> Payload:
    info: Payload = {"status": "Accepted"}
    if entry.expires_at is not None:
        info["expiryDate"] = entry.expires_at
    if entry.group_id and len(entry.group_id) <= LONGEST_ID_TAG:
        info["parentIdTag"] = entry.group_id
    return {"idTag": entry.uid, "idTagInfo": info}


def entry_2x(entry: Entry) -> Payload:
    info: Payload = {"status": "Accepted"}
    if entry.expires_at is not None:
        info["cacheExpiryDateTime"] = entry.expires_at
    if entry.group_id:
        info["groupIdToken"] = {"idToken": entry.group_id[:LONGEST_UID_2X], "type": "Central"}
    return {"idToken": id_token(entry.uid, entry.type), "idTokenInfo": info}


def id_token(uid: str, kind: str) -> Payload:
    return {"idToken": uid, "type": ID_TOKEN_TYPES.get(kind, "Central")}


async def keep(stations: Stations, ref: StationRef, number: int, held: dict[str, Any]) -> None:
    values = {"list_version": number, "entries": held, "sent_at": datetime.now(UTC)}
    async with stations.wire.database.transaction(ref.tenant_id) as db:
        statement = insert(StationLocalList).values(charging_station_id=ref.id, **values)
        await db.execute(
            statement.on_conflict_do_update(
                index_elements=["tenant_id", "charging_station_id"], set_=values
            )
        )
