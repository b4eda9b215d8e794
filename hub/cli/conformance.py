"""``hub conformance``: does a platform keep to OCPI? For partners to test themselves, too.

Needs no hub: it speaks to the platform alone.
"""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from hub.cli import options
from hub.cli.failures import Unavailable, Usage
from hub.cli.options import Arguments, Commands
from hub.cli.output import lines, note, write_json
from hub.models.values import Party, Role

if TYPE_CHECKING:
    from hub.conformance.callbacks import Callbacks

LAST_PORT = 65535
MORE = """\
Reads versions, credentials, lists and single objects and says which rules of OCPI are broken: the
requirement, what was expected, what came, how to mend it. Nothing is changed at the platform.

With --write it registers there with a token A, pushes objects whose ids begin with CONFORMANCE,
asks what a partner asks, renews its credentials and unregisters. The platform must be able to call
back: on one machine that needs nothing, else say with --listen where to wait for it and with
--callback-url how it gets there. CDRs stay where they were posted, at a price of nothing.

The token is one that the platform gave out: read from the file that --token names, from standard
input (-), from the environment variable OCPI_TOKEN, or asked for; never from the command line.
With a token A, which is for registering only, versions and credentials are all that can be read.

Exit code 0: no rule is broken; 1: some are (--strict: or advice was given); 5: nothing could be
examined. docs/conformance.md lists the requirements."""


def add(commands: Commands) -> None:
    parser = options.command(
        commands,
        "conformance",
        run,
        "Examine an OCPI platform, requirement by requirement.",
        more=MORE,
        remote=False,
    )
    parser.add_argument("versions_url", help="such as https://ocpi.example.com/versions")
    parser.add_argument(
        "--token", "--token-file", metavar="FILE", help="holds the token; - is standard input"
    )
    parser.add_argument(
        "--ocpi-version", metavar="V", help="2.1.1, 2.2.1 or 2.3.0; the newest that both know"
    )
    parser.add_argument(
        "--role",
        action="append",
        default=[],
        metavar="PARTY:ROLE",
        help="NL*ACM:CPO: who we are to the platform; may be repeated (with --write NL*TST, as CPO"
        " and EMSP; without: nobody, no routing headers)",
    )
    parser.add_argument("--write", action="store_true", help="register, push, renew, unregister")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", default="127.0.0.1:0", help="for call-backs (127.0.0.1:0)"
    )
    parser.add_argument("--callback-url", metavar="URL", help="where the platform reaches --listen")
    parser.add_argument(
        "--allow-private", action="store_true", help="the platform may have a private address"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 for advice as well")
    parser.add_argument(
        "--timeout", type=options.positive, default=15, help="seconds for one request (15)"
    )


def run(arguments: Arguments) -> int:
    from hub.conformance.examine import Plan, examine  # noqa: PLC0415 - heavy, and the help is not
    from hub.conformance.subject import KNOWN, Unusable  # noqa: PLC0415

    check_callbacks(arguments)
    if arguments.ocpi_version not in {None, *KNOWN}:
        raise Usage(
            f"--ocpi-version: {arguments.ocpi_version} is not known.",
            field="--ocpi-version",
            allowed=list(KNOWN),
        )
    party, roles = read_roles(arguments.role)
    plan = Plan(
        versions_url=arguments.versions_url,
        token=read_token(arguments.token),
        version=arguments.ocpi_version,
        party=party,
        roles=roles or Plan.roles,
        allow_private=arguments.allow_private,
        timeout=arguments.timeout,
        callbacks=callbacks(arguments) if arguments.write else None,
    )
    try:
        report = asyncio.run(examine(plan, lambda text: note(f"… {text}")))
    except OSError as error:
        raise Unavailable(f"--listen: {error.strerror or error}.") from None
    except Unusable as why:
        raise Unavailable(
            str(why),
            next_step="Check the URL of the versions and the token; a platform on a private"
            " address needs --allow-private.",
        ) from None
    if arguments.json:
        write_json(report.as_json())
    else:
        lines(*report.told())
    return int(report.failed(strict=arguments.strict))


def check_callbacks(arguments: Arguments) -> None:
    if arguments.write and not arguments.allow_private and not arguments.callback_url:
        raise Usage(
            "--write: the platform has to call back, and cannot reach this machine by itself.",
            field="--callback-url",
            next_step="Say with --callback-url how it gets to --listen, or that it is on this"
            " machine with --allow-private.",
        )


def callbacks(arguments: Arguments) -> "Callbacks":
    from hub.conformance.callbacks import Callbacks  # noqa: PLC0415

    host, colon, port = arguments.listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > LAST_PORT:
        raise Usage(
            f"--listen: {arguments.listen!r} is not a host and a port.",
            field="--listen",
            next_step="Write it as 0.0.0.0:9000.",
        )
    return Callbacks(host.strip("[]"), int(port), arguments.callback_url or "")


def read_token(path: str | None) -> str:
    if path is None and (token := os.environ.get("OCPI_TOKEN", "").strip()):
        return token
    if path not in {None, "-"} and not Path(str(path)).expanduser().exists():
        # It may be the token itself, so it is not repeated.
        raise Usage(
            "--token: there is no such file. The token itself is never an argument: others on this"
            " machine could read it.",
            field="--token",
            next_step="Pipe it in (--token -), put it into OCPI_TOKEN, or name a file with it.",
        )
    return options.read_secret(path, prompt="Token", option="--token")


def read_roles(texts: list[str]) -> tuple[Party | None, tuple[Role, ...]]:
    """One party and the roles that it plays."""
    parties, roles = set(), []
    for text in texts:
        party, _, role = text.rpartition(":")
        try:
            parties.add(Party.parse(party))
            roles.append(Role(role.upper()))
        except ValueError:
            raise Usage(
                f"--role: {text!r} is not a party and a role.",
                field="--role",
                allowed=list(Role),
                next_step="Write it as NL*ACM:CPO.",
            ) from None
    if len(parties) > 1:
        raise Usage("--role: the roles must be those of one party.", field="--role")
    return next(iter(parties), None), tuple(roles)
