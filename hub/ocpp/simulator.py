"""Simulated charging stations on real sockets: for the demo, for load, and for seeing how it goes.

    python -m hub.ocpp.simulator ws://127.0.0.1:8080/ocpp CP-1 --password … --scenario session

Each station speaks one version over a WebSocket of its own and knows nothing of the hub but its
URL: what it does is what a station does. It answers remote starts and stops, so that a session can
be begun from outside as well.

Time runs faster until it has caught up with ours: a station begins in the past, so that none of
its timestamps lies in the future. More than five minutes back it looks like one that was offline.
"""

import argparse
import asyncio
import base64
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from hub import codec
from hub.ocpp import timestamps
from hub.ocpp.frames import OCPPVersion, Payload

ANSWER_WITHIN = 30.0
SAMPLE_SECONDS = 60.0
SUPPLY_VOLTAGE = 230
# An AC vehicle draws less towards the end; a fault or an outage happens in the middle.
TAPER_FROM = 0.8

Scenario = Callable[["SimulatedStation"], Awaitable[None]]


class Refused(Exception):
    """The CSMS answered with a CALLERROR."""


@dataclass
class SimulatedStation:
    """One station with one connector. ``speed`` is how many seconds pass in one."""

    url: str
    identity: str
    password: str
    version: OCPPVersion = OCPPVersion.V16
    id_tag: str = "SIMULATED"
    speed: float = 60.0
    power: float = 11_000.0
    minutes: float = 4.0
    dice: random.Random = field(default_factory=random.Random)
    socket: aiohttp.ClientWebSocketResponse | None = None
    pending: dict[str, asyncio.Future[Payload]] = field(default_factory=dict)
    ids: Any = field(default_factory=itertools.count)
    register: float = 0.0
    transaction: str | None = None
    sequence: int = 0
    remote: "asyncio.Queue[Payload]" = field(default_factory=asyncio.Queue)
    stop_asked: asyncio.Event = field(default_factory=asyncio.Event)
    # What could not be said while offline, to be said afterwards.
    queue: list[tuple[str, Payload]] = field(default_factory=list)
    # How far its clock is behind.
    skew: timedelta = timedelta(0)
    log: Callable[[str], None] = lambda text: None

    def __post_init__(self) -> None:
        self.skew = -timedelta(minutes=self.minutes)

    @property
    def modern(self) -> bool:
        return self.version.is_2x

    def now(self) -> str:
        return timestamps.write(datetime.now(UTC) + self.skew)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Connect, boot and say that the connector is free; listen until the block ends."""
        secret = base64.b64encode(f"{self.identity}:{self.password}".encode()).decode()
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(
                f"{self.url}/{self.identity}",
                protocols=[self.version.subprotocol],
                headers={"Authorization": f"Basic {secret}"},
            ) as socket,
        ):
            self.socket = socket
            reading = asyncio.create_task(self.read(socket))
            try:
                yield
            finally:
                self.socket = None
                reading.cancel()
                with suppress(asyncio.CancelledError):
                    await reading

    async def read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            match codec.read(message.data):
                case [2, str(message_id), str(action), dict(payload)]:
                    answer = self.asked(action, payload)
                    kind = [3, message_id, answer]
                    if answer is None:
                        kind = [4, message_id, "NotImplemented", "", {}]
                    await socket.send_str(codec.write_text(kind))
                case [3, str(message_id), dict(payload)] if message_id in self.pending:
                    self.pending.pop(message_id).set_result(payload)
                case [4, str(message_id), str(code), *_] if message_id in self.pending:
                    self.pending.pop(message_id).set_exception(Refused(code))

    def asked(self, action: str, payload: Payload) -> Payload | None:
        """The answer to what the CSMS wants; None for what this station has never heard of."""
        match action:
            case "RemoteStartTransaction" | "RequestStartTransaction":
                self.remote.put_nowait(payload)
            case "RemoteStopTransaction" | "RequestStopTransaction":
                if str(payload["transactionId"]) != self.transaction:
                    return {"status": "Rejected"}
                self.stop_asked.set()
            case "GetConfiguration":
                return {"configurationKey": [], "unknownKey": []}
            case "UnlockConnector":
                return {"status": "Unlocked"}
            case "SetVariables":
                return {
                    "setVariableResult": [accepted(item) for item in payload["setVariableData"]]
                }
            case _ if action not in ACCEPTED:
                return None
        return {"status": "Accepted"}

    async def call(self, action: str, payload: Payload) -> Payload:
        """Ask the CSMS; while offline, remember what must not be lost."""
        if self.socket is None:
            self.queue.append((action, payload))
            return {}
        message_id = f"{next(self.ids)}"
        future: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        self.pending[message_id] = future
        await self.socket.send_str(codec.write_text([2, message_id, action, payload]))
        async with asyncio.timeout(ANSWER_WITHIN):
            return await future

    async def drain(self) -> None:
        """Say what was kept back, in its order; the 1.6 transaction gets its number only now."""
        queue, self.queue = self.queue, []
        for action, payload in queue:
            if "transactionId" in payload and not self.modern:
                payload["transactionId"] = int(self.transaction or 0)
            answer = await self.call(action, payload)
            if action == "StartTransaction":
                self.transaction = str(answer["transactionId"])

    async def boot(self) -> None:
        if self.modern:
            about = {"vendorName": "Simulator", "model": "S1", "serialNumber": self.identity}
            payload: Payload = {"chargingStation": about, "reason": "PowerUp"}
        else:
            payload = {"chargePointVendor": "Simulator", "chargePointModel": "S1"}
        answer = await self.call("BootNotification", payload)
        if answer["status"] != "Accepted":
            raise Refused(answer["status"])
        self.log("booted")

    async def status(self, word: str) -> None:
        """Of the connector, in 1.6's words; 2.x only knows that it is in use."""
        if self.modern:
            in_use = word not in {"Available", "Faulted", "Unavailable", "Reserved"}
            payload: Payload = {
                "timestamp": self.now(),
                "connectorStatus": "Occupied" if in_use else word,
                "evseId": 1,
                "connectorId": 1,
            }
        else:
            error = "InternalError" if word == "Faulted" else "NoError"
            payload = {
                "connectorId": 1,
                "errorCode": error,
                "status": word,
                "timestamp": self.now(),
            }
        if self.socket is not None:
            await self.call("StatusNotification", payload)

    async def begin(self, remote: Payload | None = None) -> None:
        self.stop_asked.clear()
        if self.modern:
            self.transaction, self.sequence = f"{self.identity}-{next(self.ids)}", 0
            more: Payload = {"evse": {"id": 1, "connectorId": 1}, "idToken": token_of(remote, self)}
            info = {"remoteStartId": remote["remoteStartId"]} if remote else {}
            await self.event("Started", "Transaction.Begin", info=info, **more)
            return
        tag = remote["idTag"] if remote else self.id_tag
        answer = await self.call(
            "StartTransaction",
            {
                "connectorId": 1,
                "idTag": tag,
                "meterStart": round(self.register),
                "timestamp": self.now(),
            },
        )
        self.transaction = str(answer.get("transactionId", 0))

    async def event(self, kind: str, context: str, *, info: Payload, **more: Any) -> None:
        sample = {"value": round(self.register, 1), "context": context}
        await self.call(
            "TransactionEvent",
            {
                "eventType": kind,
                "timestamp": self.now(),
                "triggerReason": "MeterValuePeriodic" if kind == "Updated" else "CablePluggedIn",
                "seqNo": self.sequence,
                "offline": self.socket is None,
                "transactionInfo": {
                    "transactionId": self.transaction,
                    "chargingState": "Charging",
                    **info,
                },
                "meterValue": [{"timestamp": self.now(), "sampledValue": [sample]}],
                **more,
            },
        )
        self.sequence += 1

    async def sample(self, power: float) -> None:
        if self.modern:
            await self.event("Updated", "Sample.Periodic", info={})
            return
        values = [
            {"value": f"{self.register:.1f}", "context": "Sample.Periodic"},
            {"value": f"{power:.0f}", "measurand": "Power.Active.Import", "unit": "W"},
            {
                "value": f"{power / SUPPLY_VOLTAGE / 3:.1f}",
                "measurand": "Current.Import",
                "unit": "A",
                "phase": "L1",
            },
        ]
        reading = {"timestamp": self.now(), "sampledValue": values}
        await self.call(
            "MeterValues",
            {
                "connectorId": 1,
                "transactionId": int(self.transaction or 0),
                "meterValue": [reading],
            },
        )

    async def stop(self, reason: str) -> None:
        if self.modern:
            info = {"stoppedReason": reason, "chargingState": "Idle"}
            await self.event("Ended", "Transaction.End", info=info)
        else:
            await self.call(
                "StopTransaction",
                {
                    "transactionId": int(self.transaction or 0),
                    "meterStop": round(self.register),
                    "timestamp": self.now(),
                    "reason": reason,
                },
            )
        if self.socket is not None:
            self.transaction = None

    async def charge(self, minutes: float) -> bool:
        """Let the meter run; True when somebody asked to stop before it was over."""
        steps = max(1, int(minutes * 60 / SAMPLE_SECONDS))
        real = SAMPLE_SECONDS / self.speed
        for step in range(steps):
            with suppress(TimeoutError):
                async with asyncio.timeout(real):
                    await self.stop_asked.wait()
                    return True
            full = step / steps
            share = 1.0 if full < TAPER_FROM else max(0.2, (1 - full) / (1 - TAPER_FROM))
            power = self.power * share * self.dice.uniform(0.97, 1.0)
            gained = min(SAMPLE_SECONDS - real, -self.skew.total_seconds())
            self.skew += timedelta(seconds=gained)
            self.register += power * (real + gained) / 3600
            await self.sample(power)
        return False


