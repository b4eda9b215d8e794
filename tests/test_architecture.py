"""The dependency rule, where it cannot be forgotten: imports go down only."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HUB = ROOT / "hub"

GROUND = {
    "audit",
    "audit_chain",
    "background",
    "codec",
    "db",
    "errors",
    "log",
    "masking",
    "models",
    "outages",
    "prepared",
    "security",
    "settings",
    "sockets",
    "soundness",
}

# What a part of hub may import of hub. ``keys`` stands beside the wires; the parts that wire
# everything together (app, jobs, cli, demo …) may import what they like.
MAY_IMPORT = {
    "models": {"models"},
    "roaming": GROUND | {"roaming"},
    "ocpi": GROUND | {"keys", "roaming", "ocpi"},
    "ocpp": GROUND | {"keys", "roaming", "ocpp"},
    "admin": GROUND | {"keys", "roaming", "ocpi", "ocpp", "admin", "openapi"},
    # Partners run it against platforms of their own: there is no database.
    "conformance": {"codec", "errors", "models", "security", "settings", "ocpi", "conformance"},
}

THIRD_PARTY_BANNED = {
    "models": {"aiohttp", "marshmallow", "ocpp", "requests"},
    "roaming": {"aiohttp", "marshmallow", "ocpp", "requests"},
}

# Packages with rooms: packages of their own, which lie above each other.
ROOMS = ["roaming", "ocpi", "ocpp"]

# Ways to call somebody else's server. Partners decide where the calls go, so there is one door.
HTTP_CLIENTS = {"ClientSession", "TCPConnector", "UnixConnector"}
HTTP_CLIENT_MODULES = {"requests", "httpx", "urllib.request", "http.client", "urllib3"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def modules(part: str) -> list[Path]:
    path = HUB / part
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def imported(path: Path) -> Iterator[str]:
    """Dotted names of everything a module imports, wherever in the module it does so."""
    for node in ast.walk(tree(path)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(level=level) if level:
                yield "." * level
            case ast.ImportFrom(module=str(module), names=names):
                yield from (f"{module}.{name.name}" for name in names)


def parts_of_hub(path: Path) -> set[str]:
    names = {name.split(".")[1] for name in imported(path) if name.startswith("hub.")}
    return names - {"__version__"}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def indexes() -> list[Path]:
    """Of every package with rooms, of every room, and of packages with many modules."""
    return [
        path
        for package in [*ROOMS, "admin", "models"]
        for path in modules(package)
        if path.name == "__init__.py"
    ]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_only_what_lies_below_them(package):
    found = {relative(path): parts_of_hub(path) - MAY_IMPORT[package] for path in modules(package)}

    assert {path: above for path, above in found.items() if above} == {}


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_need_each_other_in_one_direction_only(package):
    """Whoever reads one room has to know those below it, and none above."""
    needs = {room: rooms_used(package, room) - {room} for room in rooms(package)}

    TopologicalSorter(needs).prepare()


def rooms(package: str) -> set[str]:
    """A package, or a module that lies in none."""
    return {path.stem for path in (HUB / package).iterdir() if path.name[0] != "_"}


def rooms_used(package: str, room: str) -> set[str]:
    prefix = f"hub.{package}."
    return {
        name.removeprefix(prefix).split(".")[0]
        for path in modules(f"{package}/{room}")
        for name in imported(path)
        if name.startswith(prefix)
    }


@pytest.mark.parametrize("package", ROOMS)
def test_the_map_shows_rooms_above_those_they_need(package):
    level = levels(package)
    packages = {room for room in rooms(package) if (HUB / package / room).is_dir()}

    assert packages - level.keys() == set()
    assert {
        (room, below)
        for room in level
        for below in rooms_used(package, room) & level.keys() - {room}
        if level[below] <= level[room]
    } == set()


def levels(package: str) -> dict[str, int]:
    """How far down docs/architecture.md draws the rooms of a package; what they are for is said
    farther right.
    """
    drawn = (ROOT / "docs" / "architecture.md").read_text()
    [picture] = re.findall(rf"^{package}    .*(?:\n +.*)*", drawn, re.MULTILINE)
    lines = [
        re.split(r" {6,}", line.removeprefix(package).strip())[0] for line in picture.splitlines()
    ]
    return {room: depth for depth, line in enumerate(lines) for room in line.split()}


@pytest.mark.parametrize("index", indexes(), ids=relative)
def test_an_index_names_every_module_of_its_package(index):
    """The first lines of a package say what is in it; of a room, also where to begin."""
    described = ast.get_docstring(tree(index)) or ""
    names = {
        path.stem
        for path in index.parent.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    } - {"__init__"}

    assert {name for name in names if not re.search(rf"\b{name}\b", described)} == set()
    assert "Begin with" in described or index.parent == HUB / "roaming"


@pytest.mark.parametrize("module", sorted(GROUND - {"models"}))
def test_the_ground_stands_on_nothing_else(module):
    [path] = modules(module)

    assert parts_of_hub(path) <= GROUND


@pytest.mark.parametrize("package", THIRD_PARTY_BANNED)
def test_rules_and_tables_know_no_wire(package):
    found = {
        (relative(path), name)
        for path in modules(package)
        for name in imported(path)
        if name.split(".")[0] in THIRD_PARTY_BANNED[package]
    }

    assert found == set()


def test_only_the_wires_know_aiohttp():
    # The access log has the form that aiohttp asks for.
    ground = [path for module in GROUND - {"log"} for path in modules(module)]

    assert {relative(path) for path in ground if uses(path, "aiohttp")} == set()


def test_hub_is_imported_by_its_full_name_only():
    """``import hub.x`` or a relative import would get around the rule above."""
    found = {
        (relative(path), node.lineno)
        for path in HUB.rglob("*.py")
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.ImportFrom) and node.level)
        or (isinstance(node, ast.Import) and any(n.name.split(".")[0] == "hub" for n in node.names))
    }

    assert found == set()


def test_only_one_module_opens_client_sessions():
    """Everything a partner can make the hub call goes through the address guard (T-30)."""
    found = {relative(path) for path in HUB.rglob("*.py") if opens_client(path)}

    # Simulated platforms and stations are not the hub: they call it.
    simulated = {path for path in found if path.startswith(("hub/demo/", "hub/simulator/"))}
    assert found - simulated == {"hub/ocpi/outbound.py"}


def opens_client(path: Path) -> bool:
    named = {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute | ast.Name)
    }
    return bool(named & HTTP_CLIENTS) or any(
        name.split(".")[-1] in HTTP_CLIENTS for name in imported(path)
    )


def test_blocking_http_is_for_the_command_line():
    found = {
        relative(path)
        for path in HUB.rglob("*.py")
        if any(uses(path, module) for module in HTTP_CLIENT_MODULES)
    }

    assert {path for path in found if not path.startswith("hub/cli/")} == set()


def uses(path: Path, module: str) -> bool:
    return any(name == module or name.startswith(f"{module}.") for name in imported(path))


def test_simulated_platforms_and_stations_know_nothing_of_the_hub():
    """They must be able to speak to it with nothing but OCPI's and OCPP's documents in hand."""
    found = {
        relative(path): parts_of_hub(path) - {"demo"}
        for path in modules("demo")
        if path.name.startswith("platform")
    } | {relative(path): parts_of_hub(path) - {"simulator"} for path in modules("simulator")}

    assert {path: parts for path, parts in found.items() if parts} == {}


def test_every_folder_of_code_is_a_package():
    """setuptools leaves out a folder without ``__init__.py``, and the wheel would lack it."""
    folders = {path.parent for path in HUB.rglob("*.py")}
    bare = {relative(folder) for folder in folders if not (folder / "__init__.py").exists()}

    assert bare == set()


def test_the_map_of_the_code_names_what_exists():
    described = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`((?:[\w/]+/)?[a-z_0-9]+(?:\.py|/))`", described))
    paths = [path.relative_to(HUB).as_posix() for path in HUB.rglob("*.py")]
    known = [f"/{path}" for path in paths] + [f"/{Path(path).parent.as_posix()}/" for path in paths]

    assert named
    assert {
        name
        for name in named
        if not any(path.endswith(f"/{name}") for path in known) and not (ROOT / name).exists()
    } == set()
