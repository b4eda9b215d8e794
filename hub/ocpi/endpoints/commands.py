"""Commands and charging profiles: whom they are for. All the rest is ``forward``."""

from aiohttp import web

from hub.errors import UnknownReceiver
from hub.keys import DATABASE
from hub.ocpi.request import PARTNER
from hub.ocpi.routing import callbacks, forward
from hub.ocpi.routing.owners import owner_of
from hub.ocpi.routing.parties import addressee
from hub.roaming.commands import earlier_commands


async def post_command(request: web.Request) -> web.Response:
    """Send a command to a CPO. Its result comes to the ``response_url`` that the body names.

    Without a receiver in the headers it goes to the CPO whose location, session or reservation it
    is about.
    """
    return await ask_owner(request)


async def charging_profile(request: web.Request) -> web.Response:
    """Ask for, set or clear the charging profile of a session. The result comes to the
    ``response_url``.

    Without a receiver in the headers it goes to the CPO whose session it is.
    """
    return await ask_owner(request)


async def ask_owner(request: web.Request) -> web.Response:
    question = await callbacks.read(request)
    return await forward.forward(request, await owner_of(request, question.document))


async def put_active_profile(request: web.Request) -> web.Response:
    """Tell of a change of the active charging profile whoever set one for the session (CHP-04).

    Without a receiver in the headers: who set the latest, which replaced all others (CHP-10).
    """
    to = addressee(request)
    if to is None:
        partner, session_id = request[PARTNER], request.match_info["session_id"]
        async with request.config_dict[DATABASE].transaction(partner.tenant_id) as db:
            to = await earlier_commands.setter_of_profile(db, partner.id, session_id)
    if to is None:
        raise UnknownReceiver("Nobody has set a charging profile for this session.")
    return await forward.forward(request, to)