ACCEPTED = frozenset(
    {
        "ChangeConfiguration", "TriggerMessage", "Reset", "ReserveNow", "CancelReservation",
        "SetChargingProfile", "ClearChargingProfile", "ClearCache", "ChangeAvailability",
        "GetBaseReport",
    }
)  # fmt: skip


def accepted(item: Mapping[str, Any]) -> Payload:
    return {
        "attributeStatus": "Accepted",
        "component": item["component"],
        "variable": item["variable"],
    }


def token_of(remote: Payload | None, station: SimulatedStation) -> Payload:
    if remote is not None:
        token: Payload = remote["idToken"]
        return token
    return {"idToken": station.id_tag, "type": "ISO14443"}


async def idle(station: SimulatedStation) -> None:
    """Boot and wait, a heartbeat now and then, until the task is cancelled."""
    async with station.connected():
        await station.boot()
        await station.status("Available")
        while True:
            await asyncio.sleep(300 / station.speed)
            await station.call("Heartbeat", {})


async def session(station: SimulatedStation) -> None:
    """A driver shows a card, charges and drives away."""
    async with station.connected():
        await station.boot()
        await station.status("Preparing")
        await station.begin()
        await station.status("Charging")
        asked = await station.charge(station.minutes)
        await station.stop("Remote" if asked else "EVDisconnected")
        await station.status("Available")


