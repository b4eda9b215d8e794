"""May this token charge here? (TOK-05, TOK-16)

In this order: an alias that a command left behind, a token of our own with its restrictions, one
of a partner by its whitelist, its issuer in real time. No transaction is open while an issuer is
asked, and a token nobody knows costs as long as one that somebody does: the answer tells nothing.
"""

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.db import Database
from hub.models.charging import AuthToken, ChargingSession
from hub.models.objects import Location, Token
from hub.models.ocpp import StationTransaction, TokenAlias
from hub.models.stations import ChargingStation
from hub.models.tenants import Tenant
from hub.models.values import AuthTokenType, Party
from hub.roaming.merging import Document
from hub.roaming.ports import Issuers, StationRef

log = structlog.get_logger()

ALIAS_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
ALIAS_LENGTH = 20
# The longest token that OCPP 1.6 can carry.
LONGEST_ID_TAG = 20
# How long a START_SESSION makes an Authorize of its token needless.
COMMAND_HOLDS = timedelta(minutes=15)
EARTH_RADIUS_KM = 6371.0
# Tokens with these are decided on without their issuer.
UNASKED = frozenset({"ALWAYS", "ALLOWED"})

OWN_TYPES = {
    "RFID_ISO14443": "RFID",
    "RFID_MIFARE": "RFID",
    "NFC_SMARTPHONE": "RFID",
    "QR_CODE_DYNAMIC": "AD_HOC_USER",
    "ISO15118_CONTRACT": "EMAID",
    "ROAMING_TOKEN": "RFID",
    "TEMPORARY": "AD_HOC_USER",
}
# OCPP 2.x idToken types that say something about the OCPI type; others only break no tie.
TOKEN_TYPES = {
    "ISO14443": "RFID",
    "ISO15693": "RFID",
    "Central": "APP_USER",
    "eMAID": "EMAID",
}


@dataclass(frozen=True)
class Shown:
    """What was shown to the station. ``kind`` is OCPP 2.x's idToken type, None in 1.6."""

    uid: str
    kind: str | None = None


@dataclass(frozen=True)
class Decision:
    """``allowed`` is OCPI's AllowedType, or UNKNOWN for a token of nobody.

    ``method`` is OCPI's AuthMethod; ``cdr_token`` is None when nobody could be billed.
    """

    allowed: str
    method: str = "WHITELIST"
    cdr_token: Document | None = None
    group_id: str | None = None
    authorization_reference: str | None = None
    expires_at: datetime | None = None
    alias_id: UUID | None = None
    remote_start_id: int | None = None
    auth_token_id: UUID | None = None
    user_id: UUID | None = None
    own_type: str | None = None
    # Bound to a place the token may not be used at, rather than refused as such.
    elsewhere: bool = False
    # An issuer still to be asked: (party, uid, type, whitelist).
    ask: tuple[Party, str, str, str] | None = field(default=None, compare=False)

    @property
    def accepted(self) -> bool:
        return self.allowed == "ALLOWED"


UNKNOWN = Decision("UNKNOWN")


async def authorize(
    database: Database,
    issuers: Issuers | None,
    ref: StationRef,
    shown: Shown,
    *,
    location: Document | None = None,
    offline: bool = False,
    within: float | None = None,
) -> Decision:
    """Decide. ``offline`` is for what has already happened: then nobody is asked any more.

    ``within`` so many seconds an issuer must have said its word, for a driver waits. What the hub
    waits for its own database is not part of them.
    """
    async with database.transaction(ref.tenant_id) as db:
        decision = await known(db, ref, shown)
    if decision.ask is None:
        return decision
    issuer, uid, kind, whitelist = decision.ask
    if issuers is None or offline:
        return without_issuer(decision, whitelist)
    answer = await issuers.authorize(
        ref.tenant_id, issuer, uid, kind, location=location, within=within
    )
    if answer is None:
        log.info("issuer silent", issuer=str(issuer), whitelist=whitelist)
        return without_issuer(decision, whitelist)
    return by_issuer(decision, answer)


def without_issuer(decision: Decision, whitelist: str) -> Decision:
    """The issuer cannot be asked: the whitelist decides (TOK-05)."""
    offline = whitelist in {"ALWAYS", "ALLOWED", "ALLOWED_OFFLINE"}
    allowed = decision.allowed if offline else "NOT_ALLOWED"
    return changed(decision, allowed=allowed, method="WHITELIST", ask=None)


def by_issuer(decision: Decision, answer: Document) -> Decision:
    token = answer.get("token") or {}
    return changed(
        decision,
        allowed=str(answer.get("allowed", "NOT_ALLOWED")),
        method="AUTH_REQUEST",
        authorization_reference=answer.get("authorization_reference"),
        group_id=token.get("group_id") or decision.group_id,
        ask=None,
    )


def changed(decision: Decision, **values: Any) -> Decision:
    return Decision(**{**decision.__dict__, **values})


