"""What was found, as a table for people or as JSON."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass

HEAD = (
    *("what", "hub/s", "bare/s", "ratio", "aim", "verdict"),
    *("one row/s", "hub÷one row", "py-ocpi/s", "hub÷py-ocpi"),
)


@dataclass(frozen=True)
class Row:
    """``ratio`` is hub ÷ bare of the same rounds; ``note`` says what else was measured. ``least``
    is what a server does that keeps the text in one row.
    """

    what: str
    hub: float
    bare: float | None = None
    ratio: float | None = None
    aim: str = ""
    met: bool | None = None
    least: float | None = None
    peer: float | None = None
    note: str = ""


def show(rows: Sequence[Row], facts: dict[str, object]) -> None:
    cells = [HEAD, *map(cells_of, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    for index, line in enumerate(cells):
        first, *others = (
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join([first, *others]).rstrip())
        if not index:
            print("  ".join("-" * width for width in widths))
    print()
    for row in rows:
        if row.note:
            print(f"{row.what}: {row.note}")
    print()
    print("; ".join(f"{name}: {value}" for name, value in facts.items()))


def cells_of(row: Row) -> tuple[str, ...]:
    verdict = {True: "met", False: "missed", None: ""}[row.met]
    return (
        row.what,
        number(row.hub),
        number(row.bare),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        row.aim,
        verdict,
        number(row.least),
        times(row.hub, row.least, 2),
        number(row.peer),
        times(row.hub, row.peer, 1),
    )


def times(hub: float, other: float | None, digits: int) -> str:
    return f"{hub / other:.{digits}f}" if other else ""


def number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.1f}" if value < 10 else f"{value:,.0f}"


def show_json(rows: Sequence[Row], facts: dict[str, object]) -> None:
    print(json.dumps({"rows": [asdict(row) for row in rows], **facts}, indent=2))


def machine() -> str:
    """The load is part of the result: on a busy machine only the ratios say anything."""
    busy = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, load {busy:.1f}, Python {platform.python_version()}"
