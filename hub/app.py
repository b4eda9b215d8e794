"""The application: opens what must be closed again, and mounts the wires."""

from collections.abc import AsyncIterator, Callable, Sequence
from socket import socket
from uuid import UUID

from aiohttp import web, web_response

from hub import health, jobs, lag, scrape
from hub.admin.api import ROOT, make_admin
from hub.admin.docs import make_docs
from hub.background import Background
from hub.db import Database
from hub.keys import (
    ARRIVALS,
    BACKGROUND,
    CACHES,
    CHECKER,
    CLIENT,
    DATABASE,
    DIRECTORY,
    HINTS,
    INTAKE,
    KEYRING,
    LIMITS,
    LOSSES,
    METRICS,
    OUTBOUND,
    PLACES,
    PROBER,
    PULLER,
    SENDER,
    SETTINGS,
    STATIONS,
    TOTALS,
)
from hub.metrics import Metrics
from hub.ocpi.api import make_api
from hub.ocpi.client import Client
from hub.ocpi.delivery.sender import Sender
from hub.ocpi.directory import Directory
from hub.ocpi.handshake import logo
from hub.ocpi.issuers import Issuers
from hub.ocpi.limits import Limits
from hub.ocpi.outbound import Outbound
from hub.ocpi.pulls.puller import Puller
from hub.ocpi.pulls.sync import Parts
from hub.ocpi.routing import calls
from hub.ocpi.routing.hints import Hints
from hub.ocpi.versions import same_since
from hub.ocpp import files
from hub.ocpp import service as ocpp
from hub.probing import Prober
from hub.roaming.modules import CDRS, TARIFFS, TOKENS
from hub.roaming.pulls.arrivals import Arrivals
from hub.roaming.settlement.checker import Checker
from hub.roaming.stations.caches import Caches
from hub.roaming.store.intake import Intake
from hub.roaming.store.losses import Losses
from hub.roaming.store.places import Places
from hub.roaming.store.totals import Totals
from hub.roaming.store.writes import Outcome, Stored
from hub.security import Keyring
from hub.settings import Settings

# Seconds an issuer has to answer while a driver stands at a station, which itself gives up soon.
STATION_PATIENCE = 3.0
# What every answer of this process says in ``Server``, whichever port it leaves by and even where
# the request could not be read: no versions (T-57). aiohttp would say its own and Python's, and has
# no setting for it.
web_response.SERVER_SOFTWARE = "hub"  # type: ignore[attr-defined]  # not meant to be set


