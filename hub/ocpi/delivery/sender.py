"""The way out: follows the feed and tells every partner what it has not seen.

    wake      somebody changed something: look at that source of that tenant
    sweep     every second: look for whatever was missed
    round     read, see whom it concerns, lease their cursors (``rounds``)
    serve     one batch for one partner (``courier``), then move its cursor (``ledger``)

A slow partner is one task with one leased cursor; nobody waits for it. Nothing is written when a
request succeeds: the cursor moves once per batch. Who dies in between repeats at most the batch, so
everything arrives at least once, and an object has an id by which a repetition is known.

No transaction is open while the hub waits for a partner.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

import structlog

from hub.background import ended
from hub.db import Database
from hub.errors import Unavailable
from hub.models.values import ConnectionStatus, Place
from hub.ocpi import presence
from hub.ocpi.client import Client
from hub.ocpi.delivery.bell import Bell
from hub.ocpi.delivery.courier import BUDGET, Courier, Report, Run
from hub.ocpi.delivery.delivery import Outcome
from hub.ocpi.delivery.ledger import Ledger
from hub.ocpi.delivery.lookout import Key, Lookout
from hub.ocpi.delivery.rounds import Round, followers
from hub.ocpi.delivery.window import Message, messages, prepare
from hub.ocpi.directory import Directory
from hub.roaming import cursors
from hub.roaming.feed import sources
from hub.roaming.feed.sources import SOURCES
from hub.roaming.network.partners import Connection
from hub.settings import Settings

log = structlog.get_logger()

# Seconds.
SWEEP_EVERY = 1.0
SLACK = 10.0
# A transaction that is not done yet holds the feed back: look again after this, then less often.
LOOK_AGAIN = 0.02
# Silent partners that are asked at the same time.
ASKED_AT_ONCE = 16


class Sender:
    """One per process; any number of processes share the work, a cursor at a time."""

    def __init__(
        self, database: Database, client: Client, settings: Settings, directory: Directory
    ) -> None:
        self._database = database
        self._client = client
        self._directory = directory
        self._silence = settings.still_alive_after
        self._timeout = settings.forward_timeout
        # Longer than a batch can take: what is under way then is not begun by somebody else.
        self._lease = BUDGET + 3 * self._timeout + SLACK
        self._lookout = Lookout(database, directory)
        self._bell = Bell(database, self._begin)
        self._ledger = Ledger(self._bell.id)
        self._courier = Courier(
            client,
            self._find,
            everywhere=settings.feed_workers,
            per_partner=settings.feed_per_partner,
            timeout=self._timeout,
        )
        self._rounds: dict[Key, asyncio.Task[None]] = {}
        self._again: set[Key] = set()
        self._patience: defaultdict[Key, int] = defaultdict(int)
        self._serving: dict[UUID, tuple[Run, asyncio.Task[None]]] = {}
        self._results: defaultdict[UUID, list[tuple[Run, Report]]] = defaultdict(list)
        self._writing: defaultdict[UUID, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._sweeping: asyncio.Task[None] | None = None
        self.on_batch: Callable[[Run], None] = lambda run: None

    # Life.

    @property
    def running(self) -> bool:
        """Whether it looks for something to deliver."""
        return self._sweeping is not None and not self._sweeping.done()

    async def start(self) -> None:
        self._bell.start()
        self._sweeping = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Begin nothing more, let what is under way end, and give back what was leased."""
        sweeping, self._sweeping = self._sweeping, None
        self._cut_short()
        await ended(sweeping, *self._rounds.values())
        # Those which a round began while it was cancelled.
        self._cut_short()
        await self._bell.stop()
        serving = [task for _, task in self._serving.values()]
        if serving:
            await asyncio.wait(serving, timeout=self._timeout + SLACK)

    def _cut_short(self) -> None:
        for run, _ in self._serving.values():
            run.deadline = 0

    def wake(self, tenant_id: UUID | None = None, module: str | None = None) -> None:
        """Something changed: a module of a tenant, any module of it, or anything at all."""
        if self._sweeping is None:
            return
        for key in self._keys(tenant_id, module):
            self._begin(*key)
            self._bell.ring(*key)

    def _keys(self, tenant_id: UUID | None, module: str | None) -> list[Key]:
        if tenant_id is None:
            return list(self._lookout.streams)
        return [(tenant_id, name) for name in SOURCES if module in {None, name}]

    async def drain(self, *tenant_ids: UUID) -> None:
        """Deliver everything that is due by now, of these tenants or of all, and return."""
        async with self._database.platform() as db:
            now = await cursors.next_place(db)
        while True:
            async with self._database.platform() as db:
                settled = await cursors.settled(db) >= now
            wanted = tenant_ids or await self._lookout.tenants(ConnectionStatus.CONNECTED)
            keys = await self._lookout.look(wanted, self._serving)
            for key in keys:
                self._begin(*key)
            await self._quiet(tenant_ids)
            if settled and not keys:
                return
            await asyncio.sleep(0 if settled else LOOK_AGAIN)

    async def _quiet(self, tenant_ids: Sequence[UUID]) -> None:
        """Until no round and no batch of these tenants is under way."""
        while True:
            tasks = [task for key, task in self._rounds.items() if within(key[0], tenant_ids)]
            tasks += [
                task
                for run, task in self._serving.values()
                if within(run.connection.tenant_id, tenant_ids)
            ]
            if not tasks:
                return
            await asyncio.wait(tasks)

    async def still_alive(self) -> None:
        """Ask the partners that have been silent for long whether they are there (HCI-05)."""
        at_once = asyncio.Semaphore(ASKED_AT_ONCE)

        async def ask(partner: Connection) -> None:
            async with at_once:
                try:
                    await presence.check(self._database, self._client, partner)
                except Exception:
                    log.exception("partner could not be checked", partner=str(partner.id))

        for tenant_id in await self._lookout.tenants(*presence.WATCHED):
            silent = await presence.silent(self._database, tenant_id, self._silence)
            if silent:
                await asyncio.gather(*map(ask, silent))
                self._directory.forget(tenant_id)
                self.wake(tenant_id)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            try:
                tenant_ids = await self._lookout.next_tenants()
                for key in await self._lookout.look(tenant_ids, self._serving):
                    self._begin(*key)
            except Unavailable:
                pass
            except Exception:
                log.exception("sweep failed")

    # Rounds.

    def _begin(self, tenant_id: UUID, source: str) -> None:
        """Begin a round, or have one follow the round under way."""
        key = (tenant_id, source)
        self._again.add(key)
        if key not in self._rounds:
            self._rounds[key] = asyncio.create_task(self._go_round(key))

    async def _go_round(self, key: Key) -> None:
        try:
            while key in self._again:
                self._again.discard(key)
                if await self._round(key):
                    self._again.add(key)
        except Unavailable:
            # The next sweep begins it again.
            pass
        except Exception:
            log.exception("round failed", tenant=str(key[0]), module=key[1])
        finally:
            self._again.discard(key)
            del self._rounds[key]

    async def _round(self, key: Key) -> bool:
        """One round; whether another should follow at once."""
        tenant_id, name = key
        stream = self._lookout.stream(tenant_id, name)
        audience = await self._directory.audience(tenant_id)
        if not followers(audience, stream.source):
            return False
        async with self._database.transaction(tenant_id) as db:
            turn = Round(db, stream, audience, self._serving)
            runs = await turn.plan(self._ledger.owner, self._lease)
            idle = not runs and not turn.more
            unsettled = idle and (await sources.newest(db)).get(name, Place()) >= turn.until
        for run in runs:
            self._serving[run.standing.id] = run, asyncio.create_task(self._serve(key, run))
        self._patience[key] = self._patience[key] + 1 if unsettled else 0
        if unsettled:
            pause = LOOK_AGAIN * 2 ** min(self._patience[key], 5)
            asyncio.get_running_loop().call_later(pause, self._follow_up, key)
        return turn.more

    def _follow_up(self, key: Key) -> None:
        """There may be more to do, unless the sender is being stopped."""
        if self._sweeping is not None:
            self._begin(*key)

    # Deliveries.

    async def _serve(self, key: Key, run: Run) -> None:
        """One batch for one partner. Whatever goes wrong, the lease runs out and it is repeated."""
        try:
            report = await self._examine(run, await self._courier.serve(run))
            self.on_batch(run)
            await self._note(run, report)
        except Unavailable:
            log.warning("batch could not be noted and will be repeated", module=key[1])
        except Exception:
            log.exception("batch failed", partner=str(run.connection.id), module=key[1])
        finally:
            del self._serving[run.standing.id]
            self._follow_up(key)

    async def _examine(self, run: Run, report: Report) -> Report:
        """What may have another reason than the partner: moved endpoints, a token just renewed."""
        away, partner = report.away, run.connection
        if away is None:
            return report
        if away.outcome is Outcome.GONE and run.source.endpoint is not None:
            mended = await presence.rediscover(
                self._database,
                self._client,
                partner,
                run.source.endpoint,
                run.source.interface,
            )
        elif away.locked_out:
            mended = False
        else:
            return report
        self._directory.forget(partner.tenant_id)
        for present in await self._directory.connections(partner.tenant_id):
            if present.id == partner.id and present.token_to_send != partner.token_to_send:
                mended = True
        if not mended:
            return report
        return replace(report, away=replace(away, outcome=Outcome.FAILING))

    async def _note(self, run: Run, report: Report) -> None:
        """Write it down, together with others that end meanwhile."""
        tenant_id = run.connection.tenant_id
        waiting = self._results[tenant_id]
        waiting.append((run, report))
        async with self._writing[tenant_id]:
            results = list(waiting)
            waiting.clear()
            if results:
                await self._write(tenant_id, results)

    async def _write(self, tenant_id: UUID, results: list[tuple[Run, Report]]) -> None:
        """As long as the leases hold, a database that is away for a moment is waited for."""
        while True:
            try:
                async with self._database.transaction(tenant_id) as db:
                    await self._ledger.write(db, results)
                break
            except Unavailable:
                if time.monotonic() > min(run.deadline for run, _ in results):
                    raise
                await asyncio.sleep(SLACK / 10)
        for run, report in results:
            stream = self._lookout.stream(tenant_id, run.source.name)
            stream.seen.pop(run.standing.id, None)
            if run.urgent_up_to is not None and report.away is None:
                stream.urgent[run.standing.id] = run.standing.place, run.urgent_up_to

    async def _find(self, run: Run, refs: Sequence[str]) -> list[Message]:
        """Objects as they are now, ready for the partner of a batch."""
        async with self._database.transaction(run.connection.tenant_id) as db:
            found = messages(await run.source.find(db, refs), await cursors.settled(db))
            await prepare(db, found, run.connection.version or "")
        return found


def within(tenant_id: UUID, tenant_ids: Sequence[UUID]) -> bool:
    return not tenant_ids or tenant_id in tenant_ids
