"""Meter values as the messages carry them, turned into readings.

Signatures are carried along as text, never through a number.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from hub import codec
from hub.ocpp import timestamps
from hub.roaming.metering.readings import REGISTER, Reading, Sample, Signed, number


def readings_16(values: Iterable[dict[str, Any]]) -> tuple[Reading, ...]:
    return tuple(
        Reading(timestamps.read(value["timestamp"]), tuple(map(sample_16, value["sampledValue"])))
        for value in values
    )


def sample_16(sample: dict[str, Any]) -> Sample:
    told, value = sample.get, sample["value"]
    signed = signed_16(value) if told("format") == "SignedData" else None
    return Sample(
        None if signed is not None else number(value),
        told("measurand", REGISTER),
        told("unit"),
        told("context"),
        told("location"),
        told("phase"),
        signed,
    )


def signed_16(value: str) -> Signed:
    """JSON text with a signedMeterData member, or the signed text itself."""
    if value.lstrip().startswith("{"):
        try:
            told = codec.read(value)
        except codec.BadJSON:
            told = None
        if isinstance(told, dict) and isinstance(told.get("signedMeterData"), str):
            return Signed(
                told["signedMeterData"],
                not told["signedMeterData"].startswith("OCMF|"),
                text_or_none(told.get("encodingMethod")),
                text_or_none(told.get("publicKey")),
            )
    return Signed(value, False, "OCMF" if value.startswith("OCMF|") else None)


def text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def readings_2x(values: Iterable[dict[str, Any]]) -> tuple[Reading, ...]:
    return tuple(
        Reading(
            timestamps.read(value["timestamp"]),
            tuple(found for sample in value["sampledValue"] for found in samples_2x(sample)),
        )
        for value in values
    )


def samples_2x(sample: dict[str, Any]) -> Iterable[Sample]:
    """The value, and beside it what the meter signed of it."""
    unit = sample.get("unitOfMeasure") or {}
    measurand = sample.get("measurand", REGISTER)
    value = number(sample["value"])
    if value is not None and unit.get("multiplier"):
        value = value.scaleb(int(unit["multiplier"]))
    more = (sample.get("context"), sample.get("location"), sample.get("phase"))
    yield Sample(value, measurand, unit.get("unit"), *more)
    if signed := sample.get("signedMeterValue"):
        yield Sample(
            None,
            measurand,
            None,
            *more,
            Signed(
                signed["signedMeterData"],
                True,
                signed.get("encodingMethod"),
                signed.get("publicKey") or None,
            ),
        )


def watt_hours(value: Any) -> Decimal | None:
    return None if value is None else number(str(value))
