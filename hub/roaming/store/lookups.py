"""What objects of older OCPI versions leave out: looked up before they are translated.

2.1.1 names a contract where newer versions name a token, puts a whole location into a session, and
knows one tariff of a connector: that which everybody pays now.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.models.objects import Session, Token
from hub.models.values import Party, Role
from hub.roaming.merging import Document, instant
from hub.roaming.modules import LOCATIONS, TARIFFS, TOKENS, Module
from hub.roaming.network import partners
from hub.roaming.store import aliases, listing
from hub.roaming.store.aliases import CONTRACTS
from hub.roaming.store.rows import Key
from hub.roaming.store.writes import object_key

# A party's country code and id begin every contract id that is written as usual (HUB-35).
LENGTH_OF_PARTY = 5
# How long after its end a session may have been updated for the last time.
SOON_AFTER = timedelta(days=2)


@dataclass(frozen=True)
class Contract:
    """Who issued a contract, and the token it is for, if that is the only one."""

    issuer: Party
    contract_id: str
    token: Document | None = None


async def contract(db: AsyncSession, auth_id: str) -> Contract | None:
    """The contract that a CPO means; None if nobody's or more than one party's."""
    name = await aliases.meant(db, CONTRACTS, auth_id)
    if name is not None:
        found = await tokens_of(db, name.object_id, owned_by(Token, name.owner))
        return Contract(name.owner, name.object_id, found[0][1] if len(found) == 1 else None)
    found = await tokens_of(db, auth_id)
    issuers = {issuer for issuer, _ in found}
    if len(issuers) == 1:
        return Contract(issuers.pop(), auth_id, found[0][1] if len(found) == 1 else None)
    if issuers:
        return None
    issuer = party_in(auth_id)
    if issuer is None or not await partners.by_party(db, issuer, Role.EMSP):
        return None
    return Contract(issuer, auth_id)


async def tokens_of(
    db: AsyncSession, contract_id: str, *conditions: ColumnElement[bool]
) -> list[tuple[Party, Document]]:
    keys = await db.execute(
        select(Token.country_code, Token.party_id, Token.object_key).where(
            Token.contract_id == contract_id, Token.deleted_at.is_(None), *conditions
        )
    )
    found = await objects(db, TOKENS, {Key(*row) for row in keys})
    return [(Party(key.country_code, key.party_id), document) for key, document in found.items()]


async def types_of_token(db: AsyncSession, uid: str, issuer: Party | None) -> set[str]:
    """The types of all tokens of a uid, of one issuer or of all."""
    of_issuer = [owned_by(Token, issuer)] if issuer else []
    found = await db.scalars(
        select(Token.type).where(
            of_uid(uid),
            Token.deleted_at.is_(None),
            *of_issuer,
        )
    )
    return {type_ for type_ in found if type_ is not None}


def of_uid(uid: str) -> ColumnElement[bool]:
    """Tokens of a uid, whatever their type. The beginning of the key is what an index finds; as a
    uid may hold slashes, it is not enough.
    """
    key = uid.upper()
    return and_(
        Token.object_key.startswith(f"{key}/", autoescape=True), func.upper(Token.object_id) == key
    )


def party_in(contract_id: str) -> Party | None:
    """The party with which a contract id begins, if it is written as usual."""
    letters = contract_id.replace("-", "").replace("*", "").upper()
    if len(letters) <= LENGTH_OF_PARTY or not letters.isascii() or not letters.isalnum():
        return None
    return Party(letters[:2], letters[2:LENGTH_OF_PARTY])


async def session_of_cdr(
    db: AsyncSession, owner: Party, receiver: Party, cdr: Document
) -> str | None:
    """The session that a CDR of 2.1.1 is of, which it does not say: that of the same id, or the
    only one that began at the same moment.
    """
    same_id = await db.scalar(
        select(Session.object_id).where(
            owned_by(Session, owner), Session.object_key == cdr["id"].upper()
        )
    )
    if same_id is not None:
        return same_id
    began = instant(cdr["start_date_time"])
    rows = await db.execute(
        select(Session.object_id, Session.document).where(
            owned_by(Session, owner),
            Session.receiver_country_code == receiver.country_code,
            Session.receiver_party_id == receiver.party_id,
            Session.last_updated.between(began, instant(cdr["stop_date_time"]) + SOON_AFTER),
        )
    )
    found = [object_id for object_id, text in rows if begins(text, began)]
    return found[0] if len(found) == 1 else None


def begins(text: str, at: datetime) -> bool:
    return instant(codec.read_stored(text)["start_date_time"]) == at


async def locations(
    db: AsyncSession, wanted: Iterable[tuple[Party, str]]
) -> dict[tuple[Party, str], Document]:
    """Locations by owner and id in capitals."""
    return await by_id(db, LOCATIONS, wanted)


async def tariffs(
    db: AsyncSession, wanted: Iterable[tuple[Party, str]]
) -> dict[tuple[Party, str], Document]:
    return await by_id(db, TARIFFS, wanted)


async def by_id(
    db: AsyncSession, module: Module, wanted: Iterable[tuple[Party, str]]
) -> dict[tuple[Party, str], Document]:
    keys = {object_key(module, owner, object_id) for owner, object_id in wanted}
    found = await objects(db, module, keys)
    return {
        (Party(key.country_code, key.party_id), key.object_key): document
        for key, document in found.items()
    }


async def objects(db: AsyncSession, module: Module, keys: Collection[Key]) -> dict[Key, Document]:
    return {
        kept.key: codec.read_stored(kept.text) for kept in await listing.get_all(db, module, keys)
    }


def owned_by(table: Any, owner: Party) -> ColumnElement[bool]:
    owned: ColumnElement[bool] = (table.country_code == owner.country_code) & (
        table.party_id == owner.party_id
    )
    return owned
