"""``hub health``: can the hub serve?"""

from hub.cli import options
from hub.cli.client import Hub, default_url
from hub.cli.failures import Failure, Unavailable
from hub.cli.options import Arguments, Commands
from hub.cli.output import facts, write_json


def add(commands: Commands) -> None:
    parser = options.command(
        commands, "health", run, "Whether the hub can serve; exit code 0 or 5.", tenant=False
    )
    parser.add_argument("--quiet", action="store_true", help="the exit code only")


def run(arguments: Arguments) -> int:
    try:
        answer = Hub(arguments.url or default_url()).send("GET", "/ready")
        found = answer.json()
        ready = answer.ok
    except Failure as failure:
        if not arguments.quiet:
            raise
        return failure.exit_code
    except ValueError:
        raise Unavailable("What answers there is not a hub.") from None
    if not arguments.quiet:
        show(arguments, found)
    return 0 if ready else Unavailable.exit_code


def show(arguments: Arguments, found: dict[str, dict[str, str]]) -> None:
    if arguments.json:
        write_json(found)
        return
    facts([("hub", found["status"]), *found.get("checks", {}).items()])
