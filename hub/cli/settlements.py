"""``hub settlement``: what parties billed each other in a month."""

import sys
from pathlib import Path
from urllib.parse import quote

from hub.cli import options
from hub.cli.failures import Usage
from hub.cli.options import Arguments, Commands, hub
from hub.cli.output import note, table, write_json

FORMATS = ("json", "csv", "html")
ZONE = "where the month begins and ends: Europe/Amsterdam (UTC)"


def add(commands: Commands) -> None:
    settlements = options.group(commands, "settlement", "what parties billed each other in a month")

    parser = options.command(
        settlements, "list", list_, "What every party billed every other one, before taxes."
    )
    parser.add_argument("month", help="such as 2025-06")
    parser.add_argument("--party", help="only what concerns one party, such as NL*ACM")
    parser.add_argument("--time-zone", metavar="ZONE", default="UTC", help=ZONE)

    parser = options.command(
        settlements,
        "show",
        show,
        "The statement of a pair of parties: sums by currency and tax, and every CDR.",
        more="The same CDRs and verdicts give the same bytes.",
    )
    parser.add_argument("month", help="such as 2025-06")
    parser.add_argument("issuer", help="who billed: NL*ACM")
    parser.add_argument("recipient", help="who is to pay: DE*XYZ")
    parser.add_argument("--format", choices=FORMATS, default="json", help="(json)")
    parser.add_argument("--output", metavar="FILE", help="write it there, not to standard output")
    parser.add_argument("--time-zone", metavar="ZONE", default="UTC", help=ZONE)

    parser = options.command(
        settlements,
        "reconcile",
        reconcile,
        "Tell who is to pay, by OCPI 2.3.0, which CDRs your invoices of a month cover.",
        more="For the party of your own stations. Safe to repeat.",
    )
    parser.add_argument("month", help="such as 2025-06")
    parser.add_argument("issuer", help="the party of your own stations: NL*OWN")
    parser.add_argument("recipient", help="who is to pay: DE*XYZ")
    parser.add_argument(
        "--invoice",
        metavar="CURRENCY=NUMBER",
        action="append",
        default=[],
        help="the number of your invoice: EUR=2025-0017; may be repeated",
    )
    parser.add_argument("--time-zone", metavar="ZONE", default="UTC", help=ZONE)


def list_(arguments: Arguments) -> None:
    found = hub(arguments).get(
        "/settlements",
        month=arguments.month,
        party=arguments.party,
        time_zone=arguments.time_zone,
    )["items"]
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("FROM", "issuer"),
            ("TO", "recipient"),
            ("BEFORE TAXES", "before_taxes"),
            ("", "currency"),
            ("CDRS", "cdrs"),
            ("CREDITS", "credit_cdrs"),
            ("OK", "ok"),
            ("DIFFER", "differs"),
            ("BY", "difference"),
            ("UNCLEAR", lambda row: row["cannot_tell"] + row["unchecked"]),
            ("DISPUTED", "disputed"),
            ("HELD", "held"),
        ],
        empty=f"Nobody billed anybody in {arguments.month}.",
    )


def path(arguments: Arguments) -> str:
    parts = (arguments.month, arguments.issuer, arguments.recipient)
    return f"/settlements/{'/'.join(quote(part, safe='') for part in parts)}"


def reconcile(arguments: Arguments) -> None:
    invoices = {}
    for given in arguments.invoice:
        currency, equals, number = given.partition("=")
        if not (currency and equals and number):
            raise Usage(f"{given!r} is no invoice.", field="--invoice", allowed="CURRENCY=NUMBER")
        invoices[currency.upper()] = number
    body = {"invoices": invoices, "time_zone": arguments.time_zone}
    told = hub(arguments).post(f"{path(arguments)}/reconciliation", body)["items"]
    if arguments.json:
        write_json({"items": told})
        return
    table(
        told,
        [
            ("RECORD", "id"),
            ("INVOICE", "invoice_id"),
            ("CDRS", lambda row: len(row["cdrs"])),
            ("OUTCOME", "outcome"),
        ],
        empty="There was nothing to tell.",
    )


def show(arguments: Arguments) -> None:
    body = hub(arguments).download(
        path(arguments),
        format=arguments.format,
        time_zone=arguments.time_zone,
    )
    if arguments.output is None:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    try:
        Path(arguments.output).expanduser().write_bytes(body)
    except OSError as error:
        raise Usage(
            f"{arguments.output} cannot be written: {error.strerror}.", field="--output"
        ) from None
    note(f"Written: {arguments.output}")
