"""The hub's own charging stations in the demo: an eMSP starts, watches and ends a session at each.

The operator adds and places them; they connect over OCPP. From there on they are one more CPO: the
eMSP finds their EVSEs among its locations, sends its commands as it would to anybody, and gets
sessions and CDRs. In the end, what it was told is compared with each station's own meter.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hub.cli.client import Hub
from hub.cli.failures import Failure
from hub.demo import objects
from hub.demo.hub_process import HubProcess
from hub.demo.platform import JSON, Platform
from hub.demo.trace import Trace
from hub.simulator.scenarios import SCENARIOS
from hub.simulator.station import SimulatedStation
from hub.simulator.vehicle import Vehicle

VERSIONS = ("1.6", "2.0.1", "2.1")
PRICE, VAT = Decimal("0.49"), Decimal(21)
POWERS = (22_000.0, 150_000.0)
# Updates of a session that the eMSP must have seen before it ends it.
UPDATES = 3
# Seconds that anything may take.
PATIENCE = 60.0
SPEED = 120.0


@dataclass
class Charged:
    """One station, and what the eMSP was told of its session."""

    station: SimulatedStation
    evse_uid: str = ""
    begun: float = 0.0
    start: str = "-"
    stop: str = "-"
    session: JSON = field(default_factory=dict)
    updates: int = 0
    cdrs: list[JSON] = field(default_factory=list)
    wrong: str = ""

    @property
    def meter(self) -> Decimal:
        """What flowed, in kWh, by the station's own meter."""
        return Decimal(str(round(self.station.register - self.begun))) / 1000

    def check(self) -> str:
        """What is not as it should be; "" when all is."""
        if self.wrong:
            return self.wrong
        if not self.cdrs:
            return "no CDR came"
        energies = [self.session["kwh"], *(cdr["total_energy"] for cdr in self.cdrs)]
        for energy in energies:
            if abs(Decimal(str(energy)) - self.meter) > Decimal("0.001"):
                return f"{energy} kWh were told, {self.meter} kWh flowed"
        if len(self.cdrs) != 1:
            return f"{len(self.cdrs)} CDRs came"
        wanted = (self.meter * PRICE).quantize(Decimal("0.01"))
        cost = Decimal(str(self.cdrs[0]["total_cost"]["excl_vat"]))
        return "" if abs(cost - wanted) <= Decimal("0.01") else f"{cost} is not {wanted} EUR"

    def row(self) -> dict[str, Any]:
        cost = self.cdrs[0]["total_cost"] if self.cdrs else {}
        return {
            "station": self.station.identity,
            "version": self.station.version,
            "start": self.start,
            "updates": self.updates,
            "stop": self.stop,
            "meter": float(self.meter),
            "session": self.session.get("kwh"),
            "cdr": self.cdrs[0]["total_energy"] if self.cdrs else None,
            "cost": f"{Decimal(str(cost['excl_vat'])):.2f} EUR" if cost else None,
            "wrong": self.check() or None,
        }


