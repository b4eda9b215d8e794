"""``hub station call | reset | unlock …``: asking a station something, and listening in."""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from hub.cli import options, station_words
from hub.cli.failures import Failure, Refused, Usage
from hub.cli.naming_stations import find, named
from hub.cli.options import Arguments, Commands, hub, positive
from hub.cli.output import lines, note, printable, table, when, write_json

# Seconds between looks at the log that is followed.
PAUSE = 1.0
EXTRA = 5.0
KINDS = {2: "CALL", 3: "CALLRESULT", 4: "CALLERROR", 5: "CALLRESULTERROR", 6: "SEND"}

Speak = Callable[[Arguments, str], station_words.Message]


def add(group: Commands) -> None:
    parser = options.command(
        group,
        "call",
        call,
        "Send a station any message of its version, and wait for the answer.",
        more="The payload is JSON in OCPP's own words, - for standard input:\n"
        '  hub station call CP-1 GetConfiguration \'{"key": ["HeartbeatInterval"]}\'',
    )
    named(parser)
    parser.add_argument("action", help="such as GetConfiguration")
    parser.add_argument("payload", nargs="?", default="{}", help="JSON ({})")
    parser.add_argument("--no-wait", action="store_true", help="do not wait for the answer")
    timed(parser)

    parser = options.command(group, "calls", calls, "What a station was asked, newest first.")
    named(parser)
    options.limited(parser)

    parser = options.command(
        group,
        "log",
        log,
        "The last messages to and from a station, without secrets and drivers.",
        more="The hub keeps them in memory: those before its last start are gone.",
    )
    named(parser)
    parser.add_argument("--follow", "-f", action="store_true", help="go on with what comes")
    parser.add_argument("--limit", type=positive, default=50, help="at most so many (50)")
    add_words(group)


def add_words(group: Commands) -> None:
    parser = spoken(group, "reset", reset, "Restart a station, when nobody charges.")
    parser.add_argument("--hard", action="store_true", help="at once")
    parser.add_argument("--evse", type=positive, help="only this one (OCPP 2)")

    parser = spoken(group, "unlock", unlock, "Unlock the plug of a connector.")
    parser.add_argument("evse", type=positive, help="the EVSE's number")
    parser.add_argument("--connector", type=positive, default=1)

    parser = spoken(group, "trigger", trigger, "Have a station send a message.")
    parser.add_argument("message", help="such as StatusNotification, Heartbeat, MeterValues")
    parser.add_argument("--evse", type=positive, help="the EVSE's number")
    parser.add_argument("--connector", type=positive, default=1)

    parser = spoken(
        group, "availability", availability, "Let a station, or one EVSE, charge or not."
    )
    parser.add_argument("state", choices=("operative", "inoperative"))
    parser.add_argument("--evse", type=positive, help="only this one")

    spoken(
        group, "clear-cache", clear_cache, "Have a station forget which tokens it has let charge."
    )

    parser = options.command(
        group,
        "configuration",
        configuration,
        "Read a station's settings, or change one.",
        more="Without a name: all that it has reported. Settings of OCPP 2 are called"
        " Component.Variable.",
    )
    named(parser)
    parser.add_argument("setting", nargs="?", help="its name: ask the station for it")
    parser.add_argument("value", nargs="?", help="set it")
    timed(parser)


def timed(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--timeout", type=float, default=30.0, metavar="SECONDS", help="for the station (30)"
    )


def spoken(group: Commands, name: str, speak: Speak, about: str) -> ArgumentParser:
    """A command that asks the station one thing, in its version's words."""

    def run(arguments: Arguments) -> int:
        station = station_of(arguments)
        action, payload = speak(arguments, station["ocpp_version"] or station["ocpp_versions"][-1])
        asked = ask(arguments, station["id"], action, payload)
        return answer(arguments, asked, done=station_words.TAKEN)

    parser = options.command(group, name, run, about)
    named(parser)
    timed(parser)
    return parser


def reset(arguments: Arguments, version: str) -> station_words.Message:
    return station_words.reset(version, hard=arguments.hard, evse=arguments.evse)


def unlock(arguments: Arguments, version: str) -> station_words.Message:
    return station_words.unlock(version, evse=arguments.evse, connector=arguments.connector)


def trigger(arguments: Arguments, version: str) -> station_words.Message:
    return station_words.trigger(
        version,
        message=arguments.message,
        evse=arguments.evse,
        connector=arguments.connector,
    )


def availability(arguments: Arguments, version: str) -> station_words.Message:
    operative = arguments.state == "operative"
    return station_words.availability(version, operative=operative, evse=arguments.evse)


def clear_cache(arguments: Arguments, version: str) -> station_words.Message:
    return station_words.clear_cache(version)


def station_of(arguments: Arguments) -> dict[str, Any]:
    station: dict[str, Any] = hub(arguments).get(f"/stations/{find(arguments)}")
    return station


def call(arguments: Arguments) -> int:
    text = sys.stdin.read() if arguments.payload == "-" else arguments.payload
    try:
        payload = json.loads(text)
    except ValueError as error:
        raise Usage(f"payload: It is not JSON: {error}.", field="payload") from None
    if not isinstance(payload, dict):
        raise Usage("payload: It must be a JSON object.", field="payload")
    asked = ask(arguments, find(arguments), arguments.action, payload, wait=not arguments.no_wait)
    return answer(arguments, asked)


