"""May this token charge here? (TOK-05, TOK-16)

In this order: an alias that a command left behind, a token of our own with its restrictions, one
of a partner by its whitelist, its issuer in real time. No transaction is open while an issuer is
asked, and a token nobody knows costs as long as one that somebody does: the answer tells nothing.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.db import Database
from hub.models.charging import AuthToken
from hub.models.objects import Location, Token
from hub.models.ocpp import StationEVSE
from hub.models.partners import Agreement
from hub.models.stations import ChargingStation
from hub.models.tenants import Tenant
from hub.models.transactions import StationTransaction, TokenAlias
from hub.models.values import AuthTokenType, Party
from hub.roaming.authorization import token_restrictions
from hub.roaming.merging import Document
from hub.roaming.network import agreements
from hub.roaming.ports import Issuers, StationRef
from hub.roaming.store import lookups

log = structlog.get_logger()

# How long a START_SESSION makes an Authorize of its token needless.
COMMAND_HOLDS = timedelta(minutes=15)
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
    offline: bool = False,
    within: float | None = None,
) -> Decision:
    """Decide. ``offline`` is for what has already happened: then nobody is asked any more.

    ``within`` so many seconds an issuer must have said its word, for a driver waits. What the hub
    waits for its own database is not part of them.
    """
    location = None
    async with database.transaction(ref.tenant_id) as db:
        decision = await known(db, ref, shown)
        if decision.ask is not None and not offline:
            location = await references(db, ref)
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
    return by_issuer(decision, answer, location)


async def references(db: AsyncSession, ref: StationRef) -> Document | None:
    """Where the driver is: the station's location and EVSEs, as OCPI has them (TOK-10)."""
    rows = await db.execute(
        select(Location.object_id, StationEVSE.evse_uid)
        .join(ChargingStation, ChargingStation.location_id == Location.id)
        .join(StationEVSE, StationEVSE.charging_station_id == ChargingStation.id)
        .where(ChargingStation.id == ref.id, StationEVSE.published)
        .order_by(StationEVSE.evse_number)
    )
    found = rows.all()
    if not found:
        return None
    return {"location_id": found[0].object_id, "evse_uids": [row.evse_uid for row in found]}


def without_issuer(decision: Decision, whitelist: str) -> Decision:
    """The issuer cannot be asked: the whitelist decides (TOK-05)."""
    offline = whitelist in {"ALWAYS", "ALLOWED", "ALLOWED_OFFLINE"}
    allowed = decision.allowed if offline else "NOT_ALLOWED"
    return replace(decision, allowed=allowed, method="WHITELIST", ask=None)


def by_issuer(decision: Decision, answer: Document, location: Document | None) -> Decision:
    token, allowed = answer.get("token") or {}, str(answer.get("allowed", "NOT_ALLOWED"))
    return replace(
        decision,
        allowed=allowed if is_open(answer, location) else "NOT_ALLOWED",
        method="AUTH_REQUEST",
        authorization_reference=answer.get("authorization_reference"),
        group_id=token.get("group_id") or decision.group_id,
        ask=None,
    )


def is_open(answer: Document, location: Document | None) -> bool:
    """Whether one of the EVSEs that were asked about is allowed; without a list all are."""
    told = (answer.get("location") or {}).get("evse_uids")
    if not told or location is None:
        return True
    asked = {uid.upper() for uid in location["evse_uids"]}
    return not asked.isdisjoint(uid.upper() for uid in told)


async def known(db: AsyncSession, ref: StationRef, shown: Shown) -> Decision:
    """What the hub can say by itself."""
    uid = shown.uid.strip()
    if not uid:
        return UNKNOWN
    if (found := await by_alias(db, ref, uid)) is not None:
        return found
    if (found := await own_token(db, ref, uid)) is not None:
        return found
    return await partner_token(db, uid, shown.kind)


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
    allowed, elsewhere = await token_restrictions.verdict(db, ref, token)
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


async def partner_token(db: AsyncSession, uid: str, kind: str | None) -> Decision:
    """A token that an eMSP pushed. The same uid may come under several types (TOK-02)."""
    rows = await db.execute(
        select(Token.country_code, Token.party_id, Token.document)
        .where(lookups.of_uid(uid), Token.deleted_at.is_(None))
        .order_by(Token.page_seq)
        .limit(10)
    )
    tokens = [
        (Party(row.country_code, row.party_id), codec.read_stored(row.document)) for row in rows
    ]
    if tokens:
        # A driver waits: only what is agreed with these issuers, or with everybody.
        parties = {issuer.party_id for issuer, _ in tokens}
        named = or_(Agreement.from_party_id.is_(None), Agreement.from_party_id.in_(parties))
        network = await agreements.rules(db, named)
        tokens = [one for one in tokens if network.lets_charge(one[0])]
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
    return replace(decision, ask=None) if token.get("whitelist") in UNASKED else decision


async def another_runs(db: AsyncSession, token: Document) -> bool:
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
