"""``hub station diagnostics | jobs | local-list``: files of stations, and their lists."""

import sys
import time
from pathlib import Path
from typing import Any

from hub.cli import options
from hub.cli.failures import Failure
from hub.cli.naming_stations import named, path
from hub.cli.options import Arguments, Commands, hub
from hub.cli.output import facts, table, when, write_json

LOOK_AGAIN = 0.5


def add(group: Commands) -> None:
    parser = options.command(
        group, "diagnostics", diagnostics, "Have a station bring a log, and write it to a file."
    )
    named(parser)
    parser.add_argument("--security", action="store_true", help="the security log")
    parser.add_argument("--since", metavar="TIME")
    parser.add_argument("--until", metavar="TIME")
    parser.add_argument(
        "--output", "-o", type=Path, metavar="FILE", help="(its own name), - to see"
    )
    parser.add_argument(
        "--wait", type=float, default=120.0, metavar="SECONDS", help="for the station (120)"
    )

    parser = options.command(group, "jobs", jobs, "Firmware updates and logs of a station.")
    named(parser)
    options.limited(parser)

    parser = options.command(
        group, "reports", reports, "What a station has reported: events, limits, answers in parts."
    )
    named(parser)
    options.limited(parser)

    parser = options.command(
        group,
        "local-list",
        local_list,
        "The tokens that a station lets charge when it cannot ask; --sync brings it up to date.",
    )
    named(parser)
    parser.add_argument("--sync", action="store_true", help="send what has changed")
    parser.add_argument("--full", action="store_true", help="send all of it")


def diagnostics(arguments: Arguments) -> None:
    wanted = {
        "log_type": "SECURITY" if arguments.security else "DIAGNOSTICS",
        **options.given(since=arguments.since, until=arguments.until),
    }
    where = path(arguments)
    connection = hub(arguments)
    job = connection.post(f"{where}/logs", wanted)
    deadline = time.monotonic() + arguments.wait
    while job["file"]["size"] is None:
        if job["finished"] or time.monotonic() > deadline:
            raise Failure(
                f"{arguments.station} has brought nothing: {job['status'] or 'no word yet'}.",
                next_step=f"hub station jobs {arguments.station}",
            )
        time.sleep(LOOK_AGAIN)
        job = connection.get(f"{where}/jobs/{job['id']}")
    content = connection.download(f"{where}/jobs/{job['id']}/file")
    if str(arguments.output) == "-":
        sys.stdout.buffer.write(content)
        return
    # What a station calls its file is no path of ours.
    target = arguments.output or Path(Path(job["file"]["name"]).name or "station.log")
    target.write_bytes(content)
    if arguments.json:
        write_json(job | {"written_to": str(target)})
    else:
        facts([("File", str(target)), ("Bytes", len(content))])


def jobs(arguments: Arguments) -> None:
    found = hub(arguments).all(path(arguments, "/jobs"), limit=arguments.limit)
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("WHEN", lambda row: when(row["created_at"])),
            ("KIND", "kind"),
            ("FILE", lambda row: row["file"]["name"]),
            ("BYTES", lambda row: row["file"]["size"]),
            ("RESULT", "result"),
            ("STATUS", "status"),
            ("FINISHED", "finished"),
            ("TRANSFERRED", lambda row: row["url_used_at"] and when(row["url_used_at"])),
        ],
        empty="No firmware updates, no logs.",
    )


def reports(arguments: Arguments) -> None:
    found = hub(arguments).all(path(arguments, "/reports"), limit=arguments.limit)
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("WHEN", lambda row: row["at"][:19] + "Z"),
            ("MESSAGE", "action"),
            ("REQUEST", "request_id"),
            ("SEVERITY", "severity"),
            ("SAYS", "payload"),
        ],
        empty="It has reported nothing.",
    )


def local_list(arguments: Arguments) -> None:
    where = path(arguments, "/local-list")
    told: dict[str, Any] = {}
    if arguments.sync or arguments.full:
        told = hub(arguments).post(where, {"full": arguments.full})
    shown = hub(arguments).get(where) | {"messages": told.get("sent")}
    if arguments.json:
        write_json(shown)
        return
    facts(
        [
            ("Version", shown["list_version"] if shown["list_version"] is not None else "none"),
            ("Tokens", shown["entries"]),
            ("Messages sent", shown["messages"]),
            ("Sent", shown["sent_at"] and when(shown["sent_at"])),
            ("Can hold", shown["longest"]),
        ]
    )