def make_app(
    settings: Settings, *, database_url: str, station_sockets: Sequence[socket] | None = None
) -> web.Application:
    """The hub as one application. The database is migrated and reachable at ``database_url``.

    ``station_sockets`` are those for stations with TLS, where several processes share them.
    """
    app = web.Application(client_max_size=settings.max_body_bytes)
    app[SETTINGS] = settings
    app[KEYRING] = Keyring.load(settings)
    app[DATABASE] = Database(database_url, pool_size=settings.database_pool)
    app[OUTBOUND] = Outbound(settings)
    app[CLIENT] = Client(app[OUTBOUND], app[KEYRING], settings)
    app[DIRECTORY] = Directory(app[DATABASE], app[KEYRING])
    app[LIMITS] = Limits(settings)
    app[TOTALS], app[PLACES] = Totals(), Places()
    app[LOSSES] = Losses()
    app[SENDER] = Sender(app[DATABASE], app[CLIENT], settings, app[DIRECTORY])
    app[DIRECTORY].on_return = app[SENDER].wake
    app[METRICS] = Metrics()
    app[lag.LAG] = lag.LoopLag()
    app[scrape.SCRAPE] = scrape.Scrape(app[METRICS], app[DATABASE], app[DIRECTORY])
    app[SENDER].on_batch = scrape.counting(app[METRICS])
    app[CHECKER] = Checker(app[DATABASE])
    app[CHECKER].on_checked = app[METRICS].checked
    app[CHECKER].on_release = lambda tenant_id: app[SENDER].wake(tenant_id, CDRS.name)
    app[INTAKE] = Intake(app[DATABASE], same_since, on_change=passing_on(app))
    app[calls.SLOTS] = calls.slots()
    app[BACKGROUND] = Background()
    app[HINTS] = Hints(app[DATABASE], app[BACKGROUND])
    app[ARRIVALS] = Arrivals(app[DATABASE])
    parts = Parts(app[DATABASE], app[CLIENT], app[DIRECTORY], app[INTAKE], losses=app[LOSSES])
    app[PULLER] = Puller(parts)
    app[PROBER] = Prober(app[DATABASE], app[OUTBOUND], app[KEYRING], app[DIRECTORY])
    app[PULLER].on_pulled = scrape.counting_pulled(app[METRICS])
    app.cleanup_ctx.extend([opened, finished, delivering, pulling, jobs.running, lag.measuring])
    api = make_api()
    app.add_subapp("/ocpi", api)
    app.add_subapp(ROOT, make_admin())
    app.add_subapp("/docs", make_docs())
    budget = min(settings.authorize_timeout, STATION_PATIENCE)
    issuers = Issuers(app[DATABASE], app[CLIENT], timeout=budget)
    ocpp.mount(app, passing_on(app), issuers, station_sockets)
    app[STATIONS] = app[ocpp.STATIONS]
    app[CACHES] = Caches(app[DATABASE], app[STATIONS], app[BACKGROUND])
    app[health.HEALTH] = health.Health()
    app.router.add_get("/", show_docs)
    app.add_routes(health.routes)
    app.add_routes(logo.routes)
    app.add_routes(scrape.routes if settings.workers == 1 else scrape.elsewhere)
    app.add_routes(files.routes)
    # Looked up for every request: found where it is looked for first.
    api.update(app)
    return app


async def show_docs(request: web.Request) -> web.StreamResponse:
    """Who opens the hub in a browser wants to know what it is."""
    raise web.HTTPSeeOther("/docs")


def passing_on(app: web.Application) -> Callable[[UUID, Sequence[Stored]], None]:
    """After a commit: wake the sender and the checker of CDRs, tell stations of blocked tokens, and
    count anew where the number of objects changed.
    """

    def on_change(tenant_id: UUID, moved: Sequence[Stored]) -> None:
        for module in {stored.module.name for stored in moved}:
            app[SENDER].wake(tenant_id, module)
        if any(stored.module is CDRS or is_new_tariff(stored) for stored in moved):
            app[CHECKER].wake(tenant_id)
        if any(stored.module is TOKENS for stored in moved):
            app[CACHES].tokens_changed(tenant_id)
        counted = {Outcome.CREATED, Outcome.DELETED}
        for module in {stored.module.name for stored in moved if stored.outcome in counted}:
            app[TOTALS].forget(tenant_id, module)

    return on_change


def is_new_tariff(stored: Stored) -> bool:
    return stored.module is TARIFFS and stored.created


async def opened(app: web.Application) -> AsyncIterator[None]:
    """The database, checked; and on the way out everything that holds a socket."""
    await app[DATABASE].start()
    yield
    await app[DIRECTORY].close()
    await app[INTAKE].close()
    await app[CHECKER].close()
    await app[OUTBOUND].close()
    await app[DATABASE].close()


async def finished(app: web.Application) -> AsyncIterator[None]:
    """What was begun in the background ends after whatever it may wait for, and is written down."""
    yield
    await app[BACKGROUND].close()


async def delivering(app: web.Application) -> AsyncIterator[None]:
    await app[SENDER].start()
    yield
    await app[SENDER].stop()


async def pulling(app: web.Application) -> AsyncIterator[None]:
    async with app[ARRIVALS].written():
        yield
        await app[PROBER].stop()
        await app[PULLER].stop()
