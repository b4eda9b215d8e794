"""``hub openapi``: write openapi/ from the routes and schemas, or check that it is current."""

from pathlib import Path

from hub.cli import options
from hub.cli.failures import Failure
from hub.cli.options import Arguments, Commands
from hub.cli.output import note, write_json


def add(commands: Commands) -> None:
    parser = options.command(
        commands,
        "openapi",
        run,
        "Write the OpenAPI documents of the OCPI surfaces and of the admin API.",
        remote=False,
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail when stale")
    parser.add_argument("--dir", type=Path, default=Path("openapi"), help="where (openapi)")


def run(arguments: Arguments) -> None:
    from hub.openapi import documents  # noqa: PLC0415 - heavy

    stale = []
    for name, text in documents():
        path = arguments.dir / name
        if path.exists() and path.read_text() == text:
            continue
        stale.append(name)
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if arguments.check and stale:
        raise Failure(
            f"Not what the routes and schemas say: {', '.join(stale)}.",
            code="stale",
            next_step="Run `hub openapi` and commit what it writes.",
        )
    if arguments.json:
        write_json({"changed": stale})
    elif stale:
        note(f"Written: {', '.join(stale)}.")
    else:
        note("Everything is current.")
