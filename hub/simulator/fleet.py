"""Many simulated stations at once, and what became of them."""

import asyncio
from collections.abc import Sequence
from typing import Any

from hub.simulator.connection import Refused
from hub.simulator.scenarios import Scenario
from hub.simulator.station import SimulatedStation

# Stations that connect in the same instant look like an attack, and never do so outside a lab.
SPREAD_SECONDS = 0.02


async def simulate(stations: Sequence[SimulatedStation], scenario: Scenario) -> list[str]:
    """Run all of them at once; returns what went wrong, station by station."""

    async def run(number: int, station: SimulatedStation) -> None:
        await asyncio.sleep(number * SPREAD_SECONDS)
        await scenario(station)

    outcomes = await asyncio.gather(
        *(run(number, station) for number, station in enumerate(stations)), return_exceptions=True
    )
    wrong = [
        f"{station.identity}: {reason(outcome)}"
        for station, outcome in zip(stations, outcomes, strict=True)
        if isinstance(outcome, BaseException)
    ]
    return wrong + [
        f"{station.identity}: {fault}" for station in stations for fault in station.faults
    ]


def reason(outcome: BaseException) -> str:
    return str(outcome) if isinstance(outcome, Refused) else f"{type(outcome).__name__} {outcome}"


def summary(station: SimulatedStation) -> dict[str, Any]:
    """A station in the figures that people ask for; energy in kWh, power in kW."""
    return {
        "station": station.identity,
        "version": station.version,
        "connected": station.connected,
        "state": station.word,
        "power": round(station.drawing / 1000, 1),
        "energy": round(station.delivered / 1000, 3),
        "battery": round(station.vehicle.full * 100),
        "sessions": station.sessions,
        "sent": station.sent,
        "received": station.received,
        "waiting": len(station.outbox.queue),
        "faults": list(station.faults),
    }
