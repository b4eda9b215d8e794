"""``hub station simulate``: stations that are not there, on sockets that are."""

import asyncio
import random
import signal
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.live import Live
from rich.table import Table

from hub.cli import options
from hub.cli.failures import Usage
from hub.cli.options import Arguments, Commands, hub, positive, read_secret
from hub.cli.output import console, note, table, write_json

if TYPE_CHECKING:
    from hub.simulator.station import SimulatedStation

VERSIONS = ("1.6", "2.0.1", "2.1")
SCENARIOS = {
    "session": "a driver charges and drives away",
    "offline": "the connection breaks in the middle of a session",
    "fault": "something breaks in the middle of a session",
    "remote": "wait for starts and stops from outside",
    "day": "drivers come and go, things break",
    "idle": "only be there",
}
AC_POWER, DC_POWER = 11_000.0, 150_000.0
MORE = """\
They speak through the ocpp library, know nothing of the hub but a URL, and keep what they could not
say until they can. Stations that are not known yet are added first, with the names SIM-1, SIM-2 …
unless you give others; one that exists needs its password, unless it was simulated before.

scenarios:
{}
""".format("\n".join(f"  {name:<10}{about}" for name, about in SCENARIOS.items()))
COLUMNS = (
    ("STATION", "station"),
    ("OCPP", "version"),
    ("CONNECTED", "connected"),
    ("STATE", "state"),
    ("KW", "power"),
    ("KWH", "energy"),
    ("BATTERY %", "battery"),
    ("SESSIONS", "sessions"),
    ("SENT", "sent"),
    ("HEARD", "received"),
    ("WAITING", "waiting"),
)


def add(group: Commands) -> None:
    parser = options.command(
        group, "simulate", run, "Let simulated stations connect and charge.", more=MORE
    )
    parser.add_argument("stations", nargs="*", metavar="STATION", help="their identities")
    parser.add_argument("--count", type=positive, help="so many (1)")
    parser.add_argument(
        "--version",
        dest="versions",
        action="append",
        choices=VERSIONS,
        help="of OCPP; may be repeated, then they take turns (1.6)",
    )
    parser.add_argument("--scenario", choices=SCENARIOS, default="session")
    parser.add_argument("--token", default="SIMULATED", help="that drivers show (SIMULATED)")
    vehicle_options(parser)
    parser.add_argument("--for", dest="seconds", type=float, help="end after so many seconds")
    parser.add_argument("--at", metavar="URL", help="of another CSMS: ws://host/path")
    parser.add_argument("--password-file", metavar="FILE", help="of all of them, - for stdin")


def vehicle_options(parser: ArgumentParser) -> None:
    parser.add_argument("--speed", type=float, default=60.0, help="seconds that pass in one (60)")
    parser.add_argument("--minutes", type=float, default=4.0, help="of a session (4)")
    parser.add_argument("--dc", action="store_true", help="a fast charger")
    parser.add_argument("--power", type=float, metavar="WATTS", help="that a station offers")
    parser.add_argument("--seed", type=int, help="the same again")


def run(arguments: Arguments) -> int:
    from hub.simulator.fleet import summary  # noqa: PLC0415 - the library below it is heavy

    stations = make(arguments)
    wrong = asyncio.run(play(arguments, stations))
    found = [summary(station) for station in stations]
    if arguments.json:
        write_json({"items": found, "wrong": wrong})
    else:
        table(found, COLUMNS, empty="No stations.")
        for line in wrong:
            note(line)
        if any(station.denied for station in stations):
            note(f"Let the token charge: hub token add {arguments.token}")
    return 1 if wrong else 0


def make(arguments: Arguments) -> list["SimulatedStation"]:
    from hub.simulator.station import SimulatedStation  # noqa: PLC0415
    from hub.simulator.vehicle import Vehicle  # noqa: PLC0415

    versions = arguments.versions or [VERSIONS[0]]
    dice = random.Random(arguments.seed)  # noqa: S311 - dice
    power = arguments.power or (DC_POWER if arguments.dc else AC_POWER)
    made = []
    for number, (identity, url, password) in enumerate(records(arguments)):
        own = random.Random(dice.random())  # noqa: S311
        vehicle = Vehicle(full=own.uniform(0.1, 0.6), most=power, direct=arguments.dc, dice=own)
        made.append(
            SimulatedStation(
                url,
                identity,
                password,
                versions[number % len(versions)],
                id_tag=arguments.token,
                speed=arguments.speed,
                minutes=arguments.minutes,
                power=power,
                register=float(own.randrange(10**6)),
                vehicle=vehicle,
                dice=own,
            )
        )
    return made


