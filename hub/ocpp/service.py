"""The hub's side of OCPP as one thing: what ``app.py`` mounts, starts and stops."""

from collections.abc import AsyncIterator, Sequence
from socket import socket

from aiohttp import web

from hub.keys import DATABASE, KEYRING, SETTINGS
from hub.ocpp.listener import Listener
from hub.ocpp.relay import Relay
from hub.ocpp.server import WIRE, make_ocpp
from hub.ocpp.stations import Stations
from hub.ocpp.tls import tls
from hub.ocpp.upkeep import Upkeep
from hub.ocpp.wire import OnChange, Wire
from hub.roaming.ports import Issuers

# Where nobody else can listen in.
LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})

STATIONS: web.AppKey[Stations] = web.AppKey("stations", Stations)
UPKEEP: web.AppKey[Upkeep] = web.AppKey("ocpp upkeep", Upkeep)
# Only where stations have a port of their own.
LISTENER: web.AppKey[Listener] = web.AppKey("ocpp listener", Listener)


def mount(
    app: web.Application,
    on_change: OnChange,
    issuers: Issuers,
    sockets: Sequence[socket] | None = None,
) -> None:
    """Serve stations at /ocpp, and with TLS on a port of their own where there is one; and put
    ``STATIONS`` in place for whoever has commands for them. ``sockets`` are that port, where
    several processes share it.
    """
    settings = app[SETTINGS]
    tls.check(settings)
    wire = Wire(
        app[DATABASE],
        app[KEYRING],
        issuers=issuers,
        on_change=on_change,
        authorize_timeout=min(settings.authorize_timeout, 4.0),
        trusted_network=settings.ocpp_trusted_network or settings.host in LOCAL,
    )
    app[WIRE] = wire
    app[STATIONS] = Stations(wire, Relay(wire))
    app[UPKEEP] = Upkeep(wire)
    if settings.ocpp_tls_port is not None:
        app[LISTENER] = Listener(wire, settings, sockets)
    app.cleanup_ctx.append(serving)
    app.add_subapp("/ocpp", make_ocpp(wire, proxies=settings.ocpp_proxy_cidrs))


async def serving(app: web.Application) -> AsyncIterator[None]:
    await app[STATIONS].relay.start()
    await app[UPKEEP].start()
    listener = app.get(LISTENER)
    if listener is not None:
        await listener.start()
    yield
    if listener is not None:
        await listener.stop()
    await app[UPKEEP].stop()
    await app[STATIONS].relay.stop()
    await app[WIRE].close()
