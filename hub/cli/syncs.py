"""``hub partner sync``: pull a partner's lists now, and watch."""

import sys
import time
from typing import Any

from hub.cli import options
from hub.cli.client import Hub
from hub.cli.failures import Failure, Usage
from hub.cli.options import Arguments, Commands, given, hub
from hub.cli.output import note, table, when, write_json

# Seconds between two looks at a pull that is under way.
LOOK_EVERY = 0.5
MODULES = ("locations", "tariffs", "sessions", "cdrs", "tokens")


def add(partners: Commands, find: Any) -> None:
    """The command among those of ``hub partner``; ``find`` tells which partner is meant."""
    parser = options.command(
        partners,
        "sync",
        sync,
        "Pull a platform's lists now: what changed since the last pull, or with --full everything.",
        more="Progress goes to standard error. Interrupt it and the pull goes on without you;"
        "\n--cancel stops it. --status only tells how fresh everything is.",
    )
    parser.add_argument("id", help="of the partner, or the beginning of its name")
    parser.add_argument("module", nargs="?", choices=MODULES, help="only this; else all it offers")
    parser.add_argument("--full", action="store_true", help="everything, not only what changed")
    parser.add_argument("--since", metavar="TIME", help="what changed since, as 2026-01-31T00:00Z")
    parser.add_argument("--no-wait", action="store_true", help="ask for it and return")
    parser.add_argument("--cancel", action="store_true", help="stop what is under way")
    parser.add_argument("--status", action="store_true", help="pull nothing, tell how it stands")
    parser.set_defaults(find=find)

    parser = options.command(
        partners,
        "missing",
        missing,
        "What is in a platform's lists no longer, and what became of it.",
        more="A tariff or location that two pulls of everything, a day apart, have not found is"
        "\nwithdrawn: the others are told. Tokens stay; their owner says what is not valid.",
    )
    parser.add_argument("id", help="of the partner, or the beginning of its name")
    options.limited(parser)
    parser.set_defaults(find=find)


def missing(arguments: Arguments) -> None:
    path = f"/partners/{arguments.find(arguments)}/absences"
    found = hub(arguments).all(path, limit=arguments.limit)
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("MODULE", "module"),
            ("OBJECT", "object_ref"),
            ("MISSED", "missed"),
            ("SINCE", lambda row: when(row["first_missed_at"])),
            ("WITHDRAWN", lambda row: when(row["withdrawn_at"]) if row["withdrawn_at"] else None),
            ("NOTE", "note"),
        ],
        empty="Nothing is missing. `hub partner sync ID --full` looks again.",
    )


def sync(arguments: Arguments) -> int:
    if arguments.status + arguments.cancel + (arguments.full or arguments.since is not None) > 1:
        raise Usage("Choose one of --status, --cancel and a pull.")
    path = f"/partners/{arguments.find(arguments)}/sync"
    server, modules = hub(arguments), [arguments.module] if arguments.module else None
    if arguments.status:
        return answer(arguments, server.get(path)["items"])
    if arguments.cancel:
        return answer(arguments, server.post(f"{path}/cancel", given(modules=modules))["items"])
    wanted = given(modules=modules, since=arguments.since, full=arguments.full or None)
    items = server.post(path, wanted)["items"]
    if not arguments.no_wait:
        items = follow(server, path, items, arguments.module)
    return answer(arguments, items)


def follow(server: Hub, path: str, items: list[Any], module: str | None) -> list[Any]:
    """As ``watch``, until the operator has seen enough."""
    try:
        return watch(server, path, items, module)
    except KeyboardInterrupt:
        note("\nThe pull goes on. Stop it with --cancel, watch it with --status.")
        sys.exit(130)


def watch(server: Hub, path: str, items: list[Any], module: str | None) -> list[Any]:
    """Until all that was asked for has ended or broken off, telling how far it is."""
    told: dict[str, str] = {}
    while True:
        mine = [row for row in items if module in {None, row["module"]}]
        for row in mine:
            line = progress(row)
            if line and told.get(row["module"]) != line:
                told[row["module"]] = line
                note(line)
        if not any(pending(row) for row in mine):
            return items
        time.sleep(LOOK_EVERY)
        items = server.get(path)["items"]


def pending(row: dict[str, Any]) -> bool:
    return not broken_off(row) and bool(row["asked"] or row["run"])


def broken_off(row: dict[str, Any]) -> bool:
    return bool(row["run"] and row["next_attempt_at"])


def progress(row: dict[str, Any]) -> str | None:
    run = row["run"]
    if run is None:
        return None
    counts = run["counts"]
    total = f" of {run['total']}" if run.get("total") is not None else ""
    line = f"{row['module']}: {counts.get('pages', 0)} pages, {counts.get('objects', 0)}{total}"
    if broken_off(row):
        line += f"; broke off, goes on {when(row['next_attempt_at'])}: {row['error']}"
    return line


def answer(arguments: Arguments, items: list[Any]) -> int:
    if arguments.json:
        write_json({"items": items})
    else:
        show(items)
    mine = [row for row in items if arguments.module in {None, row["module"]}]
    broken = [row for row in mine if broken_off(row)]
    if broken and not arguments.status and not arguments.cancel:
        raise Failure(f"{broken[0]['module']}: {broken[0]['error']}")
    return 0


def show(items: list[Any]) -> None:
    table(
        items,
        [
            ("MODULE", "module"),
            ("STATE", "state"),
            ("CURRENT UNTIL", lambda row: when(row.get("current_until"))),
            ("LAST NEW", lambda row: when(row.get("arrived_at"))),
            ("PUSHES", "pushes"),
            ("MODE", "mode"),
            ("LAST PULL", lambda row: outcome(row.get("result"))),
            ("REASON", lambda row: row.get("reason") or row.get("error")),
        ],
        empty="It has no lists that could be pulled, and has pushed nothing.",
    )
    for row in items:
        for remark in (row.get("result") or {}).get("remarks", ()):
            note(f"{row['module']}: {remark}")


def outcome(result: dict[str, Any] | None) -> str | None:
    """The last pull in a few words: ``full: 120, 3 created, 1 bad``."""
    if not result:
        return None
    counts = dict(result["counts"])
    counts.pop("pages", None)
    objects = counts.pop("objects", 0)
    parts = [str(objects), *(f"{n} {name}" for name, n in counts.items() if name != "unchanged")]
    if result["outcome"] != "DONE":
        parts.append(result["outcome"].lower())
    if not result["complete"]:
        parts.append("not seen whole")
    return f"{result['kind']}: {', '.join(parts)}"
