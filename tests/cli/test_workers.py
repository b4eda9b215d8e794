"""``hub serve --workers N``: several processes behind the same ports."""

import os
import re
import signal
import socket
import ssl
import time
from pathlib import Path

import pytest
import requests

from tests.cli.test_serve import DEADLINE, Serving, place, serve  # noqa: F401 - fixtures
from tests.helpers.hub import free_port
from tests.helpers.processes import PATIENCE, wait_until_gone


@pytest.fixture
def start(serve):  # noqa: F811
    """``start()``: a hub of two workers that is ready, at ports that are free beside each other."""

    def start(*options: str, **variables: str) -> Serving:
        variables = {"HUB_METRICS_PORT": str(free_port()), **variables}
        serving = serve("--workers", "2", *options, **variables)
        serving.wait_ready()
        until(lambda: None not in {answered_by(serving, number) for number in (0, 1)})
        return serving

    return start


def workers_of(serving: Serving) -> list[int]:
    """Their processes, by number."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            status, command = (process / "status").read_text(), (process / "cmdline").read_text()
        except OSError:
            continue
        if f"\nPPid:\t{serving.process.pid}\n" in status and '"number"' in command:
            found[int(re.search(r'"number": (\d+)', command)[1])] = int(process.name)
    return [found[number] for number in sorted(found)]


def answered_by(serving: Serving, number: int) -> float | None:
    """How many OCPI requests a worker has answered; None while it tells nothing."""
    port = int(serving.environment["HUB_METRICS_PORT"]) + number
    try:
        told = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    except requests.ConnectionError:
        return None
    found = re.findall(r"^ocpi_hub_requests_total\{.*\} ([0-9.]+)$", told, re.MULTILINE)
    return sum(map(float, found))


def ask(serving: Serving) -> bool:
    """Whether a request of nobody's is answered, over a connection of its own."""
    answer = requests.get(f"{serving.url}/ocpi/versions", timeout=10)
    return answer.status_code in {401, 429}


def until(holds):
    deadline = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_all_workers_serve_and_each_tells_its_own_metrics(start):
    serving = start()

    for _ in range(60):
        assert ask(serving)
    counted = [answered_by(serving, number) for number in (0, 1)]
    elsewhere = requests.get(f"{serving.url}/metrics", timeout=5)
    ended = serving.end(signal.SIGTERM)

    assert sum(counted) >= 60
    assert min(counted) > 0
    assert elsewhere.status_code == 404
    assert serving.environment["HUB_METRICS_PORT"] in elsewhere.text
    assert ended.code == 0
    assert ended.out.count("The hub is running") == 1


def test_stations_find_all_workers_behind_their_port_too(start):
    port = free_port()
    serving = start(HUB_OCPP_TLS_PORT=str(port), HUB_OCPP_TLS_HOST="127.0.0.1")

    shown = set()
    for stopped in workers_of(serving):
        os.kill(stopped, signal.SIGSTOP)
        shown.add(ssl.get_server_certificate(("127.0.0.1", port), timeout=10))
        os.kill(stopped, signal.SIGCONT)

    assert len(shown) == 1  # all of them show the same


def test_a_worker_that_is_killed_costs_no_other_anything_and_is_replaced(start):
    serving = start()
    [killed, other] = workers_of(serving)

    os.kill(killed, signal.SIGKILL)
    wait_until_gone(killed)
    assert all(ask(serving) for _ in range(20))
    until(lambda: len(workers_of(serving)) == 2 and answered_by(serving, 0) is not None)

    replaced = workers_of(serving)
    assert replaced[1] == other
    assert replaced[0] != killed
    assert serving.end(signal.SIGTERM).code == 0
    for pid in replaced:
        wait_until_gone(pid)


def test_workers_end_when_the_process_that_started_them_is_killed(start, place):  # noqa: F811
    serving = start()
    workers = workers_of(serving)

    serving.process.kill()

    for pid in workers:
        wait_until_gone(pid)
    again = start()
    assert again.call("partner", "list", "--json").json["items"] == []


@pytest.mark.parametrize(
    ("options", "variables", "told"),
    [
        (["--workers", "0"], {}, "--workers"),
        (["--workers", "15"], {}, "HUB_DATABASE_POOL"),
        (["--workers", "3"], {"HUB_METRICS_PORT": "65534"}, "HUB_METRICS_PORT"),
    ],
)
def test_what_cannot_be_is_refused_in_words(serve, options, variables, told):  # noqa: F811
    serving = serve(*options, **variables)
    out, err = serving.process.communicate(timeout=PATIENCE)

    assert serving.process.returncode not in {0, None}
    assert told in err
    assert "Traceback" not in out + err


def test_a_port_of_metrics_that_is_taken_ends_the_start_and_is_named(serve):  # noqa: F811
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        serving = serve("--workers", "2", HUB_METRICS_PORT=str(port))
        out, err = serving.process.communicate(timeout=DEADLINE)

    assert serving.process.returncode not in {0, None}
    assert f"127.0.0.1:{port} cannot be listened on" in err
    assert "HUB_METRICS_PORT" in err
    assert "The hub is running" not in out
    assert "Traceback" not in err
