"""Where stations connect: ``/ocpp/{station_id}``, or ``/ocpp/{tenant}/{station_id}``.

Everything that can be refused is refused before the handshake is answered: an identity nobody
could have (404), an unknown station and a wrong password (401, the same to the byte), a flapping
one (503). Only a missing common sub-protocol is told as OCPP-J wants it: the handshake is completed
without the header and the connection closed.
"""

import socket
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import structlog
from aiohttp import WSCloseCode, web

from hub.errors import Unavailable
from hub.ocpp import identity, relay
from hub.ocpp.conversation.frames import MAX_FRAME, OCPPVersion
from hub.ocpp.conversation.link import Link
from hub.ocpp.conversation.patience import patiently
from hub.ocpp.conversation.rates import Bucket
from hub.ocpp.gate import pace_of_port
from hub.ocpp.identity import Caller, Found, Record
from hub.ocpp.tls import certificates
from hub.ocpp.tls.arrivals import arrived, kept_waiting
from hub.ocpp.versions.v16 import Station16
from hub.ocpp.versions.v21 import Station21
from hub.ocpp.versions.v201 import Station201
from hub.ocpp.wire import Wire
from hub.roaming.stations import stations
from hub.settings import Network

log = structlog.get_logger()

WIRE: web.AppKey[Wire] = web.AppKey("ocpp wire", Wire)
# Networks of the proxies whose word counts about encryption and certificates.
PROXIES: web.AppKey[list[Network]] = web.AppKey("ocpp proxies")
PACE: web.AppKey[Bucket] = web.AppKey("ocpp pace", Bucket)

SPOKEN = {
    OCPPVersion.V16: Station16,
    OCPPVersion.V201: Station201,
    OCPPVersion.V21: Station21,
}

CLOSE_TIMEOUT = 2.0
# What the kernel may keep of a station that talks faster than it is listened to.
RECEIVE_BUFFER = 64 * 1024
# What is read of one station before others have their turn. asyncio would read 256 KiB, and 20
# stations that flood would each have thousands of messages taken apart in between.
READ_AT_ONCE = 4 * 1024

DENIED = {"WWW-Authenticate": 'Basic realm="OCPP", charset="UTF-8"'}


def make_ocpp(wire: Wire, *, proxies: tuple[Network, ...] = ()) -> web.Application:
    """The sub-application of one port.

    Whoever mounts it closes ``wire.registry`` before the listener.
    """
    app = web.Application()
    app[WIRE] = wire
    app[PROXIES] = list(proxies)
    app[PACE] = pace_of_port()
    app.on_shutdown.append(go_away)
    app.router.add_get("/{identity}", connect)
    app.router.add_get("/{tenant}/{identity}", connect)
    return app


async def go_away(app: web.Application) -> None:
    """Before the listener waits for its connections: aiohttp would wait a minute for them."""
    await app[WIRE].registry.close()


async def connect(request: web.Request) -> web.StreamResponse:
    """One station's connection, from the handshake to its end."""
    wire = request.config_dict[WIRE]
    name = request.match_info["identity"]
    if not identity.readable(name):
        raise web.HTTPNotFound
    caller = caller_of(request, name)
    with kept_waiting(request.transport):
        await wire.gate.take_turn(wire.database, request.config_dict[PACE])
    if request.transport is None:
        # It hung up in line: the database is not asked for who is gone.
        raise web.HTTPServiceUnavailable
    found = await admit(wire, caller, request)
    record = found.record
    if not wire.registry.may_join(record.ref.id):
        log.warning("duplicate connection refused", station=record.identity)
        raise web.HTTPServiceUnavailable(headers={"Retry-After": "60"})
    offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    version = identity.chosen_version(offered, record.versions)
    if version is None:
        return await refuse_protocol(request, record, offered)
    arrived(request.transport)
    shrink_buffers(request.transport)
    return await converse(request, wire, found, version, caller)


def caller_of(request: web.Request, name: str) -> Caller:
    """Read who calls, believing a proxy of ours about encryption and client certificates."""
    encrypted, fingerprint = request.secure, None
    if request.transport is not None:
        fingerprint = certificates.fingerprint_of_peer(request.transport)
    proxies = request.config_dict[PROXIES]
    if came_through(proxies, request.remote):
        encrypted = request.headers.get("X-Forwarded-Proto", "").lower() == "https"
        fingerprint = certificates.fingerprint_from_proxy(request.headers)
    return Caller(
        identity=name,
        tenant=request.match_info.get("tenant"),
        password=identity.basic_password(request.headers.get("Authorization"), name),
        encrypted=encrypted,
        fingerprint=fingerprint,
    )


