"""The end of a source's feed, kept in memory and shared by all partners near it.

Partners are not all equally fast, but mostly they are near the end. So the last changes are kept as
they were read, each with its renderings: one query and one rendering per OCPI version, and then the
same bytes to everybody. An object that changes again leaves its old place here as it does in the
database, so whoever is a little behind gets its latest state once. Whoever is further behind reads
from the database until it is near enough.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.models.values import Place
from hub.ocpi import translation
from hub.ocpi.translation import Item
from hub.ocpi.versions import VERSIONS
from hub.ocpi.versions.base import Loss, NotExpressible
from hub.roaming.feed.changes import Change
from hub.roaming.store.losses import Lost
from hub.roaming.store.losses import Place as PlaceOfLoss

LONGEST = 500


@dataclass
class Message:
    """A change, and what it looks like in each version.

    ``held`` is the place up to which the document is known to hold what is below it: a location was
    put together from its EVSEs later than it changed itself.
    """

    change: Change
    held: Place
    bodies: dict[str, bytes | NotExpressible | None] = field(default_factory=dict)
    losses: dict[str, list[Loss]] = field(default_factory=dict)
    paths: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def body(self, number: str) -> bytes | None:
        """The bytes for a version, written once. Raises NotExpressible; None for a DELETE."""
        if number not in self.bodies:
            self.bodies[number] = self.render(number)
        body = self.bodies[number]
        if isinstance(body, NotExpressible):
            raise body
        return body

    def lost(self, source: str, number: str) -> Lost | None:
        """What was left out in a version; None if it has not been translated."""
        if number not in self.losses:
            return None
        body = self.bodies[number]
        error = body if isinstance(body, NotExpressible) else None
        place = PlaceOfLoss(source, self.change.ref, number)
        return Lost(place, translation.parts_of(self.losses[number], error))

    def path(self, number: str) -> tuple[str, ...]:
        """Below the receiver's endpoint, with the ids that it knows."""
        return self.paths.get(number, self.change.path)

    def params(self, number: str) -> Mapping[str, str] | None:
        """The query, where the version has one."""
        return None if VERSIONS[number].peer_to_peer else self.change.params or None

    def render(self, number: str) -> bytes | NotExpressible | None:
        assert not VERSIONS[number].peer_to_peer, "it must be prepared"
        text = self.change.document
        if text is None:
            return None
        if self.change.same_since <= number:
            return text.encode()
        losses: list[Loss] = []
        try:
            document = VERSIONS[number].downgrade(self.change.kind, codec.read_stored(text), losses)
            body: bytes | NotExpressible = codec.write(document)
        except NotExpressible as error:
            body = error
        self.losses[number] = losses
        return body


def messages(changes: Iterable[Change], until: Place) -> list[Message]:
    """Changes that were read when everything before ``until`` was settled."""
    return [Message(change, until) for change in changes]


# Of what the id is that follows the owner in a path.
NAMED_IN_PATH = {
    "Location": "locations",
    "EVSE": "locations",
    "Tariff": "tariffs",
    "Session": "sessions",
}
PLACE_OF_ID = 2


async def prepare(db: AsyncSession, found: Iterable[Message], number: str) -> None:
    """Render what takes looking up, which must be done before it is on its way."""
    version = VERSIONS[number]
    if not version.peer_to_peer:
        return
    waiting = list({id(one): one for one in found if number not in one.bodies}.values())
    items = [item_of(message.change) for message in waiting]
    for message, item, written in zip(
        waiting, items, await translation.write(db, version, items), strict=True
    ):
        body = None if written.body is None else codec.write(written.body)
        message.bodies[number] = written.error or body
        message.losses[number] = written.losses
        path = list(message.change.path)
        for name in item.names:
            path[PLACE_OF_ID] = written.names.get(name, path[PLACE_OF_ID])
        message.paths[number] = tuple(path)


def item_of(change: Change) -> Item:
    document = None if change.document is None else codec.read_stored(change.document)
    kind = NAMED_IN_PATH.get(change.kind)
    names = ((kind, change.path[PLACE_OF_ID]),) if kind else ()
    return Item(change.kind, document, change.owner, names, partial=change.method == "PATCH")


class Window:
    """The changes in (start, end], the latest of each object, in the order of their places."""

    def __init__(self, start: Place) -> None:
        self.start = self.end = start
        # By reference; what takes an object back is beside the object.
        self._messages: dict[tuple[str, bool], Message] = {}

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, found: Iterable[Message], end: Place) -> None:
        for message in found:
            change = message.change
            key = (change.ref, change.withdraws)
            if change.kind == "Location" and not change.withdraws:
                self._forget_parts(change)
            self._messages.pop(key, None)
            self._messages[key] = message
        self.end = max(end, self.end)
        while len(self._messages) > LONGEST:
            oldest = next(iter(self._messages))
            self.start = self._messages.pop(oldest).change.place

    def since(self, place: Place) -> list[Message]:
        """What changed after a place, which must not be before ``start``. Oldest first."""
        return list(reversed(list(self._newer(place))))

    def clear(self) -> None:
        """Nobody near the end needs what is here."""
        self._messages.clear()
        self.start = self.end

    def _newer(self, place: Place) -> Iterator[Message]:
        for message in reversed(self._messages.values()):
            if message.change.place <= place:
                return
            yield message

    def _forget_parts(self, location: Change) -> None:
        """The location was read whole just now: it says all that was to be told of its EVSEs, and
        if everybody may see it, nothing of it is taken back any more.
        """
        published = location.only is None
        told = [
            key
            for key, message in self._messages.items()
            if location.ref in {message.change.parent, message.change.ref}
            and (published if message.change.withdraws else message.change.parent is not None)
        ]
        for key in told:
            del self._messages[key]
