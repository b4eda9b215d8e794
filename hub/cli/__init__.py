"""The command ``hub``: serve the hub, and run it from the command line."""

import argparse
import os
import sys
from collections.abc import Sequence

from hub import __version__
from hub.cli import (
    agreements,
    audit,
    cdrs,
    certificates,
    commands,
    conformance,
    demo,
    feed,
    firmware,
    health,
    keys,
    migrate,
    objects,
    openapi,
    partners,
    price,
    profiles,
    quarantine,
    reservations,
    roles,
    serve,
    setbacks,
    settlements,
    stations,
    tariff,
    tenants,
    tokens,
    transactions,
    users,
    whoami,
)
from hub.cli.failures import Failure, Usage
from hub.cli.options import Help, Parser
from hub.cli.output import console, printable, write_json
from hub.settings import SettingsError

DESCRIPTION = """\
A roaming hub for electric vehicle charging: platforms of charge point operators and of mobility
providers connect to it over OCPI 2.1.1, 2.2.1 and 2.3.0, and roam through it. Charging stations of
its own, over OCPP 1.6, 2.0.1 and 2.1, are one more operator among them.
"""

EPILOG = """\
first steps:
  hub serve                          start; brings its own PostgreSQL unless HUB_DATABASE_URL is set
  hub partner invite "Acme" --role NL*ACM:CPO
                                     let a platform register; prints its token once
  hub partner list                   who is there
  hub partner trace ID               every step of the handshakes with a partner
  hub partner probe ID               what a platform supports, and where it deviates
  hub partner sync ID                pull its lists now
  hub feed status                    are the deliveries going out?
  hub station add CP-1               let a charging station of your own connect
  hub demo                           watch a CPO and an eMSP roam, on a hub of its own
  hub conformance URL                does that platform keep to OCPI?

environment:
  HUB_URL             the hub to speak to (http://127.0.0.1:8080)
  HUB_API_KEY         the key to show it; or HUB_API_KEY_FILE; else admin.key in the data directory
  HUB_DATA_DIR        where `hub serve` keeps its data (./hub-data)
  OCPI_TOKEN          for `hub conformance`: a token of the platform to examine
  HUB_DATABASE_URL    PostgreSQL 15 or newer, instead of the embedded one
  NO_COLOR            no colours
  `hub serve --settings` lists everything the server reads.

exit codes:
  0 done   1 failed   2 wrong usage   3 not found   4 refused   5 hub unavailable

Every command takes --json. Secrets are never arguments: they come from files, the environment or
standard input. More: hub COMMAND --help
"""

# The order in which the help shows them.
GROUPS = (
    serve,
    migrate,
    health,
    demo,
    openapi,
    partners,
    agreements,
    stations,
    tokens,
    transactions,
    reservations,
    profiles,
    firmware,
    certificates,
    objects,
    cdrs,
    settlements,
    commands,
    feed,
    setbacks,
    quarantine,
    tenants,
    users,
    roles,
    keys,
    audit,
    whoami,
    price,
    tariff,
    conformance,
)


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="hub",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=Help,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"hub {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in GROUPS:
        group.add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    arguments = make_parser().parse_args(argv)
    try:
        return int(arguments.run(arguments) or 0)
    except Failure as failure:
        return explain(failure, as_json=getattr(arguments, "json", False))
    except SettingsError as error:
        return explain(Usage(str(error)), as_json=getattr(arguments, "json", False))
    except BrokenPipeError:
        # Whoever read the answer has seen enough, as with `hub partner list | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get("HUB_DEBUG"):
            raise
        return explain(unforeseen(error), as_json=getattr(arguments, "json", False))


def unforeseen(error: Exception) -> Failure:
    """A mistake of ours, most often: an answer that this release of the command does not know."""
    return Failure(
        f"This command failed in a way that was not foreseen: {error!r}.",
        code="unforeseen",
        next_step=f"Is the hub of the same release as this command ({__version__})? HUB_DEBUG=1"
        " shows where it failed.",
    )


def explain(failure: Failure, *, as_json: bool) -> int:
    if as_json:
        write_json(failure.as_json())
        return failure.exit_code
    err = console(sys.stderr)
    err.print("[bold red]hub:[/] ", end="")
    err.out(printable(str(failure)))
    if failure.allowed is not None and failure.allowed != []:
        err.out(f"  allowed: {printable(shown(failure.allowed))}")
    if failure.next_step:
        err.out(f"  next: {printable(failure.next_step)}")
    return failure.exit_code


def shown(allowed: object) -> str:
    if isinstance(allowed, list):
        return ", ".join(map(str, allowed))
    if isinstance(allowed, dict):
        return ", ".join(f"{name} {value}" for name, value in allowed.items() if value is not None)
    return str(allowed)
