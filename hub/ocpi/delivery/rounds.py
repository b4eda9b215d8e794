"""One round of one source: read what is new, see whom it concerns, lease their cursors.

The partners at the end of the feed share the reading (``window``); one that is further behind
reads from its own place. Most changes concern few partners: the others are only remembered to have
nothing to do up to a place, and now and then their cursors are moved there together.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.values import ConnectionStatus, PartnerStatus, Party, Place
from hub.ocpi.delivery.batches import Batch, concerns, cut, kept_back, recall, spread
from hub.ocpi.delivery.courier import Entry, Run, just_before
from hub.ocpi.delivery.streams import Stream, spot
from hub.ocpi.delivery.window import Message, Window, messages, prepare
from hub.ocpi.versions import VERSIONS
from hub.roaming import cursors
from hub.roaming.cursors import Standing
from hub.roaming.feed import setbacks
from hub.roaming.feed.changes import Change, Source
from hub.roaming.feed.setbacks import Open
from hub.roaming.modules import MODULES
from hub.roaming.network import agreements
from hub.roaming.network.audience import Audience
from hub.roaming.network.partners import Connection

PAGE = 200
# Partners that are behind, each at a place of its own, for which one round reads.
READINGS = 8
# Seconds between two times that cursors are moved over what did not concern their partners.
PASS_BY_EVERY = 10.0


def ready(connection: Connection) -> bool:
    """Whether a partner may be sent anything: not while it is away, new or suspended (HCI-06)."""
    return (
        connection.status == PartnerStatus.ACTIVE
        and connection.connection_status == ConnectionStatus.CONNECTED
        and connection.registered
        and connection.version in VERSIONS
    )


def followers(audience: Audience, source: Source) -> dict[UUID, Connection]:
    return {
        connection.id: connection
        for connection in audience.connections
        if ready(connection) and source.reaches(connection)
    }


class Round:
    """One round, in one transaction. ``more``: another should follow at once."""

    def __init__(
        self, db: AsyncSession, stream: Stream, audience: Audience, busy: Collection[UUID]
    ) -> None:
        self.db = db
        self.stream = stream
        self.source = stream.source
        self.audience = audience
        self.busy = busy
        self.more = False
        self.until = Place()
        self._read: dict[Place, tuple[list[Message], Place]] = {}
        self._concerned: dict[tuple[object, ...], dict[UUID, list[Party]]] = {}

    async def plan(self, owner: str, seconds: float) -> list[Run]:
        """The runs to begin, their cursors leased. Nothing is sent yet, and nothing waited for."""
        connections = followers(self.audience, self.source)
        self.until = await cursors.settled(self.db)
        standings = await self._standings(connections)
        if any(standing.put_back_lately for standing in standings):
            # Perhaps for an agreement that is younger than what we know of the network.
            self.audience = await agreements.audience(self.db)
            connections = followers(self.audience, self.source)
            standings = [one for one in standings if one.partner_id in connections]
        window = await self._extend(standings)
        due = (await setbacks.due(self.db)).get(self.source.name, set()) if standings else set()
        batches: dict[UUID, Batch] = {}
        for standing in standings:
            batch = await self._compose(window, standing, connections[standing.partner_id])
            if batch is None:
                continue
            if batch.entries or standing.partner_id in due:
                batches[standing.id] = batch
            else:
                self.stream.seen[standing.id] = (spot(standing), batch.end)
                self.more = self.more or batch.end < self.until
        await self._pass_by(standings, batches)
        deadline = time.monotonic() + seconds
        leased = await cursors.lease(
            self.db, {s.id: s.place for s in standings if s.id in batches}, owner, seconds
        )
        runs = [
            Run(
                connection=connections[standing.partner_id],
                source=self.source,
                standing=standing,
                entries=batches[standing.id].entries,
                end=batches[standing.id].end,
                deadline=deadline,
                behind=batches[standing.id].behind,
                urgent_up_to=batches[standing.id].urgent_up_to,
            )
            for standing in standings
            if standing.id in leased
        ]
        await self._set_backs(runs)
        for number in {run.connection.version or "" for run in runs}:
            of_version = [run for run in runs if run.connection.version == number]
            await prepare(self.db, [e.message for r in of_version for e in r.entries], number)
        return runs

    async def _standings(self, connections: dict[UUID, Connection]) -> list[Standing]:
        """The cursors to look at; partners that have none yet get one."""
        standings = await cursors.standings(self.db, [self.source.name])
        missing = connections.keys() - {standing.partner_id for standing in standings}
        if missing:
            wanted = {
                (partner_id, self.source.name): connections[partner_id].settings.delivery
                == "live_only"
                for partner_id in missing
            }
            await cursors.enrol(self.db, wanted)
            standings = await cursors.standings(self.db, [self.source.name])
        return [
            standing
            for standing in standings
            if standing.free and standing.partner_id in connections and standing.id not in self.busy
        ]

    async def _extend(self, standings: Sequence[Standing]) -> Window:
        """Read one more page at the end of the feed if somebody is near enough to want it."""
        stream, places = self.stream, [self.stream.place(standing) for standing in standings]
        furthest = max(places, default=Place())
        if stream.window is None or stream.window.end < furthest:
            # The first round, or another process was faster.
            stream.window = Window(furthest)
        window = stream.window
        nobody_waits = len(window.since(furthest)) >= self.source.batch
        if places and window.end < self.until and not nobody_waits:
            stretch = await self.source.read(self.db, window.end, self.until, PAGE)
            window.add(messages(stretch.changes, self.until), stretch.end)
            self.more = self.more or stretch.end < self.until
        return window

    async def _candidates(self, window: Window, place: Place) -> tuple[list[Message], Place] | None:
        """What comes after a place, and how far that goes. None: enough was read for one round."""
        if window.start <= place <= window.end:
            return window.since(place), window.end
        if place not in self._read:
            if len(self._read) == READINGS:
                self.more = True
                return None
            stretch = await self.source.read(self.db, place, self.until, PAGE)
            self._read[place] = messages(stretch.changes, self.until), stretch.end
        return self._read[place]

    async def _compose(
        self, window: Window, standing: Standing, connection: Connection
    ) -> Batch | None:
        """What a partner gets next: a batch of what concerns it, what is urgent in front."""
        place = self.stream.place(standing)
        found = await self._candidates(window, place)
        if found is None:
            return None
        candidates, end = found
        told = self.stream.told_urgent(standing)
        concerned = [
            (message, parties)
            for message in candidates
            if message.change.is_news(place, standing.reached)
            and (parties := self._parties(message.change, standing.partner_id))
            and not (message.change.urgent and message.change.place <= told)
            and not message.change.expired
        ]
        chosen, rest = cut(concerned, self.source.batch)
        if rest is not None:
            end = just_before(rest.change.place)
        entries = spread(chosen) + self._kept_back(candidates, end, connection)
        batch = Batch(entries, end, behind=end < self.until)
        if batch.behind and self.source.urgent is not None:
            await self._put_in_front(batch, standing, max(end, told))
        batch.entries.sort(key=lambda entry: not entry.message.change.urgent)
        return batch

    def _kept_back(
        self, candidates: Sequence[Message], end: Place, connection: Connection
    ) -> list[Entry]:
        """The records up to a place that are for a partner, and that it may not have now."""
        module = MODULES.get(self.source.name)
        if module is None or not module.record:
            return []
        return [
            kept_back(message, change.receiver, module.name)
            for message in candidates
            if (change := message.change).place <= end
            and change.receiver is not None
            and change.origin != connection.id
            and self.audience.withholds(connection, module, change.owner, change.receiver)
        ]

    async def _put_in_front(self, batch: Batch, standing: Standing, place: Place) -> None:
        """What is urgent does not wait until the partner has caught up with the rest."""
        assert self.source.urgent is not None
        stretch = await self.source.urgent(self.db, place, self.until, PAGE)
        ahead = [
            (message, parties)
            for message in messages(stretch.changes, self.until)
            if (parties := self._parties(message.change, standing.partner_id))
        ]
        batch.entries += spread(ahead, ahead=True)
        batch.urgent_up_to = stretch.end

    def _parties(self, change: Change, partner_id: UUID) -> list[Party]:
        """The parties of a partner that a change is for; asked once for all objects alike."""
        alike = (
            change.owner,
            change.receiver,
            change.origin,
            change.only,
            change.reply_to,
            change.withdraws and change.kind,
        )
        if alike not in self._concerned:
            concerned: dict[UUID, list[Party]] = {}
            for connection, party in self.source.addressees(self.audience, change):
                concerned.setdefault(connection.id, []).append(party)
            self._concerned[alike] = concerned
        return self._concerned[alike].get(partner_id, [])

    async def _set_backs(self, runs: Sequence[Run]) -> None:
        """Recall what was set aside: of what is sent now, and what it is time to try again."""
        by_partner = {run.connection.id: run for run in runs}
        refs = {ref for run in runs for entry in run.entries for ref in concerns(entry)}
        known = await setbacks.open_for(self.db, self.source.name, by_partner, refs)
        again: list[tuple[Run, Open]] = []
        for setback in known:
            run = by_partner[setback.partner_id]
            if not recall(run, setback) and setback.due:
                again.append((run, setback))
        if not again:
            return
        found = await self.source.find(self.db, sorted({setback.ref for _, setback in again}))
        present: defaultdict[str, list[Message]] = defaultdict(list)
        for message in messages(found, self.until):
            present[message.change.ref].append(message)
        gone: list[UUID] = []
        for run, setback in again:
            due = [
                message
                for message in present[setback.ref]
                if setback.party in self._parties(message.change, run.connection.id)
            ]
            gone += [] if due else [setback.id]
            run.entries += [
                Entry(message, setback.party, ahead=True, setback=setback) for message in due
            ]
        # What a party may not have any more is as good as gone, but for what is owed to it.
        keep = setbacks.postpone if self.source.record else setbacks.settle
        await keep(self.db, gone)

    async def _pass_by(self, standings: Sequence[Standing], batches: Collection[UUID]) -> None:
        """Now and then, move the cursors of those whom nothing concerned."""
        stream = self.stream
        if time.monotonic() < stream.passed_at + PASS_BY_EVERY:
            return
        stream.passed_at = time.monotonic()
        moves = {
            standing.id: (standing.place, stream.place(standing))
            for standing in standings
            if standing.id not in batches and stream.place(standing) > standing.place
        }
        await cursors.pass_by(self.db, moves)
        for cursor_id in moves:
            del stream.seen[cursor_id]
