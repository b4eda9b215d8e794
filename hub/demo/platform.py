"""A simulated OCPI 2.2.1 platform: a real HTTP server and client that speak nothing but OCPI.

It knows of the hub what any partner knows: a versions URL and a token. What it is told it keeps, as
a receiver of every module; what it owns it answers for, as their sender. It behaves well: it tries
again when nobody answers, and slows down when it is asked to.
"""

import asyncio
import base64
import binascii
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from yarl import URL

JSON = dict[str, Any]

VERSION = "2.2.1"
SENDERS = ("locations", "tariffs", "sessions", "cdrs", "tokens")
HTTP_AWAY = (408, 425, 429, 500, 502, 503, 504)
# Seconds: for how long, and how often, a request is tried that nobody answers.
PATIENCE = 120.0
PAUSE = 0.5


@dataclass(frozen=True)
class Hop:
    """One request and its answer, as the platform saw it."""

    caller: str
    called: str
    method: str
    path: str
    http_status: int | None
    status_code: int | None
    message: str
    milliseconds: float


@dataclass(frozen=True)
class Answer:
    http_status: int
    status_code: int | None
    message: str
    data: Any

    @property
    def ok(self) -> bool:
        return self.status_code is not None and 1000 <= self.status_code < 2000  # noqa: PLR2004


