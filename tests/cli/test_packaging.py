"""What is installed is complete: a wheel works without the checkout it was built from."""

import configparser
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, so that nothing is left in the checkout."""
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    source.mkdir()
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("hub", "migrations"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"),
            *("--quiet", "--wheel-dir", str(place), str(source)),
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )
    [built] = place.glob("*.whl")
    return built


def test_the_wheel_holds_everything_the_hub_needs(wheel):
    packed = set(zipfile.ZipFile(wheel).namelist())
    code = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "hub").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    migrations = {
        f"hub/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "migrations").rglob("*.py")
        if "__pycache__" not in path.parts
    }

    assert code - packed == set()
    assert migrations - packed == set()
    assert not any(name.startswith(("tests/", "migrations/")) for name in packed)


def test_the_installed_hub_finds_its_migrations(wheel, tmp_path):
    """And its documentation page, far from any checkout."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    script = (
        "import hub, hub.migrate, hub.admin.docs;"
        "print(hub.__file__, hub.migrate.directory(), len(hub.admin.docs.read('rapidoc-min.js')))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    package, migrations, _ = done.stdout.split()
    assert package.startswith(str(tmp_path))
    assert migrations == str(tmp_path / "site" / "hub" / "migrations")


def test_every_dependency_has_an_upper_bound():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = setup["options"]["install_requires"].split("\n")

    for requirement in filter(None, wanted):
        # The zone data has the year as its version.
        assert "<" in requirement or requirement.startswith("tzdata"), requirement


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_lock_files_name_versions_and_hashes_and_no_places(lock):
    text = (ROOT / lock).read_text()
    pins = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==(\S+) \\$", text, re.MULTILINE)

    assert len(pins) > 30
    assert text.count("--hash=sha256:") >= len(pins)
    for place in ("http://", "https://", "file://", "/tmp", "--index-url", "--find-links"):
        assert place not in text


def test_the_locks_agree_and_hold_all_that_is_asked_for():
    def pins(lock):
        text = (ROOT / lock).read_text()
        return dict(re.findall(r"^([a-z0-9_.-]+)(?:\[[^\]]*\])?==(\S+)", text, re.MULTILINE))

    run, dev = pins("requirements.lock"), pins("requirements-dev.lock")
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = re.findall(r"^([A-Za-z0-9_.-]+)", setup["options"]["install_requires"], re.MULTILINE)

    assert {name: dev.get(name) for name in run} == run
    assert {name.lower() for name in wanted} - set(run) == set()


def test_the_image_runs_as_nobody_in_particular():
    """T-55. There is no engine here to build it, so what matters is read."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    final = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM ")) :]

    assert "USER 10001:10001" in final
    assert any(line.startswith("HEALTHCHECK ") for line in final)
    assert not any(line.startswith("ADD ") for line in lines)
    assert all(":latest" not in line for line in lines if line.startswith("FROM "))
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    assert "!.venv" not in ignored


def test_ruff_and_the_package_agree_on_the_oldest_python():
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")

    oldest = setup["options"]["python_requires"]
    assert ruff["target-version"] == "py" + oldest.removeprefix(">=").replace(".", "")
