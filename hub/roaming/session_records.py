"""The seed's ChargingSession and SessionEvent of a transaction: what operators look at.

What OCPI sees of it is made in ``billing``.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.charging import ChargingSession, SessionEvent
from hub.models.ocpp import StationTransaction
from hub.models.stations import Connector
from hub.models.values import ChargingAuthMethod, ChargingStatus, StopReason
from hub.roaming import transactions
from hub.roaming.authorization import Decision
from hub.roaming.ports import StationRef

SESSION_STATUS = {
    "Charging": ChargingStatus.CHARGING,
    "SuspendedEV": ChargingStatus.SUSPENDED_EV,
    "SuspendedEVSE": ChargingStatus.SUSPENDED_EVSE,
    "EVConnected": ChargingStatus.PREPARING,
    "Finishing": ChargingStatus.FINISHING,
    "Idle": ChargingStatus.FINISHING,
}


METHODS = {
    "RFID_ISO14443": ChargingAuthMethod.RFID,
    "RFID_MIFARE": ChargingAuthMethod.RFID,
    "NFC_SMARTPHONE": ChargingAuthMethod.NFC,
    "QR_CODE_DYNAMIC": ChargingAuthMethod.QR_CODE,
    "ISO15118_CONTRACT": ChargingAuthMethod.ISO15118,
    "AUTOCHARGE_VIN": ChargingAuthMethod.AUTOCHARGE,
}


async def open_session(
    db: AsyncSession,
    ref: StationRef,
    transaction: StationTransaction,
    connector: Connector,
    decision: Decision,
) -> None:
    """The seed's ChargingSession of a transaction, made once its connector is known.

    Its id is there from the beginning: readings and events refer to it before.
    """
    configuration: dict[str, Any] = dict(connector.configuration or {})
    assert transaction.started_at is not None
    plugged_in = transaction.started_at
    if connector.status == "OCCUPIED" and configuration.get("status_at"):
        plugged_in = min(datetime.fromisoformat(configuration["status_at"]), plugged_in)
    progress = transactions.progress_of(transaction)
    values: dict[str, Any] = {
        "charging_station_id": ref.id,
        "connector_id": connector.id,
        "user_id": decision.user_id,
        "auth_token_id": decision.auth_token_id,
        "session_id": transaction.session_id,
        "transaction_id": transaction.transaction_id,
        "external_session_id": transaction.session_id,
        "start_timestamp": transaction.started_at,
        "authorization_timestamp": transaction.started_at,
        "plug_in_timestamp": plugged_in,
        "start_value": in_kwh(progress.told_start),
        "status": SESSION_STATUS.get(transaction.charging_state or "", ChargingStatus.CHARGING),
        "auth_method": auth_method(decision),
        "id_tag": transaction.id_tag,
        "tariff_id": connector.tariff_id,
    }
    if transaction.session_created_at is not None:
        await update_session(db, transaction, values)
        return
    row = ChargingSession(
        id=transaction.charging_session_id, created_at=datetime.now(UTC), **values
    )
    db.add(row)
    await db.flush()
    transaction.session_created_at = row.created_at
    await happened(db, transaction, "STARTED", transaction.started_at)


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
    await db.execute(
        insert(SessionEvent).values(
            charging_session_id=transaction.charging_session_id,
            timestamp=at or datetime.now(UTC),
            event_type=kind,
            details=details,
        )
    )


def fitting(power: Decimal | None) -> Decimal | None:
    """What the column takes: five digits of kW."""
    if power is None or abs(power) >= 100_000:  # noqa: PLR2004
        return None
    return power.quantize(Decimal("0.001"))


def stop_reason(reason: str) -> str:
    names = {name.replace("_", ""): name for name in StopReason}
    return names.get(reason.replace("_", "").upper(), StopReason.OTHER)


async def unplugged(db: AsyncSession, ref: StationRef, evse_number: int, at: datetime) -> None:
    """The connector is free again: that is when the cable was taken out."""
    transaction = await db.scalar(
        select(StationTransaction)
        .where(
            StationTransaction.charging_station_id == ref.id,
            StationTransaction.evse_number == evse_number,
            StationTransaction.state.in_(["ENDED", "LOST"]),
        )
        .order_by(StationTransaction.number.desc())
        .limit(1)
    )
    if transaction is not None:
        await db.execute(
            update(ChargingSession)
            .where(
                ChargingSession.id == transaction.charging_session_id,
                ChargingSession.created_at == transaction.session_created_at,
                ChargingSession.plug_out_timestamp.is_(None),
                func.coalesce(ChargingSession.end_timestamp, at) <= at + timedelta(seconds=1),
            )
            .values(plug_out_timestamp=at)
        )
