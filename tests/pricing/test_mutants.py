"""The suite notices every deliberate mistake."""

import subprocess
import sys

from tests.pricing.documents import ROOT
from tests.pricing.mutants import MUTANTS


def test_no_deliberate_mistake_in_the_engine_survives_the_suite():
    done = subprocess.run(
        [sys.executable, "-m", "tests.pricing.mutants"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    unexpected = [
        line for line in done.stdout.splitlines() if line.startswith(("survived", "broken"))
    ]
    assert unexpected == ["survived  no mistake"], done.stderr
    assert f"{len(MUTANTS)} of {len(MUTANTS)} as expected" in done.stdout


def test_there_is_a_mistake_for_every_kind_of_rule():
    assert len(MUTANTS) >= 50
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert len({mutant.module for mutant in MUTANTS}) >= 9
