"""The line between a simulated station and its CSMS.

After an outage of either side a station connects again by itself, without booting, as stations do.
"""

import asyncio
import base64
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp
from ocpp.exceptions import OCPPError  # type: ignore[import-untyped]

from hub.simulator.answers import Payload

if TYPE_CHECKING:
    from hub.simulator.station import SimulatedStation

# Its own complaints about what a CSMS says are counted, not printed.
logging.getLogger("ocpp").setLevel(logging.CRITICAL)

ANSWER_WITHIN = 30.0
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
# Answers to the attempt to connect that will not change by asking again.
FINAL = frozenset({401, 403, 404})


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


class Connection:
    """``up`` while the station is connected and the CSMS has accepted its boot."""

    def __init__(self, station: "SimulatedStation") -> None:
        self.station = station
        self.up = asyncio.Event()
        self.booted = False
        self.socket: aiohttp.ClientWebSocketResponse | None = None
        self.speaker: Any = None
        self.reading: asyncio.Task[None] | None = None

    async def keep(self) -> None:
        """Connect again and again; raises Refused when that is of no use."""
        station, pauses = self.station, iter(PAUSES)
        while True:
            try:
                await self.converse()
                pauses = iter(PAUSES)
            except (aiohttp.ClientConnectionError, ConnectionError, TimeoutError, Gone):
                pass
            except (OCPPError, aiohttp.ClientError) as error:
                station.complain(f"connection: {type(error).__name__}")
            station.outages += 1
            station.watch(station)
            await asyncio.sleep(next(pauses, PAUSES[-1]) * station.dice.uniform(0.5, 1.0))

    async def converse(self) -> None:
        """One connection, from its beginning to its end."""
        station = self.station
        secret = base64.b64encode(f"{station.identity}:{station.password}".encode()).decode()
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(
                    f"{station.url}/{station.identity}",
                    protocols=[f"ocpp{station.version}"],
                    headers={"Authorization": f"Basic {secret}"},
                    heartbeat=60,
                ) as socket,
            ):
                await self.speak(socket)
        except aiohttp.WSServerHandshakeError as error:
            if error.status in FINAL:
                raise Refused(f"The CSMS answered HTTP {error.status}.") from None

    async def speak(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        station = self.station
        if socket.protocol is None:
            raise Refused(f"The CSMS does not speak {station.version} with this station.")
        self.socket = socket
        self.speaker = speaker(station, socket)
        self.reading = asyncio.create_task(self.read())
        try:
            if not self.booted:
                await self.boot()
            self.up.set()
            station.watch(station)
            await self.reading
        finally:
            self.up.clear()
            self.reading.cancel()
            await asyncio.gather(self.reading, return_exceptions=True)
            await socket.close()

    async def read(self) -> None:
        with suppress(Gone):
            await self.speaker.start()

    async def boot(self) -> None:
        """Until the CSMS accepts it: that may take an operator."""
        while not self.booted:
            answer = await self.ask(self.station.dialect.boot())
            if answer.status == "Accepted":
                self.booted = True
                return
            if answer.status == "Rejected":
                raise Refused("The CSMS rejected the station.")
            await asyncio.sleep(max(answer.interval, 1) / self.station.speed)

    async def ask(self, request: Any) -> Any:
        """The answer. Raises Gone as soon as the connection is: the library would wait on."""
        if self.reading is None:
            raise Gone
        asking = asyncio.create_task(self.speaker.call(request, suppress=False))
        try:
            await asyncio.wait({asking, self.reading}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
            raise Gone
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def drop(self) -> None:
        """End the connection; the next one is made at once."""
        if self.socket is not None:
            await self.socket.close()


def speaker(station: "SimulatedStation", socket: aiohttp.ClientWebSocketResponse) -> Any:
    """The library's side of a connection; what the CSMS asks goes to the station's dialect."""
    library = station.dialect.library

    def answering(action: str, answer: Callable[[Any, Payload], Payload]) -> dict[str, Any]:
        def reply(**asked: Any) -> Any:
            return getattr(library.call_result, action)(**answer(station, asked))

        return {"_on_action": reply, "_skip_schema_validation": False}

    made = library.ChargePoint(station.identity, Socket(socket, station), ANSWER_WITHIN)
    made.route_map = {
        action: answering(action, answer) for action, answer in station.dialect.answers.items()
    }
    return made
