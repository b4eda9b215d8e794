"""A PostgreSQL server process: started, watched, started again when it is killed, and stopped.

- A watchdog waits for the hub's end on a pipe and stops the server: a killed hub leaves none.
- A server that is still there nevertheless is stopped first, and its stale files are removed.
- When the server itself is killed, a thread starts it again and PostgreSQL recovers from its log.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from hub.programs import EmbeddedError, Programs

log = structlog.get_logger()

# Seconds. Recovery after a crash can take long; the server is ready only when it is over.
START_TIMEOUT = 120.0
STOP_TIMEOUT = 60.0
POLL = 0.02
LOOK_AGAIN = 0.1
PAUSE_AFTER_FAILURE = 5.0
# sockaddr_un holds 108 bytes on Linux and 104 on macOS, with the final zero.
LONGEST_SOCKET_PATH = 103
LAST_LINES = 15
MAX_CONNECTIONS = 200

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "jit": "off",
    "max_connections": str(MAX_CONNECTIONS),
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Postmaster:
    """The server of one cluster. Every method blocks."""

    def __init__(self, programs: Programs, cluster: Path) -> None:
        self.cluster = cluster
        self.socket_dir = cluster
        self._programs = programs
        self._log_file = cluster / "postgres.log"
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._guard = threading.Thread(target=self._keep_running, name="postgres", daemon=True)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the server, and see to it that it runs until ``stop``."""
        self._clear_leftovers()
        self._launch()
        self._guard.start()

    def stop(self) -> None:
        """Stop in order: finish writing, close every connection."""
        self._stopping.set()
        if self._guard.is_alive():
            # It may be starting a killed server again; that one must be stopped too.
            self._guard.join(START_TIMEOUT)
        process, self._process = self._process, None
        if process and process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                log.warning("embedded postgres did not stop in time and was killed")
                process.send_signal(signal.SIGQUIT)
                process.wait()
        self._end_watchdog()
        if self.socket_dir != self.cluster:
            shutil.rmtree(self.socket_dir, ignore_errors=True)

    def _clear_leftovers(self) -> None:
        """Stop the server of a killed hub; remove files whose process is gone.

        Their number may be another process's by now, or that of one that is not quite dead yet:
        PostgreSQL would refuse to start. It still looks for itself in shared memory.
        """
        pid_file = self.cluster / "postmaster.pid"
        lines = pid_file.read_text().splitlines() if pid_file.exists() else []
        told = dict(zip(("pid", "cluster", "started", "port", "socket_dir"), lines, strict=False))
        door = Path(told.get("socket_dir", "")) / f".s.PGSQL.{told.get('port')}"
        if answers(door):
            limit = f"--timeout={STOP_TIMEOUT:.0f}"
            place = f"--pgdata={self.cluster}"
            try:
                self._programs.run("pg_ctl", "stop", "-w", "--mode=fast", limit, place)
            except EmbeddedError:
                # Its watchdog may have been faster, and there is nothing left to stop.
                if answers(door):
                    raise
        for left in (pid_file, *self.cluster.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)

    def _launch(self) -> None:
        """Start the server and wait until it takes connections."""
        self.socket_dir = self._choose_socket_dir()
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            process = self._spawn()
            if self._wait_ready(process, deadline):
                break
            # Orphaned backends of a killed server hold its shared memory for a moment.
            if time.monotonic() > deadline or "shared memory block" not in self._last_words():
                raise EmbeddedError(
                    f"PostgreSQL did not start. Its log {self._log_file} ends:\n"
                    f"{self._last_words()}"
                )
            time.sleep(LOOK_AGAIN)
        self._process = process
        self._watch(process)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        self._log_start = self._log_file.stat().st_size if self._log_file.exists() else 0
        options = {**SETTINGS, "unix_socket_directories": str(self.socket_dir)}
        with self._log_file.open("ab") as output:
            return self._programs.spawn(
                str(self._programs.directory / "postgres"),
                f"-D{self.cluster}",
                *(f"-c{name}={value}" for name, value in options.items()),
                stdin=subprocess.DEVNULL,
                output=output,
            )

    def _wait_ready(self, process: "subprocess.Popen[bytes]", deadline: float) -> bool:
        pid_file = self.cluster / "postmaster.pid"
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError):
                lines = pid_file.read_text().splitlines()
                if lines and lines[0] == str(process.pid) and lines[-1].strip() == "ready":
                    return True
            time.sleep(POLL)
        if process.poll() is None:
            process.send_signal(signal.SIGQUIT)
            process.wait()
        return False

    def _watch(self, process: "subprocess.Popen[bytes]") -> None:
        """Stop the server when the hub is gone, even by ``kill -9``: its end closes the pipe."""
        self._end_watchdog()
        script = 'cat >/dev/null; kill -INT "$1"'
        self._watchdog = self._programs.spawn(
            *("/bin/sh", "-c", script, "sh", str(process.pid)),
            stdin=subprocess.PIPE,
            output=subprocess.DEVNULL,
        )

    def _end_watchdog(self) -> None:
        watchdog, self._watchdog = self._watchdog, None
        if watchdog and watchdog.stdin:
            with suppress(ProcessLookupError):
                os.killpg(watchdog.pid, signal.SIGKILL)
            watchdog.wait()
            watchdog.stdin.close()

    def _keep_running(self) -> None:
        """Start the server again when it died although nobody stopped it."""
        while not self._stopping.wait(LOOK_AGAIN):
            process = self._process
            if process is None or process.poll() is None:
                continue
            log.error("embedded postgres died and is started again", exit_code=process.returncode)
            try:
                self._clear_leftovers()
                self._launch()
            except (EmbeddedError, OSError, subprocess.SubprocessError) as error:
                log.critical("embedded postgres cannot be started again", error=str(error))
                self._stopping.wait(PAUSE_AFTER_FAILURE)

    def _choose_socket_dir(self) -> Path:
        """The cluster's own directory, or a private short one where that path is too long."""
        if len(os.fsencode(self.cluster / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
            return self.cluster
        if self.socket_dir != self.cluster and self.socket_dir.exists():
            return self.socket_dir
        short = Path(tempfile.mkdtemp(prefix="hub-pg-", dir="/tmp"))
        self._programs.hand_over(short)
        return short

    def _last_words(self) -> str:
        """What the server said since it was started last."""
        with self._log_file.open("rb") as file:
            file.seek(self._log_start)
            return "\n".join(file.read().decode(errors="replace").splitlines()[-LAST_LINES:])


def answers(path: Path) -> bool:
    """Whether a server listens on the socket. A killed one leaves the file, but is silent."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
