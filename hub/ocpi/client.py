"""Calling a partner: headers, the form of the token, and what to make of the answer.

Everything leaves through ``Outbound``, which judges addresses and origins. A call either brings an
``Answer``, whatever it says, or raises ``Unreachable`` (no usable answer came) or ``Refused`` (the
hub does not make such a call).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property, lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit, urlunsplit
from uuid import UUID, uuid4

from hub import codec
from hub.models.values import Party
from hub.ocpi.outbound import Outbound, Refused, Response, Unreachable, origin
from hub.ocpi.versions import is_peer_to_peer
from hub.roaming.network.partners import Connection, Endpoint, token_place
from hub.security import Keyring, Undecipherable, authorization
from hub.settings import Settings

__all__ = ["Answer", "Client", "Refused", "Unreachable", "join_url", "origins_of", "url_at"]

# A page of a list may be large; the outbound client has limited its bytes already.
MAX_NODES = 2_000_000
MAX_STRING = 1024 * 1024
REASON_LENGTH = 300
# Answers that speak of the platform, not of what was sent: it is away, or our access to it broken.
AWAY = frozenset({401, 403, 408, 425, 429})
GONE = frozenset({404, 405, 410})
SERVER_ERROR = 500
NO_REDIRECT = 300


@dataclass(frozen=True)
class Answer:
    """What a partner answered.

    HTTP status and OCPI status are both to be looked at (TRANSPORT-74): an envelope with 2xxx in
    HTTP 200 is a failure, and so is HTTP 200 without an envelope.
    """

    http_status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)

    @cached_property
    def json(self) -> Any:
        """The body as read, whatever it is; None when it is not JSON."""
        try:
            return codec.read(self.content, max_nodes=MAX_NODES, max_string=MAX_STRING)
        except codec.BadJSON:
            return None

    @property
    def envelope(self) -> dict[str, Any] | None:
        body = self.json
        if isinstance(body, dict) and isinstance(body.get("status_code"), int):
            return body
        return None

    @property
    def status_code(self) -> int | None:
        return self.envelope["status_code"] if self.envelope else None

    @property
    def status_message(self) -> str:
        return str(self.envelope.get("status_message") or "") if self.envelope else ""

    @property
    def data(self) -> Any:
        return self.envelope.get("data") if self.envelope else None

    @property
    def ok(self) -> bool:
        succeeded = self.status_code is not None and 1000 <= self.status_code < 2000  # noqa: PLR2004
        return self.http_status < NO_REDIRECT and succeeded

    @property
    def away(self) -> bool:
        """The platform cannot be worked with now, whatever is sent to it."""
        if self.http_status >= SERVER_ERROR or self.http_status in AWAY:
            return True
        return self.http_status not in GONE and self.status_code is None

    @property
    def gone(self) -> bool:
        """There is no such endpoint or object, and no OCPI answer explains it otherwise."""
        return self.http_status in GONE

    @property
    def retry_after(self) -> float | None:
        """Seconds the partner asks us to wait (``Retry-After``, seconds or a date)."""
        value = self.headers.get("Retry-After", "").strip()
        if value.isdecimal():
            return float(value)
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())

    @property
    def reason(self) -> str:
        """Why it failed, in words. Errors that are no OCPI envelopes are read as well."""
        body = self.status_message if self.envelope else self.json
        said = plain_words(body, self.content)
        status = f"HTTP {self.http_status}"
        if self.status_code is not None:
            status += f", OCPI {self.status_code}"
        elif self.http_status < NO_REDIRECT:
            status += ", not an OCPI answer"
        elif not said:
            said = http_phrase(self.http_status)
        return f"{status}: {said}"[:REASON_LENGTH] if said else status


def http_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def plain_words(body: Any, content: bytes) -> str:
    """The message in an error of some web framework, or the text of a page, in one line."""
    while isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, dict):
        members = ("detail", "message", "error_description", "error", "title", "msg")
        for member in members:
            if body.get(member):
                return plain_words(body[member], b"")
        body = codec.write_text(body)
    if body is None:
        body = re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", content.decode(errors="replace"))
    words = re.sub(r"[\x00-\x20\x7f-\x9f]+", " ", str(body)).strip()
    return words[:REASON_LENGTH]


class Client:
    """Calls partners as one of the tenants. It keeps nothing but which of two tokens works."""

    def __init__(self, outbound: Outbound, keyring: Keyring, settings: Settings) -> None:
        self._outbound = outbound
        self._keyring = keyring
        self._settings = settings
        # Partners that, in the middle of a renewal, still want the token before the newest.
        self._wants_previous: dict[UUID, bytes] = {}

    async def call(
        self,
        partner: Connection,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        to: Party | None = None,
        from_: Party | None = None,
        correlation_id: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the outbound client enforces it
        params: Mapping[str, str] | None = None,
        once: bool = False,
        more_headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call a registered partner with the token it gave us.

        While a renewal is not known to have reached the other side, a 401 is tried once more with
        the token before: one of the two always opens the door (CRED-21, T-17).
        """
        tokens = [data for data in (partner.token_to_send, partner.previous_token) if data]
        if not tokens:
            raise Refused("the partner is not registered: there is no token to call it with")
        if len(tokens) > 1 and self._wants_previous.get(partner.id) == tokens[0]:
            tokens.reverse()
        correlation_id = correlation_id or str(uuid4())
        headers = dict(more_headers or {})
        if not is_peer_to_peer(partner.version):
            headers |= routing_headers("to", to) | routing_headers("from", from_)
        for data in tokens:
            answer = await self.ask(
                method,
                url,
                token=self._decrypt(partner, data),
                form=partner.token_form_sent,
                origins=origins_of(partner),
                pool=str(partner.id),
                body=body,
                headers=headers,
                correlation_id=correlation_id,
                timeout=timeout,
                params=params,
                once=once,
            )
            if answer.http_status != HTTPStatus.UNAUTHORIZED:
                break
        if len(tokens) > 1 and answer.http_status != HTTPStatus.UNAUTHORIZED:
            self._remember(partner, data)
        return answer

    async def ask(
        self,
        method: str,
        url: str,
        *,
        token: str,
        form: str,
        origins: frozenset[str],
        pool: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        correlation_id: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the outbound client enforces it
        params: Mapping[str, str] | None = None,
        once: bool = False,
    ) -> Answer:
        """One request with a token in the clear, for platforms that are not registered yet.

        Each hop has a request id of its own; the correlation id goes all the way (TRANSPORT-48).
        """
        sent = {
            "Authorization": authorization(token, form),
            "X-Request-ID": str(uuid4()),
            "X-Correlation-ID": correlation_id or str(uuid4()),
            "Accept": "application/json",
            **(headers or {}),
        }
        if body is not None:
            sent["Content-Type"] = "application/json"
        response: Response = await self._outbound.request(
            method,
            with_query(url, params) if params else url,
            headers=sent,
            body=body,
            timeout=timeout or self._settings.forward_timeout,
            origins=origins,
            pool=pool,
            once=once,
        )
        return Answer(response.status, response.headers, response.content)

    def reveal(self, url: bytes, place: str) -> str:
        """A URL that was kept encrypted, bound to a place; raises ``Refused``."""
        try:
            return self._keyring.decrypt(url, context=place)
        except Undecipherable as error:
            raise Refused(f"its URL cannot be read: {error}") from None

    def _decrypt(self, partner: Connection, data: bytes) -> str:
        try:
            return self._keyring.decrypt(data, context=token_place(partner.id))
        except Undecipherable as error:
            raise Refused(f"its token cannot be read, renew the credentials: {error}") from None

    def _remember(self, partner: Connection, worked: bytes) -> None:
        if worked == partner.previous_token and partner.token_to_send:
            self._wants_previous[partner.id] = partner.token_to_send
        else:
            self._wants_previous.pop(partner.id, None)


