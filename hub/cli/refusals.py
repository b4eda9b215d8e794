"""What ``hub setback`` and ``hub quarantine`` have in common: objects that were refused, theirs or
ours, are listed, and tried once more: one by its id, or all of a partner.
"""

from argparse import ArgumentParser
from typing import Any

from hub.cli import options, partners
from hub.cli.failures import CONFLICT, Refused, Usage
from hub.cli.options import Arguments, hub

ONE_OR_ALL = "Either one, by its id, or all of a partner: --partner, and perhaps --module."


def listed(parser: ArgumentParser) -> None:
    parser.add_argument("--partner", help="only of this one, by id or name")
    parser.add_argument("--module")
    parser.add_argument("--settled", action="store_true", help="those that are settled instead")
    options.limited(parser)


def one_or_all(parser: ArgumentParser) -> None:
    parser.add_argument("id", nargs="?", help="its id")
    parser.add_argument("--partner", help="all of this one, by id or name")
    parser.add_argument("--module", help="with --partner: only of this module")


def matching(arguments: Arguments, path: str, **more: Any) -> list[dict[str, Any]]:
    """Those of the list at ``path`` that partner and module fit, newest first."""
    return hub(arguments).all(
        path,
        partner_id=partners.find(arguments, arguments.partner) if arguments.partner else None,
        module=arguments.module,
        **more,
    )


def is_one(arguments: Arguments) -> bool:
    """Whether one is meant and not all of a partner; Usage where that is not said."""
    if (arguments.id is None) == (arguments.partner is None):
        raise Usage("Name one by its id, or a partner with --partner.", field="id")
    return arguments.id is not None


def replay_all(arguments: Arguments, path: str) -> tuple[list[Any], list[dict[str, str]]]:
    """What the hub answered; and those that it would not replay, with why."""
    replayed, refused = [], []
    for one in matching(arguments, path):
        try:
            replayed.append(hub(arguments).post(f"{path}/{one['id']}/replay"))
        except Refused as error:
            if error.code != CONFLICT:
                raise
            refused.append({"id": one["id"], "error": str(error)})
    return replayed, refused
