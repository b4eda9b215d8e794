"""A small OCPI server of our own, for the platform under test to call.

It serves what a partner must serve to be registered with, keeps every request that came, and can be
told to fail, because a platform has to cope with that.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from aiohttp import web

from hub.ocpi.envelope import now

MODULES = (
    "locations",
    "tariffs",
    "sessions",
    "cdrs",
    "tokens",
    "commands",
    "chargingprofiles",
)
NEVER_LISTED = "2.0"
ENTITY_LIMIT = 16 * 1024 * 1024


class Mode(StrEnum):
    """How versions are answered."""

    WELL = "WELL"
    FAILING = "FAILING"
    WITHOUT_THE_VERSION = "WITHOUT_THE_VERSION"


@dataclass(frozen=True)
class Call:
    """A request of the platform; ``form`` is how it wrote the token, ``failing`` our answer."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    form: str
    failing: bool = False

    @property
    def functional(self) -> bool:
        return "/sender/" in self.path or "/receiver/" in self.path

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Callbacks:
    """``public_url`` is where the platform reaches it; by default where it listens."""

    host: str = "127.0.0.1"
    port: int = 0
    public_url: str = ""
    version: str = "2.2.1"
    # What the platform has to show; and the credentials that it is shown.
    tokens: set[str] = field(default_factory=set)
    mode: Mode = Mode.WELL
    calls: list[Call] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=ENTITY_LIMIT)
        app.router.add_route("*", "/{path:.*}", self.serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()
        address = self._runner.addresses[0]
        self.port = int(address[1])
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        self.public_url = (self.public_url or f"http://{shown}:{self.port}").rstrip("/")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def versions_url(self) -> str:
        return f"{self.public_url}/versions"

    def since(self, mark: int) -> list[Call]:
        """The calls after so many."""
        return self.calls[mark:]

    async def serve(self, request: web.Request) -> web.Response:
        token, form = self.read_token(request.headers.get("Authorization", ""))
        body = read_json(await request.text())
        failing = self.mode is not Mode.WELL
        call = Call(request.method, request.path, request.headers, body, form, failing)
        self.calls.append(call)
        http_status, status_code, data = (
            self.answer(call) if token in self.tokens else (401, 2000, None)
        )
        answer = {"status_code": status_code, "timestamp": now()}
        headers = echoed(request.headers)
        if isinstance(data, list):
            headers |= {"X-Total-Count": str(len(data)), "X-Limit": "50"}
        if data is not None:
            answer["data"] = data
        return web.json_response(answer, status=http_status, headers=headers)

    def read_token(self, header: str) -> tuple[str, str]:
        """The token and in which form it came; raw is what is no Base64 of a token of ours."""
        value = header.removeprefix("Token ").strip()
        try:
            decoded = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError):
            return value, "raw"
        return (decoded, "base64") if decoded in self.tokens else (value, "raw")

    def answer(self, call: Call) -> tuple[int, int, Any]:
        path = [part for part in call.path.split("/") if part]
        match path[-len(path) :]:
            case ["versions"] if self.mode is Mode.FAILING:
                return 200, 3000, None
            case ["versions"]:
                number = NEVER_LISTED if self.mode is Mode.WITHOUT_THE_VERSION else self.version
                return 200, 1000, [{"version": number, "url": f"{self.public_url}/{number}"}]
            case [_]:
                return 200, 1000, self.details()
            case [_, "sender", _] | [_, _] if call.method == "GET":
                return 200, 1000, []
        if call.method == "GET":
            return 404, 2001, None
        return 200, 1000, None

    def details(self) -> Any:
        credentials = {"identifier": "credentials", "role": "SENDER", "url": self.at("credentials")}
        if self.version == "2.1.1":
            listed = [{"identifier": name, "url": self.at(name)} for name in MODULES[:-1]]
            del credentials["role"]
        else:
            listed = [
                {"identifier": name, "role": role, "url": self.at(f"{role.lower()}/{name}")}
                for name in MODULES
                for role in ("SENDER", "RECEIVER")
            ]
            url = self.at("receiver/hubclientinfo")
            listed.append({"identifier": "hubclientinfo", "role": "RECEIVER", "url": url})
        return {"version": self.version, "endpoints": [credentials, *listed]}

    def at(self, path: str) -> str:
        return f"{self.public_url}/{self.version}/{path}"


def echoed(headers: Mapping[str, str]) -> dict[str, str]:
    """Message ids as they came, routing headers swapped."""
    turned = {"from": "to", "to": "from"}
    answer = {
        name: headers[name] for name in ("X-Request-ID", "X-Correlation-ID") if name in headers
    }
    for direction, other in turned.items():
        for part in ("country-code", "party-id"):
            if value := headers.get(f"OCPI-{direction}-{part}"):
                answer[f"OCPI-{other}-{part}"] = value
    return answer


def read_json(text: str) -> Any:
    try:
        return json.loads(text) if text.strip() else None
    except ValueError:
        return None
