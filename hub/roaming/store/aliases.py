"""What platforms that speak 2.1.1 call an object, and what they mean by a name.

Their objects do not say whose they are, so two CPOs with a location ``L1`` would be one location
to them. Whoever is told of an object first keeps its id; a second one of that id gets
``CC*PID*ID``. A name that was told stays, whatever comes later, and leads back to its object
(BRIDGE-05).

Their own ids may be longer than newer versions allow, and may differ by case alone: such an id gets
another one here, and its owner is told its own again (BRIDGE-06).

Tokens keep their uid, for it is printed on a card: of two of one uid the second is not told.
Reservations have numbers there, and ids everywhere else.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import String

from hub.models.aliases import Alias, Reader
from hub.models.values import Party
from hub.roaming.modules import MODULES

EVSES, CONTRACTS, TOKENS, RESERVATIONS = "evses", "contracts", "tokens", "reservations"
# Characters of an id in 2.1.1 and, whatever it names, in newer versions.
LONGEST = {"locations": 39, EVSES: 39}
LONGEST_OTHERWISE = LONGEST_LATER = 36
LARGEST_INTEGER = 2**31 - 1
# Of these an owner may have two that differ by case alone.
BY_CASE = frozenset({"locations", "tariffs", "sessions"})


class Name(NamedTuple):
    """An object by its kind, its owner and its canonical id; of a token, ``UID/TYPE``."""

    kind: str
    owner: Party
    object_id: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.kind, self.owner.country_code, self.owner.party_id, self.object_id.upper()


async def told(db: AsyncSession, names: Collection[Name]) -> dict[Name, str]:
    """What others than the owner call these; remembered from the first time on.

    A token whose uid is another's already is missing in the answer.
    """
    found = await read(db, Reader.OTHERS, names)
    missing = [name for name in names if name not in found]
    if not missing:
        return found
    own = await read(db, Reader.OWNER, missing)
    offers = {name: candidates(name, own.get(name)) for name in missing}
    while offers:
        wanted = {name: next(offer, None) for name, offer in offers.items()}
        await claim(db, {name: written for name, written in wanted.items() if written})
        found |= await read(db, Reader.OTHERS, wanted)
        offers = {name: offers[name] for name, w in wanted.items() if w and name not in found}
    return found


def candidates(name: Name, own: str | None) -> Iterator[str]:
    """What an object might be called, best first."""
    if name.kind == TOKENS:
        yield name.object_id.rpartition("/")[0]
        return
    if name.kind == RESERVATIONS:
        yield from numbers(name)
        return
    longest = LONGEST.get(name.kind, LONGEST_OTHERWISE)
    plain = own or name.object_id
    whole = f"{name.owner.country_code}*{name.owner.party_id}*{plain}"
    yield from (one for one in (plain, whole) if len(one) <= longest)
    yield shortened(whole, longest)


def numbers(name: Name) -> Iterator[str]:
    """A number for a reservation: the one that its id is, or one that its id makes."""
    if name.object_id.isascii() and name.object_id.isdigit():
        number = int(name.object_id)
        if str(number) == name.object_id and number <= LARGEST_INTEGER:
            yield name.object_id
    for attempt in range(10):
        digits = blake2b(f"{name.owner}*{name.object_id}*{attempt}".encode(), digest_size=4)
        yield str(int.from_bytes(digits.digest()) & LARGEST_INTEGER)


def shortened(text: str, longest: int) -> str:
    """An id made of another: how that begins, and ten digits that stand for all of it."""
    digits = blake2b(text.encode(), digest_size=5).hexdigest()
    return f"{text[: longest - len(digits) - 1]}-{digits}"


async def meant(db: AsyncSession, kind: str, written: str) -> Name | None:
    """What somebody who does not own it means by a name; None if nobody was told of it."""
    found = await db.scalar(
        select(Alias).where(
            Alias.kind == kind,
            Alias.reader == Reader.OTHERS,
            Alias.written_key == written.upper(),
        )
    )
    if found is None:
        return None
    return Name(kind, Party(found.country_code, found.party_id), found.object_id)


async def by_owner(db: AsyncSession, names: Collection[Name]) -> dict[Name, str]:
    """How their owner writes these, where that is not their id."""
    return await read(db, Reader.OWNER, names)


async def own_ids(
    db: AsyncSession,
    owner: Party,
    written: Iterable[tuple[str, str]],
    *,
    new: Collection[tuple[str, str]] = (),
) -> dict[tuple[str, str], str]:
    """The canonical ids of what an owner writes as it does, by kind; only those that differ.

    ``new`` are those of objects that are being pushed, and so come to be known by this id.
    """
    asked = set(written) | set(new)
    if not asked:
        return {}
    rows = await db.scalars(
        select(Alias).where(
            Alias.reader == Reader.OWNER,
            tuple_(Alias.kind, Alias.written_key).in_([(k, own_key(owner, w)) for k, w in asked]),
        )
    )
    found = {(row.kind, row.written): row.object_id for row in rows}
    for kind, text_ in sorted(asked - found.keys()):
        long = len(text_) > LONGEST_LATER
        if not long and not ((kind, text_) in new and await collides(db, kind, owner, text_)):
            continue
        found[kind, text_] = shortened(text_, LONGEST_LATER)
        await claim(db, {Name(kind, owner, found[kind, text_]): text_}, Reader.OWNER)
    return found


def own_key(owner: Party, written: str) -> str:
    return f"{owner}*{written}"


async def collides(db: AsyncSession, kind: str, owner: Party, written: str) -> bool:
    """Whether the owner has an object whose id differs from this by case alone."""
    if kind not in BY_CASE:
        return False
    table: Any = MODULES[kind].table
    found = await db.scalar(
        select(table.object_id).where(
            table.country_code == owner.country_code,
            table.party_id == owner.party_id,
            table.object_key == written.upper(),
        )
    )
    return found not in {None, written}


READ = text("""
    select kind, country_code, party_id, object_key, written from id_aliases
    where reader = :reader and (kind, country_code, party_id, object_key) in
          (select * from unnest(:kinds, :countries, :parties, :keys))
