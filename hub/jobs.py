"""What the hub does by the clock: a table of jobs, each run by one process at a time.

APScheduler only ticks; it knows nothing of other processes. Whoever gets the advisory lock of a job
runs it, the others let it be. The jobs keep their state in the database, so a missed tick costs
nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import structlog
from aiohttp import web
from apscheduler.schedulers.asyncio import (  # type: ignore[import-untyped]
    AsyncIOScheduler,
)
from sqlalchemy import delete, func, select

from hub.errors import Unavailable
from hub.keys import (
    CACHES,
    CHECKER,
    DATABASE,
    DIRECTORY,
    INTAKE,
    KEYRING,
    METRICS,
    PROBER,
    PULLER,
    SENDER,
)
from hub.models.routing import ResponseRoute, RouteHint
from hub.models.tenants import Tenant
from hub.models.values import ConnectionStatus
from hub.ocpi import presence, renewals
from hub.ocpi.handshake import Parts
from hub.ocpi.versions import is_peer_to_peer
from hub.partitions import ensure_partitions
from hub.roaming import (
    commands,
    freshness,
    quarantine,
    rekeying,
    reservations,
    station_reports,
    tariff_turns,
)
from hub.roaming.feed import RESULTS

log = structlog.get_logger()


@dataclass(frozen=True)
class Job:
    """``seconds`` between runs."""

    name: str
    seconds: float
    run: Callable[[web.Application], Awaitable[None]]


async def make_partitions(app: web.Application) -> None:
    await ensure_partitions(app[DATABASE])


async def check_still_alive(app: web.Application) -> None:
    await app[SENDER].still_alive()


async def pull(app: web.Application) -> None:
    await app[PULLER].look()


async def probe(app: web.Application) -> None:
    await app[PROBER].look()


async def watch_freshness(app: web.Application) -> None:
    for tenant_id in await presence.tenants(app[DATABASE], *ConnectionStatus):
        try:
            connections = await app[DIRECTORY].connections(tenant_id)
            async with app[DATABASE].transaction(tenant_id) as db:
                await freshness.watch(db, connections)
        except Unavailable:
            raise
        except Exception:
            # One tenant that cannot be looked at does not hide the others.
            log.exception("freshness could not be judged", tenant=str(tenant_id))


async def settle_quarantine(app: web.Application) -> None:
    for tenant_id in await tenants(app):
        async with app[DATABASE].transaction(tenant_id) as db:
            await quarantine.settle(db)


async def check_cdrs(app: web.Application) -> None:
    """What nobody woke the checker for: after a crash, or when a location has come."""
    for tenant_id in await tenants(app):
        try:
            await app[CHECKER].drain(tenant_id)
        except Unavailable:
            raise
        except Exception:
            log.exception("CDRs could not be checked", tenant=str(tenant_id))


async def forget_routes(app: web.Application) -> None:
    """Links and hints that have expired lead nowhere any more."""
    for tenant_id in await tenants(app):
        async with app[DATABASE].transaction(tenant_id) as db:
            for table in (ResponseRoute, RouteHint):
                await db.execute(delete(table).where(table.expires_at < func.now()))


async def forget_station_reports(app: web.Application) -> None:
    for tenant_id in await tenants(app):
        async with app[DATABASE].transaction(tenant_id) as db:
            await station_reports.forget(db)


async def expire_commands(app: web.Application) -> None:
    """Whose result did not come in time is told so."""
    for tenant_id in await tenants(app):
        async with app[DATABASE].transaction(tenant_id) as db:
            told = await commands.expire(db)
        if told:
            app[SENDER].wake(tenant_id, RESULTS)


async def forget_commands(app: web.Application) -> None:
    for tenant_id in await tenants(app):
        async with app[DATABASE].transaction(tenant_id) as db:
            await commands.forget(db)


async def end_reservations(app: web.Application) -> None:
    for tenant_id in await tenants(app):
        async with app[DATABASE].transaction(tenant_id) as db:
            stored = await reservations.expire(db, tenant_id)
        if stored:
            app[INTAKE].on_change(tenant_id, stored)


async def turn_tariffs(app: web.Application) -> None:
    """For partners whose version cannot say when a tariff holds."""
    for tenant_id in await tenants(app):
        connections = await app[DIRECTORY].connections(tenant_id)
        if not any(is_peer_to_peer(connection.version) for connection in connections):
            continue
        async with app[DATABASE].transaction(tenant_id) as db:
            turned = await tariff_turns.turn(db)
        if turned:
            app[SENDER].wake(tenant_id)


async def clear_caches(app: web.Application) -> None:
    """Stations that were away while a token was blocked, or did not answer."""
    for tenant_id in await tenants(app):
        await app[CACHES].clear(tenant_id)


async def encrypt_anew(app: web.Application) -> None:
    """After a change of keys: nothing of value stays encrypted with the old one."""
    for tenant_id in await tenants(app):
        async with app[DATABASE].transaction(tenant_id) as db:
            count = await rekeying.rekey(db, app[KEYRING])
        if count:
            log.info("tokens encrypted with the new key", count=count, tenant=str(tenant_id))


async def tell_of_changes(app: web.Application) -> None:
    for tenant_id in await tenants(app):
        try:
            await renewals.introduce_again(Parts.of(app), tenant_id)
        except Exception:
            log.exception("partners not told of changed roles", tenant=str(tenant_id))


async def remind_of_renewals(app: web.Application) -> None:
    for tenant_id in await tenants(app):
        async with app[DATABASE].transaction(tenant_id) as db:
            await renewals.remind(db)


async def tenants(app: web.Application) -> list[UUID]:
    async with app[DATABASE].platform() as db:
        return list(await db.scalars(select(Tenant.id)))


JOBS = (
    Job("partitions", 6 * 3600, make_partitions),
    Job("still alive", 30, check_still_alive),
    Job("pull", 30, pull),
    Job("probe", 60, probe),
    Job("watch freshness", 60, watch_freshness),
    Job("settle quarantine", 60, settle_quarantine),
    Job("check cdrs", 30, check_cdrs),
    Job("forget routes", 600, forget_routes),
    Job("forget station reports", 3600, forget_station_reports),
    Job("expire commands", 15, expire_commands),
    Job("forget commands", 6 * 3600, forget_commands),
    Job("end reservations", 60, end_reservations),
    Job("turn tariffs", 60, turn_tariffs),
    Job("clear caches", 60, clear_caches),
    Job("encrypt anew", 3600, encrypt_anew),
    Job("tell of changes", 300, tell_of_changes),
    Job("remind of renewals", 24 * 3600, remind_of_renewals),
)


async def run(app: web.Application, job: Job) -> bool:
    """Run a job unless another process is at it; False when it was left to the other."""
    try:
        async with app[DATABASE].alone(f"job {job.name}") as mine:
            if mine:
                await job.run(app)
                app[METRICS].ran(job.name, failed=False)
            return mine
    except Exception:
        app[METRICS].ran(job.name, failed=True)
        log.exception("job failed", job=job.name)
        return False


async def running(app: web.Application, chosen: Sequence[Job] = JOBS) -> AsyncIterator[None]:
    """The scheduler, as long as the application runs; the first job is run at once.

    When it ends, jobs under way are stopped, and have given back what they held before the
    database is closed.
    """
    under_way: set[asyncio.Task[None]] = set()

    async def start(job: Job) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        # The scheduler cancels what is under way when the hub stops, and would call that a failure.
        with suppress(asyncio.CancelledError):
            await run(app, job)

    scheduler = AsyncIOScheduler(
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    for job in chosen:
        scheduler.add_job(start, "interval", [job], id=job.name, seconds=job.seconds)
    scheduler.start()
    await run(app, chosen[0])
    yield
    scheduler.shutdown(wait=False)
    await asyncio.gather(*under_way, return_exceptions=True)
