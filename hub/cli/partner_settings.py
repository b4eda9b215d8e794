"""``hub partner set``: what is agreed with one partner."""

import json
from collections.abc import Callable
from typing import Any

from hub.cli import options
from hub.cli.failures import Usage
from hub.cli.options import Arguments, Commands, hub
from hub.cli.output import facts, write_json


def add(partners: Commands, find: Callable[[Arguments], str]) -> None:
    parser = options.command(
        partners,
        "set",
        lambda arguments: set_(arguments, find(arguments)),
        "Change settings of one partner; those not named stay as they are.",
        more="Such as callbacks_need_token=true delivery=live_only\n"
        "allowed_origins='[\"https://ocpi.example.com\"]'. NAME=null takes a setting back."
        " All of them:\ndocs/ocpi-support.md.",
    )
    parser.add_argument("id", help="of the partner, or the beginning of its name")
    parser.add_argument("settings", nargs="+", metavar="NAME=VALUE")


def set_(arguments: Arguments, partner_id: str) -> None:
    configuration = dict(map(setting, arguments.settings))
    partner = hub(arguments).patch(f"/partners/{partner_id}", {"configuration": configuration})
    if arguments.json:
        write_json(partner)
        return
    facts(partner["configuration"].items())


def setting(text: str) -> tuple[str, Any]:
    """The value is JSON, or else a word."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise Usage(f"{text} is not a setting. Write NAME=VALUE.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
