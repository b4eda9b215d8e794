"""One request to the platform under test, and everything that was said in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from hub import codec
from hub.ocpi.client import Answer, with_query
from hub.ocpi.outbound import Outbound, Response
from hub.security import authorization


@dataclass(frozen=True, eq=False)
class Exchange:
    """A request and its answer. ``functional``: of a module that is routed between parties."""

    method: str
    url: str
    sent: Mapping[str, str] = field(repr=False)
    functional: bool
    answer: Answer

    @property
    def request(self) -> str:
        return f"{self.method} {self.url}"

    @property
    def told(self) -> str:
        """The answer in one line."""
        return self.answer.reason

    @property
    def data(self) -> Any:
        return self.answer.data


class Caller:
    """Every request has ids of its own; all exchanges are kept, for the rules about all of them."""

    def __init__(self, outbound: Outbound, *, timeout: float) -> None:
        self.outbound = outbound
        self.timeout = timeout
        self.exchanges: list[Exchange] = []

    async def ask(
        self,
        method: str,
        url: str,
        *,
        token: str | None,
        form: str,
        functional: bool = False,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Exchange:
        """Raises ``Refused`` or ``Unreachable``. ``body`` may be bytes, to send what is no JSON."""
        url = with_query(url, params) if params else url
        sent = {
            "X-Request-ID": str(uuid4()),
            "X-Correlation-ID": str(uuid4()),
            "Accept": "application/json",
            **({} if token is None else {"Authorization": authorization(token, form)}),
            **({} if body is None else {"Content-Type": "application/json"}),
            **(headers or {}),
        }
        content = body if isinstance(body, bytes) or body is None else codec.write(body)
        response = await self.request(method, url, sent, content)
        answer = Answer(response.status, response.headers, response.content)
        exchange = Exchange(method, url, sent, functional, answer)
        self.exchanges.append(exchange)
        return exchange

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Response:
        return await self.outbound.request(
            method, url, headers=headers, body=body, timeout=self.timeout, pool="platform"
        )
