"""``hub tariff``: what is wrong with a tariff, and what it means.

Needs no hub. A file holds one tariff or a list of them, of any OCPI version.
"""

from typing import Any

from hub.cli import options
from hub.cli.failures import Failure, Usage
from hub.cli.options import Arguments, Commands
from hub.cli.output import lines, write_json
from hub.cli.price import read_tariffs


def add(commands: Commands) -> None:
    group = options.group(commands, "tariff", "Look into tariffs.")
    parser = options.command(
        group,
        "lint",
        lint,
        "Say what is wrong, unreachable or ambiguous in a tariff.",
        more="Exit code 1 when there is an error among the findings.",
        remote=False,
    )
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--ocpi-version", metavar="V", help="2.1.1, 2.2.1 or 2.3.0")
    parser = options.command(
        group, "explain", explain, "Say in plain English what a driver pays.", remote=False
    )
    parser.add_argument("file", metavar="FILE")


def lint(arguments: Arguments) -> int:
    from hub.roaming.pricing.findings import Level, as_json  # noqa: PLC0415
    from hub.roaming.pricing.lint import lint  # noqa: PLC0415

    found = [
        (tariff, lint(tariff, ocpi_version=arguments.ocpi_version))
        for tariff in tariffs_in(arguments.file)
    ]
    if arguments.json:
        write_json(
            [
                {"tariff_id": tariff.get("id"), "findings": [as_json(item) for item in findings]}
                for tariff, findings in found
            ]
        )
    else:
        for tariff, findings in found:
            name = tariff.get("id", "?")
            for item in findings:
                place = "" if item.element is None else f" element {item.element}:"
                lines(f"{name}: {item.level}:{place} {item.text} [{item.code}]")
            if not findings:
                lines(f"{name}: nothing to complain about")
    return int(any(item.level is Level.ERROR for _, findings in found for item in findings))


def explain(arguments: Arguments) -> None:
    from hub.roaming.pricing.english import explain  # noqa: PLC0415
    from hub.roaming.pricing.quantities import CannotPrice  # noqa: PLC0415

    try:
        texts = [(tariff.get("id"), explain(tariff)) for tariff in tariffs_in(arguments.file)]
    except CannotPrice as error:
        raise Failure(str(error), code="unreadable", next_step="hub tariff lint") from None
    if arguments.json:
        write_json([{"tariff_id": name, "text": text} for name, text in texts])
        return
    for number, (_, text) in enumerate(texts):
        if number:
            lines("")
        lines(text.rstrip("\n"))


def tariffs_in(name: str) -> list[dict[str, Any]]:
    found = read_tariffs(name)
    if not all(isinstance(tariff, dict) for tariff in found):
        raise Usage(f"{name} does not hold tariffs.", field="file")
    return found
