"""A partner's OCPI platform, small enough to hold in a test: a real server and a real client.

It speaks OCPI and nothing else, keeps what the hub pushes to it, answers like a well-behaved
platform and can be told to misbehave (``faults``):

    async with FakePartner("NL*ONE CPO", "NL*TWO EMSP", versions=("2.2.1",)) as cpo:
        await cpo.register(versions_url, token_a)          # they call the hub …
        versions_url, token_a = cpo.invite()               # … or the hub calls them
        answer = await cpo.put("tariffs/NL/ONE/T1", tariff(version="2.2.1"))
        assert answer.status_code == 1000
        [push] = cpo.received
"""

import asyncio
import json
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.helpers import partner_server, servers
from tests.helpers.faults import Fault, unavailable
from tests.helpers.wire import (
    PEER_TO_PEER,
    Answer,
    Push,
    Tokens,
    interface_of,
    other_interface,
    party_of,
    read_json,
    routing_headers,
)

CONFIGURATION_MODULES = {"credentials", "versions", "hubclientinfo"}
OWN: Any = object()


@dataclass
class FailurePlan:
    fault: Fault
    on: str
    times: int | None

    def applies(self, request: web.Request) -> bool:
        line = f"{request.method} {request.path.removeprefix('/ocpi/')}"
        return self.times != 0 and re.search(self.on, line) is not None