@dataclass
class Platform:
    """``kept`` is what it was told, ``own`` what it answers for: by module and path."""

    name: str
    role: str
    # As NL*DCP. A platform can host many.
    parties: list[str]
    on_hop: Callable[[Hop], None]
    kept: dict[tuple[str, str], JSON] = field(default_factory=dict)
    own: dict[tuple[str, str], JSON] = field(default_factory=dict)
    # How often each record came. A hub delivers at least once; a repeat must be harmless.
    records: dict[str, int] = field(default_factory=dict)
    # Sessions as they went, by path; results of commands, by the id in the URL they came to.
    courses: dict[str, list[JSON]] = field(default_factory=dict)
    results: dict[str, JSON] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    url: str = ""

    async def start(self) -> None:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self.serve)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        host, port = self.runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self.session = ClientSession(timeout=ClientTimeout(total=30))
        self.hub: dict[tuple[str, str], str] = {}
        self.token_to_send = ""
        self.changed = asyncio.Event()

    async def stop(self) -> None:
        await self.session.close()
        await self.runner.cleanup()

    # What others ask of it.

    async def serve(self, request: web.Request) -> web.Response:
        began = time.perf_counter()
        http_status, status_code, message, data = await self.answer(request)
        body: JSON = {"status_code": status_code, "status_message": message, "timestamp": now()}
        if data is not None:
            body["data"] = data
        path = request.path.removeprefix(f"/{VERSION}/").lstrip("/")
        hop = Hop("hub", self.name, request.method, path, http_status, status_code, message, 0)
        self.on_hop(timed(hop, began))
        self.changed.set()
        return web.json_response(body, status=http_status)

    async def answer(self, request: web.Request) -> tuple[int, int, str, Any]:
        if not self.knows(request.headers.get("Authorization", "")):
            return 401, 2000, "Unknown token", None
        body = await request.json() if request.can_read_body else None
        match [unquote(part) for part in request.rel_url.raw_path.split("/") if part]:
            case ["versions"]:
                found = ok([{"version": VERSION, "url": f"{self.url}/{VERSION}"}])
            case [_]:
                found = ok(self.details())
            case [_, "credentials"]:
                found = await self.credentials(request.method, body)
            case [_, "sender", "tokens", uid, "authorize"]:
                found = ok({"allowed": "ALLOWED", "token": self.token(uid)})
            case [_, "sender", "commands", command_id] if body is not None:
                self.results[command_id] = body
                found = ok(None)
            case [_, "sender", module, *rest]:
                found = self.find(module, "/".join(rest))
            case [_, "receiver", module, *rest]:
                found = self.receive(request.method, module, rest, body)
            case _:
                found = (404, 2000, "There is nothing here", None)
        return found

    def knows(self, header: str) -> bool:
        scheme, _, value = header.partition(" ")
        try:
            token = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            return False
        return scheme == "Token" and token in self.tokens

    def details(self) -> JSON:
        endpoints = [{"identifier": "credentials", "role": "SENDER", "url": self.at("credentials")}]
        for module in SENDERS:
            endpoints += [
                {"identifier": module, "role": role, "url": self.at(f"{role.lower()}/{module}")}
                for role in ("SENDER", "RECEIVER")
            ]
        return {"version": VERSION, "endpoints": endpoints}

    def at(self, path: str) -> str:
        return f"{self.url}/{VERSION}/{path}"

    async def credentials(self, method: str, body: Any) -> tuple[int, int, str, Any]:
        """The hub registers here, renews, or leaves."""
        if method in {"POST", "PUT"}:
            self.token_to_send = body["token"]
            await self.discover(body["url"])
            self.tokens = {secrets.token_urlsafe(32)}
        elif method == "DELETE":
            self.tokens = set()
            return ok(None)
        return ok(self.introduce())

    def introduce(self) -> JSON:
        roles = [
            {
                "role": self.role,
                "country_code": party[:2],
                "party_id": party[3:],
                "business_details": {"name": self.name},
            }
            for party in self.parties
        ]
        [token] = self.tokens
        return {"token": token, "url": f"{self.url}/versions", "roles": roles}

    def token(self, uid: str) -> Any:
        return next((body for (_, path), body in self.own.items() if path.endswith(uid)), None)

    def find(self, module: str, path: str) -> tuple[int, int, str, Any]:
        if not path:
            return ok([body for (of, _), body in self.own.items() if of == module])
        found = [b for (of, p), b in self.own.items() if of == module and p.endswith(f"/{path}")]
        return ok(found[0]) if found else (404, 2000, "Unknown object", None)

    def receive(
        self, method: str, module: str, path: list[str], body: Any
    ) -> tuple[int, int, str, Any]:
        """Keep what is pushed. A part of a location is put into it."""
        if method == "POST":
            return self.receive_record(module, body)
        key = (module, "/".join(path[:3]))
        if method == "DELETE":
            self.kept.pop(key, None)
        elif method == "PUT" and len(path) == 3:  # noqa: PLR2004 - country, party, id
            self.kept[key] = body
            if module == "sessions":
                self.courses.setdefault(key[1], []).append(body)
        elif method == "PUT" and key in self.kept:
            put_evse(self.kept[key], path[3], body)
        else:
            found = self.kept.get(key)
            return ok(found) if found and method == "GET" else (404, 2003, "Unknown object", None)
        return ok(None)

    def receive_record(self, module: str, body: JSON) -> tuple[int, int, str, Any]:
        path = f"{body['country_code']}/{body['party_id']}/{body['id']}"
        self.records[path] = self.records.get(path, 0) + 1
        self.kept.setdefault((module, path), body)
        return ok(None)

    # What it does of its own accord.

    async def register(self, versions_url: str, token: str) -> Answer:
        """With the token A that the hub's operator gave it."""
        self.token_to_send = token
        self.tokens = {secrets.token_urlsafe(32)}
        await self.discover(versions_url)
        answer = await self.call("POST", self.hub["credentials", "SENDER"], self.introduce())
        if answer.ok:
            self.token_to_send = answer.data["token"]
        return answer

    async def discover(self, versions_url: str) -> None:
        versions = await self.call("GET", versions_url)
        url = next(one["url"] for one in versions.data if one["version"] == VERSION)
        details = await self.call("GET", url)
        self.hub = {
            (one["identifier"], one["role"]): one["url"] for one in details.data["endpoints"]
        }

    async def push(self, method: str, module: str, path: tuple[str, ...], body: Any) -> Answer:
        """Tell the hub of an object of its own; the path is empty for a record."""
        owner = path[:2] or (body["country_code"], body["party_id"])
        url = "/".join([self.hub[module, "RECEIVER"], *(quote(part, safe="") for part in path)])
        return await self.call(method, url, body, speaker="*".join(owner))

    async def ask(self, module: str, path: str, speaker: str, body: Any = None) -> Answer:
        """Ask whoever owns an object, in the name of one of its parties."""
        return await self.call("POST", f"{self.hub[module, 'SENDER']}/{path}", body, speaker)

    async def command(self, name: str, body: JSON) -> tuple[Answer, str]:
        """Ask for a command; its result comes later, under the id that is returned."""
        command_id = secrets.token_hex(8)
        url = f"{self.hub['commands', 'RECEIVER']}/{name}"
        response_url = self.at(f"sender/commands/{command_id}")
        answer = await self.call(
            "POST", url, {"response_url": response_url, **body}, self.parties[0]
        )
        return answer, command_id

    async def call(self, method: str, url: str, body: Any = None, speaker: str = "") -> Answer:
        """One request, repeated while nobody answers it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            answer, pause = await self.attempt(method, url, body, self.headers(speaker))
            if answer is not None:
                return answer
            if time.monotonic() > deadline:
                raise TimeoutError(f"Nobody answers {method} {url}.")
            await asyncio.sleep(pause)

    def headers(self, speaker: str) -> dict[str, str]:
        """``speaker`` is the party that speaks, for what has routing headers (Open Routing)."""
        token = base64.b64encode(self.token_to_send.encode()).decode()
        headers = {
            "Authorization": f"Token {token}",
            "X-Request-ID": secrets.token_hex(8),
            "X-Correlation-ID": secrets.token_hex(8),
        }
        if speaker:
            headers["OCPI-from-country-code"] = speaker[:2]
            headers["OCPI-from-party-id"] = speaker[3:]
        return headers

    async def attempt(
        self, method: str, url: str, body: Any, headers: dict[str, str]
    ) -> tuple[Answer | None, float]:
        began = time.perf_counter()
        path = url.partition(f"/{VERSION}/")[2] or url.partition("/ocpi/")[2] or url
        hop = Hop(self.name, "hub", method, path, None, None, "", 0)
        try:
            target = URL(url, encoded=True)
            async with self.session.request(method, target, json=body, headers=headers) as response:
                status, retry_after = response.status, response.headers.get("Retry-After", "")
                said = await response.json(content_type=None)
        except (ClientError, TimeoutError, ValueError) as error:
            self.on_hop(timed(hop, began, message=type(error).__name__))
            return None, PAUSE
        said = said if isinstance(said, dict) else {}
        answer = Answer(
            status, said.get("status_code"), said.get("status_message", ""), said.get("data")
        )
        self.on_hop(timed(hop, began, status, answer.status_code, answer.message))
        if status in HTTP_AWAY:
            return None, float(retry_after) if retry_after.isdigit() else PAUSE
        return answer, 0


def ok(data: Any) -> tuple[int, int, str, Any]:
    return 200, 1000, "Success", data


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def timed(
    hop: Hop,
    began: float,
    http_status: int | None = None,
    status_code: int | None = None,
    message: str | None = None,
) -> Hop:
    return Hop(
        hop.caller,
        hop.called,
        hop.method,
        hop.path,
        http_status or hop.http_status,
        status_code or hop.status_code,
        hop.message if message is None else message,
        (time.perf_counter() - began) * 1000,
    )


def put_evse(location: JSON, uid: str, evse: JSON) -> None:
    """A location is never older than what is in it (OCPI 2.2.1, Locations)."""
    others = location.get("evses") or []
    kept = [evse if one["uid"] == uid else one for one in others]
    location["evses"] = kept if evse in kept else [*kept, evse]
    location["last_updated"] = max(location["last_updated"], evse["last_updated"])
