"""The seed's ChargingSession and SessionEvent of a transaction: what operators look at.

What OCPI sees of it is made in ``billing``.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.models.charging import ChargingSession
from hub.models.partners import PartnerRole
from hub.models.stations import Connector
from hub.models.transactions import StationTransaction
from hub.models.values import ChargingAuthMethod, ChargingStatus, StopReason
from hub.roaming.authorization.authorization import Decision
from hub.roaming.charging import transactions
from hub.roaming.charging.transactions import Start
from hub.roaming.ports import StationRef

SESSION_STATUS = {
    "Charging": ChargingStatus.CHARGING,
    "SuspendedEV": ChargingStatus.SUSPENDED_EV,
    "SuspendedEVSE": ChargingStatus.SUSPENDED_EVSE,
    "EVConnected": ChargingStatus.PREPARING,
    "Finishing": ChargingStatus.FINISHING,
    "Idle": ChargingStatus.FINISHING,
}
STOP_REASONS = {name.replace("_", ""): name for name in StopReason}
METHODS = {
    "RFID_ISO14443": ChargingAuthMethod.RFID,
    "RFID_MIFARE": ChargingAuthMethod.RFID,
    "NFC_SMARTPHONE": ChargingAuthMethod.NFC,
    "QR_CODE_DYNAMIC": ChargingAuthMethod.QR_CODE,
    "ISO15118_CONTRACT": ChargingAuthMethod.ISO15118,
    "AUTOCHARGE_VIN": ChargingAuthMethod.AUTOCHARGE,
}


HAPPENED = text(
    "INSERT INTO session_events (charging_session_id, timestamp, event_type, details)"
    " VALUES (:session, :at, :kind, CAST(:details AS jsonb))"
)
MEASURED = text(
    "UPDATE charging_sessions AS session"
    " SET total_energy = r.energy, max_power = r.power, updated_at = now()"
    " FROM json_to_recordset(CAST(:rows AS json))"
    " AS r(id uuid, created timestamptz, energy numeric, power numeric)"
    " WHERE session.id = r.id AND session.created_at = r.created"
)
# Of the last session there that has ended, if it is not known yet. Materialized: it must never be
# looked for once for each session whose cable is still plugged in.
UNPLUGGED = text(
    "WITH last AS MATERIALIZED (SELECT t.charging_session_id, t.session_created_at, r.at"
    " FROM json_to_recordset(CAST(:rows AS json)) AS r(station uuid, evse integer, at timestamptz)"
    " CROSS JOIN LATERAL (SELECT charging_session_id, session_created_at FROM station_transactions"
    " WHERE charging_station_id = r.station AND evse_number = r.evse AND state IN ('ENDED', 'LOST')"
    " ORDER BY number DESC LIMIT 1) AS t),"
    " noted AS (UPDATE charging_sessions AS session"
    " SET plug_out_timestamp = last.at, updated_at = now() FROM last"
    " WHERE session.id = last.charging_session_id AND session.created_at = last.session_created_at"
    " AND session.plug_out_timestamp IS NULL"
    " AND coalesce(session.end_timestamp, last.at) <= last.at + interval '1 second'"
    " RETURNING session.id, last.at)"
    " INSERT INTO session_events (charging_session_id, timestamp, event_type)"
    " SELECT id, at, 'PLUGGED_OUT' FROM noted"
)


async def open_session(
    db: AsyncSession,
    ref: StationRef,
    transaction: StationTransaction,
    connector: Connector,
    told: Start | None,
) -> None:
    """The seed's ChargingSession of a transaction, made once its connector is known.

    Its id is there from the beginning: readings and events refer to it before. ``told`` is None
    while the beginning itself has not been seen.
    """
    assert transaction.started_at is not None
    progress = transactions.progress_of(transaction)
    plugged_in_at = told.plugged_in_at if told is not None else None
    plugged_in_at = plugged_in_at or occupied_since(connector, transaction.started_at)
    values: dict[str, Any] = {
        "charging_station_id": ref.id,
        "connector_id": connector.id,
        "session_id": transaction.session_id,
        "transaction_id": transaction.transaction_id,
        "external_session_id": transaction.session_id,
        "start_timestamp": transaction.started_at,
        "plug_in_timestamp": plugged_in_at,
        "start_value": in_kwh(progress.told_start),
        "status": SESSION_STATUS.get(transaction.charging_state or "", ChargingStatus.CHARGING),
        "id_tag": transaction.id_tag,
        "tariff_id": connector.tariff_id,
    }
    if told is not None:
        await happened(db, transaction, "PLUGGED_IN", plugged_in_at)
        await happened(db, transaction, "STARTED", transaction.started_at)
    if transaction.session_created_at is not None:
        await update_session(db, transaction, values)
        return
    row = ChargingSession(
        id=transaction.charging_session_id, created_at=datetime.now(UTC), **values
    )
    db.add(row)
    await db.flush()
    transaction.session_created_at = row.created_at


def occupied_since(connector: Connector, started_at: datetime) -> datetime:
    """When the cable was plugged in: since then the connector has been occupied."""
    configuration: dict[str, Any] = dict(connector.configuration or {})
    since = configuration.get("occupied_at")
    if connector.status != "OCCUPIED" or not since:
        return started_at
    return min(datetime.fromisoformat(since), started_at)


async def authorized(
    db: AsyncSession, transaction: StationTransaction, decision: Decision, at: datetime | None
) -> None:
    """Who charges, how that was found out, and when."""
    values: dict[str, Any] = {
        "user_id": decision.user_id,
        "auth_token_id": decision.auth_token_id,
        "auth_method": auth_method(decision),
        "authorization_timestamp": at,
        "ocpi_partner_id": await partner_of(db, decision),
    }
    if transaction.id_tag is not None:
        values["id_tag"] = transaction.id_tag
    await update_session(db, transaction, values)
    details = {"allowed": decision.allowed, "method": decision.method}
    await happened(db, transaction, "AUTHORIZED", at, details)


async def partner_of(db: AsyncSession, decision: Decision) -> UUID | None:
    """The platform that will be billed; None for the operator's own drivers."""
    token = decision.cdr_token
    if token is None or decision.own_type is not None:
        return None
    found: UUID | None = await db.scalar(
        select(PartnerRole.partner_id)
        .where(
            PartnerRole.country_code == token["country_code"],
            PartnerRole.party_id == token["party_id"],
        )
        .limit(1)
    )
    return found


