"""Processes that are killed on purpose, and how to know that they are gone."""

import os
import time
from pathlib import Path

# Seconds until something that must happen soon is taken not to happen.
PATIENCE = 30


def gone(pid: int) -> bool:
    """A zombie is gone, too: its parent has only not looked yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ")[-1].startswith("Z")
    except OSError:
        return not Path("/proc/self").exists()


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while not gone(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)
