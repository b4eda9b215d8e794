"""``hub object``: what the hub keeps, and who has received it."""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hub.cli import options, partners
from hub.cli.failures import Refused, Usage
from hub.cli.options import Arguments, Commands, hub
from hub.cli.output import facts, lines, note, table, when, write_json

MODULES = (
    *("locations", "tariffs", "sessions", "cdrs", "tokens"),
    *("invoicereconciliation", "booking-locations", "bookings"),
    *("terminals", "financial-advice-confirmations"),
)
# What operators write themselves.
OWN = ("locations", "tariffs")


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
    parser.add_argument(
        "ref", type=options.reference, help="country code, party id and id, with slashes"
    )

    parser = options.command(
        objects,
        "losses",
        losses,
        "What other OCPI versions could not say of objects, and why.",
        more="A part without a path stands for the whole object: partners who speak that version do"
        "\nnot get it. READ: it came in this version, WRITTEN: it goes out in it.",
    )
    parser.add_argument("module", nargs="?", choices=MODULES)
    parser.add_argument("--party", help="only objects of one party, such as NL*ACM")
    parser.add_argument("--version", metavar="V", help="only one OCPI version, such as 2.1.1")
    options.limited(parser)

    parser = options.command(
        objects,
        "put",
        put,
        "Create or replace a location or tariff of your own.",
        more="The file holds one OCPI object, or a list of them. Owner and last_updated may be left"
        " out. A location keeps the EVSEs of the stations that stand there.",
    )
    parser.add_argument("module", choices=OWN)
    parser.add_argument("file", help="a file with JSON, - for standard input")
    parser.add_argument(
        "--ocpi-version",
        metavar="V",
        default="2.3.0",
        help="the version it is written in: 2.3.0 or 2.2.1 (2.3.0)",
    )

    parser = options.command(objects, "delete", delete, "Delete a tariff of your own.")
    parser.add_argument("module", choices=OWN)
    parser.add_argument("id", help="its id, or country code, party id and id, with slashes")
    parser.add_argument("--yes", action="store_true", help="do not ask")


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
            ("Brought by", brought_by(arguments, found["partner_id"])),
            ("Last updated", found["last_updated"]),
            ("Received", when(found["received_at"])),
            ("Deleted", found["deleted_at"] and when(found["deleted_at"])),
        ]
    )
    lines(json.dumps(found["document"], indent=2, ensure_ascii=False), "")
    table(
        found["deliveries"],
        [
            ("FOR", "party"),
            ("ON", "partner"),
            ("OCPI", "ocpi_version"),
            ("STATE", "state"),
            ("WHY", "reason"),
        ],
        empty="It is meant for nobody who is connected.",
    )
    if found["losses"]:
        lines("")
        tell_losses(found["losses"])


def brought_by(arguments: Arguments, partner_id: str | None) -> str:
    return partners.name_of(arguments, partner_id) if partner_id else "the hub's own party"


def losses(arguments: Arguments) -> None:
    found = hub(arguments).all(
        "/losses",
        limit=arguments.limit,
        module=arguments.module,
        party=arguments.party,
        version=arguments.version,
    )
    if arguments.json:
        write_json({"items": found})
        return
    tell_losses(found)


def tell_losses(found: list[dict[str, Any]]) -> None:
    """One line for each part that is missing in some version."""
    table(
        [
            {**of_object, **part, "path": part["path"] or "(the whole object)"}
            for of_object in found
            for part in of_object["losses"]
        ],
        [
            ("OBJECT", "object_ref"),
            ("OCPI", "ocpi_version"),
            ("WHEN", "direction"),
            ("PART", "path"),
            ("WHY", "reason"),
        ],
        empty="Nothing was lost.",
    )


def put(arguments: Arguments) -> None:
    connection = hub(arguments)
    owner = own_party(arguments)
    answers = []
    for document in read(arguments.file):
        parts = [document.get(name) or part for name, part in owner.items()]
        where = "/".join(quote(str(part), safe="") for part in (*parts, document.get("id", "")))
        answers.append(
            connection.ask(
                "PUT",
                f"/objects/{arguments.module}/{where}",
                query={"ocpi_version": arguments.ocpi_version},
                body=document,
            )
        )
    if arguments.json:
        write_json({"items": answers})
        return
    table(answers, [("REF", "ref"), ("OUTCOME", "outcome")], empty="The file holds nothing.")


def own_party(arguments: Arguments) -> dict[str, str]:
    """The party of the tenant's own stations, as members of an object."""
    tenant = hub(arguments).get("/me")["tenant"]
    if not tenant["cpo_party"]:
        raise Refused(
            "This tenant has no party for stations of its own yet.",
            code="no_party",
            next_step=f"hub tenant change {tenant['id']} --cpo-party NL*OWN",
        )
    country_code, party_id = tenant["cpo_party"].split("*")
    return {"country_code": country_code, "party_id": party_id}


def read(name: str) -> list[dict[str, Any]]:
    """The objects in a file, each with an id."""
    try:
        content = json.loads(sys.stdin.read() if name == "-" else Path(name).read_text())
    except OSError as error:
        raise Usage(f"{name} cannot be read: {error.strerror}.", field="file") from None
    except ValueError as error:
        raise Usage(f"{name} is not JSON: {error}.", field="file") from None
    found = content if isinstance(content, list) else [content]
    for document in found:
        if not isinstance(document, dict) or not isinstance(document.get("id"), str):
            raise Usage(
                f"{name} must hold OCPI objects, each with an id.", field="file", allowed="JSON"
            )
    return found


def delete(arguments: Arguments) -> None:
    owner = own_party(arguments)
    parts = arguments.id.split("/") if "/" in arguments.id else [*owner.values(), arguments.id]
    options.confirm(arguments, f"Delete {arguments.module} {'/'.join(parts)}?")
    where = "/".join(quote(part, safe="") for part in parts)
    hub(arguments).delete(f"/objects/{arguments.module}/{where}")
    if arguments.json:
        write_json({"deleted": "/".join(parts)})
    else:
        note("Deleted.")
