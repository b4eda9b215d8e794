"""Requests whose result comes later: how it finds its way back (HUB-40, T-33).

    read      what is asked, and the URL at which the caller wants the result
    begin     the command is kept, and the receiver gets a URL of the hub in place of the caller's
    answered  what the receiver said at once, or that it said nothing

The result comes to ``endpoints/results.py`` and goes on by the feed. Nothing here knows what a
command is: the operation says what calls back. The hub's URL holds 256 random bits, is good for one
receiver and for a while.
"""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import structlog
from aiohttp import web

from hub import codec
from hub.errors import InvalidRequest, ReceiverTimeout, Unavailable
from hub.keys import DATABASE, KEYRING, LIMITS, SETTINGS
from hub.models.commands import Command
from hub.models.values import Party
from hub.ocpi.client import Answer, origins_of
from hub.ocpi.egress import Refused, origin
from hub.ocpi.envelope import read_object, unwrapped
from hub.ocpi.operation import Operation
from hub.ocpi.request import CORRELATION_ID, OPERATION, PARTNER, REQUEST_ID
from hub.ocpi.routing import bodies
from hub.ocpi.routing.parties import speaker
from hub.ocpi.versions.base import Document, Version
from hub.roaming.commands import commands
from hub.roaming.commands.commands import Ask, Repeated
from hub.roaming.network.partners import Connection
from hub.security import new_token

log = structlog.get_logger()

RESPONSE_URL = "response_url"
LONGEST_URL = 255
ABOUT = ("location_id", "session_id", "reservation_id")
CLIENT_ERROR, SERVER_ERROR = 400, 500
# Below a module's Sender interface; the tenant is named only to find the row whose secret it is.
RESULTS_PATH = "/{version}/sender/{module}/results/{network}/{secret}"


class OwnAnswer(Exception):
    """The hub itself answers the request; ``data`` is canonical."""

    def __init__(self, data: Any) -> None:
        super().__init__("answered by the hub")
        self.data = data


@dataclass(frozen=True)
class Question:
    """What a caller asks: ``body`` as it came, ``document`` canonical with what the URL says."""

    body: dict[str, Any] | None
    document: Document
    response_url: str


@dataclass(frozen=True)
class Begun:
    """A command that is kept and may be sent; ``url`` is the hub's, for the receiver."""

    id: UUID
    command: str
    url: str


async def read(request: web.Request) -> Question:
    """Check the request as a whole. Raises InvalidRequest, or OwnAnswer where the caller has no
    right to the token it names (CMD-06).
    """
    operation = request[OPERATION]
    assert operation.calls_back is not None
    document: Document = {
        name: request.match_info[name]
        for name in re.findall(r"{(\w+)}", operation.path)
        if name != "command"
    }
    body = None
    if operation.calls_back.url_in == "body":
        body = await read_object(request)
        assert body is not None
        document |= await bodies.read(request, operation.body, body) if operation.body else body
        url = document.pop(RESPONSE_URL, None)
    else:
        url = request.query.get(RESPONSE_URL)
    document |= {name: read_number(request, name) for name in operation.params}
    check_url(request[PARTNER], url)
    check_token(request, document)
    return Question(body, document, str(url))


def read_number(request: web.Request, name: str) -> int:
    written = request.query.get(name, "")
    if not (written.isascii() and written.isdigit()) or len(written) > len("2147483647"):
        raise InvalidRequest(f"{name}: Say a whole number in the query.")
    return int(written)


def check_url(partner: Connection, url: Any) -> None:
    """The result goes to the caller's own platform and nowhere else (T-30)."""
    if not isinstance(url, str) or not url:
        raise InvalidRequest(f"{RESPONSE_URL}: Missing data for required field.")
    try:
        allowed = len(url) <= LONGEST_URL and origin(url) in origins_of(partner)
    except (Refused, ValueError):
        allowed = False
    if not allowed:
        raise InvalidRequest(
            f"{RESPONSE_URL}: Must be a URL on your own platform, of at most {LONGEST_URL}"
            f" characters. Yours is at {', '.join(sorted(origins_of(partner)))}."
        )


def check_token(request: web.Request, document: Document) -> None:
    token, caller = document.get("token"), speaker(request)
    if not isinstance(token, dict) or "party_id" not in token:
        return
    owner = Party.of(str(token.get("country_code", "")), str(token["party_id"]))
    if owner != caller:
        text = f"The token is one of {owner}, not of {caller}."
        message = [{"language": "en", "text": text}]
        raise OwnAnswer({"result": "REJECTED", "timeout": 0, "message": message})


