"""Which tokens a station should let charge when it cannot ask.

Own tokens that are good there at any time, and partners' tokens that may charge without their
issuer being asked. What depends on the hour or on how much was charged already is left out: a list
cannot decide that.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.models.charging import AuthToken
from hub.models.objects import Token
from hub.models.ocpp import StationLocalList
from hub.models.stations import ChargingStation, StationConfigurationItem
from hub.models.values import AuthTokenType
from hub.roaming.authorization import authorization, token_restrictions
from hub.roaming.modules import TOKENS
from hub.roaming.network import agreements
from hub.roaming.ports import StationRef
from hub.roaming.store import listing
from hub.roaming.store.filters import in_parties

# What a station takes that does not say, in all and at a time.
LONGEST, LONGEST_MESSAGE = 1000, 50
UNASKED = ("ALWAYS", "ALLOWED", "ALLOWED_OFFLINE")
# Where stations say how much they take: key of 1.6, component and variable of 2.x.
LIMITS = {
    "LocalAuthListMaxLength": "longest",
    "SendLocalListMaxLength": "at_once",
    "ItemsPerMessage": "at_once",
}


@dataclass(frozen=True)
class Entry:
    """A token as a list has it. ``type`` is OCPI's."""

    uid: str
    type: str
    group_id: str | None = None
    expires_at: str | None = None

    def kept(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Limits:
    longest: int = LONGEST
    at_once: int = LONGEST_MESSAGE


async def limits(db: AsyncSession, ref: StationRef) -> Limits:
    """How much the station has said that it takes."""
    item = StationConfigurationItem
    rows = await db.execute(
        select(item.component, item.key, item.value).where(
            item.charging_station_id == ref.id,
            item.key.in_(list(LIMITS)),
            item.component.in_(["", "LocalAuthListCtrlr"]),
        )
    )
    told = {LIMITS[row.key]: int(row.value) for row in rows if (row.value or "").isdigit()}
    return Limits(**{name: value for name, value in told.items() if value > 0})


async def wanted(db: AsyncSession, ref: StationRef, *, longest_uid: int, most: int) -> list[Entry]:
    """What the list should hold, own tokens first; those with longer uids do not fit into it."""
    station = await db.get_one(ChargingStation, (ref.tenant_id, ref.id))
    own = await own_entries(db, station)
    fitting = [entry for entry in own if len(entry.uid) <= longest_uid]
    if len(fitting) < most:
        fitting += await partners_entries(db, longest_uid, most - len(fitting))
    unique = {entry.uid.upper(): entry for entry in reversed(fitting)}
    return list(reversed(unique.values()))[:most]


async def own_entries(db: AsyncSession, station: ChargingStation) -> list[Entry]:
    rows = await db.scalars(
        select(AuthToken)
        .where(
            AuthToken.is_active,
            ~AuthToken.is_blocked,
            or_(AuthToken.expires_at.is_(None), AuthToken.expires_at > func.now()),
            AuthToken.token_type != AuthTokenType.API_KEY,
        )
        .order_by(AuthToken.created_at)
    )
    place = await token_restrictions.place_of(db, station)
    return [
        Entry(
            token.token_value,
            authorization.OWN_TYPES.get(token.token_type, "OTHER"),
            token.parent_id,
            written(token.expires_at),
        )
        for token in rows
        if may_always(token) and token_restrictions.place_allowed(limits_of(token), station, place)
    ]


def limits_of(token: AuthToken) -> dict[str, Any]:
    return dict(token.restrictions or {})


def may_always(token: AuthToken) -> bool:
    restrictions = limits_of(token)
    return not (restrictions.get("time_restriction") or restrictions.get("usage"))


def written(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


async def partners_entries(db: AsyncSession, longest_uid: int, most: int) -> list[Entry]:
    rows = await db.scalars(
        select(Token.document)
        .where(
            await welcome(db),
            Token.deleted_at.is_(None),
            Token.valid,
            Token.whitelist.in_(UNASKED),
            Token.type == "RFID",
            func.length(Token.object_id) <= longest_uid,
        )
        .order_by(Token.page_seq)
        .limit(most)
    )
    return [
        Entry(str(token["uid"]), str(token["type"]), token.get("group_id"))
        for token in map(codec.read_stored, rows)
    ]


async def welcome(db: AsyncSession) -> ColumnElement[bool]:
    """Which tokens an agreement lets charge here; mostly nothing is agreed, and all of them may."""
    network = await agreements.rules(db)
    if network.is_open:
        return true()
    let_in = [one for one in await listing.owners(db, TOKENS) if network.lets_charge(one)]
    found: ColumnElement[bool] = in_parties(Token.country_code, Token.party_id, let_in)
    return found


async def kept(db: AsyncSession, ref: StationRef) -> StationLocalList | None:
    """What the station holds, as far as the hub knows."""
    return await db.scalar(
        select(StationLocalList).where(StationLocalList.charging_station_id == ref.id)
    )
