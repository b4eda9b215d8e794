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

from hub import audit_chain, retention
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
    SETTINGS,
)
from hub.models.routing import ResponseRoute, RouteHint
from hub.models.tenants import Tenant
from hub.ocpi import renewals
from hub.ocpi.handshake.handshake import Parts
from hub.ocpi.versions import is_peer_to_peer
from hub.partitions import ensure_partitions
from hub.roaming import rekeying
from hub.roaming.commands import commands, reservations
from hub.roaming.cursors import RESULTS
from hub.roaming.feed import tariff_turns
from hub.roaming.pulls import freshness
from hub.roaming.stations import station_reports
from hub.roaming.store import quarantine

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


async def retire_meter_values(app: web.Application) -> None:
    months = app[SETTINGS].meter_value_months
    count = await retention.drop_partitions(app[DATABASE], months)
    if count:
        log.info("days of meter values dropped", count=count, months=months)


# Of each tenant.


def of_each_tenant(
    work: Callable[[web.Application, UUID], Awaitable[None]],
) -> Callable[[web.Application], Awaitable[None]]:
    """A job that works through the tenants: where it fails in one, the others get theirs."""

    async def run(app: web.Application) -> None:
        async with app[DATABASE].platform() as db:
            tenant_ids = list(await db.scalars(select(Tenant.id)))
        failures: list[Exception] = []
        for tenant_id in tenant_ids:
            try:
                await work(app, tenant_id)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001 - told when all tenants had their turn
                error.add_note(f"tenant {tenant_id}")
                failures.append(error)
        if failures:
            raise ExceptionGroup("failed in some tenants", failures)

    return run


async def watch_freshness(app: web.Application, tenant_id: UUID) -> None:
    connections = await app[DIRECTORY].connections(tenant_id)
    if connections:
        async with app[DATABASE].transaction(tenant_id) as db:
            await freshness.watch(db, connections)


async def settle_quarantine(app: web.Application, tenant_id: UUID) -> None:
    async with app[DATABASE].transaction(tenant_id) as db:
        await quarantine.settle(db)


async def check_cdrs(app: web.Application, tenant_id: UUID) -> None:
    """What nobody woke the checker for: after a crash, or when a location has come."""
    await app[CHECKER].drain(tenant_id)


async def forget_routes(app: web.Application, tenant_id: UUID) -> None:
    """Links and hints that have expired lead nowhere any more."""
    async with app[DATABASE].transaction(tenant_id) as db:
        for table in (ResponseRoute, RouteHint):
            await db.execute(delete(table).where(table.expires_at < func.now()))


async def forget_station_reports(app: web.Application, tenant_id: UUID) -> None:
    async with app[DATABASE].transaction(tenant_id) as db:
        await station_reports.forget(db)


async def expire_commands(app: web.Application, tenant_id: UUID) -> None:
    """Whose result did not come in time is told so."""
    async with app[DATABASE].transaction(tenant_id) as db:
        told = await commands.expire(db)
    if told:
        app[SENDER].wake(tenant_id, RESULTS)


async def forget_commands(app: web.Application, tenant_id: UUID) -> None:
    async with app[DATABASE].transaction(tenant_id) as db:
        await commands.forget(db)


async def end_reservations(app: web.Application, tenant_id: UUID) -> None:
    async with app[DATABASE].transaction(tenant_id) as db:
        stored = await reservations.expire(db, tenant_id)
    if stored:
        app[INTAKE].on_change(tenant_id, stored)


async def turn_tariffs(app: web.Application, tenant_id: UUID) -> None:
    """For partners whose version cannot say when a tariff holds."""
    connections = await app[DIRECTORY].connections(tenant_id)
    if not any(is_peer_to_peer(connection.version) for connection in connections):
        return
    async with app[DATABASE].transaction(tenant_id) as db:
        turned = await tariff_turns.turn(db)
    if turned:
        app[SENDER].wake(tenant_id)


async def clear_caches(app: web.Application, tenant_id: UUID) -> None:
    """Stations that were away while a token was blocked, or did not answer."""
    await app[CACHES].clear(tenant_id)


async def encrypt_anew(app: web.Application, tenant_id: UUID) -> None:
    """After a change of keys: nothing of value stays encrypted with the old one."""
    async with app[DATABASE].transaction(tenant_id) as db:
        count = await rekeying.rekey(db, app[KEYRING])
    if count:
        log.info("tokens encrypted with the new key", count=count, tenant=str(tenant_id))


async def tell_of_changes(app: web.Application, tenant_id: UUID) -> None:
    await renewals.introduce_again(Parts.of(app), tenant_id)


async def remind_of_renewals(app: web.Application, tenant_id: UUID) -> None:
    async with app[DATABASE].transaction(tenant_id) as db:
        await renewals.remind(db)


async def seal_audit(app: web.Application, tenant_id: UUID) -> None:
    await audit_chain.seal_all(app[DATABASE], tenant_id, app[KEYRING])


async def retire_audit(app: web.Application, tenant_id: UUID) -> None:
    months = app[SETTINGS].audit_months
    count = await retention.purge_audit(app[DATABASE], tenant_id, months)
    if count:
        log.info("audit entries removed", count=count, months=months, tenant=str(tenant_id))


JOBS = (
    Job("partitions", 6 * 3600, make_partitions),
    Job("still alive", 30, check_still_alive),
    Job("pull", 30, pull),
    Job("probe", 60, probe),
    Job("watch freshness", 60, of_each_tenant(watch_freshness)),
    Job("settle quarantine", 60, of_each_tenant(settle_quarantine)),
    Job("check cdrs", 30, of_each_tenant(check_cdrs)),
    Job("forget routes", 600, of_each_tenant(forget_routes)),
    Job("forget station reports", 3600, of_each_tenant(forget_station_reports)),
    Job("expire commands", 15, of_each_tenant(expire_commands)),
    Job("forget commands", 6 * 3600, of_each_tenant(forget_commands)),
    Job("end reservations", 60, of_each_tenant(end_reservations)),
    Job("turn tariffs", 60, of_each_tenant(turn_tariffs)),
    Job("clear caches", 60, of_each_tenant(clear_caches)),
    Job("encrypt anew", 3600, of_each_tenant(encrypt_anew)),
    Job("tell of changes", 300, of_each_tenant(tell_of_changes)),
    Job("remind of renewals", 24 * 3600, of_each_tenant(remind_of_renewals)),
    Job("seal audit", 60, of_each_tenant(seal_audit)),
    Job("retire audit", 6 * 3600, of_each_tenant(retire_audit)),
    Job("retire meter values", 6 * 3600, retire_meter_values),
)


async def run(app: web.Application, job: Job) -> bool:
    """Run a job unless another process is at it; False when it was left to the other."""
    try:
        async with app[DATABASE].alone(f"job {job.name}") as mine:
            if mine:
                await job.run(app)
                app[METRICS].ran(job.name, failed=False)
            else:
                app[METRICS].left(job.name)
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
