"""A folder per rule: tariffs, CDRs, and the sum by hand.

tests/data/tariffs/<rule>/ holds ``tariff.json`` (and ``tariff-2.json`` …), ``cdr-<case>.json`` and
``expected-<case>.json``: the rules it shows, the sum written out, every total and the verdict. The
answer is the one that ``hub price --jsonl`` gives.
"""

import json
from decimal import Decimal

import pytest

from hub.roaming.pricing.answers import answer
from tests.pricing.documents import ROOT

RULES = ROOT / "tests" / "data" / "tariffs"
CASES = sorted(RULES.glob("*/cdr-*.json"))


def read(path):
    return json.loads(path.read_text(), parse_float=Decimal)


def number(path):
    """tariff.json is the first, before tariff-2.json."""
    return len(path.name), path.name


def name(path):
    return f"{path.parent.name}/{path.stem.removeprefix('cdr-')}"


@pytest.mark.parametrize("path", CASES, ids=name)
def test_a_cdr_costs_what_its_sum_by_hand_says(path):
    wanted = read(path.with_name(path.name.replace("cdr-", "expected-", 1)))
    line = {
        "ocpi_version": wanted["ocpi_version"],
        "time_zone": wanted["time_zone"],
        "tariffs": [read(file) for file in sorted(path.parent.glob("tariff*.json"), key=number)],
        "cdr": read(path),
    } | wanted.get("line", {})

    found = answer(line)

    assert found.get("error") is None
    assert found["expected"] == wanted["expected"], wanted["sum"]
    assert found["cdr_check"] == wanted["cdr_check"]


def test_every_rule_folder_is_complete():
    for folder in RULES.iterdir():
        assert (folder / "tariff.json").is_file(), folder
        assert list(folder.glob("cdr-*.json")), folder
        for wanted in folder.glob("expected-*.json"):
            assert read(wanted)["sum"], wanted
            assert wanted.with_name(wanted.name.replace("expected-", "cdr-", 1)).is_file()


def test_every_rule_that_a_cdr_can_show_is_shown():
    shown = {rule for path in RULES.glob("*/expected-*.json") for rule in read(path)["rules"]}
    numbers = [*range(1, 16), *range(17, 25), *range(30, 37), *range(40, 46)]
    elsewhere = {"PRICE-16"}

    assert {f"PRICE-{number:02d}" for number in numbers} - shown - elsewhere == set()
