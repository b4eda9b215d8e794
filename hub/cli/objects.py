"""``hub object``: what the hub keeps, and who has received it."""

import json
from urllib.parse import quote

from hub.cli import options
from hub.cli.options import Arguments, Commands, hub
from hub.cli.output import facts, lines, table, when, write_json

MODULES = ("locations", "tariffs", "sessions", "cdrs", "tokens")


def add(commands: Commands) -> None:
    objects = options.group(commands, "object", "locations, tariffs, sessions, CDRs and tokens")

    parser = options.command(objects, "list", list_, "Objects of one module, the latest first.")
    parser.add_argument("module", choices=MODULES)
    parser.add_argument("--party", help="only those of one party, such as NL*ACM")
    parser.add_argument("--id", help="only those whose id begins so")
    parser.add_argument("--deleted", action="store_true", help="deleted ones instead")
    options.limited(parser)

    parser = options.command(
        objects,
        "show",
        show,
        "One object, and for every platform that is to have it whether it has.",
        more="The reference is that of `hub object list`: NL/ACM/LOC1, tokens as NL/ACM/UID/RFID.",
    )
    parser.add_argument("module", choices=MODULES)
    parser.add_argument("ref", help="country code, party id and id, with slashes")


def list_(arguments: Arguments) -> None:
    found = hub(arguments).all(
        f"/objects/{arguments.module}",
        limit=arguments.limit,
        party=arguments.party,
        id=arguments.id,
        deleted=arguments.deleted,
    )
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("REF", "ref"),
            ("LAST UPDATED", "last_updated"),
            ("RECEIVED", lambda row: when(row["received_at"])),
        ],
        empty=f"The hub keeps no {arguments.module} like that.",
    )


def show(arguments: Arguments) -> None:
    found = hub(arguments).get(f"/objects/{arguments.module}/{quote(arguments.ref)}")
    if arguments.json:
        write_json(found)
        return
    facts(
        [
            ("Object", f"{found['module']} {found['ref']}"),
            ("Brought by", found["partner_id"] or "the hub's own stations"),
            ("Last updated", found["last_updated"]),
            ("Received", when(found["received_at"])),
            ("Deleted", found["deleted_at"] and when(found["deleted_at"])),
        ]
    )
    lines(json.dumps(found["document"], indent=2, ensure_ascii=False), "")
    table(
        found["deliveries"],
        [("FOR", "party"), ("ON", "partner"), ("STATE", "state"), ("WHY", "reason")],
        empty="It is meant for nobody who is connected.",
    )
