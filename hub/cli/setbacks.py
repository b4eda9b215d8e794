"""``hub setback``: objects that a partner would not take."""

from typing import Any

from hub.cli import options, partners
from hub.cli.failures import CONFLICT, Refused, Usage
from hub.cli.options import Arguments, Commands, hub
from hub.cli.output import members, note, table, write_json

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
    parser.add_argument("--partner", dest="id", help="only this one, by id or name")
    parser.add_argument("--module")
    parser.add_argument("--settled", action="store_true", help="those that are settled instead")
    options.limited(parser)

    parser = options.command(setbacks, "show", show, "One setback.")
    parser.add_argument("setback", help="its id")

    parser = options.command(
        setbacks,
        "replay",
        replay,
        "Send the object once more, as it is now. Safe to repeat.",
        more="Either one, by its id, or all of a partner: --partner, and perhaps --module.",
    )
    parser.add_argument("setback", nargs="?", help="its id")
    parser.add_argument("--partner", dest="id", help="all of this one, by id or name")
    parser.add_argument("--module", help="with --partner: only of this module")


def list_(arguments: Arguments) -> None:
    found = matching(arguments, limit=arguments.limit, settled=arguments.settled)
    if arguments.json:
        write_json({"items": found})
        return
    table(found, ROWS, empty="No setbacks: everybody takes what they get.")


def matching(arguments: Arguments, **more: Any) -> list[dict[str, Any]]:
    return hub(arguments).all(
        "/setbacks",
        partner_id=partners.find(arguments) if arguments.id else None,
        module=arguments.module,
        **more,
    )


def show(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).get(f"/setbacks/{arguments.setback}"))


def replay(arguments: Arguments) -> None:
    if (arguments.setback is None) == (arguments.id is None):
        raise Usage("Name one setback by its id, or a partner with --partner.", field="setback")
    if arguments.setback is None:
        replay_all(arguments)
        return
    answer(arguments, hub(arguments).post(f"/setbacks/{arguments.setback}/replay"))
    if not arguments.json:
        note(f"It is being sent. What became of it: hub setback show {arguments.setback}")


def replay_all(arguments: Arguments) -> None:
    sent = []
    for one in matching(arguments):
        try:
            sent.append(hub(arguments).post(f"/setbacks/{one['id']}/replay"))
        except Refused as error:
            # What the partner has taken meanwhile need not be sent.
            if error.code != CONFLICT:
                raise
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
