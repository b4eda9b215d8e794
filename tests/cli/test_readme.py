"""What the README tells a newcomer to type works, word for word."""

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.operator import api_key, every_permission

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SESSION = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [str(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def script(hub, place):
    """The blocks as one script: other ports, a command ``hub``, and servers that end with it."""
    text = "\n".join(SESSION)
    for told, real in zip(("9001", "9002"), free_ports(2), strict=True):
        assert told in text
        text = text.replace(told, real)
    assert "127.0.0.1:8080" in text
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{hub.port}")
    command = place / ".venv" / "bin" / "hub"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m hub "$@"\n')
    command.chmod(0o755)
    return f"set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n{text}"


async def test_the_first_roaming_session(hub, tenant, tmp_path):
    import asyncio  # noqa: PLC0415

    everything = await every_permission(hub.database, beyond_the_tenant=True)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HUB_URL": hub.url,
        "HUB_API_KEY": await api_key(hub, everything, tenant.id),
    }

    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-c", script(hub, tmp_path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"ACTIVE +CONNECTED", done.stdout)) == 2
    # The location, found by the eMSP; the CDR, found by the eMSP, listed and shown.
    assert '"name":"Market square"' in done.stdout
    assert re.search(r"^NL/CPO/C1 ", done.stdout, re.MULTILINE)
    assert "cdrs NL/CPO/C1" in done.stdout
    # The station charged, and the eMSP found it.
    assert re.search(r"^CP-1 .* Available ", done.stdout, re.MULTILINE)
    assert '"name":"Depot"' in done.stdout
    assert re.search(r" CP-1 +1 +ENDED +04AABBCC11 ", done.stdout)
    answers = re.findall(r'"status_code":(\d+)', done.stdout)
    assert set(answers) == {"1000"}


def test_every_command_and_link_that_is_named_exists():
    from hub.cli import make_parser  # noqa: PLC0415

    [commands] = [one for one in make_parser()._actions if isinstance(one.choices, dict)]
    for name in re.findall(r"`hub ([a-z]+)", README):
        assert name in commands.choices
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("target", re.findall(r"^make ([a-z]+)", README, re.MULTILINE))
def test_the_make_targets_exist(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
