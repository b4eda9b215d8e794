"""The platform under test: what it serves, what it says of itself, and what it has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.conformance.callbacks import Callbacks
from hub.conformance.caller import Caller, Exchange
from hub.models.values import Party, Role
from hub.ocpi.client import join_url, routing_headers
from hub.ocpi.versions import VERSIONS
from hub.ocpi.versions.base import Version
from hub.ocpi.versions.v2_1_1 import V2_1_1

KNOWN: Mapping[str, Version] = {**VERSIONS, V2_1_1.number: V2_1_1}
SENDER, RECEIVER = "SENDER", "RECEIVER"
CONFIGURATION = frozenset({"credentials", "versions", "hubclientinfo"})
UNAUTHORIZED = 401
OWN: Any = object()


class Unusable(Exception):
    """Nothing can be examined; the message says why."""


class NotChecked(Exception):
    """The check makes no sense here, or the platform has nothing to check; says why."""


@dataclass
class Subject:
    """``party`` is ours and ``roles`` what it plays; ``theirs`` is whom we speak to.

    ``token`` and ``form`` are what opens the platform at the moment, ``token_a`` what was given at
    the start. ``has_access``: whether the token opens functional modules.
    """

    caller: Caller
    versions_url: str
    token_a: str = field(repr=False)
    party: Party
    roles: tuple[Role, ...]
    routed: bool = False
    token: str | None = field(default=None, repr=False)
    form: str = "base64"
    version: Version = V2_1_1
    versions: Exchange | None = None
    details: Exchange | None = None
    details_url: str = ""
    endpoints: dict[tuple[str, str], str] = field(default_factory=dict)
    credentials: dict[str, Any] | None = None
    has_access: bool = False
    # Our own server, when something may be written.
    callbacks: Callbacks | None = None
    # What the lists of its Sender interfaces brought, and the exchanges that brought it.
    objects: dict[str, list[Any]] = field(default_factory=dict)
    pages: dict[str, list[Exchange]] = field(default_factory=dict)
    # Lists that brought no answer, and why.
    unanswered: dict[str, str] = field(default_factory=dict)
    # Exchanges that some check has found fault with already.
    blamed: set[Exchange] = field(default_factory=set)

    @property
    def number(self) -> str:
        return self.version.number

    @property
    def is_old(self) -> bool:
        """2.1.1: no interface roles, no message ids, no routing headers."""
        return self.number == V2_1_1.number

    # Asking.

    async def ask(
        self,
        method: str,
        url: str,
        *,
        token: str | None = OWN,
        form: str | None = None,
        functional: bool = False,
        body: Any = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        to: Party | None = OWN,
    ) -> Exchange:
        """``to`` is whom a functional request is addressed to, None for nobody in particular."""
        routing: dict[str, str] = {}
        if functional and self.routed and not self.is_old:
            receiver = self.theirs if to is OWN else to
            routing = routing_headers("from", self.party) | routing_headers("to", receiver)
        return await self.caller.ask(
            method,
            url,
            token=self.token if token is OWN else token,
            form=form or self.form,
            functional=functional,
            body=body,
            params=params,
            headers=routing | dict(headers or {}),
        )

    async def get(self, url: str, **options: Any) -> Exchange:
        return await self.ask("GET", url, **options)

    async def module(
        self, method: str, module: str, side: str, *segments: str, **options: Any
    ) -> Exchange:
        """A request to an interface of a module."""
        options.setdefault("functional", module not in CONFIGURATION)
        url = join_url(self.endpoints[module, side], *segments)
        return await self.ask(method, url, **options)

    @property
    def server(self) -> Callbacks:
        if self.callbacks is None:
            raise NotChecked("nothing may be written")
        return self.callbacks

    def is_registered(self) -> bool:
        """Whether it gave us another token than the one we began with."""
        return self.token != self.token_a

    def need_registration(self) -> None:
        if not self.is_registered():
            raise NotChecked("the platform did not register us")

    # What it serves.

    def serves(self, module: str, side: str) -> bool:
        return (module, side) in self.endpoints

    def lists(self) -> list[str]:
        """Modules whose lists were read."""
        return list(self.objects)

    async def discover(self, wanted: str | None) -> None:
        """Read versions and details, as far as they can be read at all. Raises ``Unusable``."""
        self.token = self.token_a
        self.versions = await self.knock()
        offered = {
            one["version"]: one["url"]
            for one in members(self.versions.data, "versions")
            if isinstance(one.get("version"), str) and isinstance(one.get("url"), str)
        }
        known = [number for number in KNOWN if number in offered and wanted in {None, number}]
        if not known:
            listed = ", ".join(map(str, offered)) or self.versions.told
            raise Unusable(f"It offers no version that can be examined ({listed}).")
        self.version = KNOWN[known[0]]
        if self.is_old:
            # One party in one role for each registration (HUB-06).
            self.roles = self.roles[:1]
        self.details_url = offered[self.number]
        self.details = await self.get(self.details_url)
        self.endpoints = self.read_endpoints(self.details.data)
        if not self.endpoints:
            raise Unusable(f"{self.details.request} brought no endpoints: {self.details.told}.")

    async def knock(self) -> Exchange:
        """The first request: nobody knows yet how the platform wants the token (TRANSPORT-35)."""
        for form in sorted(("base64", "raw"), key=lambda form: form != self.form):
            self.form = form
            asked = await self.get(self.versions_url)
            if asked.answer.http_status != UNAUTHORIZED:
                return asked
        raise Unusable(f"It does not know the token: {asked.told.rstrip('.')}.")

    def read_endpoints(self, data: Any) -> dict[tuple[str, str], str]:
        """In 2.1.1 an endpoint has no role: it is taken for both, and asking shows which."""
        found: dict[tuple[str, str], str] = {}
        for one in members(data, "endpoints"):
            identifier, url, role = one.get("identifier"), one.get("url"), one.get("role")
            if not isinstance(identifier, str) or not isinstance(url, str):
                continue
            identifier = identifier.lower()
            sides = [role] if isinstance(role, str) else [SENDER, RECEIVER]
            for side in [SENDER] if identifier == "credentials" else sides:
                found.setdefault((identifier, side), url)
        return found

    # What it says of itself.

    @property
    def parties(self) -> list[tuple[Party, str]]:
        """Its parties and their roles, as far as its credentials told."""
        told = self.credentials or {}
        entries = told.get("roles") if "roles" in told else [told]
        return [
            (Party.of(one["country_code"], one["party_id"]), str(one.get("role", "")))
            for one in members(entries)
            if isinstance(one.get("country_code"), str) and isinstance(one.get("party_id"), str)
        ]

    @property
    def hub(self) -> Party | None:
        """The party of a hub, if the platform is one."""
        named = (self.credentials or {}).get("hub_party_id")
        if isinstance(named, str) and len(named) == len("NLHUB"):
            return Party.of(named[:2], named[2:])
        return next((party for party, role in self.parties if role == Role.HUB), None)

    @property
    def theirs(self) -> Party | None:
        """Whom requests are addressed to: a hub decides by itself, else it is the only party."""
        if self.hub or not self.parties:
            return None
        return self.parties[0][0]


def members(data: Any, name: str = "") -> list[dict[str, Any]]:
    """The objects of a list, which may lie in an object or alone in another list."""
    if isinstance(data, list) and len(data) == 1 and isinstance(data[0], dict) and name in data[0]:
        data = data[0]
    if isinstance(data, dict):
        data = data.get(name)
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
