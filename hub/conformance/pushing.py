"""Objects of ours on their way to the Receiver interfaces of a platform under test."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from hub.conformance import samples
from hub.conformance.caller import Exchange
from hub.conformance.subject import RECEIVER, NotChecked, Subject
from hub.models.values import Party, Role
from hub.ocpi.versions.base import Document


@dataclass(frozen=True)
class Kind:
    """``optional`` is a member that may be missing, ``changed`` what a PATCH changes in it."""

    name: str
    role: Role
    make: Callable[..., Document]
    optional: str
    changed: Any


KINDS = {
    "locations": Kind("Location", Role.CPO, samples.location, "name", "Changed"),
    "tariffs": Kind(
        "Tariff",
        Role.CPO,
        samples.tariff,
        "tariff_alt_text",
        [{"language": "en", "text": "Changed"}],
    ),
    "sessions": Kind("Session", Role.CPO, samples.session, "meter_id", "CHANGED"),
    "tokens": Kind("Token", Role.EMSP, samples.token, "visual_number", "CHANGED"),
}


@dataclass
class Pushed:
    """An object of ours on its way: ``body`` is what it is now."""

    module: str
    body: Document
    path: tuple[str, str, str]
    asked: Exchange | None = None

    @property
    def kind(self) -> Kind:
        return KINDS[self.module]

    @property
    def id(self) -> str:
        return self.path[2]


def pushable(subject: Subject, *modules: str) -> list[str]:
    """The modules whose objects we own and the platform receives."""
    subject.need_registration()
    found = [
        module
        for module in modules or KINDS
        if subject.serves(module, RECEIVER)
        and KINDS[module].role in subject.roles
        # Without interface roles it is the one or the other.
        and not (subject.is_old and module in subject.objects)
    ]
    if not found:
        raise NotChecked("it receives nothing that we could send in our roles")
    return found


def new(subject: Subject, module: str, *, party: Party | None = None) -> Pushed:
    """An object with an id that nobody has seen."""
    kind, owner = KINDS[module], party or subject.party
    name = f"{samples.PREFIX}-{uuid4().hex[:12]}"
    charged = [charged_token(subject)] if module == "sessions" else []
    document = kind.make(owner, name, *charged)
    body = samples.written(subject.number, kind.name, document, *charged)
    return Pushed(module, body, (owner.country_code, owner.party_id, name))


def charged_token(subject: Subject) -> Document:
    """A token for our sessions: one of the platform's own, so that they are of interest to it."""
    for token in subject.objects.get("tokens", []):
        if isinstance(token, dict) and "contract_id" in token:
            return token
        if isinstance(token, dict) and "auth_id" in token:
            known = {"uid": token["uid"], "contract_id": token["auth_id"]}
            return samples.token(subject.party, str(token["uid"])) | known
    theirs = next((party for party, role in subject.parties if role == Role.EMSP), None)
    owner = theirs if theirs and not subject.hub else subject.party
    return samples.token(owner, f"{samples.PREFIX}-TOKEN")


async def send(subject: Subject, pushed: Pushed, method: str, body: Any, *below: str) -> Exchange:
    return await subject.module(method, pushed.module, RECEIVER, *pushed.path, *below, body=body)


async def put(subject: Subject, pushed: Pushed, body: Document | None = None) -> Exchange:
    pushed.body = body or pushed.body
    pushed.asked = await send(subject, pushed, "PUT", pushed.body)
    return pushed.asked


async def kept(subject: Subject, *modules: str) -> AsyncIterator[Pushed]:
    """A new object of each kind, which the platform has accepted."""
    refused = []
    for module in pushable(subject, *modules):
        pushed = new(subject, module)
        if (await put(subject, pushed)).answer.ok:
            yield pushed
        else:
            refused.append(module)
    if refused:
        raise NotChecked(f"it refuses our {', '.join(refused)}")


async def read(subject: Subject, pushed: Pushed) -> Exchange:
    return await subject.module("GET", pushed.module, RECEIVER, *pushed.path)


def later(pushed: Pushed, **changes: Any) -> Document:
    """The object, changed since; ... leaves a member out."""
    changed = pushed.body | {"last_updated": samples.moment()} | changes
    return {name: value for name, value in changed.items() if value is not ...}


def patch(**changes: Any) -> Document:
    return {"last_updated": samples.moment()} | changes


def different(expected: Document, told: Any, *names: str) -> str:
    """What of an object was told otherwise; the receiver may know more."""
    if not isinstance(told, dict):
        return "no object"
    for name in names or expected:
        if name not in told:
            return f"{name} is missing"
        if told[name] != expected[name]:
            return f"{name}: {told[name]!r:.60} instead of {expected[name]!r:.60}"
    return ""
