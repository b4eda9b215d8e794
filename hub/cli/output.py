"""How commands answer: tables for people, JSON for programs.

Answers go to standard output, everything else (progress, errors, hints) to standard error. Colours
appear only on a terminal, and never with ``NO_COLOR``. With ``--json`` standard output is one JSON
document and nothing else.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]
Column = tuple[str, str | Callable[[Row], Any]]

NOTHING = "-"
# Characters between two columns; and up to which a cell is not broken into lines.
GAP, SHORT = 2, 24
GOOD = {"ACTIVE", "CONNECTED", "UP_TO_DATE", "DELIVERED", "DONE", "ALLOW"}
BAD = {"SUSPENDED", "BLOCKED", "OFFLINE", "HELD", "REFUSED", "FAILED", "BLOCK", "TERMINATED"}
CAPITALS = {
    **{word: word.upper() for word in ("cpo", "evse", "http", "id", "ip", "ocpi", "uid", "url")},
    "cidrs": "CIDRs",
    "email": "e-mail",
    "kwh": "kWh",
    "ids": "IDs",
}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
WAITING = {"PENDING_VERIFICATION", "PLANNED", "BEHIND", "BACKING_OFF", "WAITING", "RUNNING"}


class Stream(Console):
    """Leaves it to the command what it means that nobody reads any more."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console(stream: TextIO) -> Console:
    """Colours on a terminal; elsewhere lines are as long as they need to be."""
    return Stream(file=stream, highlight=False, width=None if stream.isatty() else 10_000)


def write_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("\n")


def table(rows: Iterable[Row], columns: Sequence[Column], *, empty: str) -> None:
    """Rows as a table; ``empty`` says what to do when there are none. On a terminal that is too
    narrow for one, rows are below each other.
    """
    kept = list(rows)
    if not kept:
        note(empty)
        return
    cells = [[cell(value_of(row, member)) for _, member in columns] for row in kept]
    titles = [title for title, _ in columns]
    if not sys.stdout.isatty():
        lines(*aligned([titles, *([text.plain for text in row] for row in cells)]))
        return
    columns_of_text = list(zip(*[[Text(title) for title in titles], *cells], strict=True))
    narrowest = [least_width(column) for column in columns_of_text]
    out = console(sys.stdout)
    if sum(narrowest) + GAP * (len(titles) - 1) > out.width:
        blocks(titles, cells)
        return
    shown = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for title, width in zip(titles, narrowest, strict=True):
        shown.add_column(title, overflow="fold", min_width=width)
    for row in cells:
        shown.add_row(*row)
    out.print(shown)


def least_width(column: Sequence[Text]) -> int:
    """What a column needs: short cells stay whole, long ones break between words."""
    return max(
        cell.cell_len
        if cell.cell_len <= SHORT
        else max(map(cell_len, cell.plain.split()), default=0)
        for cell in column
    )


def blocks(titles: Sequence[str], cells: Sequence[Sequence[Text]]) -> None:
    """Rows below each other, for terminals in which they have no room beside each other."""
    out, width = console(sys.stdout), max(map(len, titles))
    for number, row in enumerate(cells):
        if number:
            out.print()
        for title, text in zip(titles, row, strict=True):
            if text.plain != NOTHING:
                out.print(Text(f"{title:<{width}}  ", style="bold") + text, soft_wrap=True)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """One line a row, whatever its length: for programs such as grep and awk."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def facts(pairs: Iterable[tuple[str, Any]]) -> None:
    """Names and values, one a line; what is empty is left out."""
    kept = [(name, value) for name, value in pairs if value not in (None, "", [], {})]
    width = max((len(name) for name, _ in kept), default=0)
    out = console(sys.stdout)
    for name, value in kept:
        out.print(Text(f"{name:<{width}}  ", style="bold") + cell(value), soft_wrap=True)


def members(thing: Row) -> None:
    """Everything a thing of the admin API has, as people would write it."""
    unchanged = thing.get("updated_at") == thing.get("created_at")
    hidden = {"version"} | ({"updated_at"} if unchanged else set())
    facts(
        (title(name), moment(value) if is_moment(value) else value)
        for name, value in thing.items()
        if name not in hidden
    )


def title(name: str) -> str:
    """``http_status`` is HTTP status, ``created_at`` is Created."""
    words = [CAPITALS.get(word, word) for word in name.removesuffix("_at").split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def is_moment(value: Any) -> bool:
    return isinstance(value, str) and MOMENT.match(value) is not None


def moment(value: str) -> str:
    """A moment to the second, and how long ago that is."""
    at = datetime.fromisoformat(value).astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%SZ} ({when(value)})"


def lines(*texts: str) -> None:
    """Plain lines, for people to read; what partners wrote in them included (T-26)."""
    out = console(sys.stdout)
    for text in texts:
        out.print(Text(printable(text)), soft_wrap=True)


def note(text: str) -> None:
    """Something beside the answer: progress, a hint."""
    print(printable(text), file=sys.stderr, flush=True)


def value_of(row: Row, member: str | Callable[[Row], Any]) -> Any:
    return member(row) if callable(member) else row.get(member)


def cell(value: Any) -> Text:
    text = plain(value)
    style = ""
    if text in GOOD:
        style = "green"
    elif text in BAD:
        style = "red"
    elif text in WAITING:
        style = "yellow"
    # Text and not markup: what partners call themselves must not colour the terminal.
    return Text(printable(text), style=style)


def plain(value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value) or NOTHING
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def printable(text: str) -> str:
    """Without what a terminal would act on (T-26)."""
    return "".join(
        character if character.isprintable() or character == "\n" else f"\\x{ord(character):02x}"
        for character in text
    )


def when(moment: str | None) -> str:
    """A moment as people tell it: how long ago, or in how long."""
    if not moment:
        return "never"
    seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    span = abs(seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if span >= length:
            told = f"{span / length:.0f} {unit}"
            break
    else:
        told = f"{span:.0f} s"
    return f"{told} ago" if seconds >= 0 else f"in {told}"
