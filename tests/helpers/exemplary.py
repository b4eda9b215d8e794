"""An OCPI platform that does everything right, in every version, and can be made to do one wrong.

What others push is checked and kept, what it owns is listed page by page, tokens are handed out
and taken back. A ``Plant`` changes the answers to some requests: a fault for ``hub conformance``
to find. ``wrong`` names faults that are no matter of one answer, such as ``keeps token A``.
"""

import base64
import binascii
import json
import re
from copy import deepcopy
from secrets import token_urlsafe
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.helpers import servers
from tests.helpers.documents_2_1_1 import own_document
from tests.helpers.receiver import KINDS, LOCATION_PARTS, Receiver
from tests.helpers.replies import JSON, Plant, Reply, party_in, refuse, swapped

PAGE = 50


class Exemplary:
    """A CPO (NL*ONE) and an eMSP (DE*TWO) on one platform.

    2.1.1 knows one party, the CPO, or with ``emsp`` the eMSP. With ``hub`` it is a hub in whose
    name all of that is done, to the extent that one platform can tell.
    """

    def __init__(
        self,
        version: str = "2.2.1",
        *,
        plant: Plant | None = None,
        wrong: str = "",
        emsp: bool = False,
        hub: bool = False,
    ) -> None:
        self.version, self.plant, self.wrong = version, plant, wrong
        self.emsp, self.hub = emsp, hub
        self.token_a = token_urlsafe(32)
        self.tokens: dict[str, str] = {self.token_a: "A"}
        self.own = {module: self.stock(module) for module in KINDS if self.owns(module)}
        if wrong == "is a hub without a party":
            self.own["hubclientinfo"] = []
        self.place = "ocpi" if wrong == "has no number in its URLs" else version
        self.receiver = Receiver(version, wrong)
        self.receiver.locations = {one["id"] for one in self.own.get("locations", [])} or {"L1-0"}
        self.peer: JSON | None = None
        self.roles = [role("NL", "ONE", "CPO"), role("DE", "TWO", "EMSP")]
        if hub and version == "2.2.1":
            self.roles = [role("NL", "HUB", "HUB")]
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
        await servers.close(self.runner)

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
        return not self.old or (module == "tokens") == self.emsp

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
        if not self.receiver.valid("Credentials", body):
            return refuse(2001)
        code = 1000 if self.wrong == f"does not look at {method}" else await self.look_at(body)
        if code != 1000 and self.wrong != f"does not care about {method}":
            if self.wrong == "forgets all when a PUT fails" and method == "PUT":
                self.tokens.clear()
            return refuse(code)
        token = token_urlsafe(32)
        if self.wrong == "keeps its token" and method == "PUT":
            [token] = self.tokens
        self.tokens = (self.tokens if self.wrong == "keeps token A" else {}) | {token: "C"}
        return Reply(self.introduce(token))

    def introduce(self, token: str) -> JSON:
        own = {"token": token, "url": self.versions_url}
        if self.old:
            told = self.roles[1 if self.emsp else 0]
            return own | {name: told[name] for name in told if name != "role"}
        named = {"hub_party_id": "NLHUB"} if self.hub and self.version == "2.3.0" else {}
        return own | named | {"roles": self.roles}

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
        if self.hub and (refused := self.route(request)):
            return refused
        side, module, *rest = path if not self.old else ["", *path]
        if side == "sender" or (self.old and self.owns(module) and module in KINDS):
            return self.send(request, module, rest, body)
        return self.receiver.receive(request, module, rest, body)

    def route(self, request: web.Request) -> Reply | None:
        """Who may speak, and to whom."""
        to, from_ = party_in(request, "to"), party_in(request, "from")
        if None in to and to != (None, None):
            return None if self.wrong == "takes half an address" else refuse(2001)
        if from_ != ("NL", "TST") and self.wrong != "lets anybody speak":
            return refuse(2001, 403)
        if to in {(None, None), ("NL", "HUB")} or self.wrong == "knows everybody":
            return refuse(2001) if self.wrong == "has no GET ALL" and to[1] else None
        return refuse(4001)

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


def role(country_code: str, party_id: str, name: str) -> JSON:
    return {
        "role": name,
        "country_code": country_code,
        "party_id": party_id,
        "business_details": {"name": "Exemplary"},
    }
