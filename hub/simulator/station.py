"""One simulated station with one connector: its socket, its meter, and what it has to tell.

What must not be lost (the beginning, the readings and the end of a transaction) waits in a queue
until it is answered, through outages of either side; the rest is said or not. After an outage a
station connects again by itself, without booting, as stations do.

Time runs faster until it has caught up with ours: a station begins in the past, so that none of
its timestamps lies in the future. More than five minutes back it looks like one that was offline.
"""

import asyncio
import base64
import itertools
import logging
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from ocpp.exceptions import OCPPError  # type: ignore[import-untyped]

from hub.simulator.dialects import DIALECTS, Dialect, Payload
from hub.simulator.vehicle import Vehicle

# Its own complaints about what a CSMS says are counted, not printed.
logging.getLogger("ocpp").setLevel(logging.CRITICAL)

ANSWER_WITHIN = 30.0
OK = 200
CONNECT_WITHIN = 30.0
SAMPLE_SECONDS = 60.0
VOLTS, PHASES = 230, 3
RETRIES = 3
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)


class Gone(Exception):
    """The connection is not there any more."""


class Refused(Exception):
    """The CSMS will not have the station."""


class Socket:
    """An aiohttp WebSocket as the library wants one."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse, station: "SimulatedStation"
    ) -> None:
        self.socket, self.station = socket, station

    async def recv(self) -> str:
        message = await self.socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise Gone
        self.station.received += 1
        self.station.listen(self.station, "in", str(message.data))
        return str(message.data)

    async def send(self, text: str) -> None:
        self.station.sent += 1
        self.station.listen(self.station, "out", text)
        try:
            await self.socket.send_str(text)
        except (ConnectionError, RuntimeError):
            raise Gone from None


@dataclass
class Waiting:
    """Something that must be told. ``told`` is its answer, or why there is none."""

    request: Any
    told: "asyncio.Future[Any]"
    tries: int = 0


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
        self.skew = -timedelta(minutes=self.minutes)
        self.ids = itertools.count(1)
        self.remote_starts: asyncio.Queue[Payload] = asyncio.Queue()
        self.stop_asked = asyncio.Event()
        self.queue: deque[Waiting] = deque()
        self.filled = asyncio.Event()
        self.up = asyncio.Event()
        self.speaker: Any = None
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        self.booted = False
        self.firmware = b""
        self.refusal: Refused | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        return self.up.is_set()

    @property
    def watts_per_ampere(self) -> float:
        return float(VOLTS * PHASES)

    def now(self) -> str:
        at = datetime.now(UTC) + self.skew
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def new_transaction(self) -> str:
        return f"{self.identity[:20]}-{int(datetime.now(UTC).timestamp())}-{next(self.ids)}"

    # Its connection.

    @asynccontextmanager
    async def online(self) -> AsyncIterator[None]:
        """Be connected, and connect again whenever that ends, until the block does."""
        keeping = asyncio.create_task(self.keep_connected())
        telling = asyncio.create_task(self.tell_queue())
        reached = asyncio.create_task(self.up.wait())
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
        pauses = iter(PAUSES)
        while True:
            try:
                await self.converse()
                pauses = iter(PAUSES)
            except (aiohttp.ClientConnectionError, ConnectionError, TimeoutError, Gone):
                pass
            except Refused as refusal:
                self.give_up(refusal)
                raise
            except (OCPPError, aiohttp.ClientError) as error:
                self.complain(f"connection: {type(error).__name__}")
            self.outages += 1
            self.watch(self)
            await asyncio.sleep(next(pauses, PAUSES[-1]) * self.dice.uniform(0.5, 1.0))

    async def converse(self) -> None:
        """One connection, from its beginning to its end."""
        secret = base64.b64encode(f"{self.identity}:{self.password}".encode()).decode()
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(
                    f"{self.url}/{self.identity}",
                    protocols=[f"ocpp{self.version}"],
                    headers={"Authorization": f"Basic {secret}"},
                    heartbeat=60,
                ) as socket,
            ):
                await self.speak(socket)
        except aiohttp.WSServerHandshakeError as error:
            if error.status in {401, 403, 404}:
                raise Refused(f"The CSMS answered HTTP {error.status}.") from None
        finally:
            self.up.clear()
            self.speaker = None

    async def speak(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        if socket.protocol is None:
            raise Refused(f"The CSMS does not speak {self.version} with this station.")
        self.socket = socket
        self.speaker = speaker_of(self)(self.identity, Socket(socket, self), ANSWER_WITHIN)
        answer_with(self.speaker, self)
        reading = asyncio.create_task(self.read())
        try:
            if not self.booted:
                await self.boot(reading)
            self.up.set()
            self.watch(self)
            await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await socket.close()

    async def read(self) -> None:
        with suppress(Gone):
            await self.speaker.start()

    async def boot(self, reading: "asyncio.Task[None]") -> None:
        """Until the CSMS accepts it: that may take an operator."""
        while not self.booted:
            answer = await self.ask(self.dialect.boot(), reading)
            if answer.status == "Accepted":
                self.booted = True
                return
            if answer.status == "Rejected":
                raise Refused("The CSMS rejected the station.")
            await asyncio.sleep(max(answer.interval, 1) / self.speed)

    async def ask(self, request: Any, reading: "asyncio.Task[None]") -> Any:
        """Raises Gone as soon as the connection is: the library would wait for its whole time."""
        asking = asyncio.create_task(self.speaker.call(request, suppress=False))
        await asyncio.wait({asking, reading}, return_when=asyncio.FIRST_COMPLETED)
        if asking.done():
            return asking.result()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        raise Gone

    def give_up(self, refusal: Refused) -> None:
        """Nobody will ever listen: who waits for an answer need not."""
        self.refusal = refusal
        while self.queue:
            settle(self.queue.popleft(), refusal)

    # What it says.

    async def tell_queue(self) -> None:
        """Tell what must be told, in its order, however long that takes."""
        while True:
            await self.filled.wait()
            while self.queue:
                await self.up.wait()
                waiting = self.queue[0]
                done = await self.tell_one(waiting)
                if done and self.queue and self.queue[0] is waiting:
                    self.queue.popleft()
            self.filled.clear()

    async def tell_one(self, waiting: Waiting) -> bool:
        if getattr(waiting.request, "transaction_id", None) == 0:
            waiting.request.transaction_id = int(self.transaction or 0)
        speaker = self.speaker
        try:
            answer = await self.within_connection(speaker.call(waiting.request, suppress=False))
        except (Gone, TimeoutError):
            await asyncio.sleep(0)
            return False
        except OCPPError as error:
            waiting.tries += 1
            if waiting.tries < RETRIES:
                return False
            self.complain(f"{type(waiting.request).__name__}: {type(error).__name__}")
            settle(waiting, error)
            return True
        if type(waiting.request).__name__ == "StartTransaction":
            self.dialect.after_start(answer)
        settle(waiting, answer)
        self.watch(self)
        return True

    async def within_connection(self, asking: Coroutine[Any, Any, Any]) -> Any:
        """The answer, or Gone when the connection ends before it comes."""
        task = asyncio.create_task(asking)
        try:
            while self.connected:
                done, _ = await asyncio.wait({task}, timeout=0.25)
                if done:
                    return task.result()
            raise Gone
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def must_tell(self, request: Any) -> "asyncio.Future[Any]":
        waiting = Waiting(request, asyncio.get_running_loop().create_future())
        if self.refusal is not None:
            settle(waiting, self.refusal)
            return waiting.told
        self.queue.append(waiting)
        self.filled.set()
        return waiting.told

    async def say(self, request: Any) -> Any:
        """Say something that is lost when nobody listens; None then."""
        if not self.connected:
            return None
        try:
            return await self.within_connection(self.speaker.call(request, suppress=False))
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
                    await self.up.wait()
            await work

        task = asyncio.create_task(later())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        # A task that is cancelled before it began never awaits what it was given.
        task.add_done_callback(lambda _: work.close())

    async def fetch_firmware(self, url: str, request_id: int | None) -> None:
        """As a station does it, word by word; what it fetched is only counted."""
        words = ["Downloading"]
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            self.firmware = await response.read() if response.status == OK else b""
        words += ["Downloaded", "Installing", "Installed"] if self.firmware else ["DownloadFailed"]
        for word in words:
            await self.progress("FirmwareStatusNotification", word, request_id)

    async def bring_log(self, url: str, request_id: int | None, *, old: bool) -> None:
        told = f"{self.now()} {self.identity}: {self.sessions} sessions\n".encode()
        async with aiohttp.ClientSession() as session, session.put(url, data=told) as response:
            done = response.status < OK + 100
        failed = "UploadFailed" if old else "UploadFailure"
        action = "DiagnosticsStatusNotification" if old else "LogStatusNotification"
        await self.progress(action, "Uploaded" if done else failed, request_id)

    async def progress(self, action: str, word: str, request_id: int | None) -> None:
        numbered = request_id is not None and not (
            self.version == "1.6" and action == "FirmwareStatusNotification"
        )
        more = {"request_id": request_id} if numbered else {}
        await self.say(self.dialect.request(action, status=word, **more))

    def reboot_soon(self) -> None:
        self.booted = False
        if self.socket is not None:
            self.run(self.socket.close())

    def complain(self, fault: str) -> None:
        self.faults.append(fault)
        self.watch(self)

    # What happens at it.

    async def begin(self, remote: Payload | None = None) -> str:
        """Somebody charges; returns what the CSMS says of the token, "" while nobody can say."""
        self.stop_asked.clear()
        self.began_at = self.register
        told = self.must_tell(self.dialect.started(remote))
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
            self.must_tell(self.dialect.metered(self.drawing))
            self.watch(self)
        self.drawing = 0.0
        return False

    async def stop(self, reason: str) -> None:
        told = self.must_tell(self.dialect.stopped(reason))
        if self.connected:
            await told
            self.transaction = None
        self.sessions += 1
        self.watch(self)

    async def drained(self) -> None:
        """Wait until everything that must be told has been."""
        while self.queue:
            await asyncio.wait([self.queue[-1].told])
        self.transaction = None


def settle(waiting: Waiting, result: Any) -> None:
    if waiting.told.done():
        return
    if isinstance(result, Exception):
        waiting.told.set_exception(result)
        waiting.told.exception()  # seen: nobody may be waiting
    else:
        waiting.told.set_result(result)


def speaker_of(station: SimulatedStation) -> Any:
    return station.dialect.library.ChargePoint


def answer_with(speaker: Any, station: SimulatedStation) -> None:
    """Have the library ask the dialect."""
    results = station.dialect.library.call_result

    def answering(action: str, answer: Callable[[Any, Payload], Payload]) -> dict[str, Any]:
        def reply(**asked: Any) -> Any:
            return getattr(results, action)(**answer(station, asked))

        return {"_on_action": reply, "_skip_schema_validation": False}

    speaker.route_map = {
        action: answering(action, answer) for action, answer in station.dialect.answers.items()
    }
