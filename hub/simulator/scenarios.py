"""What happens at simulated stations."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from hub.simulator.answers import Payload
from hub.simulator.station import SimulatedStation

Scenario = Callable[[SimulatedStation], Awaitable[None]]

HEARTBEAT_SECONDS = 300.0
LONGEST_MINUTES = 24 * 60.0


async def charge(
    station: SimulatedStation, minutes: float, *, remote: Payload | None = None
) -> None:
    """From plugging in to driving away."""
    await station.status("Preparing")
    allowed = await station.begin(remote)
    if allowed not in {"", "Accepted"}:
        station.denied += 1
        station.complain(f"The token {station.id_tag} may not charge: {allowed}.")
        await station.stop("DeAuthorized")
    else:
        await station.status("Charging")
        asked = await station.charge(minutes)
        await station.status("Finishing")
        await station.stop("Remote" if asked else "EVDisconnected")
    await station.status("Available")


async def idle(station: SimulatedStation) -> None:
    """Wait for nobody, with a heartbeat now and then."""
    async with station.online():
        await station.status("Available")
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS / station.speed)
            await station.say(station.dialect.request("Heartbeat"))


async def session(station: SimulatedStation) -> None:
    """A driver shows a card, charges and drives away."""
    async with station.online():
        await charge(station, station.minutes)
        await station.drained()


async def remote(station: SimulatedStation) -> None:
    """Wait for a remote start, charge until a remote stop, and so on."""
    async with station.online():
        await station.status("Available")
        while True:
            asked = await station.remote_starts.get()
            await charge(station, LONGEST_MINUTES, remote=asked)


async def offline(station: SimulatedStation) -> None:
    """The connection breaks in the middle of a session and comes back with what was kept."""
    async with station.online():
        await station.status("Preparing")
        await station.begin()
        await station.status("Charging")
        await station.charge(station.minutes / 2)
    await station.charge(station.minutes / 2)
    await station.stop("EVDisconnected")
    async with station.online():
        await station.drained()
        await station.status("Available")


async def fault(station: SimulatedStation) -> None:
    """Something breaks while charging."""
    async with station.online():
        await station.status("Preparing")
        await station.begin()
        await station.status("Charging")
        await station.charge(station.minutes / 2)
        station.broken = True
        await station.status("Faulted")
        await station.stop("Other")
        await station.drained()


async def day(station: SimulatedStation) -> None:
    """Drivers come and go without end; now and then something breaks, or the network does."""
    async with station.online():
        await station.status("Available")
        while True:
            await asyncio.sleep(station.dice.uniform(1, 30) * 60 / station.speed)
            station.vehicle.full = station.dice.uniform(0.1, 0.7)
            chance = station.dice.random()
            if chance < 0.1:  # noqa: PLR2004 - one in ten
                await break_down(station)
            elif chance < 0.2:  # noqa: PLR2004
                await station.connection.drop()
            else:
                await charge(station, station.minutes * station.dice.uniform(0.5, 3))


async def break_down(station: SimulatedStation) -> None:
    station.broken = True
    await station.status("Faulted")
    await asyncio.sleep(station.dice.uniform(5, 60) * 60 / station.speed)
    station.broken = False
    await station.status("Available")


SCENARIOS: Mapping[str, Scenario] = {
    "idle": idle,
    "session": session,
    "remote": remote,
    "offline": offline,
    "fault": fault,
    "day": day,
}
