"""A listener of the hub's own for stations, with TLS, that serves ``/ocpp`` and nothing else.

Its certificate and the CAs it trusts are looked at now and then, and at once when a tenant gets a
CA: the next handshake is made with what holds then, connections that are open stay. What cannot be
used is told in the log, and what was used before goes on.
"""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from socket import socket

import structlog
from aiohttp import web
from sqlalchemy import select

from hub import sockets
from hub.background import ended
from hub.errors import Unavailable
from hub.models.certificates import StationCertificate
from hub.models.tenants import Tenant
from hub.ocpp.server import make_ocpp
from hub.ocpp.tls import server_certificate
from hub.ocpp.tls.arrivals import Arrivals, Connection
from hub.ocpp.tls.tls import Material, make_context, read_material
from hub.ocpp.wire import Wire
from hub.settings import Settings, SettingsError

log = structlog.get_logger()

LOOK_EVERY = 30.0
# Seconds that conversations may take to end; they have been told to before.
GRACE = 5.0


class Listener:
    """``start`` raises SettingsError when there is nothing it could listen with, NotListening when
    there is nothing to listen at.

    ``shared`` are the sockets to listen at, where other processes do so, too.
    """

    def __init__(
        self, wire: Wire, settings: Settings, shared: Sequence[socket] | None = None
    ) -> None:
        self.wire = wire
        self.settings = settings
        self.shared = shared
        self.arrivals = Arrivals()
        self.material: Material | None = None
        self.unusable: str | None = None
        self.context: ssl.SSLContext | None = None
        # When the certificate that it shows ends.
        self.ends: datetime | None = None
        self.watching: asyncio.Task[None] | None = None
        self.runner = web.AppRunner(self.make_app(), access_log=None, shutdown_timeout=GRACE)

    def make_app(self) -> web.Application:
        """Believes no header about TLS or certificates: it saw them itself."""
        app = web.Application()
        app.add_subapp("/ocpp", make_ocpp(self.wire))
        return app

    async def start(self) -> None:
        await self.renew()
        await self.runner.setup()
        host, port = self.settings.ocpp_tls_host, self.settings.ocpp_tls_port or 0
        try:
            with sockets.named("HUB_OCPP_TLS_PORT", host, port):
                for one in sockets.bound(host, port) if self.shared is None else self.shared:
                    await Site(self.runner, self, one).start()
        except BaseException:
            await self.runner.cleanup()
            raise
        self.watching = asyncio.create_task(self.watch())

    async def stop(self) -> None:
        await ended(self.watching)
        await self.runner.cleanup()

    def accept(self) -> Connection:
        """What serves the next connection, with what holds now."""
        assert self.context is not None
        assert self.runner.server is not None
        return Connection(self.runner.server(), self.context, self.arrivals)

    async def watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self.wire.new_authority.wait()
            self.wire.new_authority.clear()
            await self.look()

    async def look(self) -> None:
        """Take over what has changed; a fault is told once and changes nothing."""
        try:
            await self.renew()
            self.unusable = None
        except SettingsError as error:
            if self.unusable != str(error):
                log.warning("TLS certificate not taken over", reason=str(error))
            self.unusable = str(error)
        except Unavailable:
            log.warning("TLS certificate not looked at")
        except Exception:
            log.exception("looking at the TLS certificate failed")

    async def renew(self) -> None:
        certificate, key = await self.certificate_files()
        trusted = await trusted_authorities(self.wire)
        material = await asyncio.to_thread(read_material, self.settings, certificate, key, trusted)
        if material == self.material:
            return
        self.context = await asyncio.to_thread(make_context, material)
        if self.material is not None:
            log.info("TLS certificate or trusted authorities changed")
        self.material, self.ends = material, material.ends

    async def certificate_files(self) -> tuple[Path, Path]:
        certificate, key = self.settings.ocpp_tls_certificate, self.settings.ocpp_tls_key
        if certificate is not None and key is not None:
            return certificate, key
        own = await server_certificate.keep_own(
            self.wire.database, self.wire.keyring, self.settings
        )
        return own, own


class Site(web.SockSite):
    """A socket whose connections the listener makes itself."""

    def __init__(self, runner: web.AppRunner, listener: Listener, one: socket) -> None:
        super().__init__(runner, one)
        self.listener, self.one = listener, one

    async def start(self) -> None:
        await web.BaseSite.start(self)
        self._server = await asyncio.get_running_loop().create_server(
            self.listener.accept,
            sock=self.one,
            backlog=sockets.at_a_time(shared=self.listener.shared is not None),
        )
        self.one.listen(sockets.BACKLOG)


async def trusted_authorities(wire: Wire) -> list[str]:
    """The CAs of all tenants, PEM: which one may speak for a station its fingerprint says."""
    async with wire.database.platform() as db:
        tenant_ids = list(await db.scalars(select(Tenant.id).order_by(Tenant.id)))
    found: list[str] = []
    for tenant_id in tenant_ids:
        async with wire.database.transaction(tenant_id) as db:
            found += await db.scalars(
                select(StationCertificate.pem)
                .where(StationCertificate.kind == "CA", StationCertificate.revoked_at.is_(None))
                .order_by(StationCertificate.created_at)
            )
    return found
