"""Real-time authorization: may this token charge here? Its issuer decides (TOK-10)."""

from datetime import UTC, datetime
from typing import Any

import structlog
from aiohttp import web

from hub import codec
from hub.errors import ReceiverTimeout, ReceiverUnreachable, UnknownReceiver, UnknownToken
from hub.keys import DATABASE, LIMITS
from hub.models.values import Party, Role
from hub.ocpi.envelope import read_object, success
from hub.ocpi.request import ANSWERED_BY, AUDIENCE, FROM, OWNER, PARTNER, VERSION
from hub.ocpi.routing import forward, ownership
from hub.roaming.modules import TOKENS
from hub.roaming.store import listing
from hub.roaming.store.listing import Kept

log = structlog.get_logger()

NOT_FOUND = UnknownToken.http_status
# Whitelists under which a token may charge although its issuer cannot be asked (TOK-05).
OFFLINE = frozenset({"ALWAYS", "ALLOWED", "ALLOWED_OFFLINE"})


async def authorize(request: web.Request) -> web.Response:
    """Ask the issuer; when it does not answer in time, decide by the token's whitelist (TOK-16).

    UnknownToken (HTTP 404 and 2004) when nobody here issued the token (TOK-20).
    """
    body = await read_object(request, optional=True)
    if body is not None:
        request[VERSION].check("LocationReferences", body)
    limits, asker = request.config_dict[LIMITS], request[PARTNER].id
    limits.check_authorize(asker)
    uid, type_ = request.match_info["id"], ownership.token_type(request)
    kept = await find_token(request, f"{uid.upper()}/{type_}")
    issuer = (
        Party(kept.key.country_code, kept.key.party_id)
        if kept
        else issuer_by_prefix(request, uid, type_)
    )
    if issuer is None:
        limits.authorized(asker, known=False)
        raise UnknownToken(f"Nobody here issued token {type_}.")
    try:
        response = await forward.forward(request, issuer)
    except (ReceiverTimeout, ReceiverUnreachable, UnknownReceiver) as error:
        if kept is None:
            raise
        log.warning("issuer did not answer", issuer=str(issuer), reason=str(error))
        request[ANSWERED_BY] = request[PARTNER].hub
        return success(decided(request, codec.read_stored(kept.text)))
    # A contract id leads to an issuer whether it exists or not: the answer tells (T-06).
    limits.authorized(asker, known=kept is not None or response.status != NOT_FOUND)
    return response


async def find_token(request: web.Request, key: str) -> Kept | None:
    """The token, of a party that the caller has an agreement with; the longest known wins."""
    asker, audience, meant = request[FROM], request[AUDIENCE], request.get(OWNER)
    async with request.config_dict[DATABASE].reading(request[PARTNER].tenant_id) as db:
        found = await listing.find(db, TOKENS, key)
    for kept in sorted(found, key=lambda kept: kept.page_seq):
        issuer = Party(kept.key.country_code, kept.key.party_id)
        if meant not in {None, issuer}:
            continue
        if asker is None or audience.allows(issuer, asker, TOKENS.name):
            return kept
    return None


def issuer_by_prefix(request: web.Request, uid: str, type_: str) -> Party | None:
    """A contract id (EMAID) begins with its issuer's country and party (HUB-35)."""
    letters = uid.replace("-", "").replace("*", "").upper()
    if type_ != "EMAID" or len(letters) <= len("NLTNM") or not letters.isalnum():
        return None
    party = Party(letters[:2], letters[2:5])
    return party if request[AUDIENCE].hosts(party, Role.EMSP) else None


def decided(request: web.Request, token: dict[str, Any]) -> dict[str, Any]:
    """The hub's own decision, in the caller's version."""
    allowed = bool(token.get("valid")) and token.get("whitelist") in OFFLINE
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = f"Decided by the hub at {now}: the issuer of the token did not answer."
    info = {
        "allowed": "ALLOWED" if allowed else "NOT_ALLOWED",
        "token": token,
        "info": {"language": "en", "text": text},
    }
    return request[VERSION].downgrade("AuthorizationInfo", info)
