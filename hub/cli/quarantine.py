"""``hub quarantine``: objects that came with a fault."""

from typing import Any

from hub.cli import options, partners
from hub.cli.failures import CONFLICT, Refused, Usage
from hub.cli.options import Arguments, Commands, hub
from hub.cli.output import facts, lines, note, table, when, write_json


def add(commands: Commands) -> None:
    quarantine = options.group(commands, "quarantine", "objects that came with a fault")

    parser = options.command(
        quarantine, "list", list_, "Objects that were refused, with field and rule, newest first."
    )
    parser.add_argument("--partner", dest="id", help="only from this one, by id or name")
    parser.add_argument("--module")
    parser.add_argument("--settled", action="store_true", help="those that are settled instead")
    options.limited(parser)

    parser = options.command(quarantine, "show", show, "One of them, with what the partner sent.")
    parser.add_argument("entry", help="its id")

    for name, run, about in (
        ("replay", replay, "Take it in after all, if it passes the checks now."),
        ("dismiss", dismiss, "Settle it without the object."),
    ):
        more = "Either one, by its id, or all of a partner: --partner, and perhaps --module."
        parser = options.command(quarantine, name, run, about, more=more)
        parser.add_argument("entry", nargs="?", help="its id")
        parser.add_argument("--partner", dest="id", help="all of this one, by id or name")
        parser.add_argument("--module", help="with --partner: only of this module")


def list_(arguments: Arguments) -> None:
    found = matching(arguments, limit=arguments.limit, settled=arguments.settled)
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("ID", "id"),
            ("WHAT", "kind"),
            ("OBJECT", "object_ref"),
            ("FIELD", lambda row: row["errors"][0]["field"] if row["errors"] else None),
            ("RULE", lambda row: row["errors"][0]["rule"] if row["errors"] else None),
            ("SINCE", lambda row: when(row["created_at"])),
        ],
        empty="Nothing is in quarantine.",
    )


def matching(arguments: Arguments, **more: Any) -> list[dict[str, Any]]:
    return hub(arguments).all(
        "/quarantine",
        partner_id=partners.find(arguments) if arguments.id else None,
        module=arguments.module,
        **more,
    )


def meant(arguments: Arguments) -> list[str]:
    """The ids of the entries that a command is about: one, or all of a partner."""
    if (arguments.entry is None) == (arguments.id is None):
        raise Usage("Name one entry by its id, or a partner with --partner.", field="entry")
    return [arguments.entry] if arguments.entry else [one["id"] for one in matching(arguments)]


def show(arguments: Arguments) -> None:
    found = hub(arguments).get(f"/quarantine/{arguments.entry}")
    if arguments.json:
        write_json(found)
        return
    facts(
        [
            ("What", f"{found['kind']} {found['object_ref']}"),
            ("From partner", partners.name_of(arguments, found["partner_id"])),
            ("Came in", f"{when(found['created_at'])}, as OCPI {found['ocpi_version']}"),
            ("Settled", found["settled_at"] and when(found["settled_at"])),
        ]
    )
    for error in found["errors"]:
        lines(f"  {error['field']}: {error['rule']}")
    lines("", found["body"])


def replay(arguments: Arguments) -> None:
    entries = meant(arguments)
    if arguments.entry is None:
        replay_all(arguments, entries)
        return
    found = hub(arguments).post(f"/quarantine/{arguments.entry}/replay")
    if arguments.json:
        write_json(found)
        return
    facts([("Object", found["object_ref"]), ("Outcome", found["outcome"])])


def replay_all(arguments: Arguments, entries: list[str]) -> None:
    taken, refused = [], []
    for entry in entries:
        try:
            taken.append(hub(arguments).post(f"/quarantine/{entry}/replay"))
        except Refused as error:
            if error.code != CONFLICT:
                raise
            refused.append({"id": entry, "error": str(error)})
    if arguments.json:
        write_json({"items": taken, "refused": refused})
        return
    table(taken, [("OBJECT", "object_ref"), ("OUTCOME", "outcome")], empty="Nothing was taken in.")
    if refused:
        note(f"{len(refused)} are refused still: hub quarantine list")


def dismiss(arguments: Arguments) -> None:
    entries = meant(arguments)
    for entry in entries:
        hub(arguments).post(f"/quarantine/{entry}/dismiss")
    if arguments.json:
        write_json({"settled": arguments.entry or entries})
    else:
        note(f"Settled{'' if arguments.entry else f': {len(entries)}'}.")