def came_through(proxies: Sequence[Network], address: str | None) -> bool:
    """Whether the request came through a proxy of ours."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return False
    return any(found in network for network in proxies)


async def admit(wire: Wire, caller: Caller, request: web.Request) -> Found:
    """The record of the station that calls; 401 for whoever is none, however he is none."""
    address = request.remote or ""
    try:
        with kept_waiting(request.transport):
            found = await patiently(lambda: recognise(wire, caller))
            if isinstance(found, Found):
                await note_what_is_new(wire, found, caller)
                return found
    except Unavailable as error:
        raise web.HTTPServiceUnavailable(headers={"Retry-After": "10"}) from error
    log.warning("station refused", station=repr(caller.identity), address=address, reason=found)
    await wire.gate.punish(address, wire.tarpit)
    raise web.HTTPUnauthorized(headers=DENIED)


async def recognise(wire: Wire, caller: Caller) -> Found | str:
    """Whose record it is, or why it is nobody's."""
    async with wire.database.platform() as db:
        records = await identity.candidates(db, caller, wire.keyring)
    if not wire.trusted_network and not caller.encrypted:
        identity.find(caller, [], wire.keyring)
        return "without TLS, and HUB_OCPP_TRUSTED_NETWORK is not set"
    found = identity.find(caller, records, wire.keyring)
    if found is None:
        return identity.why_not(caller, records)
    if not await taken_back(wire, found, caller):
        return found
    # Its password may be enough.
    found = identity.find(replace(caller, fingerprint=None), records, wire.keyring)
    return found or "its certificate was taken back, or has run out"


async def taken_back(wire: Wire, found: Found, caller: Caller) -> bool:
    if caller.fingerprint is None or not found.certified:
        return False
    async with wire.database.transaction(found.record.ref.tenant_id) as db:
        return await certificates.revoked(db, caller.fingerprint)


async def taken_back_meanwhile(wire: Wire, found: Found, caller: Caller) -> bool:
    """While it came in: whoever hung up then did not see it here yet."""
    try:
        return await taken_back(wire, found, caller)
    except Unavailable:
        return False


async def note_what_is_new(wire: Wire, found: Found, caller: Caller) -> None:
    """What the station had before is worth nothing any more."""
    record = found.record
    if found.new_password:
        async with wire.database.transaction(record.ref.tenant_id) as db:
            await stations.password_changed(db, record.ref)
        log.info("station uses its new password", station=record.identity)
    if found.new_certificate and caller.fingerprint is not None:
        async with wire.database.transaction(record.ref.tenant_id) as db:
            await certificates.used(db, record.ref, caller.fingerprint)
        log.info("station uses its new certificate", station=record.identity)


async def refuse_protocol(
    request: web.Request, record: Record, offered: list[str]
) -> web.StreamResponse:
    """Complete the handshake without the header and close at once (J1.6 3.2)."""
    log.warning("no common sub-protocol", station=record.identity, offered=offered[:10])
    response = web.WebSocketResponse(compress=False, timeout=CLOSE_TIMEOUT)
    await response.prepare(request)
    await response.close(code=WSCloseCode.PROTOCOL_ERROR, message=b"No common sub-protocol.")
    return response


def shrink_buffers(transport: Any) -> None:
    """Of asyncio's transport for plain sockets, and of the kernel; see ``arrivals`` for TLS."""
    if transport is None:
        return
    if hasattr(transport, "max_size"):
        transport.max_size = READ_AT_ONCE
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)


async def converse(
    request: web.Request, wire: Wire, found: Found, version: OCPPVersion, caller: Caller
) -> web.StreamResponse:
    """Open the WebSocket and serve it to its end. The arrival must be written down, or the station
    is sent away to come again; it was let in before, so it is looked at once more whether its
    certificate still holds.
    """
    record = found.record
    response = web.WebSocketResponse(
        protocols=(version.subprotocol,),
        heartbeat=wire.ping_interval if record.answers_pings else None,
        max_msg_size=MAX_FRAME,
        # 2.x demands that compression is offered, 1.6 advises against it: it costs 100 KiB each.
        compress=version.is_2x,
        autoping=False,
        timeout=CLOSE_TIMEOUT,
    )
    await response.prepare(request)
    station = SPOKEN[version](wire, record)
    station.link = link = Link(
        response,
        version,
        station.answer,
        transport=request.transport,
        strict=record.strict,
        trace=lambda direction, text: wire.registry.trace(record.ref.id, direction, text),
    )
    wire.registry.join(station)
    log.info("station connected", station=record.identity, version=version.value)
    try:
        address = request.remote or ""
        station.was_away = await patiently(lambda: note_arrival(wire, record, version, address))
        if await taken_back_meanwhile(wire, found, caller):
            await link.finish(WSCloseCode.POLICY_VIOLATION)
        else:
            station.begin()
            await link.run()
    except Unavailable:
        log.warning("connection not written down", station=record.identity)
        await link.finish(WSCloseCode.TRY_AGAIN_LATER)
    finally:
        station.end()
        last = wire.registry.leave(station)
        log.info("station disconnected", station=record.identity, code=response.close_code)
        if last:
            # Not here: whoever serves may cancel a handler whose client is gone.
            wire.spawn(note_departure(wire, record))
    return response


async def note_arrival(wire: Wire, record: Record, version: OCPPVersion, address: str) -> bool:
    """Whether it was shown as UNKNOWN until now."""
    async with wire.database.transaction(record.ref.tenant_id) as db:
        arrival = await stations.connected(
            db, record.ref, wire.process, version=version.value, address=address
        )
        if arrival.was_elsewhere:
            await relay.tell_moved(db, record.ref, wire.process)
    return arrival.was_away


async def note_departure(wire: Wire, record: Record) -> None:
    """The sweep does it when the database cannot now."""
    try:
        async with wire.database.transaction(record.ref.tenant_id) as db:
            await stations.disconnected(db, record.ref, wire.process)
    except Unavailable:
        log.warning("disconnection not written down", station=record.identity)