async def known(db: AsyncSession, ref: StationRef, shown: Shown) -> Decision:
    """What the hub can say by itself."""
    uid = shown.uid.strip()
    if not uid:
        return UNKNOWN
    if (found := await by_alias(db, ref, uid)) is not None:
        return found
    if (found := await own_token(db, ref, uid)) is not None:
        return found
    return await partner_token(db, ref, uid, shown.kind)


async def by_alias(db: AsyncSession, ref: StationRef, uid: str) -> Decision | None:
    """A token that came with a command, by its alias or, freshly, by its own uid."""
    now = datetime.now(UTC)
    alias = await db.scalar(
        select(TokenAlias)
        .where(
            TokenAlias.charging_station_id == ref.id,
            or_(
                TokenAlias.alias == uid.upper(),
                (TokenAlias.token_key == uid.upper())
                & (TokenAlias.created_at > now - COMMAND_HOLDS),
            ),
        )
        .order_by(TokenAlias.created_at.desc())
        .limit(1)
    )
    return None if alias is None else from_alias(alias)


def from_alias(alias: TokenAlias) -> Decision:
    return Decision(
        "ALLOWED",
        method="COMMAND",
        cdr_token=cdr_token(alias.token),
        group_id=alias.token.get("group_id"),
        authorization_reference=alias.authorization_reference,
        alias_id=alias.id,
        remote_start_id=alias.remote_start_id,
    )


async def by_remote_start(db: AsyncSession, ref: StationRef, number: int) -> Decision | None:
    """The command a 2.x transaction says it came from."""
    alias = await db.scalar(
        select(TokenAlias).where(
            TokenAlias.charging_station_id == ref.id, TokenAlias.remote_start_id == number
        )
    )
    return None if alias is None else from_alias(alias)


def cdr_token(token: Document) -> Document:
    names = ("country_code", "party_id", "uid", "type", "contract_id")
    return {name: token[name] for name in names if name in token}


def new_alias() -> str:
    return "".join(secrets.choice(ALIAS_LETTERS) for _ in range(ALIAS_LENGTH))


async def lend_alias(
    db: AsyncSession,
    ref: StationRef,
    token: Document,
    *,
    command_id: UUID | None = None,
    authorization_reference: str | None = None,
    expires_at: datetime | None = None,
) -> TokenAlias:
    """Note down a token that a command brings along, with something for the station to call it."""
    alias = TokenAlias(
        alias=new_alias(),
        charging_station_id=ref.id,
        token=token,
        token_key=str(token["uid"]).upper(),
        command_id=command_id,
        authorization_reference=authorization_reference,
        expires_at=expires_at or datetime.now(UTC) + timedelta(hours=24),
    )
    db.add(alias)
    await db.flush()
    return alias


def id_tag_for(token: Document, alias: str) -> str:
    """How a 1.6 station gets to know the token: an RFID uid as it is, anything else by alias."""
    uid = str(token["uid"])
    return uid if token.get("type") == "RFID" and len(uid) <= LONGEST_ID_TAG else alias


async def own_token(db: AsyncSession, ref: StationRef, uid: str) -> Decision | None:
    token = await db.scalar(
        select(AuthToken)
        .where(AuthToken.token_key == uid.upper(), AuthToken.token_type != AuthTokenType.API_KEY)
        .order_by(AuthToken.is_active.desc(), AuthToken.created_at)
        .limit(1)
    )
    if token is None:
        return None
    tenant = await db.get_one(Tenant, ref.tenant_id)
    allowed, elsewhere = await own_verdict(db, ref, token)
    return Decision(
        allowed,
        cdr_token={
            "country_code": tenant.cpo_country_code,
            "party_id": tenant.cpo_party_id,
            "uid": token.token_value[:36],
            "type": OWN_TYPES.get(token.token_type, "OTHER"),
            "contract_id": (token.visual_id or token.token_value)[:36],
        },
        group_id=token.parent_id,
        expires_at=token.expires_at,
        auth_token_id=token.id,
        user_id=token.user_id,
        own_type=token.token_type,
        elsewhere=elsewhere,
    )


async def own_verdict(db: AsyncSession, ref: StationRef, token: AuthToken) -> tuple[str, bool]:
    """OCPI's AllowedType, and whether only the place was wrong."""
    now = datetime.now(UTC)
    if token.is_blocked or not token.is_active:
        return "BLOCKED", False
    if token.expires_at is not None and token.expires_at <= now:
        return "EXPIRED", False
    restrictions: dict[str, Any] = dict(token.restrictions or {})
    station = await db.get_one(ChargingStation, (ref.tenant_id, ref.id))
    if not place_allowed(restrictions, station, await place_of(db, station)):
        return "NOT_ALLOWED", True
    if not time_allowed(restrictions.get("time_restriction") or {}, now):
        return "NOT_ALLOWED", False
    if not await usage_allowed(db, token, restrictions.get("usage") or {}, now):
        return "NO_CREDIT", False
    return "ALLOWED", False


async def place_of(db: AsyncSession, station: ChargingStation) -> Document:
    row = (
        await db.execute(
            select(Location.country, Location.state, Location.latitude, Location.longitude).where(
                Location.id == station.location_id
            )
        )
    ).first()
    place: Document = dict(row._mapping) if row is not None else {}  # noqa: SLF001
    if place.get("latitude") is None and station.latitude is not None:
        place |= {"latitude": station.latitude, "longitude": station.longitude}
    return place


