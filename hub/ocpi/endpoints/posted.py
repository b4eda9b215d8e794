"""What is posted: CDRs once and for all, invoice reconciliation records when they are new.

Both are read back from where the hub keeps them (CDR-03).
"""

from urllib.parse import quote

from aiohttp import web

from hub.errors import InvalidRequest
from hub.keys import SETTINGS
from hub.models.values import InterfaceRole, Party
from hub.ocpi.endpoints import objects, pushes
from hub.ocpi.envelope import read_object
from hub.ocpi.operations import endpoint_path
from hub.ocpi.request import FROM, OPERATION, PARTNER, TO, VERSION
from hub.ocpi.routing import kept_objects, ownership
from hub.ocpi.routing.parties import speaker
from hub.ocpi.versions.base import Document
from hub.roaming.modules import CDRS, INVOICE_RECONCILIATIONS, MODULES, Module
from hub.roaming.store.writes import Stored, Write


async def post_cdr(request: web.Request) -> web.Response:
    """Keep the CDR; the answer's ``Location`` is its URL here.

    The same CDR again is answered like the first; another under the same id is refused (CDR-04).
    """
    body = await read_object(request)
    assert body is not None
    return await keep_posted(request, CDRS, body)


async def post_invoice_reconciliation(request: web.Request) -> web.Response:
    """Keep a new record, for the other side of the CDRs that it names; changes come by PUT."""
    body = await read_object(request)
    assert body is not None
    return await keep_posted(request, INVOICE_RECONCILIATIONS, body)


async def keep_posted(request: web.Request, module: Module, body: Document) -> web.Response:
    owner = owner_of(request, module, body)
    request[FROM] = owner  # where no header said who speaks (HUB-15)
    write = Write(
        module,
        "POST",
        owner,
        str(body.get(module.id_field, "")),
        partner_id=request[PARTNER].id,
        broadcast=request[TO] == request[PARTNER].hub,
    )
    stored = await pushes.keep_body(request, write, module.kind, body)
    response = objects.kept_answer(request, stored)
    response.headers["Location"] = url_of(request, stored)
    return response


def owner_of(request: web.Request, module: Module, body: Document) -> Party:
    """The object's own party, which must be the caller's and the one in OCPI-from.

    In 2.1.1 it does not say, and such members mean nothing.
    """
    if not module.names_owner:
        return ownership.check_role(request, module, speaker(request))
    country, party = str(body.get("country_code", "")), str(body.get("party_id", ""))
    if not country or not party or request[VERSION].peer_to_peer:
        owner = request[FROM]
        if owner is None:
            raise InvalidRequest("country_code and party_id: Missing data for required field.")
        return owner
    owner = Party.of(country, party)
    ownership.check_role(request, module, owner)
    if request[FROM] not in {None, owner}:
        raise InvalidRequest(f"OCPI-from names {request[FROM]}, the {module.kind} {owner}.")
    return owner


async def get_posted(request: web.Request) -> web.Response:
    """What the hub holds of an object that the caller has posted."""
    module = MODULES[request[OPERATION].kept_as]
    owner = ownership.check_role(request, module, speaker(request))
    return await objects.answer(request, module, await kept_objects.visible(request, module, owner))


def url_of(request: web.Request, stored: Stored) -> str:
    module, owner = stored.module, stored.owner
    path = endpoint_path(request[VERSION], InterfaceRole.RECEIVER, module.module_id)
    parts = [request.config_dict[SETTINGS].public_url, "ocpi", path.removesuffix("/"), *module.path]
    if module.names_owner:
        parts += [owner.country_code, owner.party_id]
    return "/".join([*parts, quote(stored.object_id, safe="")])
