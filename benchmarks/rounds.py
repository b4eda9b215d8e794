"""Rounds in turn: the yardstick, the hub, the peer, and again. What disturbs one disturbs all, so
the ratio within a round means something where the numbers do not.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import plain, wrk
from benchmarks.load import Load, LoadFailed, Result
from benchmarks.servers import Servers

UNCHECKED = """
select count(*) from ocpi_cdrs as c where not exists
(select from cdr_checks as k where k.tenant_id = c.tenant_id and k.cdr_id = c.id)
"""
PATIENCE = 300.0
# Between what the client says it got answered and what it had sent by then.
UNDER_WAY = 1000


@dataclass(frozen=True)
class Size:
    """How much is measured: ``seconds`` per round, ``locations`` in the database, ``known`` of them
    that are changed, ``changes`` that are fanned out to ``partners``. So many stations are
    ``idle``, so many come back in a ``storm``.
    """

    rounds: int = 5
    seconds: float = 3
    locations: int = 100_000
    known: int = 2_000
    changes: int = 200
    partners: int = 50
    idle: int = 5_000
    storm: int = 2_000


QUICK = Size(
    rounds=1, seconds=0.3, locations=400, known=100, changes=20, partners=5, idle=40, storm=20
)


class Bench:
    """``n`` numbers the requests of a whole run, so that none is ever repeated."""

    def __init__(self, servers: Servers, size: Size, client: str) -> None:
        self.servers = servers
        self.size = size
        self.drive: Callable[[Load, int, float, int], Result] = (
            wrk.drive if client == "wrk" else plain.drive
        )
        self.n = 0

    def once(self, load: Load, port: int) -> Result:
        self.n = load.round_after(self.n)
        result = self.drive(load, port, self.size.seconds, self.n)
        if result.refused:
            raise LoadFailed(f"{load.method} {load.path}: {result.refused} requests were refused")
        self.n += result.requests + UNDER_WAY
        return result

    def in_turn(self, loads: Mapping[str, tuple[Load, int]]) -> dict[str, list[Result]]:
        """Results by name, one per round; a first short round warms everybody up."""
        for load, port in loads.values():
            self.once(load, port)
        rounds = [
            {name: self.once(load, port) for name, (load, port) in loads.items()}
            for _ in range(self.size.rounds)
        ]
        return {name: [one[name] for one in rounds] for name in loads}

    def rest(self) -> None:
        """Until the CDRs that were posted are checked, which is done behind all requests: what is
        measured next is not to be measured beside it.
        """
        deadline = time.monotonic() + PATIENCE
        while waiting := int(self.servers.postgres.run_sql("hub", UNCHECKED)):
            if time.monotonic() > deadline:
                raise LoadFailed(f"{waiting} CDRs are not checked after {PATIENCE:.0f} seconds")
            time.sleep(1)

    def places(self) -> int:
        """The places in the feed that were given away so far: accepted changes took them."""
        return int(self.servers.postgres.run_sql("hub", "select last_value from feed_seq"))


def rate(results: Sequence[Result]) -> float:
    return statistics.median(result.rate for result in results)


def ratio(results: Sequence[Result], yardstick: Sequence[Result]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(
        one.rate / other.rate for one, other in zip(results, yardstick, strict=True)
    )
