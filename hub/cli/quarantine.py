"""``hub quarantine``: objects that came with a fault."""

from hub.cli import options, partners
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

    for name, run, about in (
        ("show", show, "One of them, with what the partner sent."),
        ("replay", replay, "Take it in after all, if it passes the checks now."),
        ("dismiss", dismiss, "Settle it without the object."),
    ):
        parser = options.command(quarantine, name, run, about)
        parser.add_argument("entry", help="its id")


def list_(arguments: Arguments) -> None:
    found = hub(arguments).all(
        "/quarantine",
        limit=arguments.limit,
        partner_id=partners.find(arguments) if arguments.id else None,
        module=arguments.module,
        settled=arguments.settled,
    )
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
    found = hub(arguments).post(f"/quarantine/{arguments.entry}/replay")
    if arguments.json:
        write_json(found)
        return
    facts([("Object", found["object_ref"]), ("Outcome", found["outcome"])])


def dismiss(arguments: Arguments) -> None:
    hub(arguments).post(f"/quarantine/{arguments.entry}/dismiss")
    if arguments.json:
        write_json({"settled": arguments.entry})
    else:
        note("Settled.")
