"""Between a partner's version and the canonical form, with what must be looked up for it.

``Version.read`` and ``Version.downgrade`` are enough for versions that say everything. 2.1.1 does
not (``Known``), and what it calls things may not be what everybody calls them (``aliases``). Here
both are looked up, for many objects at a time, in the caller's transaction.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from hub.db import Database
from hub.models.values import Party
from hub.ocpi.versions.base import NOTHING, Document, Known, Loss, NotExpressible, Version
from hub.ocpi.versions.names_2_1_1 import names_in, renamed
from hub.ocpi.versions.ownership_2_1_1 import OWNED_BY_CPO
from hub.roaming.network.partners import Connection
from hub.roaming.store import aliases, lookups
from hub.roaming.store.aliases import CONTRACTS, EVSES, RESERVATIONS, TOKENS, Name
from hub.roaming.store.lookups import Contract
from hub.roaming.store.losses import Parts

OF_LOCATIONS = frozenset({"Location", "EVSE", "Connector"})
WITH_CONTRACT = frozenset({"Session", "CDR"})
# As what an object's own id is known.
OWN_ID = {"Location": "locations", "Tariff": "tariffs", "Session": "sessions"}
# These name locations and sessions of the one, and a token of the other.
COMMANDS = frozenset({"StartSession", "ReserveNow", "StopSession", "UnlockConnector"})
TAKEN = NotExpressible("another object has its id, and this version does not say whose it is")

log = structlog.get_logger()

Names = dict[tuple[str, str], str]


@asynccontextmanager
async def looking_up(
    database: Database, tenant_id: UUID, *versions: Version
) -> AsyncIterator[AsyncSession | None]:
    """A transaction to look things up in, if one of the versions leaves something out."""
    if not any(version.peer_to_peer for version in versions):
        yield None
        return
    async with database.transaction(tenant_id) as db:
        yield db


@dataclass(frozen=True)
class Item:
    """Something to be written: a canonical document, and whose it is or whose location it names.

    ``names`` are what is named beside it, as in a URL, by module and id. ``partial``: only what
    changes of it, as in a PATCH.
    """

    kind: str
    document: Document | None
    owner: Party
    names: tuple[tuple[str, str], ...] = ()
    partial: bool = False


@dataclass
class Written:
    """How a version says it, or why it cannot. ``losses`` are what was left out, ``names`` what
    things are called, by kind and canonical id.
    """

    body: Document | None = None
    losses: list[Loss] = field(default_factory=list)
    names: Names = field(default_factory=dict)
    error: NotExpressible | None = None

    @property
    def parts(self) -> Parts:
        """What was left out, as it is kept."""
        return parts_of(self.losses, self.error)

    def get(self) -> Document:
        """The body. Raises NotExpressible."""
        if self.error is not None:
            raise self.error
        assert self.body is not None
        return self.body

    def called(self) -> Names:
        """What things are called. Raises NotExpressible."""
        if self.error is not None:
            raise self.error
        return self.names


async def write(
    db: AsyncSession | None, version: Version, items: Sequence[Item], *, reader: Party | None = None
) -> list[Written]:
    """Objects as a version says them. ``reader`` is who gets them, if that may be their owner."""
    if not version.peer_to_peer:
        return [say(version, item, NOTHING) for item in items]
    assert db is not None
    known = await known_for(db, items)
    written = [say(version, item, what) for item, what in zip(items, known, strict=True)]
    await rename(db, list(zip(items, written, strict=True)), reader)
    return written


def parts_of(losses: Iterable[Loss], error: NotExpressible | None = None) -> Parts:
    """Losses as they are kept; what cannot be said at all has no part that can."""
    if error is not None:
        return (("", error.reason),)
    return tuple((loss.path, loss.reason) for loss in losses)


def say(version: Version, item: Item, known: Known) -> Written:
    losses: list[Loss] = []
    if item.document is None:
        return Written()
    try:
        body = version.downgrade(
            item.kind, item.document, losses, partial=item.partial, known=known
        )
    except NotExpressible as error:
        return Written(losses=losses, error=error)
    except Exception:
        # Our own mistake with one object must not hold up all that are written with it.
        log.exception("object could not be written", kind=item.kind, version=version.number)
        return Written(losses=losses, error=NotExpressible("the hub itself failed to write it"))
    return Written(body, losses)


async def known_for(db: AsyncSession, items: Sequence[Item]) -> list[Known]:
    """What the objects mean: the location of a session, the tariffs of a connector."""
    wanted = [(item.owner, place_of(item)) for item in items]
    locations = await lookups.locations(db, {(owner, id_) for owner, id_ in wanted if id_})
    around = [(i.owner, i.document) for i in items if i.kind in OF_LOCATIONS and i.document]
    around += [(owner, location) for (owner, _), location in locations.items()]
    tariffs = await lookups.tariffs(
        db, {(owner, tariff_id) for owner, place in around for tariff_id in tariff_ids(place)}
    )
    by_owner: dict[Party, dict[str, Document]] = {}
    for (owner, key), tariff in tariffs.items():
        by_owner.setdefault(owner, {})[key] = tariff
    numbers = await aliases.told(db, {name for item in items if (name := reservation(item))})
    now = datetime.now(UTC)
    return [
        Known(
            owner=owner,
            location=locations.get((owner, (id_ or "").upper())),
            tariffs=by_owner.get(owner, {}),
            reservation_number=int(numbers[name]) if (name := reservation(item)) else None,
            now=now,
        )
        for item, (owner, id_) in zip(items, wanted, strict=True)
    ]


def reservation(item: Item) -> Name | None:
    """The reservation that is asked for; who asks for it is who issued the token."""
    document, issuer = item.document or {}, issuer_of(item)
    if item.kind != "ReserveNow" or issuer is None:
        return None
    return Name(RESERVATIONS, issuer, document["reservation_id"])


def place_of(item: Item) -> str | None:
    """The id of the location where a session or CDR was."""
    document = item.document or {}
    if item.kind == "CDR":
        return (document.get("cdr_location") or {}).get("id")
    return document.get("location_id") if item.kind == "Session" else None


def tariff_ids(place: Document) -> Iterable[str]:
    """Of a location, an EVSE or a connector."""
    for part in ("evses", "connectors"):
        for below in place.get(part) or ():
            yield from tariff_ids(below)
    yield from place.get("tariff_ids") or ()


async def rename(
    db: AsyncSession, pairs: Sequence[tuple[Item, Written]], reader: Party | None
) -> None:
    """Call things what the reader calls them; of two tokens with one uid, only one can be said."""
    named = [(item, written, names_of(item, written.body)) for item, written in pairs]
    own, others = set[Name](), set[Name]()
    for item, _, names in named:
        for name in names:
            is_own = name.owner == (reader or presumed_reader(item))
            (own if is_own else others).add(name)
    known = await aliases.by_owner(db, own)
    known |= await aliases.told(db, {name for name in others if name.kind != EVSES})
    for item, written, names in named:
        written.names = {(n.kind, n.object_id): known[n] for n in names if n in known}
        if any(name in others - known.keys() and name.kind != EVSES for name in names):
            written.body, written.error = None, TAKEN
        elif written.body is not None:
            written.body = renamed(item.kind, written.body, written.names)


def names_of(item: Item, body: Document | None) -> set[Name]:
    """Everything that is named in a body, and its owner."""
    names = {Name(kind, item.owner, id_) for kind, id_ in names_in(item.kind, body or {})}
    names |= {Name(kind, item.owner, id_) for kind, id_ in item.names}
    issuer = issuer_of(item)
    names = {n._replace(owner=issuer) if n.kind == CONTRACTS and issuer else n for n in names}
    if item.kind == "Token" and item.document and not item.partial:
        uid, type_ = item.document["uid"], item.document["type"]
        names.add(Name(TOKENS, item.owner, f"{uid}/{type_}"))
    return names


def presumed_reader(item: Item) -> Party | None:
    """Sessions and CDRs are read by who issued the contract; other objects by others."""
    return issuer_of(item) if item.kind in WITH_CONTRACT else None


def issuer_of(item: Item) -> Party | None:
    document: Any = item.document or {}
    token = document.get("cdr_token") or document.get("token")
    return Party.of(token["country_code"], token["party_id"]) if token else None


async def read(
    db: AsyncSession | None,
    version: Version,
    kind: str,
    body: Any,
    *,
    partner: Connection,
    owner: Party,
    partial: bool = False,
    token: Document | None = None,
    losses: list[Loss] | None = None,
) -> Document:
    """What a partner sent, in canonical form; InvalidRequest names what is wrong with it.

    ``owner`` is whose object it is, or whose location it names; ``token`` is the one that an
    authorization is about. ``losses`` gets what has no place in that form.
    """
    if not version.peer_to_peer:
        return version.read(kind, body, losses, partial=partial)
    assert db is not None
    version.check(kind, body, partial=partial)
    named = {name for name in names_in(kind, body) if name[0] != CONTRACTS}
    names = await meaning(db, named, partner, owner, new=None if partial else OWN_ID.get(kind))
    contract = await contract_of(db, kind, body)
    if contract is not None:
        names[CONTRACTS, body["auth_id"]] = contract.contract_id
        token = contract.token
    location = None
    if kind == "StartSession":
        place = (owner, names.get(("locations", body["location_id"]), body["location_id"]))
        location = next(iter((await lookups.locations(db, {place})).values()), None)
    session_id = None
    if kind == "CDR" and contract is not None:
        session_id = await lookups.session_of_cdr(db, owner, contract.issuer, body)
    known = Known(
        owner=min(partner.parties) if kind in COMMANDS else owner,
        receiver=contract.issuer if contract else None,
        token=token,
        location=location,
        session_id=session_id,
        time_zone=partner.settings.time_zone,
    )
    return version.read(kind, renamed(kind, body, names), losses, partial=partial, known=known)


async def contract_of(db: AsyncSession, kind: str, body: Any) -> Contract | None:
    if kind not in WITH_CONTRACT or not body.get("auth_id"):
        return None
    return await lookups.contract(db, body["auth_id"])


async def meaning(
    db: AsyncSession,
    named: Collection[tuple[str, str]],
    partner: Connection,
    owner: Party,
    new: str | None = None,
) -> Names:
    """The canonical ids of what a partner names, where it calls it otherwise.

    ``new`` is what it tells of, and not only names.
    """
    if owner in partner.parties:
        told = [name for name in named if name[0] == new]
        return await aliases.own_ids(db, owner, named, new=told)
    names: Names = {}
    for kind, id_ in named:
        name = await aliases.meant(db, kind, id_)
        if name is not None and name.owner == owner:
            names[kind, id_] = name.object_id
    return names


async def owner_meant(db: AsyncSession, kind: str, body: Any, partner: Connection) -> Party | None:
    """Whose location or session somebody names that does not own it; None if nobody's or its own.

    A name that nobody was told of is nobody's.
    """
    for named, id_ in sorted(names_in(kind, body), reverse=True):
        name = await aliases.meant(db, named, id_) if named in OWNED_BY_CPO else None
        if name is not None and name.owner not in partner.parties:
            return name.owner
    return None