def ask(
    arguments: Arguments,
    station_id: str,
    action: str,
    payload: dict[str, Any],
    *,
    wait: bool = True,
) -> dict[str, Any]:
    body = {"action": action, "payload": payload, "timeout_s": arguments.timeout}
    asked: dict[str, Any] = hub(arguments).ask(
        "POST",
        f"/stations/{station_id}/calls",
        query={"wait": wait},
        body=body,
        patience=arguments.timeout + EXTRA,
    )
    return asked


def answer(arguments: Arguments, asked: dict[str, Any], *, done: set[str] | None = None) -> int:
    """Show what became of it; 1 unless the station took it, 4 when it was not there."""
    said = station_words.status_of(asked["result"] or {})
    refused = done is not None and said is not None and said not in done
    failed = asked["state"] in {"REFUSED", "BROKEN", "SILENT"} or refused
    if arguments.json:
        write_json(asked)
    elif asked["state"] == "OFFLINE":
        raise Refused(
            f"{asked['station_id']} is not connected; nothing was sent.",
            next_step=f"hub station show {asked['station_id']}",
        )
    elif asked["state"] == "SILENT":
        raise Failure(f"{asked['station_id']} did not answer in time; it may have done it.")
    elif asked["error"]:
        error = asked["error"]
        raise Failure(
            f"{asked['station_id']} refused: {error['code']} {error['description'] or ''}"
        )
    elif asked["state"] == "ANSWERED":
        lines(json.dumps(asked["result"], indent=2, ensure_ascii=False))
    else:
        note(f"Sent. What became of it: hub station calls {asked['station_id']}")
    return 4 if asked["state"] == "OFFLINE" else int(failed)


def configuration(arguments: Arguments) -> int:
    station = station_of(arguments)
    version = station["ocpp_version"] or station["ocpp_versions"][-1]
    if arguments.setting is None:
        kept(arguments, station)
        return 0
    if arguments.value is not None:
        message = station_words.write_setting(
            version, name=arguments.setting, value=arguments.value
        )
        asked = ask(arguments, station["id"], *message)
        return answer(arguments, asked, done=station_words.TAKEN)
    message = station_words.read_settings(version, names=[arguments.setting])
    asked = ask(arguments, station["id"], *message)
    if arguments.json or asked["state"] != "ANSWERED":
        return answer(arguments, asked)
    found = station_words.settings_in(asked["result"])
    table(found, [("NAME", "name"), ("VALUE", "value"), ("STATUS", "status")], empty="None.")
    return int(not any(one["value"] is not None for one in found))


def kept(arguments: Arguments, station: dict[str, Any]) -> None:
    found = hub(arguments).get(f"/stations/{station['id']}/settings")["items"]
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("NAME", "name"),
            ("VALUE", "value"),
            ("READ-ONLY", "readonly"),
            ("REPORTED", lambda row: when(row["reported_at"])),
        ],
        empty="It has reported no settings yet.",
    )


def calls(arguments: Arguments) -> None:
    found = hub(arguments).all(f"/stations/{find(arguments)}/calls", limit=arguments.limit)
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("WHEN", lambda row: row["created_at"][:19] + "Z"),
            ("ACTION", "action"),
            ("PAYLOAD", "payload"),
            ("STATE", "state"),
            ("RESULT", lambda row: row["error"] or row["result"]),
        ],
        empty="Nobody has asked it anything.",
    )


def log(arguments: Arguments) -> None:
    where = f"/stations/{find(arguments)}/frames"
    connection = hub(arguments)
    found = connection.get(where, limit=min(arguments.limit, 500))
    if arguments.json and not arguments.follow:
        write_json(found)
        return
    if not found["items"]:
        note("Nothing yet." if found["connected"] else "Nothing yet: it is not connected.")
    actions: dict[str, str] = {}
    while True:
        for frame in found["items"]:
            if arguments.json:
                print(json.dumps(frame, ensure_ascii=False), flush=True)
            else:
                lines(frame_line(frame, actions))
                sys.stdout.flush()
        if not arguments.follow:
            return
        time.sleep(PAUSE)
        found = connection.get(where, after=found["next"], limit=500)


def frame_line(frame: dict[str, Any], actions: dict[str, str]) -> str:
    """``12:00:01.123  →  CALL  Reset  {"type":"Soft"}``; an arrow to the right is the hub's."""
    at, arrow = frame["at"][11:23], "←" if frame["direction"] == "in" else "→"
    match parsed(frame["frame"]):
        case [2 | 6 as kind, str(message_id), str(action), payload]:
            actions[message_id] = action
        case [3 as kind, str(message_id), payload]:
            action = actions.pop(message_id, "?")
        case [4 | 5 as kind, str(message_id), *payload]:
            action = actions.pop(message_id, "?")
        case _:
            return printable(f"{at}  {arrow}  {frame['frame']}")
    shown = json.dumps(payload, ensure_ascii=False)
    return printable(f"{at}  {arrow}  {KINDS[kind]:<10}  {action}  {shown}")


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