@dataclass
class OwnStations:
    """``count`` stations of all versions, at one location of the hub's own CPO party."""

    hub: HubProcess
    emsp: Platform
    trace: Trace
    count: int
    charged: list[Charged] = field(default_factory=list)
    waiting: dict[tuple[str, str], str] = field(default_factory=dict)

    async def tell(self) -> None:
        self.trace.chapter(
            "The operator describes a location and adds charging stations of its own"
        )
        passwords = await asyncio.to_thread(self.prepare, self.hub.operator())
        self.charged = [
            Charged(self.simulated(number, password)) for number, password in enumerate(passwords)
        ]
        self.trace.chapter("They connect over OCPP, and the eMSP finds their EVSEs")
        running = [asyncio.ensure_future(SCENARIOS["remote"](one.station)) for one in self.charged]
        try:
            await self.published()
            self.trace.chapter("The eMSP starts, watches and ends a session at each of them")
            await asyncio.gather(*(self.charge(one) for one in self.charged))
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def prepare(self, operator: Hub) -> list[str]:
        """What an operator does before a station may charge anybody; returns their passwords."""
        tenant = operator.get("/me")["tenant"]
        own = f"{objects.OWN['country_code']}*{objects.OWN['party_id']}"
        operator.patch(f"/tenants/{tenant['id']}", {"cpo_party": own})
        for module, body in (
            ("locations", objects.own_location()),
            ("tariffs", objects.own_tariff(PRICE, VAT)),
        ):
            path = f"{objects.OWN['country_code']}/{objects.OWN['party_id']}/{body['id']}"
            operator.ask("PUT", f"/objects/{module}/{path}", body=body)
        passwords = []
        for number in range(self.count):
            made = operator.post("/stations", {"station_id": f"CP-{number + 1}"})
            operator.patch(f"/stations/{made['station']['id']}/evses/1", objects.own_evse(number))
            passwords.append(made["password"])
        return passwords

    def simulated(self, number: int, password: str) -> SimulatedStation:
        power = POWERS[number % len(POWERS)]
        return SimulatedStation(
            f"{self.hub.url.replace('http', 'ws', 1)}/ocpp",
            f"CP-{number + 1}",
            password,
            VERSIONS[number % len(VERSIONS)],
            speed=SPEED,
            power=power,
            register=1000.0 * (number + 1),
            vehicle=Vehicle(full=0.2, most=power, direct=power > POWERS[0]),
            listen=self.heard,
        )

    def heard(self, station: SimulatedStation, direction: str, text: str) -> None:
        """Put a frame into the trace: each call once, with what was answered."""
        caller, called = station.identity, "hub"
        match json.loads(text):
            case [2, str(message_id), str(action), *_]:
                self.waiting[direction, message_id] = action
            case [3, str(message_id), dict(answer)]:
                other = "in" if direction == "out" else "out"
                action = self.waiting.pop((other, message_id), "?")
                if other == "in":
                    caller, called = called, caller
                self.trace.message(caller, called, action, json.dumps(answer)[:60])

    async def published(self) -> None:
        """Until the eMSP knows where each of them is, and that it is free."""
        path = f"{objects.OWN['country_code']}/{objects.OWN['party_id']}/{objects.OWN_LOCATION}"

        def known() -> bool:
            location = self.emsp.kept.get(("locations", path), {})
            free = {
                evse["evse_id"]: evse["uid"]
                for evse in location.get("evses") or []
                if evse["status"] == "AVAILABLE"
            }
            for number, one in enumerate(self.charged):
                one.evse_uid = free.get(objects.own_evse_id(number), "")
            return all(one.evse_uid for one in self.charged)

        if not await self.until(known):
            raise Failure("The eMSP never heard of the stations.")

    async def charge(self, one: Charged) -> None:
        one.begun = one.station.register
        asked = {
            "token": objects.token(),
            "location_id": objects.OWN_LOCATION,
            "evse_uid": one.evse_uid,
        }
        one.start = await self.command("START_SESSION", asked)
        if one.start != "ACCEPTED":
            one.wrong = "START_SESSION was not accepted"
            return
        if not await self.until(lambda: len(self.course(one)) >= UPDATES):
            one.wrong = "no updates of the session came"
            return
        session_id = self.course(one)[-1]["id"]
        one.stop = await self.command("STOP_SESSION", {"session_id": session_id})
        if one.stop != "ACCEPTED":
            one.wrong = "STOP_SESSION was not accepted"
            return
        ended = await self.until(lambda: bool(self.cdrs_of(session_id)))
        await self.until(lambda: self.course(one)[-1]["status"] == "COMPLETED")
        one.session, one.updates = self.course(one)[-1], len(self.course(one))
        one.cdrs = self.cdrs_of(session_id) if ended else []

    async def command(self, name: str, body: JSON) -> str:
        """The result of a command, or why there is none."""
        answer, command_id = await self.emsp.command(name, body)
        if not answer.ok or answer.data["result"] != "ACCEPTED":
            return str(answer.data["result"] if answer.ok else answer.message)
        if not await self.until(lambda: command_id in self.emsp.results):
            return "no result"
        return str(self.emsp.results[command_id]["result"])

    def course(self, one: Charged) -> list[JSON]:
        """The session at this station, as the eMSP was told of it over time."""
        for told in self.emsp.courses.values():
            if told[-1].get("evse_uid") == one.evse_uid:
                return told
        return []

    def cdrs_of(self, session_id: str) -> list[JSON]:
        return [
            body
            for (module, _), body in self.emsp.kept.items()
            if module == "cdrs" and body.get("session_id") == session_id
        ]

    async def until(self, holds: Callable[[], bool]) -> bool:
        """Wait for something that the eMSP is told; False when it is not told in time."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    self.emsp.changed.clear()
                    await self.emsp.changed.wait()
        except TimeoutError:
            return False
        return True

    def rows(self) -> list[dict[str, Any]]:
        return [one.row() for one in self.charged]

    def whole(self) -> bool:
        return all(not one.check() for one in self.charged)
