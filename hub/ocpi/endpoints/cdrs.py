"""CDRs are posted once and for all, and read back from where the hub keeps them (CDR-03)."""

from urllib.parse import quote

from aiohttp import web

from hub.errors import InvalidRequest, NotFound
from hub.keys import SETTINGS
from hub.models.values import InterfaceRole, Party
from hub.ocpi.endpoints import objects, pushes
from hub.ocpi.envelope import read_object
from hub.ocpi.operations import endpoint_path
from hub.ocpi.request import FROM, PARTNER, TO, VERSION
from hub.roaming.modules import CDRS
from hub.roaming.objects import Stored, Write


async def post_cdr(request: web.Request) -> web.Response:
    """Keep the CDR; the answer's ``Location`` is its URL here.

    The same CDR again is answered like the first; another under the same id is refused (CDR-04).
    """
    body = await read_object(request)
    assert body is not None
    write = Write(
        CDRS,
        "POST",
        owner_of(request, body),
        str(body.get("id", "")),
        partner_id=request[PARTNER].id,
        broadcast=request[TO] == request[PARTNER].hub,
    )
    stored = await pushes.keep_body(request, write, "CDR", body)
    response = objects.kept_answer(request, stored)
    response.headers["Location"] = url_of(request, stored)
    return response


def owner_of(request: web.Request, body: dict[str, object]) -> Party:
    """The CDR's own party, which must be the caller's and the one in OCPI-from."""
    country, party = str(body.get("country_code", "")), str(body.get("party_id", ""))
    if not country or not party:
        owner = request[FROM]
        if owner is None:
            raise InvalidRequest("country_code and party_id: Missing data for required field.")
        return owner
    owner = Party.of(country, party)
    partner = request[PARTNER]
    if not partner.roles_of(owner) & CDRS.owner_roles:
        raise NotFound(f"{owner} is not a CPO on your platform.")
    if request[FROM] not in {None, owner}:
        raise InvalidRequest(f"OCPI-from names {request[FROM]}, the CDR {owner}.")
    return owner


def url_of(request: web.Request, stored: Stored) -> str:
    path = endpoint_path(request[VERSION], InterfaceRole.RECEIVER, CDRS.name)
    base = f"{request.config_dict[SETTINGS].public_url}/ocpi/{path}"
    owner = stored.owner
    return f"{base}/{owner.country_code}/{owner.party_id}/{quote(stored.object_id, safe='')}"
