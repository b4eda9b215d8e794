"""What the demo shows: every hop as it happens, then what arrived where."""

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text

from hub.cli.output import console, note, printable, table
from hub.demo.platform import Hop

# Of many requests of one kind only these are shown; the rest is counted.
SHOWN_OF_A_KIND = 6
MESSAGES_OF_A_KIND = 2
PROGRESS_EVERY = 1.0


@dataclass
class Trace:
    """``quiet`` shows nothing while it happens."""

    quiet: bool
    hops: int = 0
    seen: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    noted_at: float = 0.0

    def hop(self, hop: Hop) -> None:
        self.hops += 1
        if self.quiet:
            return
        kind = (hop.caller, hop.called, hop.method, hop.path.partition("/")[2].partition("/")[0])
        self.seen[kind] += 1
        well = hop.status_code is not None and 1000 <= hop.status_code < 2000  # noqa: PLR2004
        if well and self.seen[kind] > SHOWN_OF_A_KIND:
            if self.seen[kind] == SHOWN_OF_A_KIND + 1:
                self.say(f"{'':>16}… and more like it")
            return
        self.print(hop, well=well)

    def print(self, hop: Hop, *, well: bool) -> None:
        answered = " ".join(str(code) for code in (hop.http_status, hop.status_code) if code)
        line = Text()
        line.append(f"{hop.caller:>6} → {hop.called:<6} ", style="bold")
        line.append(f"{hop.method:<6} {hop.path:<58} ")
        line.append(f"{answered or 'no answer':<9}", style="green" if well else "red")
        line.append(f" {hop.milliseconds:5.0f} ms")
        if not well:
            line.append(f"  {printable(hop.message)}", style="red")
        console(sys.stdout).print(line, soft_wrap=True)

    def message(self, caller: str, called: str, action: str, said: str) -> None:
        """A message of a charging station, or to one."""
        self.hops += 1
        if self.quiet:
            return
        kind = (caller, called, "OCPP", action)
        self.seen[kind] += 1
        if self.seen[kind] <= MESSAGES_OF_A_KIND:
            line = Text()
            line.append(f"{caller:>6} → {called:<6} ", style="bold")
            line.append(f"{'OCPP':<6} {action:<30} ", style="magenta")
            line.append(printable(said), style="dim")
            console(sys.stdout).print(line, soft_wrap=True)

    def chapter(self, title: str) -> None:
        if not self.quiet:
            console(sys.stdout).print(Text(f"\n{title}", style="bold cyan"))

    def say(self, text: str) -> None:
        if not self.quiet:
            console(sys.stdout).print(Text(text, style="dim"), soft_wrap=True)

    def progress(self, text: str) -> None:
        """On standard error, once a second at most."""
        if time.monotonic() - self.noted_at >= PROGRESS_EVERY:
            self.noted_at = time.monotonic()
            note(text)


def show_result(rows: list[dict[str, Any]], refused: list[dict[str, str]]) -> None:
    console(sys.stdout).print()
    table(
        rows,
        [
            ("MODULE", "module"),
            ("FROM", "sender"),
            ("TO", "receiver"),
            ("SENT", "sent"),
            ("ACCEPTED", "accepted"),
            ("ARRIVED", "arrived"),
            ("INTACT", "intact"),
        ],
        empty="Nothing was sent.",
    )
    if refused:
        console(sys.stdout).print()
        table(
            refused,
            [("MODULE", "module"), ("OBJECT", "ref"), ("FIELD", "field"), ("RULE", "rule")],
            empty="",
        )


def show_stations(rows: list[dict[str, Any]]) -> None:
    console(sys.stdout).print()
    table(
        rows,
        [
            ("STATION", "station"),
            ("OCPP", "version"),
            ("START", "start"),
            ("UPDATES", "updates"),
            ("STOP", "stop"),
            ("METER KWH", "meter"),
            ("SESSION KWH", "session"),
            ("CDR KWH", "cdr"),
            ("COST", "cost"),
            ("WHAT IS WRONG", "wrong"),
        ],
        empty="No station charged.",
    )
