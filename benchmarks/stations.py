"""Stations on real sockets, in front of a real database: messages a second beside a bare echo, what
an idle one costs, how long a storm lasts, and whether flooding stations are felt by others.
"""

import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from benchmarks.load import LoadFailed
from benchmarks.report import Row
from benchmarks.rounds import Bench
from benchmarks.servers import process
from benchmarks.sockets import TOKEN, Fleet, Payload, Refused, Socket, add_stations, close, now
from benchmarks.sockets import fleet as open_fleet
from hub.security import new_key

CLIENTS = 64
SAMPLES = 8
FLOODERS = 20
# Messages that each station of a storm has kept: a whole transaction, and its state.
READINGS_KEPT = 4
# Seconds between two questions of the station that does not flood.
INNOCENT_PAUSE = 0.05
CONNECTING_AT_ONCE = 16


# What is said. ``number`` is the transaction, ``count`` grows from message to message.

Make = Callable[[Any, int], tuple[str, Payload]]
Begin = Callable[[Socket], Awaitable[Any]]


def boot(number: Any, count: int) -> tuple[str, Payload]:
    return "BootNotification", {"chargePointVendor": "Vendor", "chargePointModel": "Model"}


def heartbeat(number: Any, count: int) -> tuple[str, Payload]:
    return "Heartbeat", {}


def status(number: Any, count: int) -> tuple[str, Payload]:
    word = "Available" if count % 2 else "Preparing"
    return "StatusNotification", {
        "connectorId": 1,
        "errorCode": "NoError",
        "status": word,
        "timestamp": now(),
    }


MEASURANDS = ("Energy.Active.Import.Register", "Power.Active.Import", "SoC", "Voltage")


def meter_values(number: Any, count: int) -> tuple[str, Payload]:
    samples = [
        {"value": str(count), "measurand": MEASURANDS[place % len(MEASURANDS)]}
        for place in range(SAMPLES)
    ]
    reading = {"timestamp": now(), "sampledValue": samples}
    return "MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": [reading]}


def transaction_event(number: Any, count: int) -> tuple[str, Payload]:
    samples = [
        {"value": count, "measurand": MEASURANDS[place % len(MEASURANDS)]}
        for place in range(SAMPLES)
    ]
    return "TransactionEvent", {
        "eventType": "Updated",
        "timestamp": now(),
        "triggerReason": "MeterValuePeriodic",
        "seqNo": count,
        "transactionInfo": {"transactionId": number, "chargingState": "Charging"},
        "meterValue": [{"timestamp": now(), "sampledValue": samples}],
    }


def start(count: int = 0) -> tuple[str, Payload]:
    begun = {"connectorId": 1, "idTag": TOKEN, "meterStart": count, "timestamp": now()}
    return "StartTransaction", begun


def stop(number: Any, count: int) -> tuple[str, Payload]:
    return "StopTransaction", {"transactionId": number, "meterStop": count, "timestamp": now()}


async def nothing(_: Socket) -> None:
    """Some messages need no transaction."""


async def begin(socket: Socket) -> Any:
    # The echo knows no transactions, and does not care.
    return (await socket.ask(*start())).get("transactionId", 1)


async def begin_2x(socket: Socket) -> Any:
    number = f"{time.time_ns():032}"
    await socket.ask(
        "TransactionEvent",
        {
            "eventType": "Started",
            "timestamp": now(),
            "triggerReason": "Authorized",
            "seqNo": 0,
            "transactionInfo": {"transactionId": number, "chargingState": "Charging"},
            "evse": {"id": 1, "connectorId": 1},
            "idToken": {"idToken": TOKEN, "type": "ISO14443"},
        },
    )
    return number


@dataclass(frozen=True)
class Kind:
    what: str
    make: Make
    begin: Begin = nothing
    version: str = "1.6"
    aim: float | None = None


KINDS = (
    Kind("Heartbeat", heartbeat, aim=0.35),
    Kind("BootNotification", boot),
    Kind("StatusNotification that changes the EVSE", status),
    Kind(f"MeterValues of {SAMPLES} samples, durable", meter_values, begin, aim=0.10),
    Kind(f"TransactionEvent of {SAMPLES} samples, durable", transaction_event, begin_2x, "2.0.1"),
)


def rows(bench: Bench) -> list[Row]:
    return asyncio.run(measure(bench))


async def measure(bench: Bench) -> list[Row]:
    keys, url = new_key(), bench.servers.postgres.url
    talking = len(KINDS) * bench.size.rounds * CLIENTS
    await add_stations(url, keys, max(bench.size.idle, bench.size.storm, talking, FLOODERS + 1))
    environment = {"HUB_BENCH_DATABASE": url, "HUB_BENCH_KEYS": keys}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="hub-bench-")))

        def serve(*options: str) -> int:
            running = process(directory, "benchmarks.csms", *options, environment=environment)
            return stack.enter_context(running)

        async with (
            open_fleet(bench.servers.bare) as bare,
            open_fleet(serve("--unlimited")) as hub,
        ):
            try:
                # None twice: one that came back so often would be kept waiting.
                numbers = itertools.count()
                found = [await messages(bench, kind, numbers, hub, bare) for kind in KINDS]
                found.append(await idle(bench, hub))
            except (Refused, aiohttp.ClientError) as error:
                raise LoadFailed(str(error)) from error
        async with open_fleet(serve()) as hub:
            found.append(await flood(bench, hub))
            found.append(await storm(bench, hub))
    return found


