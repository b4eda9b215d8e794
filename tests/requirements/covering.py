"""Which tests show which requirement: those that carry its id in their name or docstring.

Read from the source, so that the answer is the same on every machine. What may be skipped shows
nothing: modules that need the specification's own files are left out here, and ``conftest.py``
fails any other test with an id that is skipped. So a test named here has passed wherever the
suite has.
"""

import ast
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.requirements.known import DATA, ROOT, ids_in

TESTS = ROOT / "tests"
# Worked prices lie in folders, and each says which rules it shows.
WORKED = "tests/pricing/test_rules.py", "test_a_cdr_costs_what_its_sum_by_hand_says"


@dataclass(frozen=True, order=True)
class Test:
    path: str
    name: str


@cache
def covering() -> dict[str, list[Test]]:
    """By id, the tests that show it, in the order of their names."""
    found: dict[str, set[Test]] = defaultdict(set)
    for path in sorted(TESTS.rglob("test_*.py")):
        for test, ids in shown_in(path):
            for one in ids:
                found[one].add(test)
    for expected in DATA.glob("tariffs/*/expected-*.json"):
        for rule in json.loads(expected.read_text())["rules"]:
            found[rule].add(Test(*WORKED))
    return {one: sorted(tests) for one, tests in found.items()}


def shown_in(path: Path) -> Iterator[tuple[Test, set[str]]]:
    module = ast.parse(path.read_text())
    if any(map(may_skip_the_module, module.body)):
        return
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            ids = shown_by(node.name, ast.get_docstring(node))
            if node.name.startswith("test_") and ids:
                yield Test(path.relative_to(ROOT).as_posix(), node.name), ids


def may_skip_the_module(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and "specification.need(" in ast.unparse(statement)


def shown_by(name: str, docstring: str | None) -> set[str]:
    return {*ids_in(name), *ids_in(docstring or "")}