""").bindparams(
    *(bindparam(n, type_=ARRAY(String())) for n in ("kinds", "countries", "parties", "keys"))
)
CLAIM = text("""
    insert into id_aliases
        (reader, kind, country_code, party_id, object_key, object_id, written, written_key)
    select :reader, given.*
    from unnest(:kinds, :countries, :parties, :keys, :ids, :written, :written_keys) as given
    on conflict do nothing
""").bindparams(
    *(
        bindparam(name, type_=ARRAY(String()))
        for name in ("kinds", "countries", "parties", "keys", "ids", "written", "written_keys")
    )
)


async def read(db: AsyncSession, reader: Reader, names: Collection[Name]) -> dict[Name, str]:
    if not names:
        return {}
    values = keys_of(names) | {"reader": reader}
    rows = {tuple(row[:4]): row[4] for row in await db.execute(READ, values)}
    return {name: rows[name.key] for name in names if name.key in rows}


async def claim(
    db: AsyncSession, wanted: Mapping[Name, str], reader: Reader = Reader.OTHERS
) -> None:
    """Write down those that are free, always in one order: no two transactions can deadlock."""
    if not wanted:
        return
    names = sorted(wanted)
    others = reader is Reader.OTHERS
    values = keys_of(names) | {
        "reader": reader,
        "ids": [name.object_id for name in names],
        "written": [wanted[name] for name in names],
        "written_keys": [
            wanted[name].upper() if others else own_key(name.owner, wanted[name]) for name in names
        ],
    }
    await db.execute(CLAIM, values)


def keys_of(names: Iterable[Name]) -> dict[str, object]:
    keys = [name.key for name in names]
    parts = ("kinds", "countries", "parties", "keys")
    return {part: [key[place] for key in keys] for place, part in enumerate(parts)}
