"""Readings as the seed's MeterValue rows, and back."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from hub.models.charging import MeterValue, SessionEvent
from hub.models.ocpp import StationTransaction
from hub.models.values import Measurand, MeasurementLocation, ReadingContext
from hub.roaming import billing, metering, transactions
from hub.roaming.readings import Reading, Sample, figures

MEASURANDS = {name.replace("_", "").upper(): name for name in Measurand}


CONTEXTS = {name.replace("_", ""): name for name in ReadingContext}


# What the table can hold.
LARGEST_VALUE = Decimal(10) ** 9


WORDS = {
    name: name.replace("_", ".").title().replace("Soc", "SoC").replace("Rpm", "RPM")
    for name in Measurand
}


async def keep_readings(
    db: AsyncSession, transaction: StationTransaction, readings: Sequence[Reading]
) -> None:
    rows = [
        row
        for reading in readings
        for sample in reading.samples
        if (row := meter_value(transaction, reading.at, sample)) is not None
    ]
    if rows:
        await db.execute(insert(MeterValue).values(rows))


def meter_value(
    transaction: StationTransaction, at: datetime, sample: Sample
) -> dict[str, Any] | None:
    """One row, or None for what the table has no place for; the raw message is kept elsewhere."""
    measurand = MEASURANDS.get(sample.measurand.replace(".", "").upper())
    storable = sample.value is not None and abs(sample.value) < LARGEST_VALUE
    if measurand is None or not (storable or sample.signed is not None):
        return None
    return {
        "charging_session_id": transaction.charging_session_id,
        "timestamp": at,
        "measurand": measurand,
        "value": sample.value if storable else None,
        "unit": sample.unit,
        "context": CONTEXTS.get((sample.context or "").replace(".", "").upper()),
        "format": "SIGNED_DATA" if sample.signed is not None else "RAW",
        "location": (sample.location or "").upper()
        if (sample.location or "").upper() in set(MeasurementLocation)
        else None,
        "phase": sample.phase,
        "signed_data": billing.packed(sample.signed) if sample.signed is not None else None,
    }


def sample_of(row: MeterValue) -> Sample:
    return Sample(
        row.value,
        WORDS[Measurand(row.measurand)],
        row.unit,
        (row.context or "").replace("_", ".").title() or None,
        {"EV": "EV"}.get(row.location or "", (row.location or "").title()) or None,
        row.phase,
    )


async def replay(db: AsyncSession, transaction: StationTransaction) -> None:
    """Count everything anew, in the order it happened rather than in that of its arrival."""
    before = transactions.progress_of(transaction)
    progress = metering.begin(
        transaction.started_at or before.started_at,
        meter_start=before.told_start,
        state=metering.CHARGING,
        most_power=int(before.most_power),
    )
    limits = transactions.limits_of(transaction)
    turns = await db.execute(
        select(SessionEvent.timestamp, SessionEvent.details).where(
            SessionEvent.charging_session_id == transaction.charging_session_id,
            SessionEvent.event_type == "STATE",
        )
    )
    rows = await db.scalars(
        select(MeterValue)
        .where(
            MeterValue.charging_session_id == transaction.charging_session_id,
            MeterValue.value.is_not(None),
        )
        .order_by(MeterValue.timestamp)
    )
    by_time: dict[datetime, list[Sample]] = {}
    for row in rows:
        by_time.setdefault(row.timestamp, []).append(sample_of(row))
    steps: list[tuple[datetime, str | None, list[Sample]]] = [
        (turned.timestamp, turned.details["state"], []) for turned in turns
    ]
    steps += [(at, None, samples) for at, samples in by_time.items()]
    for at, state, samples in sorted(steps, key=lambda step: step[0]):
        if state is not None:
            metering.change(progress, at, metering.STATES[state])
        else:
            metering.read(progress, figures(Reading(at, tuple(samples))), limits)
    for anomaly in before.anomalies:
        progress.note(anomaly)
    transactions.keep(transaction, progress)
