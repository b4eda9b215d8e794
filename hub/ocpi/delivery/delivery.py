"""One change told to one party: the request, and what its answer means.

    taken    it has it
    refused  it does not want this object, and would say so again
    failing  it could not do it now: this object, or anything at all
    busy     it asked for patience
    gone     the endpoint is not there
    shut     it does not let us in, or is not to be called: somebody must mend something

What the answers of all objects together say about the partner is decided in ``courier``.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus

from hub.models.values import Party
from hub.ocpi.client import Answer, Client, Refused, Unreachable, url_at
from hub.ocpi.delivery.window import Message
from hub.ocpi.short_addresses import for_partner
from hub.ocpi.versions.base import NotExpressible
from hub.roaming.feed.changes import Source
from hub.roaming.network.partners import Connection

BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
LOCKED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE})
UNKNOWN_LOCATION = 2003

# How platforms say that they have a CDR of this id: the same one, for a CDR never changes. Those
# who say that theirs is another one have a conflict that somebody must look at.
KNOWN = re.compile(r"\b(already|duplicate|exists)\b", re.IGNORECASE)
ANOTHER = re.compile(r"\b(other|different|differs|changed)\b", re.IGNORECASE)


class Outcome(StrEnum):
    TAKEN = "taken"
    REFUSED = "refused"
    FAILING = "failing"
    BUSY = "busy"
    GONE = "gone"
    SHUT = "shut"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``answered``: its OCPI code spoke. ``retry_after`` in seconds. ``later``: what it refuses may
    do some other time.
    """

    outcome: Outcome
    reason: str = ""
    http_status: int | None = None
    status_code: int | None = None
    answered: bool = False
    retry_after: float = 0
    later: bool = False

    @property
    def alive(self) -> bool:
        """The partner works, whatever it thinks of this object."""
        return self.outcome in {Outcome.TAKEN, Outcome.REFUSED}

    def contradicts(self, method: str) -> bool:
        """Whether it says that an object that was told as new is not, or the other way round."""
        if method == "POST":
            known = self.http_status == HTTPStatus.CONFLICT or KNOWN.search(self.reason)
            return self.outcome is not Outcome.TAKEN and bool(known)
        return method == "PUT" and self.http_status == HTTPStatus.NOT_FOUND

    @property
    def locked_out(self) -> bool:
        """Our token is not good there, so it is not for anything else either."""
        return self.outcome is Outcome.SHUT and self.http_status in LOCKED

    @property
    def forbidden(self) -> bool:
        """A 403 of its OCPI side, which knows us: about this object's party, or about all of us."""
        return self.http_status == HTTPStatus.FORBIDDEN and self.answered

    @property
    def lacks_location(self) -> bool:
        """The answer to an EVSE whose location the receiver has not got (LOC-14)."""
        return self.outcome is Outcome.REFUSED and (
            self.status_code == UNKNOWN_LOCATION or self.http_status == HTTPStatus.NOT_FOUND
        )


async def deliver(
    client: Client, connection: Connection, source: Source, message: Message, party: Party
) -> Verdict:
    """Tell one party of a change. Raises nothing that a partner could cause."""
    verdict = await tell(client, connection, source, message, party)
    if message.change.instead is None or not verdict.contradicts(message.change.method):
        return verdict
    method, path = message.change.instead
    other = replace(message, change=replace(message.change, method=method, path=path))
    return await tell(client, connection, source, other, party)


async def tell(
    client: Client, connection: Connection, source: Source, message: Message, party: Party
) -> Verdict:
    """One request and what its answer means. Whatever the partner does is a Verdict, no error."""
    change = message.change
    try:
        url = url_of(client, connection, source, message)
        if url is None or connection.version is None:
            return Verdict(
                Outcome.GONE, f"It serves no {source.interface} interface for {source.endpoint}."
            )
        answer = await client.call(
            connection,
            change.method,
            url,
            body=body_for(connection, message),
            to=party if source.routed else None,
            from_=sender(connection, message) if source.routed else None,
            correlation_id=change.correlation_id,
            params=message.params(connection.version),
        )
    except NotExpressible as error:
        if change.withdraws:
            # What cannot be said is not there.
            return Verdict(Outcome.TAKEN)
        reason = f"OCPI {connection.version} cannot say it: {error.reason}"
        return Verdict(Outcome.REFUSED, reason, later=error.later)
    except Refused as error:
        outcome = Outcome.REFUSED if change.reply_to else Outcome.SHUT
        return Verdict(outcome, f"The hub does not call it: {error.reason}.")
    except Unreachable as error:
        return Verdict(Outcome.FAILING, error.reason)
    record = source.record and change.instead is None
    verdict = judge(answer, takes_back=change.takes_back, record=record)
    return of_one_url(verdict) if change.reply_to else verdict