def place_allowed(restrictions: Document, station: ChargingStation, place: Document) -> bool:
    stations: Sequence[str] = restrictions.get("allowed_stations") or ()
    groups: Sequence[str] = restrictions.get("allowed_groups") or ()
    if stations or groups:
        configuration: dict[str, Any] = dict(station.configuration or {})
        of = set((configuration.get("network") or {}).get("groups") or ())
        if station.station_id not in stations and not of & set(groups):
            return False
    where: Document = restrictions.get("geographic") or {}
    if (countries := where.get("allowed_countries")) and place.get("country") not in countries:
        return False
    if (regions := where.get("allowed_regions")) and place.get("state") not in regions:
        return False
    return within(where, place)


def within(where: Document, place: Document) -> bool:
    """Whether the place lies in the circle, if there is one."""
    wanted = (where.get("latitude"), where.get("longitude"), where.get("radius_km"))
    if None in wanted:
        return True
    if place.get("latitude") is None or place.get("longitude") is None:
        return False
    north, east, radius = (float(value) for value in wanted if value is not None)
    return distance_km(north, east, float(place["latitude"]), float(place["longitude"])) <= radius


def distance_km(north: float, east: float, other_north: float, other_east: float) -> float:
    """Great circle, on a ball."""
    a, b = math.radians(north), math.radians(other_north)
    half = math.sin((b - a) / 2) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(other_east - east) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(half))


def time_allowed(window: Document, now: datetime) -> bool:
    """Days are named in English, times are local; a window may pass midnight."""
    try:
        local = now.astimezone(ZoneInfo(window.get("timezone") or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):
        return False
    days = window.get("allowed_days")
    if days and local.strftime("%A").upper() not in days:
        return False
    start, end = window.get("start_time"), window.get("end_time")
    if not start or not end:
        return True
    begins, ends, at = time.fromisoformat(start), time.fromisoformat(end), local.time()
    return begins <= at < ends if begins <= ends else at >= begins or at < ends


async def usage_allowed(
    db: AsyncSession, token: AuthToken, limits: Document, now: datetime
) -> bool:
    """Sessions per day and month, amount per month; counted in UTC."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = day.replace(day=1)
    for name, since in (("max_sessions_per_day", day), ("max_sessions_per_month", month)):
        if (most := limits.get(name)) is not None:
            count = await db.scalar(sessions_since(token, since, func.count()))
            if (count or 0) >= most:
                return False
    if (most := limits.get("max_amount_per_month")) is not None:
        spent = await db.scalar(sessions_since(token, month, func.sum(ChargingSession.total_cost)))
        if (spent or Decimal(0)) >= Decimal(str(most)):
            return False
    return True


def sessions_since(token: AuthToken, since: datetime, what: Any) -> Any:
    return select(what).where(
        ChargingSession.auth_token_id == token.id, ChargingSession.created_at >= since
    )


async def partner_token(db: AsyncSession, ref: StationRef, uid: str, kind: str | None) -> Decision:
    """A token that an eMSP pushed. The same uid may come under several types (TOK-02)."""
    rows = await db.execute(
        select(Token.country_code, Token.party_id, Token.document)
        .where(func.split_part(Token.object_key, "/", 1) == uid.upper(), Token.deleted_at.is_(None))
        .order_by(Token.page_seq)
        .limit(10)
    )
    tokens = [
        (Party(row.country_code, row.party_id), codec.read_stored(row.document)) for row in rows
    ]
    if not tokens:
        return UNKNOWN
    wanted = TOKEN_TYPES.get(kind or "ISO14443")
    issuer, token = next((found for found in tokens if found[1].get("type") == wanted), tokens[0])
    decision = Decision(
        "ALLOWED" if token.get("valid") else "BLOCKED",
        cdr_token=cdr_token(token),
        group_id=token.get("group_id"),
        ask=(issuer, str(token["uid"]), str(token["type"]), str(token.get("whitelist"))),
    )
    # An invalid token does not save the question: only the whitelist does (TOK-06).
    return changed(decision, ask=None) if token.get("whitelist") in UNASKED else decision


async def another_runs(db: AsyncSession, ref: StationRef, token: Document) -> bool:
    """Whether the same token is charging somewhere already."""
    found = await db.scalar(
        select(StationTransaction.id)
        .where(
            StationTransaction.state == "OPEN",
            StationTransaction.cdr_token["uid"].astext == token["uid"],
            StationTransaction.cdr_token["type"].astext == token["type"],
        )
        .limit(1)
    )
    return found is not None


async def used(db: AsyncSession, decision: Decision) -> None:
    """Count the use of a token of our own."""
    if decision.auth_token_id is not None:
        await db.execute(
            update(AuthToken)
            .where(AuthToken.id == decision.auth_token_id)
            .values(last_used_at=func.now(), use_count=AuthToken.use_count + 1)
        )
