"""``hub command``: what parties asked each other to do, and what came of it."""

from typing import Any

from hub.cli import options
from hub.cli.options import Arguments, Commands, hub
from hub.cli.output import lines, members, table, when, write_json

STATES = ("opened", "answered", "refused", "unknown", "finished", "expired")
ROWS = (
    ("ID", "id"),
    ("SENT", lambda row: when(row["created_at"])),
    ("COMMAND", "type"),
    ("FROM", "from"),
    ("TO", "to"),
    ("ABOUT", "about"),
    ("STATE", "state"),
    ("TOLD", "result"),
    ("BECAUSE", "error"),
)


def add(commands: Commands) -> None:
    group = options.group(commands, "command", "commands of parties, and what came of them")

    parser = options.command(
        group,
        "list",
        list_,
        "Commands and requests for charging profiles, newest first.",
        more="UNKNOWN is what was sent and not answered: it may have been carried out, and is never"
        "\nsent again.",
    )
    parser.add_argument("--state", choices=STATES)
    parser.add_argument("--type", help="such as START_SESSION")
    parser.add_argument("--from", dest="caller", metavar="PARTY", help="who asked, as DE*TWO")
    parser.add_argument("--to", metavar="PARTY", help="who was asked, as NL*ONE")
    parser.add_argument(
        "--about", help="SESSION/ID, RESERVATION/ID or LOCATION/ID, as the list shows it"
    )
    options.limited(parser)

    parser = options.command(group, "show", show, "One command, with all its results.")
    parser.add_argument("command", help="its id")


def list_(arguments: Arguments) -> None:
    found = hub(arguments).all(
        "/commands",
        limit=arguments.limit,
        state=arguments.state and arguments.state.upper(),
        type=arguments.type and arguments.type.upper(),
        about=arguments.about,
        to=arguments.to,
        **{"from": arguments.caller},
    )
    if arguments.json:
        write_json({"items": found})
        return
    table(found, ROWS, empty="No commands like that.")


def show(arguments: Arguments) -> None:
    command = hub(arguments).get(f"/commands/{arguments.command}")
    if arguments.json:
        write_json(command)
        return
    members({name: value for name, value in command.items() if name != "results"})
    for result in command["results"]:
        lines(f"  {when(result['received_at'])}  {result['result']['result']:<22} {fate(result)}")


def fate(result: dict[str, Any]) -> str:
    """What became of a result, in a few words."""
    origin = ["by the hub: none came in time"] if result["by_hub"] else []
    late = ["late"] if result["late"] else []
    if not result["told"]:
        told = "not passed on: the caller had its answer"
    elif result["taken_at"]:
        told = f"taken by the caller at {when(result['taken_at'])}"
    else:
        told = f"not taken yet; tried until {when(result['told_until'])}"
    return ", ".join([*origin, *late, told])
