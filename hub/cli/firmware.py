"""``hub firmware``: software for stations of your own, and installing it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from hub.cli import naming_stations, options
from hub.cli.failures import NotFound, Usage
from hub.cli.options import Arguments, Commands, given, hub, positive
from hub.cli.output import facts, note, table, when, write_json


def add(commands: Commands) -> None:
    firmware = options.group(commands, "firmware", "software for stations of your own")

    parser = options.command(firmware, "add", add_firmware, "Lay a file ready for stations.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--name", help="what to call it (the file's name)")

    parser = options.command(firmware, "list", list_, "What lies ready, newest first.")
    options.limited(parser)

    parser = options.command(
        firmware,
        "install",
        install,
        "Have a station fetch firmware and install it.",
        more="It gets a URL that works once. How it gets on: hub station jobs STATION",
    )
    naming_stations.named(parser)
    parser.add_argument("firmware", help="its name or id")
    parser.add_argument("--at", metavar="TIME", help="fetch it then (now)")
    parser.add_argument("--install-at", metavar="TIME", help="install it then; OCPP 2, or signed")
    parser.add_argument("--retries", type=positive)
    signed(parser)

    parser = options.command(firmware, "remove", remove, "Remove firmware, and its jobs.")
    parser.add_argument("firmware", help="its name or id")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def signed(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--certificate", type=Path, metavar="FILE", help="of who signed it, for a signed update"
    )
    parser.add_argument("--signature", type=Path, metavar="FILE", help="of the file, base64")


def find(arguments: Arguments) -> str:
    """By its id or its name; of several files of one name the newest."""
    for file in hub(arguments).all("/firmware"):
        if arguments.firmware in {file["id"], file["name"]}:
            return str(file["id"])
    raise NotFound(f"There is no firmware {arguments.firmware!r}.", next_step="hub firmware list")


def add_firmware(arguments: Arguments) -> None:
    name = arguments.name or arguments.file.name
    try:
        with arguments.file.open("rb") as content:
            answer(arguments, hub(arguments).upload("/firmware", content, name=name))
    except OSError as error:
        raise Usage(f"{arguments.file} cannot be read: {error.strerror}.", field="file") from None


def install(arguments: Arguments) -> None:
    wanted = given(
        firmware_id=find(arguments),
        retrieve_at=arguments.at,
        install_at=arguments.install_at,
        retries=arguments.retries,
        signing_certificate=text_of(arguments.certificate),
        signature=text_of(arguments.signature),
    )
    station_id = naming_stations.find(arguments)
    job = hub(arguments).post(f"/stations/{station_id}/firmware", wanted)
    if arguments.json:
        write_json(job)
        return
    facts([("Result", job["result"]), ("Status", job["status"]), ("Job", job["id"])])
    note(f"How it gets on: hub station jobs {arguments.station}")


def text_of(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{path} cannot be read: {error}.", field="file") from None


def list_(arguments: Arguments) -> None:
    found = hub(arguments).all("/firmware", limit=arguments.limit)
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("NAME", "name"),
            ("BYTES", "size"),
            ("SHA-256", "sha256"),
            ("ADDED", lambda row: when(row["created_at"])),
            ("ID", "id"),
        ],
        empty="Nothing lies ready. Next: hub firmware add FILE",
    )


def remove(arguments: Arguments) -> None:
    firmware_id = find(arguments)
    options.confirm(arguments, f"Remove {arguments.firmware}?")
    hub(arguments).delete(f"/firmware/{firmware_id}")
    if arguments.json:
        write_json({"removed": firmware_id})
    else:
        note("Removed.")


def answer(arguments: Arguments, file: dict[str, Any]) -> None:
    if arguments.json:
        write_json(file)
        return
    facts([("Name", file["name"]), ("Bytes", file["size"]), ("SHA-256", file["sha256"])])
    note(f"Next: hub firmware install STATION {file['name']}")
