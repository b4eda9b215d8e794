"""Who is to be pulled, by this process: what is due is begun, a few runs at a time.

Everything that must outlive the process is in ``sync_states``; here are only the tasks. ``look`` is
a job of the scheduler and may be called at any time besides: whoever asks for a pull need not wait
for the next tick. One partner is asked for one list at a time, whichever process does it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import structlog

from hub.background import ended
from hub.errors import Unavailable
from hub.models.routing import SyncState
from hub.models.values import ConnectionStatus, InterfaceRole
from hub.ocpi import presence
from hub.ocpi.pulls import sync
from hub.ocpi.pulls.reconcile import reconcile
from hub.ocpi.pulls.sync import Broken, Parts, Run
from hub.ocpi.versions import VERSIONS
from hub.roaming.modules import MODULES, Module
from hub.roaming.network.partners import Connection
from hub.roaming.pulls import arrivals, sync_states
from hub.roaming.pulls.sync_states import Lost
from hub.roaming.pulls.sync_terms import (
    IN_ORDER,
    REGULAR,
    Terms,
    Wish,
    date_from,
    due,
    pullable,
    pushes,
    reachable,
)

log = structlog.get_logger()

MOST_AT_ONCE = 4


@dataclass(frozen=True)
class Candidate:
    """A state with something to do: a wish to begin with, or None to go on."""

    partner: Connection
    module: Module
    state: SyncState
    wish: Wish | None


class Puller:
    """One per process; any number of processes share the work, a state at a time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._database = parts.database
        self._owner = uuid4().hex
        self._running: set[UUID] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking = asyncio.Lock()
        self._stopping = False
        self.on_pulled: Callable[[Run], None] = lambda run: None

    async def look(self, *tenant_ids: UUID) -> None:
        """Begin what is due, in these tenants or in all, as far as there is room."""
        async with self._looking:
            wanted = tenant_ids or await presence.tenants(
                self._database, ConnectionStatus.CONNECTED
            )
            for tenant_id in wanted:
                try:
                    await self._look_at(tenant_id)
                except Unavailable:
                    raise
                except Exception:
                    log.exception("tenant could not be looked at", tenant=str(tenant_id))

    async def idle(self) -> None:
        """Until no run of this process is under way, nor one that follows it."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """Break off: what was kept is kept, and others may go on at once."""
        self._stopping = True
        await ended(*self._tasks)

    async def _look_at(self, tenant_id: UUID) -> None:
        connections = await self._parts.directory.connections(tenant_id)
        ready = {c.id: c for c in connections if reachable(c) and c.version in VERSIONS}
        wanted = {(c.id, module.name) for c in ready.values() for module in pullable(c)}
        async with self._database.transaction(tenant_id) as db:
            await sync_states.cover(db, ready)
            now, states = await sync_states.states(db)
            if missing := wanted - {(state.partner_id, state.module) for state in states}:
                await sync_states.enrol(db, missing)
                now, states = await sync_states.states(db)
        present = [state for state in states if (state.partner_id, state.module) in wanted]
        for candidate in candidates(ready, present, now):
            if self._stopping or len(self._running) >= MOST_AT_ONCE:
                return
            await self._begin(candidate, now)

    async def _begin(self, candidate: Candidate, now: datetime) -> None:
        partner, module, state = candidate.partner, candidate.module, candidate.state
        wish, progress, next_url, since = candidate.wish, state.progress, state.next_url, None
        if wish is not None:
            assert partner.created_at is not None
            since = date_from(module, wish, now=now, known_since=partner.created_at)
            progress = sync.beginning(
                full=wish.full,
                reason=wish.reason,
                since=since,
                parties=sync.parties_to_ask(partner, module),
                limit=sync.page_limit(partner),
                # After a gap, and at first, much is new without anybody's fault.
                pushed=wish.reason == REGULAR and pushes(state, now),
            )
            next_url = None
        async with self._database.transaction(partner.tenant_id) as db:
            lease = await sync_states.begin(
                db, state, self._owner, wish=wish, since=since, progress=progress
            )
        if lease is None:
            return
        run = sync.run_of(partner, module, lease, progress=progress, next_url=next_url)
        self._running.add(state.id)
        task = asyncio.create_task(self._serve(run))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, run: Run) -> None:
        """One run, whatever becomes of it, and then whatever else is due in its tenant."""
        told = {"partner": str(run.partner.id), "module": run.module.name}
        tenant_id = run.partner.tenant_id
        try:
            await self._pull(run)
        except asyncio.CancelledError:
            await self._give_back(run)
            raise
        except Unavailable:
            log.warning("pull could not be noted and goes on later", **told)
        except Exception:
            log.exception("pull failed", tenant=str(tenant_id), **told)
            await self._fail(run, Broken("The hub itself failed; its log has the details."))
        finally:
            self._running.discard(run.lease.state_id)
        try:
            await self.look(tenant_id)
        except Unavailable:
            log.info("what is due is looked for later", tenant=str(tenant_id))

    async def _pull(self, run: Run) -> None:
        try:
            await sync.pull(self._parts, run)
            await reconcile(self._parts, run)
        except Broken as broken:
            await self._examine(run, broken)
            await self._fail(run, broken)
        except Lost as lost:
            if lost.cancelled:
                await self._drop(run)
            log.info("pull ended early", partner=str(run.partner.id), reason=str(lost))
        else:
            await self._finish(run)

    async def _finish(self, run: Run) -> None:
        news = run.counts["created"] + run.counts["changed"]
        if run.pushed and news:
            run.crawl.remarks.append(f"{news} objects had not been pushed as they are listed.")
            log.warning("pushes were missed", partner=str(run.partner.id), module=run.module.name)
        result = run.result("DONE")
        async with self._database.transaction(run.partner.tenant_id) as db:
            await sync_states.finish(db, run.lease, full=run.full, result=result)
            if news:
                await arrivals.news(db, run.lease.state_id)
        self.on_pulled(run)
        log.info(
            "pulled", partner=str(run.partner.id), module=run.module.name, counts=dict(run.counts)
        )

    async def _examine(self, run: Run, broken: Broken) -> None:
        """Nothing is there any more: perhaps it is served somewhere else now."""
        if not broken.gone or run.crawl.pages:
            return
        moved = await presence.rediscover(
            self._database, self._parts.client, run.partner, run.module.name, InterfaceRole.SENDER
        )
        if moved:
            self._parts.directory.forget(run.partner.tenant_id)

    async def _fail(self, run: Run, broken: Broken) -> None:
        log.warning(
            "pull broke off",
            partner=str(run.partner.id),
            module=run.module.name,
            reason=broken.reason,
        )
        async with self._database.transaction(run.partner.tenant_id) as db:
            await sync_states.fail(
                db,
                run.lease,
                reason=broken.reason,
                retry_after=broken.retry_after,
                next_url=None if broken.restart else run.crawl.url,
                progress=run.progress(),
            )

    async def _drop(self, run: Run) -> None:
        async with self._database.transaction(run.partner.tenant_id) as db:
            await sync_states.drop(db, run.lease, result=run.result("CANCELLED"))

    async def _give_back(self, run: Run) -> None:
        try:
            async with self._database.transaction(run.partner.tenant_id) as db:
                await sync_states.release(db, run.lease)
        except Unavailable:
            log.info("a lease could not be given back; it runs out by itself")


def candidates(
    connections: Mapping[UUID, Connection], states: Sequence[SyncState], now: datetime
) -> list[Candidate]:
    """What may begin now, one for each partner that nobody is at; what was begun goes first."""
    chosen: dict[UUID, Candidate] = {}
    busy = {s.partner_id for s in states if s.leased_until and s.leased_until > now}
    for state in sorted(states, key=precedence):
        if state.partner_id in busy or state.partner_id in chosen:
            continue
        partner, module = connections[state.partner_id], MODULES[state.module]
        if state.started_at is not None:
            if state.next_attempt_at is None or state.next_attempt_at <= now:
                chosen[state.partner_id] = Candidate(partner, module, state, None)
        elif wish := due(state, Terms.of(partner, module), now):
            chosen[state.partner_id] = Candidate(partner, module, state, wish)
    return list(chosen.values())


def precedence(state: SyncState) -> tuple[bool, bool, int]:
    """Runs under way, then what somebody asked for, then in the order of the modules."""
    asked = state.wanted_full or state.wanted_from is not None
    return state.started_at is None, not asked, IN_ORDER.index(MODULES[state.module])
