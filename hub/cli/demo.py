"""``hub demo``: a hub, a CPO and an eMSP, roaming before your eyes."""

import asyncio
from pathlib import Path

from hub.cli import options
from hub.cli.options import Arguments, Commands

MORE = """\
Starts a hub with a PostgreSQL of its own in a temporary directory, and two simulated platforms:
real HTTP servers and clients that speak nothing but OCPI. The CPO is invited by the hub, the eMSP
is joined by it. They exchange locations, tariffs, a token, a session and its CDR; every request is
shown as it happens, then what arrived where.

With --stations the hub has charging stations of its own, which connect over OCPP. The eMSP finds
them, starts, watches and ends a session at each, and gets CDRs that are compared with their meters.

With --locations and --tariffs the CPO sends those files, JSON arrays of OCPI 2.2.1 objects. What
the hub refuses is listed with the field and the rule."""


def add(commands: Commands) -> None:
    parser = options.command(
        commands, "demo", run, "Watch a CPO and an eMSP roam.", more=MORE, remote=False
    )
    parser.add_argument(
        "--once", action="store_true", help="end after it; 0 only if everything arrived intact"
    )
    parser.add_argument("--locations", type=Path, metavar="FILE", help="locations to send")
    parser.add_argument("--tariffs", type=Path, metavar="FILE", help="tariffs to send")
    parser.add_argument(
        "--stations",
        type=options.positive,
        metavar="N",
        help="so many charging stations of the hub's own, of all OCPP versions",
    )
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="keep the hub's data there")
    parser.add_argument("--quiet", action="store_true", help="no trace, only the result")


def run(arguments: Arguments) -> int:
    from hub.demo.story import Plan, play  # noqa: PLC0415 - the server's modules are heavy

    plan = Plan(
        once=arguments.once,
        locations=arguments.locations,
        tariffs=arguments.tariffs,
        data_dir=arguments.data_dir,
        stations=arguments.stations or 0,
        quiet=arguments.quiet,
        as_json=arguments.json,
    )
    return asyncio.run(play(plan))
