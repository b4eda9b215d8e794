"""Who is told anew since agreements have changed."""

from argparse import ArgumentParser
from typing import Any

from hub.cli.options import Arguments
from hub.cli.output import lines, table

COLUMNS = [("TOLD NOW", "partner"), ("MODULE", "module"), ("OBJECTS", "objects")]


def offer(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--tell",
        choices=("yes", "no"),
        help="whether partners that may see more now are told what there is (yes)",
    )


def wanted(arguments: Arguments) -> bool | None:
    return None if arguments.tell is None else arguments.tell == "yes"


def show(told: list[dict[str, Any]]) -> None:
    if told:
        lines("")
        table(told, COLUMNS, empty="")
