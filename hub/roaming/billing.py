"""What OCPI sees of our own transactions: a Session while they run, a CDR when they have ended.

A CDR is final. When a station reports an end after the hub had taken the transaction for lost and
billed it, the CDR is credited and a new one sent (CDR-06).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import structlog
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.models.charging import ChargeDetailRecord, ChargingSession, MeterValue
from hub.models.objects import CDR, EVSE, Location, Tariff
from hub.models.ocpp import StationEVSE, StationTransaction
from hub.models.stations import ChargingStation, Connector
from hub.models.tenants import Tenant
from hub.models.values import Party
from hub.roaming import own_objects, own_prices, projection
from hub.roaming.merging import Document
from hub.roaming.modules import CDRS, SESSIONS
from hub.roaming.objects import Stored, Write
from hub.roaming.ports import StationRef
from hub.roaming.progress import restore_progress
from hub.roaming.projection import Circumstances, SessionFacts, SignedReading
from hub.roaming.readings import Signed

log = structlog.get_logger()

# A CDR without its costs and the time zone of its location, to the members that costs fill:
# ``total_cost`` and its parts, and the periods divided where prices change. Pure.
Price = Callable[[Document, str], Mapping[str, Any]]

# Ends that mean nothing was sold, when no energy flowed.
NOTHING_SOLD = frozenset({"Timeout", "DeAuthorized"})


@dataclass(frozen=True)
class Policy:
    """``quarantine`` is how long the hub waits for the end of a transaction it took for lost.

    ``resume`` is how long after a boot a station may take to go on with what it had running,
    ``queued`` how long the end of what seems to be over may still be on its way. Of a session
    that only goes on OCPI is told no more often than ``show_every``.
    """

    price: Price = own_prices.final
    quarantine: timedelta = timedelta(hours=24)
    resume: timedelta = timedelta(minutes=15)
    queued: timedelta = timedelta(seconds=10)
    show_every: timedelta = timedelta(seconds=10)
    refuse_concurrent: bool = False


async def circumstances(
    db: AsyncSession, ref: StationRef, transaction: StationTransaction
) -> Document | None:
    """Place, EVSE and tariff as they are now; None at a station that is placed nowhere (CDR-08)."""
    station = await db.get_one(ChargingStation, (ref.tenant_id, ref.id))
    tenant = await db.get_one(Tenant, ref.tenant_id)
    location = (
        await db.execute(
            select(Location.document, Location.last_updated_text, Location.time_zone).where(
                Location.id == station.location_id
            )
        )
    ).first()
    if location is None or tenant.cpo_country_code is None or transaction.evse_number is None:
        return None
    evse_uid = await db.scalar(
        select(StationEVSE.evse_uid).where(
            StationEVSE.charging_station_id == ref.id,
            StationEVSE.evse_number == transaction.evse_number,
        )
    )
    evse = await db.scalar(
        select(EVSE.document).where(
            EVSE.object_key == (evse_uid or "").upper(), EVSE.partner_id.is_(None)
        )
    )
    if evse is None:
        return None
    document = codec.read_stored(evse)
    return {
        "owner": [tenant.cpo_country_code, tenant.cpo_party_id],
        "location": codec.read_stored(location.document)
        | {"last_updated": location.last_updated_text},
        "zone": location.time_zone or "UTC",
        "evse": document,
        "connector_id": only_connector(document, transaction.connector_id),
        "tariffs": await tariffs_of(db, ref, transaction),
        "currency": ((tenant.settings or {}).get("default_currency")) or "EUR",
    }


def only_connector(evse: Document, number: int | None) -> str:
    """The connector in use; never guessed where there are several."""
    if number is not None:
        return str(number)
    connectors = evse["connectors"]
    return str(connectors[0]["id"]) if len(connectors) == 1 else projection.NOT_ASSIGNED


async def tariffs_of(
    db: AsyncSession, ref: StationRef, transaction: StationTransaction
) -> list[Document]:
    query = (
        select(Tariff.document, Tariff.last_updated_text)
        .join(Connector, Connector.tariff_id == Tariff.id)
        .where(
            Connector.charging_station_id == ref.id,
            Connector.evse_number == transaction.evse_number,
            Tariff.deleted_at.is_(None),
        )
    )
    if transaction.connector_id is not None:
        query = query.where(Connector.connector_id == transaction.connector_id)
    rows = await db.execute(query.limit(1))
    return [
        codec.read_stored(row.document) | {"last_updated": row.last_updated_text} for row in rows
    ]


def facts(transaction: StationTransaction, status: str) -> SessionFacts | None:
    """None when OCPI cannot be told: nobody to bill, or no place to name."""
    around, token = transaction.circumstances, transaction.cdr_token
    if around is None or token is None or transaction.started_at is None:
        return None
    tariffs = around["tariffs"]
    return SessionFacts(
        id=transaction.session_id,
        owner=Party(*around["owner"]),
        cdr_token=token,
        auth_method=transaction.auth_method or "WHITELIST",
        status=status,
        started_at=transaction.started_at,
        currency=tariffs[0]["currency"] if tariffs else around["currency"],
        location_id=around["location"]["id"],
        evse_uid=around["evse"]["uid"],
        connector_id=around["connector_id"],
        authorization_reference=transaction.authorization_reference,
        ended_at=transaction.ended_at,
        progress=restore_progress(transaction.progress) if transaction.progress else None,
        tariff_id=tariffs[0]["id"] if tariffs else None,
    )


def session_status(transaction: StationTransaction) -> str:
    if transaction.state == "OPEN":
        return "ACTIVE"
    return "INVALID" if nothing_sold(transaction) else "COMPLETED"


def nothing_sold(transaction: StationTransaction) -> bool:
    energy = Decimal((transaction.progress or {}).get("energy", "0"))
    return energy == 0 and transaction.stop_reason in NOTHING_SOLD


async def show_session(
    db: AsyncSession, ref: StationRef, transaction: StationTransaction, policy: Policy
) -> list[Stored]:
    """Put the session as it stands before its eMSP."""
    return await show_sessions(db, [transaction])


async def show_sessions(
    db: AsyncSession, transactions: Sequence[StationTransaction]
) -> list[Stored]:
    """The same for several at once."""
    at = datetime.now(UTC)
    writes = []
    for transaction in transactions:
        transaction.shown_at, transaction.show_due_at = at, None
        if (about := facts(transaction, session_status(transaction))) is not None:
            writes.append(Write(SESSIONS, "PUT", about.owner, about.id, shown(transaction, about)))
    return await own_objects.apply(db, writes)


def shown(transaction: StationTransaction, about: SessionFacts) -> Document:
    at = datetime.now(UTC)
    document = projection.session(about, at=at)
    around = transaction.circumstances
    assert around is not None
    ended = transaction.ended_at or at
    document |= own_prices.running(document, around["tariffs"], around["zone"], ended)
    return own_objects.plain(document)


async def settle(
    db: AsyncSession, ref: StationRef, transaction: StationTransaction, policy: Policy
) -> list[Stored]:
    """Send the CDR of an ended transaction, crediting the one that went out too early."""
    about = facts(transaction, "COMPLETED")
    transaction.cdr_due_at = None
    if about is None or about.ended_at is None or nothing_sold(transaction):
        return []
    moved: list[Stored] = []
    at = datetime.now(UTC)
    if transaction.cdr_ids:
        moved += await credit(db, transaction, about.owner, at)
    document = await priced_cdr(db, transaction, about, policy, at)
    moved += await own_objects.apply(
        db, [Write(CDRS, "POST", about.owner, document["id"], document)]
    )
    transaction.cdr_ids = [*(transaction.cdr_ids or []), document["id"]]
    await write_record(db, transaction, document)
    return moved


async def priced_cdr(
    db: AsyncSession,
    transaction: StationTransaction,
    about: SessionFacts,
    policy: Policy,
    at: datetime,
) -> Document:
    around = transaction.circumstances
    assert around is not None
    # The first CDR of a session bears its id; a corrected one needs another.
    cdr_id = transaction.session_id if not transaction.cdr_ids else str(uuid4())
    document = projection.cdr(
        about,
        Circumstances(
            around["location"], around["evse"], around["connector_id"], tuple(around["tariffs"])
        ),
        cdr_id=cdr_id,
        at=at,
        signed=await signed_readings(db, transaction),
        remark=remark(transaction),
    )
    document = own_objects.plain(document)
    return own_objects.plain({**document, **policy.price(document, around["zone"])})


def remark(transaction: StationTransaction) -> str:
    parts = [f"Stop reason: {transaction.stop_reason or 'Local'}."]
    if not (transaction.circumstances or {}).get("tariffs"):
        parts.append("No tariff.")
    parts += [f"{text[:1].upper()}{text[1:]}." for text in transaction.notes or []]
    if transaction.progress is not None:
        anomalies = transaction.progress["anomalies"]
        parts += [f"{text[:1].upper()}{text[1:]}." for text in anomalies]
    return " ".join(parts)


async def signed_readings(db: AsyncSession, transaction: StationTransaction) -> list[SignedReading]:
    rows = await db.execute(
        select(MeterValue.timestamp, MeterValue.signed_data, MeterValue.context)
        .where(
            MeterValue.charging_session_id == transaction.charging_session_id,
            MeterValue.signed_data.is_not(None),
        )
        .order_by(MeterValue.timestamp)
    )
    return [
        SignedReading(
            unpacked(row.signed_data),
            row.timestamp,
            (row.context or "").replace("_", ".").title() or None,
        )
        for row in rows
    ]


def unpacked(packed: str) -> Signed:
    """What ``packed`` put into one column: JSON of the four parts."""
    data, is_base64, method, key = codec.read_stored(packed)
    return Signed(data, is_base64, method, key)


def packed(signed: Signed) -> str:
    """Into one column, with what was said about it; the data itself is not touched."""
    return codec.write_text(
        [signed.data, signed.is_base64, signed.encoding_method, signed.public_key]
    )


async def credit(
    db: AsyncSession, transaction: StationTransaction, owner: Party, at: datetime
) -> list[Stored]:
    last = transaction.cdr_ids[-1]
    found = await db.scalar(
        select(CDR.document).where(CDR.object_key == last.upper(), CDR.partner_id.is_(None))
    )
    if found is None:
        return []
    document = own_objects.plain(projection.credit_of(codec.read_stored(found), at=at))
    transaction.cdr_ids = [*transaction.cdr_ids, document["id"]]
    return await own_objects.apply(db, [Write(CDRS, "POST", owner, document["id"], document)])


async def write_record(
    db: AsyncSession, transaction: StationTransaction, document: Document
) -> None:
    """The seed's ChargeDetailRecord, and what it cost beside the session."""
    if transaction.session_created_at is None:
        return
    total = document["total_cost"]
    before = Decimal(str(total["before_taxes"]))
    taxes = sum((Decimal(str(tax["amount"])) for tax in total.get("taxes") or []), Decimal(0))
    values = {
        "charging_session_id": transaction.charging_session_id,
        "cdr_id": document["id"],
        "start_timestamp": transaction.started_at,
        "end_timestamp": transaction.ended_at,
        "total_energy": Decimal(str(document["total_energy"])),
        "total_time": Decimal(str(document["total_time"])),
        "total_parking_time": Decimal(str(document["total_parking_time"])),
        "currency": document["currency"],
        "total_cost_before_taxes": before,
        "total_taxes": taxes if total.get("taxes") else None,
    }
    statement = insert(ChargeDetailRecord).values(**values)
    await db.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "charging_session_id"],
            set_={name: statement.excluded[name] for name in values},
        )
    )
    await db.execute(
        update(ChargingSession)
        .where(
            ChargingSession.id == transaction.charging_session_id,
            ChargingSession.created_at == transaction.session_created_at,
        )
        .values(
            total_cost=before + taxes,
            currency=document["currency"],
            ocpi_data={
                "cdr_id": document["id"],
                "location_id": document["cdr_location"]["id"],
                "evse_uid": document["cdr_location"]["evse_uid"],
                "connector_id": document["cdr_location"]["connector_id"],
                "authorization_reference": transaction.authorization_reference or "",
            },
        )
    )


async def settle_overdue(db: AsyncSession, policy: Policy, *, limit: int = 50) -> list[Stored]:
    """Bill transactions whose real end has not come within the quarantine. One tenant's."""
    rows = await db.scalars(
        select(StationTransaction)
        .where(
            StationTransaction.cdr_due_at <= datetime.now(UTC),
            StationTransaction.state.in_(["LOST", "ENDED"]),
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    moved: list[Stored] = []
    for transaction in rows:
        ref = StationRef(UUID(str(transaction.tenant_id)), transaction.charging_station_id)
        moved += await settle(db, ref, transaction, policy)
    return moved
