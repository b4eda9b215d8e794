"""What parties may see that they could not see before, and telling them of it.

An agreement that opens something changes no object, so there is nothing new in the feed. Instead
the cursors of those who gain by it are put back to where the first of that lies; from there on they
are told everything that is theirs, and nobody else is told anything. Partners that want only what
is new GET the rest.

Records are never told again this way: a bill that comes twice may be paid twice. Those that came
while it was not agreed were refused, and their owner sends them again. Those that were under way
are set aside, for they are owed, and go out now.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.values import PartnerStatus, Party, Place
from hub.roaming import jumps
from hub.roaming.feed import setbacks
from hub.roaming.feed.changes import Source, columns_of, keyed
from hub.roaming.feed.sources import HUBCLIENTINFO, SOURCES
from hub.roaming.modules import LOCATIONS, MODULES, Module
from hub.roaming.network.audience import Audience
from hub.roaming.network.partners import Connection
from hub.roaming.store.publication import LISTED


@dataclass(frozen=True)
class Gain:
    """What one partner may see of one source that it could not: how much, and where it begins, if
    it is the feed that tells of it.
    """

    partner: Connection
    source: str
    objects: int
    place: Place | None = None


class Lot(NamedTuple):
    """Objects of one owner, of private ones for one receiver."""

    owner: Party
    receiver: Party | None


STATES = [module for module in MODULES.values() if not module.record]
RECORDS = [module for module in MODULES.values() if module.record]


def lying(module: Module) -> Any:
    receiver = (
        "receiver_country_code, receiver_party_id"
        if module.private
        else "null as receiver_country_code, null as receiver_party_id"
    )
    may_see, names = ("true", ()) if module is not LOCATIONS else (LISTED.text, ("viewers",))
    return keyed(
        f"select country_code, party_id, {receiver}, count(*) as objects,"  # noqa: S608 - ours
        f" min(changed_xid) as first from {module.table_name}"
        " where (country_code, party_id) in (select * from unnest(:countries, :parties))"
        f" and deleted_at is null and not for_us and {may_see} group by 1, 2, 3, 4",
        "countries",
        "parties",
        *names,
    )


LYING = {module.name: lying(module) for module in STATES}
CLIENTS = text("select country_code, party_id, changed_xid from ocpi_clientinfo")


async def disclose(db: AsyncSession, before: Audience, after: Audience) -> list[Gain]:
    """Put back the cursors of all who may see more after a change of agreements than before it.

    Returns what each gains. Wake the sender afterwards.
    """
    gains = [gain for module in STATES for gain in await of_module(db, module, before, after)]
    gains += await of_clients(db, before, after)
    gains += [gain for module in RECORDS for gain in await of_records(db, module, before, after)]
    places = {(one.partner.id, one.source): one.place for one in gains if one.place is not None}
    await jumps.put_back(db, places)
    return sorted(gains, key=lambda one: (one.partner.name, one.source))


async def of_module(
    db: AsyncSession, module: Module, before: Audience, after: Audience
) -> list[Gain]:
    opened: list[tuple[Connection, set[Lot]]] = []
    owners = owners_of(after, module)
    for connection in wanting(after, SOURCES[module.name]):
        # There may be many: others get their turn in between.
        await asyncio.sleep(0)
        if lots := set(opened_to(connection, module, owners, before, after)):
            opened.append((connection, lots))
    if not opened:
        return []
    viewers = {party for connection, _ in opened for party in connection.parties}
    lying = await lots_of(db, module, {lot.owner for _, lots in opened for lot in lots}, viewers)
    gains = []
    for connection, lots in opened:
        found = [lying[lot] for lot in lots if lot in lying]
        if found:
            objects, places = zip(*found, strict=True)
            gains.append(Gain(connection, module.name, sum(objects), min(places)))
    return gains


async def of_records(
    db: AsyncSession, module: Module, before: Audience, after: Audience
) -> list[Gain]:
    """Records that had to wait for an agreement."""
    owners, connections = owners_of(after, module), list(following(after, SOURCES[module.name]))
    parties: dict[UUID, set[Party]] = {}
    for connection in connections:
        await asyncio.sleep(0)
        lots = opened_to(connection, module, owners, before, after)
        parties[connection.id] = {lot.receiver for lot in lots if lot.receiver is not None}
    objects = await setbacks.hasten(db, module.name, parties)
    return [Gain(one, module.name, objects[one.id]) for one in connections if objects[one.id]]


def owners_of(audience: Audience, module: Module) -> set[Party]:
    owners = {
        party
        for connection in audience.connections
        for party, role in connection.roles
        if role in module.owner_roles
    }
    return owners | ({audience.own} if audience.own else set())


def wanting(audience: Audience, source: Source) -> Iterator[Connection]:
    """The partners that are told of a source, and of what is old as well."""
    for connection in following(audience, source):
        if connection.settings.delivery != "live_only":
            yield connection


def following(audience: Audience, source: Source) -> Iterator[Connection]:
    for connection in audience.connections:
        active = connection.status == PartnerStatus.ACTIVE and connection.registered
        if active and source.reaches(connection):
            yield connection


def opened_to(
    connection: Connection,
    module: Module,
    owners: Iterable[Party],
    before: Audience,
    after: Audience,
) -> Iterator[Lot]:
    takers = [one for one in connection.parties if after.takes(connection, module, one, one)]
    for owner in owners:
        for party in takers if owner not in connection.parties else ():
            agreed = after.allows(owner, party, module.module_id)
            if agreed and not before.allows(owner, party, module.module_id):
                yield Lot(owner, party if module.private else None)


async def lots_of(
    db: AsyncSession, module: Module, owners: Iterable[Party], viewers: Iterable[Party]
) -> dict[Lot, tuple[int, Place]]:
    """What there is of these owners that any of the viewers may see: how much, and a place before
    the first of it.
    """
    named = columns_of(((one.country_code, one.party_id) for one in owners), "countries", "parties")
    if module is LOCATIONS:
        named["viewers"] = [str(viewer) for viewer in viewers]
    return {
        Lot(
            Party(row.country_code, row.party_id),
            Party(row.receiver_country_code, row.receiver_party_id) if module.private else None,
        ): (row.objects, Place(row.first))
        for row in await db.execute(LYING[module.name], named)
    }


async def of_clients(db: AsyncSession, before: Audience, after: Audience) -> list[Gain]:
    """Who may know of whom (HCI-11)."""
    clients = [
        (Party(row.country_code, row.party_id), Place(row.changed_xid))
        for row in await db.execute(CLIENTS)
    ]
    gains = []
    for connection in wanting(after, SOURCES[HUBCLIENTINFO]):
        await asyncio.sleep(0)
        news = [
            place
            for party, place in clients
            if party not in connection.parties
            and any(after.knows(one, party) for one in connection.parties)
            and not any(before.knows(one, party) for one in connection.parties)
        ]
        if news:
            gains.append(Gain(connection, HUBCLIENTINFO, len(news), min(news)))
    return gains
