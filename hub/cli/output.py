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

from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]
Column = tuple[str, str | Callable[[Row], Any]]

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


def console(stream: TextIO) -> Console:
    """Colours on a terminal; elsewhere lines are as long as they need to be."""
    return Console(file=stream, highlight=False, width=None if stream.isatty() else 10_000)


def write_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("\n")


def table(rows: Iterable[Row], columns: Sequence[Column], *, empty: str) -> None:
    """Rows as a table; ``empty`` says what to do when there are none."""
    kept = list(rows)
    if not kept:
        note(empty)
        return
    cells = [[cell(value_of(row, member)) for _, member in columns] for row in kept]
    titles = [title for title, _ in columns]
    if not sys.stdout.isatty():
        lines(*aligned([titles, *([text.plain for text in row] for row in cells)]))
        return
    shown = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for title in titles:
        shown.add_column(title, overflow="fold")
    for row in cells:
        shown.add_row(*row)
    console(sys.stdout).print(shown)


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
    """Plain lines, for people to read."""
    out = console(sys.stdout)
    for text in texts:
        out.print(Text(text), soft_wrap=True)


def note(text: str) -> None:
    """Something beside the answer: progress, a hint."""
    print(text, file=sys.stderr, flush=True)


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
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value) or "-"
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
