"""The PostgreSQL that the hub brings along survives whatever is killed, and lets nobody else in."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hub.embedded import EmbeddedError, EmbeddedPostgres
from tests.helpers.processes import gone, wait_until_gone

KEEP_AND_WAIT = """
import sys, time
from pathlib import Path
from hub.embedded import EmbeddedPostgres
server = EmbeddedPostgres.start(Path(sys.argv[1]))
server.run_sql("hub", "CREATE TABLE kept AS SELECT 'still here' AS word")
print("server", server.pid, flush=True)
time.sleep(600)
"""


def start_hub(directory: Path) -> subprocess.Popen[str]:
    """A process of its own that runs a server on the directory, to be killed."""
    return subprocess.Popen(
        [sys.executable, "-c", KEEP_AND_WAIT, str(directory)], stdout=subprocess.PIPE, text=True
    )


def server_of(hub: subprocess.Popen[str]) -> int:
    """Process id of its server, once that is ready."""
    for line in hub.stdout:
        if line.startswith("server "):
            return int(line.split()[1])
    pytest.fail("the server did not start")


def is_listening(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(place / ".s.PGSQL.5432")) == 0


def test_a_stopped_server_keeps_its_data_and_leaves_no_process(own_dir):
    server = EmbeddedPostgres.start(own_dir)
    server.run_sql("hub", "CREATE TABLE kept AS SELECT 'still here' AS word")
    pid = server.pid
    server.stop()
    server.stop()
    assert gone(pid)

    server = EmbeddedPostgres.start(own_dir)
    try:
        assert server.run_sql("hub", "SELECT word FROM kept") == "still here"
    finally:
        server.stop()


def test_a_killed_hub_leaves_no_server_and_loses_no_data(own_dir):
    with start_hub(own_dir) as hub:
        pid = server_of(hub)
        with pytest.raises(EmbeddedError, match=rf"process {hub.pid}\) is using .*HUB_DATA_DIR"):
            EmbeddedPostgres.start(own_dir)
        hub.kill()

    server = EmbeddedPostgres.start(own_dir)
    try:
        assert server.run_sql("hub", "SELECT word FROM kept") == "still here"
        assert server.pid != pid
        wait_until_gone(pid)
    finally:
        server.stop()


def test_a_server_killed_together_with_its_hub_recovers(own_dir):
    with start_hub(own_dir) as hub:
        pid = server_of(hub)
        os.kill(pid, signal.SIGKILL)
        hub.kill()

    server = EmbeddedPostgres.start(own_dir)
    try:
        assert server.run_sql("hub", "SELECT word FROM kept") == "still here"
    finally:
        server.stop()


@pytest.mark.parametrize(
    "left", ["", "{pid}\n", "{pid}\n{cluster}\n1\n5432\n{cluster}\n\n1 1\nready\n"]
)
def test_a_stale_pid_file_does_not_keep_the_server_from_starting(own_dir, left):
    """Not even when its number is another process's by now, as is common in containers."""
    EmbeddedPostgres.start(own_dir).stop()
    cluster = own_dir / "postgres"
    (cluster / "postmaster.pid").write_text(left.format(pid=os.getpid(), cluster=cluster))

    server = EmbeddedPostgres.start(own_dir)

    assert is_listening(cluster)
    server.stop()


def test_an_interrupted_first_start_is_begun_anew(own_dir):
    (own_dir / "postgres.new").mkdir()
    (own_dir / "postgres.new" / "PG_VERSION").write_text("18")
    (own_dir / "postgres").mkdir()
    (own_dir / "postgres" / "half").write_text("done")

    server = EmbeddedPostgres.start(own_dir)

    assert not (own_dir / "postgres" / "half").exists()
    server.stop()


def test_data_of_another_version_is_refused_and_left_alone(own_dir):
    (own_dir / "postgres").mkdir()
    (own_dir / "postgres" / "PG_VERSION").write_text("16\n")

    with pytest.raises(EmbeddedError, match="PostgreSQL 16; this hub brings 18"):
        EmbeddedPostgres.start(own_dir)

    assert (own_dir / "postgres" / "PG_VERSION").read_text() == "16\n"


def test_a_server_that_cannot_start_says_why(own_dir):
    EmbeddedPostgres.start(own_dir).stop()
    (own_dir / "postgres" / "postgresql.conf").write_text("no_such_setting = 1\n")

    with pytest.raises(EmbeddedError, match="no_such_setting"):
        EmbeddedPostgres.start(own_dir)


def test_a_directory_with_a_long_name_gets_its_socket_elsewhere(own_dir):
    server = EmbeddedPostgres.start(own_dir / ("long" * 30))
    place = Path(server.url.split("host=")[1])

    try:
        assert is_listening(place)
        assert server.run_sql("hub", "SELECT 1") == "1"
        assert place.stat().st_mode & 0o077 == 0
    finally:
        server.stop()
    assert not place.exists()


def test_a_directory_that_is_made_shows_nobody_else_what_is_in_it(own_dir):
    place = own_dir / "made"

    EmbeddedPostgres.start(place).stop()

    # The account of a server started by root may pass, but not look around.
    assert place.stat().st_mode & 0o066 == 0


def test_nobody_else_on_the_machine_can_reach_the_server(postgres, data_dir):
    assert postgres.run_sql("postgres", "SHOW listen_addresses") == ""
    assert (data_dir / "postgres").stat().st_mode & 0o077 == 0
    assert is_listening(data_dir / "postgres")


def test_the_server_has_a_plain_role_that_owns_nothing(postgres):
    role = "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles"
    assert postgres.run_sql("hub", f"{role} WHERE rolname = 'hub'") == "f|f|f|f"
    owned = "SELECT count(*) FROM pg_class WHERE relowner = 'hub'::regrole"
    assert postgres.run_sql("hub", owned) == "0"
    assert postgres.run_sql("hub", "SHOW jit") == "off"
    assert postgres.run_sql("hub", "SHOW server_version_num") >= "180000"
