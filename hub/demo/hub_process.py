"""The hub of the demo: a child process like any other hub, started again when it dies."""

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from hub.cli.client import KEY_FILE, Hub
from hub.cli.failures import Failure

# Seconds a hub may take to be ready; a first start makes a database.
START_TIMEOUT = 120.0


class HubProcess:
    """``hub serve`` on a port of its own, allowed to call the simulated platforms on loopback."""

    def __init__(self, data_dir: Path, on_event: Callable[[str], None]) -> None:
        self.data_dir = data_dir
        self.on_event = on_event
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.stopping = False
        self.process: asyncio.subprocess.Process | None = None
        self.guard: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.launch()
        self.guard = asyncio.create_task(self.keep_running())

    async def launch(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / "hub.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "hub",
                "serve",
                "--name",
                "Demo network",
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
                env=self.environment(),
                # Ctrl-C is for the demo, which then stops its hub in order.
                start_new_session=True,
            )
        await self.wait_ready()

    def environment(self) -> dict[str, str]:
        """Nothing of the caller's own hub: the demo must not touch it."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("HUB_")}
        return inherited | {
            "HUB_DATA_DIR": str(self.data_dir),
            "HUB_PORT": str(self.port),
            "HUB_LOG_LEVEL": "WARNING",
            "HUB_EGRESS_ALLOW_CIDRS": "127.0.0.0/8",
            "HUB_EGRESS_ALLOW_HTTP": "true",
        }

    async def wait_ready(self) -> None:
        assert self.process is not None
        async with asyncio.timeout(START_TIMEOUT):
            while self.process.returncode is None:
                if await asyncio.to_thread(self.is_ready):
                    return
                await asyncio.sleep(0.1)
        raise Failure(
            f"The hub of the demo did not start: exit code {self.process.returncode}.",
            next_step=f"Its log: {self.data_dir / 'hub.log'}",
        )

    def is_ready(self) -> bool:
        try:
            return Hub(self.url).send("GET", "/ready").ok
        except Failure:
            return False

    async def keep_running(self) -> None:
        while True:
            assert self.process is not None
            code = await self.process.wait()
            if self.stopping:
                return
            self.on_event(f"the hub died ({code}) and is started again")
            await self.launch()
            self.on_event("the hub is back")

    def operator(self) -> Hub:
        """The admin API in the name of the first administrator."""
        return Hub(self.url, key=(self.data_dir / KEY_FILE).read_text().strip())

    async def stop(self) -> None:
        self.stopping = True
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()
        if self.guard is not None:
            await self.guard


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
