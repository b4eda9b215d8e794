"""An OCPI platform that does everything right, in every version, and can be made to do one wrong.

What others push is checked and kept, what it owns is listed page by page, tokens are handed out
and taken back. A ``Plant`` changes the answers to some requests: a fault for ``hub conformance``
to find. ``wrong`` names faults that are no matter of one answer, such as ``keeps token A``.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any, Self

import aiohttp
from aiohttp import web

from hub.conformance.subject import KNOWN
from hub.errors import InvalidRequest
from tests.helpers.documents_2_1_1 import own_document

JSON = dict[str, Any]
NOW = "2025-11-01T12:00:00Z"
KINDS = {
    "locations": "Location",
    "tariffs": "Tariff",
    "sessions": "Session",
    "cdrs": "CDR",
    "tokens": "Token",
}
PAGE = 50
COMMANDS = {
    "START_SESSION": "StartSession",
    "STOP_SESSION": "StopSession",
    "RESERVE_NOW": "ReserveNow",
    "CANCEL_RESERVATION": "CancelReservation",
    "UNLOCK_CONNECTOR": "UnlockConnector",
}
LOCATION_PARTS = {4: ("evses", "uid", "EVSE"), 5: ("connectors", "id", "Connector")}


@dataclass
class Reply:
    """An answer before it is written; ``text`` instead of the envelope, if given."""

    data: Any = None
    status_code: Any = 1000
    http_status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    envelope: JSON = field(default_factory=dict)
    content_type: str = "application/json"
    text: str | None = None

    def write(self) -> web.Response:
        body: JSON = {"status_code": self.status_code, "timestamp": NOW} | self.envelope
        if self.data is not None:
            body["data"] = self.data
        text = json.dumps(body) if self.text is None else self.text
        response = web.Response(status=self.http_status, headers=self.headers, text=text)
        response.headers["Content-Type"] = self.content_type
        return response


Change = Callable[[Reply, web.Request], Reply]


@dataclass(frozen=True)
class Plant:
    """``change`` is applied to answers where ``on`` is found in "GET /2.2.1/sender/tariffs?…"."""

    on: str
    change: Change


def refuse(status_code: int, http_status: int = 200) -> Reply:
    return Reply(status_code=status_code, http_status=http_status)


class Exemplary:
    """A CPO (NL*ONE) and an eMSP (DE*TWO) on one platform; 2.1.1 knows the CPO alone."""

    def __init__(
        self, version: str = "2.2.1", *, plant: Plant | None = None, wrong: str = ""
    ) -> None:
        self.version, self.plant, self.wrong = version, plant, wrong
        self.token_a = token_urlsafe(32)
        self.tokens: dict[str, str] = {self.token_a: "A"}
        self.own = {module: self.stock(module) for module in KINDS if self.owns(module)}
        if wrong == "is a hub without a party":
            self.own["hubclientinfo"] = []
        self.place = "ocpi" if wrong == "has no number in its URLs" else version
        self.kept: dict[tuple[str, ...], JSON] = {}
        self.posted: dict[str, JSON] = {}
        self.peer: JSON | None = None
        self.roles = [role("NL", "ONE", "CPO"), role("DE", "TWO", "EMSP")]
        self.requests: list[str] = []

    # Running.

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self.serve)
        self.runner = web.AppRunner(app, access_log=None)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        self.session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()
        await self.runner.cleanup()

    @property
    def versions_url(self) -> str:
        return f"{self.url}/versions"

    @property
    def old(self) -> bool:
        return self.version == "2.1.1"

    def registered(self) -> str:
        """A token that opens everything, as if somebody had registered."""
        token = token_urlsafe(32)
        self.tokens = {token: "C"}
        return token

    def owns(self, module: str) -> bool:
        return not (self.old and module == "tokens")

    def stock(self, module: str) -> list[JSON]:
        """Three objects, older and newer."""
        made = []
        for number in range(3):
            one = own_document(self.version, KINDS[module])
            name = "uid" if module == "tokens" else "id"
            made.append(one | {name: f"{one[name]}-{number}"})
            stamp = f"2025-0{number + 7}-01T08:00:00Z"
            made[-1]["last_updated"] = stamp
        return made

    # Serving.

    async def serve(self, request: web.Request) -> web.Response:
        line = f"{request.method} {request.path_qs}"
        self.requests.append(line)
        reply = await self.answer(request, [part for part in request.path.split("/") if part])
        if not self.old:
            for name in ("X-Request-ID", "X-Correlation-ID"):
                reply.headers.setdefault(name, request.headers.get(name, "?"))
            if "/sender/" in request.path or "/receiver/" in request.path:
                reply.headers |= swapped(request)
        if self.plant and re.search(self.plant.on, line):
            reply = self.plant.change(reply, request)
        return reply.write()

    async def answer(self, request: web.Request, path: list[str]) -> Reply:  # noqa: PLR0911
        kind = self.kind_of(request.headers.get("Authorization", ""))
        if kind is None:
            return refuse(2000, 401)
        text = await request.text()
        try:
            body = json.loads(text) if text.strip() else None
        except ValueError:
            return refuse(2000, 400)
        match path:
            case ["versions"]:
                return Reply([{"version": self.version, "url": f"{self.url}/{self.place}"}])
            case [self.place]:
                return Reply(self.details())
            case [self.place, "credentials"]:
                return await self.credentials(request.method, kind, body)
            case [self.place, *rest] if kind == "C" or self.wrong == "opens all with token A":
                return self.module(request, rest, body)
            case [self.place, *_]:
                return refuse(2000, 401)
        return refuse(2000, 404)

    def kind_of(self, header: str) -> str | None:
        value = header.removeprefix("Token ")
        if self.wrong == "knows any token" and value:
            return "C"
        if self.old == (self.wrong == "reads tokens in the other form"):
            try:
                value = base64.b64decode(value, validate=True).decode()
            except (binascii.Error, ValueError):
                return None
        return self.tokens.get(value)

    def details(self) -> JSON:
        endpoints = [{"identifier": "credentials", "role": "SENDER", "url": self.at("credentials")}]
        modules = {**KINDS, **self.own, "commands": "", "chargingprofiles": ""}
        if self.old:
            del modules["chargingprofiles"]
        for module in modules:
            for side in ("sender", "receiver"):
                url = self.at(module if self.old else f"{side}/{module}")
                endpoints.append({"identifier": module, "role": side.upper(), "url": url})
        if self.old:
            endpoints = [
                {name: one[name] for name in ("identifier", "url")}
                for one in endpoints
                if one["role"] == "SENDER"
            ]
        return {"version": self.version, "endpoints": endpoints}

    def at(self, path: str) -> str:
        return f"{self.url}/{self.place}/{path}"

    # Registering.

    async def credentials(self, method: str, kind: str, body: Any) -> Reply:
        registered = kind == "C"
        if method == "GET":
            [token] = [token for token, kept in self.tokens.items() if kept == kind][:1]
            return Reply(self.introduce(token))
        if method not in {"POST", "PUT", "DELETE"} or (method == "POST") == registered:
            return refuse(2000, 405)
        if method == "DELETE":
            if self.wrong != "stays after DELETE":
                self.tokens.clear()
            return Reply()
        if not self.valid("Credentials", body):
            return refuse(2001)
        if self.wrong != "does not call back" and (code := await self.look_at(body)) != 1000:
            return refuse(code)
        token = token_urlsafe(32)
        keeps = {"keeps token A": "POST", "never ends a token": "PUT"}.get(self.wrong) == method
        self.tokens = (self.tokens if keeps else {}) | {token: "C"}
        return Reply(self.introduce(token))

    def introduce(self, token: str) -> JSON:
        own = {"token": token, "url": self.versions_url}
        if self.old:
            one = {name: self.roles[0][name] for name in self.roles[0] if name != "role"}
            return own | one
        return own | {"roles": self.roles}

    async def look_at(self, body: JSON) -> int:
        """Read the other side's versions and endpoints with its token (CRED-12)."""
        try:
            versions = await self.fetch(body["url"], body["token"])
            urls = {one["version"]: one["url"] for one in versions}
            if self.version not in urls:
                return 3002
            details = await self.fetch(urls[self.version], body["token"])
        except (aiohttp.ClientError, KeyError, TypeError, ValueError):
            return 3001
        self.peer = {"token": body["token"], "endpoints": details["endpoints"]}
        return 1000

    async def fetch(self, url: str, token: str) -> Any:
        value = token if self.old else base64.b64encode(token.encode()).decode()
        if self.wrong == "writes tokens in the other form":
            value = base64.b64encode(token.encode()).decode() if self.old else token
        headers = {"Authorization": f"Token {value}"}
        if self.wrong != "sends no message ids":
            headers |= {"X-Request-ID": token_urlsafe(8), "X-Correlation-ID": token_urlsafe(8)}
        if self.wrong == "routes its handshake":
            headers |= {"OCPI-from-country-code": "NL", "OCPI-from-party-id": "ONE"}
        async with self.session.get(url, headers=headers) as response:
            answer = await response.json()
        if answer["status_code"] != 1000:
            raise ValueError(answer["status_code"])
        return answer["data"]

    # Modules.

    def module(self, request: web.Request, path: list[str], body: Any) -> Reply:
        side, module, *rest = path if not self.old else ["", *path]
        if side == "sender" or (self.old and self.owns(module) and module in KINDS):
            return self.send(request, module, rest, body)
        if module == "commands":
            return self.command(rest, body)
        if module == "chargingprofiles":
            if "response_url" not in (request.query if request.method != "PUT" else body or {}):
                return refuse(2001)
            return Reply({"result": "UNKNOWN_SESSION", "timeout": 30})
        if module == "cdrs":
            return self.record(request, rest, body)
        return self.receive(request.method, module, rest, body)

    def send(self, request: web.Request, module: str, path: list[str], body: Any) -> Reply:
        if module not in self.own:
            return refuse(2000, 404)
        if request.method == "POST" and module == "tokens" and path[1:] == ["authorize"]:
            return self.authorize(path[0])
        if request.method == "PUT" and module == "sessions":
            return refuse(2001, 404)
        if request.method != "GET":
            return refuse(2000, 405)
        if not path:
            return self.page(request, self.own[module])
        found = next((one for one in self.own[module] if one.get("id") == path[0]), None)
        for name, (members, key, _) in zip(path[1:], LOCATION_PARTS.values(), strict=False):
            found = next((one for one in (found or {}).get(members, []) if one[key] == name), None)
        return refuse(2003, 404) if found is None else Reply(found)

    def page(self, request: web.Request, objects: list[JSON]) -> Reply:
        query = {name: value for name, value in request.query.items() if name != self.ignored}
        careless = self.wrong == "lists sessions of all times"
        if "/sessions" in request.path and "date_from" not in request.query and not careless:
            return refuse(2001)
        if re.search(r"[^0-9TZ:.-]", request.query.get("date_from", "")):
            return refuse(2001)
        begin, end = query.get("date_from", "0"), query.get("date_to", "9")
        if self.wrong == "takes date_from for exclusive":
            begin += "~"
        if self.wrong == "takes date_to for inclusive":
            end += "~"
        found = [one for one in objects if begin <= one["last_updated"] < end]
        offset, limit = int(query.get("offset", 0)), min(int(query.get("limit", PAGE)), PAGE)
        headers = {"X-Total-Count": str(len(found)), "X-Limit": str(limit)}
        if offset + limit < len(found):
            url = request.url.update_query(offset=offset + limit, limit=limit)
            headers["Link"] = f'<{url}>; rel="next"'
        return Reply(deepcopy(found[offset : offset + limit]), headers=headers)

    @property
    def ignored(self) -> str:
        return self.wrong.partition("ignores ")[2]

    def authorize(self, uid: str) -> Reply:
        for token in self.own["tokens"]:
            if token["uid"] == uid:
                return Reply({"allowed": "ALLOWED", "token": token})
        return refuse(2004, 404)

    def command(self, path: list[str], body: Any) -> Reply:
        if not path or path[0] not in COMMANDS or not self.valid(COMMANDS[path[0]], body):
            return refuse(2001)
        timeout = {} if self.old else {"timeout": 30}
        known = {one["id"] for one in self.own["locations"]}
        if "location_id" in body and body["location_id"] not in known:
            return Reply({"result": "REJECTED"} | timeout, 2003)
        return Reply({"result": "UNKNOWN_SESSION"} | timeout)

    def record(self, request: web.Request, path: list[str], body: Any) -> Reply:
        """CDRs are posted, and read where the answer said."""
        if path and request.method == "GET":
            found = self.posted.get(path[0])
            return Reply(found) if found else refuse(2001, 404)
        if request.method != "POST" or path:
            return refuse(2000, 405)
        if not self.valid("CDR", body):
            return refuse(2001)
        known = self.posted.setdefault(body["id"], body)
        if known != body:
            return refuse(2001)
        return Reply(http_status=201, headers={"Location": f"{request.url}/{body['id']}"})

    def receive(self, method: str, module: str, path: list[str], body: Any) -> Reply:  # noqa: PLR0911
        """PUT, PATCH, GET and, for tariffs, DELETE of what others own."""
        if module not in KINDS or len(path) < 3 or len(path) > (5 if module == "locations" else 3):
            return refuse(2000, 404)
        allowed = {"tariffs": "GET PUT DELETE", "locations": "GET PUT PATCH"}
        if self.old:
            allowed["tariffs"] += " PATCH"
        if method not in allowed.get(module, "GET PUT PATCH").split():
            return refuse(2000, 405)
        key = (module, *path[:3])
        missing = refuse(2003 if module == "locations" else 2001, 404)
        if method in {"GET", "DELETE"} or (len(path) > 3 and key not in self.kept):
            found = part_of(self.kept.get(key), path)
            if method == "DELETE" and found:
                del self.kept[key]
            return missing if found is None else Reply(found if method == "GET" else None)
        kind = LOCATION_PARTS[len(path)][2] if len(path) > 3 else KINDS[module]
        if not self.valid(kind, body, partial=method == "PATCH") or contradicts(path, body, kind):
            return refuse(2001)
        if path[0:2] != ["NL", "TST"]:
            return refuse(2001, 404)
        known = part_of(self.kept.get(key), path)
        if method == "PATCH":
            return missing if known is None else self.change(key, path, merged(module, known, body))
        return self.change(key, path, body, http_status=201 if known is None else 200)

    def change(self, key: tuple[str, ...], path: list[str], body: JSON, **options: Any) -> Reply:
        put_part(self.kept, key, path, body)
        return Reply(**options)

    def valid(self, kind: str, body: Any, *, partial: bool = False) -> bool:
        if partial and isinstance(body, dict) and self.old:
            body = {"last_updated": NOW} | body
        try:
            KNOWN[self.version].check(kind, body, partial=partial)
        except InvalidRequest:
            return False
        return True


