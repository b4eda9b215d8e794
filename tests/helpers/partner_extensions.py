"""The Sender interfaces of a fake partner's Payments and Bookings modules."""

from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.helpers.faults import envelope
from tests.helpers.wire import PARTNER, PUSH

if TYPE_CHECKING:
    from tests.helpers.partner import FakePartner

PAYMENTS = "/ocpi/{version}/sender/payments"
TERMINALS = PAYMENTS + "/terminals"
BOOKINGS = "/ocpi/{version}/sender/bookings"
ID = {"terminals": "terminal_id"}

routes = web.RouteTableDef()


@routes.get(PAYMENTS + "/{kind}")
@routes.get(BOOKINGS + "/{kind:booking_locations}")
async def list_kind(request: web.Request) -> web.Response:
    found = request.app[PARTNER].own[request.match_info["kind"]]
    return envelope(found, headers={"X-Total-Count": str(len(found)), "X-Limit": "50"})


@routes.get(PAYMENTS + "/{kind}/{id}")
@routes.get(BOOKINGS + "/{kind:booking_locations}/{id}")
async def get_one(request: web.Request) -> web.Response:
    kind, object_id = request.match_info["kind"], request.match_info["id"]
    found = find(request.app[PARTNER], kind, object_id)
    if found is None:
        return envelope(status_code=2001, message=f"No {object_id}", http_status=404)
    return envelope(found)


def find(partner: "FakePartner", kind: str, object_id: str) -> Any:
    name = ID.get(kind, "id")
    return next((one for one in partner.own[kind] if one[name] == object_id), None)


@routes.put(TERMINALS + "/{id}")
@routes.patch(TERMINALS + "/{id}")
async def change_terminal(request: web.Request) -> web.Response:
    found = find(request.app[PARTNER], "terminals", request.match_info["id"])
    if found is None:
        return envelope(status_code=2001, message="No such terminal", http_status=404)
    found.update(request[PUSH].body)
    return envelope()


@routes.post(TERMINALS + "/activate")
@routes.post(TERMINALS + "/{id}/deactivate")
async def switch_terminal(request: web.Request) -> web.Response:
    return envelope()


@routes.post(BOOKINGS)
async def book(request: web.Request) -> web.Response:
    """Answered by what the test says of a request; without a word it is refused."""
    partner = request.app[PARTNER]
    if partner.book is None:
        return envelope(status_code=2001, message="Nothing can be booked here")
    return envelope(partner.book(request[PUSH].body))
