"""``hub agreement``: which party gets what of which other one."""

from typing import Any

from hub.cli import options, telling
from hub.cli.options import Arguments, Commands, given, hub
from hub.cli.output import members, note, table, write_json

SIDE = "a party such as NL*ACM, a country such as NL; left out for anybody"


def add(commands: Commands) -> None:
    agreements = options.group(commands, "agreement", "who may see and reach whom")

    for effect in ("allow", "block"):
        parser = options.command(
            agreements,
            effect,
            agree,
            f"{effect.capitalize()} what one side gets of the other.",
            more="The most specific agreement decides; among equals a block wins.",
        )
        parser.set_defaults(effect=effect.upper(), hold=False)
        parser.add_argument("--from", dest="giver", metavar="PARTY", help=f"whose data: {SIDE}")
        parser.add_argument("--to", metavar="PARTY", help=f"who would get it: {SIDE}")
        parser.add_argument(
            "--module", help="one module; left out for all of OCPI. Of your own, name each"
        )
        parser.add_argument("--note", help="why")
        parser.set_defaults(tell=None)
        if effect == "allow":
            telling.offer(parser)
            parser.add_argument(
                "--hold",
                action="store_true",
                help="CDRs wait until they were checked, and wrong ones until somebody decides",
            )

    parser = options.command(
        agreements, "change", change, "Change an agreement; other parties are another one."
    )
    parser.add_argument("agreement", help="its id")
    parser.add_argument("--effect", type=str.upper, choices=("ALLOW", "BLOCK"))
    parser.add_argument("--hold", choices=("yes", "no"), help="whether CDRs wait for their check")
    parser.add_argument("--note", help="why")
    telling.offer(parser)

    parser = options.command(agreements, "list", list_, "All agreements, newest first.")
    options.limited(parser)

    for name, run, about in (
        ("show", show, "One agreement."),
        ("end", end, "End an agreement: the next less specific one decides."),
    ):
        parser = options.command(agreements, name, run, about)
        parser.add_argument("agreement", help="its id")
        if name == "end":
            telling.offer(parser)


def agree(arguments: Arguments) -> None:
    body = {"from": arguments.giver, "to": arguments.to, "module": arguments.module}
    hold = arguments.hold or None
    body = given(**body, effect=arguments.effect, hold=hold, note=arguments.note)
    made = hub(arguments).post("/agreements", body, tell=telling.wanted(arguments))
    answer(arguments, made)
    if made["custom"] and not arguments.json:
        note(f"{made['module']} is none of OCPI's modules: this is about one of your own.")


def change(arguments: Arguments) -> None:
    hold = None if arguments.hold is None else arguments.hold == "yes"
    body = given(effect=arguments.effect, hold=hold, note=arguments.note)
    path, tell = f"/agreements/{arguments.agreement}", telling.wanted(arguments)
    answer(arguments, hub(arguments).patch(path, body, tell=tell))


def list_(arguments: Arguments) -> None:
    found = hub(arguments).all("/agreements", limit=arguments.limit)
    if arguments.json:
        write_json({"items": found})
        return
    table(
        found,
        [
            ("ID", "id"),
            ("FROM", lambda row: row["from"] or "anybody"),
            ("TO", lambda row: row["to"] or "anybody"),
            ("MODULE", lambda row: row["module"] or "all"),
            ("EFFECT", lambda row: f"{row['effect']}{', HOLD' if row['hold'] else ''}"),
            ("NOTE", "note"),
        ],
        empty="No agreements.",
    )
    open_ = hub(arguments).get("/me")["tenant"]["default_agreement"] == "ALLOW"
    note(
        f"Without an agreement {'everything' if open_ else 'nothing'} is allowed (hub tenant"
        " change ID --network)."
    )


def show(arguments: Arguments) -> None:
    answer(arguments, hub(arguments).get(f"/agreements/{arguments.agreement}"))


def end(arguments: Arguments) -> None:
    path, tell = f"/agreements/{arguments.agreement}", telling.wanted(arguments)
    told = hub(arguments).delete(path, tell=tell)["told"]
    if arguments.json:
        write_json({"ended": arguments.agreement, "told": told})
        return
    note("Ended.")
    telling.show(told)


def answer(arguments: Arguments, agreement: dict[str, Any]) -> None:
    if arguments.json:
        write_json(agreement)
        return
    told = agreement.pop("told", [])
    members(agreement)
    telling.show(told)
