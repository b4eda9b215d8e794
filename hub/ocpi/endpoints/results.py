"""Results of commands and charging profiles, at the URLs that their receivers were given (T-33).

A receiver that shows its token must be the right one. One that shows none is taken at its URL,
which nobody else was told (tolerance 15); its setting ``callbacks_need_token`` says otherwise.
"""

from typing import Any
from uuid import UUID

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncSession

from hub.errors import Forbidden, NotFound, Unauthorized
from hub.keys import DATABASE, DIRECTORY, KEYRING, LIMITS, SENDER
from hub.models.commands import Command
from hub.models.values import InterfaceRole, Party
from hub.ocpi.envelope import read_object, success
from hub.ocpi.operation import Operation
from hub.ocpi.request import ANSWERED_BY, FROM, OPERATION, PARTNER, VERSION
from hub.ocpi.routing import parties
from hub.ocpi.routing.callbacks import RESULTS_PATH
from hub.roaming.commands import commands
from hub.roaming.cursors import RESULTS
from hub.roaming.network import partners
from hub.roaming.network.partners import Connection

routes = web.RouteTableDef()

# Why the answers carry routing headers: it is a request of a functional module (HUB-53).
RESULT = Operation("results", InterfaceRole.SENDER, "POST", "", "take_result")
UNKNOWN = "This response_url is unknown, or its time is over."


def identifies(request: web.Request) -> bool:
    """Whether the URL alone may say who calls."""
    resource = request.match_info.route.resource
    return resource is not None and resource.canonical.endswith(RESULTS_PATH + "{slash}")


@routes.post(RESULTS_PATH + "{slash:/?}")
async def take_result(request: web.Request) -> web.Response:
    """The result of a request, at the URL that the receiver was given for it.

    1000 says that it is kept, to be passed on. The same result again changes nothing.
    """
    partner, limits = request.get(PARTNER), request.config_dict[LIMITS]
    if partner is None:
        limits.check_login(request.remote)
    try:
        told = await keep(request, await read_object(request))
    except NotFound:
        if partner is None:
            limits.failed_login(request.remote)
        raise
    if partner is None:
        limits.check_partner(request[PARTNER].id)
    else:
        request.config_dict[DIRECTORY].seen(partner)
    if told:
        request.config_dict[SENDER].wake(request[PARTNER].tenant_id, RESULTS)
    return success()


async def keep(request: web.Request, body: Any) -> bool:
    """Commit the result; whether it is passed on. NotFound for all URLs that lead nowhere."""
    partner, secret = request.get(PARTNER), request.match_info["secret"]
    digests = request.config_dict[KEYRING].digests(secret)
    async with request.config_dict[DATABASE].transaction(tenant_of(request)) as db:
        command = await commands.by_callback(db, digests, partner.id if partner else None)
        if command is None:
            raise NotFound(UNKNOWN)
        introduce(request, command, partner or await anonymous(db, command))
        result = request[VERSION].read(command.result_kind, body)
        return await commands.finish(db, command, result)


def tenant_of(request: web.Request) -> UUID:
    """The tenant in the URL, which must be the caller's if that is known."""
    try:
        tenant_id = UUID(request.match_info["network"])
    except ValueError:
        raise NotFound(UNKNOWN) from None
    partner = request.get(PARTNER)
    if partner is not None and partner.tenant_id != tenant_id:
        raise NotFound(UNKNOWN)
    return tenant_id


async def anonymous(db: AsyncSession, command: Command) -> Connection:
    """The receiver of a command, which did not say who it is."""
    assert command.to_partner_id is not None
    connection = await partners.connection(db, command.to_partner_id)
    if connection is None or connection.shut_out:
        raise NotFound(UNKNOWN)
    if connection.configuration.get("callbacks_need_token"):
        raise Unauthorized("Send your token with results.", headers={"WWW-Authenticate": "Token"})
    return connection


def introduce(request: web.Request, command: Command, connection: Connection) -> None:
    """Put onto the request what the middlewares do for others: who speaks, and who answers."""
    sender = parties.party_in(request, "from")
    if sender is not None and sender not in connection.parties:
        raise Forbidden(f"OCPI-from names {sender}, which is not a party of your platform.")
    request[OPERATION], request[PARTNER] = RESULT, connection
    request[FROM] = sender or Party(command.to_country_code or "", command.to_party_id or "")
    request[ANSWERED_BY] = Party(command.from_country_code or "", command.from_party_id or "")
