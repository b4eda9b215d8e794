"""``hub price``: what a session costs, and whether a CDR is right.

Needs no hub: files in, an answer out. With ``--jsonl`` it answers line by line, for other programs
and for a great many CDRs.
"""

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from hub.cli import options
from hub.cli.failures import Failure, Usage
from hub.cli.options import Arguments, Commands
from hub.cli.output import lines, write_json

MORE = """\
With --cdr it prints every dimension of every period: the element used and why, the volume, the
volume billed, its price; then the totals, and what the CDR claims that is not so. Without --tariff
the tariffs in the CDR are used.

With --jsonl it reads objects {"ocpi_version", "time_zone", "tariffs", "cdr"} from standard
input, one a line, and answers each with a line: "expected", "cdr_check" and "explanation", or
"error"."""


def add(commands: Commands) -> None:
    parser = options.command(
        commands,
        "price",
        run,
        "Price a CDR or session and check its totals.",
        more=MORE,
        remote=False,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--cdr", metavar="FILE", help="the CDR or Session; - is standard input")
    source.add_argument("--jsonl", action="store_true", help="answer the lines of standard input")
    parser.add_argument(
        "--tariff", metavar="FILE", action="append", default=[], help="a tariff; may be repeated"
    )
    parser.add_argument("--time-zone", metavar="ZONE", help="of the location: Europe/Amsterdam")
    parser.add_argument("--ocpi-version", metavar="V", help="2.1.1, 2.2.1 or 2.3.0")


def run(arguments: Arguments) -> None:
    if arguments.jsonl:
        answer_lines()
        return
    from hub.roaming.pricing import answers, check  # noqa: PLC0415 - for the help it is not needed

    tariffs = [tariff for name in arguments.tariff for tariff in read_tariffs(name)]
    verdict = check.check(
        read_json(arguments.cdr, "--cdr"),
        tariffs,
        time_zone=arguments.time_zone,
        ocpi_version=arguments.ocpi_version,
    )
    if verdict.priced is None:
        raise Failure(
            " ".join(verdict.reasons),
            code="cannot_price",
            next_step="What a CDR lacks can be given with --tariff and --time-zone.",
        )
    if arguments.json:
        write_json(answers.report(verdict) | {"cdr_check": answers.checked(verdict)})
    else:
        lines(answers.narrated(verdict))


def answer_lines() -> None:
    """Every line is answered and flushed by itself: whoever feeds us may wait for each.

    The answer to a line has the number of the line, so an empty one is answered too.
    """
    for line in sys.stdin.buffer:
        sys.stdout.write(as_text(answer_line(line)) + "\n")
        sys.stdout.flush()


def answer_line(line: bytes) -> dict[str, Any]:
    from hub.roaming.pricing.answers import answer  # noqa: PLC0415

    try:
        return answer(parse(line))
    except BadInput as error:
        return {"error": str(error)}
    except Exception as error:  # noqa: BLE001 - one line must not stop the ones after it
        return {"error": f"This line cannot be priced ({type(error).__name__})."}


def as_text(found: dict[str, Any]) -> str:
    """JSON in one line. What is no Unicode, half of a surrogate pair, is written as it came."""
    try:
        return orjson.dumps(found).decode()
    except TypeError:
        return json.dumps(found)


class BadInput(Exception):
    """It is not JSON; the message says why."""


def parse(text: bytes) -> Any:
    """JSON with its numbers as they are written, to the last digit."""
    if not text.strip():
        raise BadInput("This line is empty.")
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"This is not JSON: {error}.") from None


def refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def read_json(name: str, option: str) -> Any:
    try:
        text = sys.stdin.buffer.read() if name == "-" else Path(name).expanduser().read_bytes()
        return parse(text)
    except OSError as error:
        raise Usage(f"{name} cannot be read: {error.strerror}.", field=option) from None
    except BadInput as error:
        raise Usage(f"{name}: {error}", field=option) from None


def read_tariffs(name: str) -> list[Any]:
    """One tariff, or a list of them."""
    found = read_json(name, "--tariff")
    return found if isinstance(found, list) else [found]
