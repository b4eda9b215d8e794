"""Which versions the hub speaks, and where it serves what in each (VER-01)."""

from aiohttp import web

from hub.keys import DIRECTORY, SETTINGS
from hub.ocpi.envelope import success
from hub.ocpi.handshake.introduction import endpoints_for
from hub.ocpi.request import PARTNER, VERSION
from hub.ocpi.versions import VERSIONS

routes = web.RouteTableDef()


@routes.get("/versions{slash:/?}")
async def get_versions(request: web.Request) -> web.Response:
    base = f"{request.config_dict[SETTINGS].public_url}/ocpi"
    return success([{"version": number, "url": f"{base}/{number}"} for number in VERSIONS])


@routes.get("/{version}{slash:/?}")
async def get_details(request: web.Request) -> web.Response:
    """The endpoints in one version; token A opens them like the list (TRANSPORT-39)."""
    version, partner = request[VERSION], request[PARTNER]
    audience = await request.config_dict[DIRECTORY].audience(partner.tenant_id)
    base = f"{request.config_dict[SETTINGS].public_url}/ocpi"
    endpoints = [
        {"identifier": module, "role": interface.value, "url": f"{base}/{path}"}
        for module, interface, path in endpoints_for(partner, audience, version)
    ]
    details = {"version": version.number, "endpoints": endpoints}
    return success(version.downgrade("VersionDetails", details))
