"""Payment terminals and what was captured at them (Payments extension of OCPI 2.3.0).

A provider tells CPOs of its terminals and of captured payments: that is kept and delivered. What a
CPO wants of a terminal goes to its provider (PAY-02, PAY-03).
"""

from aiohttp import web

from hub.errors import InvalidRequest, RoutingError, UnknownReceiver
from hub.models.values import InterfaceRole, Party, Role
from hub.ocpi.endpoints import posted
from hub.ocpi.envelope import now, read_object
from hub.ocpi.request import AUDIENCE
from hub.ocpi.routing import forward
from hub.ocpi.routing.owners import owner
from hub.ocpi.routing.parties import addressee, speaker
from hub.ocpi.versions.base import Document, Errand, Trail
from hub.ocpi.versions.prices_2_2_1 import upgrade_price
from hub.ocpi.versions.v2_2_1 import V2_2_1
from hub.roaming.modules import FINANCIAL_ADVICE_CONFIRMATIONS, TERMINALS


async def post_terminal(request: web.Request) -> web.Response:
    """A provider tells of a terminal, perhaps of nothing but its id (PAY-02)."""
    body = await read_object(request)
    assert body is not None
    return await posted.keep_posted(request, TERMINALS, {"last_updated": now()} | body)


async def post_financial_advice_confirmation(request: web.Request) -> web.Response:
    """A provider tells what it has captured, for the CPO that writes the invoice (PAY-05).

    Prices as of OCPI 2.2.1 are read as well: the examples of the extension have no others (PAY-08).
    """
    body = await read_object(request)
    assert body is not None
    costs = body.get("total_costs")
    if isinstance(costs, dict) and "excl_vat" in costs:
        body = body | {"total_costs": newer(costs)}
    return await posted.keep_posted(request, FINANCIAL_ADVICE_CONFIRMATIONS, body)


def newer(price: Document) -> Document:
    """A Price of 2.2.1 as that of 2.3.0; what is neither stays for the check of the whole."""
    try:
        V2_2_1.check("Price", price)
    except InvalidRequest:
        return price
    return upgrade_price(price, Trail(Errand([])))


async def put_terminal(request: web.Request) -> web.Response:
    """A CPO assigns a terminal or says who invoices there: told to the provider that owns it."""
    return await forward.forward(request, await provider_of(request))


async def deactivate_terminal(request: web.Request) -> web.Response:
    """A CPO wants a terminal to be taken out of use, of the provider that owns it."""
    return await forward.forward(request, await provider_of(request))


async def provider_of(request: web.Request) -> Party:
    """The party named in the headers, or the one that has told of the terminal."""
    return addressee(request) or await owner(request, TERMINALS, request.match_info["id"])


async def activate_terminal(request: web.Request) -> web.Response:
    """A CPO wants a terminal to be activated, mostly one that nobody has told of yet: by the
    provider that is named, or the only one there is (PAY-03).
    """
    return await forward.forward(request, addressee(request) or the_only_provider(request))


def the_only_provider(request: web.Request) -> Party:
    audience, cpo = request[AUDIENCE], speaker(request)
    found = {
        party
        for connection in audience.connections
        if connection.endpoint("payments", InterfaceRole.SENDER)
        for party, role in connection.roles
        if role is Role.PTP and audience.allows(cpo, party, "payments")
    }
    name = "Name one in OCPI-to-country-code and OCPI-to-party-id."
    if not found:
        raise UnknownReceiver(f"There is no payment terminal provider here for you. {name}")
    if len(found) > 1:
        raise RoutingError(f"There are several payment terminal providers here. {name}")
    return found.pop()
