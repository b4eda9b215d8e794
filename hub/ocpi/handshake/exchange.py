"""What passes between the hub and one platform while it registers, renews or leaves there."""

from dataclasses import replace

from hub.errors import InvalidRequest, UnusableClient
from hub.ocpi.client import Answer, Client, Refused, Unreachable, origins_of
from hub.ocpi.envelope import unwrapped
from hub.ocpi.handshake.claims import Theirs, read_credentials
from hub.ocpi.handshake.discovery import Visit, token_forms
from hub.ocpi.handshake.trace import Trace
from hub.ocpi.versions.base import Document, Version
from hub.roaming.network.partners import Connection, token_place
from hub.roaming.network.registration import Grant
from hub.security import Keyring, Undecipherable


class Unsent(UnusableClient):
    """The request never reached the other side."""


async def deliver(visit: Visit, method: str, url: str, body: Document) -> Answer:
    try:
        return await visit.send("credentials", method, url, body)
    except Refused as error:
        raise Unsent(f"The hub does not call {url}: {error.reason}.") from None
    except Unreachable as error:
        kind = UnusableClient if error.sent else Unsent
        raise kind(f"{method} credentials failed: {error.reason}.") from None


async def goodbye(visit: Visit, url: str) -> bool:
    try:
        return (await visit.send("goodbye", "DELETE", url)).ok
    except (Refused, Unreachable):
        return False


def open_visit(
    client: Client, keyring: Keyring, trace: Trace, partner: Connection
) -> tuple[Visit, str]:
    """Call a registered partner with the token it gave us, or the one before (CRED-21)."""
    if not partner.registered or partner.versions_url is None:
        raise UnusableClient(f"{partner.name} is not registered.")
    tokens = []
    for data in filter(None, (partner.token_to_send, partner.previous_token)):
        try:
            tokens.append(keyring.decrypt(data, context=token_place(partner.id)))
        except Undecipherable as error:
            trace.note("token", f"cannot be read: {error}")
    if not tokens:
        raise UnusableClient(f"The token for {partner.name} cannot be read with the hub's keys.")
    for token in tokens:
        trace.hide(token)
    attempts = [(t, form) for form in token_forms(partner, known=True) for t in tokens]
    origins = origins_of(partner)
    visit = Visit(client, trace, partner.id, origins, attempts, partner.version)
    return visit, partner.versions_url


def replace_token(visit: Visit, token: str) -> Visit:
    return replace(visit, attempts=[(token, visit.form)])


def read_answer(
    trace: Trace,
    partner: Connection,
    version: Version,
    answer: Answer,
    approved: frozenset[Grant],
) -> Theirs:
    """The credentials in an answer."""
    try:
        theirs = read_credentials(
            version, unwrapped(answer.data), own=partner.hub, approved=approved
        )
    except InvalidRequest as error:
        raise UnusableClient(
            f"They answered with credentials that are not valid: {error}"
        ) from None
    trace.hide(theirs.token)
    return theirs
