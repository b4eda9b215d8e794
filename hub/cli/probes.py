"""``hub partner probe``: how a platform wants to be spoken to, and where it deviates from OCPI."""

from typing import Any

from hub.cli import options
from hub.cli.failures import Failure
from hub.cli.options import Arguments, Commands, hub
from hub.cli.output import facts, lines, note, write_json


def add(partners: Commands, find: Any) -> None:
    """The command among those of ``hub partner``; ``find`` tells which partner is meant."""
    parser = options.command(
        partners,
        "probe",
        probe,
        "Find out what a platform supports, how it wants to be spoken to, where it deviates.",
        more="Reads only, with the hub's own token. What was found is kept and used from then on;"
        "\nconfiguration.quirks of the partner goes before it. Every new partner is probed once.",
    )
    parser.add_argument("id", help="of the partner, or the beginning of its name")
    parser.add_argument("--last", action="store_true", help="ask nothing, show the last report")
    parser.add_argument(
        "--brief", action="store_true", help="a dozen requests, none of them wrong on purpose"
    )
    parser.set_defaults(find=find)


def probe(arguments: Arguments) -> int:
    path = f"/partners/{arguments.find(arguments)}"
    if arguments.last:
        profile = hub(arguments).get(f"{path}/profile")
    else:
        if not arguments.json:
            note(f"Probing {arguments.id} …")
        profile = hub(arguments).post(f"{path}/probe", {"whole": not arguments.brief})
    if arguments.json:
        write_json(profile)
        return 0
    if profile.get("error"):
        raise Failure(f"The probe ended early: {profile['error']}")
    show(profile)
    return 0


def show(profile: dict[str, Any]) -> None:
    supports = profile["supports"]
    facts(
        [
            ("Probed at", profile["at"]),
            ("OCPI", profile["version"]),
            ("Offers", supports["versions"]),
            ("Token as", supports["token_form"]),
            ("Pages of", supports["page_limit"]),
            ("Quirks", [f"{name}: {value}" for name, value in profile["quirks"].items()] or "none"),
        ]
    )
    set_by_hand = [
        f"{name}: {value}"
        for name, value in profile["used"].items()
        if name in profile["quirks"] and value != profile["quirks"][name]
    ]
    if set_by_hand:
        lines(f"Configured instead: {', '.join(set_by_hand)}")
    for module, interfaces in supports["modules"].items():
        total = supports["lists"].get(module)
        listed = f"  lists {total}" if total is not None else ""
        lines(f"  {module:<18} {', '.join(interfaces)}{listed}")
    for finding in profile["findings"]:
        lines("", *told(finding))
    lines("", summary(profile))


def told(finding: dict[str, Any]) -> list[str]:
    ids = " ".join(finding["requirements"])
    more = f" (and {finding['times'] - 1} more)" if finding["times"] > 1 else ""
    told = [f"{finding['weight'].upper():6} {ids}: {finding['expected']}"]
    if finding["request"]:
        told.append(f"       asked  {finding['request']}")
    return [*told, f"       got    {finding['got']}{more}", f"       mend   {finding['mend']}"]


def summary(profile: dict[str, Any]) -> str:
    how = "all reading checks" if profile["whole"] else "a brief look"
    return (
        f"{how}: {len(profile['findings'])} deviations, {profile['passed']} checks passed,"
        f" {profile['not_checked']} not made"
    )
