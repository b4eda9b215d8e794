"""Versions of OCPI: each reads and writes what its partners send and expect.

The hub thinks in 2.3.0; a *document* is an object in that form, a *body* the same on somebody's
wire. Versions form a ladder: ``upgrade`` climbs it rung by rung, ``downgrade`` descends. A rung is
a pair of pure functions for every class that differs; what has none is the same on both sides.

    Translators touch only what differs and tolerate absent members and nulls, so they serve PATCH.
    They never change what they are given, and return the very same object when nothing differs.
    What the older version cannot express is left out and recorded as a ``Loss``; an object that
    would say something wrong without it is ``NotExpressible``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.errors import InvalidRequest
from hub.models.values import Party, Role
from hub.ocpi.schemas import compiled
from hub.ocpi.schemas.objects import Object

Document = dict[str, Any]


@dataclass(frozen=True)
class Loss:
    """Something that could not be carried over: where it was in the object, and why."""

    path: str
    reason: str


class NotExpressible(Exception):
    """The object must not be sent in this version: it would say something else.

    ``later``: it can be sent once more is known than now.
    """

    def __init__(self, reason: str, *, later: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.later = later


@dataclass(frozen=True)
class Known:
    """What an older version leaves out of its objects, looked up by the caller.

    ``owner`` is whose object it is, ``receiver`` who issued the token of a session or CDR.
    ``token`` and ``location`` are the canonical documents that it means, ``tariffs`` those of its
    connectors by id in capitals. ``role`` is the partner's. What is not known is None: the
    translator does without or says that it cannot.
    """

    owner: Party | None = None
    receiver: Party | None = None
    role: Role | None = None
    token: Document | None = None
    location: Document | None = None
    session_id: str | None = None
    tariffs: Mapping[str, Document] = field(default_factory=dict)
    reservation_number: int | None = None
    time_zone: str | None = None
    now: datetime | None = None


NOTHING = Known()


@dataclass(frozen=True)
class Errand:
    """One translation: what is known, what was lost, and whether the object is only part of one."""

    losses: list[Loss]
    known: Known = NOTHING
    partial: bool = False


class Trail:
    """Where in an object a translator is.

    There is one for every part of every object, so a path is put together only where it is needed.
    """

    __slots__ = ("above", "errand", "step")

    def __init__(self, errand: Errand, above: "Trail | None" = None, step: str | int = "") -> None:
        self.errand = errand
        self.above = above
        self.step = step

    def at(self, step: str | int) -> "Trail":
        return Trail(self.errand, self, step)

    @property
    def known(self) -> Known:
        return self.errand.known

    @property
    def partial(self) -> bool:
        return self.errand.partial

    @property
    def path(self) -> str:
        before = self.above.path if self.above else ""
        return f"{before}/{self.step}" if before else str(self.step)

    def lose(self, reason: str) -> None:
        self.errand.losses.append(Loss(self.path, reason))


Translate = Callable[[Document, Trail], Document]


def unchanged(document: Document, trail: Trail) -> Document:
    return document


@dataclass(frozen=True)
class Version:
    """``peer_to_peer`` versions know two platforms and nobody between them: one party and role on
    each side, no routing headers, no interfaces in URLs, objects that do not say whose they are. To
    translate those takes what is ``Known``. ``token_form`` is how a token is written in a header,
    ``codes`` what is said instead of status codes that the version does not have.
    """

    number: str
    schemas: Mapping[str, type[Object]]
    newer: "Version | None" = None
    upgrades: Mapping[str, Translate] = field(default_factory=dict)
    downgrades: Mapping[str, Translate] = field(default_factory=dict)
    peer_to_peer: bool = False
    token_form: str = "base64"  # noqa: S105 - the form, not the token
    codes: Mapping[int, int] = field(default_factory=dict)

    def code(self, status_code: int) -> int:
        """A status code as this version says it (BRIDGE-07)."""
        return self.codes.get(status_code, status_code)

    def check(self, kind: str, body: Any, *, partial: bool = False) -> None:
        """Raise InvalidRequest, naming field and rule, unless the body is valid in this version."""
        compiled.check(self.schema(kind), body, partial=partial)

    def read(
        self,
        kind: str,
        body: Any,
        losses: list[Loss] | None = None,
        *,
        partial: bool = False,
        known: Known = NOTHING,
    ) -> Document:
        """Check what a partner sent and return it in canonical form."""
        exact = compiled.check(self.schema(kind), body, partial=partial)
        return self.upgrade(kind, exact, losses, partial=partial, known=known)

    def upgrade(
        self,
        kind: str,
        body: Document,
        losses: list[Loss] | None = None,
        *,
        partial: bool = False,
        known: Known = NOTHING,
    ) -> Document:
        if self.newer is None:
            return body
        losses = [] if losses is None else losses
        translate = self.upgrades.get(kind, unchanged)
        newer = translate(body, Trail(Errand(losses, known, partial)))
        return self.newer.upgrade(kind, newer, losses, partial=partial, known=known)

    def downgrade(
        self,
        kind: str,
        document: Document,
        losses: list[Loss] | None = None,
        *,
        partial: bool = False,
        known: Known = NOTHING,
    ) -> Document:
        """The document as this version says it. Raises NotExpressible where it cannot be said."""
        if self.newer is None:
            return document
        losses = [] if losses is None else losses
        newer = self.newer.downgrade(kind, document, losses, partial=partial, known=known)
        translate = self.downgrades.get(kind, unchanged)
        return translate(newer, Trail(Errand(losses, known, partial)))

    def schema(self, kind: str) -> type[Object]:
        schema = self.schemas.get(kind)
        if schema is None:
            raise InvalidRequest(f"OCPI {self.number} has no {kind}.")
        return schema
