"""The end of a transaction, reported or supposed, written into its rows."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.charging import ChargingSession
from hub.models.transactions import StationEvent, StationTransaction
from hub.models.values import ChargingStatus
from hub.roaming.charging import session_records, transactions
from hub.roaming.charging.billing import NOTHING_SOLD
from hub.roaming.metering import metering
from hub.roaming.metering.progress import CHARGING, Progress, durations

# Ends that neither the driver nor the operator wanted.
FAULTS = frozenset(
    {
        "EmergencyStop", "PowerLoss", "PowerQuality", "GroundFault", "OvercurrentFault", "Other",
    }
)  # fmt: skip


async def end(
    db: AsyncSession,
    transaction: StationTransaction,
    ended_at: datetime,
    reason: str,
    meter_stop: Decimal | None,
) -> None:
    """Write the end into the transaction and its session."""
    progress = metering.finish(transactions.progress_of(transaction), ended_at, meter_stop)
    transactions.keep(transaction, progress)
    transaction.ended_at = max(ended_at, progress.started_at)
    transaction.stop_reason = reason[:40]
    await session_records.update_session(
        db,
        transaction,
        {
            "start_timestamp": progress.started_at,
            "end_timestamp": transaction.ended_at,
            "end_value": session_records.in_kwh(
                progress.register if meter_stop is None else meter_stop
            ),
            "start_value": session_records.in_kwh(progress.told_start or progress.meter_start),
            "total_energy": session_records.in_kwh(progress.energy),
            "max_power": session_records.fitting(progress.most_measured),
            "avg_power": session_records.fitting(mean_power(progress, transaction.ended_at)),
            "status": status_of(reason, progress),
            "stop_reason": session_records.stop_reason(reason),
            "error_code": reason[:50] if reason in FAULTS else None,
            "session_metadata": func.coalesce(
                ChargingSession.session_metadata, text("'{}'::jsonb")
            ).op("||")(bindparam("states", states_of_charge(progress), type_=JSONB)),
            "diagnostics": await diagnostics(db, transaction, progress),
        },
    )
    await session_records.happened(
        db, transaction, "STOPPED", transaction.ended_at, {"reason": reason}
    )


def mean_power(progress: Progress, ended_at: datetime) -> Decimal | None:
    """KW over the time in which the vehicle was charging."""
    charging = sum(
        (
            hours
            for period, hours in durations(progress.periods, ended_at)
            if period.state == CHARGING
        ),
        Decimal(0),
    )
    return progress.energy / 1000 / charging if charging > 0 else None


def status_of(reason: str, progress: Progress) -> ChargingStatus:
    if reason in NOTHING_SOLD and not progress.energy:
        return ChargingStatus.CANCELLED
    return ChargingStatus.INTERRUPTED if reason in FAULTS else ChargingStatus.COMPLETED


def states_of_charge(progress: Progress) -> dict[str, int]:
    told = (("initial_soc", progress.first_soc), ("final_soc", progress.last_soc))
    return {name: int(value) for name, value in told if value is not None}


async def diagnostics(
    db: AsyncSession, transaction: StationTransaction, progress: Progress
) -> dict[str, Any]:
    """What an operator asks when a session is disputed: what was odd, and how much was heard."""
    rows = await db.execute(
        select(StationEvent.kind, func.count())
        .where(StationEvent.station_transaction_id == transaction.id)
        .group_by(StationEvent.kind)
    )
    reason = transaction.stop_reason or ""
    offline = [{"event": "OFFLINE", "at": progress.started_at.isoformat()}]
    return {
        "warnings": progress.anomalies + list(transaction.notes or []),
        "errors": [reason] if reason in FAULTS else [],
        "performance_metrics": {f"{kind.lower()}_messages": count for kind, count in rows},
        "network_events": offline if transaction.offline else [],
        "quality_metrics": {
            "anomalies": len(progress.anomalies),
            "periods": len(progress.periods),
            "last_reading_at": progress.read_at.isoformat(),
        },
    }


def shifted(progress: Progress, started_at: datetime) -> Progress:
    """The same transaction begun at another time: all its periods move with it."""
    by = started_at - progress.started_at
    progress.started_at += by
    progress.read_at += by
    for period in progress.periods:
        period.start += by
    return progress
