"""What the hub costs, beside a bare aiohttp server and a Python peer in the same minutes.

    make bench                        all of it: about eight minutes
    python -m benchmarks --quick      does everything work?  (the numbers mean nothing)
    python -m benchmarks --only writes pages --rounds 3 --json

Everything runs on this machine: an embedded PostgreSQL in a directory of its own, which is removed
at the end, and each server in a process of its own. docs/performance.md explains the table.
"""

import argparse
import dataclasses
import sys

from benchmarks import fanout, report, single, stations, wrk
from benchmarks.load import LoadFailed
from benchmarks.network import fill, register
from benchmarks.report import Row
from benchmarks.rounds import QUICK, Bench, Size
from benchmarks.servers import running
from hub import log
from hub.settings import Settings

OF_PLATFORMS = ("writes", "pages", "forward", "fanout")
PARTS = (*OF_PLATFORMS, "stations")


def main() -> None:
    arguments = read_arguments()
    log.configure(Settings(log_level="WARNING", log_format="console"))
    size = QUICK if arguments.quick else Size()
    given = {name: getattr(arguments, name) for name in ("rounds", "seconds", "locations")}
    size = dataclasses.replace(size, **{k: v for k, v in given.items() if v is not None})
    client = "wrk" if wrk.found() and not arguments.no_wrk else "asyncio"
    with running() as servers:
        facts: dict[str, object] = {
            "client": client,
            "py-ocpi": "in .venv-bench" if servers.peer else "not installed (make bench does)",
            "rounds": f"{size.rounds} of {size.seconds:g} s",
            "machine": report.machine(),
        }
        try:
            rows = measure(Bench(servers, size, client), arguments.only)
        except LoadFailed as error:
            sys.exit(f"Nothing to compare: {error}")
    (report.show_json if arguments.json else report.show)(rows, facts)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it works")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="some parts of it")
    parser.add_argument("--rounds", type=int, help="how often each is measured")
    parser.add_argument("--seconds", type=float, help="how long a round is")
    parser.add_argument("--locations", type=int, help="in the database")
    parser.add_argument("--no-wrk", action="store_true", help="use the client in Python")
    return parser.parse_args()


def measure(bench: Bench, only: tuple[str, ...]) -> list[Row]:
    found = of_platforms(bench, only) if {*OF_PLATFORMS} & {*only} else []
    if "stations" in only:
        tell("talking to stations")
        found += stations.rows(bench)
    return found


def of_platforms(bench: Bench, only: tuple[str, ...]) -> list[Row]:
    """In this order, for who is connected is told of changes, and that costs the hub time."""
    servers, size = bench.servers, bench.size
    cpo = register(servers, "quiet-cpo", "NL*ONE", "CPO")
    quiet = register(servers, "quiet-emsp", "DE*QET", "EMSP")
    fill(servers, cpo, size.locations)
    rows: list[Row] = []
    if "pages" in only:
        tell("reading pages")
        rows += single.pages(bench, quiet)
    if "writes" in only:
        tell("writing")
        rows = single.writes(bench, cpo) + rows
        tell("waiting until all CDRs are checked")
        bench.rest()
    written = {0: fanout.rows_written(bench, cpo, 0)} if "fanout" in only else {}
    if {"forward", "fanout"} & set(only):
        first = register(servers, "m0", "DE*M00", "EMSP")
    if "forward" in only:
        tell("forwarding")
        rows.append(single.forwarding(bench, cpo, first))
    if "fanout" in only:
        tell("fanning out")
        fanout.change(bench, cpo, 1)
        written[1] = fanout.rows_written(bench, cpo, 1)
        for number in range(1, size.partners):
            register(servers, f"m{number}", f"DE*M{number:02}", "EMSP")
        rows.append(fanout.fan_out(bench, cpo, size.partners))
        written[size.partners] = fanout.rows_written(bench, cpo, size.partners)
        rows.append(fanout.equal(written))
    return rows


def tell(what: str) -> None:
    print(f"… {what}", file=sys.stderr)


if __name__ == "__main__":
    main()