def origins_of(partner: Connection) -> frozenset[str]:
    """Where a partner's servers may be: with its versions URL, or where the operator allowed it."""
    return origins(partner.versions_url, partner.settings.allowed_origins)


@lru_cache(maxsize=1000)
def origins(versions_url: str | None, allowed: frozenset[str]) -> frozenset[str]:
    return allowed | {origin(versions_url)} if versions_url else allowed


def routing_headers(direction: str, party: Party | None) -> dict[str, str]:
    if party is None:
        return {}
    return {
        f"OCPI-{direction}-country-code": party.country_code,
        f"OCPI-{direction}-party-id": party.party_id,
    }


def join_url(endpoint_url: str, *segments: str) -> str:
    """An endpoint's URL and what comes behind it: exactly one slash between (TRANSPORT-22)."""
    parts = urlsplit(endpoint_url)
    path = "/".join([parts.path.rstrip("/"), *map(encoded, segments)])
    return urlunsplit(parts._replace(path=path if segments else parts.path))


def url_at(partner: Connection, endpoint: Endpoint, *segments: str) -> str:
    """Where something below one of a partner's endpoints is, as that partner writes URLs."""
    return partner.quirks.url(join_url(endpoint.url, *segments))


def encoded(segment: str) -> str:
    """Dots alone would lead somewhere else in the partner's paths, so they are encoded too."""
    return segment.replace(".", "%2E") if segment in {".", ".."} else quote(segment, safe="")


def with_query(url: str, params: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(params))))
    return urlunsplit(parts._replace(query=query))