async def remote(station: SimulatedStation) -> None:
    """Wait for a remote start, charge until a remote stop, and so on."""
    async with station.connected():
        await station.boot()
        await station.status("Available")
        while True:
            asked = await station.remote.get()
            await station.status("Preparing")
            await station.begin(asked)
            await station.status("Charging")
            await station.charge(24 * 60)
            await station.stop("Remote")
            await station.status("Available")


async def offline(station: SimulatedStation) -> None:
    """The connection breaks in the middle of a session and comes back with what was kept."""
    async with station.connected():
        await station.boot()
        await station.status("Preparing")
        await station.begin()
        await station.charge(station.minutes / 2)
    await station.charge(station.minutes / 2)
    await station.stop("EVDisconnected")
    async with station.connected():
        await station.drain()
        station.transaction = None
        await station.status("Available")


async def fault(station: SimulatedStation) -> None:
    """Something breaks while charging."""
    async with station.connected():
        await station.boot()
        await station.status("Preparing")
        await station.begin()
        await station.charge(station.minutes / 2)
        await station.stop("Other")
        await station.status("Faulted")


SCENARIOS: Mapping[str, Scenario] = {
    "idle": idle,
    "session": session,
    "remote": remote,
    "offline": offline,
    "fault": fault,
}


async def simulate(stations: Sequence[SimulatedStation], scenario: Scenario) -> list[str]:
    """Run all of them at once; returns what went wrong, station by station."""
    outcomes = await asyncio.gather(
        *(scenario(station) for station in stations), return_exceptions=True
    )
    return [
        f"{station.identity}: {type(outcome).__name__} {outcome}"
        for station, outcome in zip(stations, outcomes, strict=True)
        if isinstance(outcome, BaseException)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="hub station simulate", description=__doc__)
    parser.add_argument("url", help="such as ws://127.0.0.1:8080/ocpp")
    parser.add_argument("identity", nargs="+", help="the stations' OCPP identities")
    parser.add_argument("--password", required=True)
    parser.add_argument("--version", default="1.6", choices=[v.value for v in OCPPVersion])
    parser.add_argument("--scenario", default="session", choices=sorted(SCENARIOS))
    parser.add_argument("--id-tag", default="SIMULATED")
    parser.add_argument("--speed", type=float, default=60.0, help="seconds that pass in one")
    parser.add_argument("--minutes", type=float, default=4.0, help="length of a session")
    given = parser.parse_args(arguments)
    stations = [
        SimulatedStation(
            given.url.rstrip("/"),
            identity,
            given.password,
            OCPPVersion(given.version),
            id_tag=given.id_tag,
            speed=given.speed,
            minutes=given.minutes,
        )
        for identity in given.identity
    ]
    wrong = asyncio.run(simulate(stations, SCENARIOS[given.scenario]))
    for line in wrong:
        print(line)  # noqa: T201
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
