"""docs/conformance.md: every requirement, the tests that show it, or why there are none."""

from collections.abc import Iterable, Iterator

from tests.requirements.covering import Test, covering
from tests.requirements.known import ROOT, Requirement, reasons, requirements

PAGE = ROOT / "docs" / "conformance.md"
INTRODUCTION = """\
# Conformance by requirement

Written by `make conformance` from the tests; do not edit. `tests/data/requirements.csv` lists the
requirements, `tests/data/uncovered.csv` says why some have no test.

A test shows a requirement when the requirement's id is in its name or its docstring. Tests that
name an id may not be skipped, and all tests have to pass before a change is accepted: what is
*covered* here passes.

Levels: **M** OCPI demands it, **S** OCPI advises it, **O** OCPI allows it, **F** a fact or a
definition, **D** a decision of this hub where OCPI is silent or says two things. Versions: `all`
are 2.1.1, 2.2.1 and 2.3.0; `2.2.1+` are 2.2.1 and 2.3.0.
"""
LEVELS = ("M", "S", "O", "F", "D")


def page() -> str:
    parts = [INTRODUCTION, "\n".join(summary()), *map("\n".join, sections())]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def summary() -> Iterator[str]:
    yield "| level | requirements | covered | |"
    yield "|---|--:|--:|--:|"
    everything = list(requirements().values())
    for level in LEVELS:
        yield count(level, [one for one in everything if one.level.startswith(level)])
    yield count("**M and S**", [one for one in everything if one.demanded])
    yield count("all", everything)


def count(name: str, chosen: list[Requirement]) -> str:
    return f"| {name} | {len(chosen)} | {covered(chosen)} | {share(chosen):.0%} |"


def covered(chosen: Iterable[Requirement]) -> int:
    return sum(one.id in covering() for one in chosen)


def share(chosen: list[Requirement]) -> float:
    return covered(chosen) / len(chosen)


def sections() -> Iterator[Iterator[str]]:
    """One table per subject: TRANSPORT, HUB …, in the order of the list."""
    for subject in dict.fromkeys(name.split("-")[0] for name in requirements()):
        yield section(subject)


def section(subject: str) -> Iterator[str]:
    yield f"## {subject}"
    yield ""
    yield "| id | versions | level | what | tests | verdict |"
    yield "|---|---|---|---|---|---|"
    for one in requirements().values():
        if one.id.split("-")[0] == subject:
            tests = covering().get(one.id, [])
            shown = "<br>".join(map(link, tests)) or "-"
            verdict = "covered" if tests else reasons().get(one.id, "")
            yield f"| {one.id} | {one.versions} | {one.level} | {one.title} | {shown} | {verdict} |"


def link(test: Test) -> str:
    return f"[{test.name}](../{test.path})"
