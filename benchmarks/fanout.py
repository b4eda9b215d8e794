"""Changes told to many partners: how fast, and what a change costs the database meanwhile."""

import asyncio
import json
import time
from collections.abc import Mapping

import aiohttp
import requests

from benchmarks import documents, plain
from benchmarks.load import Load, LoadFailed, filled
from benchmarks.network import Platform
from benchmarks.report import Row
from benchmarks.rounds import Bench
from benchmarks.single import RECEIVER

PATIENCE = 300.0
# Seconds between two looks at what has arrived.
PAUSE = 0.02
AT_ONCE = 64

ROWS = """
select relname, n_tup_ins + n_tup_upd + n_tup_del from pg_stat_user_tables
where n_tup_ins + n_tup_upd + n_tup_del > 0
"""
# A connection tells what it did when it ends; the hub opens others.
END_CONNECTIONS = """
select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where usename = 'hub'
"""
# Written by the clock, once per batch of deliveries, or behind the CDRs, not with a change.
BESIDE = frozenset(
    {
        "feed_cursors",
        "ocpi_partners",
        "ocpi_partner_tokens",
        "job_leases",
        "cdr_checks",
        "cdr_check_cursors",
    }
)
# Rows per change by which two counts may differ.
TOLERANCE = 0.05


def changes(bench: Bench, cpo: Platform) -> Load:
    """Each change is about another EVSE, so none overtakes another; and each is one, whatever other
    loads left there: what stays the same is told to nobody.
    """
    return Load(
        "PATCH",
        f"{RECEIVER}/locations/NL/ONE/L@i@/L@i@-3",
        cpo.headers,
        documents.text(documents.status() | {"physical_reference": "@n@"}),
        ids=bench.size.changes,
    )


def rows_written(bench: Bench, cpo: Platform, partners: int) -> tuple[float, float]:
    """Rows per accepted change, and rows that move cursors per push, with so many partners."""
    before = rows(bench)
    change(bench, cpo, partners)
    written = {table: count - before.get(table, 0) for table, count in rows(bench).items()}
    accepted = sum(count for table, count in written.items() if table not in BESIDE)
    pushes = bench.size.changes * partners
    cursors = written.get("feed_cursors", 0) / pushes if pushes else 0.0
    return accepted / bench.size.changes, cursors


def rows(bench: Bench) -> dict[str, int]:
    bench.servers.postgres.run_sql("hub", END_CONNECTIONS)
    told = bench.servers.postgres.run_sql("hub", ROWS)
    return {name: int(count) for name, count in (line.split("|") for line in told.splitlines())}


def change(bench: Bench, cpo: Platform, partners: int) -> float:
    """Change as many EVSEs as the size says; returns the seconds until everybody has it all."""
    load = changes(bench, cpo)
    bench.n = load.round_after(bench.n)
    expected = counted(bench) + bench.size.changes * partners
    began = time.perf_counter()
    result = plain.drive(load, bench.servers.hub, PATIENCE, bench.n, requests=bench.size.changes)
    bench.n += bench.size.changes
    if result.refused:
        raise LoadFailed(f"{result.refused} changes were refused")
    while counted(bench) < expected:
        if time.perf_counter() - began > PATIENCE:
            missing = expected - counted(bench)
            raise LoadFailed(f"{missing} pushes are missing. {standings(bench)}")
        time.sleep(PAUSE)
    return time.perf_counter() - began


def counted(bench: Bench) -> int:
    answer = requests.get(f"http://127.0.0.1:{bench.servers.platforms}/counted", timeout=30)
    return int(answer.json()["data"])


def standings(bench: Bench) -> str:
    """How the hub sees the partners that are to be told."""
    rows = bench.servers.operator.get("/feed")["items"]
    shown = ("partner", "state", "behind", "delivered", "setbacks", "failures", "reason")
    told = [{name: row[name] for name in shown} for row in rows if row["module"] == "locations"]
    partners = bench.servers.operator.get("/partners")["items"]
    return json.dumps([told, [(one["name"], one["connection_status"]) for one in partners]])


def fan_out(bench: Bench, cpo: Platform, partners: int) -> Row:
    pushes = bench.size.changes * partners
    change(bench, cpo, partners)
    hub, bare = [], []
    for _ in range(bench.size.rounds):
        bare.append(pushes / asyncio.run(push_directly(bench, pushes)))
        hub.append(pushes / change(bench, cpo, partners))
    found = sorted(mine / theirs for mine, theirs in zip(hub, bare, strict=True))
    return Row(
        f"changes x partners delivered ({bench.size.changes} x {partners})",
        sorted(hub)[len(hub) // 2],
        sorted(bare)[len(bare) // 2],
        found[len(found) // 2],
        note="from the first change sent to the last push taken; "
        f'"bare" is an aiohttp client with {AT_ONCE} connections that does nothing else',
    )


async def push_directly(bench: Bench, pushes: int) -> float:
    """What the hub pushes, sent to the same platforms by a client that knows it all before."""
    evse = Load("PUT", "", body=documents.text(documents.evse("L@i@-3")))
    url = f"http://127.0.0.1:{bench.servers.platforms}/direct/2.2.1/locations/NL/ONE/L1/L1-3"
    waiting = iter(range(pushes))
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def worker() -> None:
            for n in waiting:
                body = filled(evse, evse.body, n).encode()
                async with session.put(url, data=body, headers=HEADERS) as answer:
                    await answer.read()

        began = time.perf_counter()
        async with asyncio.TaskGroup() as workers:
            for _ in range(AT_ONCE):
                workers.create_task(worker())
        return time.perf_counter() - began


HEADERS: Mapping[str, str] = {
    "Authorization": "Token dG9rZW4=",
    "Content-Type": "application/json",
    "X-Request-ID": "1",
    "X-Correlation-ID": "1",
}


def equal(counts: Mapping[int, tuple[float, float]]) -> Row:
    """Accepting a change costs the same however many partners are to be told."""
    per_change = {partners: accepted for partners, (accepted, _) in counts.items()}
    most = max(counts)
    spread = max(per_change.values()) - min(per_change.values())
    told = ", ".join(f"{rows:.2f} with {partners}" for partners, rows in per_change.items())
    return Row(
        f"rows written per change, {most} partners",
        per_change[most],
        aim="equal",
        met=spread <= TOLERANCE,
        note=f"{told} partners; besides, {counts[most][1]:.3f} rows of feed_cursors per push",
    )
