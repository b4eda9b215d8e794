"""One request of OCPI as a row: what an interface table says of it, in a form code can read.

Routing, validation, forwarding, translation and the OpenAPI documents all read these rows, so that
a request is described once. ``endpoint`` names the function that serves it from the hub's own
store. The rows are in ``operations``.
"""

from dataclasses import dataclass
from typing import Any, Literal

from hub.models.values import InterfaceRole

SENDER, RECEIVER = InterfaceRole.SENDER, InterfaceRole.RECEIVER


@dataclass(frozen=True)
class CallsBack:
    """What tells a request whose result comes later, at a URL that it names (HUB-40).

    ``url_in``: where its ``response_url`` is. ``command``: what the hub's records call it, "" for
    the last segment of its path. ``result``: the OCPI class of the result.
    """

    url_in: Literal["body", "query"]
    command: str
    result: str


@dataclass(frozen=True)
class Operation:
    """One method on one path of one module's interface.

    ``path`` is relative to the module's endpoint. ``body`` and ``answer`` are OCPI class names
    (None: nothing is defined); ``words`` are what stands in place of an object where the answer is
    a word, the same in all versions (TRANSPORT-70); ``many`` marks a paged list; ``partial`` a
    PATCH. ``since`` is the oldest OCPI version that knows it, ``only`` limits it to one.
    ``calls_back`` is there for a request whose result comes later; ``timeout`` is the setting that
    limits a forwarded call; ``params`` are numbers that its query must name. ``unsupported`` is how
    the module itself says that a receiver cannot do it; where it has no words for that, it is an
    error (HUB-50, HUB-54). ``objects`` says what it is about where a module has several kinds of
    objects. ``keeps``: when it was passed on and went well, the hub keeps what was sent, or the
    answer (passed.py). ``failed`` is how it says that a request could not be passed on, to callers
    whose version has no code for that (BRIDGE-07). ``custom``: of a module that the hub knows
    nothing of (custom.py). Not ``routed``: of a Configuration Module, which has no routing headers
    (HUB-12).
    """

    module: str
    interface: InterfaceRole
    method: str
    path: str
    endpoint: str
    body: str | None = None
    answer: str | None = None
    words: tuple[str, ...] = ()
    many: bool = False
    partial: bool = False
    body_optional: bool = False
    since: str = "2.1.1"
    only: str | None = None
    calls_back: CallsBack | None = None
    timeout: str = "forward_timeout"
    params: tuple[str, ...] = ()
    unsupported: Any = None
    objects: str = ""
    keeps: Literal["body", "answer"] | None = None
    failed: Any = None
    custom: bool = False
    routed: bool = True

    @property
    def name(self) -> str:
        """Unique and readable: ``receiver.locations.put /{country_code}/…``."""
        return f"{self.interface.lower()}.{self.module}.{self.method.lower()} {self.path}"

    @property
    def kept_as(self) -> str:
        """The name of its objects in ``roaming.modules``, if the hub keeps them."""
        return self.objects or self.module

    @property
    def reads(self) -> bool:
        return self.method == "GET"

    @property
    def asks_for_theirs(self) -> bool:
        """Whether the answer is the receiver's to give: its objects, its word on a token."""
        authorizes = self.answer == "AuthorizationInfo"
        return self.interface is SENDER and (self.reads or authorizes) and not self.custom

    def is_in(self, version: str) -> bool:
        return self.since <= version and self.only in {None, version}


def lists(
    module: str, kind: str, path: str = "", *, objects: str = "", since: str = "2.1.1"
) -> Operation:
    return Operation(
        module,
        SENDER,
        "GET",
        path,
        "list_objects",
        answer=kind,
        many=True,
        objects=objects,
        since=since,
    )


PARTY = "/{country_code}/{party_id}"
OWNED = PARTY + "/{id}"


def owned(
    module: str,
    kind: str,
    methods: str,
    path: str = OWNED,
    endpoint: str = "object",
    *,
    objects: str = "",
    keeps: Literal["body"] | None = None,
    since: str = "2.1.1",
    only: str | None = None,
) -> tuple[Operation, ...]:
    """The Receiver interface of a client-owned object (MOD-01)."""
    return tuple(
        Operation(
            module,
            RECEIVER,
            method,
            path,
            f"{method.lower()}_{endpoint}",
            body=kind if method in {"PUT", "PATCH"} else None,
            answer=kind if method == "GET" else None,
            partial=method == "PATCH",
            objects=objects,
            keeps=None if method == "GET" else keeps,
            since=since,
            only=only,
        )
        for method in methods.split()
    )


def custom(module: str, interface: InterfaceRole, method: str) -> Operation:
    """A request of a module that no row above tells of."""
    return Operation(module, interface, method, "", "", since="2.2.1", custom=True)
