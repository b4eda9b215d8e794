"""``/metrics``: what Prometheus reads.

It tells who a hub's partners are and how they are doing, so it is for this machine only: a request
from another address, or one that a proxy has passed on, is told that there is nothing here.

What the database knows is read at most every ten seconds, however often somebody asks, and never
takes more than a tenth of the time. Without the database everything else is still told.
"""

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv6Address, ip_address
from uuid import UUID

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.pool import QueuePool

from hub import health
from hub.db import Database
from hub.errors import Unavailable
from hub.keys import DATABASE, METRICS, SETTINGS
from hub.lag import LAG
from hub.metrics import Metrics
from hub.models.cdr_checks import CDRCheck
from hub.models.feed import Cursor, QuarantinedObject, Setback
from hub.models.objects import CDR
from hub.models.partners import HandshakeTrace, Partner
from hub.models.stations import ChargingStation
from hub.models.values import SHUT_OUT, ConnectionStatus, StationStatus
from hub.ocpi.delivery.courier import Run
from hub.ocpi.directory import Directory
from hub.ocpi.pulls import sync
from hub.ocpp.identity import CERTIFICATE
from hub.ocpp.service import LISTENER
from hub.partitions import stray_rows
from hub.roaming.feed.backlog import backlogs
from hub.roaming.pulls import sync_states
from hub.roaming.settlement.disputes import UNSETTLED

log = structlog.get_logger()

routes = web.RouteTableDef()

# Seconds. What is older is read again; reading may take this long.
FRESH = 10.0
PATIENCE = 5.0
# The part of the time that reading may take: it is done less often when it takes long.
SHARE = 0.1

HERE = "127.0.0.1"
PASSED_ON = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
FAILED = ("REFUSED", "FAILED")
# Whose CDRs come from no partner.
OWN = "own stations"
# What is told of certificates: how many end within so many days (T-49).
CERTIFICATE_DAYS = (1, 7, 30)


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    if not is_local(request):
        raise web.HTTPNotFound
    app = request.app
    await app[SCRAPE].refresh()
    measure_process(app)
    return web.Response(
        body=await asyncio.to_thread(generate_latest, app[METRICS].registry),
        headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"},
    )


# Where several workers share a port: none of them knows what the others count.
elsewhere = web.RouteTableDef()


@elsewhere.get("/metrics")
async def metrics_elsewhere(request: web.Request) -> web.Response:
    if not is_local(request):
        raise web.HTTPNotFound
    ports = request.app[SETTINGS].metrics_ports
    where = f"http://{HERE}:{ports[0]}/metrics to port {ports[-1]}"
    raise web.HTTPNotFound(text=f"Each worker tells its own metrics: {where}.\n")


def make_own(app: web.Application) -> web.Application:
    """What one of several workers tells of itself alone: an application of its own, for a port of
    its own.
    """
    own = web.Application()
    own.update(app)
    own.add_routes(routes)
    own.add_routes(health.routes)
    return own


