"""A stream of requests, each different, and what came of sending it for a while.

In paths and bodies ``@n@`` is the number of the request, ``@i@`` one of ``ids`` numbers that come
round again and again, ``@s@`` a status that differs from one round of them to the next, ``@t@`` a
``last_updated`` that grows with ``n``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

STATUSES = ("AVAILABLE", "CHARGING", "BLOCKED")
# Long ago: no number of requests may reach the present, where the hub would mistrust the clock.
FIRST_SECOND = datetime.now(UTC).replace(microsecond=0) - timedelta(days=365)
PLACEHOLDER = re.compile("@([nist])@")


@dataclass(frozen=True)
class Load:
    """``ids`` is how many different objects it is about, ``first_id`` the number of the first."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    ids: int = 1
    first_id: int = 1
    connections: int = 32

    def round_after(self, n: int) -> int:
        """Where to begin so that every object is touched anew, whatever was left out before."""
        return (n // self.ids + 1) * self.ids


@dataclass(frozen=True)
class Result:
    """``refused`` counts answers other than HTTP 2xx; times are in seconds."""

    requests: int
    seconds: float
    refused: int
    median: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


class LoadFailed(Exception):
    """The numbers would say nothing: a server refused, broke off or was not reached."""


def filled(load: Load, text: str, n: int) -> str:
    values = {
        "n": str(n),
        "i": str(load.first_id + n % load.ids),
        "s": STATUSES[n // load.ids % len(STATUSES)],
        "t": f"{FIRST_SECOND + timedelta(seconds=n):%Y-%m-%dT%H:%M:%SZ}",
    }
    return PLACEHOLDER.sub(lambda found: values[found[1]], text)
