"""Credentials: register, read, renew, unregister. What each does is in ``handshake``."""

from typing import Any

from aiohttp import web

from hub.errors import MethodNotAllowed
from hub.keys import DATABASE, DIRECTORY, SETTINGS
from hub.ocpi.envelope import read_object, success
from hub.ocpi.handshake import handshake, introduction
from hub.ocpi.handshake.handshake import Parts
from hub.ocpi.request import PARTNER, VERSION
from hub.security import token_readings

routes = web.RouteTableDef()

CREDENTIALS = "/{version}/credentials{slash:/?}"


@routes.get(CREDENTIALS)
async def get_credentials(request: web.Request) -> web.Response:
    """What the caller uses to call us: its own token, our URL and roles (CRED-18)."""
    await noted(request)
    partner = request[PARTNER]
    readings = token_readings(request.headers["Authorization"])
    token = next(token for form, token in readings if form == partner.token_form)
    async with request.config_dict[DATABASE].transaction(partner.tenant_id) as db:
        ours = await introduction.introduce(
            db, partner, request[VERSION], request.config_dict[SETTINGS].public_url, token
        )
    return success(ours.credentials)


@routes.post(CREDENTIALS)
async def post_credentials(request: web.Request) -> web.Response:
    """Register, with token A. Who is registered is told to PUT (CRED-17)."""
    await noted(request)
    if not request[PARTNER].invited:
        raise MethodNotAllowed(
            "You are registered already: PUT your credentials to change them.",
            headers={"Allow": "GET, PUT, DELETE"},
        )
    return success(await handshake.accept(*await handed_over(request)))


@routes.put(CREDENTIALS)
async def put_credentials(request: web.Request) -> web.Response:
    """Renew; at another version's URL the connection changes to that version (CRED-19)."""
    await noted(request)
    check_registered(request)
    return success(await handshake.update(*await handed_over(request)))


@routes.delete(CREDENTIALS)
async def delete_credentials(request: web.Request) -> web.Response:
    await noted(request)
    check_registered(request)
    await handshake.unregister(Parts.of(request.config_dict), request[PARTNER])
    return success()


async def handed_over(request: web.Request) -> tuple[Parts, Any, Any, Any]:
    body = await read_object(request)
    return Parts.of(request.config_dict), request[PARTNER], request[VERSION], body


def check_registered(request: web.Request) -> None:
    if request[PARTNER].invited or not request[PARTNER].registered:
        raise MethodNotAllowed(
            "You are not registered yet: POST your credentials first.",
            headers={"Allow": "GET, POST"},
        )


async def noted(request: web.Request) -> None:
    """A request about credentials shows that the caller has its token, so older ones end."""
    if not request[PARTNER].invited and request[PARTNER].registered:
        task = request.config_dict[DIRECTORY].seen(request[PARTNER])
        if task is not None:
            await task