async def begin(
    request: web.Request,
    question: Question,
    receiver: Party,
    connection: Connection | None,
    version: Version,
) -> Begun:
    """Keep the command, before anything is sent. ``connection`` is the receiver's, None for the
    hub's own party. A command that is known already is not sent again: OwnAnswer is what the first
    was answered, ReceiverTimeout when that is not known.
    """
    partner, keyring, operation = request[PARTNER], request.config_dict[KEYRING], request[OPERATION]
    calls_back = operation.calls_back
    assert calls_back is not None
    request.config_dict[LIMITS].check_command(
        (partner.tenant_id, receiver, *aim(question.document))
    )
    command_id, secret = uuid4(), new_token()
    name = (calls_back.command or request.match_info["command"])[:40]
    place = commands.url_place(command_id)
    ask = Ask(
        id=command_id,
        module=operation.module,
        type=name,
        result_kind=calls_back.result,
        caller=speaker(request),
        caller_partner=partner.id,
        receiver=receiver,
        receiver_partner=connection.id if connection else None,
        request=question.document,
        request_digest=keyring.digest(said(request, question)),
        response_url=keyring.encrypt(question.response_url, context=place),
        request_id=request[REQUEST_ID],
        correlation_id=request[CORRELATION_ID],
        callback_digest=keyring.digest(secret) if connection else None,
    )
    try:
        async with request.config_dict[DATABASE].transaction(partner.tenant_id) as db:
            await commands.begin(db, ask)
    except Repeated as repeated:
        raise answer_again(repeated.command) from None
    path = RESULTS_PATH.format(
        version=version.number,
        module=operation.module,
        network=partner.tenant_id.hex,
        secret=secret,
    )
    return Begun(command_id, name, f"{request.config_dict[SETTINGS].public_url}/ocpi{path}")


def answer_again(known: Command) -> OwnAnswer | ReceiverTimeout:
    """What the caller of a command hears when it sends that once more."""
    if known.response is not None:
        return OwnAnswer(known.response)
    return ReceiverTimeout(
        "This request was sent before, and what became of it is not known yet. It is not sent"
        f" again; a result will come to your {RESPONSE_URL}."
    )


def aim(document: Document) -> tuple[str, ...]:
    """What a command aims at: storms at one EVSE are limited, busy locations are not (T-52)."""
    told = {name: str(document.get(name, "")).upper() for name in ("evse_uid", *ABOUT)}
    if told["location_id"] and not told["evse_uid"]:
        token = document.get("token")
        told["evse_uid"] = str(token.get("uid", "")) if isinstance(token, dict) else ""
    return tuple(told.values())


def said(request: web.Request, question: Question) -> str:
    """All that the caller said, by which the same request is known again."""
    parts = [str(request[PARTNER].id), request.method, request.rel_url.raw_path_qs]
    return " ".join(parts) + codec.write_text(question.body)


async def answered(
    request: web.Request, begun: Begun, outcome: Answer | Exception, version: Version
) -> None:
    """Write down what the receiver said, or why it said nothing, before the caller hears of it.

    Should the database be away just now, the caller hears of it all the same: to say that nothing
    was kept would make it send the command again. A result still finds its way.
    """
    try:
        async with request.config_dict[DATABASE].transaction(request[PARTNER].tenant_id) as db:
            match understood(request[OPERATION], outcome, version):
                case dict() as response:
                    await commands.answered(db, begun.id, response)
                case Lost() as lost:
                    await commands.lost(db, begun.id, str(lost))
                case reason:
                    await commands.unsent(db, begun.id, str(reason))
    except Unavailable:
        # That the database is away is said where it shows.
        log.error("answer to a command not noted", command=str(begun.id))  # noqa: TRY400


class Lost(ReceiverTimeout):
    """It was sent, and no answer came: nobody knows whether it is being carried out."""


def understood(
    operation: Operation, outcome: Answer | Exception, version: Version
) -> Document | Exception | str:
    """The receiver's answer (canonical); Lost when nobody knows; else why it was not done."""
    if not isinstance(outcome, Answer):
        return outcome
    if outcome.status_code is None:
        known = CLIENT_ERROR <= outcome.http_status < SERVER_ERROR
        return outcome.reason if known else Lost(outcome.reason)
    if not outcome.ok:
        return outcome.reason
    data = completed(operation, outcome.data)
    assert operation.answer is not None
    try:
        return version.read(operation.answer, data)
    except InvalidRequest as error:
        return Lost(f"The answer is not a valid {operation.answer}: {error}")


def completed(operation: Operation, data: Any) -> Any:
    """An immediate answer with what some platforms forget."""
    if operation.calls_back is None:
        return data
    data = unwrapped(data)
    return {"timeout": commands.DUE} | data if isinstance(data, dict) else data
