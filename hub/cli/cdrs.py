"""``hub cdr``: what the hub found out about CDRs, those that are held, and disputes."""

from typing import Any
from urllib.parse import quote

from hub.cli import options, partners
from hub.cli.failures import Usage
from hub.cli.options import Arguments, Commands, given, hub
from hub.cli.output import facts, lines, note, table, when, write_json

VERDICTS = ("OK", "DIFFERS", "CANNOT_TELL", "UNCHECKED")
DISPUTES = ("OPEN", "ACCEPTED", "REJECTED", "SETTLED")
REF = "country code, party id and id, with slashes: NL/ACM/CDR1"


def add(commands: Commands) -> None:
    cdrs = options.group(commands, "cdr", "check CDRs, settle disputes, release what is held")

    parser = options.command(cdrs, "list", list_, "CDRs and whether they are right.")
    parser.add_argument("--verdict", choices=VERDICTS)
    parser.add_argument("--party", help="only those of or for one party, such as NL*ACM")
    parser.add_argument("--partner", dest="id", help="only those a platform brought: id or name")
    parser.add_argument("--flag", help="only those with a fault, such as duplicate_charging")
    parser.add_argument("--held", action="store_true", help="only those that are held")
    parser.add_argument("--dispute", choices=DISPUTES)
    parser.add_argument(
        "--min-difference", metavar="AMOUNT", help="only those that differ by so much, either way"
    )
    parser.add_argument(
        "--by-difference", action="store_true", help="the largest difference first, not the latest"
    )
    options.limited(parser)

    parser = options.command(
        cdrs, "show", show, "One CDR: the verdict and how it came about, credits and notes."
    )
    parser.add_argument("ref", help=REF)

    parser = options.command(
        cdrs,
        "check",
        check,
        "Check a CDR again, with what the hub knows now.",
        more="CDRs are checked when they come, and again when a tariff they lacked has come.",
    )
    parser.add_argument("ref", nargs="?", help=REF)
    parser.add_argument("--all", action="store_true", help="all CDRs, in the background")

    parser = options.command(cdrs, "release", release, "Let a CDR that is held go to its receiver.")
    parser.add_argument("ref", help=REF)
    parser.add_argument("--note", required=True, help="why")

    parser = options.command(
        cdrs,
        "dispute",
        dispute,
        "Open a dispute about a CDR, or move it on.",
        more="A credit CDR that takes it back settles the dispute by itself.",
    )
    parser.add_argument("ref", help=REF)
    parser.add_argument("state", choices=[name.lower() for name in DISPUTES])
    parser.add_argument("--note", required=True, help="why")

    parser = options.command(cdrs, "note", write_note, "Write something beside a CDR.")
    parser.add_argument("ref", help=REF)
    parser.add_argument("note", help="what there is to say")


def list_(arguments: Arguments) -> None:
    found = hub(arguments).all(
        "/cdrs",
        limit=arguments.limit,
        verdict=arguments.verdict,
        party=arguments.party,
        partner_id=partners.find(arguments) if arguments.id else None,
        flag=arguments.flag,
        held=arguments.held or None,
        dispute=arguments.dispute,
        min_difference=arguments.min_difference,
        order="difference" if arguments.by_difference else "latest",
    )
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("REF", "ref"),
            ("FOR", "receiver"),
            ("VERDICT", "verdict"),
            ("CLAIMED", "claimed"),
            ("DIFFERS BY", lambda row: row["difference"] if row["verdict"] != "OK" else None),
            ("", "currency"),
            ("FLAGS", "flags"),
            ("DISPUTE", "dispute"),
            ("HELD", lambda row: row["held_at"] and when(row["held_at"])),
        ],
        empty="There are no CDRs like that.",
    )


def show(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).get(path(arguments.ref)))


def check(arguments: Arguments) -> None:
    if arguments.all == bool(arguments.ref):
        raise Usage("Name one CDR, or say --all.", field="ref")
    if arguments.all:
        hub(arguments).post("/cdrs/check")
        if arguments.json:
            write_json({"checking": "all"})
        else:
            note("All CDRs are being checked again.")
        return
    answer(arguments, hub(arguments).post(f"{path(arguments.ref)}/check"))


def release(arguments: Arguments) -> None:
    body = {"note": arguments.note}
    answer(arguments, hub(arguments).post(f"{path(arguments.ref)}/release", body))


def dispute(arguments: Arguments) -> None:
    body = {"dispute": arguments.state.upper(), "note": arguments.note}
    answer(arguments, hub(arguments).post(f"{path(arguments.ref)}/notes", body))


def write_note(arguments: Arguments) -> None:
    body = given(note=arguments.note)
    answer(arguments, hub(arguments).post(f"{path(arguments.ref)}/notes", body))


def path(ref: str) -> str:
    parts = ref.split("/", 2)
    if len(parts) != 3:  # noqa: PLR2004 - as REF says
        raise Usage(f"{ref!r} names no CDR.", field="ref", allowed=REF)
    return f"/cdrs/{'/'.join(quote(part) for part in parts)}"


def answer(arguments: Arguments, found: dict[str, Any]) -> None:
    if arguments.json:
        write_json(found)
        return
    report = found["report"] or {}
    facts(
        [
            ("CDR", found["ref"]),
            ("For", found["receiver"]),
            ("Verdict", found["verdict"]),
            ("Why", report.get("reasons")),
            ("Claimed", money(found, "claimed")),
            ("Expected", money(found, "expected")),
            ("Difference", money(found, "difference")),
            ("Differs in", [difference(item) for item in report.get("mismatches", [])]),
            ("Faults", [fault["text"] for fault in report.get("faults", [])]),
            ("Lacks", found["awaits"]),
            ("Credits", found["credits"]),
            ("Credited by", [credit["id"] for credit in found["credited_by"]]),
            ("Net", money(found, "net") if found["credited_by"] else None),
            ("Held", found["held_at"] and when(found["held_at"])),
            ("Dispute", found["dispute"]),
            ("Checked", when(found["checked_at"])),
        ]
    )
    if report.get("explanation"):
        lines("")
        table(
            report["explanation"],
            [
                ("PERIOD", "period"),
                ("FROM", "from"),
                ("DIMENSION", "dimension"),
                ("BILLED", lambda step: f"{step['billed_volume']} {step['unit']}".rstrip()),
                ("PRICE", "price"),
                ("EXCL. VAT", "excl_vat"),
                ("INCL. VAT", "incl_vat"),
                ("WHY", "why"),
            ],
            empty="",
        )
    if found["notes"]:
        lines("")
        table(
            found["notes"],
            [
                ("WHEN", lambda row: when(row["created_at"])),
                ("WHO", lambda row: row["by"] or row["created_by"] or "the hub"),
                ("DISPUTE", "dispute"),
                ("NOTE", "note"),
            ],
            empty="",
        )


def difference(item: dict[str, Any]) -> str:
    name, side, claimed = item["name"], item["side"], item["claimed"]
    return f"{name} ({side}): {claimed} claimed, {item['expected']} computed"


def money(found: dict[str, Any], name: str) -> str | None:
    value = found[name]
    return None if value is None else f"{value} {found['currency'] or ''}".rstrip()
