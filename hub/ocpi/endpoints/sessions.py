"""Charging preferences: what a driver wishes of a running session, told to the CPO that runs it."""

from aiohttp import web

from hub.ocpi.routing import forward
from hub.ocpi.routing.owners import owner
from hub.ocpi.routing.parties import addressee
from hub.roaming.modules import SESSIONS


async def put_charging_preferences(request: web.Request) -> web.Response:
    """Without a receiver in the headers: to the CPO that owns the session."""
    to = addressee(request) or await owner(request, SESSIONS, request.match_info["id"])
    return await forward.forward(request, to)
