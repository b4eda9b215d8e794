"""The numbered requirements of OCPI that the hub is measured by, and why some have no test.

``tests/data/requirements.csv`` lists all of them: id, versions, level and what it is about.
Levels: M and S are what OCPI demands and advises, O what it allows, F a fact or definition,
D a decision of ours where OCPI is silent or says two things.
``tests/data/uncovered.csv`` says of each one that no test shows why that is so.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"


@dataclass(frozen=True)
class Requirement:
    id: str
    versions: str
    level: str
    title: str

    @property
    def demanded(self) -> bool:
        """OCPI itself demands or advises it (levels M and S, also M/D and M/S)."""
        return bool({"M", "S"} & set(self.level.split("/")))


@cache
def requirements() -> dict[str, Requirement]:
    return {row["id"]: Requirement(**row) for row in rows("requirements.csv")}


@cache
def reasons() -> dict[str, str]:
    """Why no test shows a requirement, by its id."""
    return {row["id"]: row["why"] for row in rows("uncovered.csv")}


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="") as file:
        return list(csv.DictReader(file))


@cache
def _pattern() -> re.Pattern[str]:
    subjects = "|".join({name.split("-")[0] for name in requirements()})
    # "HUB_20" in names; "HUB-20" and "TRANSPORT-90, -91" in docstrings; "TRANSPORT_45_46" in names.
    return re.compile(rf"(?<![A-Z])({subjects})[-_](\d\d[a-z]?)((?:(?:, -|_)\d\d(?!\d))*)")


def ids_in(text: str) -> Iterator[str]:
    """The ids that a name or a docstring mentions, existing or not."""
    for subject, first, more in _pattern().findall(text):
        for number in [first, *re.findall(r"\d\d", more)]:
            yield f"{subject}-{number}"
