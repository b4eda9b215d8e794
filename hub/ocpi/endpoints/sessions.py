"""Charging preferences: what a driver wishes of a running session, told to the CPO that runs it."""

from aiohttp import web

from hub.models.values import Party
from hub.ocpi import forward
from hub.ocpi.endpoints import objects
from hub.roaming.modules import SESSIONS


async def put_charging_preferences(request: web.Request) -> web.Response:
    """Without a receiver in the headers: to the CPO that owns the session."""
    kept = await objects.find_visible(request, SESSIONS)
    owner = Party(kept.key.country_code, kept.key.party_id)
    return await forward.forward(request, owner)
