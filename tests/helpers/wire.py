"""What goes between a fake partner and the hub, in a form that tests can look at."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from tests.helpers.partner import FakePartner


@dataclass(frozen=True)
class Push:
    """A request the partner received. ``path`` is below its endpoints: ``tariffs/NL/ONE/T1``."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    query: Mapping[str, str]
    interface: str
    version: str
    url: str
    text: str = ""

    @property
    def module(self) -> str:
        return self.path.split("/", 1)[0]


# What the server of a fake partner knows: whose it is, and the request it is at.
PARTNER: web.AppKey["FakePartner"] = web.AppKey("partner")
PUSH: web.RequestKey[Push] = web.RequestKey("push", Push)


@dataclass(frozen=True)
class Answer:
    """What the hub answered. ``json`` is the envelope, or None where it was none."""

    http_status: int
    headers: Mapping[str, str]
    json: Any
    text: str

    @property
    def status_code(self) -> int | None:
        return self.json.get("status_code") if isinstance(self.json, dict) else None

    @property
    def data(self) -> Any:
        return self.json.get("data") if isinstance(self.json, dict) else None

    @property
    def message(self) -> str:
        return self.json.get("status_message", "") if isinstance(self.json, dict) else self.text

    @property
    def ok(self) -> bool:
        return self.http_status < 300 and self.status_code is not None and self.status_code < 2000


@dataclass
class Tokens:
    """Tokens on both sides of the connection, in the words of whoever reads a failing test.

    ``accepted`` are those the hub may use here, by kind: "A" only for registering, else "C".
    ``to_hub`` is the one we use at the hub.
    """

    accepted: dict[str, str] = field(default_factory=dict)
    to_hub: str | None = None
    # How we write the token, and the only way we understand it (None: either).
    form_sent: str = "base64"
    form_wanted: str | None = None
    # The one the hub shall use: when it does, older ones end.
    newest: str | None = None
    # A platform that forgets the old token as soon as it has given out a new one.
    forgetful: bool = False

    def header(self, token: str) -> str:
        raw = self.form_sent == "raw"
        return f"Token {token if raw else base64.b64encode(token.encode()).decode()}"

    def read(self, header: str) -> str | None:
        """The token in a header, if it is one that is accepted."""
        value = header.removeprefix("Token ")
        readings = {"base64": decoded(value), "raw": value}
        for form, token in readings.items():
            if token in self.accepted and self.form_wanted in {None, form}:
                return token
        return None

    def kind(self, header: str) -> str | None:
        """What the token in a header is: "A", "C" or unknown."""
        return self.accepted.get(self.read(header) or "")

    def used(self, header: str) -> None:
        """A functional request was made: with the newest token it ends the older ones."""
        if self.newest is not None and self.read(header) == self.newest:
            tokens = list(self.accepted)
            for older in tokens[: tokens.index(self.newest)]:
                del self.accepted[older]


PEER_TO_PEER = "2.1.1"
OWNED_BY_CPO = {"locations", "sessions", "cdrs", "tariffs"}


def interface_of(module: str, role: str) -> str:
    """In 2.1.1, where URLs do not say it: the interface that a platform in this role has."""
    return "SENDER" if (module in OWNED_BY_CPO) == (role == "CPO") else "RECEIVER"


def other_interface(interface: str) -> str:
    return "RECEIVER" if interface == "SENDER" else "SENDER"


def routing_headers(direction: str, party: Any) -> dict[str, str | None]:
    """``party``: None, "NL*ONE", ("NL", "ONE", …), a Party or a whole FakePartner."""
    if party is None:
        return {}
    if hasattr(party, "roles"):
        party = party.roles[0]
    elif isinstance(party, str):
        party = party.split("*")
    elif not isinstance(party, tuple | list):
        party = (party.country_code, party.party_id)
    return {f"OCPI-{direction}-country-code": party[0], f"OCPI-{direction}-party-id": party[1]}


def party_of(headers: Mapping[str, str], direction: str) -> tuple[str, str] | None:
    country_code = headers.get(f"OCPI-{direction}-country-code")
    party_id = headers.get(f"OCPI-{direction}-party-id")
    return (country_code, party_id) if country_code and party_id else None


def decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except ValueError:
        return ""


def read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
