"""What changed since a place in the feed, and how others are to be told of it.

Accepting a change writes the object and nothing per partner. Its row carries its place: the id of
the transaction that changed it last, and a number from a sequence. Every change sets both anew, so
an object that changes again moves to the end, and whoever is behind sees its latest state once.

Transactions do not commit in the order of their ids. A reader that took every committed row would
one day pass by a change that commits late with an older place, and never see it. Therefore only
*settled* places are read: those older than every transaction that still runs.

A ``Source`` is a stream of changes that partners follow, each with a cursor of its own. The list of
them is in ``sources``.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from sqlalchemy import Row, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import String

from hub.models.values import InterfaceRole, Party, Place
from hub.roaming.network.audience import Audience
from hub.roaming.network.partners import Connection

Addressees = list[tuple[Connection, Party]]


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Where an answer goes that was asked for: a platform, and the URL that it named.

    ``url`` is encrypted and bound to ``place``.
    """

    partner_id: UUID
    url: bytes
    place: str


@dataclass(frozen=True, slots=True)
class Change:
    """One object as it is now, and the request that tells of it.

    ``document`` is canonical JSON text, None for a DELETE; ``path`` comes below the receiver's
    endpoint. ``origin`` is the partner it came from: it does not go back there. ``parent`` is the
    location of an EVSE; ``after`` what the receiver must have taken before this. ``only`` are the
    parties that may have it, where not everybody may. ``reply_to`` is for what goes to one URL
    instead, within the conversation ``correlation``; ``path`` is then only what others have that
    go there as well. After ``expires_at`` nobody wants it any more. ``instead`` is the method and
    path for a receiver who has it already when it should be new, or has not when it should.
    ``withdraws``: a PATCH that takes back what the receiver may have had; who has not got it need
    not be told, and must not be told more.
    """

    place: Place
    ref: str
    kind: str
    owner: Party
    path: tuple[str, ...]
    document: str | None
    row_id: UUID
    method: str = "PUT"
    same_since: str = "2.3.0"
    origin: UUID | None = None
    broadcast: bool = True
    receiver: Party | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None
    after: str | None = None
    only: frozenset[Party] | None = None
    urgent: bool = False
    reply_to: ReplyTo | None = None
    correlation: str | None = None
    expires_at: datetime | None = None
    instead: tuple[str, tuple[str, ...]] | None = None
    withdraws: bool = False

    @property
    def takes_back(self) -> bool:
        """Whether a receiver that has no such object has what it should."""
        return self.withdraws or self.method == "DELETE"

    def is_news(self, place: Place, reached: Place) -> bool:
        """Whether a partner still has to be told: it is at ``place``, and was as far as ``reached``
        before it was put back.
        """
        return self.place > (max(place, reached) if self.withdraws else place)

    @property
    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at < datetime.now(UTC)

    @property
    def correlation_id(self) -> str:
        """The same on all legs of the fan-out, in every process and attempt (TRANSPORT-51)."""
        return self.correlation or correlation_of(self.row_id, self.place)


@lru_cache(maxsize=10_000)
def correlation_of(row_id: UUID, place: Place) -> str:
    """Kept for all partners that are told of a change."""
    return str(uuid5(row_id, f"{place.xid}-{place.seq}"))


class Stretch(NamedTuple):
    """A part of the feed: its changes, oldest first, and the place up to which it was read."""

    changes: list[Change]
    end: Place


Read = Callable[[AsyncSession, Place, Place, int], Awaitable[Stretch]]
Find = Callable[[AsyncSession, Sequence[str]], Awaitable[list[Change]]]
Settle = Callable[[AsyncSession, Sequence[UUID]], Awaitable[None]]


