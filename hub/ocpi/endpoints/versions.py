"""Which versions the hub speaks, and where it serves what in each (VER-01)."""

from aiohttp import web

from hub.keys import DIRECTORY, SETTINGS
from hub.models.values import InterfaceRole
from hub.ocpi import custom
from hub.ocpi.envelope import success
from hub.ocpi.operations import MODULE_NAMES, endpoint_path, interfaces
from hub.ocpi.request import PARTNER, VERSION
from hub.ocpi.versions import VERSIONS

routes = web.RouteTableDef()


@routes.get("/versions{slash:/?}")
async def get_versions(request: web.Request) -> web.Response:
    base = f"{request.config_dict[SETTINGS].public_url}/ocpi"
    return success([{"version": number, "url": f"{base}/{number}"} for number in VERSIONS])


@routes.get("/{version}{slash:/?}")
async def get_details(request: web.Request) -> web.Response:
    """The endpoints in one version; token A opens them like the list (TRANSPORT-39).

    Modules that the operator did not agree on with this partner are left out, those of their own
    that platforms may reach each other for are added (VER-05, VER-06).
    """
    version, partner = request[VERSION], request[PARTNER]
    agreed = partner.settings.supported_modules
    audience = await request.config_dict[DIRECTORY].audience(partner.tenant_id)
    base = f"{request.config_dict[SETTINGS].public_url}/ocpi"
    credentials = f"{base}/{version.number}/credentials"
    endpoints = [endpoint("credentials", InterfaceRole.SENDER, credentials)]
    endpoints += [
        endpoint(module, interface, f"{base}/{endpoint_path(version, interface, module)}")
        for module in MODULE_NAMES
        if agreed is None or module in agreed
        for interface in interfaces(module, version)
    ]
    endpoints += [
        endpoint(module, interface, f"{base}/{endpoint_path(version, interface, module)}")
        for module in custom.modules_for(partner, audience)
        for interface in InterfaceRole
        if not version.peer_to_peer
    ]
    details = {"version": version.number, "endpoints": endpoints}
    return success(version.downgrade("VersionDetails", details))


def endpoint(identifier: str, role: InterfaceRole, url: str) -> dict[str, str]:
    return {"identifier": identifier, "role": role.value, "url": url}