async def messages(
    bench: Bench, kind: Kind, numbers: Iterator[int], hub: Fleet, bare: Fleet
) -> Row:
    """One message in flight for each of a few stations."""
    letter = "A" if kind.version == "1.6" else "B"
    ours, echoed = [], []
    for _ in range(bench.size.rounds):
        names = [f"{letter}{next(numbers)}" for _ in range(CLIENTS)]
        echoed.append(await rate(bench, kind, names, bare))
        ours.append(await rate(bench, kind, names, hub))
    ratio = statistics.median(mine / its for mine, its in zip(ours, echoed, strict=True))
    return Row(
        f"OCPP {kind.version} {kind.what}",
        statistics.median(ours),
        statistics.median(echoed),
        ratio,
        aim="" if kind.aim is None else f"≥ {kind.aim:.2f}",
        met=None if kind.aim is None else ratio >= kind.aim,
    )


async def rate(bench: Bench, kind: Kind, names: Sequence[str], fleet: Fleet) -> float:
    sockets = await asyncio.gather(*(fleet.connect(name, kind.version) for name in names))
    numbers = await asyncio.gather(*map(kind.begin, sockets))
    deadline = time.perf_counter() + bench.size.seconds

    async def talk(socket: Socket, number: Any) -> int:
        count = 0
        while time.perf_counter() < deadline:
            count += 1
            await socket.ask(*kind.make(number, count))
        return count

    began = time.perf_counter()
    done = await asyncio.gather(*map(talk, sockets, numbers))
    seconds = time.perf_counter() - began
    await close(sockets)
    return sum(done) / seconds


async def connect_all(fleet: Fleet, count: int) -> list[Socket]:
    at_once = asyncio.Semaphore(CONNECTING_AT_ONCE)

    async def one(number: int) -> Socket:
        async with at_once:
            socket = await fleet.connect(f"A{number}")
            await socket.ask(*heartbeat(None, 0))
            return socket

    return list(await asyncio.gather(*map(one, range(count))))


async def idle(bench: Bench, fleet: Fleet) -> Row:
    """What a station costs that is connected and has said one thing."""
    before = await fleet.resident()
    sockets = await connect_all(fleet, bench.size.idle)
    cost = (await fleet.resident() - before) / len(sockets) / 1024
    await close(sockets)
    return Row(
        f"KiB of memory per idle station, {bench.size.idle:,} connected",
        cost,
        aim="≤ 25",
        met=cost <= 25,
        note="plain WebSockets of OCPP 1.6; growth of the process that holds them",
    )


async def flood(bench: Bench, fleet: Fleet) -> Row:
    """A station that asks now and then, while others send as fast as they can without waiting."""
    seconds = bench.size.seconds * bench.size.rounds
    innocent = await fleet.connect("A0")
    others = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.flooders"),
        *(str(fleet.port), str(FLOODERS)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert others.stdout is not None
    await others.stdout.readline()
    deadline = time.perf_counter() + seconds
    waited = []
    while time.perf_counter() < deadline:
        began = time.perf_counter()
        await innocent.ask(*heartbeat(None, 0))
        waited.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(INNOCENT_PAUSE)
    others.kill()
    await others.wait()
    await close([innocent])
    worst = sorted(waited)[int(len(waited) * 0.99)]
    return Row(
        f"ms to answer a station while {FLOODERS} flood (99 %)",
        worst,
        aim="≤ 50",
        met=worst <= 50,
        note=f"median {statistics.median(waited):.1f} ms, longest {max(waited):.1f} ms,"
        f" {len(waited)} questions",
    )


async def storm(bench: Bench, fleet: Fleet) -> Row:
    """All stations come back at the same moment, each with a transaction that nobody saw."""
    wrong: list[str] = []
    waited_for = 0

    async def one(number: int) -> None:
        nonlocal waited_for
        while True:
            try:
                socket = await fleet.connect(f"A{number}")
                break
            except (aiohttp.ClientError, OSError):
                # Stations try again after a while, too.
                waited_for += 1
                await asyncio.sleep(1)
        try:
            await tell_everything(socket)
        except Refused as error:
            wrong.append(str(error))
        await socket.websocket.close()

    began = time.perf_counter()
    await asyncio.gather(*map(one, range(bench.size.storm)))
    seconds = time.perf_counter() - began
    if wrong:
        raise LoadFailed(f"{len(wrong)} stations of a storm were refused: {wrong[0]}")
    each = 4 + READINGS_KEPT
    return Row(
        f"seconds until {bench.size.storm:,} stations that reconnect at once are drained",
        seconds,
        note=f"{each} messages each, {bench.size.storm * each / seconds:,.0f} a second;"
        f" {waited_for} connections were tried again, no message was refused",
    )


async def tell_everything(socket: Socket) -> None:
    """Boot, a transaction from start to end, and the state."""
    await socket.ask(*boot(None, 0))
    number = (await socket.ask(*start()))["transactionId"]
    for count in range(1, READINGS_KEPT + 1):
        await socket.ask(*meter_values(number, count * 100))
    await socket.ask(*stop(number, (READINGS_KEPT + 1) * 100))
    await socket.ask(*status(None, 1))