def records(arguments: Arguments) -> list[tuple[str, str, str]]:
    """Identity, URL and password of each."""
    names = arguments.stations or [f"SIM-{n}" for n in range(1, (arguments.count or 1) + 1)]
    if arguments.stations and arguments.count not in {None, len(names)}:
        raise Usage("--count: Name the stations or count them.", field="--count")
    if arguments.password_file is None and arguments.at is not None:
        raise Usage("--at: The stations need a password there.", field="--password-file")
    if arguments.password_file is None:
        return [known(arguments, name) for name in names]
    password = read_secret(
        arguments.password_file, prompt="Their password", option="--password-file"
    )
    url = arguments.at or socket_url(hub(arguments).url)
    return [(name, url.rstrip("/"), password) for name in names]


def socket_url(url: str) -> str:
    return f"{url.replace('http', 'ws', 1)}/ocpp"


def known(arguments: Arguments, name: str) -> tuple[str, str, str]:
    """A record for a station, made if need be; a real station is not robbed of its password."""
    connection = hub(arguments)
    found = connection.all("/stations", station_id=name, limit=10)
    station = next((one for one in found if one["station_id"] == name), None)
    url = socket_url(connection.url)
    if station is None:
        added = connection.post("/stations", {"station_id": name, "name": "Simulated"})
        return name, url, added["password"]
    if station["manufacturer"] not in {None, "Simulator"}:
        raise Usage(
            f"{name} is a {station['manufacturer']} {station['model']}: it keeps its password.",
            field="--password-file",
            next_step="Name another station, or say its password.",
        )
    changed = connection.post(f"/stations/{station['id']}/password", {"how": "replace"})
    return name, url, changed["password"]


async def play(arguments: Arguments, stations: list["SimulatedStation"]) -> list[str]:
    from hub.simulator.fleet import simulate  # noqa: PLC0415
    from hub.simulator.scenarios import SCENARIOS as BY_NAME  # noqa: PLC0415

    running = asyncio.create_task(simulate(stations, BY_NAME[arguments.scenario]))
    loop = asyncio.get_running_loop()
    if threading.current_thread() is threading.main_thread():
        loop.add_signal_handler(signal.SIGINT, running.cancel)
    if arguments.seconds:
        loop.call_later(arguments.seconds, running.cancel)
    with shown(stations):
        try:
            return await running
        except asyncio.CancelledError:
            # Told to end: that is no fault of theirs.
            return [f"{one.identity}: {fault}" for one in stations for fault in one.faults]


@contextmanager
def shown(stations: Sequence["SimulatedStation"]) -> Iterator[None]:
    """On a terminal a table that lives, elsewhere a line for each change; on standard error."""
    if not sys.stderr.isatty():
        before: dict[str, str] = {}
        for station in stations:
            station.watch = lambda one: tell_change(one, before)
        yield
        return
    with Live(
        get_renderable=lambda: picture(stations),
        console=console(sys.stderr),
        refresh_per_second=4,
        transient=True,
    ):
        yield


def tell_change(station: "SimulatedStation", before: dict[str, str]) -> None:
    state = f"{station.word}{'' if station.connected else ', not connected'}"
    if before.get(station.identity) != state:
        before[station.identity] = state
        note(f"{station.identity}: {state}, {station.delivered / 1000:.3f} kWh")


def picture(stations: Sequence["SimulatedStation"]) -> Table:
    from hub.simulator.fleet import summary  # noqa: PLC0415

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for title, _ in COLUMNS:
        drawn.add_column(title)
    height = max(console(sys.stderr).height - 3, 5)
    for station in stations[:height]:
        told: dict[str, Any] = summary(station)
        drawn.add_row(*(str(told[name]) for _, name in COLUMNS))
    return drawn
