"""The processes that are measured: each alone in its own, on a port of 127.0.0.1."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import peer
from hub.cli.client import KEY_FILE, Hub
from hub.embedded import EmbeddedPostgres
from hub.migrate import migrate

PATIENCE = 120.0


@dataclass(frozen=True)
class Servers:
    """``least`` keeps what it is sent and does no more. ``peer`` is None where py-ocpi is not
    installed. ``operator`` speaks the hub's admin API.
    """

    postgres: EmbeddedPostgres
    hub: int
    bare: int
    least: int
    platforms: int
    peer: int | None
    operator: Hub


@contextmanager
def running() -> Iterator[Servers]:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="hub-bench-")))
        postgres = EmbeddedPostgres.start(directory / "database")
        stack.callback(postgres.stop)
        asyncio.run(migrate(postgres.admin_url))
        bare = stack.enter_context(process(directory, "benchmarks.bare"))
        least = stack.enter_context(process(directory, "benchmarks.least", apart(postgres)))
        platforms = stack.enter_context(process(directory, "benchmarks.platforms"))
        other = stack.enter_context(process(directory, "benchmarks.peer")) if peer.found() else None
        port = free_port()
        data_dir = directory / "hub"
        environment = hub_environment(postgres.url, data_dir, port)
        stack.enter_context(process(directory, "hub", "serve", port=port, environment=environment))
        url = f"http://127.0.0.1:{port}"
        operator = Hub(url, key=(data_dir / KEY_FILE).read_text().strip())
        yield Servers(postgres, port, bare, least, platforms, other, operator)


def apart(postgres: EmbeddedPostgres) -> str:
    """A database of its own at the same server: the hub does not serve from one with tables that
    it does not know.
    """
    postgres.run_sql("postgres", "create database least")
    return postgres.url_of("postgres", "least").replace("+asyncpg", "")


def hub_environment(database_url: str, data_dir: Path, port: int) -> dict[str, str]:
    """A hub as it is deployed, but for the limits: one partner may use all of it."""
    return {
        "HUB_DATABASE_URL": database_url,
        "HUB_DATA_DIR": str(data_dir),
        "HUB_PORT": str(port),
        "HUB_LOG_LEVEL": "WARNING",
        "HUB_EGRESS_ALLOW_CIDRS": "127.0.0.0/8",
        "HUB_EGRESS_ALLOW_HTTP": "true",
        "HUB_REQUESTS_PER_SECOND": "1000000",
        "HUB_REQUEST_BURST": "1000000",
    }


@contextmanager
def process(
    directory: Path,
    module: str,
    *arguments: str,
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """``python -m module`` until the end of the block; without a port it is given a free one."""
    if port is None:
        port = free_port()
        arguments = (str(port), *arguments)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    log = directory / f"{module}.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdout=output,
            stderr=output,
            env=inherited | dict(environment or {}),
        )
    try:
        wait_for(port, child, log)
        yield port
    finally:
        child.terminate()
        try:
            child.wait(timeout=30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def wait_for(port: int, child: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while child.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"A server did not start:\n{log.read_text()[-2000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