def role(country_code: str, party_id: str, name: str) -> JSON:
    return {
        "role": name,
        "country_code": country_code,
        "party_id": party_id,
        "business_details": {"name": "Exemplary"},
    }


def swapped(request: web.Request) -> dict[str, str]:
    """Whoever asked is answered, by whoever was asked."""
    turned = {"from": "to", "to": "from"}
    return {
        f"OCPI-{turned[direction]}-{part}": request.headers[f"OCPI-{direction}-{part}"]
        for direction in turned
        for part in ("country-code", "party-id")
        if f"OCPI-{direction}-{part}" in request.headers
    }


def contradicts(path: list[str], body: JSON, kind: str) -> bool:
    named = dict(zip(("country_code", "party_id"), path, strict=False))
    named["uid" if kind in {"Token", "EVSE"} else "id"] = path[-1]
    if len(path) > 3:
        named = {name: value for name, value in named.items() if name in {"id", "uid"}}
    return any(str(body.get(name, value)).upper() != value.upper() for name, value in named.items())


def part_of(found: Any, path: list[str]) -> Any:
    for name, (members, key, _) in zip(path[3:], LOCATION_PARTS.values(), strict=False):
        found = next((one for one in (found or {}).get(members, []) if one[key] == name), None)
    return found


def put_part(
    kept: dict[tuple[str, ...], JSON], key: tuple[str, ...], path: list[str], body: JSON
) -> None:
    """A part lifts last_updated of everything it is in (LOC-10)."""
    if len(path) == 3:
        kept[key] = body
        return
    above = kept[key]
    stamp = body.get("last_updated", NOW)
    for depth, name in enumerate(path[3:], start=4):
        members, id_name, _ = LOCATION_PARTS[depth]
        above["last_updated"] = max(above["last_updated"], stamp)
        parts = above.setdefault(members, [])
        index = next((i for i, one in enumerate(parts) if one[id_name] == name), len(parts))
        if depth == len(path):
            parts[index : index + 1] = [body]
        else:
            above = parts[index]


def merged(module: str, known: JSON, body: JSON) -> JSON:
    changed = known | body
    if module == "sessions" and body.get("charging_periods"):
        changed["charging_periods"] = [
            *(known.get("charging_periods") or []),
            *body["charging_periods"],
        ]
    return changed