async def plugged_in(db: AsyncSession, transaction: StationTransaction, at: datetime) -> None:
    await update_session(db, transaction, {"plug_in_timestamp": at})
    await happened(db, transaction, "PLUGGED_IN", at)


async def remember(
    db: AsyncSession, transaction: StationTransaction, extras: dict[str, Any]
) -> None:
    """What a station says of a session that no column is for."""
    if transaction.session_created_at is None:
        return
    await db.execute(
        update(ChargingSession)
        .where(
            ChargingSession.id == transaction.charging_session_id,
            ChargingSession.created_at == transaction.session_created_at,
        )
        .values(
            session_metadata=text(
                "coalesce(session_metadata, '{}') || jsonb_build_object('custom_fields',"
                " coalesce(session_metadata -> 'custom_fields', '{}') || :extras)"
            ).bindparams(bindparam("extras", extras, type_=JSONB))
        )
    )


async def measured(db: AsyncSession, running: Sequence[StationTransaction]) -> None:
    """How far running sessions have come."""
    await db.flush()
    rows = []
    for transaction in running:
        if transaction.session_created_at is None:
            continue
        progress = transactions.progress_of(transaction)
        rows.append(
            {
                "id": str(transaction.charging_session_id),
                "created": transaction.session_created_at.isoformat(),
                "energy": text_of(in_kwh(progress.energy)),
                "power": text_of(fitting(progress.most_measured)),
            }
        )
    if rows:
        await db.execute(MEASURED, {"rows": codec.write_rows(rows)})


def text_of(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def auth_method(decision: Decision) -> ChargingAuthMethod:
    if decision.method == "COMMAND":
        return ChargingAuthMethod.API
    if decision.own_type is None:
        return ChargingAuthMethod.ROAMING
    return METHODS.get(decision.own_type, ChargingAuthMethod.RFID)


def in_kwh(energy: Decimal | None) -> Decimal | None:
    return None if energy is None else (energy / 1000).quantize(Decimal("0.001"))


async def update_session(
    db: AsyncSession, transaction: StationTransaction, values: dict[str, Any]
) -> None:
    if transaction.session_created_at is not None:
        await db.execute(
            update(ChargingSession)
            .where(
                ChargingSession.id == transaction.charging_session_id,
                ChargingSession.created_at == transaction.session_created_at,
            )
            .values(**values)
        )


async def happened(
    db: AsyncSession,
    transaction: StationTransaction,
    kind: str,
    at: datetime | None,
    details: dict[str, Any] | None = None,
) -> None:
    told = {
        "session": transaction.charging_session_id,
        "at": at or datetime.now(UTC),
        "kind": kind,
        "details": None if details is None else codec.write_text(details),
    }
    await db.execute(HAPPENED, told)


def fitting(power: Decimal | None) -> Decimal | None:
    """What the column takes: five digits of kW."""
    if power is None or abs(power) >= 100_000:  # noqa: PLR2004
        return None
    return power.quantize(Decimal("0.001"))


def stop_reason(reason: str) -> str:
    return STOP_REASONS.get(reason.replace("_", "").upper(), StopReason.OTHER)


async def unplugged(db: AsyncSession, freed: Sequence[tuple[UUID, int, datetime]]) -> None:
    """Connectors are free again: that is when the cables were taken out. (station, EVSE, when)"""
    if not freed:
        return
    await db.flush()
    rows = [
        {"station": str(station_id), "evse": evse_number, "at": at.isoformat()}
        for station_id, evse_number, at in freed
    ]
    await db.execute(UNPLUGGED, {"rows": codec.write_rows(rows)})
