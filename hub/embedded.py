"""The PostgreSQL that the hub brings along when none is configured.

A real PostgreSQL 18. It listens on a unix socket in a directory that nobody else can enter, never
on a port. Three roles live in it: ``postgres`` (the cluster's own), ``hub_owner`` (owns the
database, runs migrations) and ``hub`` (what the hub serves as: no superuser, no BYPASSRLS, owner of
nothing).

The hub holds a lock on its data directory, so a second hub is refused instead of corrupting it.
Whatever was killed, the next start gets the data back: see ``hub.postmaster``.
"""

import fcntl
import os
import shutil
from pathlib import Path
from typing import IO
from urllib.parse import quote

from hub.postmaster import Postmaster
from hub.programs import MAJOR_VERSION, EmbeddedError, Programs

__all__ = ["EmbeddedError", "EmbeddedPostgres"]

OWNER_ROLE = "hub_owner"
PLAIN_ROLE = "hub"
DATABASE = "hub"

ROLES = "SELECT rolname FROM pg_roles"
DATABASES = "SELECT datname FROM pg_database"


class EmbeddedPostgres:
    """A running server. Made by ``start``; every method blocks, so call them in a thread."""

    def __init__(self, data_dir: Path) -> None:
        self.cluster = data_dir / "postgres"
        self._lock_file = data_dir / "postgres.lock"
        self._lock: IO[str] | None = None
        self._programs = Programs()
        self._postmaster = Postmaster(self._programs, self.cluster)

    @classmethod
    def start(cls, data_dir: Path) -> "EmbeddedPostgres":
        """Start the server on ``data_dir``, making the cluster, the roles and the database at need.

        Raises EmbeddedError when another hub uses the directory or the server does not come up.
        """
        data_dir = data_dir.expanduser().resolve()
        # The account that runs root's server has to pass.
        data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        server = cls(data_dir)
        server._take_lock()
        try:
            server._make_cluster()
            server._postmaster.start()
            server._make_roles()
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def url(self) -> str:
        """As the plain role, to serve with."""
        return self.url_of(PLAIN_ROLE, DATABASE)

    @property
    def admin_url(self) -> str:
        """As the owner of the database, to migrate with."""
        return self.url_of(OWNER_ROLE, DATABASE)

    def url_of(self, role: str, database: str) -> str:
        host = quote(str(self._postmaster.socket_dir), safe="/")
        return f"postgresql+asyncpg://{role}@/{database}?host={host}"

    @property
    def pid(self) -> int | None:
        """Process id of the server."""
        return self._postmaster.pid

    def stop(self) -> None:
        """Stop the server in order and release the directory. Once more does no harm."""
        self._postmaster.stop()
        if self._lock:
            self._lock.close()
            self._lock = None

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
        return self._programs.run(
            "psql",
            f"--host={self._postmaster.socket_dir}",
            "--username=postgres",
            f"--dbname={database}",
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--set=ON_ERROR_STOP=1",
            f"--command={statement}",
        ).strip()

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
        if not (self.cluster / "PG_VERSION").exists():
            self._init_cluster()
        found = (self.cluster / "PG_VERSION").read_text().strip()
        if found != str(MAJOR_VERSION):
            raise EmbeddedError(
                f"{self.cluster} belongs to PostgreSQL {found}; this hub brings {MAJOR_VERSION}."
                f" Move the data with pg_dump of that version, or configure HUB_DATABASE_URL."
            )
        self._programs.hand_over(self.cluster)

    def _init_cluster(self) -> None:
        """Make the cluster beside its place and move it there when complete."""
        unfinished = self.cluster.with_name("postgres.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._programs.hand_over(unfinished)
        self._programs.run(
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

    def _make_roles(self) -> None:
        known = self.run_sql("postgres", ROLES).split()
        for role in (OWNER_ROLE, PLAIN_ROLE):
            if role not in known:
                self.run_sql("postgres", f"CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS")
        if DATABASE not in self.run_sql("postgres", DATABASES).split():
            self.make_database(DATABASE)