def is_local(request: web.Request) -> bool:
    """Whether it comes from this machine and from nobody else through a proxy on it."""
    if request.remote is None or any(name in request.headers for name in PASSED_ON):
        return False
    try:
        address = ip_address(request.remote.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def measure_process(app: web.Application) -> None:
    """What is known without asking anybody."""
    measured, settings = app[METRICS], app[SETTINGS]
    measured.loop_lag.set(app[LAG].worst)
    pool = app[DATABASE].engine.pool
    assert isinstance(pool, QueuePool)
    measured.pool_size.set(pool.size())
    measured.pool_in_use.set(pool.checkedout())
    listener = app.get(LISTENER)
    if listener is not None and listener.ends is not None:
        measured.tls_certificate_end.set(listener.ends.timestamp())
    if settings.data_dir.exists():
        disk = shutil.disk_usage(settings.data_dir)
        measured.disk_free.set(disk.free)
        measured.disk_size.set(disk.total)


class Scrape:
    """Fills the gauges about the database. Of several that ask at once, one reads for all."""

    def __init__(self, measured: Metrics, database: Database, directory: Directory) -> None:
        self._metrics = measured
        self._database = database
        self._directory = directory
        self._reading = asyncio.Lock()
        self._fresh_until = 0.0

    async def refresh(self) -> None:
        async with self._reading:
            began = time.monotonic()
            if began < self._fresh_until:
                return
            try:
                async with asyncio.timeout(PATIENCE):
                    found = await self._read()
            except (Unavailable, TimeoutError) as error:
                log.warning("metrics lack the database", reason=str(error) or "it took too long")
                found = {}
            self._metrics.database_up.set(bool(found))
            fill(self._gauges(), found)
            took = time.monotonic() - began
            self._metrics.scrape_seconds.set(took)
            self._fresh_until = began + took + max(FRESH, took / SHARE)

    def forget(self) -> None:
        """Read again when asked next."""
        self._fresh_until = 0.0

    def _gauges(self) -> list[Gauge]:
        own = self._metrics
        return [
            own.delivery_oldest_age,
            own.delivery_lag,
            own.deliveries_held,
            own.setbacks_open,
            own.quarantined_open,
            own.data_age,
            own.data_stale,
            own.cdrs_held,
            own.cdr_disputes,
            own.partners,
            own.handshakes_failed,
            own.credentials_age,
            own.stray_rows,
            own.station_certificates_ending,
        ]

    async def _read(self) -> dict[Gauge, dict[tuple[str, ...], float]]:
        own = self._metrics
        found: dict[Gauge, dict[tuple[str, ...], float]] = {gauge: {} for gauge in self._gauges()}
        found[own.partners] = {(status,): 0 for status in ConnectionStatus}
        async with self._database.platform() as db:
            # Nothing is owed to who is shut out, and nobody waits for it.
            tenant_ids = await db.scalars(
                select(Partner.tenant_id).where(Partner.status.not_in(SHUT_OUT)).distinct()
            )
            counted = await db.execute(
                select(Partner.connection_status, func.count()).group_by(Partner.connection_status)
            )
            found[own.partners] |= {(status,): count for status, count in counted}
            found[own.station_certificates_ending] = await certificates_ending(db)
        strays = await stray_rows(self._database)
        found[own.stray_rows] = {(table,): rows for table, rows in strays.items()}
        for tenant_id in tenant_ids:
            try:
                await self._read_tenant(tenant_id, found)
            except Unavailable:
                raise
            except Exception:
                # One tenant that cannot be measured does not hide the others.
                log.exception("tenant could not be measured", tenant=str(tenant_id))
        return found

    async def _read_tenant(
        self, tenant_id: UUID, found: dict[Gauge, dict[tuple[str, ...], float]]
    ) -> None:
        own = self._metrics
        audience = await self._directory.audience(tenant_id)
        async with self._database.transaction(tenant_id) as db:
            now = await db.scalar(select(func.clock_timestamp()))
            for one in await backlogs(db, audience):
                key = (str(one.partner_id), one.source)
                age = (now - one.since).total_seconds() if now and one.since else 0.0
                found[own.delivery_lag][key] = one.objects
                found[own.delivery_oldest_age][key] = max(0.0, age)
            found[own.deliveries_held] |= await held(db)
            found[own.setbacks_open] |= await still_open(db, Setback)
            found[own.quarantined_open] |= await still_open(db, QuarantinedObject)
            add(found[own.cdrs_held], await held_cdrs(db))
            add(found[own.cdr_disputes], await disputes(db))
            found[own.handshakes_failed] |= await failed_handshakes(db)
            found[own.credentials_age] |= await credentials_ages(db)
            for state in (await sync_states.states(db))[1]:
                key = (str(state.partner_id), state.module)
                found[own.data_stale][key] = state.stale_since is not None
                if now and state.arrived_at:
                    found[own.data_age][key] = (now - state.arrived_at).total_seconds()


async def certificates_ending(db: AsyncSession) -> dict[tuple[str, ...], float]:
    """How many stations are locked out soon, of all tenants."""
    end = ChargingStation.certificate_expires_at
    counts = [
        func.count().filter(end < func.now() + timedelta(days=days)) for days in CERTIFICATE_DAYS
    ]
    depends = select(*counts).where(
        ChargingStation.security_profile == CERTIFICATE,
        ChargingStation.status != StationStatus.DECOMMISSIONED,
    )
    [row] = await db.execute(depends)
    return {(str(days),): count for days, count in zip(CERTIFICATE_DAYS, row, strict=True)}


SCRAPE: web.AppKey[Scrape] = web.AppKey("scrape", Scrape)


def fill(gauges: list[Gauge], found: dict[Gauge, dict[tuple[str, ...], float]]) -> None:
    """Set what was found and drop the rest, so that nobody who is gone is told of for ever."""
    for gauge in gauges:
        gauge.clear()
        for labels, value in found.get(gauge, {}).items():
            gauge.labels(*labels).set(value)


def add(sums: dict[tuple[str, ...], float], more: dict[tuple[str, ...], float]) -> None:
    """Of tenants that share a label, all count."""
    for labels, value in more.items():
        sums[labels] = sums.get(labels, 0) + value


async def held(db: AsyncSession) -> dict[tuple[str, ...], float]:
    rows = await db.execute(select(Cursor.partner_id, Cursor.module, Cursor.held_reason))
    return {(str(partner_id), module): reason is not None for partner_id, module, reason in rows}


async def still_open(
    db: AsyncSession, table: type[Setback] | type[QuarantinedObject]
) -> dict[tuple[str, ...], float]:
    rows = await db.execute(
        select(table.partner_id, table.module, func.count())
        .where(table.settled_at.is_(None))
        .group_by(table.partner_id, table.module)
    )
    return {(str(partner_id), module): count for partner_id, module, count in rows}


async def held_cdrs(db: AsyncSession) -> dict[tuple[str, ...], float]:
    rows = await db.execute(
        select(CDR.partner_id, func.count())
        .where(CDR.held_at.is_not(None))
        .group_by(CDR.partner_id)
    )
    return {(str(partner_id or OWN),): count for partner_id, count in rows}


async def disputes(db: AsyncSession) -> dict[tuple[str, ...], float]:
    rows = await db.execute(
        select(CDR.partner_id, func.count())
        .join(CDRCheck, CDRCheck.cdr_id == CDR.id)
        .where(CDRCheck.dispute.in_(UNSETTLED))
        .group_by(CDR.partner_id)
    )
    return {(str(partner_id or OWN),): count for partner_id, count in rows}


async def failed_handshakes(db: AsyncSession) -> dict[tuple[str, ...], float]:
    rows = await db.execute(
        select(HandshakeTrace.partner_id, func.count())
        .where(
            HandshakeTrace.outcome.in_(FAILED),
            HandshakeTrace.created_at > text("now() - interval '1 hour'"),
        )
        .group_by(HandshakeTrace.partner_id)
    )
    return {(str(partner_id),): count for partner_id, count in rows}


async def credentials_ages(db: AsyncSession) -> dict[tuple[str, ...], float]:
    age = func.extract("epoch", func.clock_timestamp() - Partner.connected_at)
    rows = await db.execute(
        select(Partner.id, age).where(
            Partner.token_to_send.is_not(None), Partner.connected_at.is_not(None)
        )
    )
    return {(str(partner_id),): float(seconds) for partner_id, seconds in rows}


def counting(measured: Metrics) -> Callable[[Run], None]:
    """For the sender: what came of each object in a batch."""

    def count(run: Run) -> None:
        partner = str(run.connection.id)
        outcomes = Counter(e.verdict.outcome for e in run.entries if e.verdict)
        for outcome, number in outcomes.items():
            measured.delivered(partner, run.source.name, outcome, number)

    return count


def counting_pulled(measured: Metrics) -> Callable[[sync.Run], None]:
    """For the puller: what became of the objects of a run."""

    def count(run: sync.Run) -> None:
        for outcome, number in run.counts.items():
            if outcome not in {"pages", "objects"}:
                measured.pulled.labels(str(run.partner.id), run.module.name, outcome).inc(number)

    return count
