"""``hub quarantine``: objects that came with a fault."""

from hub.cli import options, partners, refusals
from hub.cli.options import Arguments, Commands, hub
from hub.cli.output import facts, lines, note, table, when, write_json

PATH = "/quarantine"


def add(commands: Commands) -> None:
    quarantine = options.group(commands, "quarantine", "objects that came with a fault")

    parser = options.command(
        quarantine, "list", list_, "Objects that were refused, with field and rule, newest first."
    )
    refusals.listed(parser)

    parser = options.command(quarantine, "show", show, "One of them, with what the partner sent.")
    parser.add_argument("id", help="its id")

    for name, run, about in (
        ("replay", replay, "Take it in after all, if it passes the checks now."),
        ("dismiss", dismiss, "Settle it without the object."),
    ):
        parser = options.command(quarantine, name, run, about, more=refusals.ONE_OR_ALL)
        refusals.one_or_all(parser)
        if name == "dismiss":
            parser.add_argument("--yes", action="store_true", help="do not ask")


def list_(arguments: Arguments) -> None:
    found = refusals.matching(arguments, PATH, limit=arguments.limit, settled=arguments.settled)
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


def show(arguments: Arguments) -> None:
    found = hub(arguments).get(f"{PATH}/{arguments.id}")
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
    if not refusals.is_one(arguments):
        replay_all(arguments)
        return
    found = hub(arguments).post(f"{PATH}/{arguments.id}/replay")
    if arguments.json:
        write_json(found)
        return
    facts([("Object", found["object_ref"]), ("Outcome", found["outcome"])])


def replay_all(arguments: Arguments) -> None:
    taken, refused = refusals.replay_all(arguments, PATH)
    if arguments.json:
        write_json({"items": taken, "refused": refused})
        return
    table(taken, [("OBJECT", "object_ref"), ("OUTCOME", "outcome")], empty="Nothing was taken in.")
    if refused:
        note(f"{len(refused)} are refused still: hub quarantine list")


def dismiss(arguments: Arguments) -> None:
    if refusals.is_one(arguments):
        ids = [arguments.id]
    else:
        ids = [one["id"] for one in refusals.matching(arguments, PATH)]
    if ids:
        options.confirm(arguments, f"Dismiss {len(ids)}? What is dismissed cannot be taken in.")
    for entry_id in ids:
        hub(arguments).post(f"{PATH}/{entry_id}/dismiss")
    if arguments.json:
        write_json({"settled": ids})
    else:
        note(f"Settled: {len(ids)}.")