def body_for(connection: Connection, message: Message) -> bytes | None:
    """The bytes that all partners of a version get, but for those who need it shorter (AMB-28)."""
    assert connection.version is not None
    body = message.body(connection.version)
    if body is None or not connection.quirks.short_addresses:
        return body
    return for_partner(connection, message.change.kind, body.decode()).encode()


def url_of(client: Client, connection: Connection, source: Source, message: Message) -> str | None:
    """Where it goes: below an endpoint of the partner, or to the one URL that was asked for."""
    change = message.change
    if change.reply_to is not None:
        return client.reveal(change.reply_to.url, change.reply_to.place)
    endpoint = source.endpoint and connection.endpoint(source.endpoint, source.interface)
    if not endpoint or connection.version is None:
        return None
    return url_at(connection, endpoint, *message.path(connection.version))


def of_one_url(verdict: Verdict) -> Verdict:
    """A URL that is not there says nothing about any other, as an endpoint would."""
    if verdict.outcome is Outcome.GONE or (
        verdict.outcome is Outcome.SHUT and not verdict.locked_out
    ):
        return replace(verdict, outcome=Outcome.REFUSED)
    return verdict


def sender(connection: Connection, message: Message) -> Party:
    """Broadcasts come from the hub, all else from the owner (HUB-20, HUB-33)."""
    return connection.hub if message.change.broadcast else message.change.owner


def judge(answer: Answer, *, takes_back: bool = False, record: bool = False) -> Verdict:
    """What an answer means; HTTP status and OCPI code both count (TRANSPORT-74)."""
    outcome = meaning(answer, takes_back=takes_back, record=record)
    return Verdict(
        outcome,
        "" if outcome is Outcome.TAKEN else answer.reason,
        answer.http_status,
        answer.status_code,
        answer.status_code is not None,
        answer.retry_after or 0,
    )


def meaning(answer: Answer, *, takes_back: bool, record: bool) -> Outcome:
    if answer.ok or (record and knows(answer)):
        return Outcome.TAKEN
    status, code = answer.http_status, answer.status_code
    if takes_back and code == UNKNOWN_LOCATION and status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Outcome.TAKEN
    if status in GONE:
        return absent(status, code, takes_back=takes_back)
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        return http_error(status, code, asks_to_wait=answer.retry_after is not None)
    # HTTP says that it went well: what matters is the OCPI code, and a page without one is none.
    refused = code is not None and 2000 <= code < 3000  # noqa: PLR2004
    return Outcome.REFUSED if refused else Outcome.FAILING


def http_error(status: int, code: int | None, *, asks_to_wait: bool) -> Outcome:
    """What an HTTP error means that is not about something missing."""
    if status == HTTPStatus.TOO_MANY_REQUESTS or (status in BUSY and asks_to_wait):
        return Outcome.BUSY
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in PASSING:
        return Outcome.FAILING
    if status == HTTPStatus.FORBIDDEN and code is not None:
        # It may be about this object alone (TRANSPORT-41): the courier finds out.
        return Outcome.FAILING
    if status in LOCKED or status < HTTPStatus.BAD_REQUEST:
        return Outcome.SHUT
    return Outcome.REFUSED


def absent(status: int, code: int | None, *, takes_back: bool) -> Outcome:
    """404, 405 and 410: the object is not there, or the endpoint is not.

    What shall be deleted and is not there is deleted (TAR-02). 2000 is what a platform says of a
    path it does not serve; a more special code is about the object.
    """
    if takes_back:
        missing = status != HTTPStatus.METHOD_NOT_ALLOWED
        return Outcome.TAKEN if missing else Outcome.REFUSED
    special = code is not None and 2000 < code < 3000  # noqa: PLR2004
    return Outcome.REFUSED if special and status == HTTPStatus.NOT_FOUND else Outcome.GONE


def knows(answer: Answer) -> bool:
    """Whether it says that it has this record already."""
    said = answer.reason
    if answer.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return False
    known = answer.http_status == HTTPStatus.CONFLICT or KNOWN.search(said) is not None
    return known and ANOTHER.search(said) is None
