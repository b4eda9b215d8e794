"""What commands have in common: their options, and how they are registered."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from getpass import getpass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from hub.cli.client import Hub, default_url, find_key
from hub.cli.failures import Refused, Usage
from hub.cli.output import write_json

Arguments: TypeAlias = argparse.Namespace
Run = Callable[[Arguments], int | None]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no other name


UUID_LENGTH = 36


class Help(argparse.RawDescriptionHelpFormatter):
    """Text stays as it is written; names and what they mean stand on one line."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, **{"max_help_position": 32, "width": 100} | options)

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        if isinstance(action.choices, dict):
            # argparse forgets that it indents the names of commands once more.
            self._action_max_length += self._indent_increment


class Parser(argparse.ArgumentParser):
    """Complains of what it does not know itself, with its own usage and not that of ``hub``.

    With ``--json`` the complaint is JSON, as every other error is.
    """

    as_json = False

    def parse_known_args(  # type: ignore[override]  # one overload is enough
        self, args: Iterable[str] | None = None, namespace: Any = None
    ) -> tuple[Arguments, list[str]]:
        given = sys.argv[1:] if args is None else list(args)
        self.as_json = "--json" in given
        known, unknown = super().parse_known_args(given, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown

    def error(self, message: str) -> NoReturn:
        if self.as_json:
            write_json(Usage(f"{message}.", next_step=f"{self.prog} --help").as_json())
            self.exit(Usage.exit_code)
        super().error(message)


def group(commands: Commands, name: str, about: str) -> Commands:
    """A command that has commands: ``hub partner …``."""
    about = f"{about[0].upper()}{about[1:].rstrip('.')}."
    parser = commands.add_parser(name, help=about, description=about, formatter_class=Help)
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def command(
    commands: Commands,
    name: str,
    run: Run,
    about: str,
    *,
    more: str = "",
    remote: bool = True,
    tenant: bool = True,
) -> argparse.ArgumentParser:
    """One command. ``remote`` ones speak to a running hub, most of them for one ``tenant``."""
    parser = commands.add_parser(
        name,
        help=about,
        description=f"{about}\n\n{more}" if more else about,
        formatter_class=Help,
        # An abbreviation that works today means something else when an option is added.
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="answer with JSON")
    if remote:
        parser.add_argument("--url", default=None, help="the hub to speak to (HUB_URL)")
    if remote and tenant:
        parser.add_argument(
            "--tenant",
            metavar="TENANT",
            help="act in this tenant, an id or a domain (HUB_TENANT); for keys that may",
        )
    return parser


def limited(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=positive, default=100, help="at most so many (100)")


def positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return int(text)


def hub(arguments: Arguments) -> Hub:
    """The hub these arguments mean."""
    return Hub(
        arguments.url or default_url(),
        key=find_key(),
        tenant=arguments.tenant or os.environ.get("HUB_TENANT"),
    )


def reference(text: str) -> str:
    """What names an object: ``NL/ACM/LOC1``. Its id may have slashes, too."""
    parts = text.split("/", 2)
    if len(parts) < 3 or not all(parts):  # noqa: PLR2004 - as the message says
        raise argparse.ArgumentTypeError(
            f"must be country code, party id and id, such as NL/ACM/LOC1, not {text!r}"
        )
    return text


def read_secret(path: str | None, *, prompt: str, option: str) -> str:
    """A secret from a file, from standard input (``-`` or a pipe), or asked for on a terminal."""
    if path is not None and path != "-":
        try:
            secret = Path(path).expanduser().read_text().strip()
        except OSError as error:
            raise Usage(
                f"{option}: {path} cannot be read: {error.strerror}.", field=option
            ) from None
    elif sys.stdin.isatty():
        secret = getpass(f"{prompt}: ").strip()
    else:
        secret = sys.stdin.readline().strip()
    if not secret:
        raise Usage(
            f"{option}: there is no secret in it.",
            field=option,
            next_step=f"Name a file with {option}, or pipe it in: {option} - < file",
        )
    return secret


def given(**values: Any) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in values.items() if value is not None}


def is_id(text: str) -> bool:
    """Whether it is written as the ids of the admin API are, and no name."""
    return len(text) == UUID_LENGTH and text.count("-") == 4  # noqa: PLR2004 - groups of a UUID


def confirm(arguments: Arguments, question: str) -> None:
    """Ask before what cannot be undone; a program says --yes."""
    if arguments.yes:
        return
    if not sys.stdin.isatty():
        raise Usage(f"{question} Say --yes.", field="--yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Refused("Nothing was done.")
