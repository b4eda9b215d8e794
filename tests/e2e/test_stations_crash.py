"""Kill the hub and its database while stations charge: one CDR a transaction, to the watt-hour.

Stations of all versions, some of them offline for most of what they do and sending it later. Each
death comes at a moment of its own in the life of a transaction, in the middle of a message (F-17).
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import pytest

from hub.demo import objects
from hub.demo.hub_process import HubProcess
from hub.simulator.scenarios import charge
from hub.simulator.station import SimulatedStation
from hub.simulator.vehicle import Vehicle
from tests.e2e.test_crash import connect, kill, killable
from tests.helpers.documents import token
from tests.helpers.partner import FakePartner

__all__ = ["killable"]

VERSIONS = ("1.6", "2.0.1", "2.1")
POWER = 150_000.0
MINUTES = 3
PLACED = {"max_voltage": 500, "max_amperage": 300}
BEGINS = ("StartTransaction", "Started")
READS = ("MeterValues", "Updated")
ENDS = ("StopTransaction", "Ended")
# Who is killed, when which message has just left a station ("out"), or been answered ("in").
DEATHS = (
    ("hub", "out", BEGINS),
    ("database", "out", READS),
    ("hub", "out", ENDS),
    ("database", "out", BEGINS),
    ("database", "out", ENDS),
    ("hub", "in", ENDS),
)
# Seconds between a message and the death: it has left, arrived, is worked on, or is committed.
AFTER = 0.015


@dataclass
class Reaper:
    """Listens to what stations say, and kills what the next of ``DEATHS`` names."""

    hub: HubProcess
    chance: random.Random
    left: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=lambda: list(DEATHS))
    waiting: dict[tuple[str, str], str] = field(default_factory=dict)
    killing: asyncio.Task[None] | None = None

    def listen(self, station: SimulatedStation, direction: str, text: str) -> None:
        match json.loads(text):
            case [2, str(message_id), str(action), dict(payload)] if direction == "out":
                said = payload.get("eventType", action)
                self.waiting[station.identity, message_id] = said
            case [3, str(message_id), _] if direction == "in":
                said = self.waiting.pop((station.identity, message_id))
            case _:
                return
        busy = self.killing is not None and not self.killing.done()
        if not busy and self.left and self.left[0][1] == direction and said in self.left[0][2]:
            self.killing = asyncio.create_task(self.kill())

    async def kill(self) -> None:
        what, *_ = self.left[0]
        await asyncio.sleep(self.chance.uniform(0, AFTER))
        # Who is dead still is killed when the next such message passes.
        with suppress(ValueError, ProcessLookupError):
            await kill(self.hub, what)
            self.left.pop(0)


@dataclass
class Charged:
    """A station, and the meter at the beginning and the end of each of its transactions."""

    station: SimulatedStation
    meters: list[tuple[float, float]] = field(default_factory=list)

    async def transaction(self) -> None:
        begun = self.station.register
        await charge(self.station, MINUTES)
        self.meters.append((begun, self.station.register))

    async def online(self, enough: Callable[[], bool]) -> None:
        """One driver after the other, while the hub is there and while it is not."""
        async with self.station.online():
            while len(self.meters) < 2 or not enough():
                await self.transaction()
                await self.station.drained()

    async def mostly_offline(self, enough: Callable[[], bool]) -> None:
        """Everything is told late, again and again in the middle of a death."""
        while not self.meters or not enough():
            await self.transaction()
            await self.transaction()
            async with self.station.online():
                await self.station.drained()


async def add_stations(hub: HubProcess, reaper: Reaper) -> list[Charged]:
    operator = hub.operator()

    def prepare() -> list[str]:
        own = objects.OWN
        tenant = operator.get("/me")["tenant"]
        owner = f"{own['country_code']}*{own['party_id']}"
        operator.patch(f"/tenants/{tenant['id']}", {"cpo_party": owner})
        path = f"{own['country_code']}/{own['party_id']}"
        place = objects.own_location()
        operator.ask("PUT", f"/objects/locations/{path}/{place['id']}", body=place)
        passwords = []
        for number in range(2 * len(VERSIONS)):
            made = operator.post("/stations", {"station_id": f"CP-{number}"})
            plug = {"id": 1, "standard": "IEC_62196_T2_COMBO", "phases": 3, **PLACED}
            evse = {"location_id": place["id"], "published": True, "connectors": [plug]}
            operator.patch(f"/stations/{made['station']['id']}/evses/1", evse)
            passwords.append(made["password"])
        return passwords

    passwords = await asyncio.to_thread(prepare)
    return [
        Charged(
            SimulatedStation(
                f"{hub.url.replace('http', 'ws', 1)}/ocpp",
                f"CP-{number}",
                password,
                version,
                id_tag=str(token()["uid"]),
                speed=120,
                power=POWER,
                minutes=MINUTES,
                register=1000.0 * number,
                vehicle=Vehicle(most=POWER, capacity=10_000_000.0),
                listen=reaper.listen,
            )
        )
        for number, (password, version) in enumerate(zip(passwords, cycle(VERSIONS), strict=False))
    ]


def energies(emsp: FakePartner) -> dict[str, Any]:
    """What each CDR says that flowed, in kWh; one that arrives again must say the same."""
    found: dict[str, Any] = {}
    for push in emsp.received:
        if push.module == "cdrs":
            told = found.setdefault(push.body["id"], push.body)
            assert told == push.body
    return found


async def test_each_transaction_is_billed_once_to_the_watt_hour_whatever_dies_when_F_17(killable):
    reaper = Reaper(killable, random.Random(20261125))
    async with FakePartner("DE*TWO EMSP") as emsp:
        await connect(killable, emsp)
        await emsp.put("tokens/DE/TWO/04AB12CD34EF80", token(whitelist="ALWAYS"))
        charged = await add_stations(killable, reaper)

        def enough() -> bool:
            return not reaper.left

        lives: list[Callable[[Callable[[], bool]], Awaitable[None]]] = [
            one.mostly_offline if number >= len(VERSIONS) else one.online
            for number, one in enumerate(charged)
        ]
        async with asyncio.timeout(150):
            await asyncio.gather(*(live(enough) for live in lives))
        meters = [(begun, ended) for one in charged for begun, ended in one.meters]
        await emsp.until(lambda emsp: len(energies(emsp)) >= len(meters), within=60)
        cdrs = energies(emsp).values()

    given_up = [
        fault for one in charged for fault in one.station.faults if is_of_transaction(fault)
    ]
    assert given_up == []
    assert not reaper.left
    assert len({cdr["session_id"] for cdr in cdrs}) == len(cdrs) == len(meters)
    flowed = sorted(ended - begun for begun, ended in meters)
    billed = sorted(cdr["total_energy"] * 1000 for cdr in cdrs)
    assert billed == [pytest.approx(energy, abs=1) for energy in flowed]


def is_of_transaction(fault: str) -> bool:
    return "Transaction" in fault or "MeterValues" in fault
