"""``hub serve`` as a process: the first start, the next ones, and how it ends."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import requests

from tests.cli.conftest import Ended

DEADLINE = 90.0


class Serving:
    """A ``hub serve`` of its own, with its own PostgreSQL in ``data_dir``."""

    def __init__(self, data_dir: Path, *options: str, **variables: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.data_dir = data_dir
        self.environment = clean() | {
            "HUB_DATA_DIR": str(data_dir),
            "HUB_PORT": str(self.port),
            "HUB_LOG_LEVEL": "WARNING",
            **variables,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hub", "serve", *options],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_ready(self) -> None:
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if requests.get(f"{self.url}/ready", timeout=5).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.1)
        raise AssertionError(self.end(signal.SIGKILL).err)

    def end(self, number: signal.Signals) -> Ended:
        if self.process.poll() is None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=DEADLINE)
        return Ended(self.process.returncode, out, err)

    def call(self, *arguments: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "hub", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}


@pytest.fixture
def place():
    """Not below pytest's own directory: that is closed to the account which runs PostgreSQL."""
    with TemporaryDirectory(prefix="hub-serve-") as directory:
        yield Path(directory) / "data"


@pytest.fixture
def serve(place):
    started = []

    def start(*options: str, **variables: str) -> Serving:
        started.append(Serving(place, *options, **variables))
        return started[-1]

    yield start
    for serving in started:
        serving.end(signal.SIGKILL)


def postgres_of(place: Path) -> int:
    return int((place / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_first_start_tells_everything_once_and_the_next_ones_keep_the_secret(serve, place):
    """T-41. And what was done before a stop is there after it."""
    first = serve("--name", "My network", "--party", "be*myn")
    first.wait_ready()
    key_file = place / "admin.key"
    key = key_file.read_text().strip()
    me = first.call("whoami", "--json").json
    first.call("partner", "invite", "Acme", "--role", "NL*ACM:CPO")
    database = postgres_of(place)
    ended = first.end(signal.SIGTERM)

    assert ended.code == 0
    assert "for the first time" in ended.out
    for shown in (f"{first.url}/ocpi/versions", f"{first.url}/admin/v1", f"{first.url}/docs", key):
        assert shown in ended.out
    assert len(re.findall(r"^  hub .+$", ended.out, re.MULTILINE)) == 3
    assert key not in ended.err
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert (me["tenant"]["name"], me["tenant"]["party"]) == ("My network", "BE*MYN")
    assert {"system.execute", "partners.create"} <= set(me["permissions"])
    assert not lives(database)

    second = serve()
    second.wait_ready()
    partners = second.call("partner", "list", "--json").json["items"]
    ended = second.end(signal.SIGINT)

    assert [partner["name"] for partner in partners] == ["Acme"]
    assert key not in ended.out
    assert "for the first time" not in ended.out
    assert ended.code == 0


def test_a_killed_hub_starts_again_with_everything_in_it(serve, place):
    first = serve()
    first.wait_ready()
    assert first.call("partner", "invite", "Acme", "--role", "NL*ACM:CPO").code == 0
    first.end(signal.SIGKILL)

    second = serve()
    second.wait_ready()

    assert "Acme" in second.call("partner", "list").out


def test_a_lost_key_is_replaced_and_the_old_one_ends(serve, place):
    first = serve()
    first.wait_ready()
    old = (place / "admin.key").read_text().strip()
    first.end(signal.SIGTERM)
    (place / "admin.key").unlink()

    second = serve("--new-admin-key")
    second.wait_ready()
    new = (place / "admin.key").read_text().strip()
    known = second.call("whoami")
    told = second.call("audit", "search", "--entity", "api_key")
    second.environment["HUB_API_KEY"] = old
    forgotten = second.call("whoami")
    ended = second.end(signal.SIGTERM)

    assert new != old
    assert known.code == 0
    assert (forgotten.code, "revoked" in forgotten.err) == (4, True)
    assert new in ended.out
    assert "for the first time" not in ended.out
    assert "Revoked" in told.out


def test_a_second_hub_is_refused_and_harms_nothing(serve, place):
    first = serve()
    first.wait_ready()

    second = serve().end(signal.SIGCONT)

    assert second.code == 1
    assert "Another hub" in second.err
    assert "HUB_DATA_DIR" in second.err
    assert first.call("health").code == 0


def test_a_port_that_is_taken_is_said_to_be_so(place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        serving = Serving(place, HUB_PORT=str(taken.getsockname()[1]))
        ended = serving.end(signal.SIGCONT)

    assert ended.code == 1
    assert "HUB_PORT" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"HUB_PORT": "many"}, ("HUB_PORT", "from 1 to 65535")),
        ({"HUB_PROT": "8080"}, ("HUB_PROT", "HUB_PORT")),
        ({"HUB_DATABASE_URL": "sqlite:///x"}, ("HUB_DATABASE_URL", "postgresql://")),
    ],
)
def test_a_wrong_variable_is_named_with_what_is_allowed(place, variables, words):
    ended = Serving(place, **variables).end(signal.SIGCONT)

    assert ended.code == 2
    assert all(word in ended.err for word in words)
    assert "Traceback" not in ended.err


def test_a_database_that_is_not_there_is_unavailable(place):
    url = "postgresql://hub:secret@127.0.0.1:1/hub"

    ended = Serving(place, HUB_DATABASE_URL=url).end(signal.SIGCONT)

    assert ended.code == 5
    assert "HUB_DATABASE_URL" in ended.err
    assert "secret" not in ended.out + ended.err
    assert "Traceback" not in ended.err


def test_a_configured_database_is_migrated_by_its_owner_and_served_by_another(
    postgres, serve, place
):
    """As docs/operations.md says. Who could see past the isolation of tenants does not serve."""
    postgres.make_database("configured")
    owner = postgres.url_of("hub_owner", "configured")
    plain = postgres.url_of("hub", "configured")

    unmigrated = serve(HUB_DATABASE_URL=plain).end(signal.SIGCONT)
    migrated = [serve(HUB_DATABASE_URL=owner).call("migrate", "--role", "hub") for _ in range(2)]
    powerful = serve(HUB_DATABASE_URL=owner).end(signal.SIGCONT)
    serving = serve(HUB_DATABASE_URL=plain)
    serving.wait_ready()

    assert (unmigrated.code, "hub migrate" in unmigrated.err) == (1, True)
    assert [ended.code for ended in migrated] == [0, 0]
    assert (powerful.code, "hub migrate" in powerful.err) == (1, True)
    assert serving.call("whoami").code == 0
    assert not (place / "postgres").exists()


def test_the_settings_are_shown_without_the_secrets_in_them(place):
    variables = {"HUB_DATABASE_URL": "postgresql://hub:secret@db/hub", "HUB_LOG_LEVEL": "DEBUG"}

    ended = Serving(place, "--settings", **variables).end(signal.SIGCONT)

    assert ended.code == 0
    assert "HUB_LOG_LEVEL=DEBUG" in ended.out
    assert "HUB_DATABASE_URL=***" in ended.out
    assert "secret" not in ended.out
