"""Whose an object is: the URL, the object and the connection must name one and the same party; the
routing headers too (HUB-44, MOD-02, MOD-03).
"""

from aiohttp import web

from hub.errors import InvalidRequest, NotFound
from hub.models.values import Party
from hub.ocpi.request import FROM, PARTNER, TOKEN_TYPE
from hub.ocpi.versions.base import Document
from hub.roaming.modules import Module

MEMBERS = ("country_code", "party_id")


def url_owner(request: web.Request) -> Party:
    return Party.of(request.match_info["country_code"], request.match_info["party_id"])


def token_type(request: web.Request, body: Document | None = None) -> str:
    """The token's type: the query says it, else the body, else it is RFID (TOK-03)."""
    known = request.get(TOKEN_TYPE)
    told = known or request.query.get("type") or request.query.get("token_type")
    written = (body or {}).get("type")
    if told and written and told != written:
        raise InvalidRequest(f"type: the URL says {told}, the token {written}.")
    return str(told or written or "RFID")


def check_owner(request: web.Request, module: Module) -> Party:
    """The URL's party must be on this partner's platform, in a role that owns such objects."""
    owner = check_role(request, module, url_owner(request))
    # A peer hub passes on broadcasts in its own name (HUB-44).
    if request[FROM] not in {None, owner, request[PARTNER].hub_party}:
        raise InvalidRequest(f"OCPI-from names {request[FROM]}, the URL {owner}.")
    return owner


def check_role(request: web.Request, module: Module, owner: Party) -> Party:
    """The same party, which must be on this partner's platform, in a role that owns such objects.

    Raises NotFound.
    """
    partner = request[PARTNER]
    if not partner.roles_of(owner) & module.owner_roles:
        known = owner in partner.parties
        reason = f"has no role that owns {module.name}" if known else "is not on your platform"
        raise NotFound(f"{owner} {reason}.")
    return owner


def check_body(
    owner: Party | None, body: Document, ids: dict[str, str], known_by: str = "the URL"
) -> None:
    """Owner and ids in the body, where present, equal those in the URL, or that the owner is known
    by else, without regard to case. Without an owner, such members are about somebody else.
    """
    names = (owner.country_code, owner.party_id) if owner else ()
    for member, expected in zip(MEMBERS, names, strict=False):
        if member in body and str(body[member]).upper() != expected:
            raise InvalidRequest(
                f"{member}: the object says {body[member]!r}, {known_by} {expected}."
            )
    for member, expected in ids.items():
        if member in body and str(body[member]).upper() != expected.upper():
            raise InvalidRequest(
                f"{member}: the object says {body[member]!r}, the URL {expected!r}."
            )