class FakePartner:
    """One platform. ``roles`` are written ``NL*ONE CPO``; the first is who speaks by default."""

    def __init__(self, *roles: str, versions: tuple[str, ...] = ("2.2.1",), name: str = "") -> None:
        self.roles = [tuple(re.split(r"[* ]", role)) for role in roles or ("NL*ONE CPO",)]
        self.name = name or f"{roles[0] if roles else 'NL*ONE'} platform"
        self.versions = versions
        self.version: str | None = None
        self.hub_party_id: str | None = None
        self.tokens = Tokens()
        if versions == (PEER_TO_PEER,):
            self.tokens.form_sent = self.tokens.form_wanted = "raw"
        # Where the hub serves what, from its version details: (module, interface) -> URL.
        self.endpoints: dict[tuple[str, str], str] = {}
        self.hub_credentials: dict[str, Any] | None = None
        # All requests; of these: what came to our Receiver interfaces, HubClientInfo, results.
        self.requests: list[Push] = []
        self.received: list[Push] = []
        self.client_info: list[Push] = []
        self.commands: list[Push] = []
        self.results: list[Push] = []
        # What the hub pushed, by path ("tariffs/NL/ONE/T1"), and what we own, by module.
        self.objects: dict[str, Any] = {}
        self.own: dict[str, list[Any]] = defaultdict(list)
        # What is ours as well, and answered when asked for by itself, but in no list.
        self.unlisted: dict[str, list[Any]] = defaultdict(list)
        self.page_limit = 50
        # Answers by token uid; anything else is looked up in ``own["tokens"]``.
        self.authorizations: dict[str, Any] = {}
        # Answers booking requests: the Booking for a BookingRequest.
        self.book: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        self.command_response: dict[str, Any] = {"result": "ACCEPTED", "timeout": 30}
        # Quirks seen in the field.
        self.trailing_slash = False
        self.wraps_in_list = False
        self.registered_status = 200
        self.takes_put_with_token_a = False
        self.without_modules: set[tuple[str, str]] = set()
        # Modules of its own; what comes there is answered by ``fail(faults.answer(...))``.
        self.more_modules: set[tuple[str, str]] = set()
        self.endpoint_changes: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] | None = None
        self.plans: list[FailurePlan] = []
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._changed = asyncio.Event()
        self.port = 0

    async def start(self) -> Self:
        self._session = aiohttp.ClientSession(
            trust_env=False, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=True
        )
        await self.listen()
        return self

    async def stop(self) -> None:
        await self.stop_listening()
        if self._session:
            await self._session.close()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def listen(self) -> None:
        """Serve, on the same port as before if there was one."""
        app = partner_server.make_app(self)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop_listening(self) -> None:
        """From now on connections are refused."""
        if self._runner:
            await servers.close(self._runner)
            self._runner = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ocpi"

    @property
    def versions_url(self) -> str:
        return self.base_url + "/versions" + ("/" if self.trailing_slash else "")

    def fail(self, fault: Fault, *, on: str = "", times: int | None = None) -> None:
        """Misbehave where ``on`` is found in "PUT 2.2.1/receiver/tariffs/…", so many times."""
        self.plans.append(FailurePlan(fault, on, times))

    def heal(self) -> None:
        self.plans.clear()

    @property
    def away(self) -> bool:
        return bool(self.plans)

    @away.setter
    def away(self, away: bool) -> None:
        self.heal()
        if away:
            self.fail(unavailable())

    @property
    def handshakes(self) -> list[Push]:
        """The requests about versions and credentials."""
        return [request for request in self.requests if not request.interface]

    def note(self, push: Push) -> None:
        self.requests.append(push)
        self._changed.set()

    async def until(self, condition: Callable[["FakePartner"], object], within: float = 10) -> None:
        """Wait until something is true of this partner; looked at whenever a request comes in."""
        async with asyncio.timeout(within):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

    # The client side: handshakes.

    def invite(self, token: str | None = None) -> tuple[str, str]:
        """A versions URL and a token A, as an operator would hand them to the hub."""
        token = token or token_urlsafe(32)
        self.tokens.accepted[token] = "A"
        return self.versions_url, token

    def credentials(self, token: str, *, version: str | None = None) -> dict[str, Any]:
        """Our credentials object, as this version writes it."""
        body: dict[str, Any] = {"token": token, "url": self.versions_url}
        if version == PEER_TO_PEER:
            country_code, party_id, _ = self.roles[0]
            return body | {
                "country_code": country_code,
                "party_id": party_id,
                "business_details": {"name": self.name},
            }
        if self.hub_party_id:
            body["hub_party_id"] = self.hub_party_id
        return body | {
            "roles": [
                {
                    "role": role,
                    "country_code": country_code,
                    "party_id": party_id,
                    "business_details": {"name": self.name},
                }
                for country_code, party_id, role in self.roles
            ]
        }

    async def register(
        self, versions_url: str, token_a: str, *, version: str | None = None, **changes: Any
    ) -> Answer:
        """The handshake in which we call the hub; ``changes`` are members to send instead."""
        return await self._exchange("POST", versions_url, token_a, version, changes)

    async def renew(
        self, versions_url: str, *, version: str | None = None, **changes: Any
    ) -> Answer:
        """PUT new credentials; on another version's endpoint it is a change of version."""
        assert self.tokens.to_hub, "not registered"
        return await self._exchange("PUT", versions_url, self.tokens.to_hub, version, changes)

    async def unregister(self) -> Answer:
        return await self.call("DELETE", self.endpoints["credentials", "SENDER"])

    async def _exchange(
        self,
        method: str,
        versions_url: str,
        token: str,
        version: str | None,
        changes: dict[str, Any],
    ) -> Answer:
        endpoints, version = await self.discover(versions_url, token, version)
        new = token_urlsafe(32)
        self.tokens.accepted[new] = "C"
        body = self.credentials(new, version=version) | changes
        answer = await self.call(
            method, endpoints["credentials", "SENDER"], body=body, token=token, routed=False
        )
        if not answer.ok:
            self.tokens.accepted.pop(new, None)
            return answer
        self.adopt(answer.data, endpoints, version, keep=new)
        return answer

    def adopt(
        self,
        credentials: dict[str, Any],
        endpoints: dict[tuple[str, str], str],
        version: str,
        *,
        keep: str,
    ) -> None:
        """The other side agreed: its token is the one to use, ours the only one it may use."""
        self.tokens.to_hub = credentials["token"]
        self.tokens.accepted, self.tokens.newest = {keep: "C"}, keep
        self.hub_credentials, self.endpoints, self.version = credentials, endpoints, version

    async def discover(
        self, versions_url: str, token: str, version: str | None = None
    ) -> tuple[dict[tuple[str, str], str], str]:
        """What the hub serves: its endpoints in a version, by default the newest both know."""
        versions = await self.call("GET", versions_url, token=token, routed=False)
        if not versions.ok:
            raise HandshakeError(versions)
        offered = {entry["version"]: entry["url"] for entry in versions.data}
        version = version or max(set(offered) & set(self.versions))
        details = await self.call("GET", offered[version], token=token, routed=False)
        if not details.ok:
            raise HandshakeError(details)
        return {
            (endpoint["identifier"], self.hub_interface(endpoint)): endpoint["url"]
            for endpoint in details.data["endpoints"]
        }, version

    def hub_interface(self, endpoint: dict[str, Any]) -> str:
        """What an endpoint of the hub is to us; 2.1.1 does not say, for there it is the other."""
        if "role" in endpoint or endpoint["identifier"] == "credentials":
            return str(endpoint.get("role", "SENDER"))
        return other_interface(interface_of(endpoint["identifier"], self.roles[0][2]))

    # The client side: requests to the hub.

    async def get(self, path: str, **options: Any) -> Answer:
        return await self._module_call("GET", path, options)

    async def put(self, path: str, body: Any, **options: Any) -> Answer:
        return await self._module_call("PUT", path, options | {"body": body})

    async def patch(self, path: str, body: Any, **options: Any) -> Answer:
        return await self._module_call("PATCH", path, options | {"body": body})

    async def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self._module_call("POST", path, options | {"body": body})

    async def delete(self, path: str, **options: Any) -> Answer:
        return await self._module_call("DELETE", path, options)

    async def _module_call(self, method: str, path: str, options: dict[str, Any]) -> Answer:
        """Call ``module/…`` at the hub; a full URL (``Link``, ``Location``) is taken as it is.

        ``side`` is the interface, by default the one the method is for; ``to`` a party or partner.
        """
        side = options.pop("side", None) or default_side(method, path)
        module, _, rest = path.partition("/")
        options.setdefault("routed", module not in CONFIGURATION_MODULES)
        if path.startswith("http"):
            return await self.call(method, path, **options)
        endpoint = self.endpoints[module, side].rstrip("/")
        return await self.call(method, f"{endpoint}/{rest}" if rest else endpoint, **options)

    async def call(
        self,
        method: str,
        url: str,
        *,
        body: Any = None,
        token: str | None = None,
        to: Any = None,
        from_: Any = OWN,
        routed: bool = True,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Answer:
        """One request. ``body`` may be bytes, to send what is not JSON.

        ``from_=None`` leaves the sender out; headers given as None are not sent.
        """
        assert self._session, "not started"
        token = token or self.tokens.to_hub
        sent: dict[str, str | None] = {
            "X-Request-ID": str(uuid.uuid4()),
            "X-Correlation-ID": str(uuid.uuid4()),
            "Authorization": self.tokens.header(token) if token else None,
        }
        if self.version == PEER_TO_PEER:
            sent = {"Authorization": sent["Authorization"]}
        elif routed:
            sender = self.roles[0] if from_ is OWN else from_
            sent |= routing_headers("from", sender) | routing_headers("to", to)
        if body is not None:
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        async with self._session.request(
            method,
            url,
            data=body if isinstance(body, bytes) or body is None else json.dumps(body).encode(),
            headers={name: value for name, value in sent.items() if value is not None},
            params=params,
            allow_redirects=False,
        ) as response:
            text = await response.text()
            return Answer(response.status, response.headers, read_json(text), text)

    async def send_result(self, command: Push, result: str = "ACCEPTED", **options: Any) -> Answer:
        """Report a command's outcome to the URL it came with, as the CPO that was asked."""
        options.setdefault("to", party_of(command.headers, "from"))
        body = {"result": result} | options.pop("more", {})
        url = command.query.get("response_url") or command.body["response_url"]
        return await self.call("POST", url, body=body, **options)

    def response_url(self, name: str, module: str = "commands") -> str:
        """Where results of our own commands should be sent; they end up in ``results``."""
        place = module if self.version == PEER_TO_PEER else f"sender/{module}"
        return f"{self.base_url}/{self.version}/{place}/{name}/{token_urlsafe(8)}"


class HandshakeError(Exception):
    """The hub would not even tell its versions."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"HTTP {answer.http_status}: {answer.text[:300]}")
        self.answer = answer


def default_side(method: str, path: str) -> str:
    """GET, real-time authorization and preferences go to data owners; the rest to receivers."""
    return (
        "SENDER"
        if method == "GET" or re.search(r"/(authorize|charging_preferences)$|^credentials", path)
        else "RECEIVER"
    )
