"""The end of a transaction, reported or supposed, written into its rows."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.ocpp import StationTransaction
from hub.models.values import ChargingStatus
from hub.roaming import metering, session_records, transactions
from hub.roaming.metering import CHARGING, Progress


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
    charging = sum(
        (
            hours
            for period, hours in metering.durations(progress.periods, transaction.ended_at)
            if period.state == CHARGING
        ),
        Decimal(0),
    )
    mean = progress.energy / 1000 / charging if charging > 0 else None
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
            "avg_power": session_records.fitting(mean),
            "status": ChargingStatus.COMPLETED,
            "stop_reason": session_records.stop_reason(reason),
            "session_metadata": {
                name: int(value)
                for name, value in (
                    ("initial_soc", progress.first_soc),
                    ("final_soc", progress.last_soc),
                )
                if value is not None
            },
            "diagnostics": {"warnings": progress.anomalies + list(transaction.notes or [])},
        },
    )
    await session_records.happened(
        db, transaction, "STOPPED", transaction.ended_at, {"reason": reason}
    )


def shifted(progress: Progress, started_at: datetime) -> Progress:
    """The same transaction begun at another time: all its periods move with it."""
    by = started_at - progress.started_at
    progress.started_at += by
    progress.read_at += by
    for period in progress.periods:
        period.start += by
    return progress
