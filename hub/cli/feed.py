"""``hub feed``: are the deliveries going out?"""

from hub.cli import options, partners
from hub.cli.options import Arguments, Commands, given, hub
from hub.cli.output import note, table, when, write_json


def add(commands: Commands) -> None:
    feed = options.group(commands, "feed", "deliveries to each partner: how far, and what is wrong")

    parser = options.command(
        feed,
        "status",
        status,
        "One line for each partner and module: how far it is, and what stands in the way.",
    )
    parser.add_argument("--partner", dest="id", help="only this one, by id or name")
    parser.add_argument("--trouble", action="store_true", help="only where something is wrong")
    parser.add_argument("--all", action="store_true", help="modules it does not take, too")

    parser = options.command(
        feed, "retry", retry, "Try a partner again now, whatever it waits for."
    )
    parser.add_argument("id", help="of the partner, or the beginning of its name")
    parser.add_argument(
        "--restart", action="store_true", help="it lost what it had: tell it everything again"
    )
    parser.add_argument("--module", help="with --restart: tell it only this module again")


def status(arguments: Arguments) -> None:
    partner_id = partners.find(arguments) if arguments.id else None
    found = hub(arguments).get("/feed", partner_id=partner_id)["items"]
    if arguments.trouble:
        found = [row for row in found if row["failures"] or row["setbacks"] or row["reason"]]
    shown = found if arguments.all else taken(found)
    show(arguments, shown)
    if len(shown) < len(found) and not arguments.trouble and not arguments.json:
        note("Modules for which a partner has no receiver: hub feed status --all")


def taken(found: list[dict[str, object]]) -> list[dict[str, object]]:
    """Without the modules for which a partner has no receiver."""
    return [row for row in found if row["state"] != "NOT_TAKEN"]


def retry(arguments: Arguments) -> None:
    body = given(restart=arguments.restart, module=arguments.module)
    found = hub(arguments).post(f"/feed/{partners.find(arguments)}/retry", body)["items"]
    show(arguments, found if arguments.json else taken(found))


def show(arguments: Arguments, found: list[dict[str, object]]) -> None:
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("PARTNER", "partner"),
            ("MODULE", "module"),
            ("STATE", "state"),
            ("BEHIND", "behind"),
            ("DELIVERED", "delivered"),
            ("LAST", lambda row: when(row["delivered_at"])),
            ("SETBACKS", "setbacks"),
            ("NEXT TRY", lambda row: row.get("next_attempt_at") and when(row["next_attempt_at"])),
            ("WHY", "reason"),
        ],
        empty="Nothing is wrong."
        if getattr(arguments, "trouble", False)
        else "Nobody is told anything yet.",
    )
    if any(row["setbacks"] for row in found):
        note("Why objects were refused: hub setback list")
