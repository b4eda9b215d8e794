"""Readings as the seed's MeterValue rows, and back."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from secrets import token_hex
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from hub import codec
from hub.models.charging import MeterValue, SessionEvent
from hub.models.transactions import StationTransaction
from hub.models.values import Measurand, MeasurementLocation, ReadingContext
from hub.roaming.charging import transactions
from hub.roaming.metering import metering
from hub.roaming.metering.progress import CHARGING, STATES
from hub.roaming.metering.readings import Reading, Sample, Signed, figures
from hub.roaming.projection.signed_data import SignedReading

# As stations spell them, whatever the case; and back.
MEASURANDS = {name.replace("_", "").upper(): name for name in Measurand}
CONTEXTS = {name.replace("_", ""): name for name in ReadingContext}
LOCATIONS = frozenset(MeasurementLocation)
WORDS = {
    name: name.replace("_", ".").title().replace("Soc", "SoC").replace("Rpm", "RPM")
    for name in Measurand
}
# What the table can hold.
LARGEST_VALUE = Decimal(10) ** 9
# From the rows that ``rows`` makes. One JSON text: to encode arrays costs more than all the rest.
INSERT = (
    "INSERT INTO meter_values (id, charging_session_id, timestamp, measurand, value, unit, context,"
    " format, location, phase, signed_data)"
    " SELECT i, s, t, m, v, u, c, coalesce(f, 'RAW'), l, p, d FROM"
    " json_to_recordset(CAST(:rows AS json)) AS r(i uuid, s uuid, t timestamptz, m text, v numeric,"
    " u text, c text, f text, l text, p text, d text)"
)
KEEP = text(INSERT)


async def keep(db: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as ``rows`` makes them, all with one statement."""
    if rows:
        await db.execute(KEEP, {"rows": codec.write_rows(rows)})


def rows(session_id: UUID, readings: Iterable[Reading]) -> list[dict[str, Any]]:
    """One for each sample that the table has a place for, in the short names of ``INSERT``.

    Their ids have the last digits counted up: PostgreSQL draws the whole of each by lot, which
    costs a quarter of a row.
    """
    session, ids = str(session_id), token_hex(14)
    found: list[dict[str, Any]] = []
    for reading in readings:
        at = reading.at.isoformat()
        for sample in reading.samples:
            if (row := meter_value(sample)) is not None:
                row["i"], row["s"], row["t"] = f"{ids}{len(found):04x}", session, at
                found.append(row)
    return found


@lru_cache(maxsize=1024)
def plain(word: str) -> str:
    return word.replace(".", "").upper()


def meter_value(sample: Sample) -> dict[str, Any] | None:
    measurand = MEASURANDS.get(plain(sample.measurand))
    storable = sample.value is not None and abs(sample.value) < LARGEST_VALUE
    if measurand is None or not (storable or sample.signed is not None):
        return None
    row: dict[str, Any] = {"m": measurand}
    if storable:
        row["v"] = str(sample.value)
    if sample.unit is not None:
        row["u"] = sample.unit
    if sample.context is not None:
        row["c"] = CONTEXTS.get(plain(sample.context))
    if sample.location is not None and plain(sample.location) in LOCATIONS:
        row["l"] = plain(sample.location)
    if sample.phase is not None:
        row["p"] = sample.phase
    if sample.signed is not None:
        row |= {"f": "SIGNED_DATA", "d": packed(sample.signed)}
    return row


def sample_of(row: MeterValue) -> Sample:
    return Sample(
        row.value,
        WORDS[Measurand(row.measurand)],
        row.unit,
        told_context(row.context),
        {"EV": "EV"}.get(row.location or "", (row.location or "").title()) or None,
        row.phase,
    )


def told_context(context: str | None) -> str | None:
    """``TRANSACTION_BEGIN`` as stations say it."""
    return (context or "").replace("_", ".").title() or None


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
            told_context(row.context),
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


async def replay(db: AsyncSession, transaction: StationTransaction) -> None:
    """Count everything anew, in the order it happened rather than in that of its arrival."""
    before = transactions.progress_of(transaction)
    progress = metering.begin(
        transaction.started_at or before.started_at,
        meter_start=before.told_start,
        state=CHARGING,
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
            metering.change(progress, at, STATES[state])
        else:
            metering.read(progress, figures(Reading(at, tuple(samples))), limits)
    for anomaly in before.anomalies:
        progress.note(anomaly)
    transactions.keep(transaction, progress)
