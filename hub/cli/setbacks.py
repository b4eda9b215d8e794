"""``hub setback``: objects that a partner would not take."""

from typing import Any

from hub.cli import options, partners, refusals
from hub.cli.options import Arguments, Commands, hub
from hub.cli.output import members, note, table, write_json

PATH = "/setbacks"
ROWS = (
    ("ID", "id"),
    ("FOR", "party"),
    ("MODULE", "module"),
    ("OBJECT", "object_ref"),
    ("HTTP", "http_status"),
    ("OCPI", "status_code"),
    ("TRIES", "attempts"),
    ("REASON", "reason"),
)


def add(commands: Commands) -> None:
    setbacks = options.group(commands, "setback", "objects a partner refused; send them again")

    parser = options.command(setbacks, "list", list_, "Objects that were refused, newest first.")
    refusals.listed(parser)

    parser = options.command(setbacks, "show", show, "One setback.")
    parser.add_argument("id", help="its id")

    parser = options.command(
        setbacks,
        "replay",
        replay,
        "Send the object once more, as it is now. Safe to repeat.",
        more=refusals.ONE_OR_ALL,
    )
    refusals.one_or_all(parser)


def list_(arguments: Arguments) -> None:
    found = refusals.matching(arguments, PATH, limit=arguments.limit, settled=arguments.settled)
    if arguments.json:
        write_json({"items": found})
        return
    table(found, ROWS, empty="No setbacks: everybody takes what they get.")


def show(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).get(f"{PATH}/{arguments.id}"))


def replay(arguments: Arguments) -> None:
    if not refusals.is_one(arguments):
        replay_all(arguments)
        return
    answer(arguments, hub(arguments).post(f"{PATH}/{arguments.id}/replay"))
    if not arguments.json:
        note(f"It is being sent. What became of it: hub setback show {arguments.id}")


def replay_all(arguments: Arguments) -> None:
    # The hub refuses what the partner has taken meanwhile: that need not be sent.
    sent, _ = refusals.replay_all(arguments, PATH)
    if arguments.json:
        write_json({"items": sent})
        return
    table(sent, ROWS, empty="No setbacks: there is nothing to send again.")
    if sent:
        note(f"{len(sent)} are being sent. What is refused again: hub setback list")


def answer(arguments: Arguments, setback: dict[str, Any]) -> None:
    if arguments.json:
        write_json(setback)
        return
    partner = partners.name_of(arguments, setback.pop("partner_id"))
    members({"id": setback.pop("id"), "partner": partner, **setback})