@dataclass(frozen=True)
class Source:
    """A stream of changes. ``name`` is what its cursors and setbacks are kept under.

    ``read`` gives the changes between two places, as many as asked for; ``find`` the present state
    of objects by their reference. ``tables`` are where its places are. ``endpoint`` is the module
    whose ``interface`` is told, None where every change says itself where it goes; ``routed``
    says that routing headers go with it. ``lane``: lower goes first where requests wait for each
    other. A ``record`` is owed until it is answered. ``urgent`` reads what must not wait behind the
    rest. ``settle`` writes down which rows were taken, where a cursor does not say enough. Partners
    that speak an older version than ``since`` are told nothing.
    """

    name: str
    read: Read
    find: Find
    addressees: Callable[[Audience, Change], Addressees]
    tables: tuple[str, ...]
    endpoint: str | None
    interface: InterfaceRole = InterfaceRole.RECEIVER
    since: str = "2.1.1"
    record: bool = False
    routed: bool = True
    lane: int = 2
    batch: int = 100
    urgent: Read | None = None
    settle: Settle | None = None

    def reaches(self, connection: Connection) -> bool:
        """Whether a partner is told of this source's changes at all."""
        if self.endpoint is None:
            return True
        agreed = connection.settings.supported_modules
        if connection.version is None or connection.version < self.since:
            return False
        return (agreed is None or self.endpoint in agreed) and connection.endpoint(
            self.endpoint, self.interface
        ) is not None


def reader(query: Any, tell: Callable[[Row[Any]], Change | None]) -> Read:
    """Reads what a statement finds between two places; ``tell`` makes changes of the rows."""

    async def read(db: AsyncSession, since: Place, until: Place, limit: int) -> Stretch:
        rows = (await db.execute(query, between(since, until, limit))).all()
        changes = [change for row in rows if (change := tell(row))]
        return Stretch(changes, place_of(rows[-1]) if len(rows) == limit else until)

    return read


def finder(query: Any, tell: Callable[[Row[Any]], Change | None]) -> Find:
    """Finds what a statement has for some keys."""

    async def find(db: AsyncSession, refs: Sequence[str]) -> list[Change]:
        rows = await db.execute(query, columns_of(map(key_of, refs), *KEY_PARTS))
        return [change for row in rows if (change := tell(row))]

    return find


# Pieces of the statements that read the feed. They are put together once, when the hub starts.

COLUMNS = (
    "{0}id, {0}partner_id, {0}country_code, {0}party_id, {0}object_key, {0}object_id,"
    " {0}document::text as document, {0}last_updated_text, {0}same_since, {0}broadcast, {0}for_us,"
    " {0}deleted_at, {0}changed_xid, {0}changed_seq"
)
BETWEEN = (
    "({0}changed_xid, {0}changed_seq) > (cast(:since_xid as xid8), cast(:since_seq as bigint))"
    " and ({0}changed_xid, {0}changed_seq) < (cast(:until_xid as xid8), cast(:until_seq as bigint))"
)
KEY_PARTS = ("countries", "parties", "keys")
IN_ORDER = "order by {0}changed_xid, {0}changed_seq limit :limit"


def between(since: Place, until: Place, limit: int) -> dict[str, int]:
    return {
        "since_xid": since.xid,
        "since_seq": since.seq,
        "until_xid": until.xid,
        "until_seq": until.seq,
        "limit": limit,
    }


def keyed(statement: str, *names: str) -> Any:
    """A statement with one array per part of the keys that it looks for."""
    return text(statement).bindparams(*(bindparam(name, type_=ARRAY(String())) for name in names))


def columns_of(keys: Iterable[tuple[str, ...]], *names: str) -> dict[str, list[str]]:
    wanted = list(keys)
    return {name: [key[part] for key in wanted] for part, name in enumerate(names)}


def place_of(row: Row[Any]) -> Place:
    return Place(row.changed_xid, row.changed_seq)


def owner_of(row: Row[Any]) -> Party:
    return Party(row.country_code, row.party_id)


def key_of(ref: str) -> tuple[str, str, str]:
    """Country code, party id and the rest of "CC/PID/KEY"."""
    country_code, party_id, key = ref.split("/", 2)
    return country_code, party_id, key
