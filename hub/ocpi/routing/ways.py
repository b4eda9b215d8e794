"""Where a request goes that is for somebody else: which platform, and at which URL."""

from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from hub.errors import ReceiverUnreachable, RoutingError, UnknownReceiver
from hub.keys import DATABASE
from hub.models.values import ConnectionStatus, PartnerStatus, Party
from hub.ocpi import custom, translation
from hub.ocpi.client import url_at
from hub.ocpi.operation import Operation
from hub.ocpi.operations import owner_named
from hub.ocpi.request import AUDIENCE, OPERATION, PARTNER, TOKEN_TYPE, VERSION
from hub.ocpi.routing.parties import speaker
from hub.ocpi.translation import Item
from hub.ocpi.versions import VERSIONS
from hub.ocpi.versions.base import Version
from hub.ocpi.versions.ownership_2_1_1 import OWNED_BY_CPO
from hub.roaming.modules import TOKENS
from hub.roaming.network.audience import Audience
from hub.roaming.network.partners import Connection, Endpoint
from hub.roaming.store.aliases import EVSES


@dataclass(frozen=True)
class Way:
    """Where a request goes: the partner, the party on it, and the URL."""

    connection: Connection
    party: Party
    version: Version
    url: str


class NotSupported(UnknownReceiver):
    """The receiver is there, but cannot do this."""


async def find_way(request: web.Request, to: Party) -> Way:
    """UnknownReceiver: nobody here. RoutingError: not agreed. ReceiverUnreachable: not connected,
    or not yet. NotSupported: without this interface, or in a version that lacks the request.
    """
    operation, audience, sender = request[OPERATION], request[AUDIENCE], speaker(request)
    hosts = audience.hosts(to)
    if request[PARTNER].is_hub:
        # What a peer hub sent never goes back there (HUB-49).
        hosts = [host for host in hosts if host.id != request[PARTNER].id]
    if not hosts and not audience.expects(to):
        raise UnknownReceiver(f"{to} is not known here.")
    check_agreed(audience, sender, to, operation)
    connected = [host for host in hosts if is_connected(host)]
    if not connected:
        status = f": it is {hosts[0].connection_status}" if hosts else ""
        raise ReceiverUnreachable(f"{to} is not connected{status}.")
    for host in connected:
        endpoint = host.endpoint(operation.module, operation.interface)
        known = host.version is not None and operation.is_in(host.version)
        if endpoint is not None and host.version is not None and known:
            version = VERSIONS[host.version]
            return Way(host, to, version, await url_of(request, host, endpoint, to))
    raise NotSupported(
        f"{to} does not support the {operation.interface} interface of {operation.module}."
    )


def check_agreed(audience: Audience, sender: Party, to: Party, operation: Operation) -> None:
    """An agreement is about who gives what to whom, so it weighs an addressed GET as it does the
    push and the list that would bring the same (HUB-52, T-05).
    """
    allows = audience.allows_by_name if operation.custom else audience.allows
    giver, taker = (to, sender) if operation.asks_for_theirs else (sender, to)
    if not allows(giver, taker, operation.module):
        raise RoutingError(f"No agreement lets {sender} reach {to} for {operation.module}.")


def is_connected(connection: Connection) -> bool:
    return (
        connection.status == PartnerStatus.ACTIVE
        and connection.connection_status == ConnectionStatus.CONNECTED
    )


async def url_of(request: web.Request, host: Connection, endpoint: Endpoint, to: Party) -> str:
    operation, version = request[OPERATION], VERSIONS[host.version or ""]
    if operation.custom:
        segments = custom.segments(request)
    else:
        named = await names_in_url(request, to, version)
        segments = [
            named[part[1:-1]] if part.startswith("{") else part
            for part in operation.path.split("/")
            if part
        ]
    query = query_for(request, version)
    url = url_at(host, endpoint, *segments)
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


async def names_in_url(request: web.Request, to: Party, version: Version) -> dict[str, str]:
    """The variables of the path, as the receiver calls what they name."""
    given, operation = dict(request.match_info), request[OPERATION]
    if not version.peer_to_peer or operation.module not in OWNED_BY_CPO:
        return given
    kinds = {"id": operation.module, "evse_uid": EVSES}
    names = tuple((kind, given[part]) for part, kind in kinds.items() if part in given)
    owner = owner_named(operation, speaker(request), to)
    database, tenant_id = request.config_dict[DATABASE], request[PARTNER].tenant_id
    async with translation.looking_up(database, tenant_id, version) as db:
        item = Item("", None, owner, names)
        [written] = await translation.write(db, version, [item], reader=to)
    if written.error is not None:
        raise NotSupported(f"OCPI {version.number} cannot express this: {written.error}")
    called = {part: written.names.get((kind, given.get(part, ""))) for part, kind in kinds.items()}
    return given | {part: name for part, name in called.items() if name is not None}


def query_for(request: web.Request, version: Version) -> str:
    """The caller's query; where only one side says the types of tokens, what the other expects."""
    operation = request[OPERATION]
    peers = version.peer_to_peer, request[VERSION].peer_to_peer
    if operation.module != TOKENS.name or operation.many or not any(peers):
        return request.rel_url.raw_query_string
    if version.peer_to_peer and operation.answer != "AuthorizationInfo":
        return ""
    known = request.get(TOKEN_TYPE)
    told = known or request.query.get("type") or request.query.get("token_type") or "RFID"
    return urlencode(version.downgrade("Token", {"type": told}))
