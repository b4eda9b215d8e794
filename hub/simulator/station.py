"""One simulated station with one connector: its meter, and what happens at it.

What must not be lost waits in its ``outbox`` through outages of its ``connection``; the rest is
said or not.

Time runs faster until it has caught up with ours: a station begins in the past, so that none of
its timestamps lies in the future. More than five minutes back it looks like one that was offline.
"""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ocpp.exceptions import OCPPError  # type: ignore[import-untyped]

from hub.simulator.answers import Payload
from hub.simulator.connection import ANSWER_WITHIN, Connection, Gone, Refused
from hub.simulator.dialect import Dialect
from hub.simulator.dialect_2x import Dialect21, Dialect201
from hub.simulator.dialect_16 import Dialect16
from hub.simulator.outbox import Outbox
from hub.simulator.vehicle import Vehicle

DIALECTS: Mapping[str, type[Dialect]] = {
    dialect.version: dialect for dialect in (Dialect16, Dialect201, Dialect21)
}
CONNECT_WITHIN = 30.0
SAMPLE_SECONDS = 60.0
VOLTS, PHASES = 230, 3


@dataclass
class SimulatedStation:
    """``url`` is that of the CSMS without the identity, such as ``ws://127.0.0.1:8080/ocpp``.

    ``speed`` is how many seconds pass in one, ``power`` what it offers, in W; ``register`` its
    meter, in Wh. ``watch`` is called whenever something about it has changed, ``listen`` with every
    frame that comes in or goes out.
    """

    url: str
    identity: str
    password: str
    version: str = "1.6"
    id_tag: str = "SIMULATED"
    speed: float = 60.0
    minutes: float = 4.0
    power: float = 11_000.0
    register: float = 0.0
    model: str = "S1"
    vehicle: Vehicle = field(default_factory=Vehicle)
    dice: random.Random = field(default_factory=random.Random)
    watch: Callable[["SimulatedStation"], None] = lambda station: None
    listen: Callable[["SimulatedStation", str, str], None] = lambda station, direction, text: None

    transaction: str | None = None
    reservation: int | None = None
    limit: float | None = None
    word: str = "Unavailable"
    broken: bool = False
    drawing: float = 0.0
    sessions: int = 0
    denied: int = 0
    delivered: float = 0.0
    sent: int = 0
    received: int = 0
    outages: int = 0
    faults: list[str] = field(default_factory=list)
    list_version: int = 0
    local_list: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dialect: Dialect = DIALECTS[self.version](self)
        self.connection = Connection(self)
        self.outbox = Outbox(self)
        self.skew = -timedelta(minutes=self.minutes)
        self.ids = itertools.count(1)
        self.remote_starts: asyncio.Queue[Payload] = asyncio.Queue()
        self.stop_asked = asyncio.Event()
        self.firmware = b""
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        return self.connection.up.is_set()

    @property
    def watts_per_ampere(self) -> float:
        return float(VOLTS * PHASES)

    def now(self) -> str:
        at = datetime.now(UTC) + self.skew
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def new_transaction(self) -> str:
        return f"{self.identity[:20]}-{int(datetime.now(UTC).timestamp())}-{next(self.ids)}"

    @asynccontextmanager
    async def online(self) -> AsyncIterator[None]:
        """Be connected, and connect again whenever that ends, until the block does."""
        keeping = asyncio.create_task(self.keep_connected())
        telling = asyncio.create_task(self.outbox.tell())
        reached = asyncio.create_task(self.connection.up.wait())
        try:
            await asyncio.wait(
                {keeping, reached}, timeout=CONNECT_WITHIN, return_when=asyncio.FIRST_COMPLETED
            )
            if keeping.done():
                keeping.result()
            if not reached.done():
                raise Refused(f"No CSMS answers at {self.url}.")
            yield
        finally:
            for task in (keeping, telling, reached):
                task.cancel()
            await asyncio.gather(keeping, telling, reached, return_exceptions=True)

    async def keep_connected(self) -> None:
        try:
            await self.connection.keep()
        except Refused as refusal:
            self.outbox.give_up(refusal)
            raise

    async def say(self, request: Any) -> Any:
        """Say something that is lost when nobody listens; None then."""
        if not self.connected:
            return None
        try:
            return await self.connection.ask(request)
        except (Gone, TimeoutError):
            return None
        except OCPPError as error:
            self.complain(f"{type(request).__name__}: {type(error).__name__}")
            return None

    def say_soon(self, request: Any) -> None:
        self.run(self.say(request))

    def say_heartbeat(self) -> None:
        self.say_soon(self.dialect.request("Heartbeat"))

    def say_status(self, word: str) -> None:
        self.word = word
        self.say_soon(self.dialect.status(word))
        self.watch(self)

    async def status(self, word: str) -> None:
        self.word = word
        self.watch(self)
        await self.say(self.dialect.status(word))

    def run(self, work: Coroutine[Any, Any, Any]) -> None:
        """Not while an answer is still being given, nor before the boot has been answered."""

        async def later() -> None:
            await asyncio.sleep(0)
            with suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_WITHIN):
                    await self.connection.up.wait()
            await work

        task = asyncio.create_task(later())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        # A task that is cancelled before it began never awaits what it was given.
        task.add_done_callback(lambda _: work.close())

    def reboot_soon(self) -> None:
        self.connection.booted = False
        self.run(self.connection.drop())

    def complain(self, fault: str) -> None:
        self.faults.append(fault)
        self.watch(self)

    async def begin(self, remote: Payload | None = None) -> str:
        """Somebody charges; returns what the CSMS says of the token, "" while nobody can say."""
        self.stop_asked.clear()
        told = self.outbox.add(self.dialect.started(remote))
        self.reservation = None
        if not self.connected:
            return ""
        answer = await told
        return self.dialect.after_start(answer)

    async def charge(self, minutes: float) -> bool:
        """Let the meter run; True when somebody asked to stop before it was over."""
        steps = max(1, int(minutes * 60 / SAMPLE_SECONDS))
        real = SAMPLE_SECONDS / self.speed
        for _ in range(steps):
            with suppress(TimeoutError):
                async with asyncio.timeout(real):
                    await self.stop_asked.wait()
                    self.drawing = 0.0
                    return True
            gained = min(SAMPLE_SECONDS - real, -self.skew.total_seconds())
            self.skew += timedelta(seconds=gained)
            offered = min(self.power, self.power if self.limit is None else self.limit)
            self.drawing = self.vehicle.draws(offered)
            energy = self.drawing * (real + gained) / 3600
            self.register += energy
            self.delivered += energy
            self.vehicle.take(energy)
            self.outbox.add(self.dialect.metered(self.drawing))
            self.watch(self)
        self.drawing = 0.0
        return False

    async def stop(self, reason: str) -> None:
        told = self.outbox.add(self.dialect.stopped(reason))
        if self.connected:
            await told
            self.transaction = None
        self.sessions += 1
        self.watch(self)

    async def drained(self) -> None:
        """Wait until everything that must be told has been."""
        await self.outbox.drained()
        self.transaction = None
