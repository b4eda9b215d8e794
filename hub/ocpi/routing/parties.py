"""Who speaks and who is spoken to: the OCPI-from and OCPI-to headers of functional modules.

The headers are claims; the connection's token is the identity. A party that is not on the caller's
platform is refused, whatever the headers say (HUB-44, T-01).
"""

from aiohttp import web

from hub.errors import Forbidden, HubError, InvalidRequest, RoutingError
from hub.models.values import Party
from hub.ocpi.request import ANSWERED_BY, FROM, OPERATION, PARTNER, TO, VERSION
from hub.roaming.modules import MODULES
from hub.roaming.network.partners import Connection

COUNTRY, PARTY = 2, 3
BROADCASTABLE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def party_in(request: web.Request, direction: str) -> Party | None:
    """The party named by a pair of headers. Empty headers count as absent (tolerance 4)."""
    country = request.headers.get(f"OCPI-{direction}-country-code", "").strip()
    party = request.headers.get(f"OCPI-{direction}-party-id", "").strip()
    if not country and not party:
        return None
    if not country or not party:
        missing = "country-code" if not country else "party-id"
        raise InvalidRequest(f"OCPI-{direction}-{missing} is missing beside its pair.")
    if len(country) != COUNTRY or len(party) != PARTY or not (country + party).isalnum():
        raise InvalidRequest(
            f"OCPI-{direction} headers must be a country code of 2 and a party id of 3 characters."
        )
    return Party.of(country, party)


def read_parties(request: web.Request) -> None:
    """Put FROM and TO on the request, or refuse it."""
    partner, operation = request[PARTNER], request[OPERATION]
    if not operation.routed:
        request[FROM] = request[TO] = None
        return
    if request[VERSION].peer_to_peer:
        # Whatever such headers are, they are not OCPI's: every request is Open Routing.
        request[FROM], request[TO] = next(iter(partner.parties)), None
        return
    sender, to = party_in(request, "from"), party_in(request, "to")
    if sender is not None and sender not in partner.parties:
        raise Forbidden(f"OCPI-from names {sender}, which is not a party of your platform.")
    if to is not None and to in partner.parties and operation.many and own_means_nobody(partner):
        to = None
    request[FROM] = sender if sender is not None else only_party(request, partner)
    request[TO] = to
    check_broadcast(request, to)


def own_means_nobody(partner: Connection) -> bool:
    """Some clients name themselves as receiver of list requests; a setting reads that as nobody."""
    return bool(partner.configuration.get("own_party_as_no_addressee", False))


def only_party(request: web.Request, partner: Connection) -> Party | None:
    """Who speaks when no header says: the only party, or the owner in the URL (HUB-15)."""
    if len(partner.parties) == 1:
        return next(iter(partner.parties))
    if "country_code" in request.match_info:
        owner = Party.of(request.match_info["country_code"], request.match_info["party_id"])
        if owner in partner.parties:
            return owner
    return None


def addressee(request: web.Request) -> Party | None:
    """The party that is named to get the request; to name the hub is to name nobody."""
    to = request[TO]
    return None if to == request[PARTNER].hub else to


def speaker(request: web.Request) -> Party:
    """Who speaks, where that must be known."""
    sender = request[FROM]
    if sender is None:
        raise InvalidRequest(
            "Say which of your parties speaks: OCPI-from-country-code and -party-id."
        )
    return sender


def check_broadcast(request: web.Request, to: Party | None) -> None:
    operation, partner = request[OPERATION], request[PARTNER]
    if to is None or to != partner.hub:
        return
    if operation.reads and operation.interface == "RECEIVER":
        raise InvalidRequest(
            "A GET cannot be broadcast: name the party whose copy you want (HUB-21)."
        )
    module = MODULES.get(operation.kept_as)
    private = module is None or module.private
    if operation.method in BROADCASTABLE and private and not broadcast_is_open(partner):
        raise InvalidRequest(
            f"{operation.module} cannot be broadcast: they are for one party only. Name it in "
            "OCPI-to-country-code and OCPI-to-party-id, or leave both out."
        )


def broadcast_is_open(partner: Connection) -> bool:
    """Setting for partners that put the hub into OCPI-to of everything: read it as Open Routing."""
    return bool(partner.configuration.get("broadcast_as_open_routing", False))


def answer_for_the_hub(request: web.Request, error: HubError) -> None:
    """What the hub finds wrong it says in its own name, whoever was meant to be asked (AMB-14)."""
    said_by_a_party = ANSWERED_BY in request and not isinstance(error, RoutingError)
    if PARTNER in request and not said_by_a_party:
        request[ANSWERED_BY] = request[PARTNER].hub


def answer_headers(request: web.Request) -> dict[str, str]:
    """The routing headers of the response: the parties of the request, swapped (HUB-14)."""
    partner = request[PARTNER]
    if request[VERSION].peer_to_peer:
        return {}
    to = request.get(FROM) or next(iter(sorted(partner.parties)), None)
    sender = request.get(ANSWERED_BY) or request.get(TO) or partner.hub
    headers = {
        "OCPI-from-country-code": sender.country_code,
        "OCPI-from-party-id": sender.party_id,
    }
    if to is not None:
        headers |= {"OCPI-to-country-code": to.country_code, "OCPI-to-party-id": to.party_id}
    return headers
