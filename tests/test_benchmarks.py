"""The benchmarks run from end to end, at tiny sizes. How fast anything is, no test says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MEASURED = (
    "PUT of a location that changed",
    "PUT of a new location",
    "PATCH of an EVSE's status",
    "POST of a CDR",
    "GET of 100 locations, first page",
    "the same, last page, by our Link",
    "the same, last page, by a bare offset",
    "PUT forwarded to another party",
    "changes x partners delivered",
    "rows written per change",
    "OCPP 1.6 Heartbeat",
    "OCPP 1.6 BootNotification",
    "OCPP 1.6 StatusNotification",
    "OCPP 1.6 MeterValues of 8 samples",
    "OCPP 2.0.1 TransactionEvent of 8 samples",
    "KiB of memory per idle station",
    "ms to answer a station while 20 flood",
    "seconds until 20 stations that reconnect at once are drained",
)


def run(*options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_the_benchmarks_measure_everything_they_promise():
    ran = run("--quick", "--no-wrk", "--json")

    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["client"] == "asyncio"
    assert len(told["rows"]) == len(MEASURED)
    for row, what in zip(told["rows"], MEASURED, strict=True):
        assert row["what"].startswith(what)
        assert row["hub"] > 0
    assert all(row["least"] > 0 for row in told["rows"][:4])


@pytest.mark.parametrize("option", ["--only=nonsense", "--rounds=none"])
def test_the_benchmarks_refuse_what_they_do_not_know(option):
    ran = run(option)

    assert ran.returncode == 2
    assert option.partition("=")[2] in ran.stderr
